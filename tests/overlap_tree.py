"""Overlap everywhere: a copy of this tree in which every run sends its sub-calls while its replies are written.

`python -m tests.overlap_tree` makes `build/overlap`, with built assets, for `make test PART=overlap`. Out: this tree
but for a default, and for the end of each reply of a root model, which comes a while after its text: scripted models
write theirs at once, and no call would leave ahead of it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "overlap"
FOLDERS = ("rlm_core", "server", "web", "worker", "tests", "npm", "docs")
LINKS = (".venv", "node_modules")
BUILT = ("build/assets", "build/cache", "build/pyodide")
PAUSE = "await new Promise((read) => void setTimeout(read, 250))"
SWITCHED = {
    "worker/options/settings.js": {
        'overlap: { otherwise: false, must: "be true': 'overlap: { otherwise: true, must: "be true'
    },
    "worker/calls/broker.js": {
        "readSingle(response, { take, ...readers })": (
            "readSingle(response, { take, ...readers, isRoot: pieces !== null })"
        )
    },
    "worker/calls/endpoint.js": {
        "readSingle(response, { take, write, think })": "readSingle(response, { take, write, think, isRoot = false })",
        "if (isJson(response)) return takeReply(take, 0, await jsonOf(response));": (
            "if (isJson(response)) { const reply = await jsonOf(response); "
            'if (isRoot && typeof fieldsOf(reply).text === "string") { write(String(fieldsOf(reply).text)); '
            f"{PAUSE}; }} return takeReply(take, 0, reply); }}"
        ),
        "if (event.done === true)\n": f"if (event.done === true && (!isRoot || deltas.length === 0 || !({PAUSE})))\n",
    },
}


def main() -> None:
    for name in FOLDERS:
        shutil.rmtree(COPY / name, ignore_errors=True)
        shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".env":
            shutil.copy2(path, COPY)
    for name in LINKS:
        (COPY / name).unlink(missing_ok=True)
        (COPY / name).symlink_to(ROOT / name)
    for name in BUILT:
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, COPY / name, dirs_exist_ok=True)
    for name, changes in SWITCHED.items():
        (COPY / name).write_text(changed((COPY / name).read_text(), changes, name))
    subprocess.run([sys.executable, str(COPY / "hatch_build.py")], cwd=COPY, check=True)


def changed(text: str, changes: Mapping[str, str], name: str) -> str:
    for old, new in changes.items():
        if text.count(old) != 1:
            raise LookupError(f"{name} holds {old!r} {text.count(old)} times: it and this module differ.")
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    main()
