"""Simulation: many runs over many machines and one server, event by event, from measured times of this build.

`python -m tests.bench.simulation [--calls 3] [--latency 2] [--server-processes 1]`: a table for 1,000 and 100,000 runs
over 1 to 200 machines, about two minutes. In: `server_limits.json`, and the figures of `Costs`. Out: for each size
throughput, cost, the load of each part, and the part that is full, if any.

Each machine has a browser with a few pages, each page one run at a time, and each piece of work waits for a core. Calls
go through the one server, which is a single core (or several processes), to an upstream that answers after its latency.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
MACHINES = (1, 10, 50, 200)
RUNS = (1_000, 100_000)


@dataclass(frozen=True)
class Costs:
    """Measured times of this build, in seconds, and sizes in bytes; each with its source.

    Attributes:
        start: until a machine's browser takes runs, by the clock; a Ray actor's on two cores.
        run: processor time of one run on its machine, its worker, start and end included; `batch.py` with 1,000 rows.
        call: processor time of one call in the server; `server_limits.json`, replies in a file.
        kept: of one reply in the server's store; `server_limits.json`.
        page, browser: memory of a page with its workers, and of a browser with its program; `docs/clusters.md`.
    """

    start: float = 8.0
    run: float = 0.495
    call: float = 0.006
    kept: float = 2_500.0
    page: float = 250e6
    browser: float = 600e6


@dataclass(frozen=True)
class Plan:
    """The machines and the work.

    Attributes:
        calls: model calls of a run, one after another.
        latency: seconds of a call at the provider.
        at_once: calls that the provider takes at once.
        server_processes: processes of the server, each on a core of its own.
        price: US dollars of a machine and hour; `server_price` that of the server's.
    """

    runs: int
    machines: int
    cores: int = 2
    pages: int = 8
    calls: int = 3
    latency: float = 2.0
    at_once: float = math.inf
    server_processes: int = 1
    price: float = 0.1
    server_price: float = 0.1


@dataclass
class Station:
    """Some equal servers with one queue, first come, first served.

    Attributes:
        busy: seconds of all its servers at work.
        inside: integral over time of the number in it, waiting or served.
        sojourns: sum of the seconds that each spent in it; by Little's law the same.
    """

    servers: float
    busy: float = 0.0
    inside: float = 0.0
    sojourns: float = 0.0
    served: int = 0
    _now: int = 0
    _at: float = 0.0
    _free: float = field(init=False)
    _queue: deque[tuple[float, float, Callable[[], None]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._free = self.servers

    def changed(self, at: float, by: int) -> None:
        """Count `by` more in it from now on."""
        self.inside += self._now * (at - self._at)
        self._now, self._at = self._now + by, at


Work = Iterator[tuple[Station, float]]


class Clock:
    """The events in the order of their times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` in `seconds`."""
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, then))

    def run(self) -> None:
        """Until no event is left."""
        while self._events:
            self.now, _, then = heapq.heappop(self._events)
            then()

    def follow(self, work: Work) -> None:
        """Go through the stations of `work`, one after another."""
        step = next(work, None)
        if step is not None:
            self.visit(*step, lambda: self.follow(work))

    def visit(self, station: Station, seconds: float, then: Callable[[], None]) -> None:
        """Wait for a server of `station`, keep it for `seconds`, then go on."""
        station.changed(self.now, 1)
        if station._free >= 1:
            station._free -= 1
            self._serve(station, self.now, seconds, then)
        else:
            station._queue.append((self.now, seconds, then))

    def _serve(self, station: Station, arrived: float, seconds: float, then: Callable[[], None]) -> None:
        def done() -> None:
            station.busy += seconds
            station.served += 1
            station.sojourns += self.now - arrived
            station.changed(self.now, -1)
            if station._queue:
                self._serve(station, *station._queue.popleft())
            else:
                station._free += 1
            then()

        self.after(seconds, done)


@dataclass(frozen=True)
class Outcome:
    """Figures of a plan.

    Attributes:
        seconds: from the start of the machines to the end of the last run.
        run_seconds: mean time of a run, waits included.
        under_way: mean number of runs under way after the start.
        cores, server, upstream: share of the time after the start that they were at work; of an endless upstream the
            calls at once.
        server_wait: mean seconds that a call waits for the server.
    """

    plan: Plan
    seconds: float
    run_seconds: float
    under_way: float
    cores: float
    server: float
    upstream: float
    server_wait: float
    calls_a_second: float
    dollars: float
    kept_bytes: float
    machine_bytes: float
    stations: dict[str, Station] = field(repr=False)

    @property
    def runs_a_second(self) -> float:
        """Throughput, the start included."""
        return self.plan.runs / self.seconds

    @property
    def full(self) -> str:
        """The part that is at work all the time, or the latency where none is."""
        parts = {"the server": self.server, "the machines' cores": self.cores}
        if math.isfinite(self.plan.at_once):
            parts["the provider"] = self.upstream
        name = max(parts, key=lambda part: parts[part])
        return name if parts[name] > 0.9 else "latency and pages"


def simulated(plan: Plan, costs: Costs) -> Outcome:
    """Go through all runs of `plan`."""
    clock = Clock()
    server, upstream = Station(plan.server_processes), Station(plan.at_once)
    machines = [Station(plan.cores) for _ in range(plan.machines)]
    runs = Station(math.inf)
    left = iter(range(plan.runs))

    def page(machine: Station) -> Work:
        for _ in left:
            began = clock.now
            runs.changed(began, 1)
            for _ in range(plan.calls):
                yield machine, costs.run / (plan.calls + 1)
                yield server, costs.call / 2
                yield upstream, plan.latency
                yield server, costs.call / 2
            yield machine, costs.run / (plan.calls + 1)
            runs.changed(clock.now, -1)
            runs.sojourns += clock.now - began
            runs.served += 1

    for machine in machines:
        for _ in range(plan.pages):
            clock.after(costs.start, partial(clock.follow, page(machine)))
    clock.run()
    return _outcome(plan, costs, clock.now, {"runs": runs, "server": server, "upstream": upstream}, machines)


def _outcome(
    plan: Plan, costs: Costs, seconds: float, stations: dict[str, Station], machines: list[Station]
) -> Outcome:
    runs, server, upstream = stations.values()
    calls, hours, at_work = plan.runs * plan.calls, seconds / 3600, seconds - costs.start
    busy = sum(machine.busy for machine in machines)
    places = plan.at_once if math.isfinite(plan.at_once) else 1.0
    return Outcome(
        plan=plan,
        seconds=seconds,
        run_seconds=runs.sojourns / runs.served,
        under_way=runs.inside / at_work,
        cores=busy / (at_work * plan.machines * plan.cores),
        server=server.busy / (at_work * plan.server_processes),
        upstream=upstream.busy / (at_work * places),
        server_wait=(server.sojourns - server.busy) / calls if calls else 0.0,
        calls_a_second=calls / seconds,
        dollars=hours * (plan.machines * plan.price + plan.server_processes * plan.server_price),
        kept_bytes=calls * costs.kept,
        machine_bytes=costs.browser + plan.pages * costs.page,
        stations={**stations, **{f"machine {number}": machine for number, machine in enumerate(machines)}},
    )


def machines_of_one_server(plan: Plan, costs: Costs) -> float:
    """Machines whose calls one process of the server just takes, by the plain rates."""
    by_cores = plan.cores / costs.run
    by_pages = plan.pages / (costs.run + plan.calls * (plan.latency + costs.call))
    return 1 / (costs.call * plan.calls * min(by_cores, by_pages))


def measured_costs() -> Costs:
    """`Costs`, with the figures that are kept in files."""
    costs, limits = Costs(), HERE / "server_limits.json"
    if limits.exists():
        found = json.loads(limits.read_text())
        call = max(row["busy_ms"] for row in found["in a file"]) / 1e3
        costs = replace(costs, call=call, kept=found["table in a file"]["bytes"])
    return costs


def table(plans: list[Plan], costs: Costs) -> str:
    """The outcome of each plan, as a table of Markdown."""
    names = [
        "runs",
        "machines",
        "minutes",
        "runs a second",
        "cores",
        "server",
        "calls a second",
        "wait for it",
        "USD",
        "full",
    ]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for plan in plans:
        done = simulated(plan, costs)
        cells = [
            *(f"{plan.runs:,}", f"{plan.machines}", f"{done.seconds / 60:,.1f}", f"{done.runs_a_second:,.1f}"),
            *(f"{done.cores:.0%}", f"{done.server:.0%}", f"{done.calls_a_second:,.0f}", f"{done.server_wait:.2f} s"),
            *(f"{done.dollars:,.2f}", done.full),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.simulation", description=__doc__)
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--at-once", type=float, default=math.inf, help="calls that the provider takes at once")
    parser.add_argument("--server-processes", type=int, default=1)
    parser.add_argument(
        "--run-seconds", type=float, default=Costs.run, help="processor seconds of a run, of `batch.py`"
    )
    chosen = vars(parser.parse_args())
    costs = replace(measured_costs(), run=chosen.pop("run_seconds"))
    work = Plan(runs=0, machines=0, **chosen)
    print(f"{costs}\n")
    print(table([replace(work, runs=runs, machines=machines) for runs in RUNS for machines in MACHINES], costs))
    print(f"\nOne process of the server takes {machines_of_one_server(work, costs):.0f} machines.")


if __name__ == "__main__":
    main()
