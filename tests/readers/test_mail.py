"""Mails and mailboxes: attachments, mails inside mails, line ends, and lines that begin with From."""

from __future__ import annotations

import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import mail as mails
from readers import read

from tests.readers import files, office, planted

BOX = (
    b"From a@example.org Mon Jan  1 00:00:00 2025\nFrom: a@example.org\nSubject: one\n\n"
    b">From the start\n\nFrom here on it is text\n\nbye\n\n"
    b"From b@example.org Mon Jan  1 00:00:00 2025\nSubject: =?utf-8?q?zw=C3=B6lf?=\n"
    b"Content-Transfer-Encoding: base64\n\naGkgdGhlcmU=\n\n"
)


def test_an_attachment_is_read_by_its_own_kind_or_named_with_the_reason() -> None:
    message = files.mail("See the letter.")
    word = "vnd.openxmlformats-officedocument.wordprocessingml.document"
    message.add_attachment(planted.saved(office.word()), maintype="application", subtype=word, filename="letter.docx")
    message.add_attachment(files.mail("A mail inside."), filename="inner.eml")
    message.add_attachment(b"7z\xbc\xaf\x27\x1c", maintype="application", subtype="x-7z", filename="notes.7z")
    text = read(message.as_bytes())
    assert "[attachment letter.docx]\nSentence 0" in text
    assert planted.FACT in text
    assert "[attachment inner.eml]\nFrom: ada@example.org" in text
    assert "A mail inside." in text
    assert "[attachment notes.7z, 6 bytes, not read: notes.7z is a 7-Zip archive" in text


def test_mails_inside_mails_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "MAX_DEPTH", 2)
    inmost = files.mail("inmost")
    middle, outer = files.mail("middle"), EmailMessage()
    middle.add_attachment(inmost, filename="inmost.eml")
    outer["Subject"], outer["From"], outer["To"] = "outer", "a@example.org", "b@example.org"
    outer.set_content("outer")
    outer.add_attachment(middle, filename="middle.eml")
    text = read(outer.as_bytes())
    assert "middle" in text
    assert text.endswith("[attachment inmost.eml, not read: mails are opened 2 deep]")


@pytest.mark.parametrize("data", [BOX, BOX.replace(b"\n", b"\r\n")], ids=["lf", "crlf"])
def test_the_mails_of_a_mailbox_are_told_from_lines_that_begin_with_from(data: bytes) -> None:
    text = read(data)
    assert text.count("[mail ") == 2
    assert "\nFrom the start\n\nFrom here on it is text\n\nbye\n\n[mail 2]\n" in text
    assert text.endswith("Subject: zwölf\n\nhi there")


def test_labels_of_an_archive_and_the_address_of_a_saved_page_are_read() -> None:
    labels = "X-Gmail-Labels: =?UTF-8?Q?Work,Ge=C3=B6ffnet?="
    mail = f"From 12@xxx Wed Jan 31 10:00:00 +0000 2024\n{labels}\nFrom: a@b\nMIME-Version: 1.0\n\nHi\n"
    assert read(mail.encode()) == "[mail 1]\nFrom: a@b\nX-Gmail-Labels: Work,Geöffnet\n\nHi"
    page = "From: <Saved by Blink>\nSnapshot-Content-Location: https://a.test/\nMIME-Version: 1.0\n\nHi\n"
    assert "Snapshot-Content-Location: https://a.test/" in read(page.encode())


def test_each_mail_of_a_mailbox_has_its_own_coding(tmp_path: Path) -> None:
    parts = [files.mail("Grüße", charset=charset, cte="8bit").as_bytes() for charset in ("utf-8", "iso-8859-1")]
    box = b"".join(b"From p@example.org Mon Jan  1 00:00:00 2025\n" + part + b"\n" for part in parts)
    (tmp_path / "box.mbox").write_bytes(box)
    assert read(tmp_path / "box.mbox").count("Grüße,\n\nGrüße") == 2
