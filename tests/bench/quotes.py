"""Quotes: the evidence of an answer looked for in a large text, natively on CPython.

In: nothing. Out: `Row`s of CPU seconds, so that other work on the machine counts less.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator

from rlm_core.quotes import occurrences
from tests.bench.rows import MB, Row

QUOTES = 1_000
MEGABYTES = 100
BUDGET_SECONDS = 3.0


def quote_rows(*, count: int) -> Iterator[Row]:
    pieces, quotes = text_and_quotes()
    times = []
    for _ in range(count):
        began = time.process_time()
        hits = occurrences(quotes, pieces)
        times.append(time.process_time() - began)
        assert sum(map(bool, hits)) == QUOTES // 2
    yield Row("1,000 quotes over 100 MB of text, CPython", statistics.median(times), "s", BUDGET_SECONDS)


def text_and_quotes() -> tuple[list[str], list[str]]:
    """Pieces of a megabyte, and quotes of which every other one stands in them, spaced otherwise."""
    drawn = random.Random(11)
    words = ["".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(2, 9))) for _ in range(20_000)]
    filler = " ".join(drawn.choices(words, k=MB // 6))[:MB]
    facts = [f"Tenant {number} paid {number * 7919 % 100_003} crowns" for number in range(QUOTES // 2)]
    each = len(facts) // MEGABYTES
    pieces = [filler + "\n".join(facts[at * each : (at + 1) * each]) for at in range(MEGABYTES)]
    others = [" ".join(drawn.choices(words, k=6)) for _ in range(QUOTES // 2)]
    return pieces, [*(fact.replace(" ", "  ") for fact in facts), *others]
