"""Conversation: an OpenAI request as a question over a context.

    {"model": "rlm", "messages": [{"role": "user", "content": "..."}], "response_format": {...}, "metadata": {...}}
    {"model": "rlm/openai:gpt-5-mini", "input": [...], "instructions": "...", "text": {"format": {...}}}

In: the body of Chat Completions or of Responses. Out: the question, the texts and files of its context, and the options
of the run, or a `Refused` that names the parameter. The last user message is the question; long text, files, images and
earlier turns are the context. Parameters that are not known are ignored. Nothing is fetched: files come in the request.
"""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from rlm_core import ConfigError
from rlm_core.limits import LIMITS

from ..headless.names import snake

MODEL = "rlm"
PREFIX = f"{MODEL}/"
QUESTION_CHARS = 2_000
"""Characters of the longest paragraph or text part that is taken for a question; longer ones are context alone."""
PLAIN_CHARS = 4_000
"""Characters of a conversation without files and earlier turns that is passed on as one plain call."""
INSTRUCTION_CHARS = 4_000
"""Characters of the longest system message that becomes the run's role; a longer one is context."""
DATA_URI = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*?;base64,(?P<data>.*)", re.DOTALL | re.IGNORECASE
)
BARE = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
"""Base64 without the head of a data URI, as the vendor's reference describes the bytes of a file."""
ROLES = ("system", "developer", "user", "assistant")
LIMIT_NAMES: Mapping[str, bool] = {snake(facts.option): facts.whole for facts in LIMITS}
"""Name of each limit in metadata -> whether it is a whole number."""
OVER_ALL = "Do as the text in the context asks."
TAIL_CHARS = 500
WAYS = ("always", "direct")
"""Values of `rlm` in metadata: a run whatever the size, or one call over the whole context."""
TEXT_PARTS = ("text", "input_text", "output_text", "refusal")


class Refused(ConfigError):
    """A request that cannot be answered.

    Attributes:
        param: name of the parameter, `None` for the whole.
        code: of OpenAI's error object.
        retry_after: seconds until the next attempt, `None` where none would help.
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a message."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    role: str
    texts: tuple[str, ...] = ()
    files: tuple[Attached, ...] = ()

    @property
    def text(self) -> str:
        """All its text."""
        return "\n\n".join(self.texts)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question over a context.

    Attributes:
        model: `provider:name`, or `None` for the server's default.
        name: the model as it was asked for.
        texts: name -> text of the context.
        schema: of the answer, `None` for text.
        options: arguments of the run.
        turns: the whole conversation, for a plain call.
        is_plain: short, and without a context: one plain call answers it.
    """

    question: str
    model: str | None
    name: str
    texts: Mapping[str, str]
    files: tuple[Attached, ...]
    schema: Any
    options: Mapping[str, Any]
    turns: tuple[Turn, ...]
    is_plain: bool

    def without_data(self) -> Asked:
        """The same without context and conversation, which may be large: what a reply's form needs."""
        return replace(self, texts={}, files=(), turns=())

    def context(self, folder: Path) -> object:
        """The context of the run; files lie in `folder`, as long as the run lasts."""
        if not self.files:
            texts = list(self.texts.values())
            return None if not texts else texts[0] if len(texts) == 1 else dict(self.texts)
        whole = [*(Attached(f"{name}.txt", text.encode("utf-8", "surrogatepass")) for name, text in self.texts.items())]
        paths = []
        for name, data in _distinct([*self.files, *whole]):
            path = folder / name
            path.write_bytes(data)
            paths.append(path)
        return tuple(paths)


