"""Layering: who may import whom, read from the source; and that the core keeps to itself."""

from __future__ import annotations

import ast
import posixpath
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

import rlm_core

ROOT = Path(__file__).parents[2]
CORE = ROOT / "rlm_core"

LAYERS = [
    {"types", "errors", "documents", "table_format", "ecma_pattern", "json_depth"},
    {
        "interpreter_state",
        "images",
        "block_source",
        "output",
        "text_format",
        "python_source",
        "quotes",
        "reply_text",
        "schema_forms",
        "last_batch",
        "plot",
        "pure_values",
        "written_json",
    },
    {
        "json_schema",
        "plain_readers",
        "events",
        "limits",
        "provider",
        "finals",
        "tracebacks",
        "contexts",
        "surroundings",
        "plain_words",
        "invented",
        "repeated",
        "evidence",
        "values",
        "value_text",
        "display",
        "evaluation",
        "pure_names",
    },
    {"last_value", "pure_expressions"},
    {"parse", "prompts", "observe", "repl", "pure_code"},
    {"reply_values", "overlap"},
    {"accept", "child_outcome", "compact", "finish", "job", "session", "subcalls", "tools", "trajectory"}
    | {"executor"},
    {"console", "direct_prompt", "direct_reply", "map_items"},
    {"direct"},
    {"run"},
    {"cassette", "testing", "__init__"},
]
"""From the ground up: a module imports from layers below its own only."""

APART = {"protocol", "_protocol_js", "frames"}
"""The channel's types and their generator: the loop does not know of them."""

FORBIDDEN = {"js", "pyodide", "asyncio", "logging", "threading", "socket", "ssl", "subprocess", "urllib", "http"}


def imports(path: Path) -> Iterator[str]:
    return imported_names(path.read_text(encoding="utf-8"))


def imported_names(text: str) -> Iterator[str]:
    """Dotted names that a module of this text imports, `rlm_core.x` for its own relatives."""
    for node in ast.walk(ast.parse(text)):
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
        own = core_modules((CORE / f"{name}.py").read_text(encoding="utf-8"))
        assert own <= below, f"{name} imports {sorted(own - below)}"


def core_modules(text: str) -> set[str]:
    """Modules of the core that a module of this text imports."""
    return {found.split(".")[1] for found in imported_names(text) if found.startswith("rlm_core.")}


PLANTED = ["from .{} import x", "from . import {}", "from rlm_core.{} import x", "from rlm_core import {}"]


@pytest.mark.parametrize("planted", [*PLANTED, "import rlm_core.{}", "def f():\n    from .{} import x"])
@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_a_planted_import_from_the_same_layer_or_above_is_noticed(layer: int, planted: str) -> None:
    below = set().union(*LAYERS[:layer])
    for name in set().union(*LAYERS[layer:]):
        assert core_modules(planted.format(name)) - below == {name}


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


BOUND = {path.stem for path in (ROOT / "worker" / "sandbox").glob("*.py")}
HALVES = {
    "core": (modules(CORE), BOUND | {"rlm_server"}),
    "server": (modules(ROOT / "server"), BOUND),
    "worker": (modules(ROOT / "worker" / "sandbox"), {"rlm_server"}),
}
"""The three parts in Python: their modules, and the names that these may not import; all may import the core."""


def roots(text: str) -> set[str]:
    return {found.split(".")[0] for found in imported_names(text)}


@pytest.mark.parametrize("half", HALVES)
def test_the_server_and_the_workers_python_half_know_the_core_but_not_each_other(half: str) -> None:
    paths, forbidden = HALVES[half]
    found = {path.name: roots(path.read_text(encoding="utf-8")) & forbidden for path in paths}
    assert paths
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("planted", ["import {}", "from {} import x", "def f():\n    from {}.x import y"])
def test_a_planted_import_of_the_other_half_is_noticed(half: str, planted: str) -> None:
    for name in HALVES[half][1]:
        assert roots(planted.format(name)) & HALVES[half][1] == {name}


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


# --------------------------------------------------------------------------------------------------- worker/ and web/

JS_LAYERS = [
    {"wire"},
    {"log", "time"},
    {"recovery", "egress", "boot", "calls"},
    {"replay", "run", "types"},
    {"options"},
    {"providers"},
    {"face"},
]
"""From the ground up: a folder of `worker/` imports from folders below its own only; the face is `rlm.js` with the
scripts beside it, and `types` is `rlm.d.ts`. Types in comments are imports too."""

