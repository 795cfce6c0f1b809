"""Mail (eml, mbox) and saved web pages (mhtml): headers, decoded bodies, and attachments, each read by its own kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from readers import markup
from readers.kinds import kind_of
from readers.plain import decode, superset
from readers.source import ReadError, Source

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_FROM = re.compile(rb"^From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n|^From [^\r\n]*\r?\n(?=[A-Za-z-]+:)", re.M)
"""The line before a mail in a mailbox: one with a time, or with headers after it."""
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.M)
OTHER_SHARE = 0.4
"""Share of a page's words that the plain text of a mail lacks, from which on both are read."""
MAX_DEPTH = 4
"""Mails inside mails that are read."""


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    if kind != "mbox":
        return _mail(source.content())
    mails = [
        (number, data) for number, data in enumerate(_mails(source.content()), 1) if pages is None or number in pages
    ]
    return "\n\n".join(f"[mail {number}]\n{_mail(data)}" for number, data in mails)


def _mails(data: bytes) -> Iterator[bytes]:
    """The mails of a mailbox; lines that begin with "From " are without the ">" by which they are told from others."""
    found = [each for each in _FROM.finditer(data) if _follows_a_blank_line(data, each.start())]
    for each, following in zip(found, [*found[1:], None], strict=True):
        yield _QUOTED_FROM.sub(rb"\1", data[each.end() : None if following is None else following.start()])


def _follows_a_blank_line(data: bytes, at: int) -> bool:
    return at == 0 or data[max(0, at - 4) : at].endswith((b"\n\n", b"\n\r\n"))


def _mail(data: bytes, depth: int = 1) -> str:
    return _message(message_from_bytes(data, policy=policy.default), depth)


def _message(mail: EmailMessage, depth: int) -> str:
    lines = [f"{name}: {mail[name]}" for name in _HEADERS if mail[name]]
    body = mail.get_body(("plain", "html"))
    words = "" if body is None else _body(cast(EmailMessage, body))
    page = mail.get_body(("html",))
    if page is not None and page is not body and _is_other(words, other := _body(cast(EmailMessage, page))):
        words = f"{words.strip()}\n\n[html]\n{other}"
    attached = [_attachment(part, depth) for part in mail.iter_attachments()]
    return "\n".join([*lines, "", words.strip(), *attached]).strip()


def _is_other(words: str, page: str) -> bool:
    """Whether a page says what the plain text beside it does not, as where that is "Your program shows no HTML"."""
    said, shown = (set(re.findall(r"\w+", text.lower())) for text in (words, page))
    return len(shown - said) > OTHER_SHARE * len(shown)


def _body(part: EmailMessage) -> str:
    data = cast(bytes, part.get_payload(decode=True) or b"")
    try:
        words = data.decode(superset(part.get_content_charset() or "utf-8"))
    except (LookupError, UnicodeDecodeError):
        words = decode(data)[0]
    return markup.text_of(words) if part.get_content_subtype() == "html" else words.replace("\r\n", "\n")


def _attachment(part: EmailMessage, depth: int) -> str:
    """The text of an attached file or mail under its name; one that cannot be read is named with the reason."""
    import readers

    called = part.get_filename() or part.get_content_type()
    name = "".join(letter if letter.isprintable() else "?" for letter in called)
    if depth >= MAX_DEPTH:
        return f"[attachment {name}, not read: mails are opened {MAX_DEPTH} deep]"
    if part.get_content_type() == "message/rfc822":
        inner = cast(list[EmailMessage], part.get_payload())
        return f"[attachment {name}]\n{_message(inner[0], depth + 1)}"
    data = cast(bytes, part.get_payload(decode=True) or b"")
    try:
        if kind_of(source := Source(name, data=data)) in ("eml", "mbox", "mhtml"):
            return f"[attachment {name}]\n{_mail(data, depth + 1)}"
        return f"[attachment {name}]\n{readers.read_source(source)}"
    except (ReadError, ImportError) as fault:
        return f"[attachment {name}, {len(data):,} bytes, not read: {fault}]"
