"""Stop latency: how long a run goes on after its stop, over twenty blocks that do their best not to be stopped.

Prints the median and the maximum in milliseconds; ends with status 1 when the maximum is above half a second.
"""

from __future__ import annotations

import statistics
import sys

from playwright.sync_api import sync_playwright

from rlm_server.headless.browser import QUIET, find_browser
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.browser.lab import code, run

MOST_MS = 500
BLOCKS = (
    "while True: pass",
    "sum(range(10**12))",
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "import collections, itertools; collections.deque(itertools.count(), maxlen=0)",
    "import time; time.sleep(3600)",
    "max(range(10**12))",
    "while True:\n    try: list(range(10**8))\n    except MemoryError: pass",
    "'x' * 10**9 in ('x' * 10**9 + 'y')",
    "10 ** (10 ** 9)",
    "import itertools; sum(itertools.repeat(1))",
    "import itertools; list(itertools.product(range(10), repeat=12)) and None",
    "sorted(range(10**7), key=lambda n: [-n] * 10)",
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    "import sys; sys.settrace(lambda *a: None)\nwhile True: pass",
    "def f():\n    try: f()\n    finally: f()\nf()",
    "import hashlib\nwhile True: hashlib.sha256(bytes(10**8))",
    "import zlib\nwhile True: zlib.compress(bytes(10**7), 9)",
    "import json\nwhile True: json.dumps(list(range(10**6)))",
    "while True: print('x' * 1000)",
    "import gc\nwhile True: gc.collect()",
)


def latencies() -> list[float]:
    """Milliseconds from the stop to the end of the run, for each block."""
    settings = Settings(_env_file=None, ollama_base_url="")  # type: ignore[call-arg]
    with serving(create_app(settings)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=[*QUIET, "--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        measured = []
        for block in BLOCKS:
            result = run(page, [code(f"print('spinning')\n{block}")] * 3, stopOn="spinning")
            if result["stoppedBy"] != "cancelled":
                raise RuntimeError(f"the block ended by itself ({result['stoppedBy']}): {block}")
            measured.append(float(result["stopMs"]))
            print(f"{measured[-1]:6.0f} ms  {block.splitlines()[-1][:60]}", flush=True)
        browser.close()
    return measured


if __name__ == "__main__":
    measured = latencies()
    print(f"median {statistics.median(measured):.0f} ms, maximum {max(measured):.0f} ms, of {len(measured)} blocks")
    sys.exit(max(measured) > MOST_MS)
