"""What is sent is what is shown: of any depth, page or frame. A decoder decides what is truncated."""

from __future__ import annotations

import concurrent.futures
import io
import os
import signal
import struct
import threading
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from rfhosted import ImageError
from rfhosted.images import decoding
from rfhosted.images.sources import SourceImage, load
from rfhosted.images.upload import fit
from support.image_files import (
    BLUE,
    RED,
    after_head,
    animated,
    chunk,
    encoded,
    grey,
    photo,
    plain,
    png,
    tiff,
    turned,
)

BOMB = png(60_000, 60_000)


def sent(image: SourceImage) -> np.ndarray:
    """What a server with OpenCV sees of the upload, RGB."""
    file, _ = fit(image, None, budget=10_000_000, overhead=0)
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def assert_sent_as_shown(image: SourceImage, tolerance: float = 3) -> None:
    shown, seen = np.asarray(image.full, float), sent(image)
    assert shown.shape == seen.shape
    assert np.abs(shown - seen).mean() <= tolerance


# 16 and 32 bits


def ramp(most: int, kind: str, rows: int = 40) -> np.ndarray:
    return np.tile(np.linspace(0, most, 60), (rows, 1)).astype(kind)


DEEP = {
    "counts of 32 bits": (tiff((grey(ramp(199, "i4")), {})), 199),
    "counts of 32 bits, unsigned": (tiff((grey(ramp(70_000, "u4")), {})), 70_000),
    "12 bits in a TIFF": (encoded(Image.fromarray(ramp(4095, "u2")), "TIFF"), 4095),
    "12 bits, uncompressed": (tiff((grey(ramp(4095, "u2")), {})), 4095),
    "12 bits in a PNG": (encoded(Image.fromarray(ramp(4095, "u2")), "PNG"), 4095),
    "16 bits": (encoded(Image.fromarray(ramp(65535, "u2")), "PNG"), 65535),
    "values of a few bits": (encoded(Image.fromarray(ramp(100, "u2")), "PNG"), 100),
    "signed values": (tiff((grey(ramp(30_000, "i2")), {})), 30_000),
    "values below zero": (tiff((grey(ramp(500, "i4") - 100), {})), 400),
    "colours of 12 bits in a TIFF": (tiff((np.stack([ramp(4095, "u2")] * 3, 2), {})), 4095),
    "colours of 12 bits in a PNG": (
        cv2.imencode(".png", np.stack([ramp(4095, "u2")] * 3, 2))[1].tobytes(),
        4095,
    ),
    "with transparency": (
        cv2.imencode(".png", np.stack([ramp(900, "u2")] * 3 + [ramp(65535, "u2")], 2))[1].tobytes(),
        900,
    ),
}


@pytest.mark.parametrize("case", DEEP)
def test_small_values_of_many_bits_are_not_black(case) -> None:
    data, most = DEEP[case]
    image = load(data)
    scale = 2 ** max(most.bit_length() - 8, 0)
    top = np.asarray(image.full).max()
    assert top == most // scale
    assert top > (90 if most < 256 else 127)
    assert image.sent_as is None
    assert_sent_as_shown(image)
    assert "8" in fit(image, 30, budget=10**6, overhead=0)[1].changes


@pytest.mark.parametrize("kind", ["u2", "i4"])
def test_pixels_of_many_bits_as_a_pil_image(kind) -> None:
    image = load(Image.fromarray(ramp(4095, kind)))
    assert np.asarray(image.full).max() == 255
    assert image.changes
    assert_sent_as_shown(image)


def test_the_colours_of_a_deep_image_stay_apart_and_upright() -> None:
    values = np.zeros((40, 60, 3), "u2")
    values[:20, :30] = (700, 0, 0)
    values[20:, 30:] = (0, 0, 600)
    for orientation in range(1, 9):
        deep = load(tiff((values, {274: orientation})))
        flat = load(tiff(((values >> 2).astype("u1"), {274: orientation})))
        assert np.array_equal(np.asarray(deep.full), np.asarray(flat.full))
        assert_sent_as_shown(deep, 6)  # a JPEG halves the colours' resolution


def test_floating_point_values_are_refused_with_the_way_out() -> None:
    for image in (Image.new("F", (3, 3)), encoded(Image.new("F", (3, 3)), "TIFF")):
        with pytest.raises(ImageError, match="floating-point") as caught:
            load(image).full  # noqa: B018 - decoding is the point
        assert "uint8" in caught.value.advice


# Several images in one file


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_is_sent_and_shown(kind) -> None:
    image = load(animated(kind, RED, BLUE, "lime"))
    file, upload = fit(image, None, budget=10**6, overhead=0)
    with Image.open(io.BytesIO(file)) as still:
        assert getattr(still, "n_frames", 1) == 1
        assert still.convert("RGB").getpixel((9, 9)) == pytest.approx(RED, abs=4)
    assert image.full.getpixel((9, 9)) == pytest.approx(RED, abs=4)
    assert "first of several images" in upload.changes


