"""Compose photo_wall.jpg and the ground truth of the samples.

``python tests/samples/compose_photo_wall.py [FOLDER]`` writes photo_wall.jpg and ground_truth.json, beside the
photos that ship if no folder is named. The wall has prints of mixed sizes, some of them details of a photo. The boxes of the photos were
drawn by hand; those of the wall are computed from them. The same Pillow and NumPy write the same pixels.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

import rfhosted
from rfhosted.images.samples import annotation_file

COCO = (
    (resources.files("rfhosted") / "local" / "labels" / "coco.txt").read_text("utf-8").splitlines()
)
WIDTH, HEIGHT = 3000, 2000
QUALITY = 85
#: Objects of each photo: class and box (x0, y0, x1, y1), pixels of the photo, drawn by hand.
OBJECTS = {
    "astronaut": [("person", 20, 12, 362, 512)],
    "camera": [("person", 0, 62, 334, 512)],
    "cat": [("cat", 0, 0, 400, 300)],
    "coffee": [("cup", 172, 15, 423, 312), ("spoon", 327, 67, 426, 327), ("dining table", 0, 0, 600, 400)],
    "rocket": [],  # COCO has no rocket
    "boats": [
        ("boat", 440, 125, 752, 580),
        ("boat", 0, 622, 756, 778),
        ("boat", 690, 645, 1024, 819),
        ("boat", 342, 532, 462, 572),
        ("person", 378, 651, 464, 711),
        ("person", 750, 667, 816, 805),
    ],
    "running_cats": [
        ("cat", x, y, x + width, y + height)
        for x, y, width, height in (
            (37, 23, 122, 83), (208, 23, 122, 83), (370, 24, 123, 82), (542, 25, 124, 83),
            (708, 28, 126, 80), (881, 27, 124, 82), (38, 148, 117, 85), (199, 150, 115, 82),
            (369, 151, 114, 87), (554, 151, 111, 87), (714, 155, 103, 82), (883, 154, 116, 78),
            (21, 269, 138, 91), (197, 263, 130, 94), (373, 264, 118, 96), (545, 265, 121, 95),
            (707, 272, 122, 88), (877, 279, 126, 80), (27, 411, 128, 70), (190, 416, 136, 63),
            (349, 421, 148, 66), (512, 427, 158, 59), (686, 426, 154, 62), (861, 425, 144, 59),
        )
    ],
}  # fmt: skip
ROUND = {"cup", "spoon"}  # their turned box is that of an ellipse
#: Part of an object that a detail must show, or the object is left out of the ground truth.
SHOWN = 0.3


@dataclass(frozen=True)
class Print:
    """A photo or a detail of it on the wall.

    ``x``, ``y`` are its centre and ``width`` its width, in pixels of the wall without the border;
    ``turn`` is in degrees; ``crop`` is (x0, y0, x1, y1) in pixels of the photo.
    """

    name: str
    x: int
    y: int
    width: int
    turn: float = 0.0
    crop: tuple[int, int, int, int] | None = None
    mirrored: bool = False
    border: float = 0.025


#: Chosen so that the local detector finds about two thirds of the objects at confidence 0.4, and takes
#: a photo of a rocket for a screen.
PRINTS = (
    Print("astronaut", 350, 378, 465, 1.6, border=0),
    Print("camera", 865, 372, 410, -1.4, (0, 30, 360, 512), border=0.012),
    Print("astronaut", 1500, 425, 562, 0.0, (20, 0, 512, 512), border=0.012),
    Print("camera", 2125, 375, 545, 2.9, border=0),
    Print("coffee", 2725, 382, 448, 0.0, (150, 0, 450, 330), border=0),
    Print("running_cats", 448, 962, 602, 1.8, (10, 12, 172, 122), border=0),
    Print("boats", 1058, 975, 488, 1.3, (660, 600, 1024, 819), border=0.02),
    Print("rocket", 1578, 975, 215, 1.6, (240, 60, 420, 427), mirrored=True, border=0),
    Print("astronaut", 2125, 1018, 440, -1.7, (80, 0, 370, 300), border=0.012),
    Print("camera", 2745, 968, 402, 0.9, (0, 30, 360, 512), mirrored=True, border=0.012),
    Print("rocket", 582, 1645, 750, -0.4, mirrored=True, border=0.02),
    Print("cat", 1562, 1598, 828, -1.0, (0, 0, 430, 300), mirrored=True, border=0.012),
    Print("cat", 2528, 1605, 830, 2.3, mirrored=True, border=0.012),
)


def main(folder=None):
    """Write the wall and the ground truth of the samples, beside the photos or into a folder."""
    target = Path(folder) if folder else annotation_file().parent
    wall, objects = compose()
    wall.save(target / "photo_wall.jpg", quality=QUALITY, optimize=True)
    truths = {
        "boats": OBJECTS["boats"],
        "photo_wall": objects,
        "running_cats": OBJECTS["running_cats"],
    }
    (target / "ground_truth.json").write_text(coco(truths), "utf-8")


def coco(truths):
    """A COCO file of samples and their objects, one entry a line; class ids as in COCO's 80."""
    names = sorted({name for objects in truths.values() for name, *_ in objects})
    ids = {name: COCO.index(name) for name in names}
    images, annotations = [], []
    for number, (sample, objects) in enumerate(truths.items(), start=1):
        width, height = (WIDTH, HEIGHT) if sample == "photo_wall" else _photo(sample).size
        images.append(
            {"id": number, "file_name": f"{sample}.jpg", "width": width, "height": height}
        )
        for name, *box in objects:
            x0, y0, x1, y1 = map(round, box)
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": ids[name],
                "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0,
            })  # fmt: skip
    parts = {
        "images": images,
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
        "annotations": annotations,
    }
    lines = [
        f'"{part}": [\n' + ",\n".join(map(json.dumps, entries)) + "\n]"
        for part, entries in parts.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _photo(name):
    return Image.open(rfhosted.sample(name)).convert("RGB")


def compose(prints=PRINTS, size=(WIDTH, HEIGHT)):
    """The wall with the prints on it, and (class, x0, y0, x1, y1) of each object on it."""
    wall, objects = plaster(size), []
    for each in prints:
        objects += _hang(wall, each)
    return wall, objects


def plaster(size):
    """A pale wall with a soft light from the upper left."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    light = 14 - 34 * np.hypot(x / width - 0.37, (y - height / 4) / width)
    noise = np.random.default_rng(7).normal(size=(height // 8, width // 8))
    grain = Image.fromarray((128 + 12 * noise).clip(0, 255).astype("uint8")).resize(size)
    shade = light + (np.asarray(grain.filter(ImageFilter.GaussianBlur(3)), float) - 128) * 0.5
    return Image.fromarray(((206, 202, 194) + shade[..., None]).clip(0, 255).astype("uint8"))


def _hang(wall, each):
    """Paste a print with its border and shadow; the boxes of its objects on the wall."""
    photo, objects = _detail(each)
    scale = each.width / photo.width
    photo = photo.resize((each.width, round(photo.height * scale)), Image.Resampling.LANCZOS)
    border = round(each.width * each.border)
    paper = ImageOps.expand(photo, border, (247, 245, 240))
    turned = paper.rotate(each.turn, Image.Resampling.BICUBIC, expand=True)
    shape = Image.new("L", paper.size, 255).rotate(each.turn, expand=True)
    corner = each.x - turned.width // 2, each.y - turned.height // 2
    _cast_shadow(wall, shape, corner)
    wall.paste(turned, corner, shape)

    def on_wall(x, y):
        turn = math.radians(-each.turn)
        x = x * scale + border - paper.width / 2
        y = y * scale + border - paper.height / 2
        return (
            each.x + x * math.cos(turn) - y * math.sin(turn),
            each.y + x * math.sin(turn) + y * math.cos(turn),
        )

    return [
        (name, *_bounds([on_wall(*point) for point in _outline(name, *box)], wall.size))
        for name, box in objects
    ]


def _detail(each):
    """The part of the photo that is printed, and its objects in pixels of that part."""
    photo = _photo(each.name)
    left, top, right, bottom = each.crop or (0, 0, *photo.size)
    objects = []
    for name, x0, y0, x1, y1 in OBJECTS[each.name]:
        box = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
        width, height = max(0, box[2] - box[0]), max(0, box[3] - box[1])
        if width * height >= SHOWN * (x1 - x0) * (y1 - y0):
            shift = (left, top, left, top)
            objects.append((name, tuple(v - s for v, s in zip(box, shift, strict=True))))
    photo = photo.crop((left, top, right, bottom))
    if each.mirrored:
        photo, wide = ImageOps.mirror(photo), photo.width
        objects = [(name, (wide - x1, y0, wide - x0, y1)) for name, (x0, y0, x1, y1) in objects]
    return photo, objects


def _cast_shadow(wall, shape, corner):
    """Darken the wall to the lower right of a print."""
    margin, blur = wall.width // 50, wall.width // 250
    shadow = ImageOps.expand(shape.point(lambda v: v * 110 // 255), margin)
    place = corner[0] - margin + wall.width // 300, corner[1] - margin + wall.width // 214
    wall.paste((40, 36, 32), place, shadow.filter(ImageFilter.GaussianBlur(blur)))


def _outline(name, x0, y0, x1, y1):
    if name not in ROUND:
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    angles = np.linspace(0, 2 * math.pi, 48)
    return [
        ((x0 + x1) / 2 + (x1 - x0) / 2 * math.cos(a), (y0 + y1) / 2 + (y1 - y0) / 2 * math.sin(a))
        for a in angles
    ]


def _bounds(points, size):
    xs, ys = zip(*points, strict=True)
    return max(0, min(xs)), max(0, min(ys)), min(size[0], max(xs)), min(size[1], max(ys))


if __name__ == "__main__":
    main(*sys.argv[1:])
