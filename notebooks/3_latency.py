# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How long does a request take, and why?
#
# Roboflow publishes latencies and recommends that you measure your own. This notebook shows how, offline and in
# about a minute. Section 1 uses a real local model. From section 2 on, a simulator responds with the latencies
# that we give it, and every table and plot says *simulated*. In section 5 you measure the hosted API with your
# own key.
#
# There are two latencies: **E2E**, from sending the request to the last byte of the response, and **Exec**, the
# execution time of the model.

# %% [markdown]
# ## 1. The parts of one request
#
# The first request to a model waits until the model is loaded (a *cold start*). The second does not.

# %%
import rfhosted

photo = rfhosted.sample("boats")
rfhosted.predict(photo).timing

# %%
rfhosted.predict(photo).timing

# %% [markdown]
# ## 2. Image size
#
# An image must be uploaded before a model can see it. The simulated network uploads 20 Mbit/s and has a round
# trip of 30 ms. The photo is the sample, enlarged to 9 megapixels, about the size of a phone's photo.

# %%
from PIL import Image

from rfhosted.latency import simulated
from rfhosted.local import Line, Simulation, Times, like_published

large = Image.open(photo).resize((3000, 3000))
line = Line(up=20e6 / 8, down=50e6 / 8, round_trip=0.03)  # bytes a second, seconds
with simulated(like_published("yolov8n-640", line=line, spread=0)) as client:
    sizes = rfhosted.benchmark(
        "yolov8n-640",
        large,
        api_versions=["v2"],
        image_sizes=[320, 640, 1280, "original"],
        requests=5,
        warmup=1,
        client=client,
    )
sizes.plot_parts()

# %% [markdown]
# ## 3. v1 and V2
#
# These are the published latencies in milliseconds, and the ratio of v1 to V2:

# %%
rfhosted.published

# %% [markdown]
# The small model has a slightly shorter E2E latency on v1. The large model takes ten times longer on v1. Exec is
# longer on v1 for both.
#
# Now we measure a simulator with these latencies. The requests of both versions and both models are sent in
# random order, so that a slow minute affects all of them equally. The bar shows the 95 % confidence interval of
# the median: if two bars overlap, the difference may be chance.

# %%
with simulated() as client:
    versions = rfhosted.benchmark(
        ["yolov8n-640", "yolov8x-640"], photo, requests=8, warmup=1, concurrency=4, client=client
    )
versions

# %% [markdown]
# ## 4. Concurrency and queueing
#
# This server has two workers, and each request takes 50 ms. One client never waits. Eight clients wait for each
# other: the throughput is higher, and so is the latency.

# %%
two_workers = Simulation(
    times={"*": {version: Times(exec=0.05, spread=0.2) for version in rfhosted.ApiVersion}},
    workers=2,
    label="two workers, Exec 50 ms",
)
with simulated(two_workers) as client:
    for clients in (1, 2, 8):
        b = rfhosted.benchmark(
            "yolov8n-640",
            photo,
            api_versions=["v2"],
            requests=40,
            concurrency=clients,
            client=client,
        )
        row, parts = b.rows()[0], b.parts()[0]
        print(
            f"{clients} at once: {row['rate']:.0f} responses/s, E2E {row['e2e_p50'] * 1000:.0f} ms, "
            f"of which queue {parts['queue'] * 1000:.0f} ms (simulated)"
        )

# %% [markdown]
# ### Closed loop and open loop
#
# A client that waits for each response before it sends the next request hides a server that stalls: during the
# stall, it sends almost nothing (*closed loop*). With `rate`, requests are sent on a schedule, and E2E is measured
# from the scheduled time (*open loop*). This server stalls for one second:

# %%
stall = Simulation(times=two_workers.times, workers=8, stall=(1.0, 1.0), label="a stall of 1 s")
for rate in (None, 20):
    with simulated(stall) as client:
        b = rfhosted.benchmark(
            "yolov8n-640",
            photo,
            api_versions=["v2"],
            requests=60,
            rate=rate,
            warmup=0,
            client=client,
        )
    row = b.rows()[0]
    print(
        "open loop, 20/s:" if rate else "closed loop:    ",
        f"median {row['e2e_p50'] * 1000:.0f} ms, p90 {row['e2e_p90'] * 1000:.0f} ms (simulated)",
    )

# %% [markdown]
# ## 5. With your own key
#
# Set `ROBOFLOW_API_KEY` and measure the hosted API. Before anything is sent, you see the number of billable
# requests and confirm it.
#
# ```python
# mine = rfhosted.benchmark(["yolov8n-640"], [photo], api_versions=("v2", "v1"), requests=20)
# mine                       # measured next to published: another place, another day, another plan
# mine.save("today.json")    # does not contain the key
# mine.compare(rfhosted.Benchmark.load("yesterday.json"))
# ```
#
# The same from a shell: `python -m rfhosted.latency yolov8n-640 --requests 20 --yes`.
