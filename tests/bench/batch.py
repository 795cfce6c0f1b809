"""Batch: `pyodide-rlm batch` over a scripted upstream, and `BrowserRLM` in a loop beside it.

`python -m tests.bench.batch [--rows 1000] [--jobs 8] [--loop 60] [--old DIR] [--kills 3] [--ray 200]`, on a quiet
machine. Out, as lines with verdicts: the ratio of the batch's time to the one that the slower of cores and upstream
allows, both measured in the same run; runs a second and a core, and processor seconds a run, of the batch, of the
loop, and of the loop of another build in DIR; memory a run; with kills the calls beyond the undisturbed number, and
those under way then; with `--ray`, where Ray is installed, the rate of two actors beside that of a pool with as many
jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.browser.lab import code
from tests.server.fake_upstream import Seen, Turn, fake_upstream, json_turn, openai_turn

LATENCY = 0.1
CALLS_A_RUN = 3
REPLIES = (code("found = llm_query(context[:40])\nprint(found)"), code("FINAL(context[:40])"))
MOST_RATIO = 1.3
LEAST_GAIN = 2.5
LEAST_EFFICIENCY = 0.9
ACTORS = 2
ROOT = Path(__file__).parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Upstream:
    """The vendor: each call takes `LATENCY`, any number at once.

    Attributes:
        calls: text of each call -> times it arrived.
        ends: time at which each call's reply is sent, with its text.
    """

    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    ends: list[tuple[float, str]] = field(default_factory=list)

    def answer(self, seen: Seen) -> Turn:
        """One call: the root's blocks in turn, or a sub-call."""
        if seen.method == "GET":
            return json_turn({"data": [{"id": "m"}]})
        messages: Any = seen.json()["messages"]
        is_root = messages[0]["role"] == "system"
        turn = sum(message["role"] == "assistant" for message in messages)
        name = f"{turn if is_root else 'sub'} {messages[1 if is_root else 0]['content']}"
        self.calls[name] += 1
        self.ends.append((time.monotonic() + LATENCY, name))
        return replace(openai_turn(seen, REPLIES[min(turn, 1)] if is_root else "a reply"), seconds=LATENCY)

    def under_way(self) -> set[str]:
        """Calls whose reply is not sent, or not yet in the server's store for certain."""
        now = time.monotonic()
        return {name for end, name in self.ends[-1_000:] if end > now - LATENCY}


@contextmanager
def upstream() -> Iterator[Upstream]:
    vendor = Upstream()
    with fake_upstream() as fake:
        fake.answer, vendor.url = vendor.answer, fake.url
        yield vendor


def environment(vendor: Upstream) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    own = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{vendor.url}/v1", "RLM_MODELS": "openai:m"}
    return {**kept, **own, "OLLAMA_BASE_URL": "none"}


