"""Overlap: which sub-calls are known while a reply is still being written, and that no code runs for it."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_core import Job, Message, ModelCall, Reply, answer
from rlm_core.limits import Budget, Limits
from rlm_core.overlap import MAX_CALLS, MAX_REQUESTS, Ahead
from rlm_core.repl import Repl
from rlm_core.subcalls import SubCalls

FENCE = "```"


class Answering:
    """A provider that reads ahead, as that of the worker does, replies in pieces of `size` characters."""

    def __init__(self, replies: list[str], size: int) -> None:
        self.replies = list(replies)
        self.size = size
        self.ahead: list[str] = []
        self.asked: list[str] = []
        self._make: Any = None

    def read_ahead(self, namespace: Any, calls_of: Any) -> None:
        self._make = lambda: Ahead(namespace, calls_of)

    def complete(self, calls: Any) -> list[Reply]:
        if calls[0].kind == "sub":
            self.asked += [call.messages[-1].content for call in calls]
            return [Reply(f"reply to {call.messages[-1].content}") for call in calls]
        reply = self.replies.pop(0)
        reader = self._make()
        for at in range(0, len(reply), self.size):
            for request in reader.read(at, reply[at : at + self.size]):
                self.ahead += [call.messages[-1].content for call in request]
        return [Reply(reply)]


def block(text: str) -> str:
    return f"Look.\n{FENCE}repl\n{text}\n{FENCE}\n"


def known(text: str, *, context: Any = "alpha beta\ngamma delta\n", before: str = "", size: int = 7) -> list[str]:
    """The prompts that leave ahead of a reply with one block; each is one that the block asks for."""
    replies = [*([block(before)] if before else []), block(text), block("FINAL('done')")]
    provider = Answering(replies, size)
    answer(Job(question="What?", context=context), provider=provider)
    left = list(provider.asked)
    for prompt in provider.ahead:
        left.remove(prompt)
    return provider.ahead


class TestKnown:
    @pytest.mark.parametrize(
        ("text", "prompts"),
        [
            ("llm_query('one')", ["one"]),
            ("x = llm_query(f'Sum up: {context[:5]}')\nprint(x)", ["Sum up: alpha"]),
            ("llm_batch([line.upper() for line in context.splitlines()])", ["ALPHA BETA", "GAMMA DELTA"]),
            ("n = 6\nparts = [context[i:i + n] for i in range(0, 12, n)]\nllm_batch(parts)", ["alpha ", "beta\ng"]),
            ("T = 'Read {}: {text}'\nllm_query(T.format(1, text=context.strip()[:5]))", ["Read 1: alpha"]),
            ("llm_batch(prompts=['a', 'b'], model=None)", ["a", "b"]),
            (
                "for i, line in enumerate(context.split('\\n')[:2]):\n    print(llm_query(f'{i} {line}'))",
                ["0 alpha beta", "1 gamma delta"],
            ),
            ("out = {}\nfor w in ['a', 'b']:\n    out[w] = llm_query(w)\nllm_query('c')", ["a", "b", "c"]),
            ("out = []\nfor w in ['a', 'b']:\n    r = llm_query(w)\n    out.append(r.strip())", ["a", "b"]),
            ("try:\n    x = llm_query('a')\nexcept SubCallError as e:\n    x = ''\nllm_query('b')", ["a", "b"]),
            ("if len(context) > 3:\n    llm_query('long')\nelse:\n    llm_query('short')", ["long"]),
            ("import math\nn = math.ceil(len(context) / 10)\nllm_query(f'{n} parts')", ["3 parts"]),
            ("from math import ceil\nllm_query(f'{ceil(2.1)}')", ["3"]),
            ("import re, json\nx = re.findall('a', context)\nllm_query('known: ' + str([1, 2]))", ["known: [1, 2]"]),
            ("llm_query('Which?', schema={'type': 'integer'})", None),
            ("a, b = 'x y'.split()\nllm_query(b + a)", ["yx"]),
            ("s = 'a'\ns += 'b'\nparts = ['p']\nparts += [s]\nllm_query('|'.join(parts))", ["p|ab"]),
            ("llm_query('-'.join(f'{k}={v}' for k, v in {'a': 1}.items()))", ["a=1"]),
            ("x = [llm_query(w) for w in ('a', 'b')]\nprint(len(x))", ["a", "b"]),
            ("text = '''\nFree text.\nNot code\n'''\nllm_query('after')", ["after"]),
        ],
    )
    def test_what_finished_statements_ask_for_is_known(self, text: str, prompts: list[str] | None) -> None:
        for size in (1, 7, 10_000):
            found = known(text, size=size)
            assert len(found) == 1 if prompts is None else found == prompts

    def test_a_call_is_known_before_the_reply_is_whole(self) -> None:
        ahead = reader({"context": "text"})
        assert ahead.read(0, f"{FENCE}repl\nx = llm_query(con") == []
        assert ahead.read(1, "text)\n") == []
        assert prompts_of(ahead.read(1, "print(x)\n")) == [["text"]]
        assert ahead.read(1, f"{FENCE}\n") == []

    def test_names_of_earlier_blocks_and_of_the_same_one_count(self) -> None:
        before = "parts = ['a', 'b']\nmark = {'k': [1]}"
        assert known("llm_batch([p + str(mark['k']) for p in parts])", before=before) == ["a[1]", "b[1]"]


class TestUnknown:
    @pytest.mark.parametrize(
        ("text", "prompts"),
        [
            ("x = llm_query('a')\nllm_query(x)", ["a"]),
            ("def f(t):\n    return t\nllm_query(f('a'))", []),
            ("llm_query = lambda p: p\nllm_query('a')", []),
            ("def f(x):\n    x.append('b')\nparts = ['a']\nf(parts)\nllm_batch(parts)", []),
            ("def f(x):\n    pass\ns = 'kept'\nf([])\nllm_query(s)", ["kept"]),
            (
                "while len(context) > 100: pass\nfor i in range(3):\n    if llm_query(f'{i}') > 'z':\n        break",
                ["0"],
            ),
            ("FINAL('x')\nllm_query('never')", []),
            ("1 / 0\nllm_query('never')", []),
            ("if 'x' in llm_query('a'):\n    FINAL('b')\nllm_query('maybe')", ["a"]),
            ("answers = []\nanswers.append(llm_query('a'))\nllm_query(str(answers))", ["a"]),
            ("parts = ['a']\nsame = parts\nsame.append(llm_query('b'))\nllm_batch(parts)", ["b"]),
            ("inner = ['a']\nouter = [inner]\ninner.append(llm_query('b'))\nllm_query(str(outer))", ["b"]),
            ("import os\nllm_query(os.sep)", []),
            ("n = 9 ** 4_000\nllm_query(str(n)[:2])", []),
            ("llm_query('%s' % 'a')", []),
            ("llm_query(f'{1:>99999}'[:2] + 'x')", []),
            ("llm_query('')", []),
            ("rlm_query('child?', 'text')", []),
        ],
    )
    def test_a_prompt_that_may_differ_does_not_leave(self, text: str, prompts: list[str]) -> None:
        assert known(text) == prompts

    def test_code_of_the_model_is_never_called(self) -> None:
        before = (
            "class T(str):\n    def __str__(self): seen.append(1)\n    __add__ = __format__ = __getitem__ = __str__\n"
            "class O:\n    def __repr__(self): seen.append(1)\n    __len__ = __iter__ = __eq__ = __repr__\n"
            "seen = []\nt, o, listed = T('t'), O(), [O()]"
        )
        for text in ("llm_query('a' + t)", "llm_query(f'{t}')", "llm_query(str(o))", "llm_query(f'{listed}')"):
            repl = Repl("text")
            repl.execute(before)
            ahead = reader(repl.namespace)
            assert ahead.read(0, f"{FENCE}repl\n{text}\nx = 1\n") == []
            assert repl.namespace["seen"] == []

    def test_nothing_of_the_namespace_is_changed(self) -> None:
        names: dict[str, Any] = {"parts": ["a"], "table": {"k": ["v"]}}
        ahead = reader(names)
        code = "parts.append('b')\ntable['k'].append(1)\nnew = parts\nparts = 3\ndel table\nx = 1\n"
        assert ahead.read(0, f"{FENCE}repl\n{code}") == []
        assert (names["parts"], names["table"]) == (["a"], {"k": ["v"]})


class TestReplies:
    def test_only_repl_blocks_count(self) -> None:
        ahead = reader({})
        text = f"{FENCE}python\nllm_query('a')\n{FENCE}\n{FENCE}\nllm_query('b')\n{FENCE}\nllm_query('c')\n"
        assert ahead.read(0, text) == []
        assert prompts_of(ahead.read(1, f"{FENCE}repl\nllm_query('d')\n{FENCE}\n")) == [["d"]]

    def test_thoughts_are_no_code(self) -> None:
        ahead = reader({})
        assert ahead.read(0, f"<think>\n{FENCE}repl\nllm_query('a')\nx = 1\n{FENCE}\n") == []
        assert prompts_of(ahead.read(1, f"</think>\n{FENCE}repl\nllm_query('b')\nprint(1, 2)\n")) == [["b"]]

    def test_a_reply_that_begins_anew_sends_nothing_twice(self) -> None:
        ahead = reader({})
        first = f"{FENCE}repl\nllm_query('a')\nllm_query('a')\nx = 1\n"
        assert prompts_of(ahead.read(0, first)) == [["a"], ["a"]]
        assert ahead.read(0, first) == []
        assert prompts_of(ahead.read(1, "llm_query('a')\nx = 2\n")) == [["a"]]

    def test_an_exception_ends_its_block_alone(self) -> None:
        ahead = reader({})
        text = f"{FENCE}repl\n[][1]\nllm_query('a')\n{FENCE}\n{FENCE}repl\nllm_query('b')\n{FENCE}\n"
        assert prompts_of(ahead.read(0, text)) == [["b"]]

    def test_requests_and_calls_of_a_reply_are_bounded(self) -> None:
        many = f"{FENCE}repl\nfor i in range(1_000):\n    llm_query(f'{{i}}')\nx = 1\n"
        assert len(reader({}).read(0, many)) == MAX_REQUESTS
        large = f"{FENCE}repl\nllm_batch([f'{{i}}' for i in range({MAX_CALLS + 1})])\nllm_query('small')\nx = 1\n"
        assert prompts_of(reader({}).read(0, large)) == [["small"]]

    def test_work_is_bounded(self) -> None:
        endless = (
            f"{FENCE}repl\nn = 0\nfor i in range(99_000):\n    n = n + sum(range(90_000))\nllm_query(f'{{n}}')\nx = 1\n"
        )
        assert reader({}).read(0, endless) == []

    def test_a_character_that_is_cut_in_two_is_whole(self) -> None:
        ahead = reader({})
        assert ahead.read(0, f"{FENCE}repl\nllm_query('\ud83d") == []
        assert prompts_of(ahead.read(1, "\ude00')\nx = 1\ny = 2\n")) == [["\U0001f600"]]


def reader(names: dict[str, Any]) -> Ahead:
    """A reader over a namespace with our functions."""
    calls = SubCalls(Answering([], 1), model=None, budget=Budget(Limits()), check_running=lambda: None)
    names.update({name: call for name, call in calls.functions().items() if name.startswith("llm")})
    return Ahead(names, calls.calls_of)


def prompts_of(requests: list[tuple[ModelCall, ...]]) -> list[list[str]]:
    return [[call.messages[-1].content for call in request] for request in requests]


def test_calls_are_those_that_the_functions_make() -> None:
    made: list[ModelCall] = []

    class Keeping(Answering):
        def complete(self, calls: Any) -> list[Reply]:
            made.extend(calls)
            return super().complete(calls)

    calls = SubCalls(Keeping([], 1), model="m", budget=Budget(Limits()), check_running=lambda: None)
    for name, args, kwargs in (
        ("llm_query", ("a",), {}),
        ("llm_query", ("a", "other"), {"allow_cut": True}),
        ("llm_query", (), {"prompt": "a", "schema": {"type": "string"}}),
        ("llm_batch", (["a", "b"],), {"model": "x"}),
        ("llm_batch", (), {"prompts": ["a"]}),
    ):
        made.clear()
        calls.functions()[name](*args, **kwargs)
        assert calls.calls_of(name, args, kwargs) == made
    assert calls.calls_of("llm_query", ("a",), {"images": [b""]}) == []
    assert Message("user", "a") == made[0].messages[0]
