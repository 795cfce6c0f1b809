"""Curves: where the cost grows, and how fast.

In: an open `Lab`. Out: `Curve`s of (size, seconds), whose `slope` is the exponent: 1 is linear, 0 does not grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.lab import Lab
from tests.bench.rows import MB

CALLS = """
import time
began = time.perf_counter()
for _ in range({n}): llm_query('x')
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Curve:
    """`unit` names what `sizes` count."""

    what: str
    unit: str
    sizes: list[int]
    seconds: list[float]

    @property
    def slope(self) -> float:
        """Exponent of growth over the upper half of the sizes."""
        middle = len(self.sizes) // 2
        grown = math.log(self.sizes[-1] / self.sizes[middle])
        return math.log(self.seconds[-1] / self.seconds[middle]) / grown


def all_curves(lab: Lab, *, quick: bool) -> Iterator[Curve]:
    sizes = [1_000, 100_000, 10 * MB, 100 * MB] + ([] if quick else [200 * MB])
    yield Curve("context as text", "bytes", sizes, [context_seconds(lab, size) for size in sizes])
    counts = [1, 10, 100, 1_000] + ([] if quick else [10_000])
    yield Curve("sub-calls", "calls", counts, [calls_seconds(lab, count) for count in counts])
    counts = [10, 50, 100] if quick else [10, 50, 100, 200]
    times = lab.bench("converse", blocks=["pass"] * counts[-1])["times"]
    yield Curve("iterations", "iterations", counts, [times[count] / 1000 for count in counts])
    counts = [1, 2, 4] if quick else [1, 2, 4, 8, 16]
    yield Curve("children at once", "children", counts, [children_seconds(lab, count) for count in counts])


def context_seconds(lab: Lab, size: int) -> float:
    return float(lab.bench("context", bytes=size)["times"][0]) / 1000


def calls_seconds(lab: Lab, count: int) -> float:
    return float(lab.printed([CALLS.format(n=count)])[0])


def children_seconds(lab: Lab, count: int) -> float:
    lab.bench("prepare")
    return float(lab.bench("children", count=count)["ms"]) / 1000
