"""The oldest versions that pyproject.toml allows, as pip constraints: ``python tests/floors.py``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def floors() -> list[str]:
    """``name==version`` of everything that rfhosted itself needs, its embedded server included."""
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    needs = project["dependencies"] + project["optional-dependencies"]["local"]
    return [re.fullmatch(r"([\w.-]+)>=([\d.]+)", need).expand(r"\1==\2") for need in needs]


if __name__ == "__main__":
    print("\n".join(floors()))
