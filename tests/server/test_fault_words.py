"""Words for faults: each type that a model call can fail with is explained on the page and in the command's line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rlm_core.repeated import MAX_REPEATED
from rlm_core.run import MAX_WITHOUT_TEXT
from rlm_server.http.problems import PROBLEM_TYPES, UPSTREAM_SLUGS
from rlm_server.providers.failures import OTHERWISE, ROWS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "web/faults.js").read_text()
NAMED = re.compile(r'\btype: (?:isOffline \? )?"([a-z][a-z-]*)"(?: : "([a-z-]+)")?')
"""A type that the host gives an error of its own."""
NO_FAULTS = {"batch", "egress", "notice", "unknown"}
OF_THE_LOOP = ["reply-empty", "reply-length", "reply-content-filter", "reply-tool-calls", "reply-repeated"]


def explained() -> set[str]:
    """The types that the page's table has."""
    table = PAGE.partition("const BY_TYPE = {")[2].partition("\n};")[0]
    return set(re.findall(r'^  "?([a-z][a-z-]*)"?:', table, re.MULTILINE))


def of_the_host() -> set[str]:
    folders = [path for folder in ("calls", "egress") for path in (ROOT / "worker" / folder).glob("*.js")]
    sources = [path.read_text() for path in (*folders, ROOT / "worker/wire/errors.js")]
    return {name for source in sources for names in NAMED.findall(source) for name in names if name} - NO_FAULTS


@pytest.mark.parametrize("kind", sorted({*PROBLEM_TYPES, *of_the_host(), *OF_THE_LOOP}))
def test_each_type_of_fault_has_words_on_the_page(kind: str) -> None:
    assert kind in explained()


def test_the_types_are_found_where_they_are_made() -> None:
    assert {"server-unreachable", "offline", "server-silent", "reply-cut-off", "denied", "stopped"} <= of_the_host()
    made = re.findall(r'type=f?"(reply-[a-z-]*)', (ROOT / "rlm_core/run.py").read_text())
    assert set(made) == {"reply-", "reply-repeated"}
    assert MAX_REPEATED == MAX_WITHOUT_TEXT == 3


def test_the_page_explains_no_type_that_nothing_reports() -> None:
    assert explained() <= {*PROBLEM_TYPES, *of_the_host(), *OF_THE_LOOP}


def test_each_kind_of_failure_is_a_problem_whose_sentence_says_what_happened_and_what_to_do() -> None:
    for failure in [*(row.failure for row in ROWS), OTHERWISE]:
        title = PROBLEM_TYPES[UPSTREAM_SLUGS[failure.kind]].title
        assert re.fullmatch(r"[A-Z].+[a-z]", title)
        assert re.fullmatch(r"[A-Z].+\.", failure.advice), failure
