"""Contexts that a Python caller passes to a run in the browser."""

from __future__ import annotations

import doctest
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError
from rlm_server.headless import context_upload
from rlm_server.headless.context_upload import read_folder, uploaded, uploaded_log


def test_a_folder_is_all_its_files_under_their_paths(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    (folder / "2025").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("readme.txt", "2025/b.txt", "2025/a.txt", ".DS_Store", ".git/config"):
        (folder / name).write_text(name)
    (tmp_path / "one.txt").write_text("1")
    with uploaded([folder, tmp_path / "one.txt"]) as files:
        assert files.kind == "files"
        assert files.names == ("papers/2025/a.txt", "papers/2025/b.txt", "papers/readme.txt", "one.txt")
        assert [path.read_text() for path in files.paths] == ["2025/a.txt", "2025/b.txt", "readme.txt", "1"]


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


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder with links of all kinds; what lies outside is secret."""
    folder = tmp_path / "papers"
    (folder / "below").mkdir(parents=True)
    (folder / ".git").mkdir()
    (tmp_path / "outside").mkdir()
    for name in ("a.txt", "below/b.txt", ".env", ".git/config"):
        (folder / name).write_text(name)
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    for name, target in {
        "inside.txt": folder / "a.txt",
        "below/up.txt": Path("..") / "a.txt",
        "out.txt": tmp_path / "outside" / "secret.txt",
        "out": tmp_path / "outside",
        "gone.txt": tmp_path / "nowhere",
        "to_below": folder / "below",
        "env.txt": folder / ".env",
        "config.txt": folder / ".git" / "config",
        "loop": folder,
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    return folder


def test_no_link_leads_out_of_a_folder_or_to_a_hidden_file(linked: Path) -> None:
    folder = read_folder(linked)
    assert [name for name, _ in folder.files] == [
        "papers/a.txt",
        "papers/below/b.txt",
        "papers/below/up.txt",
        "papers/inside.txt",
    ]
    assert {path.read_text() for _, path in folder.files} == {"a.txt", "below/b.txt"}
    assert (folder.hidden, folder.links, folder.special) == (4, 5, 1)
    assert folder.summary() == (
        "folder of 4 files, 4 hidden left out, 5 links that lead out of it left out, 1 of a special kind left out"
    )


def test_links_that_are_left_out_are_said(linked: Path, caplog: pytest.LogCaptureFixture) -> None:
    with uploaded(linked):
        pass
    assert "5 links that lead out of it left out" in caplog.text


def test_a_link_that_the_caller_names_is_followed(linked: Path) -> None:
    with uploaded(linked / "out") as files:
        assert files.names == ("outside/secret.txt",)
    with uploaded(linked / "out.txt") as files:
        assert [path.read_text() for path in files.paths] == ["secret"]


@pytest.mark.parametrize("context", [{1: "a"}, [{None: 1}], float("nan"), object()])
def test_a_context_that_json_would_change_is_refused(context: object) -> None:
    with (
        pytest.raises(ConfigError, match="context must be text, bytes, a JSON value, paths or a table"),
        uploaded(context),
    ):
        pass


def test_examples_in_docstrings_are_true() -> None:
    assert doctest.testmod(context_upload).failed == 0


def test_a_file_name_that_is_no_valid_text_ends_nothing(tmp_path: Path) -> None:
    for name in (b"a\xff.txt", "a\ufffd.txt".encode(), b"b.txt"):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(name)
    with uploaded(tmp_path) as files:
        names = [name.removeprefix(f"{tmp_path.name}/") for name in files.names]
        assert sorted(names) == ["a\ufffd.txt", "a\ufffd.txt_", "b.txt"]
        assert "".join([*files.names, *map(str, files.paths)]).isprintable()
        by_name = dict(zip(names, (path.read_bytes() for path in files.paths), strict=True))
    assert by_name == {"a\ufffd.txt_": b"a\xff.txt", "a\ufffd.txt": "a\ufffd.txt".encode(), "b.txt": b"b.txt"}


def test_a_log_is_handed_over_as_a_file_of_its_text() -> None:
    with uploaded_log({"replay": '{"type": "run_started"}\r\n"\ud800"'}) as (log, [path]):
        assert log == {"replay": ""}
        assert path.read_bytes() == b'{"type": "run_started"}\r\n"\\ud800"'
    assert not path.exists()


def test_the_iteration_of_a_fork_stays_beside_its_log() -> None:
    with uploaded_log({"fork": {"log": "{}", "iteration": 3}}) as (log, [path]):
        assert log == {"fork": {"log": "", "iteration": 3}}
        assert path.read_text() == "{}"


def test_without_a_log_there_is_no_file() -> None:
    with uploaded_log({}) as (log, paths):
        assert (log, paths) == ({}, ())


def test_a_folder_within_that_cannot_be_read_is_refused_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(ConfigError, match=r"locked cannot be read: Permission denied\. Give what may be read\."):
        read_folder(tmp_path)
