"""Contexts that a Python caller passes to a run in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_core import ConfigError
from rlm_server.headless import context_upload
from rlm_server.headless.context_upload import uploaded


def test_a_folder_is_all_its_files_under_their_paths(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    (folder / "2025").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("readme.txt", "2025/b.txt", "2025/a.txt", ".DS_Store", ".git/config"):
        (folder / name).write_text(name)
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "one.txt").write_text("1")
    with uploaded([folder, tmp_path / "one.txt"]) as files:
        assert files.kind == "files"
        assert files.names == ("papers/readme.txt", "papers/2025/a.txt", "papers/2025/b.txt", "one.txt")
        assert [path.read_text() for path in files.paths] == ["readme.txt", "2025/a.txt", "2025/b.txt", "1"]


def test_the_folder_that_one_is_in_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    with uploaded(Path(".")) as files:
        assert files.names == (f"{tmp_path.name}/a.txt",)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("x")
    with pytest.raises(ConfigError, match="no file is in the folder"), uploaded(tmp_path):
        pass


def test_a_huge_folder_is_refused_with_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_upload, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text(name)
    with pytest.raises(ConfigError, match="more than 2 files"), uploaded(tmp_path):
        pass
