"""A planted fact is found by the whole machinery: the loop, the code that the stand-in writes, and its sub-calls."""

from __future__ import annotations

import pytest

from rlm_core import run
from rlm_core.types import RunResult
from tests.needles import HAYSTACKS, NEEDLES, Case, Shape, case, unanswerable
from tests.stand_in import StandIn

SEEDS = range(20)


def ask(case: Case) -> RunResult:
    return run(case.question, case.context, provider=StandIn())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fact_planted_in_a_megabyte_is_found(seed: int) -> None:
    planted = case(seed)
    assert len(planted.context) >= 990_000

    result = ask(planted)

    assert planted.expect in result.answer, planted.name
    assert result.stopped_by == "final_answer"
    assert result.iterations <= 4


@pytest.mark.parametrize("shape", ["list", "dict", "files"])
@pytest.mark.parametrize("seed", range(6))
def test_a_fact_is_found_in_contexts_of_every_shape(seed: int, shape: Shape) -> None:
    planted = case(seed, chars=120_000, shape=shape)

    assert planted.expect in ask(planted).answer, planted.name


@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_leads_with_the_planted_fact(seed: int) -> None:
    planted = case(seed, chars=100_000)

    best = ask(planted).answer.splitlines()[0]

    assert planted.expect in best, planted.name


@pytest.mark.parametrize("seed", [seed for seed in range(24) if unanswerable(seed, chars=0).name.startswith("no code")])
def test_a_code_that_is_not_there_is_not_invented(seed: int) -> None:
    missing = unanswerable(seed)

    result = ask(missing)

    assert result.answer.startswith("No answer found"), result.answer
    assert result.stopped_by == "final_answer"


def test_twenty_seeds_have_every_kind_of_needle_and_of_haystack() -> None:
    names = {case(seed, chars=2_000).name for seed in SEEDS}

    assert {name.split(" in ")[0] for name in names} == set(NEEDLES)
    assert {name.split(" in ")[1] for name in names} == set(HAYSTACKS)


def test_a_seed_always_makes_the_same_case() -> None:
    assert case(3, chars=5_000) == case(3, chars=5_000)
    assert case(3, chars=5_000).context != case(9, chars=5_000).context
