"""Tracebacks: one line of advice where the browser's Python lacks something."""

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
