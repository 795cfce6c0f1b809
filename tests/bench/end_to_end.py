"""End to end: whole runs as users make them, beside other RLM libraries and beside other checkouts of this one.

`python -m tests.bench.end_to_end [--times 3] [--quick] [--only WORD] [--no-peers] [OLD ...]` measures this checkout,
each OLD (with built assets) and each peer in alternation, over one model of fixed speed (`site.py`). Out: a line for
each work with quartiles, ratios and verdicts, CPU seconds of our parts, and the tables in docs/performance.md and
README.md. A verdict is given only where the quartiles lie on one side of the target. `make bench` has the same rows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.lab import ROOT, process
from tests.bench.peers import LABELS, Missing, Runner, peer_running, running
from tests.bench.report import END_TO_END, shown, write_page
from tests.bench.rows import MB, Row

OURS = "this build"
RLMS = LABELS["rlms"]


@dataclass(frozen=True)
class Work:
    """One line of the table of targets.

    Attributes:
        sides: where it is measured: "BrowserRLM", "page", "command".
        of_old: most of an older build's figure, for each side.
        of_rlms: most of the figure of `rlms`.
        ideal: the least that is possible, and at most how many times that.
        most: bound in its unit.
        of_work: another work of ours, and at most how many times its figure.
        is_memory: the figure is the peak of memory, in MB.
        repeats: times in one measurement, of which the median counts.
        is_long: left out by `--quick`.
    """

    name: str
    key: str
    sides: tuple[str, ...]
    of_old: tuple[float, ...] = ()
    of_rlms: float | None = None
    ideal: tuple[float, float] | None = None
    most: float | None = None
    of_work: tuple[str, float] | None = None
    is_memory: bool = False
    repeats: int = 1
    is_long: bool = False

    @property
    def unit(self) -> str:
        return "MB" if self.is_memory else "s"


BOTH = ("BrowserRLM", "page")
OWN = ("BrowserRLM",)
WORKS = (
    Work("2,000 llm_query in turn", "query", BOTH, of_old=(0.25, 0.35), of_rlms=1.6),
    Work("a warm run of 2 iterations, 20 in a row", "loop", BOTH, of_old=(0.2, 0.2), repeats=20),
    Work("such a run in a new tab, 3 s after it opened", "warm", BOTH, repeats=5),
    Work("40 questions, 8 at once", "questions", OWN, of_old=(1 / 3,), of_rlms=1.0),
    Work("200 calls of 0.2 s in a batch", "batch", BOTH, ideal=(0.8, 1.15)),
    Work("1,000 calls of 0.1 s in a batch", "thousand", BOTH, ideal=(1.6, 1.15)),
    Work("24 calls of 0.2 s at once, no batch", "at once", OWN, most=0.3, repeats=3),
    Work("a reply of 3 s, then sub-calls of 2 s", "no overlap", OWN, repeats=3),
    Work("the same with overlap", "overlap", OWN, of_work=("no overlap", 0.65), repeats=3),
    Work("30 iterations", "iterations", BOTH, of_old=(0.5, 0.5)),
    Work("100 MB of text, one search", "search", BOTH, of_old=(0.6, 0.6)),
    Work("100 MB of text, memory of all processes", "search", OWN, of_old=(0.5,), is_memory=True),
    Work("16 child runs at once", "children", OWN, of_old=(0.6,)),
    Work("memory of a run, all processes", "warm", OWN, of_old=(0.6,), is_memory=True),
    Work("the command, second start, to the answer", "start", ("command",), of_old=(0.6,)),
    Work("150 iterations, peak of the renderer", "long", OWN, of_old=(0.3,), most=390, is_memory=True, is_long=True),
    Work("fork at the last of them, peak of the renderer", "fork", OWN, most=390, is_memory=True, is_long=True),
    Work("replay of a 200 MB log by the command", "replay", ("command",), most=30.0, is_long=True),
)


@dataclass
class Measurements:
    """Figures by work, side and runner; and why there are none."""

    seconds: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    megabytes: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: dict[tuple[str, str, str], list[dict[str, float]]] = field(default_factory=lambda: defaultdict(list))
    missing: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def of(self, work: Work, side: str, label: str) -> list[float]:
        return (self.megabytes if work.is_memory else self.seconds)[work.key, side, label]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.end_to_end", description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without the works that take a minute")
    parser.add_argument("--only", default="", help="works whose name or key holds this")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("old", nargs="*", type=Path)
    given = parser.parse_args()
    named = [work for work in WORKS if given.only in work.name or given.only in work.key]
    chosen = [work for work in named if not (given.quick and work.is_long)]
    peers = [] if given.no_peers else [*LABELS]
    found = measured(chosen, times=given.times, peers=peers, old=given.old)
    for row in rows_of(found, chosen, given.old):
        print(row_line(row), flush=True)
    for line in cpu_lines(found):
        print(line)
    for line in missing_lines(found):
        print(line)
    if not given.only:
        write_table(found, chosen, peers)


def measured(chosen: Sequence[Work], *, times: int, peers: Sequence[str], old: Sequence[Path]) -> Measurements:
    """Every work by everybody, `times` times in turn."""
    found = Measurements()
    with ExitStack() as stack:
        site = stack.enter_context(process([sys.executable, "-m", "tests.bench.site"], {}))
        ours = {OURS: ROOT, **{str(tree): tree.resolve() for tree in old}}
        runners = [stack.enter_context(checkout_running(label, tree, site)) for label, tree in ours.items()]
        beside = []
        for name in peers:
            try:
                beside.append(stack.enter_context(peer_running(name, site)))
            except Missing as reason:
                found.missing["every work", "", LABELS[name]] = str(reason)
        repeats = {work.key: max(same.repeats for same in chosen if same.key == work.key) for work in chosen}
        sides: dict[str, tuple[str, ...]] = {}
        for work in chosen:
            sides[work.key] = max(sides.get(work.key, ()), work.sides, key=len)
        for _ in range(times):
            for key, where in sides.items():
                for runner in runners:
                    for side in where:
                        keep(found, runner, (side, key, str(repeats[key])), (key, side, runner.label))
                for runner in beside:
                    keep(found, runner, (key, str(repeats[key])), (key, "", runner.label))
    return found


def keep(found: Measurements, runner: Runner, fields: tuple[str, ...], place: tuple[str, str, str]) -> None:
    """Measure once, unless it has failed before."""
    if place in found.missing:
        return
    print(f"{runner.label}: {', '.join(fields[:-1])}", file=sys.stderr)
    try:
        figures = runner.measured(*fields)
    except Missing as reason:
        found.missing[place] = str(reason)
        return
    if figures is None:
        found.missing[place] = "it has no such work"
        return
    found.seconds[place].append(statistics.median(figures["seconds"]))
    found.megabytes[place].append(figures["bytes"] / MB)
    found.cpu[place].append(figures.get("cpu", {}))


@contextmanager
def checkout_running(label: str, tree: Path, site: str) -> Iterator[Runner]:
    """`own_runs` over the code of `tree`, with the bench of this checkout."""
    with tempfile.TemporaryDirectory() as overlay:
        (Path(overlay) / "tests").symlink_to(ROOT / "tests")
        environment = {"PYTHONPATH": f"{overlay}:{tree}:{tree / 'server'}"}
        line = [sys.executable, "-P", "-m", "tests.bench.own_runs", site]
        with running(label, line, environment, tree) as runner:
            yield runner


def rows_of(found: Measurements, chosen: Sequence[Work], old: Sequence[Path]) -> Iterator[Row]:
    """A row for each target that can be judged, and one for each peer beside it."""
    for work in chosen:
        for index, side in enumerate(work.sides):
            own = found.of(work, side, OURS)
            if not own:
                continue
            name = work.name if work.sides == ("command",) else f"{work.name}, {side}"
            yield from targets(work, name, own)
            if work.of_work is not None:
                key, most = work.of_work
                yield from compared(work, name, own, f"ours, {key}", found.seconds[key, side, OURS], most)
            for tree in old:
                against = found.of(work, side, str(tree))
                yield from compared(work, name, own, str(tree), against, work.of_old[index] if work.of_old else None)
            for label in LABELS.values():
                against = found.of(work, "", label)
                yield from compared(work, name, own, label, against, work.of_rlms if label == RLMS else None)


def targets(work: Work, name: str, own: list[float]) -> Iterator[Row]:
    if work.ideal is not None:
        ideal, most = work.ideal
        yield Row(name, statistics.median(own), "s", most, "ideal", ideal, spread=quartiles([v / ideal for v in own]))
    else:
        yield Row(name, statistics.median(own), work.unit, work.most, spread=quartiles(own))


def compared(
    work: Work, name: str, own: list[float], label: str, against: list[float], most: float | None
) -> Iterator[Row]:
    """Our figure over another's, each pair from the same minute."""
    ratios = [ours / other for ours, other in zip(own, against, strict=False)]
    if ratios:
        value, other = statistics.median(own), statistics.median(against)
        yield Row(name, value, work.unit, most, label, other, spread=quartiles(ratios))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def row_line(row: Row) -> str:
    low, high = row.spread or (row.measured, row.measured)
    spread = f"({shown(low)} to {shown(high)})"
    bound = "" if row.budget is None else f", at most {row.budget:.3g}: {row.verdict}"
    if row.peer_value is None:
        return f"{row.what}: {shown(row.value)} {row.unit} {spread}{bound}"
    return (
        f"{row.what}: {shown(row.value)} {row.unit}; {row.peer}: {shown(row.peer_value)} {row.unit}; "
        f"{row.measured:.2f}x {spread}{bound}"
    )


