"""Store: replies that were paid for, kept for whoever asks for them again; and leases on those under way.

In: a key (the hash of run, call, model and messages; see `in_flight.py`) and its reply. Out: that reply, word
for word. Prompts are not in it, not even in part; only successful replies are.

Processes may share a file. A lease says which of them makes a call, so that the others wait for its reply. It is
renewed while the call is under way. That of a process that died on this machine counts no more, that of one elsewhere
ends after `LEASE_SECONDS`; then the next one calls.

By default it is in memory: that outlives every crash of a client, its purpose. A file, which also outlives
the server, is used only where `RLM_STORE_PATH` names one, for replies may quote private documents: it is readable by
its owner alone, and dropped rows are overwritten. SQLite writes it ahead (WAL): a process killed at any
point loses at most the reply it was about to keep. Old replies are dropped by age and by size.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import sqlite3
import sys
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TypedDict, TypeVar

from rlm_core.errors import ConfigError
from rlm_core.types import ModelUsage, Reply

logger = logging.getLogger("rlm_server.store")
T = TypeVar("T")
APPLICATION_ID = 0x524C4D31  # "RLM1"
ROW_BYTES = 100
"""Size of a row besides its text."""
BUSY_SECONDS = 5.0
LEASE_SECONDS = 5.0
"""How long a lease lasts that is not renewed."""
TURNS: dict[Path | None, threading.Lock] = defaultdict(threading.Lock)
"""Whose turn it is to use a file, within this process: SQLite's own wait for another connection takes up to 0.1 s."""
PROCESS = secrets.token_hex(8)
"""This process, also where its number was another's before."""
PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
"""
SCHEMA = """
CREATE TABLE IF NOT EXISTS reply (number INTEGER PRIMARY KEY, key BLOB UNIQUE, at REAL, bytes INTEGER, text TEXT);
CREATE TABLE IF NOT EXISTS lease (key BLOB PRIMARY KEY, owner TEXT, request BLOB, until REAL, stopped INTEGER)
    WITHOUT ROWID;
"""


class Limits(TypedDict):
    """How much is kept, and for how long by which clock."""

    max_bytes: int
    max_seconds: float
    clock: Callable[[], float]


class Lease(Enum):
    """Who makes a call."""

    OURS = "this process"
    THEIRS = "another process"
    STOPPED = "nobody: its user stopped it while it was waited for"


class Store:
    """The replies. A file is read and written in its own thread, memory at once.

    Args:
        path: the file, or `None` for memory.
        max_bytes: most that is kept; the oldest go first.
        max_seconds: how long a reply is kept.
        clock: seconds since the epoch.

    Attributes:
        is_shared: whether other processes may have the same replies.

    Raises:
        ConfigError: the file cannot be used.
    """

    def __init__(
        self, path: Path | None, *, max_bytes: int, max_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        limits: Limits = {"max_bytes": max_bytes, "max_seconds": max_seconds, "clock": clock}
        self._table: _Memory | _Table = _Memory(**limits) if path is None else _Table(path, **limits)
        self.is_shared = path is not None
        self._name = "memory" if path is None else str(path)
        self._fault = ""
        self._turn = TURNS[path]
        self._thread = None if path is None else ThreadPoolExecutor(1, thread_name_prefix="store")

    async def get(self, key: bytes) -> Reply | None:
        """The reply kept under `key`, if there is one."""
        return await self._do(lambda: self._table.get(key))

    async def claim(self, key: bytes, request: bytes, *, waits: bool) -> Reply | Lease:
        """The reply kept under `key`, or who makes the call of `request`: this process, unless another does by now.

        Args:
            request: hash of the run and the call.
            waits: whether it was waited for before, so that a stop was meant for this one too.
        """
        claimed = await self._do(lambda: self._table.claim(key, request, waits))
        return Lease.OURS if claimed is None else claimed

    async def put(self, key: bytes, reply: Reply) -> None:
        """Keep `reply` and end its lease; it is safe from a kill of this process when this returns."""
        await self._do(lambda: self._table.put(key, reply))

    async def renew(self, keys: Sequence[bytes]) -> list[bytes]:
        """Renew the leases of the calls under way; those that were stopped at another process."""
        return await self._do(lambda: self._table.renew(keys)) or []

    async def release(self, key: bytes) -> None:
        """End the lease of a call that failed."""
        if self.is_shared:
            await self._do(lambda: self._table.release(key))

    async def stop(self, request: bytes) -> int:
        """Have every process stop its calls of `request`; how many the others have under way."""
        return (await self._do(lambda: self._table.stop(request)) or 0) if self.is_shared else 0

    def close(self) -> None:
        """Finish the writes under way."""
        if self._thread is not None:
            self._thread.shutdown()
        self._table.close()

    async def _do(self, work: Callable[[], T]) -> T | None:
        """A store that fails costs a repeated call at worst, so it fails nobody's request."""
        try:
            if self._thread is None:
                return work()
            result = await asyncio.get_running_loop().run_in_executor(self._thread, self._in_turn, work)
        except sqlite3.Error as fault:
            self._log_once(str(fault))
            return None
        self._fault = ""
        return result

    def _in_turn(self, work: Callable[[], T]) -> T:
        with self._turn:
            return work()

    def _log_once(self, reason: str) -> None:
        """One line for a fault that lasts; it is logged again once the store has worked in between."""
        if reason != self._fault:
            logger.warning(json.dumps({"store": "failed", "file": self._name, "reason": reason}))
        self._fault = reason


