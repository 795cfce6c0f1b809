"""End to end: whole runs as a user makes them, by `BrowserRLM` over the real server, of one build or of several.

`python -m tests.bench.end_to_end [--times 3] [TREE ...]` measures this checkout, or checkouts with built assets in
alternation. In: nothing; the model is the bench's own (`site.py`). Out: for each work the median of its seconds, and of
the CPU seconds of the program, of the browser with its driver, and of the server, which other work moves less.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.lab import ROOT, process

IN_TURN = "for n in range(2000): llm_query(str(n))"
DONE = "FINAL('done')"
WORKS: dict[str, tuple[str, list[str]]] = {
    "2,000 calls in turn": ("wait-0", [f"{IN_TURN}\n{DONE}"]),
    "200 calls of 0.2 s, a batch": ("wait-200", [f"llm_batch([str(n) for n in range(200)])\n{DONE}"]),
    "1,000 calls of 0.1 s, a batch": ("wait-100", [f"llm_batch([str(n) for n in range(1000)])\n{DONE}"]),
    "30 iterations": ("wait-0", [*(f"print({n})" for n in range(29)), DONE]),
}
AT_ONCE = "24 calls of 0.2 s at once, no batch"
PROMPTS = """async () => {
  const { openBroker } = await import("/rlm/calls/broker.js");
  const witness = { started: () => 0, finished() {}, noticed() {}, replyPiece() {}, reasoningPiece() {} };
  const ways = await import("/rlm/calls/call_socket.js").catch(() => null); // of an older tree: requests alone
  const fetcher = ways?.fetchOverSocket("/api/rlm");
  const broker = openBroker({ endpoint: "/api/rlm", witness, fetcher });
  const one = (number) => {
    const call = { model: "openai:wait-200", messages: [{ role: "user", content: `at once ${number}` }] };
    const answer = { signal: new AbortController().signal, write() {}, end() {} };
    return broker.handle(JSON.stringify({ op: "complete", kind: "sub", calls: [call] }), answer);
  };
  await one(-1);
  const began = performance.now();
  await Promise.all(Array.from({ length: 24 }, (_, number) => one(number)));
  return (performance.now() - began) / 1000;
}"""
MODELS = "openai:wait-0,openai:wait-100,openai:wait-200"
PARTS = ("seconds", "program", "browser", "server")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.end_to_end", description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--child", help="URL of the model: measure the tree of PYTHONPATH, and print JSON")
    parser.add_argument("trees", nargs="*", type=Path, default=[ROOT])
    given = parser.parse_args()
    if given.child is not None:
        print(json.dumps(asyncio.run(measured(given.child))))
        return
    figures: dict[tuple[str, Path], list[dict[str, float]]] = defaultdict(list)
    with process([sys.executable, "-m", "tests.bench.site"], {}) as site:
        for _ in range(given.times):
            for tree in given.trees:
                for work, values in child(tree, site).items():
                    figures[work, tree].append(values)
    print(f"load {os.getloadavg()[0]:.1f}; medians of {given.times}; {', '.join(PARTS)}")
    for (work, tree), measurements in sorted(figures.items(), key=lambda item: item[0][0]):
        medians = [statistics.median(values[part] for values in measurements) for part in PARTS]
        print(f"{work:36} {tree.name:16}", *(f"{median:8.2f}" for median in medians), flush=True)


def child(tree: Path, site: str) -> dict[str, dict[str, float]]:
    """Figures of one tree, measured in a process of its own."""
    line = [sys.executable, "-P", "-m", "tests.bench.end_to_end", "--child", site]
    paths = f"{tree}:{tree / 'server'}"
    if not (tree / "tests/bench/end_to_end.py").exists():
        line[1:4] = ["-P", "-c", "import runpy, sys; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"]
        line.insert(4, __file__)
    done = subprocess.run(line, cwd=tree, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, check=True)
    figures: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return figures


async def measured(site: str) -> dict[str, dict[str, float]]:
    from rlm_server.headless import BrowserRLM

    provider = {"OPENAI_BASE_URL": f"{site}/v1", "OPENAI_API_KEY": "bench", "RLM_MODELS": MODELS}
    figures = {}
    with served(Path.cwd(), {**provider, "OLLAMA_BASE_URL": "none"}) as (url, server):
        async with BrowserRLM(url, model="openai:wait-0", max_iterations=40, max_sub_calls=10_000) as rlm:
            await rlm.run(question_of(["FINAL('done')"]))
            for work, (sub_model, blocks) in WORKS.items():
                before = cpu_of(server)
                began = time.perf_counter()
                result = await rlm.run(question_of(blocks), sub_model=f"openai:{sub_model}")
                assert result.stopped_by == "final_answer", result.detail
                figures[work] = since(before, server, time.perf_counter() - began)
            assert rlm._page is not None
            before = cpu_of(server)
            seconds = await rlm._page.evaluate(PROMPTS)
            figures[AT_ONCE] = since(before, server, seconds)
    return figures


def question_of(blocks: list[str]) -> str:
    return f"blocks:{base64.b64encode(json.dumps(blocks).encode()).decode()}"


@contextmanager
def served(tree: Path, environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The server of `tree`, and the number of its process."""
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.server"],
        cwd=tree,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        found = re.search(r"http://[\d.:]+", running.stdout.readline())
        assert found, "the server printed no URL"
        yield found.group(), running.pid
    finally:
        running.terminate()
        running.wait()


def since(before: dict[str, float], server: int, seconds: float) -> dict[str, float]:
    after = cpu_of(server)
    return {"seconds": seconds, **{part: after[part] - before[part] for part in after}}


def cpu_of(server: int) -> dict[str, float]:
    """CPU seconds so far of this process, of its browser and driver, and of the server."""
    stats: dict[int, tuple[int, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields: list[Any] = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        ticks = int(fields[11]) + int(fields[12])
        stats[int(stat.parent.name)] = int(fields[1]), ticks / os.sysconf("SC_CLK_TCK")

    def whole(root: int) -> float:
        below = [pid for pid, (parent, _) in stats.items() if parent == root]
        return stats[root][1] + sum(map(whole, below))

    own = os.getpid()
    total = whole(own)
    return {"program": stats[own][1], "server": whole(server), "browser": total - stats[own][1] - whole(server)}


if __name__ == "__main__":
    main()
