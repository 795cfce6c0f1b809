"""Mail (eml, mbox) and saved web pages (mhtml): headers, decoded bodies, and attachments, each read by its own kind."""

from __future__ import annotations

import codecs
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import EmailMessage
from typing import cast

from readers import markup
from readers.kinds import is_utf8, kind_of
from readers.plain import decode, superset
from readers.source import ReadError, Source, check_numbers

_HEADERS = ("From", "Reply-To", "To", "Cc", "Bcc", "Date", "Subject", "X-Gmail-Labels", "Snapshot-Content-Location")
"""Headers that are read of a mail that a program sent; of a text in the form of a mail, all are. The last two are
of Gmail's own archive and of a page that a browser saved."""
_SENT = ("Message-ID", "MIME-Version", "Received")
EMLX = re.compile(rb"(\d{1,12})[ \t]*\r?\n(?=[A-Za-z-]+:)")
"""The first line of a mail of Apple Mail: its bytes, which a property list follows."""
_FROM = re.compile(rb"^From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n|^From [^\r\n]*\r?\n(?=[A-Za-z-]+:)", re.M)
"""The line before a mail in a mailbox: one with a time, or with headers after it."""
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.M)
_ENCODED = re.compile(r"(?:=\?[^?\s]+\?[bBqQ]\?[^?]*\?=)+")
_ENCODED_GAP = re.compile(r"\?=\s+=\?")
"""Space between two encoded words, which is none of the text."""
OTHER_SHARE = 0.4
"""Share of a page's words that the plain text of a mail lacks, from which on both are read."""
_DRESS = ("text/css", "text/javascript", "application/javascript", "application/x-javascript")
"""Parts of a saved page that are left out, as the scripts and styles in a page are."""
MAX_DEPTH = 4
"""Mails inside mails that are read."""


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    data = source.content().removeprefix(codecs.BOM_UTF8)
    if kind != "mbox":
        return _mail(_without_count(data))
    mails = list(_mails(data))
    wanted = sorted(pages or range(1, len(mails) + 1))
    check_numbers(source, "mail", wanted, len(mails))
    return "\n\n".join(f"[mail {number}]\n{_mail(mails[number - 1])}" for number in wanted)


def _without_count(data: bytes) -> bytes:
    count = EMLX.match(data)
    return data[count.end() :][: int(count[1])] if count else data


def _mails(data: bytes) -> Iterator[bytes]:
    """The mails of a mailbox; lines that begin with "From " are without the ">" by which they are told from others."""
    found = [each for each in _FROM.finditer(data) if _follows_a_blank_line(data, each.start())]
    if not found and data.strip():
        yield data  # one mail without the line before it
    for each, following in zip(found, [*found[1:], None][: len(found)], strict=True):
        yield _QUOTED_FROM.sub(rb"\1", data[each.end() : None if following is None else following.start()])


def _follows_a_blank_line(data: bytes, at: int) -> bool:
    return at == 0 or data[max(0, at - 4) : at].endswith((b"\n\n", b"\n\r\n"))


def _mail(data: bytes, depth: int = 1) -> str:
    return _message(message_from_bytes(_in_utf8(data.lstrip(b"\r\n")), policy=policy.default), depth)


def _in_utf8(data: bytes) -> bytes:
    """The mail with headers in UTF-8: some programs write them in the coding of their machine, which nothing names."""
    end = re.search(rb"\r?\n\r?\n|\Z", data)
    head = data[: end.start()] if end else data
    return data if is_utf8(head) else decode(head)[0].encode() + data[len(head) :]


def _message(mail: EmailMessage, depth: int) -> str:
    every = (name for name in dict.fromkeys(mail.keys()) if not name.lower().startswith("content-"))
    names = _HEADERS if any(name in mail for name in _SENT) else every
    lines = [f"{name}: {value}" for name in names for value in _values(mail, name) if value]
    body, page = mail.get_body(("plain", "html")), mail.get_body(("html",))
    words = "" if body is None else _body(cast(EmailMessage, body))
    if page is not None and page is not body and _is_other(words, other := _body(cast(EmailMessage, page))):
        words = f"{words.strip()}\n\n[html]\n{other}"
    attached = [_attachment(part, depth) for part in _others(mail, (body, page))]
    return "\n".join([*lines, "", words.strip(), *attached]).strip()


def _values(mail: EmailMessage, name: str) -> list[str]:
    """The values of a header, each time that it stands there, as it is written but for encoded words.

    The library's parsers of addresses and dates fail on some that programs write, and a mail is not lost for one.
    """
    raw = (value for key, value in mail.raw_items() if key.lower() == name.lower())
    said = (value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in raw)
    return [" ".join(_ENCODED.sub(_decoded, _ENCODED_GAP.sub("?==?", value)).split()) for value in said]


