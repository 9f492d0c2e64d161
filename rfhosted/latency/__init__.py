"""The latency lab: measure v1 against V2, and see where the time goes.

rfhosted.benchmark(["yolov8n-640"], ["dog.jpg"], api_versions=("v2", "v1"), requests=20)
"""

from __future__ import annotations

from rfhosted.latency.measure import benchmark
from rfhosted.latency.published_table import Published, published
from rfhosted.latency.records import Cell, Measurement
from rfhosted.latency.report import Benchmark, Changes
from rfhosted.latency.simulation import simulated

__all__ = [
    "Benchmark",
    "Cell",
    "Changes",
    "Measurement",
    "Published",
    "benchmark",
    "published",
    "simulated",
]
