"""What the project promises beside its code: licences, the contents of the wheel, tool versions."""

from __future__ import annotations

import re
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> dict[str, bytes]:
    """The files of a wheel built now, by name."""
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_names_both_licences_and_carries_their_texts(wheel):
    (info,) = {name.split("/")[0] for name in wheel if ".dist-info/" in name}
    metadata = Parser().parsestr(wheel[f"{info}/METADATA"].decode())
    assert metadata["License-Expression"] == "MIT AND Apache-2.0"
    texts = [wheel[f"{info}/licenses/{name}"].decode() for name in metadata.get_all("License-File")]
    for words in ("MIT License", "Apache License", "rfhosted itself is under the MIT licence"):
        assert sum(words in text[:200] for text in texts) == 1, words


def test_the_wheel_has_all_files_of_the_package_and_no_others(wheel):
    packaged = {name for name in wheel if ".dist-info/" not in name}
    files = (path for path in (ROOT / "rfhosted").rglob("*") if path.is_file())
    assert packaged == {
        path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts
    }
    assert {"rfhosted/py.typed", "rfhosted/__init__.pyi"} < packaged
    for suffix in (".onnx", ".jpg", ".txt", ".json"):
        assert any(name.endswith(suffix) for name in packaged), suffix


def test_pre_commit_uses_the_versions_of_ci():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    revisions = dict(re.findall(r"/([\w-]+)\n    rev: v([\d.]+)", hooks))
    pins = dict(
        re.fullmatch(r"([\w-]+)==([\d.]+)", need).groups()
        for need in PROJECT["optional-dependencies"]["test"]
        if "==" in need
    )
    assert len(revisions) == 3
    for name, revision in revisions.items():
        assert revision == pins[name.removesuffix("-pre-commit")]
