"""Failures: the meaning of a vendor's refusal, by its status, its codes and its words.

In: a status and a body, or a JSON value that came in place of a reply. Out: a `Failure`: its kind, the requests that
one call may cause by it, the wait before the next one, and advice. The rows are read from top to bottom and the first
that fits decides. A vendor's words are searched and never shown; only its `type`, `code` and `param` are, where they
are plain identifiers. Nothing here does I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..json_text import json_in
from .upstream import ErrorKind

BUDGET = 5
"""Most requests of one call whose failures may pass."""
FEW = 2
"""The same where each request may have been paid for although it failed."""
CUT = 3
"""The same where a reply broke off."""
MAX_WAIT_SECONDS = 1e6
IDENTIFIER = re.compile(r"[A-Za-z_]{1,48}(?:\.[A-Za-z_]{1,48}|\[\d{1,4}\]){0,4}|\d{1,6}")
_WAIT = r"(?:(\d+) ?h[a-z]*[ ,]*)?(?:(\d+) ?m(?!s|il)[a-z]*[ ,]*)?(?:(\d+(?:\.\d+)?) ?(m|milli)?s[a-z]*)?"
"""A wait: `35s`, `250ms`, `7m12.5s`, `2 minutes`."""
WAIT_WORDS = re.compile(
    r"(?:retrydelay\"?\s*:\s*\"|(?:try again|retry) (?:in|after) |\bwait (?:for )?)(?=\d)" + _WAIT, re.ASCII
)
WAIT_FIELD = re.compile(r"\"retry_?after(_?ms|_?seconds)?\": \"?(\d+(?:\.\d+)?)\"?[,}]", re.ASCII)
WAIT_HEADER = re.compile(_WAIT, re.ASCII)
WAIT_NUMBER = re.compile(r"\d{1,9}(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failure.

    Attributes:
        advice: the remedy, for the user.
        requests: most requests that one call may cause; 1 for a failure that a repetition cannot mend.
        wait: seconds before the next request, where the vendor or experience says so.
        reported: `type`, `code`, `param` as plain identifiers.
    """

    kind: ErrorKind
    advice: str
    requests: int = 1
    wait: float | None = None
    reported: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: it fits where the status is one of `statuses` (any, if empty) and `words` match."""

    failure: Failure
    words: str = ""
    statuses: frozenset[int] = frozenset()

    def fits(self, status: int, text: str) -> bool:
        """Whether a refusal with `status` and `text` (lower case) is of this kind."""
        if self.statuses and status not in self.statuses:
            return False
        return not self.words or re.search(self.words, text) is not None


def _statuses(*values: int | range) -> frozenset[int]:
    return frozenset(number for value in values for number in (value if isinstance(value, range) else (value,)))


SEND_LESS = "The prompt is longer than the model takes. Send less text at once."
ROWS: tuple[Row, ...] = (
    Row(
        Failure("failed", "The model wrote something that its server could not read. Try again.", BUDGET),
        r"failed_generation|tool_use_failed",
        _statuses(200, 400),
    ),
    Row(
        Failure("prompt-too-long", f"{SEND_LESS} One request exceeds the tokens a minute of this account."),
        r"request too large for .*(?:tpm|tokens per min)",
    ),
    Row(
        Failure("prompt-too-long", SEND_LESS),
        r"context_length_exceeded|maximum context length|maximum prompt length|maximum input length"
        r"|context length of only|context limit|context window|available context size|exceed_context_size"
        r"|prompt is too long|input is too long|too long to fit|max_prompt_tokens_exceeded"
        r"|prompt token count of \d+ exceeds|input token count|range of input length|string_above_max_length"
        r"|context_?window_?exceeded|prompt length.{0,40}(?:exceeds|greater than)|max_seq_len|maximum sequence length"
        r"|too many tokens|prompt too long|longer than the model's context|exceeded max context|input tokens exceed"
        r"|tokens \+ `?max_new_tokens`? must be|reduce the length of the (?:messages|prompt|input)"
        r"|prompt.{0,40}exceeds.{0,40}(?:context|max_model_len)|longer than the maximum model length"
        r"|larger than the max context size|greater than the context length|must have less than \d+ tokens"
        r"|exceeded model token limit|request_too_large|tokens_limit_reached|reached context length|超长",
        _statuses(200, range(400, 402), range(403, 429), range(430, 600)),
    ),
    Row(Failure("prompt-too-long", SEND_LESS), statuses=_statuses(413)),
    Row(
        Failure("rate-limited", "Ask less at once (RLM_CONCURRENCY), or try again later.", BUDGET),
        r"per ?minute|per min\b|\b[rt]pm\b|/ ?minute|byminute|per 60 ?s",
        _statuses(429),
    ),
    Row(
        Failure("quota-spent", "The quota or credit of the account is spent. Raise it, or choose another model."),
        r"insufficient_quota|exceeded your current quota|quota.?exceeded|exceeded.{0,30}quota|billing_hard_limit"
        r"|credit balance|insufficient.{0,3}(?:balance|credit|funds)|balance is (?:not enough|insufficient)"
        r"|not.enough.(?:balance|credit)|overdue.(?:balance|payment|bill)|credit.?limit|key limit exceeded"
        r"|exhausted.{0,20}quota|free tier.{0,40}exhausted"
        r"|more credits|out of credits|available credits|spending limit|payment required|per[ -]?day|daily limit"
        r"|usage limit|monthly limit|\b[rt]pd\b|billing_not_active|budget_exceeded|account is not active"
        r"|billing_error|requires? billing|plan and billing|call volume quota|credits are depleted|any credits"
        r"|credits (?:have )?expired|calls ?/ ?month|per month|byday|per 86400 ?s|is suspended|arrearage|欠费|余额不足",
        _statuses(200, range(400, 405), 412, 429),
    ),
    Row(
        Failure("quota-spent", "The account has no credit left. Add some, or choose another model."),
        statuses=_statuses(402),
    ),
    Row(
        Failure("call-refused", "The provider does not serve this country or region. Choose another provider."),
        r"unsupported_country|country, region|not (?:available|supported) in your (?:country|region)"
        r"|location is not supported|unsupported_region",
    ),
    Row(
        Failure("key-refused", "Check its key."),
        r"api key not valid|api_key_invalid|invalid_api_key|(?:invalid|incorrect|missing) (?:x-)?api.?key"
        r"|authentication_error|permission_error|no auth credentials|invalid authentication|login fail",
        _statuses(200, 400, 401, 403),
    ),
    Row(
        Failure("call-refused", "The provider's filter refused this text. Change the text, or choose another model."),
        r"content_filter|content.?management|content.?policy|moderation|\bflagged\b|data_inspection_failed"
        r"|prohibited_content|responsible.?ai|\bsafety\b",
        _statuses(200, 400, 403, 422, 451),
    ),
    Row(
        Failure(
            "call-refused",
            "A firewall or proxy before the provider refused the call. Check the network and the base URL first, then "
            "the key.",
        ),
        r"^\s*<|^error code: 10\d\d",
        _statuses(401, 403),
    ),
    Row(
        Failure("call-refused", "The vendor serves this model only by another of its APIs. Choose another model."),
        r"only supported in v1/\w+|not a chat model|not supported in the v1/chat/completions|use the responses api",
    ),
    Row(
        Failure("call-refused", "The privacy settings of the account leave no provider of this model. Change them."),
        r"data policy",
        _statuses(404),
    ),
    Row(
        Failure("model-unknown", "It does not know this model, or the account may not use it. Check its name."),
        r"model_not_found|model.{0,80}(?:not found|does not exist|not exist)|no such model|unknown model"
        r"|not a valid model|invalid model|no endpoints found|model_not_supported|not_found_error"
        r"|model_not_available|no models? loaded|model.{0,80}(?:deprecated|decommissioned|retired|no longer available)"
        r"|unavailable.model|model identifier is invalid|does not support chat|end of (?:its )?life|model.disabled"
        r"|模型不存在|unexpected endpoint",
        _statuses(200, 400, 403, 404, 410, 422),
    ),
    Row(
        Failure("failed", "The model does not fit into the memory of its server. Choose a smaller one."),
        r"requires more system memory|cuda out of memory|insufficient memory",
        _statuses(200, range(500, 600)),
    ),
    Row(
        Failure("failed", "The model is still loading. Try again in a minute.", BUDGET, wait=5.0),
        r"loading model|model.{0,40}\bloading\b|currently loading|warming up|model is not ready|starting up",
        _statuses(200, 400, 425, range(500, 600)),
    ),
    Row(Failure("key-refused", "Check its key, and whether it may use this model."), statuses=_statuses(401, 403)),
    Row(Failure("timeout", "Try again, or with a shorter prompt.", BUDGET), statuses=_statuses(408)),
    Row(
        Failure("timeout", "A gateway before the model gave up. Send less text at once, or try again.", FEW),
        statuses=_statuses(504, 522, 524),
    ),
    Row(
        Failure("timeout", "A gateway before the model gave up. Send less text at once, or try again.", FEW),
        r"gateway time-?out|upstream request timeout|timeout_error",
        _statuses(200, range(500, 600)),
    ),
    Row(
        Failure("failed", "The provider is overloaded. Try again later.", BUDGET),
        r"overloaded|over capacity|no ?capacity|capacity.exceeded|server is busy|currently unavailable|high demand"
        r"|high traffic|model is not ready",
        _statuses(200, 429, range(500, 600)),
    ),
    Row(
        Failure("rate-limited", "Ask less at once (RLM_CONCURRENCY), or try again later.", BUDGET),
        statuses=_statuses(429),
    ),
    Row(
        Failure("rate-limited", "Ask less at once (RLM_CONCURRENCY), or try again later.", BUDGET),
        r"rate.?limit|too many requests",
        _statuses(200),
    ),
    Row(Failure("failed", "Try again later.", BUDGET), statuses=_statuses(409, 424, 425, 498, 499, range(500, 600))),
    Row(
        Failure("call-refused", "Redirects are not followed. Check its base URL."),
        statuses=_statuses(range(300, 400)),
    ),
    Row(
        Failure("model-unknown", "It does not know this model or path. Check the model's name and the base URL."),
        statuses=_statuses(404),
    ),
    Row(
        Failure("call-refused", "It refused a parameter of the request. Choose another model."),
        r"unsupported.{0,3}(?:parameter|value)|unrecognized|extra_forbidden|extra inputs|not (?:supported|permitted)",
        _statuses(range(400, 500)),
    ),
    Row(Failure("failed", "Try again later, or choose another model.", BUDGET), statuses=_statuses(200)),
)
OTHERWISE = Failure("call-refused", "It refused the request as it is. Choose another model, or check its base URL.")


def failure_of(status: int, body: str) -> Failure:
    """The meaning of a refusal with `status` and `body`; 200 stands for an error whose status is unknown.

    >>> failure_of(429, '{"error": {"code": "insufficient_quota"}}').kind
    'quota-spent'
    """
    value = json_in(body)
    text = (body if value is None else json.dumps(value, ensure_ascii=False)).lower()
    failure = next((row.failure for row in ROWS if row.fits(status, text)), OTHERWISE)
    wait = _wait_in(text) or failure.wait
    return replace(failure, wait=wait if failure.requests > 1 else None, reported=reported_by(value))


def _wait_in(text: str) -> float | None:
    """The seconds that a refusal asks to wait, in its words or in a field; `None` without any."""
    if match := WAIT_WORDS.search(text):
        return _seconds_in(match) or None
    field = WAIT_FIELD.search(text)
    return None if field is None else float(field[2]) / (1000 if field[1] in ("ms", "_ms") else 1)


def _seconds_in(match: re.Match[str]) -> float:
    hours, minutes, seconds = (float(match[group] or 0) for group in (1, 2, 3))
    return hours * 3600 + minutes * 60 + seconds / (1000 if match[4] else 1)


def failure_in(value: object, *, event: str = "") -> Failure | None:
    """The failure that a JSON value reports in place of a reply, or `None`.

    Args:
        event: the name of the server-sent event that carried it.
    """
    if isinstance(value, list):
        return next((failure for item in value if (failure := failure_in(item)) is not None), None)
    if event != "error" and not (isinstance(value, dict) and _is_error(value)):
        return None
    failure = failure_of(_status_in(value), json.dumps(value, ensure_ascii=False))
    return replace(failure, reported=reported_by(value))


def reported_by(value: object) -> dict[str, str]:
    """The vendor's `type`, `code` and `param` in an error, where they are plain identifiers."""
    reported: dict[str, str] = {}
    for facts in _objects(value):
        for name, keys in (("type", ("type", "error_type", "status")), ("code", ("code",)), ("param", ("param",))):
            for key in keys:
                word = facts.get(key)
                text = str(word) if isinstance(word, str | int) and not isinstance(word, bool) else ""
                if IDENTIFIER.fullmatch(text) and text != "error" and not (key == "status" and text.isdecimal()):
                    reported.setdefault(name, text)
    return reported


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The wait that the response's headers ask for: seconds, a date, or milliseconds; `None` without a usable one."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "").strip(' "')
    seconds = _number(value.partition(",")[0])
    if seconds is not None:
        return seconds
    if (wait := WAIT_HEADER.fullmatch(value)) and any(wait.groups()):
        return _seconds_in(wait)
    try:
        at = datetime.fromisoformat(value) if value[:1].isdecimal() else parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(MAX_WAIT_SECONDS, max(0.0, (at - (now or datetime.now(UTC))).total_seconds()))


