"""Description of a context for a model: type, size, shape, first lines; never more than a few thousand characters."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rlm_core import documents
from rlm_core.contexts import MAX_CHARS, describe, fingerprint


class Odd:
    def __repr__(self) -> str:
        return "<Odd>"


DESCRIPTIONS = [
    ("", "`context` is a str of 0 characters in 1 line."),
    ("one", "`context` is a str of 3 characters in 1 line. It begins:\none"),
    ("one\ntwo", "`context` is a str of 7 characters in 2 lines. It begins:\none\ntwo"),
    (" \n", "`context` is a str of 2 characters in 2 lines."),
    ([], "`context` is a list of 0 items."),
    (["a"], "`context` is a list of 1 item, each a str:\n  [0] str of 1 character: 'a'"),
    ([1, {}], "`context` is a list of 2 items, of dict and int:\n  [0] int: 1\n  [1] dict of 0 keys"),
    ((1,), "`context` is a tuple of 1 item, each a int:\n  [0] int: 1"),
    ([{"id": 1, "text": "x"}], "`context` is a list of 1 item, each a dict:\n  [0] dict of 2 keys: 'id', 'text'"),
    ({}, "`context` is a dict of 0 keys."),
    ({"a": [1, 2]}, "`context` is a dict of 1 key:\n  'a': list of 2 items"),
    (
        {"a": "hello", "n": None},
        "`context` is a dict of 2 keys:\n  'a': str of 5 characters: 'hello'\n  'n': NoneType: None",
    ),
    (b"ab\0", "`context` is a bytes of 3 bytes. It begins b'ab\\x00'"),
    (
        b"%PDF-1.7",
        "`context` is a bytes of 8 bytes; it looks like a PDF document. It begins b'%PDF-1.7'\nIt is a PDF document.",
    ),
    (5, "`context` is a int: 5"),
    (Odd(), "`context` is a Odd: <Odd>"),
    (Path("/no/such/file"), "`context` is a pathlib.Path, '/no/such/file', which cannot be read."),
]


@pytest.fixture(autouse=True)
def _no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has none of the packages for documents."""
    monkeypatch.setattr(documents, "packages", lambda: ())


@pytest.mark.parametrize(("context", "text"), DESCRIPTIONS, ids=[text[:60] for _, text in DESCRIPTIONS])
def test_a_context_is_described(context: object, text: str) -> None:
    assert describe(context) == text


def test_a_long_text_shows_its_first_lines_only() -> None:
    text = describe("\n".join(f"line {number}" for number in range(100_000)))
    assert text.startswith("`context` is a str of 1,088,889 characters in 100,000 lines. It begins:\nline 0\nline 1\n")
    assert text.endswith("\n...")
    assert len(text) < 1_500


def test_a_long_line_is_cut() -> None:
    assert describe("x" * 1_000_000).endswith("x" * 240 + "...\n...")


@pytest.mark.parametrize(
    "context",
    [
        "x" * 1_000_000,
        "\n" * 1_000_000,
        "😀" * 100_000,
        ["y" * 10_000] * 1_000,
        {str(number) * 500: "z" * 10_000 for number in range(1_000)},
        [[[["deep"] * 1_000] * 100]] * 100,
        b"\xff" * 1_000_000,
        {number: {"a" * 300: 1} for number in range(100)},
        range(10**9),
    ],
    ids=lambda context: type(context).__name__,
)
def test_a_description_is_bounded(context: object) -> None:
    assert len(describe(context)) < MAX_CHARS + 200


def test_a_file_is_described_without_being_loaded(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("first\nsecond\n")
    text = describe(path)
    assert "pathlib.Path of a file of 13 bytes" in text
    assert text.endswith("read it in pieces. It begins:\nfirst\nsecond\n")


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"PK\x03\x04\0\0")
    assert describe(path).endswith("not loaded. It looks like a zip archive (or docx, xlsx, epub).")


def test_files_in_a_dictionary_are_described(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_text("a,b\n")
    assert describe({"big.csv": path}) == "`context` is a dict of 1 key:\n  'big.csv': Path of a file of 4 bytes"
    path.write_bytes(b"%PDF")
    assert describe({"a": path}).endswith("\n  'a': Path of a file of 4 bytes, a PDF document")


def test_a_pile_of_files_is_counted_by_kind() -> None:
    files = {f"notes/{number}.txt": "x" for number in range(20)} | {"top.CSV": "y"}
    text = describe(files)
    assert text.startswith("`context` is a dict of 21 keys:\n  'notes/0.txt': str of 1 character: 'x'\n")
    assert text.endswith("\n  ... and 9 more\nIts keys are names of files, in 2 folders: 20 .txt, 1 .csv.")


def test_keys_that_are_no_names_of_files_are_not_taken_for_them() -> None:
    assert describe(dict.fromkeys(range(20), 1)).endswith("... and 8 more")
    assert describe({f"key {number}": 1 for number in range(20)}).endswith("... and 8 more")


@pytest.mark.parametrize(
    ("context", "facts"),
    [
        ("ab", {"name": "context", "type": "str", "size": 2, "sha256": hashlib.sha256(b"ab").hexdigest()}),
        (b"ab", {"name": "context", "type": "bytes", "size": 2, "sha256": hashlib.sha256(b"ab").hexdigest()}),
        ({"a": 1}, {"name": "context", "type": "dict", "size": 1, "sha256": hashlib.sha256(b'{"a": 1}').hexdigest()}),
        (Odd(), {"name": "context", "type": "Odd"}),
    ],
)
def test_a_fingerprint_tells_the_same_context_again(context: object, facts: dict[str, object]) -> None:
    assert fingerprint(context) == facts


def test_a_file_that_is_not_loaded_has_a_fingerprint_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"\0ab")
    expected = {"name": "a", "type": "file", "size": 3, "sha256": hashlib.sha256(b"\0ab").hexdigest()}
    assert fingerprint(path, name="a") == expected
    assert fingerprint(tmp_path / "gone") == {"name": "context", "type": "file"}


@pytest.mark.parametrize("among", [1, 1_000])
def test_of_a_large_file_samples_are_hashed_and_its_first_and_last_byte_are_in_them(tmp_path: Path, among: int) -> None:
    path = tmp_path / "a.bin"
    data = bytearray(5 << 20)
    found = []
    for at in (None, 0, -1):
        if at is not None:
            data[at] = 1
        path.write_bytes(data)
        facts = fingerprint(path, among=among)
        assert (facts["size"], facts.get("sha256")) == (5 << 20, None)
        found.append(facts["sha256_of_samples"])
    assert len(set(found)) == 3


def test_text_with_lone_surrogates_has_a_fingerprint() -> None:
    assert len(str(fingerprint("\ud800")["sha256"])) == 64
