"""Curve chart: each curve as a small picture, both axes logarithmic, beside a line of linear growth.

In: `Curve`s. Out: the lines of an SVG file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from tests.bench.curves import Curve

WIDTH, HEIGHT = 240, 180
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 40, 28
BLUE, GREY = "#0969da", "#8c959f"


def curve_chart(curves: Sequence[Curve]) -> Iterator[str]:
    font = "font-family='system-ui, sans-serif' font-size='11'"
    yield f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH * len(curves)}' height='{HEIGHT}' {font}>"
    yield "<title>Seconds against size, both logarithmic; dashed: linear growth from the first point</title>"
    for index, curve in enumerate(curves):
        yield f"<g transform='translate({WIDTH * index} 0)'>"
        yield from panel(curve)
        yield "</g>"
    yield "</svg>"


def panel(curve: Curve) -> Iterator[str]:
    xs = [math.log10(size) for size in curve.sizes]
    ys = [math.log10(seconds) for seconds in curve.seconds]
    linear = [ys[0], ys[0] + xs[-1] - xs[0]]
    low, high = min(ys), max(*ys, ys[0] + 1)

    def x(value: float) -> float:
        return LEFT + (value - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    top = min(linear[1], high)
    yield f"<text x='{LEFT}' y='16'>{escape(curve.what)}</text>"
    yield f"<text x='{LEFT}' y='30' fill='{GREY}'>growing as size^{curve.slope:.2f}</text>"
    ends = f"x1='{x(xs[0]):.1f}' y1='{y(linear[0]):.1f}' x2='{x(xs[0] + top - linear[0]):.1f}' y2='{y(top):.1f}'"
    yield f"<line {ends} stroke='{GREY}' stroke-dasharray='4'/>"
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, ys, strict=True))
    yield f"<polyline points='{points}' fill='none' stroke='{BLUE}' stroke-width='2'/>"
    for a, b in zip(xs, ys, strict=True):
        yield f"<circle cx='{x(a):.1f}' cy='{y(b):.1f}' r='3' fill='{BLUE}'/>"
    for value in (low, high):
        yield f"<text x='{LEFT - 6}' y='{y(value) + 4:.1f}' text-anchor='end' fill='{GREY}'>{10**value:.2g} s</text>"
    yield f"<text x='{LEFT}' y='{HEIGHT - 8}' fill='{GREY}'>{curve.sizes[0]:,}</text>"
    last = f"{curve.sizes[-1]:,} {escape(curve.unit)}"
    yield f"<text x='{WIDTH - RIGHT}' y='{HEIGHT - 8}' text-anchor='end' fill='{GREY}'>{last}</text>"
