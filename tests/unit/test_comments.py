"""The script that counts words of comments: its notion of a comment, and its failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import comments


def test_strings_templates_and_patterns_of_a_script_are_no_comments() -> None:
    code = """a("// one", '/* two */', `// three`, /[/]\\/\\/ four/); // five\n/* six\n seven */"""
    assert list(comments.script_comments(code)) == [(1, "// five"), (2, "/* six\n seven */")]


def test_docstrings_of_python_are_comments_and_other_strings_are_not() -> None:
    code = '"""One."""\na = "# two"  # three\ndef f():\n    """Four."""\n'
    assert sorted(comments.python_comments(code)) == [(1, "One."), (2, "# three"), (4, "Four.")]


@pytest.mark.parametrize(("rest", "status"), [(331, 1), (333, 0)])
def test_a_folder_above_the_rate_fails(rest: int, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "x.py").write_text(f"# what {'noun ' * rest}\n")
    monkeypatch.setattr(comments, "ROOT", tmp_path)
    assert comments.main(["room"]) == status


def test_the_rooms_of_the_project_are_counted() -> None:
    names = {str(folder.relative_to(comments.ROOT)) for folder in comments.folders()}
    assert names >= {"rlm_core", "server", "web", "tests", "worker", "worker/wire", "worker/sandbox"}
    assert all(comments.sources(comments.ROOT / name) for name in names)
