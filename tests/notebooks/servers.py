"""Notebook servers: JupyterLab and marimo, each as a process, on a free port.

In: a folder with notebooks. Out: the URL of the server, once it listens; it ends with the block.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

START_SECONDS = 120


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """A JupyterLab over `folder`."""
    port = _free_port()
    command = [
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={folder}",
    ]
    command += ["--IdentityProvider.token=", "--ServerApp.password="]
    settings = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_DATA_DIR": str(folder / "data")}
    with _running(command, folder, settings, sign="is running at"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def live_marimo(folder: Path, name: str) -> Iterator[str]:
    """A marimo that edits the notebook of that name in `folder`."""
    port = _free_port()
    command = ["marimo", "-y", "edit", name, "--headless", "--no-token", f"--port={port}"]
    with _running(command, folder, {"HOME": str(folder)}, sign="URL:"):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def _running(module: list[str], folder: Path, settings: Mapping[str, str], *, sign: str) -> Iterator[None]:
    """A module as a process, from the first `sign` in its output on."""
    written = folder / "server.log"
    with written.open("w") as log:
        command = [sys.executable, "-m", *module]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **settings})
        try:
            until = time.monotonic() + START_SECONDS
            while sign not in written.read_text():
                assert server.poll() is None, written.read_text()
                assert time.monotonic() < until, f"{module[0]} did not start"
                time.sleep(0.2)
            yield
        finally:
            server.terminate()
            server.wait(30)


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
