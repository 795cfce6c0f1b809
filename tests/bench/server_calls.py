"""Server calls: CPU of the server for one call over the call socket, without a browser.

`python -m tests.bench.server_calls [--calls 600] [--times 3] [OLD ...]` measures this checkout and each OLD in
alternation, over one model that answers at once (`site.py`). Out: medians of CPU and of time for each call.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from tests.bench.lab import ROOT, process
from tests.bench.own_runs import MODELS, served
from tests.server.call_socket_client import Client, opened

AT_ONCE = 64
MODEL = "openai:wait-0"
KINDS = (
    "in turn",
    "in turn, streamed",
    "in turn, apart",
    f"{AT_ONCE} at once",
    f"{AT_ONCE} at once, streamed",
    "a batch",
)
APART_SECONDS = 0.005
"""Between a reply and the next call "apart", as with a page; meanwhile other processes fill the processor's caches."""
Figures: TypeAlias = dict[tuple[str, str], list[tuple[float, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server_calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=600)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("old", nargs="*", type=Path)
    given = parser.parse_args()
    found: Figures = defaultdict(list)
    with ExitStack() as stack:
        site = stack.enter_context(process([sys.executable, "-m", "tests.bench.site"], {}))
        trees = {"this build": ROOT, **{str(tree): tree.resolve() for tree in given.old}}
        servers = {label: stack.enter_context(server_of(tree, site)) for label, tree in trees.items()}
        for _ in range(given.times):
            for label, (url, pid) in servers.items():
                for kind in KINDS:
                    found[kind, label].append(measured(url, pid, kind, given.calls))
    for (kind, label), figures in found.items():
        cpu, wall = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{kind}, {label}: {cpu:.2f} ms of CPU, {wall:.2f} ms a call")
    print(f"load {os.getloadavg()[0]:.1f}")


@contextmanager
def server_of(tree: Path, site: str) -> Iterator[tuple[str, int]]:
    """The server of the checkout `tree`: its URL, and the number of its process."""
    provider = {"OPENAI_BASE_URL": f"{site}/v1", "OPENAI_API_KEY": "bench", "RLM_MODELS": MODELS}
    path = {"PYTHONPATH": f"{tree}:{tree / 'server'}", "PYTHONSAFEPATH": "1"}
    with served({**os.environ, **provider, **path, "OLLAMA_BASE_URL": "none"}) as running:
        yield running


def measured(url: str, pid: int, kind: str, calls: int) -> tuple[float, float]:
    """Milliseconds of the server's CPU and of time, for each of `calls` calls."""
    with opened(url) as client:
        made = {"a batch": batch, "in turn, apart": apart}.get(kind) or singles(
            1 if "turn" in kind else AT_ONCE, stream="streamed" in kind
        )
        made(client, AT_ONCE)
        before, began = running_seconds(pid), time.perf_counter()
        made(client, calls)
        used, took = running_seconds(pid) - before, time.perf_counter() - began
    return used / calls * 1000, took / calls * 1000


def singles(at_once: int, *, stream: bool) -> Callable[[Client, int], None]:
    """Calls of one prompt each, so many under way."""

    def make(client: Client, calls: int) -> None:
        run, left = uuid.uuid4().hex, iter(range(calls))
        under_way: set[int] = set()

        def begin(most: int) -> None:
            for call in islice(left, most):
                number = len(client.replies) + 1
                body = {"messages": [{"role": "user", "content": f"Call {call}"}], "model": MODEL, "stream": stream}
                client.ask(number, body, idempotency_key=f"{run}/{call}")
                under_way.add(number)

        begin(at_once)
        while under_way:
            client.read()
            ended = {number for number in under_way if client.reply(number).is_whole}
            assert all((client.reply(number).head or {})["status"] == 200 for number in ended)
            under_way -= ended
            begin(len(ended))

    return make


def apart(client: Client, calls: int) -> None:
    """Calls in turn, with a pause before each."""
    one = singles(1, stream=False)
    for _ in range(calls):
        time.sleep(APART_SECONDS)
        one(client, 1)


def batch(client: Client, calls: int) -> None:
    """One request of many prompts."""
    body = {"type": "batch", "prompts": [f"Prompt {n}" for n in range(calls)], "model": MODEL, "stream": True}
    number = len(client.replies) + 1
    client.ask(number, body, idempotency_key=f"{uuid.uuid4().hex}/0")
    (reply,) = client.whole(number)
    lines = [json.loads(line) for line in reply.body.splitlines() if line]
    assert sum("text" in line for line in lines) == calls


def running_seconds(pid: int) -> float:
    """CPU seconds of a process so far, as the scheduler counts them: to the nanosecond, where ticks are 10 ms."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


if __name__ == "__main__":
    main()
