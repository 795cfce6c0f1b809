"""Clients that people have, asking a recursive language model as if it were a model: each over a real browser."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.browser.lab import code
from tests.scale.conftest import Endpoint

LONG = "The mill stands by the river, and Ann owns it. " * 200
ANSWER = code("FINAL(f'{len(context)} characters', evidence=['Ann owns it'])")


class Owner(BaseModel):
    """A value that the answer must fit."""

    name: str
    mills: int


OWNER = code("FINAL({'name': 'Ann', 'mills': 1})")


def long_question(endpoint: Endpoint, *replies: str) -> str:
    return f"{LONG}\n\n{endpoint.model.question(*replies)}"


@pytest.fixture
def client(endpoint: Endpoint) -> Any:
    return openai.OpenAI(base_url=endpoint.url, api_key=endpoint.token, max_retries=0, timeout=240)


def messages(content: Any) -> Any:
    return [{"role": "user", "content": content}]


def test_the_openai_client_gets_answer_usage_and_evidence(endpoint: Endpoint, client: Any) -> None:
    question = long_question(endpoint, code("print(llm_query('who?'))"), ANSWER)
    reply = client.chat.completions.create(model="rlm/openai:m", messages=messages(question))
    assert reply.choices[0].message.content == f"{len(question)} characters"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.model_calls == 3
    assert reply.choices[0].message.annotations[0].url_citation.title == "Ann owns it"


def test_the_openai_client_streams_without_blocking(endpoint: Endpoint) -> None:
    async def main() -> tuple[str, str, Any]:
        client: Any = openai.AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.token, max_retries=0, timeout=240)
        content, reasoning, usage = "", "", None
        options = {"include_usage": True}
        asked = messages(long_question(endpoint, code("print(1)"), code("FINAL('done')")))
        stream = await client.chat.completions.create(model="rlm", messages=asked, stream=True, stream_options=options)
        async for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                content += choice.delta.content or ""
                reasoning += getattr(choice.delta, "reasoning_content", None) or ""
        await client.close()
        return content, reasoning, usage

    content, reasoning, usage = asyncio.run(main())
    assert content == "done"
    assert [line.partition(",")[0] for line in reasoning.splitlines()] == ["Iteration 1", "Iteration 2"]
    assert usage.total_tokens > 0


def test_the_openai_client_sends_files(endpoint: Endpoint, client: Any) -> None:
    data = base64.b64encode(b"the lease of the mill").decode()
    parts = [
        {"type": "text", "text": endpoint.model.question(code("FINAL(context)"))},
        {"type": "file", "file": {"filename": "lease.txt", "file_data": f"data:text/plain;base64,{data}"}},
    ]
    reply = client.chat.completions.create(model="rlm", messages=messages(parts))
    assert reply.choices[0].message.content == "the lease of the mill"


def test_the_openai_client_parses_a_schema(endpoint: Endpoint, client: Any) -> None:
    question = long_question(endpoint, OWNER)
    reply = client.chat.completions.parse(model="rlm", messages=messages(question), response_format=Owner)
    assert reply.choices[0].message.parsed == Owner(name="Ann", mills=1)


def test_a_limit_is_in_the_metadata_and_in_the_finish_reason(endpoint: Endpoint, client: Any) -> None:
    question = long_question(endpoint, code("print(1)"), code("print(2)"), "no answer")
    reply = client.chat.completions.create(model="rlm", messages=messages(question), metadata={"max_iterations": "1"})
    assert reply.choices[0].finish_reason == "length"


def test_a_short_prompt_is_one_plain_call(endpoint: Endpoint, client: Any) -> None:
    reply = client.chat.completions.create(model="rlm", messages=messages("Give this chat a title"))
    assert reply.choices[0].message.content == "sub:Give this chat a title"
    assert reply.usage.model_calls == 1


def test_the_openai_client_asks_in_the_background(endpoint: Endpoint, client: Any) -> None:
    question = long_question(endpoint, code("FINAL('found')"))
    response = client.responses.create(model="rlm", input=question, background=True)
    while response.status == "in_progress":
        response = client.responses.retrieve(response.id)
    assert (response.status, response.output_text) == ("completed", "found")
    with client.responses.stream(model="rlm", input=long_question(endpoint, code("FINAL('streamed')"))) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "streamed"
    assert "response.reasoning_summary_text.delta" in kinds


def test_tools_of_the_client_are_refused_with_the_reason(client: Any) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    with pytest.raises(openai.BadRequestError, match="tools of the client cannot be called"):
        client.chat.completions.create(model="rlm", messages=messages("Who?"), tools=[tool])
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
    assert client.models.list().data[0].id == "rlm"


def test_the_command_llm(endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: mill\n  model_name: rlm\n  api_base: {endpoint.url}\n  api_key_name: mill\n"
    )
    (tmp_path / "long.txt").write_text(LONG)
    question = endpoint.model.question(code("FINAL(str('by the river' in context))"))
    line = [sys.executable, "-m", "llm", "-m", "mill", "--key", endpoint.token, "--no-log", question]
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path)}
    done = subprocess.run(line, input=LONG, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_langchain(endpoint: Endpoint) -> None:
    key = SecretStr(endpoint.token)
    model = ChatOpenAI(model="rlm", base_url=endpoint.url, api_key=key, max_retries=0, timeout=240)
    reply = model.invoke(long_question(endpoint, code("FINAL('Ann')")))
    assert reply.content == "Ann"
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["total_tokens"] > 0
    valued = model.with_structured_output(Owner, method="json_schema")
    assert valued.invoke(long_question(endpoint, OWNER)) == Owner(name="Ann", mills=1)
    streamed = "".join(str(chunk.content) for chunk in model.stream(long_question(endpoint, code("FINAL('Bea')"))))
    assert streamed == "Bea"


def test_pydantic_ai(endpoint: Endpoint) -> None:
    provider = OpenAIProvider(base_url=endpoint.url, api_key=endpoint.token)
    model = OpenAIChatModel("rlm", provider=provider)
    text = Agent(model).run_sync(long_question(endpoint, ANSWER))
    assert text.output.endswith("characters")
    agent: Any = Agent(model, output_type=NativeOutput(Owner))
    assert agent.run_sync(long_question(endpoint, OWNER)).output == Owner(name="Ann", mills=1)