def _is_error(value: Mapping[str, object]) -> bool:
    """Whether an object is an error, in one of the forms of the vendors."""
    if any(value.get(name) for name in ERROR_FIELDS) or value.get("type") == "error" or value.get("object") == "error":
        return True
    if any(isinstance(part := value.get(name), dict) and part.get(field) for name, field in ERRORS_WITHIN):
        return True
    if any(choice.get("error") for choice in _choices(value)):
        return True
    if any(name in value for name in ("choices", "content", "message_id", "delta", "usage", "done")):
        return False
    status = value.get("status")
    is_problem = isinstance(status, int) and status >= 400
    return is_problem or any(isinstance(value.get(name), str) for name in ("detail", "message", "Message", "msg"))


ERROR_FIELDS = ("error", "error_type", "error_message", "error_msg", "errors", "Error", "err", "fault")
ERRORS_WITHIN = (("x_groq", "error"), ("base_resp", "status_code"), ("ResponseMetadata", "Error"))
"""Objects beside a reply, and the field that says that there is none."""


def _choices(value: Mapping[str, object]) -> list[Mapping[str, object]]:
    choices = value.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _status_in(value: object) -> int:
    """The HTTP status that an error quotes, else 200."""
    for facts in _objects(value):
        for name in ("status", "status_code", "statusCode", "code", "http_status"):
            number = facts.get(name)
            text = str(number)
            if isinstance(number, int | str) and text.isdecimal() and 400 <= int(text) < 600:
                return int(text)
    return 200


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """The error object itself before the one around it, however it is wrapped."""
    if isinstance(value, list):
        for item in value[:1]:
            yield from _objects(item)
    if isinstance(value, dict):
        for name in ("error", "errors", "detail", "base_resp", "Error", "fault", "ResponseMetadata"):
            yield from _objects(value.get(name))
        for choice in _choices(value)[:1]:
            yield from _objects(choice.get("error"))
        yield value


def _number(text: str) -> float | None:
    number = float(text) if WAIT_NUMBER.fullmatch(text.strip()) else MAX_WAIT_SECONDS
    return number if number < MAX_WAIT_SECONDS else None
