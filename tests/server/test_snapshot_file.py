"""The snapshot's file: the user's alone, of one build and one engine, whole or not used; never a fault of a run."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from rlm_server.assets import cache_folder
from rlm_server.headless.snapshot_file import MOST_FILES, SnapshotFile

MEMORY = b"memory of an interpreter"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "pyodide-rlm"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "download"
    path.write_bytes(MEMORY)
    return path


def file_in(folder: Path, build: bytes = b"build", engine: str = "Chromium 140") -> SnapshotFile:
    return SnapshotFile(folder, build, engine)


def kept_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_the_next_start_finds_it_and_nobody_else_can(folder: Path, made: Path) -> None:
    assert file_in(folder).read() is None
    file_in(folder).keep(made)
    path = file_in(folder).read()
    assert path is not None
    assert path.read_bytes() == MEMORY
    assert kept_in(folder) == [path]
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("other", [{"build": b"another"}, {"engine": "Chromium 141"}])
def test_another_build_or_engine_has_its_own(folder: Path, made: Path, other: dict[str, object]) -> None:
    file_in(folder).keep(made)
    assert file_in(folder, **other).read() is None  # type: ignore[arg-type]
    assert file_in(folder).read() is not None


def test_a_damaged_file_is_removed_with_a_line_of_the_log(
    folder: Path, made: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file_in(folder).keep(made)
    (path,) = kept_in(folder)
    path.write_bytes(MEMORY[:-1])
    assert file_in(folder).read() is None
    assert kept_in(folder) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was damaged" in caplog.text


def test_a_link_in_its_place_is_not_followed(folder: Path, made: Path) -> None:
    file_in(folder).keep(made)
    (path,) = kept_in(folder)
    path.unlink()
    path.symlink_to(made)
    assert file_in(folder).read() is None
    assert made.read_bytes() == MEMORY


def test_a_folder_that_others_can_write_to_is_not_used(
    folder: Path, made: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file_in(folder).keep(made)
    folder.chmod(0o777)
    assert file_in(folder).read() is None
    file_in(folder, b"another").keep(made)
    assert len(kept_in(folder)) == 1
    assert "others can write to it" in caplog.text


def test_a_folder_that_cannot_be_made_is_a_line_of_the_log(
    tmp_path: Path, made: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    file = file_in(tmp_path / "cache" / "pyodide-rlm")
    assert file.read() is None
    file.keep(made)
    assert "cannot be kept" in caplog.text


def test_a_copy_that_fails_leaves_nothing(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file_in(folder).keep(tmp_path / "gone")
    assert kept_in(folder) == []
    assert "cannot be kept" in caplog.text


def test_one_that_workers_do_not_start_from_is_discarded_and_no_other(folder: Path, made: Path) -> None:
    other = file_in(folder, b"another")
    file_in(folder).keep(made)
    other.keep(made)
    file_in(folder).discard()
    assert kept_in(folder) == [other.read()]


def test_the_oldest_go_first(folder: Path, made: Path) -> None:
    for number in range(MOST_FILES + 2):
        file_in(folder, bytes([number])).keep(made)
        for path in kept_in(folder):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))
    assert len(kept_in(folder)) == MOST_FILES
    assert file_in(folder, bytes([0])).read() is None
    assert file_in(folder, bytes([MOST_FILES + 1])).read() is not None


def test_what_a_killed_process_left_is_removed(folder: Path, made: Path) -> None:
    file_in(folder).keep(made)
    for name, age in (("old.part", 7_200), ("new.part", 0)):
        (folder / name).write_bytes(MEMORY)
        os.utime(folder / name, (0, (folder / name).stat().st_mtime - age))
    file_in(folder, b"another").keep(made)
    assert [path.name for path in folder.glob("*.part")] == ["new.part"]


def test_the_folder_is_the_users_cache_unless_another_or_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYODIDE_RLM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "pyodide-rlm"
    monkeypatch.setenv("PYODIDE_RLM_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.setenv("PYODIDE_RLM_CACHE", "off")
    assert cache_folder() is None
