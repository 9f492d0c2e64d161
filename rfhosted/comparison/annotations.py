"""Ground truth from COCO files: of the samples that ship, and of the user's own images."""

from __future__ import annotations

import functools
import json
import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from rfhosted.default import default_client
from rfhosted.display.units import counted
from rfhosted.images.reading import file_name
from rfhosted.images.samples import annotation_file, sample, sample_names
from rfhosted.outputs.files import expanded
from rfhosted.outputs.text import one_line, short_name
from rfhosted.outputs.values import Box, Detection
from rfhosted.prediction.ground_truth import GroundTruth

if TYPE_CHECKING:
    from os import PathLike

    from rfhosted.images.sources import ImageLike

#: Images of a COCO file that an error names.
_NAMED = 5


def sample_truth(name: str) -> GroundTruth:
    """The ground truth of a sample: what is in it, to compare with what a model finds.

    The boxes were drawn by hand, with COCO's class names; those of "photo_wall" are computed from
    the boxes of its parts.

    Args:
        name: A sample that has one: "boats", "photo_wall" or "running_cats".

    Returns:
        A DetectionPrediction without confidences and times.

    Raises:
        ValueError: There is no ground truth of that name.

    Example:
        >>> photo = rfhosted.sample("photo_wall")
        >>> rfhosted.compare(rfhosted.sample_truth("photo_wall"), rfhosted.predict(photo))
    """
    known = samples_with_truth()
    if name not in known:
        what = "no ground truth" if name in sample_names() else "no sample"
        raise ValueError(f"There is {what} of that name; there is one of {', '.join(known)}.")
    return coco_truth(annotation_file(), sample(name))


def coco_truth(
    path: str | PathLike[str], image: ImageLike, *, name: str | None = None
) -> GroundTruth:
    """The ground truth of an image of your own, from a COCO annotation file.

    Its boxes can be compared with any prediction of objects for the same image: ``compare`` shows
    what the model missed and invented, ``precision_recall_curve`` how both depend on the threshold.
    Crowd regions (``iscrowd``) are left out, with a note.

    Args:
        path: The COCO file (JSON with "images", "annotations" and "categories").
        image: The image, as ``Client.predict`` takes it.
        name: The image's ``file_name`` in the COCO file, or the last part of it; None for the name
            of the image's own file, or for the only image of the COCO file.

    Returns:
        A DetectionPrediction without confidences and times; class names are those of the file.

    Raises:
        OSError: The annotation file cannot be read.
        ValueError: It is not a COCO file, an entry in it is broken, or it does not have the image,
            or has it at another size.
        ImageError: The image cannot be read.

    Example:
        >>> truth = rfhosted.coco_truth("annotations/instances.json", "images/street.jpg")
        >>> rfhosted.compare(truth, rfhosted.predict("images/street.jpg"))
    """
    problem = "it is not a COCO file: it needs lists named images, annotations and categories"
    try:
        content = json.loads(expanded(str(path)).read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        problem = f"it is not valid JSON ({one_line(str(error), 200)})"
        content = None
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) and all(isinstance(e, dict) for e in content[key])
        for key in lists
    ):
        raise ValueError(f"{path} cannot be read as annotations: {problem}.")
    source = default_client().open(image)
    entry = _entry(content["images"], name or file_name(image), path)
    _check_size(entry, source.size)
    try:
        names = {each["id"]: one_line(each["name"]) for each in content["categories"]}
        marked = [each for each in content["annotations"] if each["image_id"] == entry["id"]]
        single = [each for each in marked if not each.get("iscrowd")]
        objects = tuple(
            Detection(names[each["category_id"]], int(each["category_id"]), 1.0, _box(each["bbox"]))
            for each in single
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        problem = one_line(str(error), 200)
        raise ValueError(
            f"{path} cannot be read as annotations: an entry is broken ({type(error).__name__}:"
            f" {problem}). Each annotation needs image_id, category_id and bbox (x, y, width,"
            " height), and each category an id and a name."
        ) from None
    crowds = len(marked) - len(single)
    notes = (f"Crowd regions are left out: {crowds}.",) if crowds else ()
    return GroundTruth.of(source, objects, raw=single, notes=notes)


@functools.cache
def samples_with_truth() -> tuple[str, ...]:
    """Names of the samples that have a ground truth."""
    entries = json.loads(annotation_file().read_text("utf-8"))["images"]
    return tuple(sorted(PurePosixPath(entry["file_name"]).stem for entry in entries))


def _entry(entries: list[Any], wanted: str, path: object) -> dict[str, Any]:
    """The image's entry in the file: by its whole name, else by the last part of it."""
    for of in (str, _last_part):
        found = [e for e in entries if wanted and of(e.get("file_name", "")) == of(wanted)]
        if len(found) == 1 and "id" in found[0]:
            return dict(found[0])
    if not wanted and len(entries) == 1 and "id" in entries[0]:
        return dict(entries[0])
    listed = [short_name(str(entry.get("file_name"))) for entry in entries[:_NAMED]]
    more = ", …" if len(entries) > _NAMED else ""
    number = len(found) if wanted else len(entries)
    which = counted(number, "image") + (f" named {short_name(wanted)!r}" if wanted else "")
    raise ValueError(
        f"{path} has {which}; it has {', '.join(listed) or 'none'}{more}. Pass name=, the file_name"
        " of the image in the annotation file."
    )


def _last_part(name: object) -> str:
    return str(name).replace("\\", "/").rsplit("/", 1)[-1]


def _check_size(entry: dict[str, Any], size: tuple[int, int]) -> None:
    labelled = entry.get("width"), entry.get("height")
    if all(isinstance(side, int) for side in labelled) and labelled != size:
        raise ValueError(
            f"The image has {size[0]} x {size[1]} pixels, and {labelled[0]} x {labelled[1]} were"
            " labelled. Pass the image that was labelled, at its size and turned as it was then."
        )


def _box(bbox: Any) -> Box:
    x, y, width, height = map(float, bbox)
    if not all(map(math.isfinite, (x, y, width, height))) or width < 0 or height < 0:
        raise ValueError(f"bbox {bbox} is not x, y, width, height")
    return x, y, x + width, y + height
