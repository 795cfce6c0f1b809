"""BrowserPool over pages that are played: which run goes to which page, and what becomes of a page that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from rlm_core import ConfigError, RLMError
from rlm_server.headless import BlockingBrowserPool, BrowserLost, BrowserMissing, BrowserPool, Outcome, Row
from rlm_server.headless import pool as pool_module
from rlm_server.headless.arguments import Arguments
from rlm_server.headless.page import LiveRun
from rlm_server.headless.result import HeadlessResult, partial_result

LOG = '{"type": "run_started", "seq": 0, "path": [], "seconds": 0.0}\n'
Answer = Callable[["PlayedPage", str, Arguments], Coroutine[Any, Any, HeadlessResult]]


def result_of(answer: str, stopped_by: Any = "final_answer") -> HeadlessResult:
    event = {"type": "notice", "path": [], "seconds": 0.0}
    partial = partial_result([event], detail="")
    fields = {name: getattr(partial, name) for name in HeadlessResult.__slots__}
    return HeadlessResult(**{**fields, "answer": answer, "stopped_by": stopped_by})


def lost() -> BrowserLost:
    event = {"type": "run_started", "seq": 0, "path": [], "seconds": 0.0}
    return BrowserLost("The browser was lost", partial_result([event], detail=""))


class PlayedPage:
    """A page whose runs are answered by a function."""

    def __init__(self, pages: PlayedPages, number: int) -> None:
        self.pages, self.number = pages, number
        self.runs, self.is_lost, self.is_closed = 0, False, False
        self.at_work = 0

    async def run(self, live: LiveRun, question: str, arguments: Arguments) -> HeadlessResult:
        self.at_work += 1
        self.pages.asked.append((self.number, question, arguments))
        self.pages.most_at_once = max(self.pages.most_at_once, sum(page.at_work for page in self.pages.opened))
        assert self.at_work == 1, "a page has one run"
        try:
            return await self.pages.answer(self, question, arguments)
        finally:
            self.at_work -= 1

    async def close(self) -> None:
        self.is_closed = True


class PlayedPages:
    """Opens played pages, and remembers all that they were asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.opened: list[PlayedPage] = []
        self.asked: list[tuple[int, str, Arguments]] = []
        self.most_at_once = 0

    async def open(self) -> PlayedPage:
        self.opened.append(PlayedPage(self, len(self.opened)))
        return self.opened[-1]

    async def __aenter__(self) -> PlayedPages:
        return self

    async def __aexit__(self, *fault: object) -> None:
        pass


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], PlayedPages]:
    def played(answer: Answer) -> PlayedPages:
        pages = PlayedPages(answer)
        monkeypatch.setattr(pool_module, "Pages", lambda *address: pages)
        return pages

    return played


