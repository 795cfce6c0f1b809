"""The command `pyodide-rlm mcp`: tools for agents, on stdio or over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlm_core import RLMError

from .exit_status import reported

if TYPE_CHECKING:
    from ..mcp.tools import Tools
    from ..sandbox.chosen_code import ChosenCode

LOOPBACK = "127.0.0.1"


@click.command()
@click.option(
    "--root",
    "roots",
    multiple=True,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder whose files the agent may read; may be repeated.",
)
@click.option("--http", "port", type=click.IntRange(1, 65535), help="Streamable HTTP on this port of 127.0.0.1.")
@click.option("--model", help="Model of the iterations, as provider:name.")
@click.option("--sub-model", help="Model of the sub-calls; default: the same.")
def mcp(roots: tuple[Path, ...], port: int | None, model: str | None, sub_model: str | None) -> None:
    """Offer tools to agents by the Model Context Protocol, on stdio: ask, follow_up and run_python over files."""
    with reported():
        defaults = {"model": model, "sub_model": sub_model}
        asyncio.run(_serve(roots, port, {name: value for name, value in defaults.items() if value is not None}))


async def _serve(roots: tuple[Path, ...], port: int | None, defaults: dict[str, Any]) -> None:
    try:
        from ..mcp.server import server_over
    except ImportError as missing:
        raise RLMError("The package mcp is not installed. Run `pip install 'pyodide-rlm[mcp,headless]'`.") from missing
    async with opened_tools(roots, **defaults) as tools:
        server = server_over(tools)
        await (server.run_stdio_async() if port is None else server.run_streamable_http_async(host=LOOPBACK, port=port))


@asynccontextmanager
async def opened_tools(roots: tuple[Path, ...], **defaults: Any) -> AsyncIterator[Tools]:
    """The tools over a browser and a server of this process."""
    from ..headless.browser_rlm import rlm_over
    from ..mcp.tools import Tools
    from ..sandbox.chosen_code import ChosenCode

    code = ChosenCode()
    async with rlm_over(_serving(code), **defaults) as rlm:
        tools = Tools(rlm, roots, code)
        try:
            yield tools
        finally:
            await tools.close()


@contextmanager
def _serving(code: ChosenCode) -> Iterator[str]:
    from ..http.app import create_app
    from ..http.serving import serving
    from ..sandbox.chosen_code import MODEL
    from ..settings import load_settings

    settings = load_settings(host=LOOPBACK, port=0).unguarded()
    if settings.models:
        settings = settings.model_copy(update={"models": (*settings.models, MODEL)})
    with serving(create_app(settings, providers=(code,)), host=LOOPBACK, port=0) as url:
        yield url