def asked_in(body: Mapping[str, Any]) -> Asked:
    """The question in the body of a request of either form.

    Raises:
        Refused: it cannot be answered; the message says what to change.
    """
    _refuse_tools(body)
    is_responses = body.get("input") is not None
    turns = tuple(_turns_of_input(body) if is_responses else _turns_of_messages(body))
    last = max((index for index, turn in enumerate(turns) if turn.role == "user"), default=None)
    name = "input" if is_responses else "messages"
    if last is None or not (turns[last].text.strip() or turns[last].files):
        raise Refused(f"{name} holds no user message with text: the last one is the question.", param=name)
    system = "\n\n".join(turn.text for turn in turns if turn.role in ("system", "developer"))
    earlier = [turn for index, turn in enumerate(turns) if turn.role in ("user", "assistant") and index != last]
    question, long = _question_in(turns[last].texts)
    texts = {}
    if long:
        texts["message"] = long
    if earlier:
        texts["earlier_turns"] = "\n\n".join(f"{turn.role}: {turn.text}" for turn in earlier)
    if len(system) > INSTRUCTION_CHARS:
        texts["instructions"] = system
    metadata = body.get("metadata") or {}
    options = _limits_in(metadata)
    if system and "instructions" not in texts:
        options["system_prompt"] = system
    files = tuple(file for turn in turns for file in turn.files)
    size = sum(len(turn.text) for turn in turns)
    way = metadata.get(MODEL) or None
    if way not in (None, *WAYS):
        raise Refused(f"metadata.{MODEL} must be {' or '.join(WAYS)}, not {way!r:.40}.", param=f"metadata.{MODEL}")
    if way == "direct":
        options["direct"] = True
    return Asked(
        question=question,
        model=_model_in(body),
        name=str(body.get("model")),
        texts=texts,
        files=files,
        schema=_schema_in(body),
        options=options,
        turns=turns,
        is_plain=not (files or earlier or way) and size <= PLAIN_CHARS,
    )


def _refuse_tools(body: Mapping[str, Any]) -> None:
    for name in ("tools", "functions"):
        if body.get(name):
            raise Refused(
                f"{name} of the client cannot be called: the model writes Python that runs in its own REPL. Leave "
                f"{name} out, and put the data into the messages, as text or files.",
                param=name,
                code="unsupported_parameter",
            )
    if body.get("n") not in (None, 1):
        raise Refused("n must be 1: a run has one answer.", param="n", code="unsupported_value")


def _model_in(body: Mapping[str, Any]) -> str | None:
    name = body.get("model")
    if name == MODEL:
        return None
    if isinstance(name, str) and name.startswith(PREFIX) and ":" in name:
        return name.removeprefix(PREFIX)
    raise Refused(
        f"the model {json.dumps(name)[:80]} is not here. Ask `{MODEL}`, or `{PREFIX}provider:name` such as "
        f"`{PREFIX}openai:gpt-5-mini`; GET /v1/models lists them.",
        param="model",
        code="model_not_found",
        status=404,
    )


def _question_in(texts: Sequence[str]) -> tuple[str, str]:
    """The question in the parts of a message, and the long text that is beside it, "" for none.

    Of several parts the last short one is the question; of one long part its last paragraph, else its first, and of one
    long paragraph its last line, else its first. Of one long line it is the order to do as the text asks, and its end.
    """
    short = [text for text in texts if 0 < len(text.strip()) <= QUESTION_CHARS]
    if len(short) == len(texts):
        return "\n\n".join(texts).strip() or OVER_ALL, ""
    if short:
        return short[-1].strip(), "\n\n".join(text for text in texts if text is not short[-1])
    whole = "\n\n".join(texts)
    for between in (r"\n\s*\n", r"\n"):
        parts = [part.strip() for part in re.split(between, whole) if part.strip()]
        for part in (parts[-1], parts[0]):
            if len(parts) > 1 and len(part) <= QUESTION_CHARS:
                return part, whole
    return f"{OVER_ALL} It ends: {whole[-TAIL_CHARS:].strip()}", whole


def _limits_in(metadata: object) -> dict[str, Any]:
    """The limits among `metadata`, whose values are text there; other entries are the client's own."""
    if not isinstance(metadata, Mapping):
        raise Refused("metadata must be an object of names and text.", param="metadata")
    limits: dict[str, Any] = {}
    for name, text in metadata.items():
        known = snake(str(name))
        if known not in LIMIT_NAMES:
            continue
        try:
            limits[known] = int(str(text)) if LIMIT_NAMES[known] else float(str(text))
        except ValueError:
            kind = "a whole number" if LIMIT_NAMES[known] else "a number"
            raise Refused(f"metadata.{name} must be {kind}, not {text!r:.40}.", param=f"metadata.{name}") from None
    return limits


