"""Pure code by hypothesis: a known value is that of the code, and a call that is sent is one that it makes."""

from __future__ import annotations

import ast
import copy
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_core.pure_code import PureCode
from rlm_core.pure_names import Ended, Raised, Unknown

CONTEXT = "One two three.\nFour five six.\n\nSeven eight nine ten.\n" * 3
MARK = "called"


class Hostile:
    """A value whose every method is code of the model."""

    def _say(self, *_: object) -> Any:
        raise AssertionError(MARK)

    __str__ = __repr__ = __len__ = __iter__ = __eq__ = __hash__ = __getitem__ = __format__ = __bool__ = _say
    __add__ = __radd__ = __mul__ = __rmul__ = __contains__ = __lt__ = __call__ = _say


class HostileText(str):
    """Text that is not of the exact type."""

    __str__ = __add__ = __len__ = __getitem__ = __format__ = __iter__ = Hostile._say


def namespace(asked: list[str]) -> dict[str, Any]:
    def llm_query(prompt: str, model: str | None = None) -> str:
        if type(prompt) is not str:
            raise TypeError
        asked.append(prompt)
        return f"reply to {len(prompt)}"

    def llm_batch(prompts: Sequence[str], model: str | None = None) -> list[str]:
        if type(prompts) not in (list, tuple) or not all(type(prompt) is str for prompt in prompts):
            raise TypeError
        return [llm_query(prompt) for prompt in prompts]

    def spoil(value: Any) -> int:
        """A function of the model, which changes what it gets."""
        if type(value) is list:
            value.append("spoilt")
            for item in value:
                if type(item) is list:
                    item.clear()
        if type(value) is dict:
            value["spoilt"] = 1
        return 3

    inner = ["x", "y"]
    return {
        "context": CONTEXT,
        "docs": ["first text", "second text", "third"],
        "nested": [inner, ["z"]],
        "inner": inner,
        "table": {"a": 1, "b": "two", "c": ["l"]},
        "pair": ("p", 4),
        "number": 7,
        "hostile": Hostile(),
        "texts": [HostileText("t"), "u"],
        "llm_query": llm_query,
        "llm_batch": llm_batch,
        "spoil": spoil,
    }


NAMES = st.sampled_from(["a", "b", "c", "docs", "nested", "inner", "table"])
READ = st.sampled_from(
    ["a", "b", "c", "context", "docs", "nested", "inner", "table", "pair", "number", "hostile", "texts", "i", "missing"]
)
ATOMS = st.one_of(
    READ,
    READ,
    READ,
    st.sampled_from(["0", "1", "3", "-1", "2.5", "''", "'text'", "'a {} b'", "None", "True", "[]", "{}"]),
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def of(form: str) -> st.SearchStrategy[str]:
        return st.tuples(inner, inner, inner).map(lambda parts: form.format(*parts))

    return st.sampled_from(FORMS).flatmap(of)


FORMS = [
    "({0} + {1})",
    "({0} * 2)",
    "({0} % {1})",
    "({0} // {1})",
    "({0} == {1})",
    "({0} in {1})",
    "({0} < {1})",
    "({0} is None)",
    "({0} and {1})",
    "({0} or {1})",
    "(not {0})",
    "({0} if {1} else {2})",
    "({0})[{1}]",
    "({0})[:{1}]",
    "({0})[{1}:{2}]",
    "({0})[::2]",
    "[{0}, {1}]",
    "({0}, {1})",
    "[*{0}, {1}]",
    "{{'k': {0}, 'b': {1}}}",
    "f'<{{{0}}}>'",
    "f'{{{0}!r:>6}}'",
    "[i for i in {0}]",
    "[(i, {0}) for i in {1} if i]",
    "[{0} for i in range(3)]",
    "{{i: {0} for i in {1}}}",
    "[i for i, a in enumerate({0})]",
    "list(zip({0}, {1}))",
    "list({0})",
    "list({0}.items())",
    "sorted({0})",
    "tuple({0})",
    "len({0})",
    "str({0})",
    "int({0})",
    "max({0})",
    "sum({0})",
    "range({0})",
    "', '.join({0})",
    "', '.join(str(i) for i in {0})",
    "({0}).split()",
    "({0}).replace({1}, {2})",
    "({0}).format({1})",
    "({0}).strip().upper()",
    "({0}).get({1})",
    "({0}).index({1})",
    "({0}).pop()",
    "({0}).append({1})",
    "({0}).copy()",
    "spoil({0})",
    "llm_query({0})",
    "llm_query(f'Read: {{{0}}}')",
    "llm_batch({0})",
    "llm_batch([f'{{i}} {{{0}}}' for i in {1}])",
    "[llm_query(f'{{i}}') for i in {0}]",
    "(lambda i: {0})({1})",
]
EXPRESSIONS = st.recursive(ATOMS, grown, max_leaves=5)


@st.composite
def statements(draw: st.DrawFn, depth: int = 2, *, in_loop: bool = False) -> str:
    kinds = ["assign", "assign", "assign", "expr", "append", "item", "augment", "unpack"]
    kinds += ["if", "for", "try"] if depth else []
    kinds += ["break", "continue"] if in_loop else []
    kinds += ["def"] if not in_loop else []
    kind = draw(st.sampled_from(kinds))
    name, one, other = draw(NAMES), draw(EXPRESSIONS), draw(EXPRESSIONS)
    if kind in ("break", "continue"):
        return f"if {one}:\n    {kind}"
    simple = {
        "assign": f"{name} = {one}",
        "expr": one,
        "append": f"{name}.append({one})",
        "item": f"{name}[{one}] = {other}",
        "augment": f"{name} += {one}",
        "unpack": f"{name}, c = {one}",
        "def": f"def b(x):\n    global a\n    a = 1\n    return {one}",
    }
    if kind in simple:
        return simple[kind]
    body = indented(
        draw(st.lists(statements(depth=depth - 1, in_loop=in_loop or kind == "for"), min_size=1, max_size=2))
    )
    if kind == "try":
        return f"try:\n{body}\nexcept Exception as e:\n    a = 1"
    return f"if {one}:\n{body}\nelse:\n    {name} = {other}" if kind == "if" else f"for {name} in {one}:\n{body}"


def indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for text in lines for line in text.split("\n"))


