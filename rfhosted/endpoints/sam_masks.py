"""The masks in the responses of SAM 3 and SAM 2: RLE, or polygons of several parts."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeAlias

from rfhosted.endpoints import response
from rfhosted.endpoints.readers import Reader
from rfhosted.endpoints.response import LeftOut, PartError
from rfhosted.hosted import Task
from rfhosted.outputs import masks
from rfhosted.outputs.values import Box, Detection, Rle

if TYPE_CHECKING:
    from rfhosted.endpoints.prompted import Scale
    from rfhosted.outputs.values import Polygon

    #: A class name, a class id, and a prediction of a response.
    Named: TypeAlias = tuple[str, int, Any]


def list_of(raw: Any, field: str) -> list[Any]:
    """A field that is a list.

    Raises:
        PartError: It is not.
    """
    if not isinstance(raw, dict):
        raise PartError(f"it is {response.shown(raw)}, not an object with {field}")
    if not isinstance(raw.get(field), list):
        raise PartError(f"{field} is {response.shown(raw.get(field))}")
    return list(raw[field])


def instances(named: list[Named], scale: Scale) -> tuple[list[Detection], tuple[str, ...]]:
    """The objects of a response, without empty masks, and notes of what could not be read.

    They are read as those of an image task are, a part of a mask at a time; the class id is the
    place of the prediction that a part belongs to.

    Raises:
        PartError: There are masks, and none can be read.
    """
    left_out = LeftOut()
    parts = left_out.readable(named, lambda item, place: _parts(item[2], place), "mask", "masks")
    reader = Reader(
        {"predictions": list(itertools.chain.from_iterable(parts))}, scale.original, scale.sent
    )
    read = reader.read(Task.INSTANCE_SEGMENTATION)
    assert isinstance(read, tuple)  # noqa: S101 - the task's kind of output
    found = []
    for place, group in itertools.groupby(read, key=lambda part: part.class_id):
        members = list(group)
        mask = _united([part.mask for part in members if part.mask], scale)
        box = None if mask is None else _bounds(mask, scale)
        if box is not None:
            name, class_id, _ = named[place]
            found.append(Detection(name, class_id, members[0].confidence, box, mask))
    notes = (*left_out.notes(), *reader.left_out.notes())
    if notes and not found:
        raise PartError(notes[0])
    return found, notes


def _parts(prediction: Any, place: int) -> list[dict[str, Any]]:
    """The parts of a mask as the objects of an image task.

    Raises:
        PartError: It has no mask.
    """
    outlines = prediction.get("masks") if isinstance(prediction, dict) else None
    # The box is that of the mask, which is known when that is read.
    common = {
        "class_id": place,
        "confidence": prediction.get("confidence") if isinstance(prediction, dict) else None,
        **dict.fromkeys(("x", "y", "width", "height"), 0),
    }
    if isinstance(outlines, dict):
        return [common | {"rle": outlines}]
    if not isinstance(outlines, list):
        raise PartError(f".masks is {response.shown(outlines)}")
    if not all(isinstance(outline, list) for outline in outlines):
        raise PartError(".masks holds what is not a list of corners")
    return [common | {"points": [_corner(each) for each in outline]} for outline in outlines]


def _corner(pair: Any) -> dict[str, Any]:
    x, y = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
    return {"x": x, "y": y}


def _united(parts: list[Polygon | Rle], scale: Scale) -> Polygon | Rle | None:
    """The mask of some parts, each without holes where there are several."""
    if len(parts) > 1:
        return masks.union(parts, scale.original, scale.sent)
    return parts[0] if parts else None


def _bounds(mask: Polygon | Rle, scale: Scale) -> Box | None:
    """The box of a mask in pixels of the original image; None for an empty mask."""
    if not isinstance(mask, Rle):
        (x0, y0), (x1, y1) = mask.points.min(axis=0), mask.points.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)
    height, width = mask.size
    bits, left, top = masks.crop(mask, scale.original, (width, height))
    if not bits.size:
        return None
    across, down = scale.original[0] / width, scale.original[1] / height
    return (
        left * across,
        top * down,
        (left + bits.shape[1]) * across,
        (top + bits.shape[0]) * down,
    )