def cpu_lines(found: Measurements) -> Iterator[str]:
    """CPU seconds of our parts, which other work on the machine moves less than the clock."""
    for (key, side, label), readings in found.cpu.items():
        if readings and readings[0]:
            parts = {part: statistics.median(reading[part] for reading in readings) for part in readings[0]}
            listed = ", ".join(f"{part} {seconds:.2f}" for part, seconds in parts.items())
            yield f"CPU seconds, {label}, {side}, {key}: {listed}"


def missing_lines(found: Measurements) -> Iterator[str]:
    for (key, side, label), reason in found.missing.items():
        yield f"no figure: {label}, {key}{f' by {side}' if side else ''}: {reason}"


def write_table(found: Measurements, chosen: Sequence[Work], peers: Sequence[str]) -> None:
    """The table of docs/performance.md, between its marks; that of the README has the works that peers have too."""
    write_page(ROOT / "docs" / "performance.md", [*table(found, chosen, peers)], marks=END_TO_END)
    shared = [work for work in chosen if sum(bool(found.of(work, "", LABELS[name])) for name in peers) > 1]
    if shared:
        write_page(ROOT / "README.md", [*table(found, shared, peers)], marks=END_TO_END)


def table(found: Measurements, chosen: Sequence[Work], peers: Sequence[str]) -> Iterator[str]:
    labels = [LABELS[name] for name in peers if ("every work", "", LABELS[name]) not in found.missing]
    yield f"| {' | '.join(['work', 'BrowserRLM', 'page', *labels, 'ideal or bound'])} |"
    yield f"|---|---|---|{'---|' * len(labels)}---|"
    for work in chosen:
        first, page = ("command" if "command" in work.sides else "BrowserRLM"), "page"
        cells = [cell(found.of(work, side, OURS), work.unit) for side in (first, page)]
        others = [cell(found.of(work, "", label), work.unit) for label in labels]
        bound = f"{work.ideal[0]:g} s" if work.ideal else f"{work.most:g} {work.unit}" if work.most else ""
        yield f"| {work.name} | {' | '.join([*cells, *others])} | {bound} |"
    yield ""
    times = max(len(values) for values in found.seconds.values())
    yield f"Medians of {times}, in turn, on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end."
    if not labels:
        yield "No peer ran beside it."
    for (key, _, label), reason in found.missing.items():
        if key == "every work":
            yield f"{label} was not measured: {reason}."


def cell(values: Sequence[float], unit: str) -> str:
    return f"{shown(statistics.median(values))} {unit}" if values else ""


if __name__ == "__main__":
    main()
