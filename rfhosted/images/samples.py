"""Photos that ship with the package, free to use; NOTICE names their sources."""

from __future__ import annotations

import difflib
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: The sample to begin with: many objects, of which a small model finds about two thirds.
DEFAULT = "photo_wall"


def sample_names() -> list[str]:
    """Names of the photos that ``sample`` knows, sorted."""
    return sorted(path.stem for path in _folder().glob("*.jpg"))


def sample(name: str) -> Path:
    """Path of a photo that ships with the package.

    Args:
        name: One of ``sample_names()``. "photo_wall" has many objects, "boats" some that are hard
            to find, "running_cats" 24 small ones; the others have one or two large ones, or none.

    Raises:
        ValueError: No photo has that name.

    Example:
        >>> rfhosted.predict(rfhosted.sample("boats"))
    """
    names = sample_names()
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no sample of that name; there are {', '.join(names)}.{hint}")
    return _folder() / f"{name}.jpg"


def annotation_file() -> Path:
    """Path of the ground truth of those samples that have one: a COCO file."""
    return _folder() / "ground_truth.json"


def _folder() -> Path:
    with resources.as_file(resources.files(__package__) / "photos") as folder:
        return folder
