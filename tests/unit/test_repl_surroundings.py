"""Surroundings of a block: reserved names, the interpreter that it leaves behind, stops, and partial answers."""

from __future__ import annotations

import signal
import sys
import warnings

import pytest

from rlm_core.errors import ConfigError, RunStopped
from rlm_core.repl import RESERVED, Repl


@pytest.mark.parametrize("name", [name for name in RESERVED if not name.startswith(("llm_", "rlm_", "map_"))])
@pytest.mark.parametrize("spoil", ["{} = 1", "del {}", "globals().clear()"])
def test_reserved_names_come_back_after_each_block(name: str, spoil: str) -> None:
    repl = Repl(["data"])
    repl.reserve({"tool": {"a": 1}})
    before = dict(repl.namespace)
    repl.execute(spoil.format(name))
    assert repl.namespace[name] is before[name]
    assert repl.namespace["tool"] is before["tool"]
    assert repl.execute("print(__name__, len('ab'))").stdout == "__main__ 2\n"


def test_a_restored_name_is_said_to_be_reserved() -> None:
    assert "`context` is reserved" in Repl("x").execute("context = 1").stdout


def test_a_name_can_be_reserved_once() -> None:
    with pytest.raises(ConfigError, match="'context' is taken"):
        Repl().reserve({"context": 1})


def test_the_interpreter_is_as_it_was_after_a_block() -> None:
    before = (sys.stdin, sys.stdout, sys.stderr, sys.modules["__main__"], sys.getrecursionlimit(), sys.gettrace())
    filters, hook = list(warnings.filters), warnings.showwarning
    repl = Repl()
    repl.execute("import sys, warnings\nsys.settrace(lambda *a: None)\nsys.stdin = sys.stdout = None\nraise ValueError")
    repl.execute("sys.setrecursionlimit(5000)\nwarnings.simplefilter('error')\nsys.unraisablehook = None")
    assert before == (
        sys.stdin, sys.stdout, sys.stderr, sys.modules["__main__"], sys.getrecursionlimit(), sys.gettrace(),
    )  # fmt: skip
    assert (list(warnings.filters), warnings.showwarning) == (filters, hook)


def test_warnings_as_errors_around_the_repl_do_not_reach_into_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = Repl().execute("import warnings\nwarnings.warn('careful')\nprint('on')")
    assert (seen.error, seen.stdout) == (None, "<block 1>:2: UserWarning: careful\non\n")


@pytest.mark.skipif(sys.platform == "emscripten", reason="the event loop there is the browser's")
def test_asyncio_run_works() -> None:
    code = "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7\nprint(asyncio.run(f()))"
    assert Repl().execute(code).stdout == "7\n"


@pytest.mark.skipif(sys.platform == "emscripten", reason="there are no threads")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_final_in_a_thread_ends_the_run() -> None:
    repl = Repl()
    repl.execute("import threading\nt = threading.Thread(target=FINAL, args=(5,))\nt.start()\nt.join()")
    assert repl.final == "5"


@pytest.mark.parametrize(
    "code",
    ["1/0", "raise last_error", "import traceback\ntry: 1/0\nexcept Exception: traceback.print_exc()"],
)
def test_a_traceback_begins_with_the_models_own_line(code: str) -> None:
    repl = Repl()
    repl.execute("last_error = ValueError('mine')")
    seen = repl.execute(code)
    text = seen.error or seen.stdout
    assert text.startswith('Traceback (most recent call last):\n  File "<block 2>"')
    assert "rlm_core" not in text


def test_a_hint_follows_where_this_repl_differs_from_python() -> None:
    error = Repl().execute('raise RuntimeError("can\'t start new thread")').error
    assert error is not None
    assert error.endswith("Hint: there are no threads here; llm_batch(prompts) runs its calls in parallel.")


def test_two_repls_share_nothing() -> None:
    one, two = Repl("1"), Repl("2")
    one.execute("x = 1")
    assert two.execute("print('x' in globals(), context)").stdout == "False 2\n"


def test_a_deep_recursion_is_shown_in_bounded_length() -> None:
    error = Repl().execute("def f(n): return g(n + 1)\ndef g(n): return f(n + 1)\nf(0)").error
    assert error is not None
    assert len(error) < 4_000


def test_a_stop_of_the_user_ends_the_block() -> None:
    repl = Repl()

    def stop() -> None:
        raise RunStopped

    repl.reserve({"stop": stop})
    seen = repl.execute("print('before')\ntry: stop()\nexcept Exception: pass")
    assert repl.interrupted
    assert (seen.stdout, seen.error) == ("before\n", "KeyboardInterrupt: the run was stopped.")


@pytest.mark.parametrize(
    "code",
    [
        "raise KeyboardInterrupt",
        "raise KeyboardInterrupt('mine')",
        "class Mine(KeyboardInterrupt): pass\nraise Mine",
        "def f():\n    raise KeyboardInterrupt\nfor _ in range(3): f()",
    ],
)
def test_a_keyboard_interrupt_of_model_code_is_a_fault_like_any_other(code: str) -> None:
    repl = Repl()
    seen = repl.execute(f"paid = 'answer'\nprint('before')\n{code}")
    assert not repl.interrupted
    assert seen.stdout == "before\n"
    assert (seen.error or "").startswith("Traceback")
    assert repl.execute("paid").value == "'answer'"


def test_ctrl_c_in_a_block_is_a_stop_and_the_handler_is_put_back() -> None:
    repl = Repl()
    repl.execute("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)")
    assert repl.interrupted
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_a_str_method_prints_outside_of_a_block_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    repl = Repl()
    repl.execute(
        "class Loud:\n    def __str__(self):\n        print('noise')\n        return 'x'\nanswer['content'] = Loud()"
    )
    assert repl.partial == "x"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", ["None", "''"])
def test_no_content_is_no_partial_answer(content: str) -> None:
    repl = Repl()
    repl.execute(f"answer['content'] = {content}")
    assert repl.partial == ""


def test_a_partial_answer_that_has_no_text_is_none() -> None:
    repl = Repl()
    repl.execute("class Odd:\n    def __str__(self): raise ValueError\nanswer['content'] = Odd()")
    assert repl.partial == ""


def test_a_text_subclass_becomes_plain_text() -> None:
    repl = Repl()
    repl.execute("class Odd(str):\n    def __str__(self): return self\nFINAL(Odd('x'))")
    assert (repl.final, type(repl.final)) == ("x", str)


def test_seconds_are_measured() -> None:
    assert Repl().execute("for i in range(10_000): pass").seconds > 0
