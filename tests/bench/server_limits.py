"""Server limits: one server alone, without a browser: calls a second, runs and streams at once, kept replies.

`python -m tests.bench.server_limits [--calls 2000] [--write]`, on a quiet machine: about a minute. Out: a table; with
`--write` also `server_limits.json`, which `simulation.py` reads. Server, model and client are processes of their own,
so that the server's processor time is its alone: that figure says most also on a machine that has other work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from rlm_core.types import ModelUsage, Reply
from rlm_server.calls.reply_store import Limits, _Memory, _Table
from tests.bench.processes import cpu_seconds, memory_of

RESULTS = Path(__file__).with_name("server_limits.json")
ROOT = Path(__file__).parents[2]
MIB = 1 << 20
REPLY_CHARS = 2_000


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    url: str
    pid: int

    def busy(self) -> float:
        """Processor seconds so far."""
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Bytes of memory."""
        return memory_of(self.pid)


@contextmanager
def started(module: str, environment: dict[str, str]) -> Iterator[Server]:
    """`python -m module` until the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RLM_")}
    own = {"PYTHONPATH": f"{ROOT}:{ROOT / 'server'}", **environment}
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, cwd=ROOT, env={**kept, **own}, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found, f"{module} printed no URL"
        yield Server(found[0], process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def relay(store: Path | None = None) -> Iterator[Server]:
    """The server, before a model that answers at once or after a second."""
    with ExitStack() as stack:
        site = stack.enter_context(started("tests.bench.site", {}))
        models = "openai:wait-0,openai:wait-1000"
        provider = {"OPENAI_BASE_URL": f"{site.url}/v1", "OPENAI_API_KEY": "bench", "RLM_MODELS": models}
        kept = {"RLM_CONNECT_SECONDS": "60"} | ({} if store is None else {"RLM_STORE_PATH": str(store)})
        yield stack.enter_context(started("tests.bench.server", {**provider, **kept, "OLLAMA_BASE_URL": "none"}))


async def calls(
    server: Server, *, count: int, at_once: int, model: str = "openai:wait-0", calls_a_run: int = 3
) -> float:
    """Make `count` calls, each with its key; the seconds that they took."""
    limits = httpx2.Limits(max_connections=at_once)
    numbers = iter(range(count))
    tag = f"{time.monotonic_ns()}"
    async with httpx2.AsyncClient(headers={"Origin": server.url}, limits=limits, timeout=120) as client:

        async def worker() -> None:
            for number in numbers:
                headers = {"Idempotency-Key": f"run-{tag}-{number // calls_a_run}/{number % calls_a_run}"}
                body = {"model": model, "prompt": f"{number}"}
                response = await client.post(f"{server.url}/api/rlm", json=body, headers=headers)
                assert response.status_code == 200, response.text

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        return time.perf_counter() - began


def measured_calls(server: Server, *, count: int, at_once: int, **options: Any) -> dict[str, float]:
    """Processor milliseconds of a call, calls a second that a core allows, and the seconds by the clock."""
    asyncio.run(calls(server, count=50, at_once=at_once, **options))
    busy, before = server.busy(), server.memory()
    seconds = asyncio.run(calls(server, count=count, at_once=at_once, **options))
    each = (server.busy() - busy) / count
    grown = (server.memory() - before) / count
    return {
        "at_once": at_once,
        "busy_ms": each * 1e3,
        "calls_a_core": 1 / each,
        "calls": count / seconds,
        "bytes": grown,
    }


def measured_store(path: Path | None, *, replies: int) -> dict[str, float]:
    """Writes and reads a second of the table of kept replies, and bytes of a reply."""
    limits: Limits = {"max_bytes": 1 << 40, "max_seconds": 86_400, "clock": time.time}
    table = _Memory(**limits) if path is None else _Table(path, **limits)
    reply = Reply(
        "x" * REPLY_CHARS, model="openai:m", usage=ModelUsage(calls=1, input_tokens=9, output_tokens=9, cost=0.1)
    )
    keys = [number.to_bytes(16, "big") for number in range(replies)]
    try:
        times = []
        for work in (lambda key: table.put(key, reply), table.get):
            began = time.perf_counter()
            for key in keys:
                work(key)
            times.append(replies / (time.perf_counter() - began))
        return {"puts": times[0], "gets": times[1], "bytes": table.bytes / replies}
    finally:
        table.close()


def measured(count: int, waiting: Sequence[int]) -> dict[str, Any]:
    """All of it."""
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "reply_chars": REPLY_CHARS}
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        with relay() as server:
            found["memory_idle"] = server.memory()
            found["in memory"] = [measured_calls(server, count=count, at_once=n) for n in (1, 16, 64, 256)]
            found["runs of one call"] = measured_calls(server, count=count, at_once=64, calls_a_run=1)
            found["waiting"] = [measured_calls(server, count=n, at_once=n, model="openai:wait-1000") for n in waiting]
            found["memory_after"] = server.memory()
        with relay(Path(folder, "store")) as server:
            found["in a file"] = [measured_calls(server, count=count, at_once=n) for n in (16, 64)]
        found["table in memory"] = measured_store(None, replies=5_000)
        found["table in a file"] = measured_store(Path(folder, "table"), replies=5_000)
    loads.append(os.getloadavg()[0])
    return {**found, "load": round(statistics.mean(loads), 1)}


def table_of(found: dict[str, Any]) -> str:
    """The figures as a table of Markdown."""
    lines = ["| one server process | | |", "|---|---|---|"]
    kinds = [
        *((row, "kept in memory") for row in found["in memory"]),
        *((row, "kept in a file") for row in found["in a file"]),
    ]
    for row, kept in kinds:
        what = f"calls that are answered at once, {row['at_once']:.0f} at a time, replies {kept}"
        lines.append(
            f"| {what} | {row['busy_ms']:.1f} ms of processor a call | {row['calls_a_core']:,.0f} a second and core |"
        )
    for row in found["waiting"]:
        what = f"{row['at_once']:,.0f} calls of 1 s at once"
        lines.append(
            f"| {what} | {row['busy_ms']:.1f} ms of processor a call | all in {row['at_once'] / row['calls']:.1f} s |"
        )
    for name in ("table in memory", "table in a file"):
        row = found[name]
        what = f"kept replies of {found['reply_chars']:,} characters, {name}"
        rates = f"{row['puts']:,.0f} written, {row['gets']:,.0f} read a second"
        lines.append(f"| {what} | {rates} | {row['bytes']:,.0f} bytes each |")
    memory = f"{found['memory_idle'] / MIB:.0f} MB idle | {found['memory_after'] / MIB:.0f} MB afterwards"
    return "\n".join(
        [*lines, f"| memory | {memory} |", "", f"{found['cores']} cores, load {found['load']}, {found['date']}."]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server_limits", description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000, help="calls of each measurement")
    parser.add_argument("--waiting", type=int, nargs="*", default=[200, 500, 1_000], help="calls of a second at once")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RESULTS.name}")
    chosen = parser.parse_args()
    found = measured(chosen.calls, chosen.waiting)
    if chosen.write:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(table_of(found))


if __name__ == "__main__":
    main()
