"""Photos that ship with the package, free to use; NOTICE names their sources."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sample_names() -> list[str]:
    """Names of the photos that ``sample`` knows."""
    return sorted(path.stem for path in _folder().glob("*.jpg"))


def sample(name: str) -> Path:
    """Path of a photo that ships with the package.

    Args:
        name: One of ``sample_names()``.

    Raises:
        ValueError: No photo has that name.
    """
    path = _folder() / f"{name}.jpg"
    if name not in sample_names():
        raise ValueError(f"There is no sample of that name; there are {', '.join(sample_names())}.")
    return path


def _folder() -> Path:
    with resources.as_file(resources.files(__package__) / "photos") as folder:
        return folder
