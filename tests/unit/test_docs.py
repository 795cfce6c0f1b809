"""Documentation: links lead somewhere, paths exist, names are true, and the words are plain."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import docs.tools.parts
import docs.tools.site_pages
from docs.tools.__main__ import PARTS, fresh
from tests.docs_blocks import PAGES as BLOCK_PAGES
from tests.docs_blocks import RUN, SHOWN, blocks_of

ROOT = Path(__file__).parents[2]
ROOT_PAGES = ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"]
PAGES = [*(ROOT / name for name in ROOT_PAGES), *sorted((ROOT / "docs").glob("*.md"))]
MOST_LINES_OF_ARCHITECTURE = 200
MOST_WHAT = 3 / 1_000
MOST_NOT_RUN = 6
RUN_IN_BUILDS = "`make test PART=builds`"
RUN_IN_NOTEBOOKS = "`make test PART=notebooks`"
PACKAGES = ["pyodide", "micropip", "pyodide-build", "pytest-pyodide", "playwright"]
FOLDERS = ("docs", "npm", "rlm_core", "server", "tests", "web", "worker")
MACHINE = re.compile(r"(?<![\w.])/(?:work|home|root|tmp|Users)/|registry\.npmjs|pypi\.org|files\.pythonhosted")

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"^<!-- begin .*?^<!-- end [^\n]*$", re.MULTILINE | re.DOTALL)
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
    written = GENERATED.sub("", FENCE.sub("", text_of(path)))  # the sources of the other parts are counted themselves
    words = re.findall(r"[a-z']+", written.lower())
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


@pytest.mark.parametrize(("page", "name"), sorted(PARTS))
def test_each_generated_part_is_fresh(page: str, name: str) -> None:
    assert text_of(ROOT / "docs" / page) == fresh(page, name), "run `make docs`, and commit the page"


@pytest.mark.slow
def test_the_manual_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"index", "SECURITY", "ARCHITECTURE"}
    assert {page for page in pages if not (tmp_path / "site" / f"{page}.html").is_file()} == set()
    loaded = re.findall(
        r"""(?:src|href)=["'](https?:[^"']+\.(?:js|css|woff2?))["']""", text_of(tmp_path / "site" / "index.html")
    )
    assert loaded == []


@pytest.mark.parametrize("module", [docs.tools.parts, docs.tools.site_pages], ids=lambda module: module.__name__)
def test_examples_of_the_docs_tools_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert (results.failed, results.attempted > 0) == (0, True)


def test_each_code_block_is_run_or_says_why_not() -> None:
    blocks = [block for page in BLOCK_PAGES for block in blocks_of(page)]
    run = [block for block in blocks if block.language in RUN and not block.reason]
    not_run = [block for block in blocks if block.reason and not is_run_in_a_part(block.reason)]
    assert [str(block) for block in blocks if block.language not in RUN | SHOWN and not block.reason] == []
    assert len(run) > 25
    assert len(not_run) <= MOST_NOT_RUN


def is_run_in_a_part(reason: str) -> bool:
    """Whether a part of the tests beside `make test` runs the block."""
    return RUN_IN_BUILDS in reason or RUN_IN_NOTEBOOKS in reason


def test_the_blocks_that_need_a_notebook_are_those_that_its_tests_read() -> None:
    """`tests/notebooks/test_widget.py` takes its cells from that page."""
    needing = [block.page.name for page in BLOCK_PAGES for block in blocks_of(page) if RUN_IN_NOTEBOOKS in block.reason]
    assert set(needing) == {"notebooks.md"}
    assert len(needing) == len(blocks_of(ROOT / "docs" / "notebooks.md"))


def test_each_line_of_a_block_that_needs_a_bundler_is_one_of_an_app_that_is_built() -> None:
    endings = (".js", ".jsx", ".ts", ".tsx", ".py")
    sources = [path for path in (ROOT / "tests" / "builds").rglob("*") if path.suffix in endings]
    lines = {line.strip() for path in sources for line in text_of(path).splitlines()}
    blocks = [block for block in blocks_of(ROOT / "docs" / "builds.md") if RUN_IN_BUILDS in block.reason]
    assert len(blocks) > 2
    assert {line.strip() for block in blocks for line in block.text.splitlines()} - lines == set()


@pytest.mark.slow
def test_each_message_in_troubleshooting_is_one_of_ours() -> None:
    rows = [line for line in text_of(ROOT / "docs" / "troubleshooting.md").splitlines() if line.startswith("| `")]
    messages = [re.findall(r"`` ?(.+?) ?``|`(.+?)`", row)[0] for row in rows]
    pieces = {
        piece.strip() for pair in messages for piece in re.split(r"\.\.\.", "".join(pair)) if len(piece.strip()) > 4
    }
    assert len(rows) > 20
    assert [piece for piece in sorted(pieces) if piece not in source_text()] == []


def source_text() -> str:
    """All sources, with the parts of long strings joined."""
    folders = ("rlm_core", "server", "web", "worker")
    paths = [path for folder in folders for ending in ("py", "js") for path in (ROOT / folder).rglob(f"*.{ending}")]
    text = "\n".join(text_of(path) for path in paths)
    return re.sub(r"[\"'`]\s*\+?\s*\n\s*f?[\"'`]", "", text)