def test_an_apng_with_an_image_of_its_own_for_those_who_do_not_know_it() -> None:
    frames = [plain(BLUE), plain("lime")]
    data = encoded(plain(), "PNG", save_all=True, append_images=frames, default_image=True)
    image = load(data)
    assert image.full.getpixel((9, 9)) == RED
    assert_sent_as_shown(image)


def test_an_animation_of_one_frame_is_a_still_image() -> None:
    data = encoded(plain(), "PNG")
    assert load(data).sent_as == "PNG"
    assert load(encoded(plain(), "WEBP")).sent_as == "WEBP"
    mpo = encoded(plain(), "MPO", save_all=True, append_images=[plain(BLUE)])
    image = load(mpo)
    assert (image.format, image.sent_as, image.changes) == ("MPO", "JPEG", ())
    assert_sent_as_shown(image)


def test_a_frame_that_the_caller_chose_is_the_one_that_is_meant() -> None:
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        with Image.open(io.BytesIO(animated(kind, RED, BLUE))) as opened:
            opened.seek(1)
            assert load(opened).full.getpixel((9, 9)) == pytest.approx(BLUE, abs=4)


SMALL, LARGE = np.full((12, 16, 3), BLUE, "u1"), np.full((120, 160, 3), RED, "u1")
PAGES = {
    "a thumbnail, the image in a sub-directory": (
        tiff((SMALL, {254: 1, 330: 0}), (LARGE, {254: 0}), sub=True),
        RED,
    ),
    "a thumbnail, the image on the next page": (tiff((SMALL, {254: 1}), (LARGE, {254: 0})), RED),
    "a thumbnail, the page without a type": (tiff((SMALL, {254: 1}), (LARGE, {})), RED),
    "the image, then a thumbnail": (tiff((LARGE, {}), (SMALL, {254: 1})), RED),
    "two thumbnails, then the image": (
        tiff((SMALL, {254: 1}), (SMALL, {254: 1}), (LARGE, {254: 0})),
        RED,
    ),
    "the largest of several": (
        tiff((SMALL, {254: 1}), (SMALL, {254: 0}), (LARGE, {254: 0})),
        RED,
    ),
    "a small first page that is no thumbnail": (tiff((SMALL, {254: 0}), (LARGE, {254: 0})), BLUE),
    "nothing but thumbnails": (tiff((SMALL, {254: 1}), (LARGE, {254: 1})), BLUE),
}


@pytest.mark.parametrize("case", PAGES)
def test_of_the_pages_of_a_tiff_the_image_is_read_and_not_its_thumbnail(case) -> None:
    data, colour = PAGES[case]
    image = load(data)
    assert image.size == ((160, 120) if colour == RED else (16, 12))
    assert image.full.getpixel((9, 9)) == colour
    assert_sent_as_shown(image)


def test_a_deep_image_behind_a_thumbnail() -> None:
    data = tiff((SMALL, {254: 1}), (np.full((120, 160, 3), (700, 0, 0), "u2"), {254: 0}))
    assert load(data).full.getpixel((9, 9)) == (175, 0, 0)


def test_raw_data_behind_a_thumbnail_is_named() -> None:
    sensor = grey(np.zeros((120, 160), "u2"))
    data = tiff((SMALL, {254: 1, 330: 0}), (sensor, {254: 0, 262: 32803}), sub=True)
    with pytest.raises(ImageError, match="raw") as caught:
        load(data)
    assert "JPEG" in caught.value.advice


def test_directories_that_lead_to_themselves_end() -> None:
    data = bytearray(tiff((SMALL, {254: 1}), (LARGE, {254: 1})))
    (first,) = struct.unpack("<L", data[4:8])
    data[-4:] = struct.pack("<L", first)
    assert load(bytes(data)).size == (16, 12)


# Truncated or not


JPEG, PNG = encoded(photo(64, 48), "JPEG", quality=95), encoded(photo(64, 48))


def comment(length: int, body: bytes) -> bytes:
    return b"\xff\xfe" + struct.pack(">H", length) + body


