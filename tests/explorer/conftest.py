"""No test sees the widgets of another one."""

from __future__ import annotations

import ipywidgets as widgets
import pytest


@pytest.fixture(autouse=True)
def own_widgets():
    """Closes all widgets after a test; ipywidgets keeps them else."""
    yield
    widgets.Widget.close_all()
