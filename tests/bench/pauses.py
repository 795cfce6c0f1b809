"""Pauses: the longest time that the page did not respond while a run kept it busy.

In: an open `Lab`, whose page is the real one and shows the run. Out: `Row`s.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.lab import Lab
from tests.bench.rows import Row

BUDGET_MS = 100
FILES = 10_000
PRINT_A_MEGABYTE = "print(('x' * 99 + '\\n') * 10_000)"


def pause_rows(lab: Lab, *, quick: bool) -> Iterator[Row]:
    """While it prints, makes sub-calls, shows one iteration after another, and takes a folder of files."""
    megabytes, calls, iterations = (10, 2_000, 50) if quick else (100, 10_000, 200)
    yield pause(lab, f"printing {megabytes} MB", [f"for _ in range({megabytes}): {PRINT_A_MEGABYTE}"])
    yield pause(lab, f"{calls:,} sub-calls", [f"for _ in range({calls}): llm_query('x')"])
    yield pause(lab, f"{iterations} iterations", ["print('x' * 99)"] * (iterations - 1))
    yield pause(lab, f"{FILES:,} files as context", [f"assert len(context) == {FILES}"], files=FILES)


def pause(lab: Lab, what: str, blocks: list[str], *, files: int = 0) -> Row:
    options = {"maxIterations": len(blocks) + 1}
    result = lab.bench("run", blocks=blocks, page=True, instant=True, options=options, files=files)
    assert result["stoppedBy"] == "final_answer", result
    return Row(f"page's longest pause, {what}", result["gap"], "ms", BUDGET_MS)
