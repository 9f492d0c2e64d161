"""One file per API route: build its request, read its response. Nothing here sends or draws."""
