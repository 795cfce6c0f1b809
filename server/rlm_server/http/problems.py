"""Problems: every way in which this server says no, as `application/problem+json`.

In: a failure. Out: one object `{type, title, status, detail, retryable, upstream}` with `type` from a fixed set,
`retry_after` (seconds) where a wait is asked for, since a reply that streams has no header left to say it, and
`reported`, the upstream's own `type`, `code` and `param`, where they are plain identifiers.
A detail holds the event, the numbers and the remedy; it never quotes a prompt, a key or an upstream's body.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Scope

from rlm_core.errors import ProviderError
from rlm_core.types import Json

from ..providers.upstream import ErrorKind, UpstreamError
from .access import record


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One row of the fixed set: `slug` ends its `type`, `status` is the HTTP status of the response."""

    slug: str
    status: int
    title: str
    retryable: bool = False


PROBLEM_TYPES = {
    row.slug: row
    for row in (
        ProblemType("invalid-json", 400, "The body is not JSON"),
        ProblemType("invalid-request", 400, "The request is not one that this endpoint knows"),
        ProblemType("unknown-option", 400, "The provider has no such option"),
        ProblemType("unknown-field", 400, "The request holds a field that is not allowed"),
        ProblemType("empty-prompt", 400, "There is nothing to answer"),
        ProblemType("unknown-model", 400, "The model may not be used"),
        ProblemType("model-without-images", 400, "The model takes no images"),
        ProblemType("provider-not-configured", 400, "The model's provider is not configured"),
        ProblemType("token-required", 401, "The token is missing or wrong"),
        ProblemType("too-many-attempts", 429, "Too many wrong tokens", retryable=True),
        ProblemType("host-refused", 403, "The Host header is not one of ours"),
        ProblemType("origin-refused", 403, "The request comes from a page that may not call this server"),
        ProblemType("budget-spent", 403, "The budget is spent"),
        ProblemType("not-found", 404, "There is nothing at this path"),
        ProblemType("method-not-allowed", 405, "The method is not allowed at this path"),
        ProblemType("body-timeout", 408, "The body did not arrive in time", retryable=True),
        ProblemType("body-too-large", 413, "The body is too large"),
        ProblemType("unsupported-media-type", 415, "The body is not application/json"),
        ProblemType("http-error", 400, "The request cannot be answered"),
        ProblemType("internal-error", 500, "The server failed"),
        ProblemType("server-stopping", 503, "The server is stopping", retryable=True),
        ProblemType("upstream-unreachable", 502, "The provider cannot be reached", retryable=True),
        ProblemType("upstream-timeout", 504, "The provider did not answer in time", retryable=True),
        ProblemType("upstream-rate-limited", 429, "The provider asks to slow down", retryable=True),
        ProblemType("upstream-key-refused", 502, "The provider refused the key"),
        ProblemType("upstream-call-refused", 502, "The provider refused the call"),
        ProblemType("upstream-prompt-too-long", 502, "The prompt is too long for the model"),
        ProblemType("upstream-model-unknown", 502, "The provider does not know the model"),
        ProblemType("upstream-quota-spent", 502, "The account at the provider has no credit left"),
        ProblemType("upstream-failed", 502, "The provider failed", retryable=True),
        ProblemType("upstream-malformed", 502, "The provider's reply cannot be read"),
        ProblemType("upstream-prompt-cut", 502, "The provider read only a part of the prompt"),
        ProblemType("upstream-reply-too-large", 502, "The provider's reply is larger than allowed"),
        ProblemType("stopped", 409, "The call was stopped"),
        ProblemType("upstream-cut-off", 502, "The provider's reply broke off", retryable=True),
    )
}
UPSTREAM_SLUGS: Mapping[ErrorKind, str] = {
    "unreachable": "upstream-unreachable",
    "timeout": "upstream-timeout",
    "rate-limited": "upstream-rate-limited",
    "key-refused": "upstream-key-refused",
    "call-refused": "upstream-call-refused",
    "prompt-too-long": "upstream-prompt-too-long",
    "model-unknown": "upstream-model-unknown",
    "quota-spent": "upstream-quota-spent",
    "failed": "upstream-failed",
    "malformed": "upstream-malformed",
    "cut-off": "upstream-cut-off",
    "prompt-cut": "upstream-prompt-cut",
    "reply-too-large": "upstream-reply-too-large",
    "stopped": "stopped",
}


class Problem(Exception):
    """A request cannot be answered.

    Args:
        slug: a key of `PROBLEM_TYPES`.
        detail: for the person who reads it.
        retry_after: seconds to wait before the next attempt.
        retryable: whether the same request may succeed later; by default that of its type.
        reported: the upstream's `type`, `code` and `param`, plain identifiers.
    """

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        status: int | None = None,
        upstream: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: int | None = None,
        retryable: bool | None = None,
        reported: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = PROBLEM_TYPES[slug]
        self.detail = detail
        self.status = status or self.kind.status
        self.upstream = upstream
        self.retry_after = retry_after
        self.retryable = self.kind.retryable if retryable is None else retryable
        self.reported = dict(reported or {})
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def to_json(self) -> dict[str, Json]:
        """The problem object, as it goes over the wire."""
        problem: dict[str, Json] = {
            "type": f"/problems/{self.kind.slug}",
            "title": self.kind.title,
            "status": self.status,
            "detail": self.detail,
            "retryable": self.retryable,
            "upstream": self.upstream,
        }
        if self.reported:
            problem["reported"] = dict(self.reported)
        return problem if self.retry_after is None else {**problem, "retry_after": self.retry_after}


def problem_of(fault: ProviderError) -> Problem:
    """Turn a provider's failure into a problem."""
    slug = UPSTREAM_SLUGS[fault.kind] if isinstance(fault, UpstreamError) else "upstream-failed"
    wait = fault.retry_after if isinstance(fault, UpstreamError) else None
    return Problem(
        slug,
        str(fault),
        upstream=fault.upstream,
        retry_after=None if wait is None else max(1, math.ceil(wait)),
        retryable=fault.retryable,
        reported=fault.reported if isinstance(fault, UpstreamError) else None,
    )


def internal_problem() -> Problem:
    """The problem for a fault of ours; the details are in the server's log, not in the response."""
    return Problem("internal-error", "The server met a fault of its own. Its log has the details; please report it.")


def problem_response(problem: Problem, scope: Scope) -> Response:
    """The whole HTTP response for `problem`; its slug goes into the log line of the request in `scope`."""
    record(scope, problem=problem.kind.slug)
    return Response(
        json.dumps(problem.to_json()),
        status_code=problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
        media_type="application/problem+json",
    )
