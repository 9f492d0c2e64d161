"""What every prediction has: saving."""

from __future__ import annotations

import pytest
from PIL import Image

import rfhosted


@pytest.fixture
def prediction():
    return rfhosted.predict(rfhosted.sample("cat"))


@pytest.mark.parametrize(("ending", "kind"), [(".png", "PNG"), (".JPG", "JPEG"), (".webp", "WEBP")])
def test_the_ending_chooses_the_format(prediction, tmp_path, monkeypatch, ending, kind):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = prediction.save(f"~/drawn{ending}")
    assert path == tmp_path / f"drawn{ending}"
    with Image.open(path) as image:
        assert image.format == kind
        assert image.size == prediction.image.size


def test_a_file_without_an_image_ending_is_refused_and_kept(prediction, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("kept")
    with pytest.raises(ValueError, match="notes"):
        prediction.save(path)
    assert path.read_text() == "kept"
