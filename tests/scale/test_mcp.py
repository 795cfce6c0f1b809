"""The tools for agents by the SDK's own client, over a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel
from tests.scale.conftest import Endpoint


@pytest.fixture
def server(endpoint: Endpoint, tmp_path: Path) -> StdioServerParameters:
    (tmp_path / "lease.txt").write_text("Ann owns the mill by the river.")
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    own = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{endpoint.model.upstream}/v1", "OLLAMA_BASE_URL": "none"}
    arguments = ["-m", "rlm_server", "mcp", "--root", str(tmp_path), "--model", "openai:m"]
    return StdioServerParameters(command=sys.executable, args=arguments, env={**kept, **own, "RLM_MODELS": "openai:m"})


def value_of(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    return dict(json.loads(result.content[0].text))


def test_an_agent_asks_follows_up_and_runs_python(server: StdioServerParameters, endpoint: Endpoint) -> None:
    model: ScriptedModel = endpoint.model
    first = model.question(
        code("owner = context.split()[0]\nprint(owner)"), code("FINAL(owner, evidence=['Ann owns'])")
    )
    second = model.question(code("FINAL(owner + ' again')"))
    told: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async def main() -> None:
        async with Client(server, read_timeout_seconds=240) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {"ask", "follow_up", "run_python"}
            asked = {"question": first, "paths": ["lease.txt"]}
            answer = value_of(await client.call_tool("ask", asked, progress_callback=on_progress))
            assert answer["answer"] == "Ann"
            assert answer["evidence"][0]["link"].endswith("lease.txt#L1")
            further = {"conversation": answer["conversation"], "question": second}
            assert value_of(await client.call_tool("follow_up", further))["answer"] == "Ann again"
            ran = value_of(await client.call_tool("run_python", {"code": "n = len(context)\nprint(n)", "paths": ["."]}))
            assert (int(ran["stdout"]) > 0, ran["error"]) == (True, None)
            again = {"code": "n + 1", "conversation": ran["conversation"]}
            assert value_of(await client.call_tool("run_python", again))["value"] == str(int(ran["stdout"]) + 1)
            failed = value_of(await client.call_tool("run_python", {"code": "1 / 0"}))
            assert "ZeroDivisionError" in failed["error"]
            refused: Any = await client.call_tool("ask", {"question": "Who?", "paths": ["../secret"]})
            assert refused.is_error
            assert "is not under" in refused.content[0].text

    asyncio.run(main())
    assert [text.partition(",")[0] for text in told if text] == ["Iteration 1", "Iteration 2"]


ENDLESS = code("n = 0\nwhile True:\n    n += 1\n    llm_query(f'endless {n}')")


def test_an_agent_that_cancels_its_call_stops_the_run(server: StdioServerParameters, endpoint: Endpoint) -> None:
    model = endpoint.model

    def calls() -> int:
        return sum(text.startswith("endless") for _, text in model.asked)

    async def main() -> None:
        async with Client(server, read_timeout_seconds=240) as client:
            asking = asyncio.ensure_future(client.call_tool("ask", {"question": model.question(ENDLESS)}))
            while calls() < 3:
                await asyncio.sleep(0.05)
            asking.cancel()
            await asyncio.wait([asking])
            before = -1
            while before != calls():  # until no call comes for a second
                before = calls()
                await asyncio.sleep(1)
            assert not (await client.call_tool("run_python", {"code": "1"})).is_error

    asyncio.run(asyncio.wait_for(main(), 200))


def test_the_tools_are_there_over_http(server: StdioServerParameters) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = subprocess.Popen([server.command, *server.args, "--http", f"{port}"], env=server.env)

    async def main() -> str:
        while True:
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        async with Client(f"http://127.0.0.1:{port}/mcp", read_timeout_seconds=240) as client:
            return str(value_of(await client.call_tool("run_python", {"code": "6 * 7"}))["value"])

    try:
        assert asyncio.run(asyncio.wait_for(main(), 200)) == "42"
    finally:
        command.send_signal(signal.SIGINT)
        command.wait(timeout=60)
