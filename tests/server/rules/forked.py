"""Servers in processes of their own, without waiting for imports: a warm process forks one after the other.

As a program: each line on stdin is a JSON object of environment variables; a server is forked with them, says
`{"pid", "url"}` on stdout when it listens, and `{"status"}` is said when it has ended. One server at a time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHORT_DRAIN_SECONDS = 2


class Servers:
    """The warm process, seen from the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.running: int | None = None

    def start(self, variables: Mapping[str, str]) -> tuple[int, str]:
        """Start a server; its process id and URL."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(dict(variables)) + "\n")
        self.process.stdin.flush()
        said = self._next()
        self.running = int(said["pid"])
        return self.running, str(said["url"])

    def ended(self) -> int:
        """Wait until the server has ended; the signal that ended it is negative."""
        status = int(self._next()["status"])
        self.running = None
        return status

    def _next(self) -> dict[str, str]:
        assert self.process.stdout is not None
        line = json.loads(self.process.stdout.readline())
        assert isinstance(line, dict)
        return line


@contextmanager
def forked_servers(stderr: Path) -> Iterator[Servers]:
    """Run the warm process; its servers print to the file `stderr`."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "server")])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}
    with stderr.open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            env=environment,
            cwd=stderr.parent,
            text=True,
        )
        servers = Servers(process)
        try:
            yield servers
        finally:
            if servers.running is not None:  # a test failed before it had ended
                os.kill(servers.running, signal.SIGKILL)
            process.communicate(timeout=20)


def _main() -> None:
    import rlm_server.calls.registry
    import rlm_server.http.serving
    import rlm_server.providers.connections

    rlm_server.providers.connections.trusted()
    say = _sayer(os.dup(1))
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            _serve(json.loads(line), lambda url: say({"pid": os.getpid(), "url": url}))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        say({"status": status})


def _sayer(descriptor: int) -> Callable[[dict[str, object]], None]:
    return lambda value: [os.write(descriptor, json.dumps(value).encode() + b"\n")].clear()


def _serve(variables: dict[str, str], ready: Callable[[str], object]) -> None:
    import logging

    from rlm_server.assets import Assets
    from rlm_server.http.access import JsonLines
    from rlm_server.http.app import create_app
    from rlm_server.http.serving import serve_until_signal
    from rlm_server.settings import load_settings

    os.environ.update(variables)
    lines = logging.StreamHandler()
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=logging.DEBUG, handlers=[lines])
    nothing = Path(variables["NOTHING"])
    app = create_app(load_settings(), assets=Assets(nothing, nothing, nothing, nothing))
    serve_until_signal(app, host="127.0.0.1", port=0, ready=ready, drain_seconds=SHORT_DRAIN_SECONDS)


if __name__ == "__main__":
    _main()
