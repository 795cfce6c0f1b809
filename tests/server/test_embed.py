"""`pyodide-rlm embed`: the copy for a static site is whole, current, and put nowhere else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from click.testing import CliRunner

from rlm_server.command.cli import main
from rlm_server.command.embed import embed

IMPORT = re.compile(r'^(?:import|export)[^;]*?from "(\.[\w./]+)"', re.MULTILINE)


def test_every_module_that_a_page_imports_is_there(tmp_path: Path) -> None:
    embed(tmp_path / "rlm", tmp_path / "none")
    wanted, seen = [tmp_path / "rlm" / "rlm.js"], set()
    while wanted:
        module = wanted.pop().resolve()
        seen.add(module)
        found = [module.parent / name for name in IMPORT.findall(module.read_text()) if name.endswith(".js")]
        wanted += [each for each in found if each.resolve() not in seen]
    assert len(seen) > 20
    element = (tmp_path / "rlm" / "ask.js").read_text()
    beside = re.findall(r'from ?"(\./[\w./]+)"', element)
    assert "./rlm.js" in beside
    assert all((tmp_path / "rlm" / name).is_file() for name in beside)


def test_the_assets_are_those_of_the_manifest_and_no_others(tmp_path: Path) -> None:
    assets = tmp_path / "rlm" / "assets"
    embed(tmp_path / "rlm", tmp_path / "none")
    (assets / "worker.000000000000.js").write_text("of an older version")
    embed(tmp_path / "rlm", tmp_path / "none")
    files = json.loads((assets / "manifest.json").read_text())["files"]
    assert {"worker.js", "relay.js", "pyodide.asm.wasm", "python_stdlib.zip", "core.zip"} <= files.keys()
    there = {path.name: path.stat().st_size for path in assets.iterdir() if path.name != "manifest.json"}
    assert there == {entry["path"]: entry["bytes"] for entry in files.values()}


def test_packages_that_were_added_come_along_and_go_again(tmp_path: Path) -> None:
    kept, copied = tmp_path / "kept", tmp_path / "rlm" / "assets" / "packages"
    kept.mkdir()
    (kept / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    lock = {"info": {}, "packages": {"a": {"file_name": "a-1-py3-none-any.whl"}}}
    (kept / "pyodide-lock.json").write_text(json.dumps(lock))
    embed(tmp_path / "rlm", kept)
    assert sorted(path.name for path in copied.iterdir()) == ["a-1-py3-none-any.whl", "pyodide-lock.json"]
    embed(tmp_path / "rlm", tmp_path / "none")
    assert list(copied.iterdir()) == []


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a site")
    done = CliRunner().invoke(main, ["embed", str(tmp_path)])
    assert done.exit_code == 2
    assert "holds other files" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_the_command_says_how_a_page_uses_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["embed", str(tmp_path / "rlm")])
    assert done.exit_code == 0
    assert 'import { RLM } from "./rlm/rlm.js"' in done.output
    assert "RLM_ALLOWED_ORIGINS" in done.output


def test_the_whole_page_is_copied_with_its_mark_its_samples_and_its_policy(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["embed", str(tmp_path / "ask"), "--page"])
    assert done.exit_code == 0
    assert "Publish the folder as it is" in done.output
    site = tmp_path / "ask"
    index = (site / "index.html").read_text()
    assert '<meta name="pyodide-rlm" content="static">' in index
    named = re.findall(r'(?:href|src)="([\w./-]+)"', index)
    samples = [sample["file"] for sample in json.loads((site / "page/samples/samples.json").read_text())]
    assert {"page/app.js", "page/favicon.svg"} <= set(named)
    assert all((site / name).is_file() for name in [*named, *(f"page/samples/{name}" for name in samples)])
    assert "start the server" not in index
    assert CliRunner().invoke(main, ["embed", str(site), "--page"]).exit_code == 0  # a later version, over it


def test_the_page_brings_its_own_isolation_where_it_is_asked_for(tmp_path: Path) -> None:
    site = tmp_path / "ask"
    line = ["embed", str(site), "--page"]
    assert CliRunner().invoke(main, [*line, "--isolate"]).exit_code == 0
    index = (site / "index.html").read_text()
    assert index.index('<script src="isolate.js"></script>') < index.index("page/app.js")
    assert (site / "isolate.js").is_file()
    assert CliRunner().invoke(main, line).exit_code == 0
    assert "isolate.js" not in (site / "index.html").read_text()
    assert not (site / "isolate.js").exists()
    alone = CliRunner().invoke(main, ["embed", str(tmp_path / "rlm"), "--isolate"])
    assert (alone.exit_code, "--isolate goes with --page" in alone.output) == (2, True)


def test_the_page_is_not_copied_over_another_site(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a site")
    done = CliRunner().invoke(main, ["embed", str(tmp_path), "--page"])
    assert done.exit_code == 2
    assert "holds other files" in done.output
    assert (tmp_path / "index.html").read_text() == "a site"


def test_the_printed_policy_holds_the_hash_of_the_frames_script(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["embed", str(tmp_path / "rlm")])
    [name] = (tmp_path / "rlm" / "assets").glob("relay.*.js")
    digest = base64.b64encode(hashlib.sha256(name.read_bytes()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}' 'wasm-unsafe-eval'; worker-src 'self' blob:;" in done.output