def write_rows(folder: Path, rows: int) -> None:
    lines = [
        {"id": f"{n}", "question": f"Question {n}?", "context": {"text": f"Text {n}. " * 100}} for n in range(rows)
    ]
    (folder / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def begin(folder: Path, vendor: Upstream, jobs: int, *flags: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "rlm_server", "batch", "q.jsonl", "--out", "a.jsonl", "--jobs", f"{jobs}", *flags]
    return subprocess.Popen(
        line, cwd=folder, env=environment(vendor), stderr=subprocess.DEVNULL, start_new_session=True
    )  # fmt: skip


@dataclass
class Machine:
    """Seconds of a command, processor seconds of it and all its descendants, and the most memory that was taken."""

    seconds: float = 0.0
    busy: float = 0.0
    memory: int = 0

    def watch(self, command: subprocess.Popen[bytes]) -> int:
        """Wait for the end of `command`; its status."""
        used: dict[tuple[int, int], float] = {}
        free, began = free_bytes(), time.monotonic()
        while command.poll() is None:
            used.update(processor_seconds(command.pid))
            self.memory = max(self.memory, free - free_bytes())
            time.sleep(0.2)
        self.seconds, self.busy = time.monotonic() - began, sum(used.values())
        return command.returncode


def verdict(is_so: bool, target: str) -> str:
    return f"{'holds' if is_so else 'MISSED'}: {target}"


def processor_seconds(root: int) -> dict[tuple[int, int], float]:
    """Process `root` and its descendants, each with its start -> processor seconds so far."""
    processes: dict[int, tuple[int, int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended
        processes[int(path.parent.name)] = int(fields[1]), int(fields[19]), (int(fields[11]) + int(fields[12])) / TICKS
    tree = {root}
    while more := {pid for pid, (parent, _, _) in processes.items() if parent in tree and pid not in tree}:
        tree |= more
    return {(pid, processes[pid][1]): processes[pid][2] for pid in tree if pid in processes}


def free_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1_024


def whole(rows: int, jobs: int) -> float:
    """The batch, undisturbed; runs a second and a core."""
    with tempfile.TemporaryDirectory() as name, upstream() as vendor:
        folder, machine, cores = Path(name), Machine(), os.cpu_count() or 1
        write_rows(folder, rows)
        assert machine.watch(begin(folder, vendor, jobs)) == 0, "a line has no answer"
        by_cores, by_upstream = machine.busy / cores, rows * CALLS_A_RUN * LATENCY / jobs
        rate = rows / machine.seconds / cores
        print(f"batch: {rows:,} rows, {jobs} jobs, {cores} cores: {machine.seconds:.1f} s, start and end included")
        print(f"  allowed by cores {by_cores:.1f} s ({machine.busy / rows:.3f} processor seconds a run)")
        ratio = machine.seconds / max(by_cores, by_upstream)
        held = verdict(ratio <= MOST_RATIO, f"at most {MOST_RATIO}")
        print(f"  allowed by upstream {by_upstream:.1f} s; ratio to the slower {ratio:.2f} ({held})")
        print(f"  {rate:.2f} runs a second and a core; memory {machine.memory / jobs / 1e6:.0f} MB a run at once")
        print(f"  upstream calls {vendor.calls.total():,}, undisturbed {rows * CALLS_A_RUN:,}")
        return rate


def loop(rows: int, root: Path) -> float:
    """`BrowserRLM` of the build in `root`, one run after the other; runs a second and a core."""
    with upstream() as vendor:
        line, machine = [sys.executable, str(ROOT / "tests/bench/loop_of_runs.py"), f"{rows}"], Machine()
        own = {**environment(vendor), "PYTHONPATH": f"{root}{os.pathsep}{root / 'server'}"}
        command = subprocess.Popen(line, cwd=root, env=own, stdout=subprocess.PIPE)
        assert machine.watch(command) == 0, "the loop failed"
        assert command.stdout is not None, "it is a pipe"
        seconds = float(command.stdout.read())
    rate = rows / seconds / (os.cpu_count() or 1)
    print(
        f"loop of {root.name}: {rows} rows: {seconds:.1f} s without start and end; {rate:.2f} runs a second and a core"
    )
    print(f"  {machine.busy / (rows + 1):.3f} processor seconds a run, start and end included")
    return rate


def cluster(rows: int, jobs: int) -> None:
    """Two actors on this machine beside the pool: rows a second from a fifth of the answers on."""
    rates = {}
    for name, flags in (("pool", ()), ("ray", ("--engine", "ray", "--actors", f"{ACTORS}"))):
        with tempfile.TemporaryDirectory() as folder, upstream() as vendor:
            write_rows(Path(folder), rows)
            command, answers = begin(Path(folder), vendor, jobs, *flags), Path(folder, "a.jsonl")
            while command.poll() is None and (early := lines_of(answers)) < rows // 5:
                time.sleep(0.02)
            first = time.monotonic()
            while command.poll() is None and lines_of(answers) < rows:
                time.sleep(0.02)
            rates[name] = (rows - early) / (time.monotonic() - first)
            assert command.wait() == 0, "a line has no answer"
            print(f"{name}: {rows} rows, {jobs} jobs: {rates[name]:.2f} rows a second after the start")
    efficiency = rates["ray"] / rates["pool"]
    held = verdict(efficiency >= LEAST_EFFICIENCY, f"at least {LEAST_EFFICIENCY}")
    print(f"efficiency of {ACTORS} actors: {efficiency:.2f} of the pool ({held})")


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def killed(rows: int, jobs: int, kills: int) -> None:
    """The batch, killed on the way; calls that were made again, and those that were under way."""
    with tempfile.TemporaryDirectory() as name, upstream() as vendor:
        folder = Path(name)
        write_rows(folder, rows)
        under_way: Counter[str] = Counter()
        for number in range(kills):
            command = begin(folder, vendor, jobs)
            while vendor.calls.total() < rows * CALLS_A_RUN * (number + 1) // (kills + 1):
                time.sleep(0.01)
            under_way.update(vendor.under_way())
            os.killpg(command.pid, signal.SIGKILL)
            command.wait()
            under_way.update(vendor.under_way() - set(under_way))
        assert begin(folder, vendor, jobs).wait() == 0, "a line has no answer"
        again = sum(times - 1 for times in vendor.calls.values())
        unexplained = sum((Counter({name: times - 1 for name, times in vendor.calls.items()}) - under_way).values())
        print(
            f"killed {kills} times: {len(vendor.calls):,} calls of {rows * CALLS_A_RUN:,}, {again} of them made again; "
            f"{under_way.total()} were under way at a kill, {unexplained} again without that "
            f"({verdict(not unexplained, 'those under way alone')})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.batch", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--loop", type=int, default=60)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--old", type=Path, help="root of another build, built: its loop is measured too")
    parser.add_argument("--ray", type=int, default=0, help="rows of the comparison with two actors of Ray")
    chosen = parser.parse_args()
    by_pool = whole(chosen.rows, chosen.jobs)
    for root in filter(None, (ROOT, chosen.old)):
        gain = by_pool / loop(chosen.loop, root)
        held = verdict(gain >= LEAST_GAIN, f"at least {LEAST_GAIN}x")
        print(f"batch to the loop of {root.name}: {gain:.2f}x ({held})")
    if chosen.kills:
        killed(chosen.rows, chosen.jobs, chosen.kills)
    if chosen.ray:
        cluster(chosen.ray, chosen.jobs)


if __name__ == "__main__":
    main()