def _decoded(words: re.Match[str]) -> str:
    """Encoded words of a header, each in the coding that is meant by its name; as they are where that fails."""
    try:
        pieces = decode_header(words[0])
        return "".join(data.decode(superset(coding or "utf-8"), "replace") for data, coding in pieces)
    except (LookupError, ValueError, HeaderParseError):
        return words[0]


def _others(mail: EmailMessage, taken: Sequence[object]) -> Iterator[EmailMessage]:
    """The parts that are no body, in their order, of multiparts inside multiparts too."""
    if mail.get_content_maintype() != "multipart":
        if mail not in taken:
            yield mail
    elif not mail.is_multipart():  # no part begins as the header says: all of it is text
        mail.replace_header("Content-Type", "text/plain")
        yield mail
    else:
        parts = list(cast(Iterator[EmailMessage], mail.iter_parts()))
        has_plain = mail.get_content_subtype() == "alternative" and parts[0].get_content_type() == "text/plain"
        for part in parts:
            is_dress = mail.get_content_subtype() == "related" and part.get_content_type() in _DRESS
            if not is_dress and not (has_plain and part.get_content_type() == "text/html"):
                yield from _others(part, taken)


def _is_other(words: str, page: str) -> bool:
    """Whether a page says what the plain text beside it does not, as where that is "Your program shows no HTML"."""
    said, shown = (set(re.findall(r"\w+", text.lower())) for text in (words, page))
    return len(shown - said) > OTHER_SHARE * len(shown)


def _body(part: EmailMessage) -> str:
    data = cast(bytes, part.get_payload(decode=True) or b"")
    words = _declared(part, data) or decode(data)[0]
    if part.get_content_subtype() == "html":
        return markup.text_of(words)
    lines = words.replace("\r\n", "\n")
    return _unflowed(lines, part.get_param("delsp") == "yes") if part.get_param("format") == "flowed" else lines


def _declared(part: EmailMessage, data: bytes) -> str:
    """The text of a part in the coding that its header names; `""` where it does not fit."""
    try:
        return data.decode(superset(part.get_content_charset() or "utf-8"))
    except (LookupError, UnicodeDecodeError):
        return ""


def _unflowed(words: str, is_space_dropped: bool) -> str:
    """Text of `format=flowed` (RFC 3676): a line that ends in a space goes on in the next of its depth of quotes."""
    lines: list[str] = []
    is_open, depth = False, 0
    for line in words.split("\n"):
        said = line.lstrip(">")
        quotes = len(line) - len(said)
        said = said.removeprefix(" ")
        if is_open and quotes == depth:
            lines[-1] += said
        else:
            lines.append(f"{'>' * quotes} {said}" if quotes else said)
        is_open, depth = said.endswith(" ") and said != "-- ", quotes
        if is_open and is_space_dropped:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _attachment(part: EmailMessage, depth: int) -> str:
    """The text of an attached file or mail under its name; one that cannot be read is named with the reason."""
    import readers

    called = part.get_filename() or part.get_content_type()
    name = "".join(letter if letter.isprintable() else "?" for letter in called)
    if depth >= MAX_DEPTH:
        return f"[attachment {name}, not read: mails are opened {MAX_DEPTH} deep]"
    if part.get_content_maintype() == "message" and part.is_multipart():
        inner = cast(list[EmailMessage], part.get_payload())
        if part.get_content_type() == "message/rfc822":
            return f"[attachment {name}]\n{_enclosed(part, inner[0], depth + 1)}"
        return f"[attachment {name}]\n" + "\n".join(each.as_string().strip() for each in inner)
    data = cast(bytes, part.get_payload(decode=True) or b"")
    try:
        words = _declared(part, data) if part.get_content_maintype() == "text" else ""
        file = f"{name}.html" if name == "text/html" else name  # a frame of a page, whose type alone tells its kind
        source = Source(file, decoded=words) if words else Source(file, data=data)
        if kind_of(source) in ("eml", "mbox", "mhtml"):
            return f"[attachment {name}]\n{_mail(data, depth + 1)}"
        return f"[attachment {name}]\n{readers.read_source(source)}"
    except (ReadError, ImportError) as fault:
        return f"[attachment {name}, {len(data):,} bytes, not read: {fault}]"


def _enclosed(part: EmailMessage, inner: EmailMessage, depth: int) -> str:
    """A mail in a mail, which some programs write in base64 against the standard."""
    coded = str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64" and not inner.keys()
    try:
        return _mail(b64decode(str(inner.get_payload())), depth) if coded else _message(inner, depth)
    except ValueError:
        return _message(inner, depth)
