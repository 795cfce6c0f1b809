"""Peers: other RLM libraries, each pinned in a virtual environment of its own in the user's cache.

In: the URL of the bench's model. Out: for each peer that can be installed and started here a process that runs works;
for each other one the reason. The folder is `pyodide-rlm-bench` in the cache, which may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatch_build import npm
from tests.bench.lab import ROOT

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyodide-rlm-bench"
PINNED = {"rlms": "0.1.3", "dspy": "3.4.1", "rlmness": "0.2.1", "droste": "0.26.0"}
LABELS = {
    "rlms": "rlms, in process",
    "dspy": "dspy.RLM, Deno and Pyodide",
    "rlmness": "rlmness, a process beside",
    "droste": "droste, in process",
}
DENO = "2.9.6"
STD_IO = "https://deno.land/std@0.186.0/io/mod.ts"
"""The one module that dspy's sandbox takes from deno.land; the bench hands it one that needs no registry but npm's."""
READ_LINES = """export async function* readLines(reader) {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(1 << 16);
  let held = [];
  for (let size; (size = await reader.read(chunk)) !== null; ) {
    const [first, ...others] = decoder.decode(chunk.subarray(0, size), { stream: true }).split("\\n");
    held.push(first);
    for (const line of others) {
      yield held.join("");
      held = [line];
    }
  }
  if (held.join("") !== "") yield held.join("");
}
"""


class Missing(Exception):
    """A peer cannot be measured here; the message is the reason."""


@dataclass
class Runner:
    """A process that answers one work after the other; see `peer_runs` and `own_runs`."""

    label: str
    process: subprocess.Popen[str]

    def measured(self, *fields: str) -> Any:
        """Figures of a work, as the process prints them.

        Raises:
            Missing: the work failed, or the process ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write("\t".join(fields) + "\n")
            self.process.stdin.flush()
            figures = json.loads(self.process.stdout.readline() or "{}")
        except OSError:
            figures = {}
        if figures is not None and "seconds" not in figures:
            raise Missing(figures.get("failed", "its process ended"))
        return figures


@contextmanager
def running(label: str, line: list[str], environment: Mapping[str, str], folder: Path = ROOT) -> Iterator[Runner]:
    """A `Runner` until the block ends."""
    process = subprocess.Popen(
        line,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Runner(label, process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def peer_running(name: str, site: str) -> Iterator[Runner]:
    """The peer `name`, installed on first use.

    Raises:
        Missing: it cannot be installed.
    """
    python = installed(name)
    environment = {"PYTHONPATH": str(ROOT), **(deno_environment() if name == "dspy" else {})}
    with running(LABELS[name], [str(python), "-m", "tests.bench.peer_runs", name, site], environment) as runner:
        yield runner


def installed(name: str) -> Path:
    """The interpreter of the peer's environment.

    Raises:
        Missing: it cannot be made.
    """
    folder = CACHE / f"{name}-{PINNED[name]}"
    python = folder / "bin" / "python"
    if not (folder / "whole").exists():
        ran([sys.executable, "-m", "venv", "--clear", str(folder)])
        ran([str(python), "-m", "pip", "install", "--quiet", f"{name}=={PINNED[name]}"])
        (folder / "whole").touch()
    return python


def deno_environment() -> dict[str, str]:
    """Variables by which dspy finds npm's `deno`, and the module that the bench hands it."""
    folder = CACHE / f"deno-{DENO}"
    if not (folder / "node_modules" / ".bin" / "deno").exists():
        folder.mkdir(parents=True, exist_ok=True)
        ran([*npm(), "install", "--prefix", str(folder), f"deno@{DENO}"])
    (folder / "io.js").write_text(READ_LINES)
    (folder / "imports.json").write_text(json.dumps({"imports": {STD_IO: "./io.js"}}))
    return {
        "PATH": f"{folder / 'node_modules' / '.bin'}:{os.environ['PATH']}",
        "DENO_DIR": str(folder / "cache"),
        "DENO_IMPORT_MAP": str(folder / "imports.json"),
        "DENO_NO_UPDATE_CHECK": "1",
    }


def ran(line: list[str]) -> None:
    try:
        subprocess.run(line, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        said = getattr(fault, "stderr", None) or str(fault)
        raise Missing(f"it cannot be installed: {said.strip().splitlines()[-1][:200]}") from fault
