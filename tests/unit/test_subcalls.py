"""Sub-calls as model code sees them: text in, text out, errors that can be caught."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rlm_core.errors import ChannelError, ProtocolError, ProviderError, RLMError, RunCancelled
from rlm_core.limits import Budget, Limits
from rlm_core.provider import Provider
from rlm_core.repl import Repl
from rlm_core.subcalls import SubCalls
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.types import ModelCall, ModelUsage, Reply


class Raising:
    """A provider that raises instead of answering."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        raise self.error


def shout(prompt: str) -> Line:
    return ProviderError("too busy.", retryable=True) if "fail" in prompt else prompt.upper()


def wired(
    provider: Provider, *, model: str | None = None, limits: Limits | None = None
) -> tuple[Repl, SubCalls, Budget]:
    repl, budget = Repl("data"), Budget(limits or Limits())
    subcalls = SubCalls(provider, model=model, budget=budget, check_running=repl.check_running)
    repl.reserve(subcalls.functions())
    return repl, subcalls, budget


# name of the promise, code, its output
WORKS = [
    ("one prompt", "print(llm_query('hi'))", "HI\n"),
    ("one prompt by name", "print(llm_query(prompt='hi', model='m'))", "HI\n"),
    ("a batch, in order", "print(llm_batch(['a', 'b', 'c']))", "['A', 'B', 'C']\n"),
    ("a batch by its other name", "print(llm_query_batched(['a'], model='m'))", "['A']\n"),
    ("an empty batch", "print(llm_batch([]))", "[]\n"),
    ("a tuple", "print(llm_batch(('a', 'b')))", "['A', 'B']\n"),
    ("a generator", "print(llm_batch(f'{i}a' for i in range(2)))", "['0A', '1A']\n"),
    ("a text subclass", "class T(str): pass\nprint(llm_query(T('a')))", "A\n"),
    (
        "a failure can be caught",
        "try: llm_query('fail')\nexcept SubCallError as e: print(e)",
        "the sub-call failed: too busy.\n",
    ),
    ("as an Exception", "try: llm_query('fail')\nexcept Exception as e: print(type(e).__name__)", "SubCallError\n"),
    (
        "a failed batch keeps what arrived",
        "try: llm_batch(['a', 'fail', 'c'])\nexcept SubCallError as e: print(e.results, e.errors)",
        "['A', None, 'C'] {1: 'too busy.'}\n",
    ),
]

# name of the promise, code, part of the error
REFUSED = [
    ("a list to llm_query", "llm_query(['a'])", "TypeError: llm_query(prompt) must be a str, not list; use llm_batch"),
    ("a number", "llm_query(5)", 'must be a str, not int; make text of it: f"...{value}"'),
    ("bytes", "llm_query(b'a')", "must be a str, not bytes"),
    ("nothing", "llm_query(None)", "must be a str, not NoneType"),
    ("an empty prompt", "llm_query('')", "ValueError: llm_query(prompt) is empty"),
    ("a blank prompt", "llm_query(' \\n')", "is empty"),
    ("a text to llm_batch", "llm_batch('ab')", "takes a list of str, not str; for one prompt use llm_query"),
    ("a dict to llm_batch", "llm_batch({'a': 1})", "takes a list of str, not dict"),
    ("a number to llm_batch", "llm_batch(3)", "takes a list of str, not int"),
    ("a number in a batch", "llm_batch(['a', 5])", "llm_batch(prompts): prompt 1 must be a str, not int"),
    ("an empty prompt in a batch", "llm_batch(['a', ''])", "prompt 1 is empty"),
    ("text as the model", "llm_query('a', 'the text to read')", "TypeError: model must be the name of a model"),
    ("a number as the model", "llm_query('a', 5)", "model must be the name of a model"),
    ("an empty model", "llm_query('a', model='')", "model must be the name of a model"),
    ("a failure", "llm_query('fail')", "SubCallError: the sub-call failed: too busy."),
    ("a failed batch", "llm_batch(['a', 'fail', 'fail'])", "2 of 3 sub-calls failed; prompt 1: too busy."),
]


@pytest.mark.parametrize(("name", "code", "stdout"), WORKS, ids=[case[0] for case in WORKS])
def test_a_sub_call_gives_text(name: str, code: str, stdout: str) -> None:
    repl, _, _ = wired(ScriptedProvider(sub=shout))
    seen = repl.execute(code)
    assert (seen.stdout, seen.error) == (stdout, None)


@pytest.mark.parametrize(("name", "code", "part"), REFUSED, ids=[case[0] for case in REFUSED])
def test_an_impossible_sub_call_says_what_to_do(name: str, code: str, part: str) -> None:
    repl, _, _ = wired(ScriptedProvider(sub=shout))
    error = repl.execute(code).error
    assert error is not None
    assert part in error
    assert "rlm_core/" not in error