async def echo(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
    await asyncio.sleep(0)
    return result_of(question.upper())


def mapped(size: int, rows: Any) -> list[Outcome]:
    async def main() -> list[Outcome]:
        async with BrowserPool(size) as pool:
            return [outcome async for outcome in pool.map(rows)]

    return asyncio.run(main())


def rows_of(count: int) -> list[Row]:
    return [{"question": f"q{number}"} for number in range(count)]


def answers(outcomes: list[Outcome]) -> dict[int, str]:
    return {outcome.index: outcome.result.answer for outcome in outcomes if outcome.result is not None}


def test_each_row_has_its_outcome_and_no_more_pages_are_opened_than_runs_at_once(
    play: Callable[[Answer], PlayedPages],
) -> None:
    pages = play(echo)
    outcomes = mapped(3, rows_of(20))
    assert answers(outcomes) == {number: f"Q{number}" for number in range(20)}
    assert all(outcome.is_answered and outcome.attempts == 1 for outcome in outcomes)
    assert (pages.most_at_once, len(pages.opened)) == (3, 3)


def test_few_rows_open_few_pages(play: Callable[[Answer], PlayedPages]) -> None:
    pages = play(echo)
    mapped(8, rows_of(2))
    assert len(pages.opened) == 2


def test_outcomes_come_as_runs_end(play: Callable[[Answer], PlayedPages]) -> None:
    ended: list[str] = []

    async def slow_first(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
        await asyncio.sleep(0)
        while question == "q0" and ended != ["q1", "q2"]:
            await asyncio.sleep(0.01)
        ended.append(question)
        return result_of(question)

    play(slow_first)
    assert [outcome.index for outcome in mapped(2, rows_of(3))] == [1, 2, 0]


def test_rows_are_taken_as_outcomes_are(play: Callable[[Answer], PlayedPages]) -> None:
    taken: list[int] = []

    def rows() -> Iterator[Row]:
        for number in range(1_000):
            taken.append(number)
            yield {"question": f"q{number}"}

    async def main() -> None:
        async with BrowserPool(2) as pool:
            outcomes = pool.map(rows())
            await anext(outcomes)
            await asyncio.sleep(0.05)
            assert len(taken) <= 8
            await outcomes.aclose()  # type: ignore[attr-defined]

    play(echo)
    asyncio.run(main())


def test_rows_may_come_asynchronously(play: Callable[[Answer], PlayedPages]) -> None:
    async def rows() -> AsyncIterator[Row]:
        for row in rows_of(3):
            await asyncio.sleep(0)
            yield row

    play(echo)
    assert answers(mapped(2, rows())) == {0: "Q0", 1: "Q1", 2: "Q2"}


def test_an_impossible_argument_is_an_error_row_and_no_other_row_is_touched(
    play: Callable[[Answer], PlayedPages],
) -> None:
    pages = play(echo)
    outcomes = mapped(1, [{"question": "a", "max_iteration": 3}, {"question": "b"}])
    assert isinstance(outcomes[0].error, ConfigError)
    assert "max_iterations" in str(outcomes[0].error)
    assert (outcomes[0].result, outcomes[0].attempts, outcomes[0].is_answered) == (None, 0, False)
    assert answers(outcomes) == {1: "B"}
    assert [question for _, question, _ in pages.asked] == ["b"]


def test_a_page_that_is_lost_takes_one_row_with_it_which_is_resumed_on_another_page(
    play: Callable[[Answer], PlayedPages],
) -> None:
    async def lose_once(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
        if question == "q1" and not arguments.log:
            raise lost()
        return await echo(page, question, arguments)

    pages = play(lose_once)
    outcomes = mapped(2, rows_of(6))
    assert answers(outcomes) == {number: f"Q{number}" for number in range(6)}
    assert {outcome.index: outcome.attempts for outcome in outcomes} == {0: 1, 1: 2, 2: 1, 3: 1, 4: 1, 5: 1}
    first, second = [(number, arguments.log) for number, question, arguments in pages.asked if question == "q1"]
    assert (first[1], second[1]) == ({}, {"resume": LOG})
    assert first[0] != second[0]
    assert (len(pages.opened), [page.is_closed for page in pages.opened].count(True)) == (3, 1)


def test_a_page_that_is_lost_twice_is_an_error_row(play: Callable[[Answer], PlayedPages]) -> None:
    async def lose(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
        if question == "q1":
            raise lost()
        return await echo(page, question, arguments)

    play(lose)
    outcomes = mapped(2, rows_of(4))
    [failed] = [outcome for outcome in outcomes if outcome.error is not None]
    assert (failed.index, failed.attempts, type(failed.error)) == (1, 2, BrowserLost)
    assert answers(outcomes) == {0: "Q0", 2: "Q2", 3: "Q3"}


def test_a_page_that_died_between_two_runs_costs_no_row(play: Callable[[Answer], PlayedPages]) -> None:
    async def dead(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
        if page.number == 0 and question == "q1":
            page.is_lost = True
            raise RLMError("The context cannot be handed to the browser: Target crashed.")
        return await echo(page, question, arguments)

    play(dead)
    assert answers(mapped(1, rows_of(3))) == {0: "Q0", 1: "Q1", 2: "Q2"}


def test_another_error_of_a_page_is_not_tried_again(play: Callable[[Answer], PlayedPages]) -> None:
    async def fail(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
        raise RLMError("The page failed.")

    pages = play(fail)
    [outcome] = mapped(1, rows_of(1))
    assert (str(outcome.error), outcome.attempts, len(pages.asked)) == ("The page failed.", 1, 1)


def test_where_no_page_opens_at_all_that_is_the_error_and_no_row_has_one(play: Callable[[Answer], PlayedPages]) -> None:
    async def missing() -> PlayedPage:
        raise BrowserMissing("No Chromium found.")

    pages = play(echo)
    pages.open = missing  # type: ignore[method-assign]
    with pytest.raises(BrowserMissing, match="No Chromium found"):
        mapped(2, rows_of(5))


def test_a_page_is_renewed_after_so_many_runs(
    play: Callable[[Answer], PlayedPages], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "PAGE_RUNS", 4)
    pages = play(echo)
    mapped(1, rows_of(10))
    assert [page.runs for page in pages.opened] == [4, 4, 2]
    assert [page.is_closed for page in pages.opened] == [True, True, False]


def test_a_loop_that_is_left_early_stops_the_runs(play: Callable[[Answer], PlayedPages]) -> None:
    begun: list[str] = []
    stopped: list[str] = []

    async def endless(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
        if question == "q0":
            return result_of("first")
        begun.append(question)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(question)
            raise
        raise AssertionError

    async def main() -> None:
        async with BrowserPool(2) as pool:
            outcomes = pool.map(rows_of(9))
            assert (await anext(outcomes)).index == 0
            while begun != ["q1", "q2"]:
                await asyncio.sleep(0.01)
            await outcomes.aclose()  # type: ignore[attr-defined]
            assert stopped == ["q1", "q2"]

    play(endless)
    asyncio.run(main())


def test_an_error_of_the_rows_is_raised_after_the_runs_that_began(play: Callable[[Answer], PlayedPages]) -> None:
    def rows() -> Iterator[Row]:
        yield {"question": "q0"}
        raise ValueError("line 2 is broken")

    play(echo)
    with pytest.raises(ValueError, match="line 2 is broken"):
        mapped(2, rows())


@pytest.mark.parametrize("size", [0, -1, True, 2.5, "4"])
def test_an_impossible_size_is_refused(size: Any) -> None:
    with pytest.raises(ConfigError, match="size must be a whole number of 1 or more"):
        BrowserPool(size)


def test_it_must_be_open() -> None:
    with pytest.raises(ConfigError, match="not open"):
        asyncio.run(BrowserPool(1).run("What?"))
    with pytest.raises(ConfigError, match="not open"):
        BlockingBrowserPool(1).run("What?")


def test_a_run_that_waits_for_a_page_does_not_begin_when_its_pool_is_closed(
    play: Callable[[Answer], PlayedPages],
) -> None:
    async def endless(page: PlayedPage, question: str, arguments: Arguments) -> HeadlessResult:
        await asyncio.Event().wait()
        raise AssertionError

    pages = play(endless)

    async def main() -> list[Any]:
        async with BrowserPool(1) as pool:
            runs = [asyncio.create_task(pool.run(question)) for question in ("first", "second")]
            while not pages.asked:
                await asyncio.sleep(0)
        return await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), 10)

    first, second = asyncio.run(main())
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(second, ConfigError)
    assert [question for _, question, _ in pages.asked] == ["first"]


def test_without_async_it_is_the_same(play: Callable[[Answer], PlayedPages]) -> None:
    play(echo)
    with BlockingBrowserPool(2) as pool:
        assert pool.run("one").answer == "ONE"
        assert answers(list(pool.map(rows_of(3)))) == {0: "Q0", 1: "Q1", 2: "Q2"}
    assert "closed" in repr(pool)
