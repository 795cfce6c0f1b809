"""Curves: where the cost grows, and how fast.

In: an open `Lab`. Out: `Curve`s of (size, seconds), with the exponent of their growth and the seconds of one unit more.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.children import children_seconds
from tests.bench.files import file_seconds
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
        """Exponent of growth, fitted over the upper half of the sizes: 1 is linear, 0 does not grow."""
        middle = len(self.sizes) // 2
        logs = [[math.log(value) for value in values[middle:]] for values in (self.sizes, self.seconds)]
        return statistics.linear_regression(*logs).slope

    @property
    def each(self) -> float:
        """Seconds of one unit more, fitted over all sizes."""
        return statistics.linear_regression(self.sizes, self.seconds).slope


def all_curves(lab: Lab, *, quick: bool) -> Iterator[Curve]:
    sizes = [1_000, 100_000, 10 * MB, 100 * MB] + ([] if quick else [200 * MB])
    yield Curve("context as text", "bytes", sizes, [context_seconds(lab, size) for size in sizes])
    sizes = [1_000, 100_000, 10 * MB, 100 * MB] + ([] if quick else [1_000 * MB])
    yield Curve("a file by line", "bytes", sizes, [file_seconds(lab, size) for size in sizes])
    counts = [1, 10, 100, 1_000] + ([] if quick else [10_000])
    yield Curve("sub-calls", "calls", counts, [calls_seconds(lab, count) for count in counts])
    counts = [1, 10, 50, 100] + ([] if quick else [200])
    times = lab.bench("converse", blocks=["pass"] * counts[-1])["times"]
    yield Curve("iterations", "iterations", counts, [times[count] / 1000 for count in counts])
    counts = [1, 2, 4] + ([] if quick else [8, 16])
    yield Curve("child runs at once", "children", counts, [children_seconds(lab, count) for count in counts])


def context_seconds(lab: Lab, size: int) -> float:
    return float(lab.bench("context", bytes=size)["times"][0]) / 1000


def calls_seconds(lab: Lab, count: int) -> float:
    return float(lab.printed([CALLS.format(n=count)])[0])
