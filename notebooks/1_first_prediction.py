# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first prediction
#
# You give an image to a model and look at its prediction. Without an API key, five small **local models** do
# the work: a server inside this notebook's process runs them and speaks the same HTTP API as Roboflow's hosted
# one. Run the cells from top to bottom. You need no network.

# %%
import rfhosted

photo = rfhosted.sample("cat")
rfhosted.predict(photo)

# %% [markdown]
# We named no task and no model, so this is object detection with the default model. The caption gives the
# detections, the model and the server, the latency (*E2E*: the whole request; *Exec*: the model's own
# execution time) and the size of the request.
#
# ## Five tasks
#
# `predict` does all five tasks. **Classification** ranks classes for the whole image:

# %%
rfhosted.predict(rfhosted.sample("coffee"), task="classification")

# %% [markdown]
# **Instance segmentation** gives each object a mask. (The local model derives its masks from boxes and a
# class map, because no local model was trained for this task. The caption says so.)

# %%
rfhosted.predict(rfhosted.sample("astronaut"), task="instance-segmentation")

# %% [markdown]
# **Semantic segmentation** gives each pixel a class:

# %%
rfhosted.predict(photo, task="semantic-segmentation")

# %% [markdown]
# **Keypoint detection** finds the joints of a person:

# %%
person = rfhosted.predict(rfhosted.sample("camera"), task="keypoint-detection")
person

# %% [markdown]
# ## What is in a prediction
#
# Coordinates are pixels of the original image. `filter` makes a new prediction and sends no request. Here is a wall
# with fourteen photos, first with every detection above 0.3, then with the cats above 0.6:

# %%
wall = rfhosted.predict(rfhosted.sample("photo_wall"), confidence=0.3)
wall

# %%
wall.filter(confidence=0.6, classes=["cat"]).summary()

# %% [markdown]
# Tables and supervision's own types:

# %%
person.to_pandas()[["class_name", "confidence", "x1", "y1", "x2", "y2"]].round(2)

# %%
person.filter(keypoint_confidence=0.6).draw(max_side=400)

# %%
person.detections.xyxy, person.key_points.xy.shape  # supervision's own types

# %% [markdown]
# ## v1 and V2
#
# v1 is the legacy API, V2 is the recommended one. They differ in the size limit of a request (5 MB and 20 MB),
# in the fields of a response and, on the hosted API, in speed. The local server speaks both.

# %%
for version in ("v1", "v2"):
    client = rfhosted.Client(api_version=version)
    p = client.predict(photo, task="semantic-segmentation")
    print(
        version, "|", p.summary(), "|", sorted(p.raw), "| Exec reported:", p.timing.exec is not None
    )

# %% [markdown]
# ## Image size
#
# `image_size` is the longest side of the image that is sent. A smaller image makes a faster request. Boxes
# are always in pixels of the original image.

# %%
for size in (160, 320, "original"):
    p = rfhosted.predict(rfhosted.sample("boats"), image_size=size)
    print(size, "|", p.summary(), "|", p.upload.size, "|", p.upload.nbytes, "bytes")

# %% [markdown]
# ## Errors
#
# An error says what happened and what to do next.

# %%
try:
    rfhosted.predict(photo, "yolov8n-64")
except rfhosted.HostedError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# ## Your own image, your own key
#
# Replace `photo` with a path, a URL, bytes, a PIL image or an RGB array. To use hosted models, set
# `ROBOFLOW_API_KEY` in the environment or in a `.env` file, never in the notebook. Then run:
#
# ```python
# rfhosted.predict("my.jpg", "rfdetr-nano")       # a public model
# rfhosted.predict("my.jpg", "my-project/3")      # your own model
# ```
