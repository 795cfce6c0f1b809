"""Options: the table of each option in every language, from the code that takes it.

In: the options of `worker/options/settings.js` with their texts in `worker/rlm.d.ts`, the limits of `rlm_core.limits`,
the arguments of `BrowserRLM`, the flags of `pyodide-rlm run`, and the fields that `POST /api/rlm` accepts. Out: one row
an option, with a test that shows it. An option without a test, or with one that is gone, fails
`tests/unit/test_docs.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click

from hatch_build import node
from rlm_core.limits import LIMITS, LimitFacts
from rlm_server.command.cli import main
from rlm_server.headless.arguments import Options, RLMArguments
from rlm_server.headless.names import snake
from rlm_server.http.problems import Problem
from rlm_server.http.wire import parse_request

from .parts import number, table

ROOT = Path(__file__).parents[2]
NONE = "-"
JAVASCRIPT = """
const { OPTIONS } = await import(process.argv[1]);
const defaults = Object.entries(OPTIONS).map(([name, { otherwise }]) => [name, otherwise]);
process.stdout.write(JSON.stringify(Object.fromEntries(defaults)));
"""
FLAGS = {
    "allowedModels": "--allow-model",
    "packages": "--package",
    "onEgress": "--confirm",
    "onEvent": "--trajectory",
    "journal": "--trajectory",
}
"""Flags of the command that have another name than the option, or do its part."""
PYTHON = {"endpoint": "url"}
"""Arguments of `BrowserRLM` with another name: the address of the server that has page and endpoint."""
OF_THE_SERVER = ("url", "token")
"""Arguments of `BrowserRLM` that name its server; those of a run name none."""
HTTP_FIELDS = {"model": "model", "modelOptions": "options"}
SERVER_SETTINGS = {
    "maxSubCalls": "RLM_MAX_RUN_CALLS",
    "maxInputTokens": "RLM_MAX_RUN_TOKENS",
    "maxOutputTokens": "RLM_MAX_RUN_TOKENS",
    "maxCost": "RLM_MAX_RUN_COST",
}
"""Budgets that the server keeps for each run, whatever its front end: the nearest thing over HTTP."""
SAMPLES: Mapping[str, object] = {"model": "builtin:extractive", "options": {"temperature": 0}}
PRINTED = {"assets": "`assets/` beside `rlm.js`", "model": "the server's", "subModel": "`model`", "subTools": "`tools`"}
"""Defaults that are no constant."""
EVERYWHERE = "test_a_limit_reaches_the_run_by_each_front_end"
SHOWN_BY: Mapping[str, tuple[str, ...]] = {
    "endpoint": ("test_page_modules_and_endpoint_may_be_of_three_origins",),
    "provider": (
        "test_a_function_of_the_page_answers_in_place_of_an_endpoint",
        "test_limits_log_and_replay_hold_with_a_function_of_the_page",
        "test_a_function_of_this_process_answers_in_place_of_the_server",
    ),
    "token": ("test_a_site_of_another_origin_calls_with_the_token", "test_a_program_opens_the_page_with_its_token"),
    "headers": ("test_a_site_of_another_origin_calls_with_the_token",),
    "assets": ("test_page_modules_and_endpoint_may_be_of_three_origins",),
    "host": ("test_where_the_script_has_no_policy_a_worker_of_the_pages_own_is_refused",),
    "containment": ("test_without_the_opaque_origin_the_level_is_network_and_full_is_refused",),
    "model": ("test_both_models_reach_the_run_by_each_front_end",),
    "subModel": ("test_both_models_reach_the_run_by_each_front_end",),
    "modelOptions": (
        "test_options_go_with_the_calls_of_their_kind_and_into_the_log",
        "test_options_are_mapped_to_the_dialect",
    ),
    "subModelOptions": ("test_without_options_none_are_sent_and_sub_calls_have_those_of_the_model",),
    "allowedModels": ("test_a_model_beside_the_runs_is_refused_by_name_with_the_list",),
    "maxIterations": (EVERYWHERE, "test_out_of_iterations_the_model_is_asked_once_more"),
    "maxOutputChars": (EVERYWHERE, "test_long_output_shows_head_tail_and_the_count_of_what_is_cut"),
    "maxTimeout": (EVERYWHERE, "test_the_time_limit_ends_a_block_that_never_would"),
    "blockTimeout": (EVERYWHERE, "test_a_block_that_takes_too_long_is_ended_and_the_run_goes_on"),
    "maxErrors": (EVERYWHERE, "test_only_errors_in_a_row_count"),
    "maxSubCalls": (EVERYWHERE, "test_one_sub_call_less_in_the_budget_ends_the_tree_before_the_last_one"),
    "maxDepth": (EVERYWHERE, "test_at_depth_one_a_child_question_is_a_plain_sub_call"),
    "maxConcurrency": (EVERYWHERE, "test_a_tree_three_deep_and_five_wide_spends_its_budget_exactly"),
    "maxInputTokens": (EVERYWHERE, "test_tokens_are_counted_over_the_whole_tree"),
    "maxOutputTokens": (EVERYWHERE, "test_tokens_are_counted_over_the_whole_tree"),
    "maxCost": (EVERYWHERE, "test_a_run_ends_when_its_cost_is_reached_and_tells_the_numbers"),
    "allowUnknownPrice": ("test_a_limit_of_cost_is_refused_where_no_price_is_known",),
    "maxPromptChars": (EVERYWHERE, "test_a_prompt_that_is_too_long_is_refused_before_it_leaves"),
    "maxContextChars": (EVERYWHERE, "test_a_limit_is_exact_to_the_character"),
    "windowTokens": (EVERYWHERE, "test_a_long_conversation_is_compacted"),
    "compactAt": (EVERYWHERE, "test_compaction_can_be_switched_off"),
    "overlap": ("test_overlap_changes_nothing_but_the_time",),
    "keepImages": ("test_images_are_asked_about_limited_scaled_and_kept",),
    "systemPrompt": ("test_a_role_of_the_users_own_still_tells_of_the_repl",),
    "tools": ("test_a_function_of_the_page_is_called_like_one_of_python", "test_tools_are_functions_of_this_process"),
    "subTools": ("test_children_have_the_tools_of_their_own", "test_child_runs_have_tools_of_their_own"),
    "packages": ("test_model_code_imports_packages_that_were_added",),
    "onIteration": ("test_a_callback_that_throws_does_not_touch_the_run", "test_each_callback_gets_its_own"),
    "onSubLLMCall": ("test_a_callback_that_throws_does_not_touch_the_run", "test_each_callback_gets_its_own"),
    "onEvent": ("test_events_are_given_as_they_happen", "test_run_prints_the_answer_and_writes_the_trajectory"),
    "onEgress": (
        "test_a_denied_request_raises_with_the_reason_and_never_leaves",
        "test_on_egress_decides_in_this_process",
    ),
    "journal": ("test_a_reloaded_tab_goes_on",),
    "keepLog": ("test_ended_runs_outlive_a_reload_and_are_searched_opened_renamed_and_deleted",),
    "keepContext": ("test_continue_with_a_kept_context_needs_nothing_more",),
}
"""Option -> the tests that show it; for a limit the first one shows name, unit and default in each language."""


def lines() -> list[str]:
    """The table, limits last."""
    heads = ["", "JavaScript", "Python", "Python, blocking", "command", "HTTP", "shown by"]
    return table(heads, [row(name, default) for name, default in javascript_defaults().items()])


def row(name: str, default: object) -> list[str]:
    """Cells of the option `name`."""
    python = python_cell(name, default)
    facts = limits().get(name)
    unit = " (ms)" if facts and facts.scale == 1_000 else ""
    shown = ", ".join(f"`{test}`" for test in SHOWN_BY[name])
    meaning = meanings()[name][0].upper() + meanings()[name][1:]
    return [meaning, cell(name, default) + unit, python, python, command_cell(name), http_cell(name), shown]


def cell(name: str, default: object) -> str:
    """Name and default: `` `maxErrors` = 5 ``."""
    shown = PRINTED.get(name) or ("none" if default == {} else number(default))
    return f"`{name}` = {shown}" if shown != "none" else f"`{name}`"


def python_cell(name: str, default: Any) -> str:
    """The argument of `BrowserRLM`; limits in the core's unit, which is seconds for durations."""
    argument = PYTHON.get(name, snake(name))
    if argument in OF_THE_SERVER:
        return f"`{argument}`"
    if argument not in RLMArguments.__annotations__:
        return NONE
    facts = limits().get(name)
    shown = cell(name, facts.default if facts else default)
    return shown.replace(f"`{name}`", f"`{argument}`", 1)


