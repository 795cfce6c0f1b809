"""Problems: the table of errors that the server answers with, from `rlm_server.http.problems`."""

from __future__ import annotations

from rlm_server.http.problems import PROBLEM_TYPES

from .parts import table


def lines() -> list[str]:
    """The table: type, status, title, whether the same request may succeed later."""
    rows = [
        [f"`/problems/{kind.slug}`", str(kind.status), kind.title, "yes" if kind.retryable else "no"]
        for kind in PROBLEM_TYPES.values()
    ]
    return table(["type", "status", "title", "retryable"], rows)
