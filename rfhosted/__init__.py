"""Explore Roboflow's Serverless Hosted API in notebooks: an image in, an understood prediction out.

>>> import rfhosted
>>> rfhosted.predict(rfhosted.sample("cat"))  # doctest: +SKIP

A public name is imported when it is first used. ``__init__.pyi`` lists the names and their modules,
for type checkers and for this file.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

_MODULES = {
    alias.name: node.module
    for node in ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8")).body
    if isinstance(node, ast.ImportFrom) and node.module
    for alias in node.names
}

__version__ = "0.1.0"
__all__ = sorted(_MODULES)  # noqa: PLE0605 - a list, made from the one table


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'rfhosted' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    # What Tab shows first: what can be done. ``__all__`` has the other names.
    return [*filter(str.islower, __all__), "Client", "HostedError", "__version__"]