def check_store(path: Path | None) -> None:
    """Make the file of a store, or see that it can be used.

    Raises:
        ConfigError: it cannot be used.
    """
    if path is not None:
        _Table(path, max_bytes=2**62, max_seconds=2**62, clock=time.time).close()


class _Memory:
    """The replies of this process, the oldest first."""

    def __init__(self, *, max_bytes: int, max_seconds: float, clock: Callable[[], float]) -> None:
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.clock = clock
        self.bytes = 0
        self._replies: OrderedDict[bytes, tuple[float, int, Reply]] = OrderedDict()

    def get(self, key: bytes) -> Reply | None:
        at, _, reply = self._replies.get(key, (0.0, 0, None))
        return reply if at >= self.clock() - self.max_seconds else None

    def claim(self, key: bytes, request: bytes, waits: bool) -> Reply | Lease:
        return self.get(key) or Lease.OURS

    def put(self, key: bytes, reply: Reply) -> None:
        size = sys.getsizeof(reply.text) + sys.getsizeof(reply.reasoning) + ROW_BYTES
        if size > self.max_bytes or key in self._replies:
            return
        now = self.clock()
        self._replies[key] = (now, size, reply)
        self.bytes += size
        while self.bytes > self.max_bytes or next(iter(self._replies.values()))[0] < now - self.max_seconds:
            self.bytes -= self._replies.popitem(last=False)[1][1]

    def renew(self, keys: Sequence[bytes]) -> list[bytes]:
        return []

    def release(self, key: bytes) -> None:
        pass

    def stop(self, request: bytes) -> int:
        return 0

    def close(self) -> None:
        self._replies.clear()


