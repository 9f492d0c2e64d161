"""An image of any kind in, the bytes to upload out: reading, decoding, scaling, sample photos.

Nothing in this room knows a model, an API version or the network.
"""
