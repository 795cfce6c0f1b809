"""The real server as the bench runs it, a process of its own, with one script more: the worker without containment.

`python -m tests.bench.server` prints its URL and serves until it is ended. The script is the built worker without its
policy, its self-test and its lock-down: what containment costs is the difference.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import load_settings

ASSETS = Path(__file__).parents[2] / "build" / "assets"
OPEN_WORKER = "/rlm/assets/open-worker.js"
LEFT_OUT = (
    (r"selfTest\(canWait\)", 'Promise.resolve({ level: "full", reason: "" })'),
    (r"lowered\(tests, ?lockDown\(\)\)", "lowered(tests, [])"),
)


def open_worker() -> Response:
    script = max(ASSETS.glob("worker.*.js"), key=os.path.getmtime)
    text = script.read_text()
    for pattern, replacement in LEFT_OUT:
        text, count = re.subn(pattern, replacement, text)
        if count != 1:
            raise LookupError(f"{pattern} occurs {count} times in {script.name}: bench and worker differ.")
    headers = {"Cross-Origin-Embedder-Policy": "require-corp", "Cache-Control": "max-age=31536000, immutable"}
    return Response(text, media_type="text/javascript", headers=headers)


def with_open_worker(app: ASGIApp) -> ASGIApp:
    script = open_worker()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (script if scope.get("path") == OPEN_WORKER else app)(scope, receive, send)

    return answer


def main() -> None:
    app = create_app(load_settings())
    with serving(with_open_worker(app)) as url:
        print(url, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
