"""Sandbox in a real contained worker: the code of other agents, its tools, its files, its limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlm_core import RLMError
from rlm_server.sandbox import BlockingSandbox, EndExecution
from tests.browser.headless.driving import elsewhere_raising


@pytest.fixture(scope="module")
def sandbox(chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingSandbox]:
    folder = tmp_path_factory.mktemp("files") / "papers"
    folder.mkdir()
    (folder / "lease.txt").write_text("Ann owns the mill.")
    (folder / "scan.bin").write_bytes(b"\x00\xff")

    def submit(**values: object) -> None:
        raise EndExecution(values)

    with BlockingSandbox(folder, tools={"submit": submit}, timeout=2.0, max_output_chars=1_000) as opened:
        yield opened


def test_names_variables_and_files(sandbox: BlockingSandbox) -> None:
    first = sandbox.execute("print('hi')\nanswer = rows[1]['n'] * 2\nanswer", {"rows": [None, {"n": 21.0}]})
    assert (first.stdout, first.value, first.result, first.error) == ("hi\n", "42.0", 42.0, None)
    files = sandbox.execute("context['papers/lease.txt'], list(context['papers/scan.bin'].read_bytes()), answer")
    assert files.result == ["Ann owns the mill.", [0, 255], 42.0]
    write = (
        "import pathlib\ntry:\n    pathlib.Path('/context/papers/lease.txt').write_text('x')\nexcept OSError:\n    pass"
    )
    sandbox.execute(write)
    assert sandbox.execute("open('/context/papers/lease.txt').read()").result == "Ann owns the mill."
    large = "é" * 1_000_000
    for _ in range(2):
        assert sandbox.execute("text += '.'\nlen(text)", {"text": large}).result == 1_000_001


def test_tools_run_in_this_process_and_their_exceptions_pass_back(sandbox: BlockingSandbox) -> None:
    def half(value: float) -> float:
        if not value:
            raise LookupError(threading.current_thread().name)
        return value / 2

    code = "try:\n    half(0)\nexcept LookupError as fault:\n    where = str(fault)\nhalf(value=3.0), where"
    assert sandbox.execute(code, tools={"half": half}).result == [1.5, "rlm-callback"]
    ended = sandbox.execute("before = 1\nsubmit(a=[before])\nbefore = 2")
    assert (ended.is_ended, ended.answer, ended.error) == (True, {"a": [1]}, None)
    assert sandbox.execute("before").result == 1


def test_errors_are_values_and_output_is_bounded(sandbox: BlockingSandbox) -> None:
    failed = sandbox.execute("kept = 1\n{}['gone']")
    assert (failed.kind, failed.args, sandbox.execute("kept").result) == ("KeyError", ("gone",), 1)
    assert failed.error is not None
    assert "<code" in failed.error
    long = sandbox.execute("print('y' * 1_000_000)\n'z' * 1_000_000")
    assert long.stdout_chars == 1_000_001
    assert len(long.stdout) < 1_200
    assert long.value is not None
    assert len(long.value) < 1_200
    assert sandbox.execute("import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')").error
    assert sandbox.execute("import js; js.fetch('http://127.0.0.1:1')").error
    assert sandbox.execute("llm_query('x')").kind == "NameError"


def test_code_that_hangs_is_ended_and_the_state_is_told(sandbox: BlockingSandbox) -> None:
    sandbox.reset()  # little to rebuild
    sandbox.execute("n = 1")
    hung = sandbox.execute("n = 2\nwhile True: pass")
    assert (hung.kind, hung.is_lost) == ("TimeoutError", False)
    assert sandbox.execute("n").result == 2
    lost = sandbox.execute("n = 3\nsum(range(10 ** 11))")
    assert (lost.kind, lost.is_lost) == ("WorkerLost", True), lost
    assert lost.error is not None
    assert "started again" in lost.error
    rebuilt = sandbox.execute("n, len(text)", {"text": "é" * 1_000_000})
    assert rebuilt.result == [2, 1_000_000]


def test_reset_begins_anew_also_where_the_browser_is_lost(sandbox: BlockingSandbox) -> None:
    sandbox.reset()
    assert sandbox.execute("n").kind == "NameError"
    assert sandbox.execute("len(context)").result == 2
    assert sandbox._loop is not None
    rlm = sandbox._sandbox._rlm
    assert rlm is not None
    assert rlm._page is not None
    sandbox._loop.wait(rlm._page._page.close())
    with pytest.raises(RLMError, match="has been closed"):
        elsewhere_raising(lambda: sandbox.execute("1"))
    sandbox.reset()
    assert sandbox.execute("len(context)").result == 2