JS_APART = {"sandbox": {"wire"}, "types": {"wire"}, "web": {"face", "log", "providers", "types", "wire"}}
"""The untrusted half and the public types know the wire alone; the page knows the face, and reads logs."""

JS_IMPORT = re.compile(r"""(?:\bfrom|\bimport\s*\(|^import)\s*["']([^"']+)["']""", re.MULTILINE)


def scripts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.name.endswith((".js", ".d.ts")))


def room(path: PurePath) -> str:
    """The folder of a module of `worker/` or `web/`, as the layers name it."""
    first, *rest = path.parts
    if path == PurePath("worker", "rlm.d.ts"):
        return "types"
    return "web" if first == "web" else rest[0] if len(rest) > 1 else "face"


def rooms_imported(name: str, text: str) -> set[str]:
    """Other rooms that the module at `name` imports from, be it for a type."""
    module = PurePath(name)
    found = set()
    for target in JS_IMPORT.findall(text):
        if target.startswith("/rlm/"):
            found.add(room(PurePath("worker", target.removeprefix("/rlm/"))))
        elif target.startswith("."):
            found.add(room(PurePath(posixpath.normpath(module.parent / target))))
    return found - {room(module)}


def rooms_allowed(name: str) -> set[str]:
    if name in JS_APART:
        return JS_APART[name]
    [level] = [level for level, layer in enumerate(JS_LAYERS) if name in layer]
    return set().union(*JS_LAYERS[:level])


JS_MODULES = [path.relative_to(ROOT) for folder in ("worker", "web") for path in scripts(ROOT / folder)]
ROOMS = sorted({room(path) for path in JS_MODULES})


def test_every_folder_of_the_worker_has_its_layer() -> None:
    assert set(ROOMS) == set().union(*JS_LAYERS) | set(JS_APART)


@pytest.mark.parametrize("name", ROOMS)
def test_a_folder_of_scripts_imports_from_below_only(name: str) -> None:
    for path in JS_MODULES:
        if room(path) == name:
            found = rooms_imported(path.as_posix(), (ROOT / path).read_text(encoding="utf-8"))
            assert found <= rooms_allowed(name), f"{path} imports from {sorted(found - rooms_allowed(name))}"


@pytest.mark.parametrize("planted", ['import {{ x }} from "{}";', '/** @typedef {{import("{}").X}} X */'])
@pytest.mark.parametrize("name", ROOMS)
def test_a_planted_import_from_above_or_beside_is_noticed(name: str, planted: str) -> None:
    module = {"web": "web/x.js", "face": "worker/x.js", "types": "worker/rlm.d.ts"}.get(name, f"worker/{name}/x.js")
    base = "/rlm" if name == "web" else "." if name in ("face", "types") else ".."
    above = sorted(set(ROOMS) - rooms_allowed(name) - {name, "web"})
    assert above
    for other in above:
        target = {"face": "rlm.js", "types": "rlm.d.ts"}.get(other, f"{other}/y.js")
        assert rooms_imported(module, planted.format(f"{base}/{target}")) == {other}


def files_imported(name: str, text: str) -> set[str]:
    """Files of the same tree that the module at `name` imports, be it for a type."""
    targets = (target for target in JS_IMPORT.findall(text) if target.startswith("."))
    return {posixpath.normpath(PurePath(name).parent / target) for target in targets}


def circles(graph: dict[str, set[str]]) -> set[str]:
    """The files that import each other, directly or in a circle: those left when all others are taken off."""
    left = dict(graph)
    while loose := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in loose}
    while unused := left.keys() - set().union(*left.values(), set()):
        left = {name: targets for name, targets in left.items() if name not in unused}
    return set(left)


def test_no_scripts_of_the_worker_import_each_other_in_a_circle() -> None:
    own = (path for path in JS_MODULES if path.parts[0] == "worker")
    modules = {path.as_posix(): (ROOT / path).read_text(encoding="utf-8") for path in own}
    assert circles({name: files_imported(name, text) for name, text in modules.items()}) == set()


def test_a_planted_circle_is_noticed() -> None:
    types = {"a.js": {"b.js"}, "b.js": files_imported("b.js", '/** @type {import("./a.js").A} */'), "c.js": {"a.js"}}
    assert circles(types) == {"a.js", "b.js"}
