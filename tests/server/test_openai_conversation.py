"""Requests of OpenAI's API: which part is the question, which is the context, and the words of a refusal."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from rlm_server.openai_api.conversation import OVER_ALL, Asked, Refused, asked_in

LONG = "The mill stands by the river. " * 400
DATA = f"data:application/pdf;base64,{base64.b64encode(b'%PDF-1').decode()}"
PICTURE = f"data:image/png;base64,{base64.b64encode(b'png').decode()}"


def chat(*messages: Any, **more: Any) -> Asked:
    turns = [{"role": "user", "content": item} if isinstance(item, str | list) else item for item in messages]
    return asked_in({"model": "rlm", "messages": turns, **more})


def test_the_last_paragraph_of_a_long_message_is_the_question_and_all_of_it_the_context() -> None:
    asked = chat(f"{LONG}\n\nWho owns it?")
    assert (asked.question, dict(asked.texts), asked.is_plain) == (
        "Who owns it?",
        {"message": f"{LONG}\n\nWho owns it?"},
        False,
    )


def test_a_question_may_come_first() -> None:
    assert chat(f"Who owns it?\n\n{LONG}").question == "Who owns it?"
    assert chat(f"{LONG}\nWho owns it?").question == "Who owns it?"
    joined = chat(f"{LONG} Who owns it?")
    assert joined.question.startswith(OVER_ALL)
    assert joined.question.endswith("Who owns it?")
    assert dict(chat(LONG).texts) == {"message": LONG}


def test_of_several_parts_the_last_short_one_is_the_question() -> None:
    asked = chat([{"type": "text", "text": LONG}, {"type": "text", "text": "Who?"}])
    assert (asked.question, dict(asked.texts)) == ("Who?", {"message": LONG})


def test_earlier_turns_are_context_and_a_system_message_the_role() -> None:
    asked = chat({"role": "system", "content": "Be brief."}, "One?", {"role": "assistant", "content": "Yes."}, "Two?")
    assert (asked.question, dict(asked.texts)) == ("Two?", {"earlier_turns": "user: One?\n\nassistant: Yes."})
    assert asked.options == {"system_prompt": "Be brief."}
    assert not asked.is_plain


def test_a_short_prompt_without_a_context_is_plain_unless_the_client_says_otherwise() -> None:
    assert chat("Give this chat a title").is_plain
    assert chat({"role": "developer", "content": "Titles."}, "Give this chat a title").is_plain
    assert not chat("Count to ten", metadata={"rlm": "always"}).is_plain
    direct = chat("Count to ten", metadata={"rlm": "direct"})
    assert (direct.is_plain, direct.options) == (False, {"direct": True})
    assert not chat([{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]).is_plain


def test_files_and_images_are_files_of_the_context_beside_the_texts(tmp_path: Path) -> None:
    parts = [
        {"type": "text", "text": "Who?"},
        {"type": "file", "file": {"filename": "../lease.pdf", "file_data": DATA}},
        {"type": "file", "file": {"filename": "lease.pdf", "file_data": DATA}},
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "text", "text": LONG},
    ]
    paths: Any = chat(parts).context(tmp_path)
    assert [path.name for path in paths] == ["lease.pdf", "lease-2.pdf", "image.png", "message.txt"]
    assert (tmp_path / "lease.pdf").read_bytes() == b"%PDF-1"
    assert (tmp_path / "message.txt").read_text() == LONG
    assert {path.parent for path in paths} == {tmp_path}


def test_responses_have_the_same_meaning() -> None:
    asked = asked_in({"model": "rlm/openai:m", "input": f"{LONG}\n\nWho?", "instructions": "Be brief."})
    assert (asked.question, asked.model, asked.options) == ("Who?", "openai:m", {"system_prompt": "Be brief."})
    item = {
        "role": "user",
        "content": [{"type": "input_text", "text": "Who?"}, {"type": "input_file", "file_data": DATA}],
    }
    assert [file.data for file in asked_in({"model": "rlm", "input": [item]}).files] == [b"%PDF-1"]


def test_a_schema_comes_from_either_form() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "number"}}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    assert chat("Who?", response_format=form).schema == schema
    flat = {"format": {"type": "json_schema", "name": "a", "schema": schema}}
    assert asked_in({"model": "rlm", "input": "Who?", "text": flat}).schema == schema
    assert chat("Who?", response_format={"type": "json_object"}).schema == {"type": "object"}
    assert chat("Who?", response_format={"type": "json_object", "schema": schema}).schema == schema
    assert chat("Who?", response_format={"type": "text"}).schema is None


def test_limits_are_in_the_metadata_and_other_entries_are_the_clients() -> None:
    asked = chat("Who?", metadata={"max_iterations": "3", "maxCost": "0.5", "customer": "7"})
    assert asked.options == {"max_iterations": 3, "max_cost": 0.5}
    with pytest.raises(Refused, match=r"metadata\.max_iterations must be a whole number, not 'many'"):
        chat("Who?", metadata={"max_iterations": "many"})


@pytest.mark.parametrize(
    ("body", "said", "status"),
    [
        ({"tools": [{"type": "function"}]}, "tools of the client cannot be called", 400),
        ({"functions": [{}]}, "functions of the client cannot be called", 400),
        ({"n": 2}, "n must be 1", 400),
        ({"model": "gpt-5"}, "the model \"gpt-5\" is not here. Ask `rlm`", 404),
        ({"model": "rlm/m"}, "is not here", 404),
        ({"messages": []}, "messages must be a list of one message or more", 400),
        ({"messages": [{"role": "system", "content": "a"}]}, "holds no user message with text", 400),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0] must be a message of system", 400),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "Send text, image_url or file", 400),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}]}]},
            "this server fetches no address",
            400,
        ),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}, "no files", 400),
        ({"response_format": {"type": "json_schema"}}, "response_format must hold a JSON Schema", 400),
        ({"response_format": "json"}, "response_format must hold a JSON Schema", 400),
        ({"input": "Who?", "text": {"format": "json"}}, "text.format must hold a JSON Schema", 400),
        ({"input": "Who?", "instructions": 5}, "instructions must be text", 400),
        ({"metadata": {"rlm": "Direct"}}, "metadata.rlm must be always or direct, not 'Direct'", 400),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "a:b"}}]}]}, "base64", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_the_reason(body: Any, said: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        asked_in({"model": "rlm", "messages": [{"role": "user", "content": "Who?"}], **body})
    assert said in str(refused.value)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "data",
    [
        "data:application/pdf;base64,JVBE\nRi0x\n",
        "data:application/pdf;charset=x;BASE64,JVBERi0x",
        "JVBERi0x",
        "JVBE\r\nRi0x",
    ],
)
def test_bytes_of_a_file_come_in_any_form_of_base64(data: str) -> None:
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
    assert [file.data for file in chat([{"type": "text", "text": "Who?"}, part]).files] == [b"%PDF-1"]


def test_what_a_client_leaves_null_is_left_out() -> None:
    assert chat("Who?", input=None, instructions=None, text=None, response_format=None, metadata=None).is_plain


def test_instructions_may_be_messages() -> None:
    wanted = {"model": "rlm", "input": "Who?", "instructions": [{"role": "developer", "content": "Be brief."}]}
    assert asked_in(wanted).options == {"system_prompt": "Be brief."}


def test_unknown_parameters_are_ignored() -> None:
    assert chat("Who?", temperature=0.3, logit_bias={}, whatever=1, tools=[]).question == "Who?"
