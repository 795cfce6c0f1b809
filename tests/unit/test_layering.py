"""Layering: who may import whom, read from the source; and that the core keeps to itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rlm_core

ROOT = Path(__file__).parents[2]
CORE = ROOT / "rlm_core"

LAYERS = [
    {"types", "errors", "documents"},
    {"interpreter_state", "output", "text_format", "python_source"},
    {"events", "limits", "provider", "finals", "tracebacks", "contexts"},
    {"parse", "prompts", "observe", "repl"},
    {"compact", "finish", "job", "session", "subcalls", "tools", "trajectory"},
    {"run"},
    {"cassette", "testing", "__init__"},
]
"""From the ground up: a module imports from layers below its own only."""

APART = {"protocol", "_protocol_js"}
"""The channel's types and their generator: the loop does not know of them."""

FORBIDDEN = {"js", "pyodide", "asyncio", "logging", "threading", "socket", "ssl", "subprocess", "urllib", "http"}


def imports(path: Path) -> Iterator[str]:
    """Dotted names that the module imports, `rlm_core.x` for its own relatives."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield from ([f"rlm_core.{node.module}"] if node.module else [f"rlm_core.{a.name}" for a in node.names])
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"rlm_core.{alias.name}" for alias in node.names if node.module == "rlm_core")


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def test_every_module_of_the_core_has_its_layer() -> None:
    assert {path.stem for path in modules(CORE)} == set().union(*LAYERS) | APART


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_a_module_imports_from_below_only(layer: int) -> None:
    below = set().union(*LAYERS[:layer])
    for name in LAYERS[layer]:
        own = {found.split(".")[1] for found in imports(CORE / f"{name}.py") if found.startswith("rlm_core.")}
        assert own <= below, f"{name} imports {sorted(own - below)}"


@pytest.mark.parametrize("path", modules(CORE), ids=lambda path: path.stem)
def test_the_core_needs_the_standard_library_only(path: Path) -> None:
    outside = {found.split(".")[0] for found in imports(path)} - {"rlm_core"}
    assert outside <= sys.stdlib_module_names
    assert not outside & FORBIDDEN


@pytest.mark.parametrize("path", modules(CORE), ids=lambda path: path.stem)
def test_the_core_never_prints(path: Path) -> None:
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    printing = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert printing == [] or path.stem in APART  # `python -m rlm_core.protocol` is a command


def test_the_server_and_the_workers_python_half_know_the_core_but_not_each_other() -> None:
    server = {found.split(".")[0] for path in modules(ROOT / "server") for found in imports(path)}
    worker = {found.split(".")[0] for path in (ROOT / "worker" / "sandbox").glob("*.py") for found in imports(path)}
    core = {found.split(".")[0] for path in modules(CORE) for found in imports(path)}
    bound = {path.stem for path in (ROOT / "worker" / "sandbox").glob("*.py")}
    assert not server & (bound - {"run"})
    assert "rlm_server" not in worker | core
    assert not core & bound


def test_importing_the_core_loads_nothing_that_it_must_not_use() -> None:
    code = (
        "import sys, rlm_core; print(sorted(set(sys.modules) & {'asyncio', 'logging', 'socket', 'ssl', 'subprocess'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_are_sorted_and_there() -> None:
    assert rlm_core.__all__ == sorted(rlm_core.__all__)
    assert all(hasattr(rlm_core, name) for name in rlm_core.__all__)


def test_files_stay_short_enough_to_read() -> None:
    assert {path.name: len(path.read_text().splitlines()) for path in modules(CORE)}.items() <= {
        (path.name, count) for path in modules(CORE) if (count := len(path.read_text().splitlines())) < 450
    }
