"""The store: replies kept, for how long, where; and it never fails a request."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from rlm_core.errors import ConfigError
from rlm_core.types import ModelUsage, Reply
from rlm_server.calls.reply_store import ROW_BYTES, Store, _Table, check_store

T = TypeVar("T")
REPLY = Reply("text \ud800 \N{GRINNING FACE}", "openai:m", ModelUsage(1, 7, 2, 3, 0.25))


def with_store(path: Path | None, work: Callable[[Store], Awaitable[T]], **options: object) -> T:
    store = Store(path, **{"max_bytes": 10_000, "max_seconds": 60, **options})  # type: ignore[arg-type]
    try:
        return asyncio.run(work(store))  # type: ignore[arg-type]
    finally:
        store.close()


def kept(replies: dict[bytes, Reply], **options: object) -> set[bytes]:
    """The keys that are still there after all of `replies` were put."""

    async def work(store: Store) -> set[bytes]:
        for key, reply in replies.items():
            await store.put(key, reply)
        return {key for key in replies if await store.get(key)}

    return with_store(None, work, **options)


def test_a_reply_comes_back_word_for_word_also_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.sqlite"
    with_store(path, lambda store: store.put(b"k", REPLY))
    assert with_store(path, lambda store: store.get(b"k")) == REPLY
    assert with_store(path, lambda store: store.get(b"other")) is None


def test_the_first_reply_stays() -> None:
    async def work(store: Store) -> Reply | None:
        await store.put(b"k", Reply("first"))
        await store.put(b"k", Reply("second"))
        return await store.get(b"k")

    reply = with_store(None, work)
    assert reply is not None
    assert reply.text == "first"


def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    replies = {bytes([number]): Reply("x" * 1000) for number in range(30)}
    left = kept(replies, max_bytes=10_000)
    assert left == {bytes([number]) for number in range(30 - len(left), 30)}
    assert 6 <= len(left) <= 9


def test_one_that_is_too_large_is_not_kept_and_drops_nothing() -> None:
    assert kept({b"a": Reply("a"), b"b": Reply("x" * 20_000)}) == {b"a"}
    assert kept({b"a": Reply("a")}, max_bytes=0) == set()
    assert ROW_BYTES > 0


def test_a_reply_is_kept_for_so_long() -> None:
    now = 1000.0

    async def work(store: Store) -> list[bool]:
        nonlocal now
        await store.put(b"k", REPLY)
        now = 1059.0
        before = await store.get(b"k")
        now = 1061.0
        return [before is not None, await store.get(b"k") is not None]

    assert with_store(None, work, clock=lambda: now) == [True, False]


def test_what_is_too_old_is_dropped_at_the_next_write(tmp_path: Path) -> None:
    path, now = tmp_path / "store", 1000.0
    with_store(path, lambda store: store.put(b"old", Reply("old words")), clock=lambda: now)
    now = 2000.0
    with_store(path, lambda store: store.put(b"new", Reply("new words")), clock=lambda: now)
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert (b"new words" in content, b"old words" in content) == (True, False)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.touch(mode=0o644)

    async def modes(store: Store) -> set[int]:
        await store.put(b"k", REPLY)
        return {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}

    assert with_store(path, modes) == {0o600}


def test_a_file_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    text, foreign, folder = tmp_path / "notes.txt", tmp_path / "other.sqlite", tmp_path / "folder"
    text.write_text("my notes, my notes, my notes, " * 100)
    folder.mkdir()
    with sqlite3.connect(foreign) as rows:
        rows.execute("CREATE TABLE theirs (x)")
    rows.close()
    before = (text.read_bytes(), foreign.read_bytes())
    for path in (text, foreign, folder, text / "below"):
        with pytest.raises(ConfigError, match="RLM_STORE_PATH"):
            check_store(path)
    assert (text.read_bytes(), foreign.read_bytes()) == before


def test_a_store_that_fails_costs_a_call_and_no_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(store: Store) -> Reply | None:
        with sqlite3.connect(tmp_path / "store") as rows:
            rows.execute("DROP TABLE reply")
        rows.close()
        await store.put(b"k", REPLY)
        return await store.get(b"k")

    assert with_store(tmp_path / "store", work) is None
    assert '"store": "failed"' in caplog.text


def test_after_a_full_disk_the_bytes_are_counted_from_the_truth(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.sqlite"
    store = Store(path, max_bytes=10_000_000, max_seconds=60)
    table = store._table
    assert isinstance(table, _Table)

    async def fill() -> None:
        await store.put(b"0", Reply("x" * 1000))
        (pages,) = table.rows.execute("PRAGMA page_count").fetchone()
        table.rows.execute(f"PRAGMA max_page_count = {pages + 1}")
        for number in range(1, 20):
            await store.put(bytes([number]), Reply("x" * 500_000))
        table.rows.execute("PRAGMA max_page_count = 1000000")
        await store.put(b"later", Reply("y" * 500_000))

    asyncio.run(fill())
    (there,) = table.rows.execute("SELECT sum(bytes) FROM reply").fetchone()
    assert table.bytes == there
    kept_keys = {key for (key,) in table.rows.execute("SELECT key FROM reply")}
    store.close()
    assert kept_keys == {b"0", b"later"}
    [line] = [record.message for record in caplog.records if record.name == "rlm_server.store"]
    assert str(path) in line
    assert "full" in line
