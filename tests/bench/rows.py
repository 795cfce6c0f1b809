"""Rows: each line of the performance budget as one measurement.

In: an open `Lab` and how thorough to be. Out: `Row`s. A row that names a peer is a ratio, both sides measured in turn.
Child runs, files, pauses, memory and the server have modules of their own.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.lab import HERE, ROOT, Lab
from tests.bench.server import OPEN_WORKER

PEERS = ROOT / "build" / "bench" / "peers"
RLMS = "rlms==0.1.3"
MB = 1_000_000
HEAP = "import pyodide_js\nheap = lambda: pyodide_js._module.HEAP8.length\n"
SUB_CALLS = """
import time
def once(n):
    began = time.perf_counter()
    for _ in range(n): llm_query('x')
    return (time.perf_counter() - began) / n * 1000
once(1000)
print(sorted(once({n}) for _ in range(5))[2])
"""
BATCH = """
import time
began = time.perf_counter()
replies = llm_batch([f'{number} {began}' for number in range(1000)], model='openai:wait-100')
print(time.perf_counter() - began, len(replies))
"""
STOPS = {"in C": "sum(range(10**12))", "in Python": "while True: pass"}


@dataclass(frozen=True)
class Row:
    """One line of the budget. `budget` bounds `value`, or its ratio to `peer_value` where there is a peer.

    Attributes:
        spread: quartiles of the bounded quantity, where it was measured several times.
    """

    what: str
    value: float
    unit: str
    budget: float | None
    peer: str = ""
    peer_value: float | None = None
    note: str = ""
    spread: tuple[float, float] | None = None

    @property
    def measured(self) -> float:
        return self.value if self.peer_value is None else self.value / self.peer_value

    @property
    def verdict(self) -> str:
        """ "within", "missed", "in the noise" where the quartiles lie on both sides of the budget, "" without one."""
        if self.budget is None:
            return ""
        low, high = self.spread or (self.measured, self.measured)
        return "within" if high <= self.budget else "missed" if low > self.budget else "in the noise"

    @property
    def ok(self) -> bool:
        return self.verdict != "missed"


def all_rows(lab: Lab, *, quick: bool) -> Iterator[Row]:
    """The rows that have no module of their own."""
    lab.bench("prepare")
    yield from ready_rows(lab, count=3 if quick else 7)
    rlms = [peer() for _ in range(5)]
    yield from call_rows(lab, count=200 if quick else 500, rlms=[call for call, _ in rlms])
    yield from context_rows(lab, count=3 if quick else 5, rlms=[context for _, context in rlms])
    yield batch_row(lab, count=2 if quick else 5)
    yield iteration_row(lab)
    yield from stop_rows(lab, count=2 if quick else 5)
    yield from install_rows(count=3 if quick else 7)


def ready_rows(lab: Lab, *, count: int) -> Iterator[Row]:
    lab.plain("ready", count=1)
    lab.bench("ready", how=OPEN_WORKER, count=1)
    ours, plain, opened, without = [], [], [], []
    for _ in range(count):
        ours += lab.bench("ready", how="kept", count=3)
        plain += lab.plain("ready", count=1)
        opened += lab.bench("ready", how=OPEN_WORKER, count=3)
        without += lab.bench("ready", how="plain", count=1)
    median = statistics.median
    yield Row("worker ready, warm cache", median(ours), "ms", 0.25, "plain loadPyodide()", median(plain))
    yield Row(
        "worker ready without a snapshot (.pyc)", median(without), "ms", 0.8, "plain loadPyodide()", median(plain)
    )
    yield Row("containment: worker ready", median(ours), "ms", 1.1, "the same worker, open", median(opened))
    first = []
    for _ in range(count):
        page = lab.fresh_page()
        first.append(page.evaluate("() => bench.first()")["ms"])
        page.close()
    yield Row("first worker of a fresh page", median(first), "ms", 0.5, "plain loadPyodide()", median(plain))


def call_rows(lab: Lab, *, count: int, rlms: list[float]) -> Iterator[Row]:
    ours, opened, raw = [], [], []
    code = SUB_CALLS.format(n=count)
    for _ in range(9):
        ours.append(float(lab.printed([code])[0]))
        raw.append(lab.plain("pingPong", count=1000))
        opened.append(float(lab.printed([code], script=OPEN_WORKER)[0]))
    median = statistics.median
    yield Row("llm_query, instant model", median(ours), "ms", 0.5, "rlms LocalREPL", median(rlms))
    yield Row("llm_query, instant model", median(ours), "ms", 2.0, "raw Atomics ping-pong", median(raw))
    yield Row("containment: llm_query", median(ours), "ms", 1.1, "the same worker, open", median(opened))


def peer() -> tuple[float, float]:
    """Of `rlms`, which is installed on first use: milliseconds of one `llm_query`, seconds of 100 MB as context."""
    if not PEERS.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PEERS), RLMS]
        subprocess.run(pip, check=True)
    command = [sys.executable, str(HERE / "peer_rlms.py")]
    environment = {**os.environ, "PYTHONPATH": str(PEERS)}
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    call, context = map(float, printed.split()[-2:])
    return call, context


def context_rows(lab: Lab, *, count: int, rlms: list[float]) -> Iterator[Row]:
    seconds, heaps = [], []
    for _ in range(count):
        small = lab.bench("context", bytes=1000)["times"][0]
        large = lab.bench("context", bytes=100 * MB, blocks=[HEAP + "print(heap())"])
        seconds.append((large["times"][0] - small) / 1000)
        heaps.append(int(large["printed"][0]) / MB)
    took = statistics.median(seconds)
    yield Row("100 MB of text as context", took, "s", 0.3)
    yield Row("100 MB of text as context", took, "s", 1.0, "rlms LocalREPL", statistics.median(rlms))
    yield Row("its peak heap, against the text", statistics.median(heaps) / 100, "x", 2.5)


def batch_row(lab: Lab, *, count: int) -> Row:
    seconds = []
    for _ in range(count):
        took, replies = lab.bench("run", blocks=[BATCH])["printed"][0].split()
        assert int(replies) == 1000
        seconds.append(float(took))
    return Row("llm_batch of 1,000, model of 100 ms, 64 at a time", statistics.median(seconds), "s", 1.15, "ideal", 1.6)


def iteration_row(lab: Lab) -> Row:
    times = lab.bench("converse", blocks=["pass"] * 60)["times"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    return Row("an iteration's own cost", statistics.median(gaps[:20]), "ms", 2.0, note=f"the 60th: {gaps[-2]:.1f} ms")


def stop_rows(lab: Lab, *, count: int) -> Iterator[Row]:
    for where, block in STOPS.items():
        times = []
        for _ in range(count):
            result = lab.bench("run", blocks=[block], stopAfter=300)
            assert result["stoppedBy"] == "cancelled"
            times.append(result["stopMs"] / 1000)
        yield Row(f"stop, in a loop {where}", max(times), "s", 0.5)


def install_rows(*, count: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        build = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            folder,
            ".",
        ]
        subprocess.run(build, cwd=ROOT, check=True)
        [wheel] = Path(folder).glob("*.whl")
        yield Row("the wheel", wheel.stat().st_size / MB, "MB", 14)
    with_it = [import_seconds("import rlm_server.http.app") for _ in range(count)]
    bare = [import_seconds("pass") for _ in range(count)]
    yield Row("import of the server", statistics.median(with_it) - statistics.median(bare), "s", 0.5)


def import_seconds(code: str) -> float:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'server'}"}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return time.perf_counter() - began


def as_json(row: Row) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return {**fields, "measured": row.measured, "ok": row.ok}
