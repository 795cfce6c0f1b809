"""The command: its words and its exit status, without a browser. Runs are in tests/browser/test_cli.py."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rlm_core import RLMError
from rlm_server.command.cli import main
from rlm_server.command.doctor import CHECKS, engine_report


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage"),
        (("run",), "QUESTION"),
        (("run", "q", "--max-iterations", "0"), "0 is not in the range x>=1"),
        (("run", "q", "--max-timeout", "0"), "0.0 is not in the range x>0"),
        (("run", "q", "--compact-at", "1.5"), "1.5 is not in the range 0<=x<=1"),
        (("run", "q", "--block-timeout", "0"), "0.0 is not in the range x>0"),
        (("run", "q", "--context", "no-such-file"), "no-such-file"),
        (("serve", "--port", "70000"), "70000 is not in the range"),
        (("fly",), "fly"),
    ],
)
def test_wrong_usage_is_status_2_and_named(arguments: tuple[str, ...], said: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_log_that_is_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    result = invoke("run", "q", "--resume", str(tmp_path))
    assert result.exit_code == 2
    assert "is a directory" in result.output


def test_a_taken_port_is_a_fault_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = invoke("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "Choose another --port" in result.output


def test_an_open_address_without_a_token_is_refused() -> None:
    result = invoke("serve", "--host", "0.0.0.0", "--port", "0")
    assert result.exit_code == 2
    assert "RLM_TOKEN" in result.output


CONTAINED = {"name": "Chromium 156", "channel": "jspi", "containment": "full", "inFrame": True, "reason": ""}


def test_doctor_names_the_engine_or_why_it_cannot() -> None:
    assert engine_report(CONTAINED) == "Chromium 156; containment: full, in a frame; channel: jspi"
    no_storage = {"containment": "network", "inFrame": False, "reason": "indexedDB is open"}
    assert "containment: network (indexedDB is open); channel" in engine_report(CONTAINED | no_storage)
    with pytest.raises(RLMError, match=r"containment: weak \(no policy\).*: nothing runs"):
        engine_report(CONTAINED | {"containment": "weak", "reason": "no policy", "inFrame": False})
    with pytest.raises(RLMError, match=r"WebKit 26\.0: no worker starts on the page\. No JSPI\."):
        engine_report(CONTAINED | {"name": "WebKit 26.0", "channel": None, "containment": None, "reason": "No JSPI."})


def test_doctor_reports_each_check_and_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RLMError("none here. Install it.")

    for name in CHECKS:
        monkeypatch.setitem(CHECKS, name, lambda: "there")
    monkeypatch.setitem(CHECKS, "browser", missing)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "missing browser: none here. Install it." in result.output
    assert "ok      assets: there" in result.output


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("run", "Q?", "--resume"), 2), (("replay",), 1), (("export",), 1), (("import",), 2)],
)
def test_bytes_in_place_of_a_log_are_refused_in_a_line(arguments: tuple[str, ...], status: int, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    done = CliRunner().invoke(main, [*arguments, str(path)])
    assert (done.exit_code, done.output.count("\n")) == (status, 1)
    assert done.output.startswith("error: ")
