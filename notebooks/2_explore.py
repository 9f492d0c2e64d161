# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore a model
#
# Run the next cell to open the panel. Choose the **task type**, the **API version** and the **image size**, and
# see the effect. Without an API key the local models run after every change. A request to the hosted API is sent
# only when you press *Run*.
#
# Look into the image: the wheel zooms, a drag pans, the pointer lights up a box and its row of the table, a click
# isolates the object. The confidence slider needs no request: the image follows at once.

# %%
import rfhosted

explorer = rfhosted.explore()
explorer

# %% [markdown]
# ## From the panel to code
#
# `run` does the same as the *Run* button. `explorer.result` is the prediction that the panel shows, and it is
# a prediction like any other. The *Code* tab has the code that gives this exact result.

# %%
explorer.run().filter(confidence=0.6)

# %% [markdown]
# ## What did the model miss, and what did it invent?
#
# `sample_truth` is the **ground truth** of a sample: what people labelled in it. Compared with it, each detection
# is right or invented, and each object was found or missed. (For images of your own, `coco_truth` reads a COCO
# annotation file.)

# %%
photo, truth = rfhosted.sample("photo_wall"), rfhosted.sample_truth("photo_wall")
p = rfhosted.predict(photo, confidence=0.05)  # a low threshold: filter can only raise it
rfhosted.compare(truth, p.filter(confidence=0.4))

# %% [markdown]
# **Precision** is the share of detections that are right, **recall** the share of objects that were found. A lower
# threshold finds more objects and invents more:

# %%
rfhosted.precision_recall_curve(truth, p)

# %% [markdown]
# ## How small can the image be?
#
# `sweep` sends one image at several sizes. Any two of them can be compared without another request: what was lost
# at 320 pixels?

# %%
sweep = rfhosted.sweep(photo, image_sizes=(160, 320, 640, "original"))
sweep

# %%
sweep.compare(320, "original")

# %% [markdown]
# ## Many small objects
#
# "running_cats" has 24 small cats. A model scales the whole image to its input size, and small objects get lost:

# %%
for name in ("boats", "running_cats"):
    found = rfhosted.predict(rfhosted.sample(name))
    print(name, "|", rfhosted.compare(rfhosted.sample_truth(name), found).summary())

# %% [markdown]
# What helps is called **tiling**: parts of the image are sent one by one. Each part is a request. The panel
# explains it below a crowded image.

# %% [markdown]
# ## Things to try
#
# - Move *Confidence*: the image is drawn again, and no request is sent. Change *Overlap*: this needs a new request.
# - *Compare*: press *Compare v1 with V2*. Or press *Pin as A*, change a setting and run again. Flip between A and B,
#   and choose a line of the list to see its box.
# - *Precision and recall*: this tab is there where the image has a ground truth. Move *Confidence* and see what is
#   missed and what is invented.
# - *Sweep*: send an image of your own at four sizes. How small can it be before the result changes?
# - Your own image: enter a path or a URL, or upload a file. Your own key: type it into *API key* and press Enter.
#   It stays in the kernel's memory and is not saved.
