"""Folders on the page: dropped with the mouse or chosen by keyboard, read by model code under their paths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import code
from tests.browser.papers import pdf
from tests.browser.person import ScriptedModel, ask, ended

WALKED_MS = 120_000


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders of this machine on the context, as the browser's own drag does."""
    box = page.locator("fieldset.context").bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})
    session.detach()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder of three files at two depths, and the droppings of a file manager."""
    folder = tmp_path / "papers"
    (folder / "2025" / "may").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "readme.txt").write_text("top")
    (folder / "2025" / "may" / "notes.txt").write_text("deep")
    (folder / "2025" / "lease.pdf").write_bytes(pdf("Rent is due on the third."))
    (folder / "2025" / ".DS_Store").write_text("x")
    (folder / ".git" / "config").write_text("x")
    return folder


READ = """\
import pypdf
lease = pypdf.PdfReader(context["papers/2025/lease.pdf"]).pages[0].extract_text()
FINAL([[*context], context["papers/readme.txt"], context["papers/2025/may/notes.txt"], lease])
"""
FOUND = [
    ["papers/2025/lease.pdf", "papers/2025/may/notes.txt", "papers/readme.txt"],
    "top",
    "deep",
    "Rent is due on the third.",
]


def test_a_dropped_folder_is_read_by_its_paths(page: Page, papers: Path, faults: list[str]) -> None:
    ScriptedModel(page, [code(READ)])
    drop(page, papers)
    expect(page.locator(".attachments li")).to_contain_text(
        "folder of 3 files (2 txt, 1 pdf); left out: 2 hidden names, links"
    )
    expect(page.locator(".attachments .name")).to_have_text("papers/")
    expect(page.locator("#context-privacy")).to_contain_text("Context: 3 files,")
    ask(page, "What is in it?")
    ended(page)
    answer = page.locator("#answer").inner_text()
    assert json.dumps(FOUND).replace('"', "'") in answer
    assert faults == []


def test_a_folder_is_chosen_by_keyboard_and_removed_again(page: Page, papers: Path) -> None:
    page.focus("#context-files")
    page.keyboard.press("Tab")
    expect(page.locator("#context-folder")).to_be_focused()
    with page.expect_file_chooser() as opened:
        page.keyboard.press("Enter")
    assert opened.value.element.get_attribute("webkitdirectory") is not None
    opened.value.set_files(papers)
    expect(page.locator(".attachments li")).to_contain_text(
        "folder of 3 files (2 txt, 1 pdf); left out: 2 hidden names, links"
    )
    page.click("text=Remove")
    expect(page.locator("#context-privacy")).to_contain_text("No context yet.")


def test_a_hidden_folder_counts_once_and_links_do_not_come_in(page: Page, papers: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("secret")
    (papers / "link.txt").symlink_to(tmp_path / "outside.txt")
    (papers / "linked").symlink_to(tmp_path)
    (papers / ".git" / "more").write_text("x")
    drop(page, papers)
    label = "folder of 3 files (2 txt, 1 pdf); left out: 2 hidden names, links"
    expect(page.locator(".attachments li")).to_contain_text(label)
    page.click("text=Remove")
    page.set_input_files("#context-folder", papers)
    expect(page.locator(".attachments li")).to_contain_text(label)


def test_two_folders_and_two_files_of_one_name_all_stay(page: Page, papers: Path, tmp_path: Path) -> None:
    for side in ("left", "right"):
        (tmp_path / side / "papers").mkdir(parents=True)
        (tmp_path / side / "papers" / "a.txt").write_text(f"folder {side}")
        (tmp_path / side / "notes.txt").write_text(f"file {side}")
        drop(page, tmp_path / side / "papers", tmp_path / side / "notes.txt")
    names = ["notes.txt", "papers/", "2/notes.txt", "papers (2)/"]
    expect(page.locator(".attachments .name")).to_have_text(names)
    ScriptedModel(page, [code("FINAL({name: value for name, value in context.items()})")])
    ask(page, "What is in it?")
    ended(page)
    answer = page.locator("#answer").inner_text()
    for pair in [
        "'notes.txt': 'file left'",
        "'2/notes.txt': 'file right'",
        "'papers/a.txt': 'folder left'",
        "'papers (2)/a.txt': 'folder right'",
    ]:
        assert pair in answer


def test_a_file_without_a_suffix_is_kept_beside_a_folder_of_its_name(page: Page, papers: Path, tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "papers").write_text("a file")
    drop(page, papers, tmp_path / "beside" / "papers")
    expect(page.locator(".attachments .name")).to_have_text(["papers (1)", "papers/"])  # the browser's own number


def test_broken_and_empty_documents_of_a_folder_are_named(page: Page, papers: Path) -> None:
    (papers / "cut.pdf").write_bytes(pdf("Rent is due.")[:-20])
    (papers / "empty.csv").write_text("")
    drop(page, papers)
    expect(page.locator(".attachments .fault")).to_have_text(
        ["papers/empty.csv is empty.", "papers/cut.pdf: Its end is missing: it is cut off, or was not saved whole."]
    )


def test_a_file_and_a_folder_dropped_together_are_both_kept(page: Page, papers: Path, tmp_path: Path) -> None:
    (tmp_path / "beside.csv").write_text("a,b\n")
    drop(page, papers, tmp_path / "beside.csv")
    expect(page.locator(".attachments .name")).to_have_text(["beside.csv", "papers/"])
    expect(page.locator("#context-privacy")).to_contain_text("Context: 4 files,")


def test_an_empty_folder_is_explained(page: Page, tmp_path: Path) -> None:
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden").write_text("x")
    drop(page, tmp_path / "empty")
    expect(page.locator("#context-problem")).to_contain_text("“empty” is an empty folder.")
    expect(page.locator(".attachments")).to_have_count(0)


def test_a_huge_folder_is_taken_up_to_10_000_files_and_explained_beyond(page: Page, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    for number in range(10_000):
        part = huge / f"{number // 500}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{number}.txt").write_text(f"{number}")
    drop(page, huge)
    expect(page.locator(".attachments li")).to_contain_text("folder of 10,000 files", timeout=WALKED_MS)
    expect(page.locator("#context-looking")).to_be_empty()
    ScriptedModel(page, [code("FINAL([len(context), context['huge/19/9999.txt'].read_text()])")])
    ask(page)
    expect(page.locator("#answer")).to_contain_text("[10000, '9999']", timeout=WALKED_MS)
    (huge / "one more.txt").write_text("x")
    drop(page, huge)
    expect(page.locator("#context-problem")).to_contain_text("holds more than 10,000 files", timeout=WALKED_MS)
    expect(page.locator("#context-problem")).to_contain_text("pack it as a zip archive")


def test_links_in_a_folder_lead_nowhere_whether_dropped_or_chosen(page: Page, papers: Path, tmp_path: Path) -> None:
    """As in `--context DIR` and `Path`; see tests/server/test_context_upload.py."""
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (papers / "out.txt").symlink_to(tmp_path / "outside.txt")
    (papers / "out").symlink_to(tmp_path / "outside")
    drop(page, papers)
    expect(page.locator(".attachments li")).to_contain_text(
        "folder of 3 files (2 txt, 1 pdf); left out: 2 hidden names, links"
    )
    page.click("text=Remove")
    page.locator("#context-folder").set_input_files(papers)
    expect(page.locator(".attachments li")).to_contain_text(
        "folder of 3 files (2 txt, 1 pdf); left out: 2 hidden names, links"
    )
