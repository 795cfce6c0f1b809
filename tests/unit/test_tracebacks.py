"""Tracebacks: a fault as the model sees it, with advice where the cause lies in this REPL."""

from __future__ import annotations

import sys

import pytest

from rlm_core.repl import Repl

ADVICE = [
    ("subprocess", "import subprocess\nsubprocess.run(['/no/such/program'])", "there are no processes here"),
    ("os-level timers", "import types\nsignal = types.ModuleType('signal')\nsignal.alarm(1)", "no timers by signal"),
    ("shelve", "raise ModuleNotFoundError(\"No module named '_gdbm'\", name='dbm.gnu')", "there is no dbm here"),
    ("multiprocessing", "raise ModuleNotFoundError('x', name='_multiprocessing')", "there are no processes here"),
    ("requests", "import requests_that_is_not_there", "is not here, and nothing can be installed"),
    ("a network module", "raise ModuleNotFoundError('x', name='requests')", "there is no network here"),
]


@pytest.mark.parametrize(("code", "advice"), [case[1:] for case in ADVICE], ids=[case[0] for case in ADVICE])
def test_a_module_that_the_browser_lacks_gets_advice_there_and_nowhere_else(
    code: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert advice not in (Repl().execute(code).error or "")
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert advice in (Repl().execute(code).error or "")


def test_a_file_that_is_not_there_gets_no_advice_on_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert "Hint" not in (Repl().execute("open('/no/such/file')").error or "")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("!pip install numpy", "plain Python, without commands of a shell"),
        ("%timeit 1", "plain Python, without commands of a shell"),
        (">>> x = 1", "the code alone, without prompts"),
        ("FINAL(The answer is 42)", "FINAL is a Python function"),
    ],
)
def test_code_that_does_not_parse_is_shown_alone_with_a_hint(code: str, hint: str) -> None:
    error = Repl("").execute(code).error or ""
    assert error.startswith('  File "<block 1>", line 1')
    assert hint in error


def test_our_functions_have_their_own_names_in_messages() -> None:
    assert "TypeError: FINAL() got an unexpected keyword" in (Repl("").execute("FINAL(result=1)").error or "")
