"""Which file formats are opened, and what to say about the files that cannot be."""

from __future__ import annotations

import re

from PIL import Image, UnidentifiedImageError

from rfhosted.errors import ImageError
from rfhosted.outputs.text import one_line

#: Formats that are decoded within this process, by Pillow's names. EPS starts Ghostscript, IPTC
#: opens whatever it contains, WMF and others need a program: left out. HEIF and JXL are plug-ins.
_OPENED = re.compile(
    "AVIF|BLP|BMP|CUR|DCX|DDS|DIB|FITS|FLI|FTEX|GBR|GIF|HEIF|ICNS|ICO|IM|IMT|JPEG|JPEG2000|JXL|MCIDAS"
    "|MSP|PCD|PCX|PIXAR|PNG|PPM|PSD|QOI|SGI|SPIDER|SUN|TGA|TIFF|WEBP|XBM|XPM|XVTHUMB"
)
_AS_JPEG = "Export it as JPEG or PNG."
_ITSELF = "Pass the address or the path of the image file itself."
_AGAIN = "Copy or download the file again."
_TRUNCATED = "The image file is truncated: its end is missing"
_TIFF = "a TIFF that cannot be read: floating-point values, many bands, or a camera's raw data"
_TIFF_ADVICE = "Export raw photos as JPEG; of others pass three bands as an array of uint8, RGB."
_HEIF_ADVICE = "Call pillow_heif.register_heif_opener() of pillow-heif, or export it as JPEG."
_LFS = "a Git LFS pointer: the image itself has not been downloaded"
#: How a file begins, what it is then, and the next step; the first that matches counts.
_KINDS = (
    (rb".{4}ftyp(?=.{0,60}avi[fs])", "an AVIF image that cannot be read", _AS_JPEG),
    (rb".{4}ftyp(hei|hev|mif1|msf1)", "a HEIC (HEIF) photo", _HEIF_ADVICE),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image", _AS_JPEG),
    (rb"II[*+]\0|MM\0[*+]", _TIFF, _TIFF_ADVICE),
    (rb".{4}ftypcrx|FUJIFILMCCD-RAW", "the raw file of a camera", _AS_JPEG),
    (rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}AVI ", "a video", "Save one of its frames as an image."),
    (rb"\s*%PDF", "a PDF document", _AS_JPEG),
    (rb"%!PS|\xc5\xd0\xd3\xc6|\xd7\xcd\xc6\x9a", "a vector graphic (EPS, WMF)", _AS_JPEG),
    (rb"\s*(<\?xml.*)?<svg", "a vector graphic (SVG)", _AS_JPEG),
    (rb"version https://git-lfs", _LFS, "Run git lfs pull."),
    (rb"\s*<(!--|!doctype html|html|head|body|script|title)", "a web page (HTML)", _ITSELF),
    (rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf", "an archive", "Unpack it first."),
    (rb"\x93NUMPY", "a numpy file", "Pass numpy.load(path)."),
    (rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF.{4}WEBP", "an image, but its first part is damaged", _AGAIN),
    (rb"[\t\n\r -~]{4,}\Z", "text", _ITSELF),
)


def formats(data: bytes) -> list[str]:
    """The formats to try on a file, for ``Image.open``."""
    if data.startswith((b"\xff\xd8", b"\x89PNG")):
        return ["JPEG", "PNG"]  # to know the others, Pillow loads every plug-in: 50 ms, once
    Image.init()
    return [name for name in Image.ID if _OPENED.fullmatch(name)]


def explain(error: Exception, data: bytes = b"") -> ImageError:
    """What is wrong with an image, from a decoder's error and the file's first bytes.

    Args:
        error: What a decoder raised.
        data: The file, where there is one.
    """
    words = one_line(str(error), 200) or type(error).__name__
    if isinstance(error, ImageError):
        found = error
    elif isinstance(error, Image.DecompressionBombError):
        found = ImageError(
            "The image has too many pixels to be decoded safely (a decompression bomb?)",
            advice="Scale it down first, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it.",
        )
    elif isinstance(error, UnidentifiedImageError):
        found = _unreadable(data)
    elif "truncated" in words.lower():
        found = ImageError(_TRUNCATED, advice=_AGAIN)
    else:
        found = ImageError(f"The image cannot be decoded: {words}")
    return found


def _unreadable(data: bytes) -> ImageError:
    head = data[:512].removeprefix(b"\xef\xbb\xbf")
    for start, kind, advice in _KINDS:
        if re.match(start, head, re.DOTALL | re.IGNORECASE):
            return ImageError(f"The file cannot be read as an image: it is {kind}", advice=advice)
    return ImageError("The file is not an image, or of an unknown format")
