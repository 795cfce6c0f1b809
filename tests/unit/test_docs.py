"""Documentation: links lead somewhere, paths exist, names are true, and the words are plain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOT_PAGES = ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"]
PAGES = [*(ROOT / name for name in ROOT_PAGES), *sorted((ROOT / "docs").glob("*.md"))]
MOST_LINES_OF_ARCHITECTURE = 200
MOST_WHAT = 3 / 1_000
PACKAGES = ["pyodide", "micropip", "pyodide-build", "pytest-pyodide", "playwright"]
FOLDERS = ("docs", "rlm_core", "server", "tests", "web", "worker")
MACHINE = re.compile(r"(?<![\w.])/(?:work|home|root|tmp|Users)/|registry\.npmjs|pypi\.org|files\.pythonhosted")

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([\w-]+))?\)")
CODE = re.compile(r"`([^`\s]+)`")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as forges and mkdocs make them: `## In a browser` -> `in-a-browser`."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def missing_links(path: Path) -> list[str]:
    missing = []
    for target, anchor in LINK.findall(FENCE.sub("", text_of(path))):
        if "://" in target:
            continue
        there = path.parent / target
        if not there.exists() or (anchor and anchor not in anchors(text_of(there))):
            missing.append(f"{target}#{anchor}" if anchor else target)
    return missing


def paths_named(text: str) -> set[str]:
    """Paths of the checkout in backticks; globs are left out."""
    return {
        name for name in CODE.findall(text) if name.partition("/")[0] in FOLDERS and "/" in name and "*" not in name
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_link_leads_to_a_page_and_a_heading(path: Path) -> None:
    assert missing_links(path) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_path_that_is_named_exists(path: Path) -> None:
    assert sorted(name for name in paths_named(text_of(path)) if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_is_rare(path: Path) -> None:
    words = re.findall(r"[a-z']+", FENCE.sub("", text_of(path)).lower())
    assert words.count("what") <= max(1, len(words) * MOST_WHAT)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_machine_and_no_registry_is_named(path: Path) -> None:
    assert MACHINE.findall(text_of(path)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_each_page_of_docs_is_linked_from_the_readme_or_another_page(path: Path) -> None:
    others = [page for page in PAGES if page != path]
    linked = {(page.parent / target).resolve() for page in others for target, _ in LINK.findall(text_of(page))}
    assert path.resolve() in linked


def test_the_architecture_is_short_and_shows_every_room() -> None:
    text = text_of(ROOT / "ARCHITECTURE.md")
    rooms = [
        f"{folder.relative_to(ROOT)}/"
        for top in (ROOT / "worker", ROOT / "server" / "rlm_server")
        for folder in top.iterdir()
        if folder.is_dir() and folder.name != "__pycache__" and any(folder.iterdir())
    ]
    assert len(text.splitlines()) <= MOST_LINES_OF_ARCHITECTURE
    assert [room for room in rooms if f"| `{room}` |" not in text] == []


def test_the_architecture_says_the_use_of_each_package() -> None:
    rows = [line for line in text_of(ROOT / "ARCHITECTURE.md").splitlines() if line.startswith("| ")]
    assert [name for name in PACKAGES if not any(row.startswith(f"| {name} ") for row in rows)] == []


def test_each_decision_is_dated_and_short() -> None:
    decisions = text_of(ROOT / "ARCHITECTURE.md").partition("## Decisions\n")[2].strip().split("\n\n")
    assert len(decisions) > 5
    assert [entry for entry in decisions if not re.match(r"\*\*\d{4}-\d\d-\d\d .+\.\*\*", entry)] == []
    assert [entry for entry in decisions if len(entry.splitlines()) > 3] == []


def test_the_changelog_keeps_its_form() -> None:
    text = text_of(ROOT / "CHANGELOG.md")
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for version in text.split("\n## ")[1:]:
        sections = re.findall(r"^### (.*)$", version, re.MULTILINE)
        assert sections == [kind for kind in kinds if kind in sections]
    assert [line for line in text.splitlines() if line and not line.startswith(("#", "- ", "  ", "The form"))] == []
