"""What a model outputs, as plain values; how two outputs match; how results become files.

No JSON of a server, no drawing.
"""