class _Table:
    """The replies in a file, as one table; used by one thread at a time."""

    def __init__(self, path: Path, *, max_bytes: int, max_seconds: float, clock: Callable[[], float]) -> None:
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.clock = clock
        self.owner = f"{_machine()} {os.getpid()} {PROCESS} {secrets.token_hex(8)}"
        self.rows = open_database(path, SCHEMA)
        (self.bytes,) = self.rows.execute("SELECT coalesce(sum(bytes), 0) FROM reply").fetchone()

    def get(self, key: bytes) -> Reply | None:
        row = self.rows.execute("SELECT at, text FROM reply WHERE key = ?", (key,)).fetchone()
        if row is None or row[0] < self._oldest():
            return None
        return _reply(row[1])

    def claim(self, key: bytes, request: bytes, waits: bool) -> Reply | Lease:
        now = self.clock()
        with self.rows:
            self.rows.execute("BEGIN IMMEDIATE")
            if reply := self.get(key):
                return reply
            self.rows.execute("DELETE FROM lease WHERE until < ?", (now,))
            held = self.rows.execute("SELECT owner, stopped FROM lease WHERE key = ?", (key,)).fetchone()
            owner, stopped = held or ("", 0)
            if stopped and waits:
                return Lease.STOPPED
            if owner and not stopped and not _is_gone(owner):
                return Lease.THEIRS
            lease = (key, self.owner, request, now + LEASE_SECONDS)
            self.rows.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, 0)", lease)
        return Lease.OURS

    def renew(self, keys: Sequence[bytes]) -> list[bytes]:
        until = self.clock() + LEASE_SECONDS
        with self.rows:
            self.rows.execute("BEGIN IMMEDIATE")
            update = "UPDATE lease SET until = ? WHERE key = ? AND owner = ?"
            self.rows.executemany(update, [(until, key, self.owner) for key in keys])
        stopped = self.rows.execute("SELECT key FROM lease WHERE owner = ? AND stopped", (self.owner,))
        return [key for (key,) in stopped if key in keys]

    def release(self, key: bytes) -> None:
        """End a lease; one that was stopped stays until its time is over, for those who wait."""
        self.rows.execute("DELETE FROM lease WHERE key = ? AND owner = ? AND NOT stopped", (key, self.owner))

    def stop(self, request: bytes) -> int:
        mark = "UPDATE lease SET stopped = 1 WHERE request = ? AND until >= ? RETURNING owner"
        owners = self.rows.execute(mark, (request, self.clock())).fetchall()
        return sum(owner != self.owner for (owner,) in owners)

    def put(self, key: bytes, reply: Reply) -> None:
        text = json.dumps(asdict(reply))
        size = len(text) + ROW_BYTES
        if size > self.max_bytes:
            self.release(key)
            return
        before = self.bytes
        try:
            with self.rows:
                self.rows.execute("BEGIN IMMEDIATE")
                insert = "INSERT OR IGNORE INTO reply (key, at, bytes, text) VALUES (?, ?, ?, ?)"
                self.bytes += size * self.rows.execute(insert, (key, self.clock(), size, text)).rowcount
                self.release(key)
                self._trim()
        except sqlite3.Error:
            self.bytes = before  # the rows are as they were: the transaction was rolled back
            raise

    def close(self) -> None:
        self.rows.close()

    def _trim(self) -> None:
        """Drop the oldest replies until age and size are as allowed."""
        while True:
            row = self.rows.execute("SELECT number, at, bytes FROM reply ORDER BY number LIMIT 1").fetchone()
            if row is None or (row[1] >= self._oldest() and self.bytes <= self.max_bytes):
                return
            self.rows.execute("DELETE FROM reply WHERE number = ?", row[:1])
            self.bytes -= row[2]

    def _oldest(self) -> float:
        return self.clock() - self.max_seconds


def paid_in(path: Path) -> ModelUsage:
    """Usage of all replies that are kept in the file at `path`; none where there is no file.

    Raises:
        ConfigError: it is no store.
    """
    if not path.exists():
        return ModelUsage(cost=0.0)
    rows = open_database(path, SCHEMA)
    try:
        return sum((_reply(text).usage for (text,) in rows.execute("SELECT text FROM reply")), ModelUsage(cost=0.0))
    finally:
        rows.close()


def open_database(path: Path | None, schema: str) -> sqlite3.Connection:
    """The database of the store, with the tables of `schema`; in memory without a path.

    Raises:
        ConfigError: the file cannot be used.
    """
    try:
        if path is None:
            rows = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        else:
            _own(path)
            rows = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
        _check_kind(rows)
        rows.executescript(PRAGMAS + schema)
    except (OSError, sqlite3.Error) as fault:
        raise ConfigError(f"RLM_STORE_PATH: {path} cannot be used ({fault}). Choose another file.") from None
    return rows


def _machine() -> str:
    """The machine, or the container in it, within which a process number means one process."""
    try:
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbers = ""
    return f"{socket.gethostname()} {numbers}"


def _is_gone(owner: str) -> bool:
    """Whether the process of a lease is known to have ended."""
    machine, number, process, _ = owner.rsplit(" ", 3)
    if machine != _machine() or os.name != "posix":  # elsewhere `kill` with 0 is no question
        return False
    if int(number) == os.getpid():
        return process != PROCESS
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it is there, and another user's
    return False


def _own(path: Path) -> None:
    """Make the file if need be, for its owner alone; SQLite gives its other files the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)


def _check_kind(rows: sqlite3.Connection) -> None:
    """Leave a database of someone else as it is."""
    (kind,) = rows.execute("PRAGMA application_id").fetchone()
    (tables,) = rows.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if kind != APPLICATION_ID and tables:
        raise sqlite3.DatabaseError("it is a database of another program")
    rows.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _reply(text: str) -> Reply:
    fields = json.loads(text)
    usage, reasoning = ModelUsage(**fields["usage"]), fields.get("reasoning", "")
    return Reply(fields["text"], fields["model"], usage, fields.get("finish_reason"), reasoning)