def command_cell(name: str) -> str:
    """The flag of `pyodide-rlm run`, with its default where it has a number; data without a flag goes into a file."""
    flag = FLAGS.get(name) or "--" + snake(name).replace("_", "-")
    options = {opt: option for option in main.commands["run"].params for opt in option.opts}
    if flag not in options or not isinstance(options[flag], click.Option):
        return "`--options`" if snake(name) in {*Options.__annotations__, "tools", "sub_tools"} else NONE
    facts = limits().get(name)
    return f"`{flag}` = {number(facts.default)}" if facts and facts.default is not None else f"`{flag}`"


def http_cell(name: str) -> str:
    """The field of a request, or the setting of the server that limits a run over HTTP too."""
    field = HTTP_FIELDS.get(name, snake(name))
    if is_field(field):
        return f"`{field}`"
    return f"`{SERVER_SETTINGS[name]}`" if name in SERVER_SETTINGS else NONE


def is_field(field: str) -> bool:
    """Whether `POST /api/rlm` knows the field."""
    try:
        parse_request({"prompt": "a", field: SAMPLES.get(field, 1)})
    except Problem as problem:
        return problem.kind.slug != "unknown-field"
    return True


@cache
def javascript_defaults() -> dict[str, Any]:
    """Option of the class `RLM` -> its default, as worker/options/settings.js has it."""
    command = [*node(), "--input-type=module", "-e", JAVASCRIPT, (ROOT / "worker" / "options" / "settings.js").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@cache
def meanings() -> dict[str, str]:
    """Option -> its meaning: of limits from their table, of the others the first sentence in rlm.d.ts."""
    types = (ROOT / "worker" / "rlm.d.ts").read_text(encoding="utf-8")
    interface = re.search(r"export interface RLMOptions\b[^{]*\{(.*?)\n\}", types, re.DOTALL)
    assert interface is not None, "rlm.d.ts has no RLMOptions"
    commented = re.findall(r"/\*\*(.*?)\*/\s*(\w+)\?:", interface[1], re.DOTALL)
    texts = {name: first_sentence(comment) for comment, name in commented}
    return {**texts, **{facts.option: f"{facts.unit} {facts.of}" for facts in LIMITS}}


def first_sentence(comment: str) -> str:
    text = re.sub(r"\s+", " ", re.sub(r"^\s*\*", "", comment, flags=re.MULTILINE)).strip()
    sentence = re.split(r"(?<=[.;:]) (?=[A-Z])|; default", text)[0]
    return sentence.rstrip(".:")


def limits() -> dict[str, LimitFacts]:
    return {facts.option: facts for facts in LIMITS}
