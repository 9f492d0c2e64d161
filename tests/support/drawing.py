"""Objects to draw, and what is in a drawn image: colours at places."""

from __future__ import annotations

import numpy as np
from PIL import Image

from rfhosted.display import labels
from rfhosted.display.annotate import draw_objects
from rfhosted.display.palette import colour
from rfhosted.outputs import masks
from rfhosted.outputs.values import Detection

GREY = 128


def grey(size):
    return Image.new("RGB", size, (GREY,) * 3)


def thing(name="dog", box=(20, 20, 80, 60), confidence=0.9, **more):
    return Detection(name, 3, confidence, box, **more)


def pixels(image):
    return np.asarray(image).astype(int)


def painted(image):
    return (pixels(image) != GREY).any(axis=2)


def of_colour(image, name):
    return (pixels(image) == colour(name)).all(axis=2)


def bounds(where):
    ys, xs = np.nonzero(where)
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def ring(size=(100, 100)):
    """A mask with a hole: columns and rows 20 to 79, less 40 to 59."""
    grid = np.zeros(size[::-1], bool)
    grid[20:80, 20:80] = True
    grid[40:60, 40:60] = False
    flat = grid.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    return masks.rle(grid.shape, np.diff(np.concatenate(([0], edges, [flat.size]))))


def label_places(image, found, monkeypatch, **options):
    """Where the labels are (left, top, right, bottom), in the order of writing."""
    places = []
    real = labels.ImageDraw.Draw

    def spy(canvas):
        pen = real(canvas)
        rectangle = pen.rectangle
        pen.rectangle = lambda area, **k: (places.append(area), rectangle(area, **k))
        return pen

    monkeypatch.setattr(labels.ImageDraw, "Draw", spy)
    drawn = draw_objects(image, found, image.size, **options)
    monkeypatch.undo()
    return drawn, places


def crowd(count, size, seed=0):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 0.85, (count, 2)) * size
    sides = rng.uniform(0.03, 0.15, (count, 2)) * size
    return [
        thing(f"class {i % 9}", (*a, *(a + b)), float(rng.uniform(0.3, 1)))
        for i, (a, b) in enumerate(zip(corners, sides, strict=True))
    ]