def is_python(text: str) -> bool:
    with warnings.catch_warnings(action="ignore"):
        try:
            ast.parse(text)
        except SyntaxError:
            return False
    return True


PROGRAMS = st.lists(statements().filter(is_python), min_size=1, max_size=6).map("\n".join)


class Followed:
    """A program, followed and executed."""

    def __init__(self, program: str) -> None:
        self.asked: list[str] = []
        names = namespace(self.asked)
        before = copy.deepcopy(shown(names))
        self.sent: list[str] = []
        ours = {name: names[name] for name in ("llm_query", "llm_batch")}
        self.code = PureCode(names, ours, self.send)
        self.ended: Ended | None = None
        try:
            with warnings.catch_warnings(action="ignore"):
                self.code.run(ast.parse(program).body)
        except Ended as ended:
            self.ended = ended
        assert shown(names) == before, "the namespace was changed"
        self.names = names
        with warnings.catch_warnings(action="ignore"):
            self.fault = executed(program, names)

    def send(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        prompts = args[0] if name == "llm_batch" else [args[0]]
        if type(prompts) not in (list, tuple) or not all(type(prompt) is str for prompt in prompts):
            raise Raised
        self.sent += prompts


def executed(program: str, names: dict[str, Any]) -> Exception | None:
    try:
        exec(compile(program, "<block>", "exec"), names)
    except Exception as fault:  # noqa: BLE001 - the program may raise anything
        return fault
    return None


def shown(names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: names[name] for name in ("docs", "nested", "inner", "table", "pair", "context", "number")}


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("EXAMPLES", "150")), deadline=None)
@given(PROGRAMS)
def test_a_known_value_is_that_of_the_code_and_a_sent_call_is_one_that_it_makes(program: str) -> None:
    followed = Followed(program)
    if type(followed.ended) is Raised:
        assert followed.fault is not None
    if followed.fault is not None or followed.ended is not None:
        return
    for name in ("a", "b", "c", "docs", "nested", "inner", "table"):
        try:
            value = followed.code.value(name)
        except Raised:
            assert name not in followed.names
            continue
        if not isinstance(value, Unknown):
            assert type(value) is type(followed.names[name])
            assert value == followed.names[name]
    assert not Counter(followed.sent) - Counter(followed.asked)
