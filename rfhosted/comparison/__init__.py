"""Two predictions of one image compared, and one image compared at several sizes."""
