"""Reports: the rows and curves as results.json, as charts, and as a table for docs/performance.md.

In: measurements. Out: `results.json`, `chart.svg` and `curves.svg` here, and the lines between two marks in the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from tests.bench.curve_chart import curve_chart
from tests.bench.curves import Curve
from tests.bench.lab import HERE, ROOT
from tests.bench.rows import Row, as_json

PARTS = ("<!-- bench:begin -->", "<!-- bench:end -->")
END_TO_END = ("<!-- end-to-end:begin -->", "<!-- end-to-end:end -->")
"""Marks in docs/performance.md, between which a table is written."""
ROW_HEIGHT, LABEL_WIDTH, BAR_WIDTH = 24, 380, 320
GREEN, RED, GREY = "#2da44e", "#cf222e", "#57606a"


def write_reports(
    whole: Sequence[Row], rows: Sequence[Row], curves: Sequence[Curve], *, machine: str, quick: bool, seconds: float
) -> None:
    """Write the rows of whole runs into results.json, those of parts there, into the charts and the page."""
    shapes = [
        {
            "what": c.what,
            "unit": c.unit,
            "sizes": c.sizes,
            "seconds": c.seconds,
            "slope": c.slope,
            "each": c.each,
        }
        for c in curves
    ]
    facts = {"machine": machine, "quick": quick, "seconds": round(seconds), "rows": [as_json(row) for row in rows]}
    facts["whole_runs"] = [as_json(row) for row in whole]
    (HERE / "results.json").write_text(json.dumps({**facts, "curves": shapes}, indent=1) + "\n")
    (HERE / "chart.svg").write_text("\n".join(chart(rows)) + "\n")
    (HERE / "curves.svg").write_text("\n".join(curve_chart(curves)) + "\n")
    write_page(
        ROOT / "docs" / "performance.md",
        [*table(rows), "", *growth(curves), "", f"Measured on {machine}."],
        marks=PARTS,
    )


def line_of(row: Row) -> str:
    verdict = "ok  " if row.ok else "MISS"
    against = "" if row.peer_value is None else f" against {shown(row.peer_value)} {row.unit} of {row.peer}"
    note = f" ({row.note})" if row.note else ""
    return f"{verdict} {row.what}: {shown(row.value)} {row.unit}{against}; {limit_of(row)}{note}"


def limit_of(row: Row) -> str:
    if row.budget is None:
        return "" if row.peer_value is None else f"{row.measured:.2f}x"
    if row.peer_value is None:
        return f"budget {row.budget:g} {row.unit}"
    return f"{row.measured:.2f}x of at most {row.budget:g}x"


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| what | measured | against | ratio or budget | |"
    yield "|---|---|---|---|---|"
    for row in rows:
        peer = "" if row.peer_value is None else f"{row.peer}: {shown(row.peer_value)} {row.unit}"
        verdict = row.verdict if row.ok else "**missed**"
        yield f"| {row.what} | {shown(row.value)} {row.unit} | {peer} | {limit_of(row)} | {verdict} |"


def growth(curves: Sequence[Curve]) -> Iterator[str]:
    for curve in curves:
        points = ", ".join(f"{size:,}: {shown(s)} s" for size, s in zip(curve.sizes, curve.seconds, strict=True))
        yield f"- {curve.what} ({curve.unit}), growing as size^{curve.slope:.2f}, {each(curve)}: {points}"


def each(curve: Curve) -> str:
    """Cost of one unit, where there is one: `0.21 ms a call`."""
    if curve.unit == "bytes":
        return f"{shown(curve.each * 1e9)} ms a megabyte"
    return f"{shown(curve.each * 1e3)} ms each"


def chart(rows: Sequence[Row]) -> Iterator[str]:
    """Each row with a budget as a bar: its share of it."""
    rows = [row for row in rows if row.budget is not None]
    width, height = LABEL_WIDTH + BAR_WIDTH + 90, ROW_HEIGHT * (len(rows) + 1)
    font = "font-family='system-ui, sans-serif' font-size='13'"
    yield f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' {font}>"
    yield "<title>What each measurement uses of its budget</title>"
    for index, row in enumerate(rows):
        share = max(row.measured / (row.budget or 1), 0)
        top = ROW_HEIGHT * index
        bar = min(share, 1.25) / 1.25 * BAR_WIDTH
        label = escape(named(row, rows))
        yield f"<text x='{LABEL_WIDTH - 8}' y='{top + 16}' text-anchor='end' fill='{GREY}'>{label}</text>"
        colour = GREEN if row.ok else RED
        yield f"<rect x='{LABEL_WIDTH}' y='{top + 4}' width='{bar:.1f}' height='{ROW_HEIGHT - 8}' fill='{colour}'/>"
        yield f"<text x='{LABEL_WIDTH + bar + 6:.1f}' y='{top + 16}' fill='{GREY}'>{share:.0%}</text>"
    at = LABEL_WIDTH + BAR_WIDTH / 1.25
    yield f"<line x1='{at}' y1='0' x2='{at}' y2='{ROW_HEIGHT * len(rows)}' stroke='{GREY}' stroke-dasharray='4'/>"
    yield f"<text x='{at}' y='{height - 7}' text-anchor='middle' fill='{GREY}'>budget</text>"
    yield "</svg>"


def named(row: Row, rows: Sequence[Row]) -> str:
    """The measured quantity, with its peer where another row measures the same."""
    alone = sum(other.what == row.what for other in rows) == 1
    return row.what if alone or not row.peer else f"{row.what}: {row.peer}"


def write_page(path: Path, lines: Sequence[str], *, marks: tuple[str, str]) -> None:
    """Put `lines` between the two marks; a page without them is left alone."""
    begin, end = marks
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        return
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}", encoding="utf-8")
