"""Server: the tools behind the Model Context Protocol, by the official SDK.

In: the tools. Out: a server of the SDK, for stdio or streamable HTTP. An error of a tool is the text that the agent
reads.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from rlm_core import RLMError

from .tools import Tools

INSTRUCTIONS = (
    "Ask questions over files that are far larger than your window: a recursive language model reads them with Python "
    "in a contained browser, and answers with quotes. Prefer `ask` over reading files yourself."
)


def server_over(tools: Tools) -> MCPServer[Any]:
    """The server; `tools` live as long as it does."""
    roots = ", ".join(str(root) for root in tools.roots)

    async def ask(
        ctx: Context[Any, Any],
        question: str,
        paths: list[str] | None = None,
        schema: dict[str, Any] | None = None,
        limits: dict[str, float] | None = None,
        direct: bool = False,
    ) -> dict[str, Any]:
        async def report(progress: float, message: str) -> None:
            await ctx.report_progress(progress, message=message)

        return await _told(tools.ask(question, paths or [], schema=schema, limits=limits, direct=direct, report=report))

    async def follow_up(
        ctx: Context[Any, Any],
        conversation: str,
        question: str,
        schema: dict[str, Any] | None = None,
        direct: bool = False,
    ) -> dict[str, Any]:
        async def report(progress: float, message: str) -> None:
            await ctx.report_progress(progress, message=message)

        return await _told(tools.follow_up(conversation, question, schema=schema, direct=direct, report=report))

    async def run_python(code: str, paths: list[str] | None = None, conversation: str = "") -> dict[str, Any]:
        return await _told(tools.run_python(code, paths or [], conversation=conversation))

    server: MCPServer[Any] = MCPServer("pyodide-rlm", instructions=INSTRUCTIONS)
    server.add_tool(
        ask,
        description=(
            f"Answer a question over files and folders under {roots}: documents, tables, mail, of any size. "
            "`schema` is a JSON Schema of the value, `limits` such as max_iterations and max_cost (USD); `direct` is "
            "one call over the whole of small files. The result has the answer, quotes with links to their places, and "
            "a conversation for follow_up."
        ),
    )
    server.add_tool(
        follow_up, description="Ask a further question in a conversation of ask, with its files and variables."
    )
    server.add_tool(
        run_python,
        description=(
            f"Run Python in a contained REPL, without a network, over files under {roots} (`context` holds them). The "
            "result has stdout, value and error, and a conversation in which variables live on."
        ),
    )
    return server


async def _told(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """The result of `work`; an error of ours is one that the agent reads in full."""
    try:
        return await work
    except RLMError as fault:
        raise ToolError(str(fault)) from fault
