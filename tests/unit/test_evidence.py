"""Evidence: the status and the place of a quote in each kind of context."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from rlm_core.evidence import checked, items_of
from rlm_core.types import Evidence

LEASE = """The lease was signed on 4 May 1842 by Ada Lovelace, in the presence of two witnesses.
It ends, unless renewed, after twelve years; the right of co-
operation stays. The rent is 40 pounds a year, due at Michaelmas.
\u201cNo dog\u201d \u2014 says the third clause \u2014 \u201cmay enter the tower.\u201d
"""
LOG = "".join(f"2026-11-{day:02d} 12:00 INFO job {day} done in {day * 7} ms\n" for day in range(1, 29))
NOTES = "The harbour master's name is Grace Hopper. She keeps the keys of the tower in a green box."
FILES = {"lease.txt": LEASE, "logs/app.log": LOG, "notes.md": NOTES}

TABLE = [
    # exact and levelled
    ("signed on 4 May 1842 by Ada Lovelace", None, "found", "lease.txt", 1),
    ("signed  on 4 May\n1842 by Ada\tLovelace", "lease.txt", "found", "lease.txt", 1),
    ("the right of cooperation stays", "lease.txt", "found", "lease.txt", 2),
    ("the right of co-operation stays", "/context/lease.txt", "found", "lease.txt", 2),
    ('"No dog" - says the third clause', None, "found", "lease.txt", 4),
    ("'No dog' — says", None, "missing", None, None),
    ("job 17 done in 119 ms", "app.log", "found", "logs/app.log", 17),
    ("job 17 done in 119 ms", "logs/app.log", "found", "logs/app.log", 17),
    ("The harbour master\u2019s name is Grace Hopper.", None, "found", "notes.md", 1),
    # another source than said
    ("signed on 4 May 1842 by Ada Lovelace", "notes.md", "elsewhere", "lease.txt", 1),
    ("She keeps the keys of the tower", "lease.txt", "elsewhere", "notes.md", 1),
    ("job 3 done in 21 ms", "nowhere.txt", "elsewhere", "logs/app.log", 3),
    # stitched
    ("The lease was signed on 4 May 1842 ... due at Michaelmas.", None, "stitched", "lease.txt", 1),
    ("The rent is 40 pounds a year […] in the presence of two witnesses", None, "stitched", "lease.txt", 3),
    ("The lease was signed on 4 May 1842. It ends, unless renewed.", None, "stitched", "lease.txt", 1),
    # close
    ("The rent is 50 pounds a year, due at Michaelmas", None, "changed", "lease.txt", 3),
    ("the harbour master's name was Grace Hopper", None, "changed", "notes.md", 1),
    ("The lease was signed on 4 May 1843 by Ada Lovelace, in the presence", None, "changed", "lease.txt", 1),
    ("THE HARBOUR MASTER'S NAME is Grace Hopper", None, "changed", "notes.md", 1),
    # nowhere
    ("Der Pachtvertrag wurde am 4. Mai 1842 unterzeichnet", None, "missing", None, None),
    ("Nobody ever wrote this sentence anywhere", "lease.txt", "missing", "lease.txt", None),
    ("job 99 failed", None, "missing", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("quote", "source", "status", "where", "line"), TABLE)
def test_status_and_place(quote: str, source: str | None, status: str, where: str | None, line: int | None) -> None:
    [item] = checked([Evidence(quote, source)], FILES)
    assert (item.status, item.source, item.line) == (status, where, line)
    if item.start is not None and status in ("found", "elsewhere"):
        assert item.byte_start is not None
        held = FILES[where or ""].encode()[item.byte_start : item.byte_end].decode()
        assert held == FILES[where or ""][item.start : item.end]


@pytest.mark.parametrize("named", [None, *FILES, "nowhere.txt"])
def test_a_quote_has_its_status_whatever_source_is_named(named: str | None) -> None:
    """Each quote of the table by each source, 110 pairs: only whether it was named rightly may change."""
    items = [Evidence(quote, named) for quote, *_ in TABLE]
    expected = []
    for _, _, status, where, line in TABLE:
        if status in ("found", "elsewhere"):
            status = "found" if named in (None, where) else "elsewhere"
        expected.append((status, where if status != "missing" else named, line))
    assert [(item.status, item.source, item.line) for item in checked(items, FILES)] == expected
    assert len(TABLE) * (len(FILES) + 2) >= 80


@pytest.mark.parametrize("words", [5, 8, 13])
@pytest.mark.parametrize("at", range(0, 60, 5))
@pytest.mark.parametrize("blank", [" ", "\n", "\u00a0 "])
def test_any_part_of_a_text_is_found_in_any_spacing(words: int, at: int, blank: str) -> None:
    text = LEASE + NOTES
    quote = blank.join(text.split()[at : at + words])
    if quote:
        [item] = checked([Evidence(quote)], text)
        assert item.status == "found"
        assert text[: item.start].count("\n") + 1 == item.line


def test_a_changed_quote_says_the_difference() -> None:
    [item] = checked([Evidence("The rent is 50 pounds a year, due at Michaelmas")], LEASE, name="lease.txt")
    assert (item.difference, LEASE[item.start : item.end]) == (
        '"50" is "40" in the source',
        "The rent is 40 pounds a year, due at Michaelmas",
    )


def test_items_of_lists_and_values_of_json_are_sources() -> None:
    rows = [{"name": "Ada", "born": 1815}, {"name": "Grace Hopper, of the harbour", "born": 1906}]
    assert [item.source for item in checked(items_of(["Grace Hopper, of the harbour"]), rows)] == ["[1]"]
    assert checked(items_of([{"quote": "Grace Hopper, of", "source": 1}]), rows)[0].status == "found"
    assert checked(items_of([{"quote": "Grace Hopper, of", "source": "context[0]"}]), rows)[0].status == "elsewhere"


def test_text_files_are_read_in_pieces_and_documents_by_their_reader(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("x y z\n" * 10_000 + NOTES, encoding="utf-8")
    (tmp_path / "book.pdf").write_bytes(b"%PDF-1.7 \x00")
    pages = "".join(f"[page {page}]\nThis is the text of page number {page}, whole.\n\n" for page in range(1, 500))
    context = {"big.txt": tmp_path / "big.txt", "book.pdf": tmp_path / "book.pdf"}

    def read(path: PurePath) -> str:
        assert path == tmp_path / "book.pdf"
        return pages

    items = items_of(
        ["Grace Hopper. She keeps", "the text of page number 417, whole", "417, whole.\nThis is the text of page"]
    )
    text, page, over = checked(items, context, read=read)
    assert (text.source, text.line, text.byte_start) == ("big.txt", 10_001, 60_000 + NOTES.index("Grace"))
    assert (page.source, page.page, page.byte_start) == ("book.pdf", 417, None)
    assert (over.status, over.page) == ("found", 417)


def test_sheets_are_places_too(tmp_path: Path) -> None:
    (tmp_path / "data.xlsx").write_bytes(b"PK\x03\x04\x00")
    text = '[sheet "2024"]\nname,total\nAda,1\n\n[sheet "2025"]\nname,total\nGrace Hopper,1906\n'
    [item] = checked(items_of(["Grace Hopper,1906"]), tmp_path / "data.xlsx", name="data.xlsx", read=lambda path: text)
    assert (item.source, item.sheet) == ("data.xlsx", "2025")


@pytest.mark.parametrize("given", [[1], [{"source": "a"}], ["  "], 7, [None], ["x" * 5_000]])
def test_evidence_of_other_forms_is_refused_in_words(given: object) -> None:
    with pytest.raises(TypeError, match="evidence"):
        items_of(given)


@pytest.mark.slow
@pytest.mark.parametrize(
    "quote",
    ["0, " * 1_200 + "1", "a" + " " * 3_990 + "b", "[ " * 1_900 + "a", "x. " * 1_300 + "!"],
    ids=["zeros", "blanks", "brackets", "sentences"],
)
def test_many_odd_quotes_take_seconds(quote: str) -> None:
    """Each of them took minutes: a passage of equal words is compared pair by pair, blanks were looked at again."""
    statuses = {item.status for item in checked([Evidence(quote)] * 100, "0, " * 20_000 + "[ x. a " * 3_000)}
    assert statuses <= {"found", "stitched", "changed", "missing"}
