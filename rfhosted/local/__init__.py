"""The embedded server: the image route of v1 and V2 with small models that run locally.

Nothing of the client belongs in this room: the client reaches it by HTTP alone.

Needs the extra ``local``: ``pip install "rfhosted[local]"``.
"""

from __future__ import annotations

import importlib.util

try:
    for _name in ("onnxruntime", "python_multipart"):  # imported late, checked early
        if importlib.util.find_spec(_name) is None:
            raise ModuleNotFoundError(name=_name)  # noqa: TRY301  # one place writes the advice
    from rfhosted.local.server import LocalServer, serve
    from rfhosted.local.simulation import Line, Simulation, Times, like_published
except ModuleNotFoundError as missing:
    _package = (missing.name or "").partition(".")[0]
    if _package == "rfhosted":
        raise
    raise ModuleNotFoundError(
        f'The embedded server needs {_package}: pip install "rfhosted[local]"',
        name=missing.name,
    ) from None

__all__ = ["Line", "LocalServer", "Simulation", "Times", "like_published", "serve"]
