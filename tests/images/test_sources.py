"""All kinds of images are seen the way the server sees them; broken ones are refused with the reason."""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from rfhosted import ImageError, sample, sample_names
from rfhosted.images.sources import is_url, load

SCENE = ("scene.jpg", "scene.png", "scene.webp", "gray.png", "rgba.png", "exif6.jpg", "ring.png")


def by_the_server(data: bytes) -> np.ndarray:
    """As the real server decodes: OpenCV, turned upright, alpha dropped, 8 bits."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def close(ours: Image.Image, theirs: np.ndarray, tolerance: float = 1.0) -> bool:
    return np.abs(np.asarray(ours).astype(int) - theirs.astype(int)).mean() <= tolerance


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corner_picture(width=64, height=40) -> Image.Image:
    """A red top-left corner tells every turn from every other."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = (255, 0, 0)
    array[: height // 2, width // 2 :] = (0, 255, 0)
    return Image.fromarray(array)


@pytest.mark.parametrize("name", SCENE)
def test_files_are_seen_as_the_server_sees_them(images, name) -> None:
    data = (images / name).read_bytes()
    picture = load(images / name)
    theirs = by_the_server(data)
    assert picture.size == theirs.shape[1::-1]
    assert picture.full.mode == "RGB"
    assert close(picture.full, theirs)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_all_orientations(orientation, kind) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(corner_picture(), kind, exif=exif, **({} if kind == "PNG" else {"quality": 95}))
    picture = load(data)
    assert picture.size == ((40, 64) if orientation > 4 else (64, 40))
    if kind != "WEBP":  # OpenCV does not turn WebP: it is sent upright by us
        assert close(picture.full, by_the_server(data), 3)
    expected = load(encoded(corner_picture(), "PNG")).full
    turned = Image.open(io.BytesIO(data))
    opened = load(turned)
    assert opened.size == picture.size
    turned.load()
    assert np.array_equal(np.asarray(load(turned).full), np.asarray(picture.full))
    if orientation == 1:
        assert close(picture.full, np.asarray(expected), 3)


MODES = [
    "1",
    "L",
    "LA",
    "P",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "I;16",
    "I",
    "PA",
    "La",
    "RGBa",
    "HSV",
    "LAB",
]


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
    picture = load(image)
    assert picture.full.mode == "RGB"
    if mode in ("I;16", "I"):
        assert picture.full.getpixel((0, 0)) == (156,) * 3  # as the server: the high byte


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
    data = encoded(corner_picture().convert("CMYK"), "JPEG", quality=95)
    assert close(load(data).full, by_the_server(data), 8)


def test_the_first_frame_of_a_gif_and_of_a_webp() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        assert load(data).full.getpixel((0, 0)) == pytest.approx((255, 0, 0), abs=3)
    opened = Image.open(
        io.BytesIO(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    )
    opened.seek(1)  # a frame that the caller chose is the one that is meant
    assert load(opened).full.getpixel((0, 0)) == (0, 0, 255)


def test_arrays_are_rgb_uint8_and_copied() -> None:
    array = np.zeros((4, 6, 3), np.uint8)
    array[..., 0] = 255
    picture = load(array)
    array[:] = 7
    assert picture.size == (6, 4)
    assert picture.full.getpixel((0, 0)) == (255, 0, 0)
    assert load(array[:, ::-1, ::-1]).full.getpixel((0, 0)) == (7, 7, 7)  # no contiguity asked for


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


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb() -> bytes:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def broken(images) -> dict[str, tuple[object, str]]:
    jpeg = (images / "scene.jpg").read_bytes()
    png = (images / "scene.png").read_bytes()
    webp = (images / "scene.webp").read_bytes()
    gif = (images / "scene.gif").read_bytes()
    thumb = Image.Exif()
    with_end_in_exif = encoded(corner_picture(), "JPEG", exif=thumb.tobytes() + b"\xff\xd9")
    return {
        "missing": ("no/such/file.jpg", "No such file"),
        "folder": (images, "directory"),
        "null": ("a\0b.jpg", "cannot be read"),
        "empty": (images / "empty.bin", "empty"),
        "text": (images / "text.txt", "it is text"),
        "corrupt": (images / "corrupt.jpg", "not an image|cannot be decoded|truncated"),
        "truncated jpeg": (images / "truncated.jpg", "truncated"),
        "half a jpeg": (jpeg[: len(jpeg) // 2], "truncated"),
        "an end marker in the metadata only": (with_end_in_exif[:-300], "truncated"),
        "half a png": (png[: len(png) // 2], "truncated"),
        "half a webp": (webp[: len(webp) // 2], "truncated|decoded|not an image"),
        "half a gif": (gif[:200], "truncated|decoded|not an image"),
        "bomb": (bomb(), "bomb"),
        "data uri without an image": ("data:text/html,hello", "data URI"),
        "data uri of junk": ("data:image/png;base64,@@@@", "data URI"),
        "floats": (encoded(Image.new("F", (3, 3)), "TIFF"), "floating"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "missing",
        "folder",
        "null",
        "empty",
        "text",
        "corrupt",
        "truncated jpeg",
        "half a jpeg",
        "an end marker in the metadata only",
        "half a png",
        "half a webp",
        "half a gif",
        "bomb",
        "data uri without an image",
        "data uri of junk",
        "floats",
    ],
)
def test_broken_images_say_why(images, case) -> None:
    image, reason = broken(images)[case]
    with pytest.raises(ImageError, match=reason) as caught:
        load(image).full  # noqa: B018 - decoding is the point
    assert caught.value.advice
    assert caught.value.__context__ is None


@pytest.mark.parametrize("image", [None, 3, 1.5, object(), [1, 2], io.StringIO("text")])
def test_what_is_no_kind_of_image(image) -> None:
    with pytest.raises(TypeError):
        load(image)


def test_every_input_kind_gives_the_same_picture(images) -> None:
    path = images / "scene.png"
    data = path.read_bytes()
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    opened = Image.open(path)
    for image in (
        str(path),
        path,
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        uri,
        opened,
    ):
        assert load(image).data == data
    opened.load()
    for pixels in (opened, np.asarray(opened)):
        assert np.array_equal(np.asarray(load(pixels).full), np.asarray(load(path).full))


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
    small = np.asarray(load(stripes).at((100, 100)))
    assert abs(int(small.mean()) - 127) < 4
    assert small.std() < 10


def test_urls_are_told_from_paths() -> None:
    assert is_url("https://example.com/a.jpg")
    assert is_url("HTTP://example.com/a.jpg")
    assert not is_url("http.jpg")
    assert not is_url(b"http://example.com")


def test_samples() -> None:
    assert sample_names() == ["astronaut", "camera", "cat", "coffee", "rocket"]
    for name in sample_names():
        assert load(sample(name)).full.mode == "RGB"
    with pytest.raises(ValueError, match="cat"):
        sample("dog")


@pytest.mark.parametrize("parts", [1, 1.15, 2.5, 7, 13])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_scaled_and_turned_as_pillow_would(images, orientation, parts) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    source = Image.open(images / "coffee.jpg").convert("RGB").resize((611, 403))
    source.save(file, "JPEG", quality=95, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(file))
    size = tuple(round(side / parts) for side in upright.size)
    wanted = np.asarray(upright.resize(size, Image.Resampling.BOX), float)
    picture = load(file.getvalue())
    for made in (Image.open(io.BytesIO(picture.jpeg(size, 95))), picture.at(size)):
        assert (made.size, made.mode) == (size, "RGB")
        assert (
            np.abs(np.asarray(made, float) - wanted).mean() < 10
        )  # chroma is halved; turned wrongly: over 40


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_a_jpeg_of_other_colours_is_scaled_to_what_is_shown(images, mode) -> None:
    file = io.BytesIO()
    Image.open(images / "coffee.jpg").convert(mode).save(file, "JPEG", quality=95)
    picture = load(file.getvalue())
    sent = Image.open(io.BytesIO(picture.jpeg((200, 133), 95)))
    shown = picture.full.resize((200, 133), Image.Resampling.BOX)
    assert np.abs(np.asarray(sent, float) - np.asarray(shown, float)).mean() < 4


def test_a_jpeg_that_opencv_gives_up_is_explained_by_pillow(images) -> None:
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

    picture = replace(load(images / "cat.jpg"), _scaled=Emptied())
    assert picture.at((40, 30)).size == (40, 30)
