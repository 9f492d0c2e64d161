"""The panel: a plain model of what is explored, and a thin view of it in ipywidgets."""

from __future__ import annotations

from rfhosted.explorer.panel import Explorer, explore

__all__ = ["Explorer", "explore"]
