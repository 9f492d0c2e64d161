"""Image files of many kinds, made in memory."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

RED, BLUE = (200, 30, 30), (30, 30, 200)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(colour=RED, size=(64, 48)) -> Image.Image:
    return Image.new("RGB", size, colour)


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth noise: it compresses as photos do."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (max(2, height // 8), max(2, width // 8), 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def animated(kind: str, *colours, **options) -> bytes:
    """An animation whose frames have these colours."""
    first, *others = [plain(colour) for colour in colours]
    return encoded(first, kind, save_all=True, append_images=others, duration=100, **options)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(kind: bytes, body: bytes, checksum: bytes | None = None) -> bytes:
    """A chunk of a PNG."""
    crc = struct.pack(">I", zlib.crc32(kind + body)) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + crc


def png(width: int, height: int, *more: bytes, depth: int = 8, pixels: bytes = b"") -> bytes:
    """A grey PNG; without pixels it is as large as it claims only on paper."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    parts = (head, *more, chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def after_head(data: bytes, junk: bytes) -> bytes:
    """A JPEG with bytes before its first table, a PNG with them after its header."""
    at = data.index(b"\xff\xdb") if data.startswith(b"\xff\xd8") else 33
    return data[:at] + junk + data[at:]


def tiff(*pages: tuple[np.ndarray, dict[int, int]], sub: bool = False) -> bytes:
    """Uncompressed pages, arrays of height x width x bands, each with further tags.

    Args:
        pages: In their order.
        sub: The second page is a sub-directory of the first, as in raw photos.
    """
    body, places = b"", []
    for values, _ in pages:
        places.append(8 + len(body))
        body += values.tobytes()
    at = 8 + len(body)
    lengths = [len(_directory(values, 0, more, 0, 0)) for values, more in pages]
    starts = [at + sum(lengths[:i]) for i in range(len(pages))]
    directories = b""
    for i, (values, more) in enumerate(pages):
        following = starts[i + 1] if i + 1 < len(pages) else 0
        tags = dict(more)
        if 330 in tags:
            tags[330] = following
        next_page = 0 if sub else following
        directories += _directory(values, places[i], tags, starts[i], next_page)
    return b"II*\0" + struct.pack("<L", at) + body + directories


def _directory(values, place, more, at, following) -> bytes:
    height, width, bands = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {256: width, 257: height, 258: [values.itemsize * 8] * bands, 259: 1}
    tags |= {262: 2 if bands >= 3 else 1, 273: place, 277: bands, 278: height}
    tags |= {279: values.nbytes, 284: 1, 339: [kind] * bands}
    if bands > 3:
        tags[338] = [0] * (bands - 3)
    entries, extra = struct.pack("<H", len(tags | more)), b""
    end = at + 2 + 12 * len(tags | more) + 4
    for tag, value in sorted((tags | more).items()):
        items = value if isinstance(value, list) else [value]
        code, size = ("H", 2) if isinstance(value, list) else ("L", 4)
        raw = struct.pack(f"<{len(items)}{code}", *items)
        entries += struct.pack("<HHL", tag, 3 if size == 2 else 4, len(items))
        if len(raw) > 4:
            entries += struct.pack("<L", end + len(extra))
            extra += raw
        else:
            entries += raw.ljust(4, b"\0")
    return entries + struct.pack("<L", following) + extra


def grey(values) -> np.ndarray:
    """One band, for ``tiff``."""
    return np.asarray(values)[:, :, None]


def ftyp(brand: bytes) -> bytes:
    """The beginning of an ISO media file: HEIC, AVIF, MP4."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + b"\0" * 64