def test_a_batch_is_one_request() -> None:
    provider = ScriptedProvider(sub=shout)
    repl, _, _ = wired(provider)
    repl.execute("llm_batch([str(i) for i in range(1000)])")
    assert (provider.requests, len(provider.calls)) == (1, 1000)


def test_an_empty_batch_asks_nobody() -> None:
    provider = ScriptedProvider()
    wired(provider)[0].execute("llm_batch([])")
    assert provider.requests == 0


@pytest.mark.parametrize(("code", "model"), [("llm_query('a')", "sub"), ("llm_query('a', model='mine')", "mine")])
def test_the_sub_model_is_asked_unless_another_is_named(code: str, model: str) -> None:
    provider = ScriptedProvider()
    wired(provider, model="sub")[0].execute(code)
    assert [(call.model, call.kind) for call in provider.calls] == [(model, "sub")]


def test_usage_is_counted_for_each_model_also_when_others_fail() -> None:
    repl, _, budget = wired(ScriptedProvider(sub=shout), model="small")
    repl.execute("llm_batch(['aa', 'fail', 'bbb'])")
    repl.execute("llm_query('c', model='large')")
    assert budget.usage == {"small": ModelUsage(2, 5, 5), "large": ModelUsage(1, 1, 1)}


def test_what_arrived_of_a_failed_batch_is_there_in_the_next_block() -> None:
    repl, _, _ = wired(ScriptedProvider(sub=shout))
    repl.execute("replies = llm_batch(['a', 'fail'])")
    assert repl.execute("print(last_error.results, list(last_error.errors))").stdout == "['A', None] [1]\n"


def test_a_provider_that_raises_its_error_fails_every_call() -> None:
    repl, subcalls, _ = wired(Raising(ProviderError("down.")))
    assert "2 of 2 sub-calls failed" in str(repl.execute("llm_batch(['a', 'b'])").error)
    assert subcalls.ending is None


@pytest.mark.parametrize("error", [ChannelError("lost"), RunCancelled("stop"), ProtocolError("odd")])
@pytest.mark.parametrize("code", ["{}", "try:\n    {}\nexcept Exception:\n    pass\nprint('on')"])
def test_what_ends_the_run_ends_the_block_and_is_kept(error: RLMError, code: str) -> None:
    repl, subcalls, _ = wired(Raising(error))
    seen = repl.execute(code.format("llm_query('a')"))
    assert subcalls.ending is error
    assert (seen.stdout, seen.error) == ("", None)


def test_a_swallowed_ending_ends_the_next_sub_call_too() -> None:
    provider = Raising(ChannelError("lost"))
    repl, subcalls, _ = wired(provider)
    repl.execute("try: llm_query('a')\nexcept BaseException: pass")
    provider.error = AssertionError("must not be asked")
    assert repl.execute("llm_query('b')\nprint('on')").stdout == ""
    assert isinstance(subcalls.ending, ChannelError)


def test_a_stop_during_a_sub_call_cannot_be_swallowed() -> None:
    repl, subcalls, _ = wired(Raising(KeyboardInterrupt()))
    repl.execute("try: llm_query('a')\nexcept BaseException: pass")
    assert isinstance(subcalls.ending, RunCancelled)


def test_no_sub_call_is_made_after_a_swallowed_final_answer() -> None:
    provider = ScriptedProvider()
    repl, _, _ = wired(provider)
    repl.execute(
        "for i in range(3):\n    try:\n        llm_query('a')\n        FINAL(i)\n    except BaseException: pass"
    )
    assert repl.final == "0"
    assert len(provider.calls) == 1


def test_no_sub_call_is_made_when_the_time_is_up() -> None:
    provider = ScriptedProvider()
    repl, budget = Repl(), Budget(Limits(max_seconds=1), clock=iter([0.0, 5.0, 5.0]).__next__)
    subcalls = SubCalls(provider, model=None, budget=budget, check_running=repl.check_running)
    repl.reserve(subcalls.functions())
    repl.execute("llm_query('a')")
    assert provider.calls == []
    assert "time limit reached: 5.0 of 1 used" in str(subcalls.ending)


def test_too_few_outcomes_are_a_fault_of_the_provider() -> None:
    class Short:
        def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply]:
            return []

    repl, subcalls, _ = wired(Short())
    repl.execute("llm_query('a')")
    assert "0 outcomes for 1 calls" in str(subcalls.ending)


