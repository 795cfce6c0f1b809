"""The README is short; the tables of docs/ are complete, and each row of the comparison names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rlm_core.limits import LIMITS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
MOST_LINES = 150

COMPARISON = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
OPTIONS = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
PEERS = {
    "rlm-ts": """
        endpoint model subModel maxIterations maxOutputChars maxTimeout maxErrors systemPrompt tools
        onIteration onSubLLMCall
    """,
    "rlms": """
        backend backend_kwargs environment environment_kwargs depth max_depth max_iterations
        max_budget max_timeout max_tokens max_errors custom_system_prompt other_backends
        other_backend_kwargs logger verbose persistent custom_tools custom_sub_tools compaction
        compaction_threshold_pct max_concurrent_subcalls on_subcall_start on_subcall_complete
        on_iteration_start on_iteration_complete sampling_args sub_sampling_args orchestrator
        user_prologue llm_query llm_query_batched rlm_query rlm_query_batched SHOW_VARS answer FINAL
        FINAL_VAR
    """,
    "dspy": """
        signature max_iters max_llm_calls max_output_chars verbose history_processor tools sub_lm
        interpreter_factory llm_query llm_query_batched SUBMIT
    """,
}
"""Options and functions of rlm-ts, of rlms 0.1.3 and of dspy.RLM."""

NAMED = sorted(set(re.findall(r"`(test_\w+)`", COMPARISON + OPTIONS)))


def test_the_readme_is_read_in_a_minute() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_table_names_tests() -> None:
    assert len(NAMED) > 15


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_readme_names_is_there(name: str) -> None:
    assert any(f"def {name}(" in path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("peer", PEERS)
def test_the_comparison_has_every_option_and_function_of_the_others(peer: str) -> None:
    told = set(re.findall(r"`(\w+)", COMPARISON))
    assert [name for name in PEERS[peer].split() if name not in told] == []


def test_each_row_of_the_comparison_names_a_test() -> None:
    rows = [line for line in COMPARISON.splitlines() if line.startswith("| ") and not line.startswith("| there")]
    assert [row for row in rows if not re.search(r"`test_\w+`[^|]*\|$", row)] == []


def test_every_option_of_ours_is_in_the_readme() -> None:
    types = (ROOT / "worker" / "rlm.d.ts").read_text(encoding="utf-8")
    options = types.partition("export interface RLMOptions extends LimitOptions {")[2].partition("\n}")[0]
    names = re.findall(r"^  (\w+)\?:", options, re.MULTILINE) + [limit.option for limit in LIMITS]
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in OPTIONS] == []
