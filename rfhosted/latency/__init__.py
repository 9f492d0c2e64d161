"""Benchmarks: the latency of v1 against V2, and where the time goes. No request is built here.

rfhosted.benchmark(["yolov8n-640"], ["dog.jpg"], api_versions=("v2", "v1"), requests=20)
"""

from __future__ import annotations

from rfhosted.latency.measure import benchmark
from rfhosted.latency.published_table import Published, published
from rfhosted.latency.records import Measurement, Settings
from rfhosted.latency.report import Benchmark, Changes
from rfhosted.latency.simulation import simulated
from rfhosted.latency.statistics import Statistics

__all__ = [
    "Benchmark",
    "Changes",
    "Measurement",
    "Published",
    "Settings",
    "Statistics",
    "benchmark",
    "published",
    "simulated",
]
