"""The simulation of many machines: conservation laws, and cases whose outcome is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.bench.simulation import Costs, Outcome, Plan, machines_of_one_server, measured_costs, simulated, table

COSTS = Costs(start=8.0, run=0.8, call=0.006)
PLANS = {
    "one machine": Plan(runs=200, machines=1),
    "more pages than runs": Plan(runs=5, machines=3),
    "a slow provider": Plan(runs=300, machines=4, at_once=5),
    "a slow server": Plan(runs=160, machines=10, latency=0.01, calls=30),
    "two processes of the server": Plan(runs=160, machines=10, latency=0.01, calls=30, server_processes=2),
}


@pytest.fixture(params=[*PLANS.values()], ids=[*PLANS], scope="module")
def outcome(request: pytest.FixtureRequest) -> Outcome:
    return simulated(request.param, COSTS)


def test_littles_law_holds_for_the_whole_and_each_part(outcome: Outcome) -> None:
    for name, station in outcome.stations.items():
        assert station.inside == pytest.approx(station.sojourns), name
    rate = outcome.plan.runs / (outcome.seconds - COSTS.start)
    assert outcome.under_way == pytest.approx(rate * outcome.run_seconds)


def test_all_work_is_done_and_nothing_works_more_than_all_the_time(outcome: Outcome) -> None:
    plan, stations = outcome.plan, outcome.stations
    assert stations["runs"].served == plan.runs
    assert stations["upstream"].served == plan.runs * plan.calls
    assert stations["server"].busy == pytest.approx(plan.runs * plan.calls * COSTS.call)
    machines = [station for name, station in stations.items() if name.startswith("machine")]
    assert sum(machine.busy for machine in machines) == pytest.approx(plan.runs * COSTS.run)
    assert 0 < outcome.server <= 1
    assert 0 < outcome.cores <= 1
    assert all(machine.busy <= (outcome.seconds - COSTS.start) * plan.cores for machine in machines)
    if math.isfinite(plan.at_once):
        assert outcome.upstream <= 1
    assert outcome.under_way <= plan.machines * plan.pages


def test_one_run_on_one_machine_takes_the_sum_of_its_times() -> None:
    plan = Plan(runs=1, machines=1, calls=5, latency=2.0)
    done = simulated(plan, COSTS)
    assert done.run_seconds == pytest.approx(0.8 + 5 * (2.0 + 0.006))
    assert done.seconds == pytest.approx(8.0 + done.run_seconds)
    assert done.server_wait == pytest.approx(0)


def test_no_more_is_done_than_the_scarce_part_allows() -> None:
    cores = simulated(Plan(runs=600, machines=2, latency=0.0), COSTS)
    assert cores.full == "the machines' cores"
    assert cores.seconds - 8 == pytest.approx(600 * 0.8 / 4, rel=0.05)
    provider = simulated(Plan(runs=300, machines=4, at_once=5), COSTS)
    assert provider.full == "the provider"
    assert provider.seconds - 8 == pytest.approx(300 * 3 * 2.0 / 5, rel=0.05)
    one, two = (simulated(PLANS[name], COSTS) for name in ("a slow server", "two processes of the server"))
    assert one.full == "the server"
    assert two.seconds < 0.7 * one.seconds


def test_more_machines_are_never_slower_until_the_server_is_full() -> None:
    work = Plan(runs=1_000, machines=1)
    times = [simulated(replace(work, machines=machines), COSTS).seconds for machines in (1, 2, 8)]
    assert times == sorted(times, reverse=True)
    most = machines_of_one_server(work, COSTS)
    full = simulated(replace(work, runs=6_000, machines=math.ceil(most * 1.5)), COSTS)
    assert full.full == "the server"
    assert full.seconds - 8 >= 6_000 * 3 * 0.006
    easy = simulated(replace(work, machines=max(1, int(most / 2))), COSTS)
    assert easy.full != "the server"


def test_the_table_has_a_line_for_each_plan() -> None:
    lines = table([Plan(runs=20, machines=machines) for machines in (1, 2)], measured_costs()).splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["1", "2"]
