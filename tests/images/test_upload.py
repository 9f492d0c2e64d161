"""Uploads fit, never grow, keep boxes where they are, and are the same for every kind of input."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rfhosted import TooLargeError
from rfhosted.endpoints.image_tasks import parse
from rfhosted.hosted import Task
from rfhosted.images.sources import load
from rfhosted.images.upload import check_size, fit, scaled
from rfhosted.transport import request
from support.image_files import encoded, photo, turned

ROOM = 10_000_000
MODES = ["RGB", "L", "RGBA", "P", "CMYK", "LA", "1"]


def send(image, longest=None, budget=ROOM):
    return fit(image, longest, budget=budget, overhead=request.FORM_BYTES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    mode=st.sampled_from(MODES),
    orientation=st.integers(1, 8),
    longest=st.one_of(st.none(), st.integers(1, 1200)),
    budget=st.integers(3_000, 200_000),
)
def test_a_box_comes_back_where_it_was_put(
    width, height, mode, orientation, longest, budget
) -> None:
    stored = photo(width, height).convert(mode)
    kind = "JPEG" if mode in ("RGB", "L", "CMYK") else "PNG"
    image = load(encoded(stored, kind, exif=turned(orientation)))
    upright = (height, width) if orientation > 4 else (width, height)
    assert image.size == upright
    try:
        content, upload = send(image, longest, budget)
    except TooLargeError as error:
        assert longest is None or budget < 4_000
        assert f"{budget:,}" in str(error)  # noqa: PT017 - not every draw raises
        return
    # What is counted is the whole body, and it fits.
    body, _ = request.multipart(content, upload.format)
    assert len(body) <= upload.nbytes <= budget
    # What is sent has the size that is recorded, and is never larger than the original.
    with Image.open(io.BytesIO(content)) as sent:
        sideways = upload.quality is None and orientation > 4
        assert (sent.size[::-1] if sideways else sent.size) == upload.size
    assert all(a <= b for a, b in zip(upload.size, image.size, strict=True))
    assert longest is None or max(upload.size) <= longest or upload.size == image.size
    # A server finds an object in the sent image; its box lands within one sent pixel of the truth.
    sx, sy = upload.size[0] / upright[0], upload.size[1] / upright[1]
    truth = (0.2 * upright[0], 0.3 * upright[1], 0.7 * upright[0], 0.9 * upright[1])
    x1, y1, x2, y2 = truth[0] * sx, truth[1] * sy, truth[2] * sx, truth[3] * sy
    raw = {
        "image": dict(zip(("width", "height"), upload.size, strict=True)),
        "predictions": [
            {
                "x": (x1 + x2) / 2,
                "y": (y1 + y2) / 2,
                "width": x2 - x1,
                "height": y2 - y1,
                "confidence": 1,
                "class": "a",
                "class_id": 0,
            }
        ],
    }
    parsed = parse(raw, Task.OBJECT_DETECTION, image_size=upright, sent_size=upload.size)
    (found,) = parsed.output
    for got, wanted, step in zip(found.box, truth, (1 / sx, 1 / sy) * 2, strict=True):
        assert abs(got - wanted) <= step


@settings(max_examples=20, deadline=None)
@given(
    x=st.floats(0.1, 0.9),
    y=st.floats(0.1, 0.9),
    width=st.integers(200, 900),
    height=st.integers(200, 900),
    longest=st.integers(100, 400),
    orientation=st.integers(1, 8),
)
def test_the_pixels_themselves_stay_where_they_were(
    x, y, width, height, longest, orientation
) -> None:
    # A white square on black: its centre in the sent image, scaled back, is its centre before.
    pixels = np.zeros((height, width, 3), np.uint8)
    cx, cy = int(x * width), int(y * height)
    pixels[max(0, cy - 15) : cy + 15, max(0, cx - 15) : cx + 15] = 255
    image = load(encoded(Image.fromarray(pixels), "JPEG", quality=95, exif=turned(orientation)))
    content, upload = send(image, longest)
    sent = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    if upload.quality is None:
        sent = np.asarray(image.full.convert("L"))

    def centre(image):
        return [axis.mean() + 0.5 for axis in np.nonzero(image > 127)][::-1]

    before = centre(np.asarray(image.full.convert("L")))
    for axis in (0, 1):
        factor = image.size[axis] / upload.size[axis]
        assert abs(centre(sent)[axis] * factor - before[axis]) <= factor


@pytest.mark.parametrize("longest", [200, 320, 640])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_every_kind_of_input_sends_the_same_bytes(tmp_path, kind, orientation, longest) -> None:
    data = encoded(photo(500, 300), kind, exif=turned(orientation))
    path = tmp_path / "image"
    path.write_bytes(data)
    uri = f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"
    kinds = [
        path,
        str(path),
        data,
        bytearray(data),
        io.BytesIO(data),
        uri,
        Image.open(io.BytesIO(data)),
    ]
    bodies = {request.multipart(*_sent(load(image), longest)) for image in kinds}
    assert len(bodies) == 1
    pixels = Image.open(io.BytesIO(data))
    pixels.load()
    arrays = {_sent(load(image), longest) for image in (pixels, np.asarray(load(data).full))}
    assert len(arrays) == 1
    if longest < 500:  # below that a file goes as it is, and pixels have no file
        assert arrays == {_sent(load(data), longest)}


def _sent(image, longest):
    content, upload = send(image, longest)
    return content, upload.format


def test_a_small_upright_file_is_untouched(images) -> None:
    for name in ("scene.jpg", "scene.png", "scene.webp"):
        data = (images / name).read_bytes()
        content, upload = send(load(data), 1024)
        assert content == data
        assert upload.quality is None
        assert upload.size == (640, 480)
        assert upload.changes == "sent as it was"


def test_what_servers_may_not_decode_is_converted(images) -> None:
    content, upload = send(load(images / "scene.gif"), 1024)
    assert upload.format == "JPEG"
    assert content[:2] == b"\xff\xd8"


def test_original_leaves_a_turned_jpeg_to_the_server(images) -> None:
    data = (images / "exif6.jpg").read_bytes()
    assert send(load(data), None)[0] == data
    content, upload = send(load(data), 1024)
    assert content != data
    assert upload.changes.startswith("turned upright")


def test_quality_goes_before_size() -> None:
    image = load(photo(1000, 800))
    sizes, qualities, lengths = [], [], []
    for budget in (400_000, 120_000, 60_000, 40_000, 20_000, 8_000):
        _, upload = send(image, 800, budget)
        sizes.append(upload.size)
        qualities.append(upload.quality)
        lengths.append(upload.nbytes)
    assert qualities == sorted(qualities, reverse=True)
    assert sizes == sorted(sizes, reverse=True)
    assert min(qualities) < 85
    first_smaller = next(i for i, size in enumerate(sizes) if size != (800, 640))
    assert qualities[first_smaller] == min(qualities)
    assert all(
        n <= b
        for n, b in zip(lengths, (400_000, 120_000, 60_000, 40_000, 20_000, 8_000), strict=True)
    )


def test_original_that_cannot_fit_says_how_large_it_is() -> None:
    data = encoded(photo(1200, 1200), "PNG")
    with pytest.raises(TooLargeError, match=r"1200 x 1200.*100,000") as caught:
        send(load(data), None, 100_000)
    assert f"{len(data) + request.FORM_BYTES:,}" in str(caught.value)


def test_a_large_png_of_few_pixels_becomes_a_jpeg() -> None:
    data = encoded(photo(1000, 1000), "PNG")
    content, upload = send(load(data), 1024, 300_000)
    assert upload.size == (1000, 1000)
    assert upload.format == "JPEG"
    assert len(content) < 300_000 < len(data)


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 10_000))
def test_scaled_sizes(width, height, longest) -> None:
    w, h = scaled((width, height), longest)
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert max(w, h) <= max(longest, 1) or (w, h) == (width, height)
    if max(width, height) > longest:
        assert max(w, h) == longest


@pytest.mark.parametrize("size", [1, 640, np.int64(640), "original", None])
def test_image_sizes_become_plain_values(size) -> None:
    assert check_size(size) == size
    assert type(check_size(size)) in (int, str, type(None))


@pytest.mark.parametrize(
    "size", [0, -5, 1.5, True, "640", "CANARYab12CD34ef56GH78", (640, 480), b"", float("nan")]
)
def test_what_is_not_an_image_size_is_refused_undisclosed(size) -> None:
    with pytest.raises(ValueError, match="image_size") as caught:
        check_size(size)
    assert "CANARY" not in str(caught.value)


def test_the_record_says_all_that_was_done() -> None:
    data = encoded(photo(900, 600), "JPEG", exif=turned(6))
    _, upload = send(load(data), 300)
    assert upload.changes == "turned upright, scaled from 600 x 900, JPEG quality 85"
    assert send(load(photo(90, 60)))[1].changes == "JPEG quality 95"


def test_the_budget_is_kept_to_the_byte() -> None:
    image = load(encoded(photo(64, 48), "JPEG"))
    needed = len(image.data) + request.FORM_BYTES
    assert send(image, None, needed)[1].nbytes == needed
    with pytest.raises(TooLargeError):
        send(image, None, needed - 1)
    with pytest.raises(TooLargeError):  # not even one pixel fits
        send(image, 64, request.FORM_BYTES)
