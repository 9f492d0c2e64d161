"""The latency lab: measure v1 against V2, and see where the time goes.

rfhosted.benchmark(["yolov8n-640"], ["dog.jpg"], api_versions=("v2", "v1"), requests=20)
"""

from __future__ import annotations

from rfhosted.latency.documented import Published, published
from rfhosted.latency.offline import simulated
from rfhosted.latency.result import Benchmark, Changes
from rfhosted.latency.run import benchmark
from rfhosted.latency.samples import Cell, Sample

__all__ = [
    "Benchmark",
    "Cell",
    "Changes",
    "Published",
    "Sample",
    "benchmark",
    "published",
    "simulated",
]
