"""An image of any kind in, the bytes to send out: sources, uploads, the photos that ship.

Nothing here knows a model, an API version or the network.
"""
