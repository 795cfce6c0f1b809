"""Column files (Parquet, Arrow), by arro3, which is no built-in package: with its wheels every worker's would not fit.

Where a run has chosen `arro3-io`, rows are read by its Rust; where it has not, the fault says how it is added.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from readers.source import ReadError, Source

NAMES = {"parquet": "a Parquet file", "arrow": "an Arrow (Feather) file"}
FIRST_ROWS = 1


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(_rows(_table(source, kind)))
    return out.getvalue()


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    return {source.name: _rows(_table(source, kind))}


def outline(source: Source, kind: str) -> str:
    """Rows, columns, and the first row."""
    table = _table(source, kind)
    columns = ", ".join(table.column_names[:40])
    first = [column.to_pylist()[0] for column in table.slice(0, FIRST_ROWS).columns] if table.num_rows else []
    return f"{table.num_rows:,} rows of {table.num_columns} columns: {columns}; first row {first[:12]}"


def _rows(table: Any) -> list[list[Any]]:
    columns = [column.to_pylist() for column in table.columns]
    return [list(table.column_names), *map(list, zip(*columns, strict=True))]


def _table(source: Source, kind: str) -> Any:
    try:
        from arro3.io import read_ipc, read_ipc_stream, read_parquet
    except ImportError:
        raise ReadError(
            f"{source.name} is {NAMES[kind]}, whose reader is not here. Save it as CSV; or have the user run "
            "`pyodide-rlm packages add arro3-io`, and ask with the option packages: arro3-io."
        ) from None
    with source.open() as file:
        if kind == "parquet":
            return read_parquet(file).read_all()
        return (read_ipc_stream if source.head.startswith(b"\xff" * 4) else read_ipc)(file).read_all()
