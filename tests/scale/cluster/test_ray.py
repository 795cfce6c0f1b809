"""Ray on this machine: actors with a browser each, one that is killed on the way, and what is left of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray.data

from rlm_server.headless.result import ResultJson
from rlm_server.ray import Ask, actors
from tests.bench.processes import tree
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel
from tests.scale.conftest import Endpoint

PATIENCE = 300.0


def asked(rows: Any, endpoint: Endpoint, **arguments: Any) -> Any:
    """`rows` through two actors with a page each."""
    own = {"url": endpoint.url.removesuffix("/v1"), "token": endpoint.token, "model": "openai:m", "pages": 1}
    return rows.map_batches(Ask, fn_constructor_kwargs={**own, **arguments}, **actors(2, pages=1, num_cpus=0.5))


def dataset(rows: list[dict[str, Any]]) -> Any:
    return ray.data.from_items(rows, override_num_blocks=len(rows))


def test_a_row_with_an_error_ends_nothing_and_a_second_pass_pays_nothing(
    cluster: None, endpoint: Endpoint, tmp_path: Path
) -> None:
    model = endpoint.model
    (tmp_path / "lease.txt").write_text("Ann owns the mill")
    question = model.question(code("print(llm_query('of ray'))\nFINAL(context)"))
    rows: list[dict[str, Any]] = [
        {"id": "text", "question": question, "context": {"text": "the river"}},
        {"id": "path", "question": question, "context": {"path": "lease.txt"}},
        {"id": "empty", "question": "", "context": {"text": "nothing"}},
        {"id": "limit", "question": model.question("no code"), "options": json.dumps({"max_iterations": 1})},
        {"id": "unknown", "question": question, "options": json.dumps({"colour": "red"})},
    ]
    before = len(model.asked)
    ended = {row["id"]: row for row in asked(dataset(rows), endpoint, folder=str(tmp_path)).take_all()}
    paid = len(model.asked) - before
    assert {name: row["error"] and row["error"].partition(":")[0] for name, row in ended.items()} == {
        "text": None,
        "path": None,
        "empty": "ConfigError",
        "limit": "max_iterations",
        "unknown": "ConfigError",
    }
    assert (ended["text"]["answer"], ended["path"]["answer"]) == ("the river", "Ann owns the mill")
    whole: ResultJson = json.loads(ended["text"]["result"])
    assert (whole["answer"], whole["iterations"], ended["text"]["attempts"]) == ("the river", 1, 1)
    again = asked(dataset(rows[:2]), endpoint, folder=str(tmp_path)).take_all()
    assert sorted(row["answer"] for row in again) == ["Ann owns the mill", "the river"]
    assert len(model.asked) - before == paid


def slow_rows(model: ScriptedModel, count: int) -> list[dict[str, Any]]:
    """Rows of two sub-calls, each in an iteration of its own."""
    rows = []
    for number in range(count):
        last = code(f"print(llm_query('second {number}'))\nFINAL('{number}')")
        question = model.question(code(f"print(llm_query('first {number}'))"), last)
        rows.append({"id": str(number), "question": question})
    return rows


def kill_actor_at(model: ScriptedModel, call: str, title: str, before: int) -> Callable[[], set[int]]:
    """SIGKILL an actor when a call whose text begins with `call` has arrived; gives all processes that it had."""
    processes: set[int] = set()

    def kill() -> None:
        until(lambda: any(text.startswith(call) for _, text in model.asked[before:]))
        actor = next(pid for pid in running(title) if len([*tree(pid)]) > 3)
        processes.update(tree(actor))
        os.kill(actor, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()

    def killed() -> set[int]:
        thread.join()
        return processes

    return killed


def running(title: str) -> list[int]:
    """Processes whose title has `title` in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue  # it ended
        if text.startswith(b"ray::") and title.encode() in text:
            found.append(int(path.parent.name))
    return found


def alive(processes: set[int]) -> set[int]:
    """Those of `processes` that are there, and not mere entries."""
    left = set()
    for pid in processes:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            left.add(pid)
    return left


def until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def repeated(model: ScriptedModel, before: int) -> Counter[str]:
    """Sub-calls that arrived more than once, and how often."""
    texts = Counter(text for _, text in model.asked[before:] if text.startswith(("first", "second")))
    return Counter({text: times - 1 for text, times in texts.items() if times > 1})


def test_an_actor_that_is_killed_loses_no_row_pays_nothing_twice_and_leaves_no_browser(
    cluster: None, endpoint: Endpoint
) -> None:
    model, count = endpoint.model, 6
    rows, before = slow_rows(model, count), len(model.asked)
    killed = kill_actor_at(model, "second", "MapWorker", before)
    ended = asked(dataset(rows), endpoint).take_all()
    processes = killed()
    assert sorted(row["answer"] for row in ended) == [str(number) for number in range(count)]
    assert [row["error"] for row in ended] == [None] * count
    assert repeated(model, before).total() <= 1, "the call under way alone"
    assert len(processes) > 3
    until(lambda: not alive(processes))


def test_a_batch_on_ray_loses_no_row_with_an_actor_and_leaves_no_browser(endpoint: Endpoint, tmp_path: Path) -> None:
    model, count = endpoint.model, 6
    rows, before = slow_rows(model, count), len(model.asked)
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    own = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{model.upstream}/v1", "RLM_MODELS": "openai:m"}
    line = [sys.executable, "-m", "rlm_server", "batch", "q.jsonl", "--out", "a.jsonl"]
    killed = kill_actor_at(model, "second", "Asker", before)
    done = subprocess.run(
        [*line, "--engine", "ray", "--actors", "2", "--jobs", "2"],
        cwd=tmp_path, env={**kept, **own, "OLLAMA_BASE_URL": "none"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    processes = killed()
    assert done.returncode == 0, done.stderr
    answers = [json.loads(text) for text in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert sorted((row["id"], row["answer"]) for row in answers) == [(str(n), str(n)) for n in range(count)]
    assert repeated(model, before).total() <= 1, "the call under way alone"
    until(lambda: not alive(processes) and not running("Asker"))
