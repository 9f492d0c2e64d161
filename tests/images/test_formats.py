"""Files that cannot be read are named, with the way out; no format starts another program."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from PIL import Image

from rfhosted import ImageError
from rfhosted.images.formats import explain, formats
from rfhosted.images.sources import load
from support.image_files import encoded, ftyp, plain, tiff

NAMED = {
    "heic": (ftyp(b"heic"), "HEIC", "pillow-heif"),
    "heif of several images": (ftyp(b"heix"), "HEIC", "pillow-heif"),
    "heif": (ftyp(b"mif1"), "HEIF", "pillow-heif"),
    "avif": (ftyp(b"avif"), "AVIF", "JPEG"),
    "avif under another brand": (ftyp(b"mif1") + b"avif", "AVIF|HEIF", "JPEG"),
    "jpeg xl": (b"\xff\x0a" + b"\1" * 50, "JPEG XL", "JPEG"),
    "jpeg xl in a container": (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL", "JPEG"),
    "float tiff of three bands": (tiff((np.zeros((4, 6, 3), "f4"), {})), "TIFF", "uint8"),
    "tiff of two bands": (tiff((np.zeros((4, 6, 2), "u2"), {})), "TIFF", "uint8"),
    "tiff of 32 bits a band": (tiff((np.zeros((4, 6, 3), "u4"), {})), "TIFF", "uint8"),
    "big tiff": (b"II+\0\x08\0\0\0" + b"\0" * 40, "TIFF", "uint8"),
    "canon raw": (ftyp(b"crx "), "raw", "JPEG"),
    "mp4": (ftyp(b"isom"), "video", "frame"),
    "matroska": (b"\x1a\x45\xdf\xa3" + b"\1" * 50, "video", "frame"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "PDF", "Export"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS", "Export"),
    "eps of dos": (b"\xc5\xd0\xd3\xc6" + b"\0" * 60, "EPS", "Export"),
    "wmf": (b"\xd7\xcd\xc6\x9a" + b"\0" * 60, "WMF", "Export"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG", "Export"),
    "svg with a head": (b"<?xml version='1.0'?>\n<!-- a -->\n<svg/>", "SVG", "Export"),
    "web page": (b"<!DOCTYPE html><title>Sign in</title>", "HTML", "itself"),
    "web page, small": (b"\n  <html lang=en>", "HTML", "itself"),
    "web page with a byte order mark": (b"\xef\xbb\xbf<HTML>", "HTML", "itself"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "LFS", "git lfs"),
    "zip": (b"PK\x03\x04" + b"\0" * 50, "archive", "Unpack"),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 50, "archive", "Unpack"),
    "numpy": (b"\x93NUMPY\x01\0", "numpy", "load"),
    "json": (b'{"message": "not found"}', "text", "itself"),
    "cut in its head": (encoded(plain(), "JPEG")[:5], "damaged", "again"),
    "nothing known": (b"\x81\x92\xa3" * 90, "unknown", "JPEG"),
    "zeros": (b"\0" * 4096, "unknown", "JPEG"),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_file_that_is_not_read_is_named(case) -> None:
    data, kind, advice = NAMED[case]
    with pytest.raises(ImageError, match=kind) as caught:
        load(data)
    assert advice in caught.value.advice
    assert caught.value.__context__ is None


def test_the_ending_of_a_name_decides_nothing(tmp_path) -> None:
    (tmp_path / "IMG_1.png").write_bytes(ftyp(b"heic"))
    with pytest.raises(ImageError, match="HEIC"):
        load("IMG_1.png")
    (tmp_path / "photo.txt").write_bytes(encoded(plain(), "JPEG"))
    assert load("photo.txt").format == "JPEG"


def test_no_other_program_is_started(monkeypatch) -> None:
    def started(*_, **__):
        raise AssertionError("a program was started")

    for name in ("Popen", "check_call", "call", "run"):
        monkeypatch.setattr(subprocess, name, started)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"
    inside_iptc = b"\x1c\x03\x3c\0\1\0" + b"\x1c\x08\x0a\0" + bytes([len(eps)]) + eps
    for data in (eps, b"\xc5\xd0\xd3\xc6" + b"\x1e\0\0\0" + eps, inside_iptc):
        with pytest.raises(ImageError):
            load(data).full  # noqa: B018 - decoding is the point
    assert not {"EPS", "IPTC", "WMF", "MPEG", "GRIB", "HDF5"} & set(formats(b"anything"))


def test_a_format_of_a_plug_in_is_opened_once_it_is_registered(monkeypatch) -> None:
    data = ftyp(b"heic")
    Image.init()
    for registry in ("OPEN", "ID"):
        monkeypatch.setattr(
            Image, registry, type(getattr(Image, registry))(getattr(Image, registry))
        )
    Image.register_open("HEIF", lambda file, name: plain(), lambda head: b"ftypheic" in head)
    assert load(data).size == (64, 48)


@pytest.mark.parametrize("error", [RuntimeError("a" * 5000), NotImplementedError(), MemoryError()])
def test_any_error_of_a_decoder_has_few_words(error) -> None:
    explained = explain(error)
    assert isinstance(explained, ImageError)
    assert len(str(explained)) < 400
    assert type(error).__name__ in str(explained) or "aaa" in str(explained)
