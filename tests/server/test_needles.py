"""A planted fact is found by the whole machinery: the loop, the code that the stand-in writes, and its sub-calls."""

from __future__ import annotations

import pytest

from rlm_core import run
from rlm_core.types import RunResult
from tests.needles import HAYSTACKS, NEEDLES, Case, Shape, case, unanswerable
from tests.stand_in import StandIn

SEEDS = range(20)
CODES = range(list(NEEDLES).index("code"), 24, len(NEEDLES))


def ask(case: Case) -> RunResult:
    return run(case.question, case.context, provider=StandIn())


def holds_fact(text: str, case: Case) -> bool:
    return case.expect is not None and case.expect in text


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_fact_planted_in_a_megabyte_is_found(seed: int) -> None:
    planted = case(seed)
    assert len(planted.context) >= 990_000

    result = ask(planted)

    assert holds_fact(result.answer, planted), (planted.name, result.answer)
    assert result.stopped_by == "final_answer"
    assert result.iterations <= 4


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["list", "dict", "files"])
@pytest.mark.parametrize("seed", range(6))
def test_a_fact_is_found_in_contexts_of_every_shape(seed: int, shape: Shape) -> None:
    planted = case(seed, chars=120_000, shape=shape)

    assert holds_fact(ask(planted).answer, planted), planted.name


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_leads_with_the_planted_fact(seed: int) -> None:
    planted = case(seed, chars=100_000)

    assert holds_fact(ask(planted).answer.splitlines()[0], planted), planted.name


@pytest.mark.parametrize("seed", CODES)
def test_a_code_that_is_not_there_is_not_invented(seed: int) -> None:
    missing = unanswerable(seed)
    assert missing.name.startswith("no code")

    result = ask(missing)

    assert result.answer.startswith("No answer found"), result.answer
    assert result.stopped_by == "final_answer"


@pytest.mark.parametrize(
    "question",
    ["Who painted the ceiling of the orangery?", "How many dragons guard the treasury?", "When did the war end?"],
)
def test_what_the_context_never_speaks_of_is_said_to_be_missing(question: str) -> None:
    haystack = case(4, chars=100_000)

    assert run(question, haystack.context, provider=StandIn()).answer.startswith("No answer found")


def test_twenty_seeds_have_every_kind_of_needle_and_of_haystack() -> None:
    names = {case(seed, chars=2_000).name for seed in SEEDS}

    assert {name.split(" in ")[0] for name in names} == set(NEEDLES)
    assert {name.split(" in ")[1] for name in names} == set(HAYSTACKS)


def test_a_seed_always_makes_the_same_case() -> None:
    assert case(3, chars=5_000) == case(3, chars=5_000)
    assert case(3, chars=5_000).context != case(9, chars=5_000).context
