"""A call as a request: a plain value that can be looked at, compared and sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from rfhosted import hosted
from rfhosted.hosted import ApiVersion, Task

# One fixed boundary makes equal pictures equal requests; 128 random bits are in no picture.
_BOUNDARY = "rfhosted-0b6ff0f0a7c94d0c8f6be5b1a3d9c27e"
_END_OF_HEAD, _TAIL = "\r\n\r\n", f"\r\n--{_BOUNDARY}--\r\n"
PART_NAME = "file"  # the server takes no other
_TASKS_WITHOUT_OVERLAP = {Task.CLASSIFICATION, Task.SEMANTIC_SEGMENTATION}


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the legacy image route, ``POST {host}/{a}/{b}``; the key is not in it."""

    url: str
    params: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    key_in_header: bool = False
    method: str = "POST"


def parameters(
    task: Task | None, version: ApiVersion, host: str, *, confidence: float, overlap: float
) -> dict[str, str]:
    """Query parameters, the key apart.

    Args:
        task: None asks for what any task understands.
        version: RLE masks are asked for where the server is known to have them: not on v1.
        host: Some hosts know percentages alone.
        confidence: Fraction in [0, 1].
        overlap: IoU for non-maximum suppression, fraction in [0, 1].
    """
    percent = host in hosted.PERCENT_HOSTS
    params = {"confidence": _threshold(confidence, percent=percent)}
    if task not in _TASKS_WITHOUT_OVERLAP:
        params["overlap"] = _threshold(overlap, percent=percent)
    if task in (Task.INSTANCE_SEGMENTATION, None) and version is ApiVersion.V2:
        # One polygon an instance loses holes and parts; RLE keeps them.
        params["response_mask_format"] = "rle"
    return params


def _threshold(fraction: float, *, percent: bool) -> str:
    # Servers take 1 and more as percent, so that 1.0 has to be written as 100; and where only
    # percent is known, less than 1 must not be sent either.
    if percent and fraction > 0:
        return f"{max(1.0, fraction * 100):g}"
    return f"{fraction:g}" if fraction < 1 else "100"


def multipart(image: bytes, file_format: str) -> tuple[bytes, str]:
    """Body and content type of a form with one file."""
    kind = file_format.lower()
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{PART_NAME}"; filename="image.{kind}"\r\n'
        f"Content-Type: image/{kind}{_END_OF_HEAD}"
    )
    body = b"".join((head.encode(), image, _TAIL.encode()))
    return body, f"multipart/form-data; boundary={_BOUNDARY}"


def file_in(body: bytes) -> bytes:
    """The file in a form that ``multipart`` made."""
    return body[body.index(_END_OF_HEAD.encode()) + len(_END_OF_HEAD) : -len(_TAIL)]


def form_bytes(file_format: str) -> int:
    """Bytes that the form adds to a file of this format."""
    return len(multipart(b"", file_format)[0])
