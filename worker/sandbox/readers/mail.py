"""Mail (eml, mbox) and saved web pages (mhtml): headers and decoded bodies; attachments are named, not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from readers import markup
from readers.plain import decode
from readers.source import Source

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_FROM = re.compile(rb"^From [^\n]*\n", re.M)


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    if kind != "mbox":
        return _mail(source.content())
    mails = [
        (number, data) for number, data in enumerate(_mails(source.content()), 1) if pages is None or number in pages
    ]
    return "\n\n".join(f"[mail {number}]\n{_mail(data)}" for number, data in mails)


def _mails(data: bytes) -> Iterator[bytes]:
    starts = [
        found.end() for found in _FROM.finditer(data) if found.start() == 0 or data[: found.start()].endswith(b"\n\n")
    ]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        body = data[start:end]
        yield body if end is None else body[: body.rstrip().rfind(b"\nFrom ") + 1] or body


def _mail(data: bytes) -> str:
    mail = message_from_bytes(data, policy=policy.default)
    lines = [f"{name}: {mail[name]}" for name in _HEADERS if mail[name]]
    body = mail.get_body(("plain", "html"))
    words = "" if body is None else _body(cast(EmailMessage, body))
    attached = [_attachment(part) for part in mail.iter_attachments()]
    return "\n".join([*lines, "", words.strip(), *attached]).strip()


def _body(part: EmailMessage) -> str:
    data = cast(bytes, part.get_payload(decode=True) or b"")
    try:
        words = data.decode(part.get_content_charset() or "utf-8")
    except (LookupError, UnicodeDecodeError):
        words = decode(data)[0]
    return markup.text_of(words) if part.get_content_subtype() == "html" else words.replace("\r\n", "\n")


def _attachment(part: EmailMessage) -> str:
    size = len(cast(bytes, part.get_payload(decode=True) or b""))
    return f"[attachment {part.get_filename() or part.get_content_type()}, {size:,} bytes, not read]"
