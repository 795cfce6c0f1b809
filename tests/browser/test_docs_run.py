"""The code blocks of the README and the manual, run as a reader runs them.

Shell lines run in a folder with sample files, against a server on loopback that they start themselves, with the
stand-in model; Python blocks run as programs in that folder; JavaScript runs on the server's page; a page of a static
site is hosted as one. `make` only lists its recipe (`make -n`): its targets are run by hand and by CI.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.browser.static_site import hosted, make_site
from tests.docs_blocks import PAGES, ROOT, Block, blocks_of

SECONDS = 180
DOCUMENTED = "http://127.0.0.1:8000"
LEASE = "The lease of the mill was signed by Mara Lindqvist on 3 May 1931. The rent was forty crowns.\n"
TICKETS = (
    "id,status,text\n1,open,Data loss after the update\n2,closed,The logo is blurred\n3,closed,Data loss on export\n"
)
SHELL = """
set -euo pipefail
make() {{ command make --no-print-directory -n -C '{root}' "$@" > /dev/null; }}
curl() {{ command curl --fail-with-body "$@"; }}
{block}
env -0 > .environment
"""
IMPORT = re.compile(r"^import (\{.*\}) from (\".*\");$", re.MULTILINE)
JAVASCRIPT = """
async (text) => {{
  const file = new File([text], "lease.txt");
  const rlm = new (await import("/rlm/rlm.js")).RLM();
  {{
    {block}
  }}
}}
"""


class Terminal:
    """A folder with sample files and an environment that lasts from block to block, as a reader's terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: list[subprocess.Popen[str]] = []
        self.url = DOCUMENTED
        kept = {name: value for name, value in os.environ.items() if not re.search(r"_API_KEY$|^RLM_", name)}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
        self.environment = {**kept, "PATH": path, "OLLAMA_BASE_URL": "none"}
        (folder / "lease.txt").write_text(LEASE)
        (folder / "notes.txt").write_text("The code is 4711")
        (folder / "tickets.csv").write_text(TICKETS)

    def done(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run(self, block: Block, output: str | None) -> None:
        """Run a block; its output must hold each line of `output`, where that is known."""
        if block.language == "sh" and block.text.rstrip().endswith("pyodide-rlm serve") and output is None:
            self._serve(block)
            return
        text = block.text.replace(DOCUMENTED, self.url)
        shell = ["bash", "-c", SHELL.format(root=ROOT, block=text)]
        command = shell if block.language == "sh" else [sys.executable, "-c", text]
        done = self.done(command)
        said = done.stdout + done.stderr
        if output is None:
            assert done.returncode == 0, f"{block}: exit status {done.returncode}\n{said}"
            self._keep_environment(block)
        else:
            assert [line for line in output.splitlines() if line not in said] == [], f"{block}: {said}"

    def _keep_environment(self, block: Block) -> None:
        if block.language == "sh":
            pairs = (self.folder / ".environment").read_text().split("\0")
            self.environment = dict(
                pair.split("=", 1) for pair in pairs if "=" in pair and not pair.startswith("BASH_FUNC")
            )

    def _serve(self, block: Block) -> None:
        exports = block.text.rstrip().removesuffix("pyodide-rlm serve")
        log = self.folder / f"server-{len(self.servers)}.log"
        line = SHELL.format(root=ROOT, block=f"{exports}\nenv -0 > .environment\nexec pyodide-rlm serve --port 0")
        server = subprocess.Popen(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, stderr=log.open("w"), text=True
        )
        self.servers.append(server)
        deadline = time.monotonic() + 60
        while (found := re.search(r"is at http://[^:]+:(\d+)", log.read_text())) is None:
            assert server.poll() is None, f"{block}: the server ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"{block}: the server did not start: {log.read_text()}"
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{found[1]}"
        self._keep_environment(block)

    def close(self) -> None:
        for server in self.servers:
            server.send_signal(signal.SIGINT)
        for server in self.servers:
            server.wait(timeout=30)


@pytest.fixture
def terminal(tmp_path: Path, chromium: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def pages_with(*languages: str) -> list[Path]:
    return [
        page for page in PAGES if any(block.language in languages and not block.reason for block in blocks_of(page))
    ]


def output_of(blocks: Sequence[Block], index: int) -> str | None:
    """The text block directly below a block: its output."""
    below = blocks[index + 1] if index + 1 < len(blocks) else None
    return below.text if below and below.language == "text" and below.follows else None


@pytest.mark.parametrize("page", pages_with("sh", "python"), ids=lambda page: page.name)
def test_shell_lines_and_programs_run(terminal: Terminal, page: Path) -> None:
    if page.name == "logs.md":
        record(terminal)
    blocks = blocks_of(page)
    for index, block in enumerate(blocks):
        if block.language in ("sh", "python") and not block.reason:
            terminal.run(block, output_of(blocks, index))


def record(terminal: Terminal) -> None:
    """The log that the page calls `run.jsonl`."""
    line = "pyodide-rlm run 'Which mention data loss?' --context tickets.csv --record run.jsonl\n"
    terminal.run(Block(ROOT / "README.md", 0, "sh", line, "", follows=False), None)


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for block in blocks_of(page) if block.language == "js" and not block.reason],
    ids=str,
)
def test_javascript_runs_on_the_page(page: Page, faults: list[str], block: Block) -> None:
    lines = IMPORT.sub(r"const \1 = await import(\2);", block.text)
    page.evaluate(JAVASCRIPT.format(block=lines), LEASE)
    assert faults == []


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for block in blocks_of(page) if block.language == "html" and not block.reason],
    ids=str,
)
def test_a_page_of_a_static_site_answers(context: BrowserContext, tmp_path: Path, block: Block) -> None:
    make_site(tmp_path)
    with hosted(tmp_path) as site:
        settings = Settings(_env_file=None, ollama_base_url="", allowed_origins=(site,))  # type: ignore[call-arg]
        with serving(create_app(settings), drain_seconds=0) as url:
            endpoint = re.sub(r"https://[\w.-]+\.example/", f"{url}/", block.text)
            (tmp_path / "index.html").write_text(endpoint)
            page = context.new_page()
            page.goto(site)
            if page.locator("rlm-ask").count():
                page.locator("rlm-ask [part=text]").fill(LEASE)
                page.locator("rlm-ask [part=question]").fill("Who signed the lease?")
                page.locator("rlm-ask [part=ask]").click()
            expect(page.locator("#answer, [part=answer]")).to_contain_text("Mara Lindqvist", timeout=60_000)


def test_the_demo_ends_as_the_readme_shows(terminal: Terminal) -> None:
    shown = next(block.text for block in blocks_of(ROOT / "README.md") if "Answer (" in block.text)
    done = terminal.done(["pyodide-rlm", "demo"])
    changing = re.compile(r"\d+\.\d(?= s)|(?<=127\.0\.0\.1:)\d+")
    said = changing.sub("N", done.stdout + done.stderr)
    assert [line for line in changing.sub("N", shown).splitlines() if line not in said] == []
