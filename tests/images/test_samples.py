"""The photos that ship."""

from __future__ import annotations

import pytest

from rfhosted import sample, sample_names
from rfhosted.images.sources import load


def test_samples_are_photos() -> None:
    assert sample_names() == ["astronaut", "camera", "cat", "coffee", "rocket"]
    for name in sample_names():
        assert load(sample(name)).full.mode == "RGB"


@pytest.mark.parametrize("name", ["dog", "CANARYab12CD34ef56GH78", "../cat", ""])
def test_an_unknown_name_is_answered_with_the_known_ones(name) -> None:
    with pytest.raises(ValueError, match="astronaut, camera, cat") as caught:
        sample(name)
    assert "CANARY" not in str(caught.value)
