"""SQLite databases: tables with their rows, and as text each table's definition with them.

A database in WAL mode is opened from a copy in memory whose header says "no WAL", so that it opens without its `-wal`
file; where that file lies beside it, both are copied to a folder and opened there, which gives the true rows.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from readers.source import ReadError, Source


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    parts = [f"[SQLite {sqlite3.sqlite_version}]"]
    with closing(_opened(source)) as connection:
        for name, definition in _tables(connection):
            rows = connection.execute(f"select * from {_quoted(name)}").fetchall()
            lines = ["\t".join("" if value is None else str(value) for value in row) for row in rows]
            parts.append("\n".join([f'[table "{name}", {len(rows):,} rows]', definition, *lines]))
    return "\n\n".join(parts)


def outline(source: Source, kind: str) -> str:
    """Tables with their columns, and the library's version, since its SQL is older than Python's."""
    with closing(_opened(source)) as connection:
        found = []
        for name, _ in _tables(connection)[:20]:
            cursor = connection.execute(f"select * from {_quoted(name)} limit 1")
            columns = ", ".join(column[0] for column in cursor.description)
            found.append(f'table "{name}" ({columns}; first row {cursor.fetchone()})')
    return f"{'; '.join(found)}; SQLite {sqlite3.sqlite_version}"


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    found = {}
    with closing(_opened(source)) as connection:
        for name, _ in _tables(connection):
            cursor = connection.execute(f"select * from {_quoted(name)}")
            found[name] = [[column[0] for column in cursor.description], *map(list, cursor)]
    return found


def _opened(source: Source) -> sqlite3.Connection:
    connection = _with_wal(source) or sqlite3.connect(":memory:")
    try:
        if not connection.execute("pragma database_list").fetchone()[2]:
            data = bytearray(source.content())
            data[18:20] = b"\1\1"  # the file format's versions: 2 is WAL, which a database in memory has none of
            connection.deserialize(bytes(data))
        is_empty = connection.execute("select count(*) from sqlite_master").fetchone() == (0,)
    except (sqlite3.DatabaseError, OverflowError) as fault:
        connection.close()
        raise ReadError(f"{source.name} is an SQLite database that cannot be opened: {fault}.") from None
    if is_empty and source.head[18:20] == b"\2\2":
        connection.close()
        raise ReadError(
            f"{source.name} is an SQLite database in WAL mode without a table: all is in {source.name}-wal, which "
            "is not here. Give the folder with both files, or run `pragma wal_checkpoint(truncate)` first."
        )
    return connection


def _with_wal(source: Source) -> sqlite3.Connection | None:
    """A copy of the database with the `-wal` file that lies beside it; None where there is none."""
    beside = None if source.path is None else source.path.with_name(f"{source.path.name}-wal")
    if beside is None or source.data is not None or not beside.is_file() or beside.stat().st_size == 0:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "copy.db").write_bytes(source.content())
    (folder / "copy.db-wal").write_bytes(beside.read_bytes())
    return sqlite3.connect(folder / "copy.db")


def _tables(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    query = "select name, sql from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%'"
    return [(str(name), str(sql)) for name, sql in connection.execute(query)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
