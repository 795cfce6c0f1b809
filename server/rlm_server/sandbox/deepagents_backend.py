"""deepagents backend: the sandbox as a `SandboxBackendProtocol`, for `create_deep_agent(backend=ContainedBackend())`.

In: file operations and Python of a deep agent. Out: deepagents' results. Files are those of the contained worker, under
the same paths for the file tools and for the code; nothing is on this machine's disk.
"""

from __future__ import annotations

import secrets
import shlex
from typing import Any

from deepagents.backends.protocol import ExecuteResponse, SandboxBackendProtocol
from deepagents.backends.state import StateBackend

from .blocking import BlockingSandbox
from .execution import Execution

MAX_FILE_BYTES = 4_000_000
READ = f"""
import base64 as _base64, datetime as _datetime, os as _os
def _read_files():
    found = {{}}
    for folder, folders, names in _os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("dev", "lib", "proc", "sys", "tmp")]
        for path in (_os.path.join(folder, name) for name in names):
            about = _os.stat(path)
            if about.st_size > {MAX_FILE_BYTES} or path.endswith((".zip", ".so")):
                continue
            with open(path, "rb") as file:
                data = file.read()
            try:
                text, encoding = data.decode(), "utf-8"
            except UnicodeDecodeError:
                text, encoding = _base64.b64encode(data).decode(), "base64"
            at = _datetime.datetime.fromtimestamp(about.st_mtime, _datetime.UTC).isoformat()
            found[path] = {{"content": text, "encoding": encoding, "created_at": at, "modified_at": at}}
    return found
_keep_files(_read_files())
"""
WRITE = """
import base64 as _base64, os as _os
for _path, _data in _update.items():
    if _data is None:
        _os.remove(_path)
        continue
    _os.makedirs(_os.path.dirname(_path), exist_ok=True)
    _content = _data["content"]
    with open(_path, "wb") as _file:
        _file.write(_content.encode() if _data["encoding"] == "utf-8" else _base64.b64decode(_content))
"""
NO_SHELL = (
    "There is no shell here. The command is Python: its source as it stands, `python -c '...'`, `python FILE`, or a "
    "script by `python - <<'EOF'`. Use the file tools to list, read, write and search files."
)


SHELL = {
    *("awk", "bash", "cat", "cd", "chmod", "cp", "curl", "date", "echo", "env", "find", "git", "grep", "head", "ls"),
    *("make", "mkdir", "mv", "node", "npm", "pip", "pip3", "pwd", "rm", "sed", "sh", "sort", "tail", "tar", "touch"),
    *("wc", "wget", "which"),
}
"""Commands of a shell that agents begin with; `cat /etc/passwd` would be Python too."""


class ContainedBackend(StateBackend, SandboxBackendProtocol):  # type: ignore[misc]  # unknown where it is not installed
    """A backend whose files and code are in the contained worker, started with the first operation.

    Files of up to 4,000,000 bytes are seen by the file tools; the code sees all.

    Args:
        options: arguments of `Sandbox`: `files`, `timeout`, `max_output_chars`, `packages`, `tools`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._id = f"contained-{secrets.token_hex(6)}"
        self._sandbox = BlockingSandbox(**options)
        self._is_open = False

    @property
    def id(self) -> str:
        """Name of this sandbox."""
        return self._id

    def execute(self, command: str, *, timeout: int | None = None) -> ExecuteResponse:
        """Run Python; its time is that of the sandbox, and `timeout` is not heeded."""
        source = python_of(command)
        if source is None:
            return ExecuteResponse(output=NO_SHELL, exit_code=127)
        done = self._done(source)
        output = "".join(
            part if part.endswith("\n") else f"{part}\n" for part in (done.stdout, done.value, done.error) if part
        )
        return ExecuteResponse(
            output, exit_code=int(done.error is not None), truncated=done.stdout_chars > len(done.stdout)
        )

    def close(self) -> None:
        """End the browser."""
        if self._is_open:
            self._is_open = False
            self._sandbox.close()

    def _read_files(self) -> dict[str, Any]:
        """The files, for the operations of `StateBackend`."""
        kept: list[dict[str, Any]] = []
        self._done(READ, tools={"_keep_files": kept.append}, raises=True)
        return kept[0]

    def _send_files_update(self, update: dict[str, Any]) -> None:
        self._done(WRITE, {"_update": update}, raises=True)

    def _done(
        self, code: str, variables: dict[str, Any] | None = None, *, tools: Any = None, raises: bool = False
    ) -> Execution:
        if not self._is_open:
            self._sandbox.__enter__()
            self._is_open = True
        done = self._sandbox.execute(code, variables, tools)
        if raises and done.error is not None:
            raise OSError(done.error.splitlines()[-1])
        return done


def python_of(command: str) -> str | None:
    """The Python of a command, `None` where it is one of a shell.

    >>> python_of("python3 -c 'print(1)'"), python_of("ls -l"), python_of("n = 6 * 7")
    ('print(1)', None, 'n = 6 * 7')
    """
    head, _, rest = command.strip().partition("\n")
    try:
        words = shlex.split(head if "<<" in head else command)
    except ValueError:
        words = []
    if words[:1] in (["python"], ["python3"]):
        return _script(words[1:], rest.splitlines())
    return None if words[:1] and words[0] in SHELL and words[1:2] != ["="] else command


def _script(words: list[str], lines: list[str]) -> str | None:
    """The script of an interpreter's arguments, or of the lines below them."""
    mark = next((word.lstrip("<-") for word in words if word.startswith("<<")), "")
    if mark and mark in lines:
        return "\n".join(lines[: lines.index(mark)])
    if words[:1] == ["-c"] and len(words) == 2:
        return words[1]
    if len(words) == 1 and not words[0].startswith("-"):
        return f"import runpy as _runpy\n_runpy.run_path({words[0]!r}, run_name='__main__')\nNone"
    return None
