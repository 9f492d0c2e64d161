"""Predictions of one image compared with each other and with ground truth, at any image size."""
