"""Executor: steps of another program in a namespace of its own, with a host that is played."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlm_core.errors import BlockTimedOut
from rlm_core.executor import Executor
from rlm_core.repl import Repl


class Host:
    """Gives one step after another, and keeps the outcomes; `answer` answers the calls of tools."""

    def __init__(self, answer: Callable[[str, Any], dict[str, Any]] | None = None, **names: object) -> None:
        self.answer = answer or (lambda name, arguments: {"result": json.dumps([name, arguments])})
        self.outcomes: list[dict[str, Any]] = []
        self.step: dict[str, Any] = {}
        self.repl = Repl()
        self.repl.reserve({"executor": Executor(self.call, names)})

    def call(self, kind: str, *args: Any) -> Any:
        if kind == "next":
            return self.step
        if kind == "call":
            return self.answer(args[0], json.loads(args[1]))
        self.outcomes.append(args[0])
        return None

    def run(self, code: str, variables: Any = (), tools: Any = (), files: str = "None") -> dict[str, Any]:
        described = [{"name": name, "description": ""} for name in tools]
        self.step = {"code": code, "variables": variables, "tools": described, "max_chars": 200}
        self.observation = self.repl.execute(f"executor.step({files})")
        return self.outcomes[-1] if self.outcomes else {}


def variable(name: str, value: object) -> dict[str, Any]:
    return {"name": name, "digest": f"digest of {value}", "json": json.dumps(value)}


def test_names_stay_and_those_of_a_run_are_not_there() -> None:
    host = Host()
    assert host.run("answer = 6\nprint('hi')\nanswer * 7") == {"value": "42", "json": "42"}
    assert host.observation.stdout == "hi\n"
    assert host.run("context = answer") == {}
    assert host.run("context")["json"] == "6"
    assert host.run("llm_query")["kind"] == host.run("executor")["kind"] == "NameError"
    assert Host(context={"a.txt": "A"}).run("context['a.txt']")["json"] == '"A"'


def test_a_value_that_is_no_json_is_its_repr_alone_and_bounded() -> None:
    host = Host()
    assert host.run("{1}") == {"value": "{1}", "json": None}
    assert host.run("float('nan')")["json"] == "NaN"
    long = host.run("'x' * 5_000_000")
    assert len(long["value"]) < 300
    assert long["json"] is None


def test_an_error_is_an_outcome_with_the_codes_own_lines() -> None:
    host = Host()
    outcome = host.run("x = 1\ndef f():\n    raise ValueError(7)\nf()")
    assert (outcome["kind"], outcome["args"]) == ("ValueError", "[7]")
    frames = [line.strip() for line in outcome["error"].splitlines() if "File" in line]
    assert frames == ['File "<code 1>", line 4, in <module>', 'File "<code 1>", line 3, in f']
    assert host.run("x")["json"] == "1"
    assert host.run("+++")["kind"] == "SyntaxError"
    assert host.run("import sys; sys.exit(2)")["kind"] == "SystemExit"
    assert host.run("raise KeyboardInterrupt")["kind"] == "KeyboardInterrupt"
    assert host.run("raise OSError(b'')")["args"] is None


def test_variables_are_bound_anew_at_each_step_also_without_their_text(tmp_path: Path) -> None:
    host = Host()
    item = variable("n", {"a": [1.0, None, "é"]})
    assert host.run("n.pop('a')", [item])["json"] == json.dumps([1.0, None, "é"])
    assert host.run("n", [{"name": "n", "digest": item["digest"]}])["json"] == json.dumps({"a": [1.0, None, "é"]})
    large = tmp_path / "large.gz"
    large.write_bytes(gzip.compress(json.dumps("z" * 9).encode()))
    by_file = [{"name": "z", "digest": "of z", "file": "large.gz"}]
    assert host.run("z", by_file, files=f"__import__('pathlib').Path({str(large)!r})")["json"] == json.dumps("z" * 9)
    assert host.run("z", [{"name": "z", "digest": "of z"}])["json"] == json.dumps("z" * 9)


def test_tools_pass_arguments_results_and_exceptions() -> None:
    answers: dict[str, Callable[[Any], dict[str, Any]]] = {
        "add": lambda arguments: {"result": json.dumps(sum(arguments[0]) + arguments[1].get("b", 0))},
        "missing": lambda arguments: {"error": "gone", "kind": "KeyError"},
        "odd": lambda arguments: {"error": "no", "kind": "UnicodeDecodeError"},
        "own": lambda arguments: {"error": "no", "kind": "OwnError"},
        "end": lambda arguments: {"ends": True},
    }
    host = Host(lambda name, arguments: answers[name](arguments))
    assert host.run("add(1, 2, b=3)", tools=answers)["json"] == "6"
    assert (
        host.run("try:\n    missing()\nexcept KeyError as fault:\n    caught = str(fault)\ncaught")["json"]
        == "\"'gone'\""
    )
    assert host.run("missing()")["kind"] == "KeyError"
    assert host.run("odd()")["error"].endswith("ToolError: odd: UnicodeDecodeError: no")
    assert "own: OwnError: no" in host.run("own()")["error"]
    assert host.run("add({1})")["error"].endswith("Object of type set is not JSON serializable.")
    assert host.run("before = 1\nend()\nbefore = 2") == {}
    assert host.run("before")["json"] == "1"
    assert host.run("add = 5\nadd", tools=answers)["json"] == "5"
    assert host.run("add(1)", tools=answers)["json"] == "1"


def test_a_step_whose_time_is_up_has_no_outcome_and_its_block_says_so() -> None:
    def late(name: str, arguments: Any) -> Any:
        raise BlockTimedOut("the block was stopped after 3 s.")

    host = Host(late)
    assert host.run("n = 1\nwait()", tools=["wait"]) == {}
    assert host.observation.error == "the block was stopped after 3 s."
    assert host.run("n")["json"] == "1"


def test_the_code_is_the_main_module() -> None:
    host = Host()
    assert host.run("import pickle\nclass A: pass\ntype(pickle.loads(pickle.dumps(A()))) is A")["json"] == "true"
    assert host.run("import inspect\ninspect.getsource(A)")["json"] == json.dumps("class A: pass\n")
    assert host.run("__name__")["json"] == '"__main__"'
    assert sys.modules["__main__"] is not host.repl.namespace["executor"]._module


@pytest.mark.parametrize("code", ["from __future__ import annotations", "x: int = 1"])
def test_code_without_a_value_has_none(code: str) -> None:
    assert Host().run(code) == {}
