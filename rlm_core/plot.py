"""Plot: a chart of lines as SVG, without a library, and its points.

In: columns and rows. Out: SVG text of fixed size, shown as an image, in which no script runs; and the points, for a
page that draws them itself. Of more points than `MAX_POINTS` a line, the lowest and the highest of each stretch are
kept, so that no peak is lost.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

MAX_POINTS = 2_000
MAX_LINES = 8
MAX_LABEL_CHARS = 100
WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 40
COLOURS = ("#1b7f5f", "#b3541e", "#4a5fc1", "#a13d7c", "#7a7a1f", "#1f7a8c", "#8c3b3b", "#5b5b5b")
STYLE = (
    "text{font:12px sans-serif;fill:#445}path{fill:none;stroke-width:1.8}"
    ".grid{stroke:#8884;stroke-width:1}@media(prefers-color-scheme:dark){text{fill:#cdd6d1}}"
)


@dataclass(frozen=True)
class Points:
    """Lines of a chart: a name and its (x, y) for each; `labels` name the positions where `x` is no number."""

    lines: dict[str, list[tuple[float, float]]]
    x_name: str
    labels: list[str] | None
    rows: int

    @property
    def title(self) -> str:
        """ "y by x", as the picture's alternative text."""
        return f"{', '.join(self.lines)} by {self.x_name}"


def points_of(
    table: tuple[list[str], Iterator[Sequence[object]]], x: str | None, y: str | Sequence[str] | None
) -> Points:
    """The lines of a table.

    Raises:
        ValueError: there are no rows, a column is missing, or none holds numbers.

    >>> points_of((["t", "a"], iter([(0, 5), (1, 7)])), "t", "a").lines
    {'a': [(0.0, 5.0), (1.0, 7.0)]}
    """
    columns, cells = table
    rows = list(cells)
    if not rows:
        raise ValueError("plot: there are no rows. Pass a list of dicts, of rows or of numbers, or a DataFrame.")
    names = [y] if isinstance(y, str) else list(y or [])
    for name in [*names, *([x] if x is not None else [])]:
        if name not in columns:
            raise ValueError(f"plot: there is no column {name!r}. Columns: {', '.join(columns[:30])}.")
    names = names or [name for name in columns if name != x and _is_numeric(_column(columns, rows, name))]
    if x is None and len(names) > 1 and y is None:
        x, *names = names
    if not names:
        raise ValueError(f"plot: no column holds numbers. Columns: {', '.join(columns[:30])}.")
    across = list(range(len(rows))) if x is None else _column(columns, rows, x)
    labels = None if _is_numeric(across) else [str(value) for value in across]
    positions = [float(at) for at in range(len(rows))] if labels else [_number(value) for value in across]
    lines = {name: _line(positions, _column(columns, rows, name)) for name in names[:MAX_LINES]}
    if not any(lines.values()):
        raise ValueError(f"plot: {', '.join(map(repr, names))} hold no numbers.")
    return Points(lines, x or "row", labels, len(rows))


def _column(columns: list[str], rows: Iterable[Sequence[object]], name: str) -> list[object]:
    at = columns.index(name)
    return [row[at] if at < len(row) else None for row in rows]


def _number(value: object) -> float:
    """`value` as a number, NaN where it is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _is_numeric(values: Iterable[object]) -> bool:
    known = [value for value in values if value not in (None, "")]
    return bool(known) and not any(math.isnan(_number(value)) for value in known)


def _line(across: Sequence[float], values: Sequence[object]) -> list[tuple[float, float]]:
    pairs = zip(across, map(_number, values), strict=True)
    return [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]


def thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MAX_POINTS`: of each stretch the lowest and the highest, in their order.

    >>> len(thinned([(n, n % 7) for n in range(10_000)])) <= MAX_POINTS
    True
    """
    if len(points) <= MAX_POINTS:
        return points
    size = math.ceil(2 * len(points) / MAX_POINTS)
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        ends = {min(stretch, key=lambda at: points[at][1]), max(stretch, key=lambda at: points[at][1])}
        kept.extend(points[at] for at in sorted(ends))
    return kept


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between `low` and `high`.

    >>> ticks(0, 10), ticks(0.1, 0.35)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [0.1, 0.15, 0.2, 0.25, 0.3, 0.35])
    """
    step = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(step))
    unit = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * 0.999)
    first = math.ceil(low / unit - 1e-9)
    return [round(number * unit, 12) for number in range(first, math.floor(high / unit + 1e-9) + 1)]


def drawn(points: Points) -> str:
    """The chart as SVG."""
    xs, ys = ([pair[axis] for line in points.lines.values() for pair in line] for axis in (0, 1))
    (x_low, x_high), (y_low, y_high) = _range(xs), _range(ys)

    def at_x(value: float) -> float:
        return LEFT + (value - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def at_y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<style>{STYLE}</style>",
    ]
    for value in ticks(y_low, y_high):
        y = at_y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_shown(value)}</text>')
    for value in ticks(x_low, x_high):
        label = _label(points, value)
        parts.append(f'<text x="{at_x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{label}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{_text(points.x_name)}</text>'
    )
    for number, (name, line) in enumerate(points.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "".join(f"{'L' if at else 'M'}{at_x(x):.1f} {at_y(y):.1f}" for at, (x, y) in enumerate(thinned(line)))
        parts.append(f'<path stroke="{colour}" d="{path}"/>')
        if len(points.lines) > 1:
            style = f"fill:{colour}"
            parts.append(f'<text style="{style}" x="{LEFT + 8 + number * 85}" y="{TOP - 2}">{_text(name, 12)}</text>')
    return "".join([*parts, "</svg>"])


def chart_of(points: Points) -> str | None:
    """The points as JSON text, for a page that draws them; `None` where no line has two, `x` does not rise along each,
    or its labels are too many: then the picture alone is shown.

    >>> chart_of(Points({"a": [(0.0, 5.0), (1.0, 7.0)]}, "t", None, 2))
    '{"x": "t", "labels": null, "lines": [{"name": "a", "x": [0.0, 1.0], "y": [5.0, 7.0]}]}'
    """
    lines = {name: thinned(line) for name, line in points.lines.items() if line}
    rises = all(before[0] < after[0] for line in lines.values() for before, after in pairwise(line))
    if not rises or max(map(len, lines.values())) < 2 or len(points.labels or ()) > MAX_POINTS:
        return None
    labels = None if points.labels is None else [label[:MAX_LABEL_CHARS] for label in points.labels]
    columns = [
        {"name": name[:MAX_LABEL_CHARS], "x": [_rounded(x) for x, _ in line], "y": [_rounded(y) for _, y in line]}
        for name, line in lines.items()
    ]
    return json.dumps({"x": points.x_name[:MAX_LABEL_CHARS], "labels": labels, "lines": columns})


def _rounded(value: float) -> float:
    """`value` to twelve digits, as many as are shown."""
    return float(f"{value:.12g}")


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 1, high + 1)


def _label(points: Points, value: float) -> str:
    if points.labels is None:
        return _shown(value)
    is_position = value == int(value) and 0 <= value < len(points.labels)
    return _text(points.labels[int(value)], 14) if is_position else ""


def _shown(value: float) -> str:
    return f"{value:,.12g}" if 1e-4 <= abs(value) < 1e9 or value == 0 else f"{value:.3g}"


def _text(text: str, most: int = 90) -> str:
    """Text of model code, without markup and without characters that XML has not."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return escape(plain if len(plain) <= most else f"{plain[: most - 1]}…")
