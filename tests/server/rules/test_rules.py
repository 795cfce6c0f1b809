"""The rules of the server, each with the tests that prove it: every test named here exists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PROOFS = {
    "only the page and programs with the token are answered": [
        "test_security.py::test_another_address_is_refused_without_a_token",
        "test_security.py::test_another_host_is_refused_before_the_body",
        "test_security.py::test_an_allowed_host_is_matched_by_its_exact_value",
        "test_security.py::test_another_origin_is_refused",
        "test_security.py::test_a_request_for_another_site_is_refused",
        "test_security.py::test_a_program_without_origin_needs_the_token",
        "test_security.py::test_an_origin_is_matched_by_its_exact_value",
        "test_call_socket.py::test_only_the_page_of_the_server_opens_it",
        "test_call_socket.py::test_a_guarded_server_wants_the_token_and_the_page",
        "test_app.py::test_an_impossible_address_ends_with_a_sentence_and_status_2",
        "rules/test_fuzz.py::test_any_host_but_ours_is_refused",
        "rules/test_fuzz.py::test_any_origin_but_ours_is_refused",
    ],
    "only JSON is read, and no other site reads an answer": [
        "test_api.py::test_only_json_is_read",
        "test_security.py::test_every_response_is_isolated",
        "test_security.py::test_a_configured_origin_may_call_the_api",
        "rules/test_fuzz.py::test_any_media_type_but_json_is_refused",
    ],
    "a client chooses a listed model and its messages, and nothing else": [
        "test_api.py::test_a_bad_body_is_explained_and_nothing_is_sent",
        "rules/test_fuzz.py::test_any_json_is_answered_or_refused_and_never_forwarded_as_it_is",
        "rules/test_fuzz.py::test_any_field_that_is_not_listed_is_refused",
        "rules/test_fuzz.py::test_any_bytes_are_refused",
        "rules/test_fuzz.py::test_any_route_is_one_of_ours_or_refused",
        "test_call_socket.py::test_a_message_without_a_meaning_ends_its_connection_and_nothing_else",
        "rules/test_fuzz.py::test_no_header_of_the_client_reaches_the_upstream",
    ],
    "no key is in any byte out": [
        "test_exchange.py::test_the_key_is_in_no_response_and_no_log",
        "test_exchange.py::test_the_key_is_in_no_exception",
        "test_exchange.py::test_the_key_is_in_no_repr",
        "test_exchange.py::test_a_request_that_went_by_a_proxy_no_longer_holds_the_key",
        "rules/test_keys.py::test_no_key_is_in_any_byte_out",
        "rules/test_keys.py::test_no_key_is_in_the_repr_of_anything",
        "rules/test_keys.py::test_no_key_is_in_the_error_that_refuses_it",
    ],
    "bodies are bounded in both directions": [
        "test_api.py::test_a_body_at_the_limit_is_read",
        "test_api.py::test_a_chunked_body_is_read_no_further_than_the_limit",
        "test_api.py::test_a_length_above_the_limit_is_refused_before_the_body",
        "test_api.py::test_a_compressed_body_is_refused",
        "test_garbage.py::test_a_malformed_reply_is_a_typed_502",
    ],
    "a slow client is cut off": [
        "rules/test_slow_clients.py::test_the_deadlines_are_10_30_and_5_seconds",
        "rules/test_slow_clients.py::test_a_head_that_does_not_come_is_cut_off",
        "rules/test_slow_clients.py::test_a_body_that_does_not_come_is_told_so_and_cut_off",
        "rules/test_slow_clients.py::test_a_body_that_nobody_reads_is_cut_off",
        "rules/test_slow_clients.py::test_200_slow_sockets_leave_a_normal_call_below_a_second",
    ],
    "retries are bounded, and none follows a first byte": [
        "test_exchange.py::test_tries_and_kind_of_each_status",
        "test_exchange.py::test_retry_after_is_honoured",
        "test_exchange.py::test_silence_before_the_first_byte_is_a_timeout",
        "test_exchange.py::test_the_total_time_holds_for_all_tries_together",
        "test_exchange.py::test_no_retry_once_a_byte_was_passed_on",
    ],
    "one call is paid for once": [
        "rules/test_paid_once.py::test_the_same_call_is_paid_for_once_in_whatever_way_it_is_asked",
        "rules/test_paid_once.py::test_calls_under_way_are_joined",
        "test_call_socket.py::test_a_keyed_call_survives_its_connection_and_is_paid_once",
        "rules/test_paid_once.py::test_a_failure_is_not_kept",
        "rules/test_paid_once.py::test_equal_prompts_of_a_batch_are_calls_of_their_own",
        "rules/test_paid_once.py::test_the_file_outlives_the_server_and_holds_no_prompt",
        "test_reply_store.py::test_the_oldest_go_when_there_are_too_many_bytes",
        "test_reply_store.py::test_the_file_is_its_owners_alone",
    ],
    "a client that leaves ends its calls, unless they are kept": [
        "test_api.py::test_a_client_that_goes_away_cancels_its_calls",
        "rules/test_paid_once.py::test_a_kept_call_goes_on_when_its_client_leaves",
        "rules/test_paid_once.py::test_of_a_batch_that_is_left_only_what_was_sent_goes_on",
    ],
    "a malformed reply is a typed error": [
        "test_garbage.py::test_a_malformed_reply_is_a_typed_502",
        "test_garbage.py::test_a_malformed_event_ends_the_stream_in_a_typed_error",
        "test_garbage.py::test_what_is_no_http_is_a_typed_502",
    ],
    "budgets are exact": [
        "rules/test_budgets.py::test_of_1000_calls_at_once_exactly_100_reach_the_upstream",
        "rules/test_budgets.py::test_of_a_batch_of_1000_exactly_100_reach_the_upstream",
        "rules/test_budgets.py::test_a_spent_budget_says_numbers_and_setting",
        "rules/test_budgets.py::test_each_run_has_its_own_budget_and_all_share_that_of_the_start",
        "rules/test_budgets.py::test_cost_is_settled_by_what_the_reply_says",
    ],
    "only a checked address is called, by no redirect and no proxy": [
        "test_settings.py::test_an_impossible_value_is_refused_by_name_and_never_quoted_if_secret",
        "test_settings.py::test_https_and_loopback_are_allowed",
        "test_exchange.py::test_a_redirect_is_not_followed",
        "test_exchange.py::test_environment_proxies_are_ignored",
    ],
    "every response is isolated": [
        "test_security.py::test_every_response_is_isolated",
        "test_security.py::test_the_page_may_run_only_what_is_ours",
        "test_security.py::test_the_worker_alone_gets_the_contained_policy",
        "test_security.py::test_a_fault_of_ours_is_an_isolated_problem_without_words",
        "test_security.py::test_frames_are_allowed_as_configured",
        "rules/test_slow_clients.py::test_what_is_no_http_gets_the_headers_of_everything_else",
        "rules/test_slow_clients.py::test_a_websocket_is_an_ordinary_request",
    ],
    "the log holds ids and sizes, no prompt and no key": [
        "test_access.py::test_a_line_has_ids_sizes_status_and_model_but_no_prompt",
        "test_access.py::test_a_line_names_run_and_cost",
        "test_access.py::test_what_others_log_is_json_too",
        "rules/test_keys.py::test_no_key_is_in_any_byte_out",
    ],
    "a stop drains, and a kill loses no reply that a client has": [
        "rules/test_drain.py::test_a_call_under_way_is_answered_before_the_end",
        "rules/test_drain.py::test_a_call_that_nobody_waits_for_is_still_kept",
        "rules/test_drain.py::test_a_call_that_never_ends_is_given_up",
        "test_call_socket.py::test_a_server_that_stops_answers_its_calls_and_then_closes",
        "rules/test_drain.py::test_killed_at_any_moment_it_has_kept_what_it_told",
    ],
}


def test_every_rule_has_proofs() -> None:
    assert len(PROOFS) == 15
    assert all(PROOFS.values())


@pytest.mark.parametrize("rule", PROOFS)
def test_the_proofs_of_a_rule_exist(rule: str) -> None:
    for proof in PROOFS[rule]:
        file, _, name = proof.partition("::")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, proof


def test_at_least_30_kinds_of_malformed_replies_are_tried() -> None:
    from tests.server import test_garbage

    kinds = {*test_garbage.ANY, *test_garbage.OPENAI, *test_garbage.ANTHROPIC, *test_garbage.NOT_HTTP}
    assert len(kinds) >= 30
