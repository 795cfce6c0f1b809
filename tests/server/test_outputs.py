"""Files that a run writes: probed before anything is spent, and nothing lost on a full disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from rlm_core import ConfigError
from rlm_server.command.outputs import EventLog, probe, save

FULL = Path("/dev/full")
EVENT = {"type": "notice", "seq": 0, "path": [], "seconds": 0.0, "text": "x"}


@pytest.fixture(autouse=True)
def spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "spare"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_probe_leaves_everything_as_it_is(tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("before")
    probe(there, "--record")
    probe(tmp_path / "new.jsonl", "--record")
    assert there.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spare", "there.jsonl"]


@pytest.mark.parametrize("name", ["missing/run.jsonl", "spare", "x" * 300])
def test_a_file_that_cannot_be_written_is_refused_by_option_name_and_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"--ledger: .* cannot be written: .*\. Nothing was asked\."):
        probe(tmp_path / name, "--ledger")


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("before")
    assert save(path, "after\ud800")
    assert path.read_text(encoding="utf-8", errors="surrogatepass") == "after\ud800"
    assert [made.name for made in tmp_path.iterdir() if made.name.endswith(".part")] == []


def test_a_full_disk_loses_no_text(spare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not save(FULL, "paid for")
    said = capsys.readouterr().err
    assert "error: /dev/full cannot be written: No space left on device. It is in" in said
    (rescued,) = spare.iterdir()
    assert str(rescued) in said
    assert rescued.read_text() == "paid for"


def test_a_log_on_a_full_disk_lets_the_run_continue_and_is_saved_at_its_end(
    spare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = EventLog(FULL)
    for _ in range(3):
        log.take(EVENT)
    assert capsys.readouterr().err.count("note: /dev/full cannot be written: No space left on device.") == 1
    assert not log.finish("the whole log")
    (rescued,) = spare.iterdir()
    assert rescued.read_text() == "the whole log"


def test_a_log_holds_each_event_at_once_and_none_that_is_for_watching(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("before")
    log = EventLog(path)
    assert path.read_text() == "before"
    log.take(EVENT)
    log.take(EVENT | {"type": "output"})
    assert len(path.read_text().splitlines()) == 1
    log.close()


def test_a_probe_leaves_a_link_to_a_file_that_is_not_there(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "later")
    probe(link, "--record")
    assert (link.is_symlink(), link.exists()) == (True, False)
