"""All kinds of images are seen the way the server sees them; broken ones are refused with the reason."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from rfhosted import ImageError
from rfhosted.images.sources import load
from support.image_files import encoded, photo, plain, turned

SCENE = ("scene.jpg", "scene.png", "scene.webp", "gray.png", "rgba.png", "exif6.jpg", "ring.png")


def by_the_server(data: bytes) -> np.ndarray:
    """As the real server decodes: OpenCV, turned upright, alpha dropped, 8 bits."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def close(ours: Image.Image, theirs: np.ndarray, tolerance: float = 1.0) -> bool:
    return np.abs(np.asarray(ours).astype(int) - theirs.astype(int)).mean() <= tolerance


def corners(width=64, height=40) -> Image.Image:
    """A red top-left corner distinguishes every turn from every other."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = (255, 0, 0)
    array[: height // 2, width // 2 :] = (0, 255, 0)
    return Image.fromarray(array)


@pytest.mark.parametrize("name", SCENE)
def test_files_are_seen_as_the_server_sees_them(images, name) -> None:
    data = (images / name).read_bytes()
    image = load(images / name)
    theirs = by_the_server(data)
    assert image.size == theirs.shape[1::-1]
    assert image.full.mode == "RGB"
    assert close(image.full, theirs)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_orientations(orientation, kind) -> None:
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    data = encoded(corners(), kind, exif=turned(orientation), **options)
    image = load(data)
    assert image.size == ((40, 64) if orientation > 4 else (64, 40))
    if kind in ("JPEG", "PNG"):  # OpenCV does not turn WebP, which is sent upright instead
        assert close(image.full, by_the_server(data), 3)
    file = io.BytesIO(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGB"))
    assert close(image.full, expected, 3)
    opened = Image.open(io.BytesIO(data))
    assert load(opened).size == image.size
    opened.load()
    assert np.array_equal(np.asarray(load(opened).full), np.asarray(image.full))


MODES = (
    *("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I"),
    *("PA", "La", "RGBa", "HSV", "LAB"),
)


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_pil(mode) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 4), 40000, np.uint16))
    elif mode == "I":
        image = Image.fromarray(np.full((4, 4), 40000, np.int32))
    elif mode == "La":
        image = Image.new("LA", (4, 4)).convert("La")
    else:
        source = Image.new("RGBA", (4, 4), (200, 10, 10, 255))
        via = {"LA": "L", "PA": "P", "LAB": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
        image = (
            Image.new("LAB", (4, 4))
            if mode == "LAB"
            else source.convert(via.get(mode, "RGBA")).convert(mode)
        )
    loaded = load(image)
    assert loaded.full.mode == "RGB"
    if mode in ("I;16", "I"):
        assert loaded.full.getpixel((0, 0)) == (156,) * 3  # as the server: the high byte


def test_16_bit_png_is_cut_to_its_high_byte() -> None:
    data = encoded(Image.fromarray(np.full((4, 4), 40000, np.uint16)), "PNG")
    assert load(data).full.getpixel((1, 1)) == (156, 156, 156)
    assert by_the_server(data)[1, 1].tolist() == [156, 156, 156]


def test_transparency_is_dropped_not_composited() -> None:
    for image in (
        Image.new("RGBA", (4, 4), (255, 0, 0, 0)),
        Image.new("RGBA", (4, 4), (255, 0, 0, 0)).quantize(4),
    ):
        assert load(encoded(image, "PNG")).full.getpixel((0, 0)) == (255, 0, 0)


def test_a_palette_with_transparency_warns_nobody() -> None:
    image = Image.new("P", (4, 4))
    image.putpalette([255, 0, 0, 0, 255, 0])
    data = encoded(image, "PNG", transparency=b"\x00\x80")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(data).full.getpixel((0, 0)) == (255, 0, 0)


def test_cmyk_jpeg_is_near_what_the_server_sees() -> None:
    data = encoded(corners().convert("CMYK"), "JPEG", quality=95)
    assert close(load(data).full, by_the_server(data), 8)


def test_arrays_are_rgb_uint8_and_copied() -> None:
    array = np.zeros((4, 6, 3), np.uint8)
    array[..., 0] = 255
    image = load(array)
    array[:] = 7
    assert image.size == (6, 4)
    assert image.full.getpixel((0, 0)) == (255, 0, 0)
    assert load(array[:, ::-1, ::-1]).full.getpixel((0, 0)) == (7, 7, 7)  # need not be contiguous


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16", "int64", "bool"])
def test_arrays_of_another_dtype_are_refused(dtype) -> None:
    with pytest.raises(TypeError, match=dtype):
        load(np.zeros((4, 4, 3), dtype))


@pytest.mark.parametrize(
    "shape", [(4, 4), (4, 4, 1), (4, 4, 4), (3, 4, 4), (0, 4, 3), (1, 4, 4, 3)]
)
def test_arrays_of_another_shape_are_refused(shape) -> None:
    with pytest.raises(ValueError, match="shape"):
        load(np.zeros(shape, np.uint8))


BROKEN = {
    "no/such/file.jpg": "No such file",
    "empty.bin": "empty",
    "text.txt": "text",
    "corrupt.jpg": "damaged|decoded|truncated",
    "truncated.jpg": "truncated",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_why(images, name) -> None:
    with pytest.raises(ImageError, match=BROKEN[name]) as caught:
        load(images / name).full  # noqa: B018 - decoding is the point
    assert caught.value.advice
    assert caught.value.__context__ is None


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_an_image_without_pixels_is_refused(size) -> None:
    with pytest.raises(ImageError, match="no pixels"):
        load(Image.new("RGB", size))


def test_every_input_kind_gives_the_same_image(images) -> None:
    path = images / "scene.png"
    data = path.read_bytes()
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    opened = Image.open(path)
    kinds = (
        str(path),
        path,
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        uri,
        opened,
    )
    for image in kinds:
        assert load(image).data == data
    opened.load()
    for pixels in (opened, np.asarray(opened)):
        assert np.array_equal(np.asarray(load(pixels).full), np.asarray(load(path).full))
    assert load(load(path)).data == data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("how", ["with", "close", "the file was closed"])
def test_a_closed_pil_image_says_so(tmp_path, kind, how) -> None:
    path = tmp_path / "image"
    path.write_bytes(encoded(plain(), kind))
    if how == "the file was closed":
        with path.open("rb") as file:
            image = Image.open(file)
    elif how == "with":
        with Image.open(path) as image:
            pass
    else:
        image = Image.open(path)
        image.load()
        image.close()
    try:
        loaded = load(image)
    except ImageError as error:
        assert "closed" in str(error)  # noqa: PT017 - some decoders keep the whole file
        assert error.__context__ is None  # noqa: PT017
    else:
        assert loaded.full.getpixel((9, 9)) == pytest.approx((200, 30, 30), abs=4)


def test_a_pil_image_of_a_broken_file_says_why() -> None:
    cut = Image.open(io.BytesIO(encoded(photo(64, 48), "JPEG")[:-400]))
    with pytest.raises(ImageError, match="truncated"):
        load(cut)


def test_an_opened_file_that_was_changed_is_taken_as_it_is_now(images) -> None:
    image = Image.open(images / "scene.jpg")
    image.paste((1, 2, 3), (0, 0, 640, 480))
    assert load(image).full.getpixel((5, 5)) == (1, 2, 3)
    drafted = Image.open(images / "scene.jpg")
    drafted.draft("RGB", (320, 240))
    assert load(drafted).size == (320, 240)


def test_looking_at_a_file_does_not_decode_it(images, monkeypatch) -> None:
    def decoded(*args):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    for name in ("scene.jpg", "scene.png", "scene.webp", "exif6.jpg"):
        assert load(images / name).size in ((640, 480), (480, 640))


def test_scaling_is_antialiased() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    for image in (load(stripes), load(encoded(Image.fromarray(stripes), "JPEG", quality=95))):
        for size in ((100, 100), (200, 200), (150, 150)):
            small = np.asarray(image.at(size))
            assert abs(int(small.mean()) - 127) < 4
            assert small.std() < 10 if 400 % size[0] == 0 else small.std() < 60


@pytest.mark.parametrize("parts", [1, 1.15, 2.5, 7, 13])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_scaled_and_turned_as_pillow_would(images, orientation, parts) -> None:
    source = Image.open(images / "coffee.jpg").convert("RGB").resize((611, 403))
    data = encoded(source, "JPEG", quality=95, exif=turned(orientation))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    size = tuple(round(side / parts) for side in upright.size)
    wanted = np.asarray(upright.resize(size, Image.Resampling.BOX), float)
    image = load(data)
    for made in (Image.open(io.BytesIO(image.jpeg(size, 95))), image.at(size)):
        assert (made.size, made.mode) == (size, "RGB")
        assert (
            np.abs(np.asarray(made, float) - wanted).mean() < 10
        )  # chroma is halved; turned wrongly: over 40


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("parts", [2, 4, 8])
def test_a_jpeg_of_an_exact_multiple_is_decoded_at_scale(monkeypatch, orientation, parts) -> None:
    data = encoded(photo(640, 480), "JPEG", quality=95, exif=turned(orientation))
    image = load(data)
    size = tuple(side // parts for side in image.size)
    expected = image.full.resize(size, Image.Resampling.BOX)
    monkeypatch.setattr(cv2, "resize", None)  # nothing is left for it to do
    scaled = load(data).at(size)
    assert scaled.size == size
    assert close(scaled, np.asarray(expected), 6)


@pytest.mark.parametrize(
    "size", [(1501, 1199), (900, 719), (640, 511), (64, 51), (7, 5), (1500, 5)]
)
def test_a_large_image_is_scaled_alike(monkeypatch, size) -> None:
    image = load(encoded(photo(120, 96).resize((1501, 1199))))
    expected = np.asarray(image.at(size))
    monkeypatch.setattr("rfhosted.images.sources._LARGE", 1000)
    made = load(image.data).at(size)
    assert made.size == size
    assert close(made, expected, 8)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_a_jpeg_of_other_colours_is_scaled_to_what_is_shown(images, mode) -> None:
    image = load(encoded(Image.open(images / "coffee.jpg").convert(mode), "JPEG", quality=95))
    sent = Image.open(io.BytesIO(image.jpeg((200, 133), 95)))
    shown = image.full.resize((200, 133), Image.Resampling.BOX)
    assert close(sent, np.asarray(shown), 4)


def test_a_jpeg_that_opencv_cannot_decode_is_explained_by_pillow(images) -> None:
    data = bytearray((images / "scene.jpg").read_bytes())
    at = data.index(b"\xff\xc4")
    data[at + 4 : at + 24] = b"\xff" * 20  # no Huffman table has so many codes
    with pytest.raises(ImageError):
        load(bytes(data)).jpeg((100, 75), 85)


def test_another_thread_may_want_another_size_meanwhile(images) -> None:
    class Emptied(dict):  # by that thread, as soon as something is in it
        def __setitem__(self, size, pixels) -> None:
            super().__setitem__(size, pixels)
            self.clear()

    image = replace(load(images / "cat.jpg"), _scaled=Emptied())
    assert image.at((40, 30)).size == (40, 30)
