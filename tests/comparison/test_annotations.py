"""Ground truth: of the samples that ship, and from COCO files of the user's own."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image

import rfhosted
from rfhosted import ImageError, Task, coco_truth, compare, sample, sample_truth
from rfhosted.prediction import DetectionPrediction
from support.html_tree import EVIL, Tree
from support.predictions import objects, thing

TRUTHS = ("boats", "photo_wall", "running_cats")
BOX = [10, 20, 30, 40]


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "street.jpg"
    Image.new("RGB", (100, 80)).save(path)
    return path


@pytest.fixture
def coco(tmp_path):
    """Write a COCO file with some parts changed."""

    def write(annotations=None, **changes):
        content = {
            "images": [
                {"id": 7, "file_name": "day/street.jpg", "width": 100, "height": 80},
                {"id": 8, "file_name": "night/park.jpg", "width": 100, "height": 80},
            ],
            "annotations": annotations or [{"image_id": 7, "category_id": 3, "bbox": BOX}],
            "categories": [{"id": 3, "name": "car"}],
        }
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content | changes), "utf-8")
        return path

    return write


@pytest.mark.parametrize("name", TRUTHS)
def test_boxes_of_a_sample_lie_in_its_image(name):
    truth = sample_truth(name)
    assert isinstance(truth, DetectionPrediction)
    width, height = truth.image.size
    for row in truth.rows():
        assert 0 <= row["x1"] < row["x2"] <= width
        assert 0 <= row["y1"] < row["y2"] <= height
        assert row["confidence"] is None


def test_samples_have_what_they_are_known_for():
    assert sample_truth("photo_wall").image.size == (3000, 2000)
    assert len({row["class_name"] for row in sample_truth("photo_wall").rows()}) >= 5
    assert sample_truth("boats").summary() == "6 objects: 4 boat, 2 person"
    assert sample_truth("running_cats").summary() == "24 objects: 24 cat"


@pytest.mark.parametrize("name", ["rocket", "dog", ""])
def test_other_names_are_refused_with_those_that_have_one(name):
    with pytest.raises(ValueError, match="boats, photo_wall, running_cats"):
        sample_truth(name)


def test_a_ground_truth_never_looks_like_a_result():
    truth = sample_truth("boats")
    assert truth.model == truth.host == "ground truth"
    assert truth.caption() == ["6 objects: 4 boat, 2 person", "ground truth"]
    assert math.isnan(truth.timing.e2e)
    assert truth.timing.exec is None
    assert truth.upload.nbytes == 0
    assert truth.detections.confidence is None
    assert len(truth.detections) == 6
    shown = repr(truth) + " ".join(Tree(truth._repr_html_()).text.values())
    for word in (" ms", "E2E", "nan", "kB", "local", "100%"):
        assert word not in shown
    comparison = compare(truth, rfhosted.predict(sample("boats")))
    assert "nan" not in comparison._repr_html_() + repr(comparison)
    assert comparison.notes == ()


def test_a_threshold_keeps_a_ground_truth_and_a_class_does_not():
    truth = sample_truth("boats")
    assert truth.filter(confidence=0.9).rows() == truth.rows()
    assert truth.filter(confidence=0.9).notes == ()
    assert len(truth.filter(classes=["person"]).rows()) == 2
    assert truth.filter(classes=["cup"]).summary() == "no objects"
    with pytest.raises(ValueError, match="fraction"):
        truth.filter(confidence=90)


def test_a_comparison_says_what_was_missed_and_invented(coco, photo):
    boxes = [{"image_id": 7, "category_id": 3, "bbox": [x, 0, 10, 10]} for x in (0, 20, 40)]
    truth = coco_truth(coco(boxes), photo)
    found = [thing("car", (0, 0, 10, 10)), thing("car", (60, 0, 70, 10))]
    for task in (Task.OBJECT_DETECTION, Task.INSTANCE_SEGMENTATION, Task.KEYPOINT_DETECTION):
        c = compare(truth, objects(*found, task=task))
        assert (len(c.both), len(c.only_a), len(c.only_b)) == (1, 2, 1)
        assert c.summary() == (
            "1 of 3 objects found, 2 missed, 1 invented: recall 33%, precision 50%"
        )
    turned = compare(objects(*found), truth)
    assert turned.summary() == c.summary()
    assert turned.truth == "B"
    assert [row["where"].split()[0] for row in turned.differences()] == [
        *("invented", "missed", "missed", "found"),
    ]
    assert compare(truth, truth).truth == ""
    with pytest.raises(ValueError, match="one task"):
        compare(truth, rfhosted.predict(photo, task="classification"))


def test_a_file_of_ones_own(coco, photo):
    file = coco()
    truth = coco_truth(file, photo)
    assert truth.rows() == [
        {"class_name": "car", "class_id": 3, "confidence": None,
         "x1": 10.0, "y1": 20.0, "x2": 40.0, "y2": 60.0}
    ]  # fmt: skip
    assert truth.raw == [{"image_id": 7, "category_id": 3, "bbox": BOX}]
    with Image.open(photo) as opened:  # PIL knows the file
        assert coco_truth(str(file), opened).rows() == truth.rows()
    pixels = np.zeros((80, 100, 3), np.uint8)
    for name in ("street.jpg", "day/street.jpg"):
        assert coco_truth(file, pixels, name=name).rows() == truth.rows()
    assert coco_truth(file, photo, name="park.jpg").rows() == []


def test_the_only_image_needs_no_name(coco):
    file = coco(images=[{"id": 7, "file_name": "a.jpg"}])
    assert len(coco_truth(file, np.zeros((8, 8, 3), np.uint8)).rows()) == 1


def test_crowd_regions_are_left_out_with_a_note(coco, photo):
    crowd = {"image_id": 7, "category_id": 3, "bbox": BOX, "iscrowd": 1}
    truth = coco_truth(coco([crowd, crowd | {"iscrowd": 0}]), photo)
    assert len(truth.rows()) == 1
    assert "1" in truth.notes[0]


def test_an_image_that_is_not_in_the_file(coco, photo, tmp_path):
    other = tmp_path / "dog.jpg"
    other.write_bytes(photo.read_bytes())
    with pytest.raises(ValueError, match=r"0 images named 'dog\.jpg'.*day/street\.jpg.*name="):
        coco_truth(coco(), other)
    with pytest.raises(ValueError, match="2 images; it has"):
        coco_truth(coco(), np.zeros((80, 100, 3), np.uint8))
    with pytest.raises(ValueError, match="0 images"):
        coco_truth(coco(images=[]), photo)
    twice = [{"id": i, "file_name": f"{i}/street.jpg"} for i in range(2)]
    with pytest.raises(ValueError, match=r"2 images named 'street\.jpg'"):
        coco_truth(coco(images=twice), photo)


def test_an_image_of_another_size(coco, photo):
    Image.new("RGB", (200, 160)).save(photo)
    with pytest.raises(ValueError, match="200 x 160 pixels, and 100 x 80"):
        coco_truth(coco(), photo)


BROKEN_FILES = ["", "[1, 2]", "{}", '{"images": [', '{"images": 1, "annotations": 2}', "[" * 9000]


@pytest.mark.parametrize("text", BROKEN_FILES)
def test_what_is_no_coco_file(tmp_path, photo, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.json cannot be read as annotations: it is not"):
        coco_truth(path, photo)
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match="not valid JSON"):
        coco_truth(path, photo)


@pytest.mark.parametrize(
    "entry",
    [
        {"bbox": BOX[:3]},
        {"bbox": None},
        {"bbox": ["a", 1, 2, 3]},
        {"bbox": [1, 2, -3, 4]},
        {"bbox": [1, 2, math.nan, 4]},
        {"category_id": 99},
        {"category_id": None},
        {"bbox": {}},
    ],
)
def test_a_broken_entry(coco, photo, entry):
    with pytest.raises(ValueError, match="an entry is broken"):
        coco_truth(coco([{"image_id": 7, "category_id": 3, "bbox": BOX} | entry]), photo)


@pytest.mark.parametrize("part", ["image_id", "category_id", "bbox"])
def test_a_missing_field(coco, photo, part):
    entry = {"image_id": 7, "category_id": 3, "bbox": BOX}
    del entry[part]
    with pytest.raises(ValueError, match="an entry is broken"):
        coco_truth(coco([entry]), photo)


def test_files_that_cannot_be_read(coco, tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        coco_truth(tmp_path / "nowhere.json", sample("cat"))
    with pytest.raises(ImageError):
        coco_truth(coco(), tmp_path / "nowhere.jpg")


def test_names_are_text_and_never_markup(coco, photo):
    truth = coco_truth(coco(categories=[{"id": 3, "name": EVIL}]), photo)
    assert not Tree(compare(truth, objects())._repr_html_()).all("script")
