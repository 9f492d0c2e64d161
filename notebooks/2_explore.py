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
# ## Things to try
#
# - Move *Confidence*: the image is drawn again, and no request is sent. Change *Overlap*: this needs a new request.
# - *Compare*: press *v1 against V2*. Or press *Pin as A*, change a setting, run again, and see what only A or only
#   B detected.
# - *Sweep*: send the same image at four sizes. How small can it be before the result changes?
# - Your own image: enter a path or a URL, or upload a file. Your own key: type it into *API key* and press Enter.
#   It stays in the kernel's memory and is not saved.