WHOLE = {
    "stray bytes between segments": after_head(JPEG, b"abc"),
    "many stray bytes": after_head(JPEG, b"\0" * 100),
    "a marker padded with 0xFF": after_head(JPEG, b"\xff\xff\xff"),
    "a marker padded with zeros": after_head(JPEG, b"\0\0"),
    "an escaped 0xFF in the header": after_head(JPEG, b"\xff\0ab\xff\0"),
    "a comment longer than it says": after_head(JPEG, comment(5, b"hello, world")),
    "a comment of no length": after_head(JPEG, comment(0, b"")),
    "zeros after a JPEG": JPEG + b"\0" * 9000,
    "text after a JPEG": JPEG + b"text" * 3000,
    "a video after a JPEG": JPEG + b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40,
    "half a JPEG after a JPEG": JPEG + JPEG[:300],
    "damaged EXIF": JPEG[:2] + b"\xff\xe1\0\x14Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0" + JPEG[2:],
    "zeros after a PNG": PNG + b"\0" * 8192,
    "text after a PNG": PNG + b"text" * 3000,
    "a wrong checksum of a text": after_head(PNG, chunk(b"tEXt", b"a\0b", b"\0" * 4)),
    "a damaged profile": after_head(PNG, chunk(b"iCCP", b"x\0\0junk")),
    "a private chunk": after_head(PNG, chunk(b"prVt", b"x" * 50)),
    "damaged EXIF in a PNG": after_head(PNG, chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff")),
    "bytes after a WebP": encoded(photo(64, 48), "WEBP", lossless=True) + b"\0" * 99,
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_decoders_read_is_not_called_truncated(case) -> None:
    image = load(WHOLE[case])
    assert image.size == (64, 48)
    expected = np.asarray(photo(64, 48), float)
    assert np.abs(np.asarray(image.full, float) - expected).mean() < 8
    assert_sent_as_shown(image)


CUT = {
    **{f"a JPEG less {n} bytes": JPEG[:-n] for n in (3, 40, 400, len(JPEG) // 2)},
    "with stray bytes": after_head(JPEG, b"abc")[:-40],
    "an end marker in the metadata only": encoded(
        plain(), "JPEG", exif=turned(1).tobytes() + b"\xff\xd9"
    )[:-300],
    **{f"a PNG less {n} bytes": PNG[:-n] for n in (1, 4, 12, 16, 100, len(PNG) // 2)},
    "a PNG cut, and zeros": PNG[:-100] + b"\0" * 200,
    "half a WebP": encoded(photo(64, 48), "WEBP")[:-20],
    "half a GIF": encoded(photo(64, 48), "GIF")[:-800],
    "half a TIFF": encoded(photo(64, 48), "TIFF", compression="tiff_lzw")[:-900],
    "half a BMP": encoded(photo(64, 48), "BMP")[:-900],
}


@pytest.mark.parametrize("case", CUT)
def test_what_is_cut_off_is_refused(case) -> None:
    with pytest.raises(ImageError) as caught:
        load(CUT[case]).full  # noqa: B018 - decoding is the point
    assert caught.value.__context__ is None


def test_a_chunk_may_claim_any_length() -> None:
    data = after_head(PNG, b"\xff\xff\xff\xf0tEXt")  # OpenCV would allocate 4 GB for it
    with pytest.raises(ImageError):
        load(data)


# Decoders that raise or warn


def test_other_errors_of_decoders_are_image_errors(monkeypatch) -> None:
    avif = bytearray(encoded(photo(96, 64), "AVIF"))
    at = avif.index(b"mdat") + 4
    avif[at : at + 24] = b"\xff" * 24
    dds = struct.pack("<4s7I44x8I", b"DDS ", 124, 0x1007, 4, 4, *[0] * 3, 32, 8, *[0] * 6)
    icns = b"icns\0\0\0\x20ic07\0\0\0\x18" + b"\xff" * 16
    for data in (bytes(avif), dds + b"\0" * 64, icns):
        with pytest.raises(ImageError):
            load(data).full  # noqa: B018 - decoding is the point

    def odd(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile._open", odd)
    with pytest.raises(ImageError, match="ZeroDivisionError"):
        load(PNG[:40])


def test_sizes_near_the_limit_warn_nobody(monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in (JPEG, PNG):
            image = load(data)  # 3,072 pixels: Pillow warns of them, and refuses twice the limit
            assert image.full.size == (64, 48)
    with pytest.raises(ImageError, match="bomb"):
        load(encoded(plain(size=(80, 60))))


def test_a_bomb_is_refused_undecoded() -> None:
    with pytest.raises(ImageError, match="bomb"):
        load(BOMB)
    with pytest.raises(ImageError):
        load(png(60_000, 60_000, chunk(b"tEXt", b"a\0b", b"\0" * 4)))


def test_threads_leave_the_warning_filters_as_they_were() -> None:
    before = list(warnings.filters)
    files = [PNG, JPEG, encoded(photo(64, 48), "GIF")] * 20
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sizes = {image.full.size for image in pool.map(load, files)}
    assert sizes == {(64, 48)}
    assert warnings.filters == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_forked_while_an_image_was_opened_opens_images() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with decoding.quiet():
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12 warns of a fork beside threads
            child = os.fork()
        if not child:
            signal.alarm(30)
            os._exit(load(PNG).size != (64, 48))
        assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()
