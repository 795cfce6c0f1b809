"""SQLite databases: tables with their rows, and as text each table's definition with them.

A database in WAL mode is opened from a copy in memory whose header says "no WAL", so that it opens without its `-wal`
file; where that file lies beside it, both are copied to a folder and opened there, which gives the true rows.

A view is a program of whoever made the file: it has so many steps, and a value so many bytes, and neither it nor its
database opens a file. One that takes more is named, and the tables are read.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from readers.plain import decode
from readers.source import ReadError, Source

MAX_VIEW_STEPS = 20_000_000
"""Instructions of SQLite's machine that a view may take: about a million rows."""
STEPS_AT_ONCE = 100_000
MAX_VALUE_BYTES = 128 << 20
"""Bytes of the longest value, and of a row."""
_TABLE = re.compile(r"\s*create\s+table\b", re.I)


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    parts = [f"[SQLite {sqlite3.sqlite_version}]"]
    with closing(_opened(source)) as connection:
        for name, definition in _tables(connection):
            try:
                _, rows = _selected(connection, name, definition)
            except ReadError as fault:
                parts.append(f"[not read: {fault}]\n{definition}")
                continue
            lines = ["\t".join("" if value is None else str(value) for value in row) for row in rows]
            parts.append("\n".join([f'[table "{name}", {len(rows):,} rows]', definition, *lines]))
    return "\n\n".join(parts)


def outline(source: Source, kind: str) -> str:
    """Tables with their columns, and the library's version, since its SQL is older than Python's."""
    with closing(_opened(source)) as connection:
        found = []
        for name, definition in _tables(connection)[:20]:
            try:
                names, rows = _selected(connection, name, definition, "limit 1")
            except ReadError:
                found.append(f'view "{name}", not read')
                continue
            found.append(f'table "{name}" ({", ".join(names)}; first row {rows[0] if rows else None})')
    return f"{'; '.join(found)}; SQLite {sqlite3.sqlite_version}"


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    found = {}
    with closing(_opened(source)) as connection:
        for name, definition in _tables(connection):
            try:
                names, rows = _selected(connection, name, definition)
            except ReadError as fault:
                names, rows = [f"not read: {fault}"], []
            found[name] = [names, *map(list, rows)]
    return found


def _selected(
    connection: sqlite3.Connection, name: str, definition: str, rest: str = ""
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of the columns, and the rows.

    Raises:
        ReadError: it is a view that takes too many steps, or cannot be executed, or a page of it is broken.
    """
    is_view = not _TABLE.match(definition)
    steps = iter(range(MAX_VIEW_STEPS // STEPS_AT_ONCE))
    connection.set_progress_handler((lambda: next(steps, None) is None) if is_view else None, STEPS_AT_ONCE)
    try:
        cursor = connection.execute(f"select * from {_quoted(name)} {rest}")
        return [column[0] for column in cursor.description], cursor.fetchall()
    except sqlite3.DatabaseError as fault:
        if connection.text_factory is str:  # likely text in another coding, which SQLite takes
            connection.text_factory = lambda data: decode(data)[0]
            return _selected(connection, name, definition, rest)
        reason = f"it takes more than {MAX_VIEW_STEPS:,} steps" if str(fault) == "interrupted" else str(fault)
        raise ReadError(f'the {"view" if is_view else "table"} "{name}": {reason}') from None
    finally:
        connection.set_progress_handler(None, STEPS_AT_ONCE)


def _opened(source: Source) -> sqlite3.Connection:
    connection = _with_wal(source) or sqlite3.connect(":memory:")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    try:
        connection.execute("pragma trusted_schema = off")
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
    query = (
        "select name, sql from sqlite_master where type in ('table', 'view') and name not like 'sqlite^_%' escape '^'"
    )
    return [(str(name), str(sql)) for name, sql in connection.execute(query)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
