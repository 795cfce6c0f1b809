"""Notebooks (ipynb): cells in their order with the text of their outputs; pictures are named, not shown."""

from __future__ import annotations

import json
from typing import Any

from readers import markup
from readers.plain import decode
from readers.source import ReadError, Source


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    try:
        notebook = json.loads(decode(source.content())[0])
        sheets = notebook.get("worksheets", [])  # of the format 3, of 2015 and before
        cells = [cell for sheet in sheets for cell in sheet["cells"]] if sheets else notebook["cells"]
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ReadError(f"{source.name} is a notebook that is broken: {fault}.") from None
    parts = []
    for number, cell in enumerate(cells, 1):
        lines = [
            f"[cell {number}, {cell.get('cell_type', 'raw')}]",
            _joined(cell.get("source") or cell.get("input") or ""),
        ]
        lines += [_output(output) for output in cell.get("outputs") or []]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _output(output: dict[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"[error] {output.get('ename')}: {output.get('evalue')}"
    if "text" in output:
        return f"[output] {_joined(output['text'])}"
    data = output.get("data", {})
    pictures = [f"[picture {kind}, not shown]" for kind in data if kind.startswith("image/")]
    words = (
        _joined(data.get("text/plain") or "") or markup.text_of(_joined(data.get("text/html") or "")) or _other(data)
    )
    others = [] if words or pictures else [f"[output {kind}, not shown]" for kind in data]
    return "\n".join([*pictures, *others, *([f"[output] {words}"] if words else [])])


def _other(data: dict[str, Any]) -> str:
    """Words of an output in another form, such as Markdown or LaTeX."""
    return next((_joined(value) for kind, value in data.items() if kind.startswith("text/")), "")


def _joined(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
