"""Processes: CPU and memory of a process and all below it, as Linux counts them. Standard library only.

In: process numbers. Out: CPU seconds; proportional memory, in which a page that processes share counts once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READING_SECONDS = 0.1
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Peak:
    """Most memory that was seen, in bytes."""

    bytes: int = 0


@contextmanager
def peak_memory(root: int | None = None, *, named: str = "") -> Iterator[Peak]:
    """Watch the memory of `root`, this process by default, and all below it until the block ends.

    Args:
        named: part of a command line; only processes that have it count.
    """
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while True:
            peak.bytes = max(peak.bytes, memory_of(root or os.getpid(), named=named))
            if over.wait(READING_SECONDS):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def memory_of(root: int, *, named: str = "") -> int:
    """Bytes of `root` and all below it; the greatest single one where `named` chooses."""
    sizes = [proportional_bytes(pid) for pid in tree(root) if named in command_of(pid)]
    return max(sizes, default=0) if named else sum(sizes)


def proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it ended meanwhile
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def tree(root: int) -> list[int]:
    """`root` and the processes below it."""
    parents = {pid: parent for pid, (parent, _) in stats().items()}
    return [pid for pid in parents if _is_below(pid, root, parents)]


def cpu_seconds(root: int, *, without: int | None = None) -> float:
    """CPU seconds so far of `root` and all below it, but for those of `without` and below."""
    read = stats()
    parents = {pid: parent for pid, (parent, _) in read.items()}
    return sum(
        seconds
        for pid, (_, seconds) in read.items()
        if _is_below(pid, root, parents) and (without is None or not _is_below(pid, without, parents))
    )


def stats() -> dict[int, tuple[int, float]]:
    """Of each process: its parent, and the CPU seconds so far of it and of its children that have ended."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        found[int(stat.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / TICK
    return found


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid not in (root, 0):
        pid = parents.get(pid, 0)
    return pid == root
