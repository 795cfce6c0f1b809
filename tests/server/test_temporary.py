"""Temporary folders: those that killed processes left are removed, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rlm_server.headless import temporary
from rlm_server.headless.temporary import LOCK, STALE_SECONDS, remove_stale, temporary_folder

LEAVE = """
import os, signal
from rlm_server.headless.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "context").write_text("private")
    print(folder, flush=True)
    {ending}
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    temporary._remove_stale_once.cache_clear()


def begun(tmp_path: Path, ending: str) -> tuple[subprocess.Popen[str], Path]:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LEAVE.format(ending=ending)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def age(folder: Path) -> None:
    past = time.time() - STALE_SECONDS - 60
    os.utime(folder, (past, past))


def test_a_folder_is_gone_with_its_block(tmp_path: Path) -> None:
    with temporary_folder() as folder:
        assert folder.parent == tmp_path
    assert not folder.exists()


def test_the_folder_of_a_killed_process_is_removed_after_a_day(tmp_path: Path) -> None:
    process, folder = begun(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    process.communicate()
    assert (folder / "context").exists()
    assert remove_stale(tmp_path) == 0
    age(folder)
    with temporary_folder():
        assert not folder.exists()


def test_the_folder_of_a_process_that_lives_stays(tmp_path: Path) -> None:
    process, folder = begun(tmp_path, "input()")
    age(folder)
    assert remove_stale(tmp_path) == 0
    process.communicate("\n")
    assert not folder.exists()


def test_folders_of_another_form_or_behind_a_link_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, outside, foreign = tmp_path / "rlm-other", tmp_path / "outside", tmp_path / "rlm-foreign"
    for folder in (other, outside, foreign):
        folder.mkdir()
        (folder / "kept").write_text("x")
    (outside / LOCK).touch()
    (foreign / LOCK).touch()
    (tmp_path / "rlm-link").symlink_to(outside)
    (tmp_path / "rlm-file").write_text("x")
    for path in tmp_path.iterdir():
        age(path)
    monkeypatch.setattr(os, "getuid", lambda: foreign.stat().st_uid + 1)
    assert remove_stale(tmp_path) == 0
    monkeypatch.undo()
    assert remove_stale(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "rlm-file", "rlm-link", "rlm-other"]
