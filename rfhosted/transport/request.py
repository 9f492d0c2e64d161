"""A call as a request: a plain value that can be looked at, compared and sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from rfhosted.hosted import ApiVersion

# One fixed boundary makes equal pictures equal requests; 128 random bits are in no picture.
_BOUNDARY = "rfhosted-0b6ff0f0a7c94d0c8f6be5b1a3d9c27e"
_END_OF_HEAD, _TAIL = "\r\n\r\n", f"\r\n--{_BOUNDARY}--\r\n"
PART_NAME = "file"  # the server takes no other


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the legacy image route, ``POST {host}/{a}/{b}``; the key is not in it."""

    url: str
    params: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    key_in_header: bool = False
    api_version: ApiVersion = ApiVersion.V2
    method: str = "POST"


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


#: Bytes that the form adds to a file, at most.
FORM_BYTES = len(multipart(b"", "JPEG")[0])
