"""Exported code, run as Python and by curl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rfhosted import Task

SAMPLES = {
    Task.OBJECT_DETECTION: "astronaut",
    Task.CLASSIFICATION: "coffee",
    Task.INSTANCE_SEGMENTATION: "cat",
    Task.SEMANTIC_SEGMENTATION: "cat",
    Task.KEYPOINT_DETECTION: "camera",
}


needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None and "CI" not in os.environ, reason="curl is not installed"
)


def lasting(prediction):
    """The response without what differs from one request to the next."""
    return lasting_part(prediction.raw)


def lasting_part(raw):
    kept = {k: v for k, v in raw.items() if k not in ("time", "inference_id", "image")}
    predictions = kept.get("predictions")
    if isinstance(predictions, list):
        kept["predictions"] = [
            {k: v for k, v in item.items() if k != "detection_id"} for item in predictions
        ]
    return kept


def shell(lines, **environment):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", lines],
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | {"PATH": path} | environment,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def python(code):
    scope = {}
    exec(compile(code, "<exported>", "exec"), scope)
    return scope["p"]
