"""THE LOOP: the messages to the root model, their order, and the end of a run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

import pytest

from rlm_core import prompts
from rlm_core.errors import ChannelError, ConfigError, ProviderError, RunCancelled
from rlm_core.events import (
    BlockFinished,
    BlockStarted,
    CallFinished,
    CallStarted,
    Event,
    IterationFinished,
    IterationStarted,
    Notice,
    Output,
    RunFinished,
    RunStarted,
)
from rlm_core.job import Job
from rlm_core.limits import Budget, Limits
from rlm_core.run import answer, run
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.types import Fault, ModelCall, ModelUsage, Reply, Tool
from tests.unit.scripted_run import block, ran, told

# --- The main job ---------------------------------------------------------------------------------------------------


def test_a_run_from_the_question_to_the_answer() -> None:
    result, provider, _ = ran(
        [
            "I look first.\n" + block("print(context)"),
            block("name = llm_query('Name in: ' + context)\nname"),
            "FINAL_VAR(name)",
        ]
    )
    assert (result.answer, result.stopped_by, result.iterations) == ("Name in: Ada did it.", "final_answer", 3)
    assert [len(call.messages) for call in provider.root_calls] == [2, 4, 6]
    assert told(provider) == "Value:\n'Name in: Ada did it.'"


def test_the_conversation_grows_and_is_never_rewritten() -> None:
    _, provider, _ = ran([block("print(1)"), block("print(2)"), "FINAL(7)"])
    first, second, third = (call.messages for call in provider.root_calls)
    assert second[: len(first)] == first
    assert third[: len(second)] == second
    assert [message.role for message in third] == ["system", "user", "assistant", "user", "assistant", "user"]


def test_the_context_itself_is_not_in_the_prompt() -> None:
    provider = ScriptedProvider(["FINAL(7)"])
    run("Who?", "start " + "secret " * 10_000, provider=provider)
    assert len("".join(message.content for message in provider.calls[0].messages)) < 10_000


def test_without_a_context_the_question_is_the_context() -> None:
    provider = ScriptedProvider([block("FINAL(context.upper())")])
    assert run("who?", provider=provider).answer == "WHO?"


@pytest.mark.parametrize("context", ["", [], {}, 0, b"", False])
def test_an_empty_context_is_a_context(context: object) -> None:
    assert run("who?", context, provider=ScriptedProvider([block("FINAL(repr(context))")])).answer == repr(context)


def test_a_long_question_is_whole_in_the_repl() -> None:
    provider = ScriptedProvider([block("FINAL(len(question))")])
    assert run("q" * 50_000, "data", provider=provider).answer == "50000"


def test_models_are_asked_as_told() -> None:
    _, provider, _ = ran([block("llm_query('a')"), "FINAL(7)"], model="big", sub_model="small")
    assert [(call.kind, call.model) for call in provider.calls] == [("root", "big"), ("sub", "small"), ("root", "big")]


def test_without_a_sub_model_sub_calls_go_to_the_root_model_and_not_to_the_servers_default() -> None:
    _, provider, _ = ran([block("llm_query('a')\nllm_query('b', model='named')"), "FINAL(7)"], model="big")
    assert [call.model for call in provider.calls] == ["big", "big", "named", "big"]


def test_usage_is_counted_for_root_and_sub_calls() -> None:
    result, _, _ = ran([block("llm_batch(['a', 'b'])"), "FINAL(7)"], model="big", sub_model="small")
    assert result.usage["small"] == ModelUsage(2, 2, 2)
    assert result.usage["big"].calls == 2


def test_tools_are_bound_and_told_of() -> None:
    tools = [Tool("rates", {"eur": 2}, "exchange rates")]
    result, provider, _ = ran([block("rates['eur'] = 3\nrates = 1"), block("FINAL(rates['eur'])")], tools=tools)
    assert result.answer == "3"
    assert tools[0].value == {"eur": 2}
    assert "- `rates`: exchange rates" in provider.calls[0].messages[0].content


def test_a_system_prompt_of_the_users_own_replaces_ours() -> None:
    _, provider, _ = ran(["FINAL(7)"], system_prompt="Be brief.")
    assert provider.calls[0].messages[0].content.startswith("Be brief.\n\nIn the REPL")


# --- Replies --------------------------------------------------------------------------------------------------------


def test_all_blocks_of_a_reply_run_and_make_one_message() -> None:
    _, provider, _ = ran([block("print(1)") + "\n" + block("1/0") + "\n" + block("print(3)"), "FINAL(7)"])
    assert told(provider).startswith("Block 1 of 3\nOutput (2 characters):\n1\n\nBlock 2 of 3\nError:\nTraceback")
    assert told(provider).endswith("Block 3 of 3\nOutput (2 characters):\n3")


def test_blocks_after_the_final_answer_do_not_run() -> None:
    result, _, events = ran([block("FINAL(1)") + "\n" + block("FINAL(2)")])
    assert result.answer == "1"
    assert len([event for event in events if isinstance(event, BlockStarted)]) == 1


def test_a_literal_written_with_code_must_be_confirmed() -> None:
    result, provider, _ = ran([block("print(6 * 7)") + "\nFINAL(41)", "FINAL(42)"])
    assert (result.answer, result.iterations) == ("42", 2)
    assert told(provider) == f"Output (3 characters):\n42\n\n{prompts.CONFIRM}"


def test_a_reply_that_says_nothing_is_told_what_to_do() -> None:
    _, provider, _ = ran(["", "FINAL(7)"])
    assert told(provider) == prompts.NOTHING_TO_DO
    assert provider.root_calls[-1].messages[-2].content == "(empty reply)"


def test_an_unknown_variable_is_told_with_those_there_are() -> None:
    _, provider, _ = ran([block("total = 1"), "FINAL_VAR(totl)", "FINAL_VAR(total)"])
    assert told(provider) == (
        "FINAL_VAR(totl) was not accepted: NameError: there is no variable 'totl'. Your variables: total."
    )


def test_output_is_bounded_by_the_limit() -> None:
    _, provider, _ = ran([block("print('x' * 100_000)"), "FINAL(7)"], limits=Limits(max_output_chars=200))
    assert len(told(provider)) < 350
    assert "Output (100,001 characters):" in told(provider)


# --- Endings --------------------------------------------------------------------------------------------------------


def test_out_of_iterations_the_model_is_asked_once_more() -> None:
    result, provider, events = ran([block("1"), block("2"), "Probably Ada."], limits=Limits(max_iterations=2))
    assert (result.answer, result.stopped_by, result.iterations) == ("Probably Ada.", "max_iterations", 2)
    assert result.detail.startswith("iteration limit reached: 2 of 2 used.")
    assert (provider.root_calls[-1].messages[-1].role, told(provider)) == ("user", prompts.LAST_CALL)
    assert any(isinstance(event, Notice) for event in events)


@pytest.mark.parametrize(
    ("last", "answered"),
    [("FINAL(Ada)", "Ada"), ("FINAL_VAR(best)", "Bob"), (block("FINAL(1)"), block("FINAL(1)")), ("", "Bob")],
)
def test_the_last_call_is_read_like_any_reply_but_runs_no_code(last: str, answered: str) -> None:
    code = "best = 'Bob'\nanswer['content'] = best"
    result, _, _ = ran([block(code), last], limits=Limits(max_iterations=1))
    assert (result.answer, result.stopped_by) == (answered, "max_iterations")


def test_a_final_answer_in_the_last_iteration_is_a_final_answer() -> None:
    result, provider, _ = ran([block("1"), block("FINAL(2)")], limits=Limits(max_iterations=2))
    assert (result.answer, result.stopped_by, len(provider.root_calls)) == ("2", "final_answer", 2)


def test_the_end_is_announced_before_it_comes() -> None:
    _, provider, _ = ran([block("1"), block("2"), "FINAL(7)"], limits=Limits(max_iterations=3))
    assert told(provider).endswith("1 iteration left. Finish in this one.")


def test_a_failing_last_call_keeps_the_partial_answer() -> None:
    replies: list[Line] = [block("answer['content'] = 'Ada?'"), ProviderError("too busy.")]
    result, _, _ = ran(replies, limits=Limits(max_iterations=1))
    assert (result.answer, result.stopped_by) == ("Ada?", "max_iterations")
    assert result.detail.endswith("The last call failed too: too busy.")


def test_errors_in_a_row_end_the_run() -> None:
    result, _, _ = ran([block("1/0")] * 3, limits=Limits(max_errors=3))
    assert (result.stopped_by, result.iterations) == ("max_errors", 3)


def test_a_reply_whose_last_block_works_is_no_error() -> None:
    replies = [block("1/0") + "\n" + block("1")] * 3 + ["FINAL(7)"]
    assert ran(replies, limits=Limits(max_errors=2))[0].stopped_by == "final_answer"


def test_a_final_answer_in_the_iteration_that_crosses_a_limit_is_kept() -> None:
    result, _, _ = ran(
        [block("1/0"), block("answer.update(content='x', ready=True)\n1/0")], limits=Limits(max_errors=2)
    )
    assert (result.answer, result.stopped_by) == ("x", "final_answer")


def test_time_up_ends_the_run_with_the_partial_answer() -> None:
    times: list[float] = [0]
    work = Tool("work", lambda: times.append(11))
    job = Job(question="Who?", context="x", limits=Limits(max_seconds=10), tools=(work,))
    provider = ScriptedProvider([block("answer['content'] = 'so far'\nwork()\nllm_query('x')\nprint('never')")])
    events: list[Event] = []
    budget = Budget(job.limits, clock=lambda: times[-1])
    result = answer(job, provider=provider, emit=events.append, budget=budget)
    assert (result.answer, result.stopped_by) == ("so far", "max_seconds")
    assert provider.sub_calls == []
    finished = next(event for event in events if isinstance(event, BlockFinished))
    assert (finished.partial, finished.observation.stdout) == ("so far", "")


@pytest.mark.parametrize("code", ["llm_query('stop')", "try: llm_query('stop')\nexcept BaseException: pass"])
def test_a_stop_in_a_block_keeps_what_was_printed_and_worked_out(code: str) -> None:
    class Stopping(ScriptedProvider):
        def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
            if calls[0].kind == "sub":
                raise KeyboardInterrupt
            return super().complete(calls)

    events: list[Event] = []
    provider = Stopping([block(f"print('seen')\nanswer['content'] = 'so far'\n{code}")])
    result = run("Who?", "data", provider=provider, emit=events.append)
    assert (result.answer, result.stopped_by, result.detail) == ("so far", "cancelled", "The run was stopped.")
    assert next(event for event in events if isinstance(event, BlockFinished)).observation.stdout == "seen\n"
    assert isinstance(events[-1], RunFinished)


@pytest.mark.parametrize(
    ("error", "stopped_by"),
    [
        (KeyboardInterrupt(), "cancelled"),
        (RunCancelled("stop"), "cancelled"),
        (ProviderError("no key.", status=401), "provider_error"),
        (ChannelError("lost."), "worker_lost"),
    ],
)
@pytest.mark.parametrize("limits", [Limits(), Limits(max_iterations=2)])
def test_whatever_ends_a_root_call_the_partial_answer_is_kept(
    error: BaseException, stopped_by: str, limits: Limits
) -> None:
    class Failing(ScriptedProvider):
        def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
            if len(self.root_calls) == 1:
                raise error
            return super().complete(calls)

    result = run("Who?", "data", provider=Failing([block("answer['content'] = 'so far'")]), limits=limits)
    assert (result.answer, result.stopped_by, result.iterations) == ("so far", stopped_by, 2)


def test_a_result_says_what_failed_in_facts() -> None:
    error = ProviderError("busy.", type="upstream-rate-limited", retryable=True, status=429, upstream="openai")
    result, _, _ = ran([error])
    assert result.fault == Fault("upstream-rate-limited", 429, True, "openai")


def test_a_run_that_a_limit_ended_has_no_fault_although_its_last_call_failed() -> None:
    result, _, _ = ran([block("1"), ProviderError("down.")], limits=Limits(max_iterations=1))
    assert (result.stopped_by, result.fault) == ("max_iterations", None)


def test_an_answer_that_was_not_confirmed_is_the_partial_answer() -> None:
    result, _, _ = ran([block("1") + "\nFINAL(Ada)", ProviderError("down.")])
    assert (result.answer, result.stopped_by, result.detail) == ("Ada", "provider_error", "down.")


def test_a_fault_of_the_provider_is_raised() -> None:
    with pytest.raises(ConfigError, match="the script has 1 replies"):
        ran([block("1")])


# --- Events ---------------------------------------------------------------------------------------------------------


def test_every_step_leaves_one_event() -> None:
    _, _, events = ran([block("print(llm_query('a'))"), "FINAL(7)"])
    assert [type(event) for event in events] == [
        RunStarted,
        *[IterationStarted, CallStarted, CallFinished, BlockStarted, CallStarted, CallFinished],
        *[Output, Output, BlockFinished, IterationFinished],
        *[IterationStarted, CallStarted, CallFinished, IterationFinished],
        RunFinished,
    ]


def test_each_prompts_new_messages_are_in_one_event_only() -> None:
    _, provider, events = ran([block("1"), block("2"), "FINAL(7)"])
    started = [event for event in events if isinstance(event, CallStarted)]
    assert [(event.kept, len(event.messages)) for event in started] == [(0, 2), (2, 2), (4, 2)]
    assert sum((event.messages for event in started), ()) == provider.calls[-1].messages


def test_a_batch_has_an_event_for_each_call() -> None:
    _, _, events = ran([block("llm_batch(['a', 'b'])"), "FINAL(7)"])
    started = [event for event in events if isinstance(event, CallStarted) and event.kind == "sub"]
    finished = [event for event in events if isinstance(event, CallFinished)]
    assert [(event.call, event.batch, event.messages[0].content) for event in started] == [(1, 2, "a"), (2, 2, "b")]
    assert [event.call for event in finished] == [0, 1, 2, 3]


def test_the_loop_itself_leaves_calls_to_the_host_to_record() -> None:
    events: list[Event] = []
    answer(Job(question="Who?", context="x"), provider=ScriptedProvider(["FINAL(7)"]), emit=events.append)
    assert not [event for event in events if isinstance(event, CallStarted | CallFinished)]


def test_the_log_begins_with_the_runs_configuration_and_never_holds_the_context() -> None:
    _, _, events = ran(["FINAL(7)"], model="big", limits=Limits(max_iterations=3))
    started = events[0]
    assert isinstance(started, RunStarted)
    assert (started.question, started.model, started.limits["max_iterations"]) == ("Who?", "big", 3)
    assert started.contexts[0]["size"] == 11
    assert "Ada did it" not in repr(started)


def test_fingerprints_of_the_host_are_taken_as_they_are() -> None:
    events: list[Event] = []
    job = Job(question="Who?", context="x", contexts=({"name": "a.txt", "size": 1},))
    answer(job, provider=ScriptedProvider(["FINAL(7)"]), emit=events.append)
    assert isinstance(events[0], RunStarted)
    assert events[0].contexts == ({"name": "a.txt", "size": 1},)


def test_a_plain_function_may_be_the_provider() -> None:
    asked: list[tuple[str, str | None]] = []

    def ask(messages: list[dict[str, str]], model: str | None) -> str:
        asked.append((messages[-1]["content"][:9], model))
        if messages[-1]["content"] == "fail":
            raise ValueError("no such thing")
        return block("try: llm_query('fail')\nexcept SubCallError as e: FINAL(str(e))")

    result = run("Who?", "x", provider=ask, model="m")
    assert result.answer == "the sub-call failed: ValueError: no such thing"
    assert asked == [("Question:", "m"), ("fail", "m")]


@pytest.mark.skipif(sys.platform == "emscripten", reason="there are no threads")
def test_two_runs_in_threads_keep_their_output_apart_and_the_programs_streams(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, both = sys.stdout, threading.Barrier(2)
    seen: dict[str, str] = {}

    def work(name: str) -> None:
        tools = (Tool("meet", lambda: both.wait(20) and None), Tool("name", name))
        events: list[Event] = []
        code = "print(name, 1)\nmeet()\nprint(name, 2)\nmeet()"
        code += "\nmeet()\nprint(name, 3)" if name == "a" else "\nprint(name, 3)"
        provider = ScriptedProvider([block(code), "FINAL(It is 7.)"])
        run("Q?", "x", provider=provider, tools=tools, emit=events.append)
        if name == "b":
            both.wait(20)
        seen[name] = next(event for event in events if isinstance(event, BlockFinished)).observation.stdout

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": "a 1\na 2\na 3\n", "b": "b 1\nb 2\nb 3\n"}
    assert sys.stdout is before
    assert capsys.readouterr().out == ""


PRINTS_ONE = "```repl\nprint(1)\n```"


def test_a_limit_of_cost_ends_a_run_whose_costs_are_unknown() -> None:
    provider = ScriptedProvider([PRINTS_ONE, "FINAL(2)"])
    result = run("What?", "text", provider=provider, limits=Limits(max_cost=1.0))
    assert (result.stopped_by, result.iterations) == ("max_cost", 1)
    assert "the cost of a reply of scripted is unknown" in result.detail


def test_a_limit_of_cost_holds_where_costs_are_known() -> None:
    class Priced(ScriptedProvider):
        def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
            return [Reply(PRINTS_ONE, "m", ModelUsage(1, cost=0.6)) for _ in calls]

    result = run("What?", "text", provider=Priced([]), limits=Limits(max_cost=1.0))
    assert result.stopped_by == "max_cost"
    assert "cost (USD) limit reached" in result.detail
