# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Prompted models
#
# A prompted model takes a prompt beside the image: names, points, a box, a text. On the hosted API these are
# SAM 3, SAM 2, YOLO-World, CLIP, Florence-2 and others. This notebook needs no key and no network: the local
# server speaks the same routes, with the local models behind them. It never passes for the real models. A note
# under each result says what made it.
#
# ## By names
#
# `detect` finds boxes for names, `segment` finds masks. The class name is the prompt.

# %%
import rfhosted

wall = rfhosted.sample("photo_wall")
rfhosted.detect(wall, ["cup", "cat"], confidence=0.4)

# %%
rfhosted.segment(wall, ["laptop", "cat"])

# %% [markdown]
# ## By a point or a box
#
# A point says *this object*, `(x, y, False)` says *not this*. A box (x0, y0, x1, y1) says *the object in it*. All
# coordinates are pixels of the original image, whatever size is sent.

# %%
coffee = rfhosted.sample("coffee")
rfhosted.segment(coffee, points=[(300, 130), (300, 330, False)])

# %%
rfhosted.segment(wall, box=(1125, 1307, 1988, 1926))

# %% [markdown]
# A result is a prediction like any other: it can be filtered, tabled and compared without a request.

# %%
found = rfhosted.segment(wall, ["cat"])
found.to_pandas()[["class_name", "confidence", "area"]]

# %% [markdown]
# ## What is refused before sending
#
# The server would respond to these with an error that explains nothing, or with any mask at all.


# %%
def attempt(run):
    try:
        run()
    except (rfhosted.HostedError, ValueError) as error:
        print(f"{type(error).__name__}: {error}")


attempt(lambda: rfhosted.segment(wall))
attempt(lambda: rfhosted.segment(wall, ["cat"], points=[(10, 10)]))
attempt(lambda: rfhosted.segment(wall, box=(2900, 100, 3100, 300)))
attempt(lambda: rfhosted.ask(wall, task="phrase-grounded-object-detection"))

# %% [markdown]
# ## What v1 cannot do, and what a legacy plan cannot
#
# v1 runs `classify`, `detect` and `read`; the newer models are on V2 only. A workspace without a credit plan gets
# the status 402 for them. The key `legacy-workspace` shows that on a local server.

# %%
attempt(lambda: rfhosted.segment(wall, ["cat"], api_version="v1"))

import rfhosted.local

with rfhosted.local.serve() as server:
    legacy = rfhosted.Client("legacy-workspace", base_url=server.url)
    attempt(lambda: legacy.segment(wall, ["cat"]))

# %% [markdown]
# ## What needs a key
#
# CLIP, captions and text recognition have no local model, and the error says so. With a key, run
# `rfhosted.classify(image, ["a cat", "a dog"])`, `rfhosted.ask(image)` and `rfhosted.read(image)`.

# %%
attempt(lambda: rfhosted.classify(coffee, ["a cup of coffee", "a cat"]))
attempt(lambda: rfhosted.ask(coffee))
