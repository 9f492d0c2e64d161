"""The photos that ship: free to use, small, and good for what they are meant for."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from rfhosted import (
    compare,
    precision_recall_curve,
    predict,
    sample,
    sample_names,
    sample_truth,
)
from rfhosted.images.samples import DEFAULT, annotation_file
from rfhosted.images.sources import load

ROOT = Path(__file__).parents[2]
NAMES = ["astronaut", "boats", "camera", "cat", "coffee", "photo_wall", "rocket", "running_cats"]


@pytest.fixture(scope="module")
def composer():
    """The script that composes the photo wall."""
    path = ROOT / "tests" / "samples" / "compose_photo_wall.py"
    spec = importlib.util.spec_from_file_location("compose_photo_wall", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, spec.name, module)  # its dataclass looks itself up
        spec.loader.exec_module(module)
    return module


def test_samples_are_photos():
    assert sample_names() == NAMES
    assert DEFAULT in NAMES
    for name in NAMES:
        assert load(sample(name)).full.mode == "RGB"


@pytest.mark.parametrize("name", ["dog", "CANARYab12CD34ef56GH78", "../cat", "", "ground_truth"])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match=", ".join(NAMES)) as caught:
        sample(name)
    assert "CANARY" not in str(caught.value)


def test_a_typo_is_refused_with_the_name_that_was_meant():
    with pytest.raises(ValueError, match="mean 'running_cats'"):
        sample("runing_cats")


def test_all_samples_together_are_small():
    folder = annotation_file().parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_500_000


def test_the_notice_has_the_hash_of_each_file():
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for path in annotation_file().parent.iterdir():
        entry = notice[notice.index(f"\n{path.name}") :]
        (digest,) = re.findall(r"sha256 +([0-9a-f]{64})", entry)[:1]
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest(), path.name


def test_the_script_composes_what_ships(composer):
    wall, objects = composer.compose()
    shipped = load(sample("photo_wall")).full
    assert 10 <= len(composer.PRINTS) <= 14
    assert wall.size == shipped.size == (3000, 2000)
    # Other versions of Pillow may scale and encode a little differently.
    difference = np.abs(np.asarray(wall, np.int16) - np.asarray(shipped, np.int16))
    assert difference.mean() < 3
    rows = sample_truth("photo_wall").rows()
    corners = [[row[side] for side in ("x1", "y1", "x2", "y2")] for row in rows]
    assert [
        (row["class_name"], *map(round, box)) for row, box in zip(rows, corners, strict=True)
    ] == [(name, *map(round, box)) for name, *box in objects]


def test_the_ground_truth_is_a_coco_file():
    content = json.loads(annotation_file().read_text("utf-8"))
    assert set(content) == {"images", "annotations", "categories"}
    names = (ROOT / "rfhosted/local/labels/coco.txt").read_text("utf-8").splitlines()
    assert all(names[each["id"]] == each["name"] for each in content["categories"])


@pytest.mark.parametrize("image_size", [640, None, "original"])
def test_the_local_model_finds_about_two_thirds_of_the_photo_wall(image_size):
    truth = sample_truth("photo_wall")
    found = predict(sample("photo_wall"), confidence=0.05, image_size=image_size)
    curve = precision_recall_curve(truth, found)
    at_default = curve.at(0.4)
    assert 0.55 < at_default.recall < 0.75
    assert 1 <= at_default.invented <= 4
    assert curve.at(0.05).invented > 10  # the threshold has something to do
    assert curve.at(0.8).recall < 0.4
    shown = compare(truth, found.filter(confidence=0.4))
    assert (len(shown.both), len(shown.only_b)) == (at_default.found, at_default.invented)


def test_a_smaller_image_of_the_photo_wall_costs_objects():
    truth = sample_truth("photo_wall")
    found = [
        len(compare(truth, predict(sample("photo_wall"), image_size=size)).both)
        for size in (160, 640)
    ]
    assert found[0] < found[1] / 2
