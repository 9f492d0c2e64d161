"""The public names: sorted, all importable, one module each, and nothing heavy before its time."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rfhosted

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "PIL", "requests", "cv2", "supervision", "matplotlib", "ipywidgets", "pandas")


def imported(statement: str) -> set[str]:
    """The heavy packages that a new interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(HEAVY) & set(run.stdout.split())


def test_public_names_are_sorted_and_dir_shows_what_can_be_done():
    assert rfhosted.__all__ == sorted(set(rfhosted.__all__))
    assert set(dir(rfhosted)) < {*rfhosted.__all__, "__version__"}
    verbs = {"predict", "compare", "sweep", "benchmark", "explore", "sample"}
    assert verbs | {"Client", "HostedError"} < set(dir(rfhosted))
    assert {"Client", "predict", "compare", "sweep", "benchmark", "explore"} < set(rfhosted.__all__)


@pytest.mark.parametrize("name", rfhosted.__all__)
def test_each_public_name_is_defined_in_this_package(name):
    value = getattr(rfhosted, name)
    assert getattr(value, "__name__", name) == name
    assert (getattr(value, "__module__", None) or type(value).__module__).startswith("rfhosted.")


@pytest.mark.parametrize("name", rfhosted.__all__)
def test_no_module_has_the_name_of_a_public_function(name):
    package = ROOT / "rfhosted"
    assert not (package / name).exists()
    assert not (package / f"{name}.py").exists()


def test_a_star_import_brings_the_public_names():
    names = {}
    exec("from rfhosted import *", names)
    assert set(rfhosted.__all__) == set(names) - {"__builtins__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'rfhosted' has no attribute 'predcit'"):
        rfhosted.predcit  # noqa: B018 - looked up for its error
    with pytest.raises(ImportError):
        exec("from rfhosted import predcit")


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert rfhosted.__version__ == project["version"]


def test_names_load_what_they_need_when_they_are_used():
    assert imported("import rfhosted") == set()
    assert imported("import rfhosted; rfhosted.HostedError, rfhosted.Task") == set()
    assert imported("import rfhosted; rfhosted.benchmark, rfhosted.sweep") <= {
        "numpy",
        "PIL",
        "requests",
    }
