"""The documentation's latencies."""

from __future__ import annotations

import pytest

import rfhosted


def test_the_published_table():
    """In milliseconds: V2 E2E, V2 Exec, v1 E2E, v1 Exec."""
    documented = {
        "yolov8x-640": (401, 29, 4084, 821),
        "yolov8m-640": (757, 21, 572, 265),
        "yolov8n-640": (384, 17, 312, 63),
        "yolov8x-1280": (483, 97, 6431, 3032),
        "yolov8m-1280": (416, 52, 1841, 1006),
        "yolov8n-1280": (428, 35, 464, 157),
    }
    names = ("v2_e2e", "v2_exec", "v1_e2e", "v1_exec")
    rows = rfhosted.published.rows()
    found = {row["model"]: tuple(round(row[name] * 1000) for name in names) for row in rows}
    assert found == documented
    for row in rows:
        assert row["e2e_ratio"] == pytest.approx(row["v1_e2e"] / row["v2_e2e"])
    assert len(rfhosted.published.to_pandas()) == 6
    assert "docs.roboflow.com" in repr(rfhosted.published)
    assert "<table" in rfhosted.published._repr_html_()
