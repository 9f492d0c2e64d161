"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """A path with ``~`` replaced by the home folder; ``~name`` stays where nobody has that name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises there


def write_whole(path: str | Path, data: bytes) -> Path:
    """Write a file; one that was there before is kept until the new one is complete.

    Args:
        path: Where to; ``~`` is the home folder, and a link is followed.
        data: All of the file.

    Returns:
        The path, with ``~`` expanded.

    Raises:
        OSError: The file cannot be written; what was there before is still there.
    """
    shown = expanded(path)
    target = shown.resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no such folder", str(target.parent))
    if target.exists() and not target.is_file():  # a pipe or a terminal; a folder raises
        target.write_bytes(data)
        return shown
    beside = target.with_name(f".rfhosted-{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return shown