@pytest.mark.parametrize("name", ["llm_query", "llm_batch", "llm_query_batched"])
def test_the_functions_come_back_and_explain_themselves(name: str) -> None:
    repl, _, _ = wired(ScriptedProvider())
    before: Callable[..., object] = repl.namespace[name]
    repl.execute(f"{name} = None")
    assert repl.namespace[name] is before
    assert "Ask a sub-model" in repl.execute(f"help({name})").stdout


# name of the promise, reply of the sub-model, code, what it prints
CUT = Reply("the first half", finish_reason="length")
REPLIES = [
    ("thoughts are taken off", Reply("<think>\nNONE?\n</think>\n\ndog"), "print(repr(llm_query('q')))", "'dog'\n"),
    ("of a batch too", Reply("<think>cat</think>dog"), "print(llm_batch(['q', 'r']))", "['dog', 'dog']\n"),
    ("harmony's frames", Reply("<|channel|>final<|message|>dog"), "print(llm_query('q'))", "dog\n"),
    ("end markers", Reply("dog<|eot_id|>"), "print(llm_query('q'))", "dog\n"),
    ("answer tags", Reply("<answer>dog</answer>"), "print(llm_query('q'))", "dog\n"),
    (
        "answer tags that the prompt asks for stay",
        Reply("Hm.\n<answer>dog</answer>"),
        "print(llm_query('Reply in <answer></answer>.'))",
        "Hm.\n<answer>dog</answer>\n",
    ),
    (
        "thinking tags that the prompt asks for stay",
        Reply("<thinking>a</thinking>dog"),
        "print(llm_query('First <thinking>, then reply.'))",
        "<thinking>a</thinking>dog\n",
    ),
    ("a plain reply is left as it is", Reply(" dog \n"), "print(repr(llm_query('q')))", "' dog \\n'\n"),
    (
        "a cut reply raises with its part",
        CUT,
        "try: llm_query('q')\nexcept SubCallError as e: print(repr(e.partial), 'allow_cut=True' in str(e))",
        "'the first half' True\n",
    ),
    ("unless it is allowed", CUT, "print(llm_query('q', allow_cut=True))", "the first half\n"),
    (
        "cut replies of a batch",
        CUT,
        "try: llm_batch(['q', 'r'])\nexcept SubCallError as e: print(e.results, e.partial)",
        "[None, None] ['the first half', 'the first half']\n",
    ),
    ("or allowed there", CUT, "print(llm_batch(['q'], allow_cut=True))", "['the first half']\n"),
    ("an empty reply", Reply(""), "try: llm_query('q')\nexcept SubCallError as e: print(e)", "reply is empty.\n"),
    (
        "thoughts alone",
        Reply("<think>x"),
        "try: llm_query('q')\nexcept SubCallError as e: print(e)",
        "thoughts only.\n",
    ),
    (
        "a filter",
        Reply("", finish_reason="content_filter"),
        "try: llm_query('q')\nexcept SubCallError as e: print(e)",
        "the provider's content filter withheld the reply.\n",
    ),
    (
        "a reply that a filter ended",
        Reply("the first half", finish_reason="content_filter"),
        "try: llm_query('q')\nexcept SubCallError as e: print(repr(e.partial), 'content filter' in str(e))",
        "'the first half' True\n",
    ),
    (
        "or allowed, though a filter ended it",
        Reply("the first half", finish_reason="content_filter"),
        "print(llm_query('q', allow_cut=True))",
        "the first half\n",
    ),
    (
        "a tool call",
        Reply("", finish_reason="tool_calls"),
        "try: llm_query('q')\nexcept SubCallError as e: print(e)",
        "instead of writing text.\n",
    ),
]


@pytest.mark.parametrize(
    ("reply", "code", "printed"), [case[1:] for case in REPLIES], ids=[case[0] for case in REPLIES]
)
def test_what_a_sub_model_sends_is_what_it_says(reply: Reply, code: str, printed: str) -> None:
    repl, _, _ = wired(ScriptedProvider(sub=lambda prompt: reply))
    observation = repl.execute(code)
    assert observation.error is None
    assert observation.stdout.endswith(printed)


def test_a_prompt_that_is_too_long_fails_alone() -> None:
    provider = ScriptedProvider(sub=shout)
    repl, _, _ = wired(provider, limits=Limits(max_prompt_chars=5))
    code = (
        "try: llm_batch(['a', 'b' * 6, 'c'])\nexcept SubCallError as e: print(e.results, list(e.errors), e.errors[1])"
    )
    printed = repl.execute(code).stdout
    assert printed.startswith(
        "['A', None, 'C'] [1] the prompt is too long, 6 of at most 5 characters (max_prompt_chars)"
    )
    assert [call.messages[-1].content for call in provider.calls] == ["a", "c"]