def _schema_in(body: Mapping[str, Any]) -> Any:
    text = body.get("text")
    wanted = text.get("format") if isinstance(text, Mapping) else body.get("response_format")
    name = "text.format" if isinstance(text, Mapping) else "response_format"
    if wanted is None or (isinstance(wanted, Mapping) and wanted.get("type") in (None, "text")):
        return None
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    form = wanted.get("json_schema", wanted) if isinstance(wanted, Mapping) else None
    schema = form.get("schema") if isinstance(form, Mapping) else None
    if kind == "json_object" and schema is None:
        return {"type": "object"}
    if kind not in ("json_schema", "json_object") or not isinstance(schema, Mapping):
        raise Refused(f"{name} must hold a JSON Schema: json_schema.schema, an object.", param=name)
    return schema


def _turns_of_messages(body: Mapping[str, Any]) -> Iterator[Turn]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages must be a list of one message or more.", param="messages")
    for index, message in enumerate(messages):
        yield _turn(message, f"messages[{index}]")


def _turns_of_input(body: Mapping[str, Any]) -> Iterator[Turn]:
    instructions = body.get("instructions")
    if isinstance(instructions, list):
        yield from (replace(_turn(item, f"instructions[{at}]"), role="system") for at, item in enumerate(instructions))
    elif isinstance(instructions, str) and instructions:
        yield Turn("system", (instructions,))
    elif instructions:
        raise Refused("instructions must be text.", param="instructions")
    wanted = body["input"]
    if isinstance(wanted, str):
        yield Turn("user", (wanted,))
        return
    if not isinstance(wanted, list) or not wanted:
        raise Refused("input must be text, or a list of one message or more.", param="input")
    for index, item in enumerate(wanted):
        if isinstance(item, Mapping) and item.get("type", "message") == "reasoning":
            continue
        yield _turn(item, f"input[{index}]")


def _turn(message: object, where: str) -> Turn:
    if not isinstance(message, Mapping) or message.get("role") not in ROLES:
        role = message.get("role", message.get("type")) if isinstance(message, Mapping) else type(message).__name__
        raise Refused(f"{where} must be a message of {', '.join(ROLES)}, not of {role!r:.40}.", param=where)
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return Turn(message["role"], (content,) if content else ())
    if not isinstance(content, list):
        raise Refused(f"{where}.content must be text or a list of parts.", param=where)
    texts: list[str] = []
    files: list[Attached] = []
    for number, part in enumerate(content):
        _take_part(part, f"{where}.content[{number}]", texts, files)
    return Turn(message["role"], tuple(texts), tuple(files))


def _take_part(part: object, where: str, texts: list[str], files: list[Attached]) -> None:
    if not isinstance(part, Mapping):
        raise Refused(f"{where} must be an object with a type.", param=where)
    kind = part.get("type")
    if kind in TEXT_PARTS:
        text = part.get("text", part.get("refusal"))
        if not isinstance(text, str):
            raise Refused(f"{where}.text must be text.", param=where)
        texts.append(text)
    elif kind in ("image_url", "input_image"):
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        files.append(_file(url, "", where))
    elif kind in ("file", "input_file"):
        inner = part.get("file", part)
        given = inner if isinstance(inner, Mapping) else {}
        files.append(_file(given.get("file_data"), str(given.get("filename") or ""), where))
    else:
        raise Refused(f"{where} is of the type {kind!r:.40}. Send text, image_url or file.", param=where)


def _file(uri: object, name: str, where: str) -> Attached:
    found = DATA_URI.fullmatch(uri) if isinstance(uri, str) else None
    if found is None and name and isinstance(uri, str) and BARE.fullmatch(uri):
        found = DATA_URI.fullmatch(f"data:;base64,{uri}")
    if found is None:
        raise Refused(
            f"{where} must hold its bytes, as data:TYPE;base64,...: this server fetches no address and keeps no files.",
            param=where,
        )
    try:
        data = base64.b64decode("".join(found["data"].split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{where} is not base64.", param=where) from None
    suffix = mimetypes.guess_extension(found["type"] or "") or ""
    kind = "image" if (found["type"] or "").startswith("image/") else "file"
    return Attached(_safe_name(name) or f"{kind}{suffix}", data)


def _safe_name(name: str) -> str:
    """The last part of a file's name, without anything that a folder of ours could not hold."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(r"[\x00-\x1f\x7f/]", "_", last)[:120].lstrip(".")


def _distinct(files: Sequence[Attached]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes; a name that came before gets a number."""
    taken: set[str] = set()
    for file in files:
        path, number, name = PurePosixPath(file.name), 1, file.name
        while name in taken:
            number += 1
            name = f"{path.stem}-{number}{path.suffix}"
        taken.add(name)
        yield name, file.data
