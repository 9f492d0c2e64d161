"""``python -m rfhosted.latency``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import rfhosted
from rfhosted.latency import Benchmark
from rfhosted.latency.__main__ import main

PHOTO = str(rfhosted.sample("cat"))
OPTIONS = ["local/object-detection", "--image", PHOTO, "--versions", "v2", "--requests", "2"]


def test_a_table_and_a_file(capsys, tmp_path):
    saved = tmp_path / "b.json"
    assert main([*OPTIONS, "--save", str(saved)]) == 0
    assert "local/object-detection  v2" in capsys.readouterr().out
    assert Benchmark.load(saved).rows()[0]["n"] == 2


def test_json(capsys):
    assert main([*OPTIONS, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["rows"][0]["e2e_p50"] > 0
    assert data["parts"][0]["exec"] > 0


@pytest.mark.parametrize(
    "arguments",
    [["yolov8n-64", "--image", PHOTO], ["local/object-detection", "--requests", "0"],
     ["local/object-detection", "--image", "no-such-file.jpg"]],
)  # fmt: skip
def test_what_cannot_be_measured_is_one_line_and_status_1(capsys, arguments):
    assert main(arguments) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) <= 2


def test_a_file_that_cannot_be_written_does_not_hide_the_result(capsys, tmp_path):
    assert main([*OPTIONS, "--save", str(tmp_path / "no-such-folder" / "b.json")]) == 1
    printed = capsys.readouterr()
    assert "local/object-detection  v2" in printed.out
    assert "no-such-folder" in printed.err


def test_the_module_simulates():
    command = [sys.executable, "-m", "rfhosted.latency", "yolov8n-640", "--simulate"]
    printed = subprocess.run(
        [*command, "--requests=2"], capture_output=True, text=True, check=True
    ).stdout
    assert "v1 simulated" in printed
    assert "no model saw an image" in printed
