"""The contained worker and its host, end to end on the page: runs, stops, limits, files, and nothing that gets out."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.browser.lab import FINISH, code, prepare, printed, run

NASTY = {
    "an endless loop": "while True: pass",
    "a loop in C": "sum(range(10**12))",
    "a loop that catches everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "an iterator that never ends": "import collections, itertools; collections.deque(itertools.count(), maxlen=0)",
    "a sleep": "import time; time.sleep(3600)",
}


def types(result: Any) -> list[str]:
    return [event["type"] for event in result["events"]]


def test_a_run_ends_with_the_answer_its_usage_and_its_trajectory(page: Page, faults: list[str]) -> None:
    first = code("print(len(context))\nx = llm_query('hi')\nprint(llm_batch(['a', 'b', 'c']))")
    result = run(page, [first, code("FINAL(x)")], context="hello world", options={"model": "m:1", "subModel": "m:2"})
    assert (result["answer"], result["stoppedBy"], result["iterations"]) == ("sub:hi", "final_answer", 2)
    assert result["usage"] == {
        "root": {"calls": 3, "input_tokens": 9, "output_tokens": 6, "cached_tokens": 0, "cost": None},
        "sub": {"calls": 3, "input_tokens": 9, "output_tokens": 6, "cached_tokens": 0, "cost": None},
    }
    assert printed(result) == "11\n['sub:a', 'sub:b', 'sub:c']\n"
    assert [call["prompt"] for call in result["subCalls"]] == ["hi", "a", "b", "c"]
    assert [post.get("model") for post in result["posts"]] == ["m:1", "m:2", "m:2", "m:1"]
    assert [(told["index"], len(told["codeBlocks"])) for told in result["told"]] == [(0, 1), (1, 1)]
    assert result["told"][0]["response"] == first
    lines = [json.loads(line) for line in result["trajectory"].splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    assert (lines[0]["type"], lines[-1]["type"]) == ("run_started", "run_finished")
    assert "output" not in {line["type"] for line in lines}
    assert "output" in types(result)
    assert faults == []


def test_the_log_holds_each_message_once(shared_page: Page) -> None:
    result = run(shared_page, [code("print(1)"), code("print(2)"), FINISH])
    roots = [event for event in result["events"] if event["type"] == "call_started"]
    assert [(event["kept"], len(event["messages"])) for event in roots] == [(0, 2), (2, 2), (4, 2)]


def test_the_worker_is_fully_contained(shared_page: Page) -> None:
    result = run(shared_page, [FINISH])
    notices = [event["text"] for event in result["events"] if event["type"] == "notice"]
    assert any("containment: full; channel: shared-memory" in text for text in notices)


@pytest.mark.timed
@pytest.mark.parametrize("block", NASTY.values(), ids=NASTY.keys())
def test_a_stop_ends_the_run_within_half_a_second_and_keeps_the_partial_answer(shared_page: Page, block: str) -> None:
    replies = [code("answer['content'] = 'half way'"), code(f"print('spinning')\n{block}")]
    result = run(shared_page, replies, stopOn="spinning")
    assert (result["stoppedBy"], result["answer"]) == ("cancelled", "half way")
    assert result["stopMs"] < 500
    assert types(result)[-1] == "run_finished"


@pytest.mark.timed
def test_a_stop_keeps_what_the_stopped_block_had_found(shared_page: Page) -> None:
    block = "answer['content'] = 'found so far'\nprint('spinning')\nwhile True: pass"
    result = run(shared_page, [code(block)], stopOn="spinning")
    assert (result["stoppedBy"], result["answer"]) == ("cancelled", "found so far")
    assert "KeyboardInterrupt" in printed(result)


@pytest.mark.timed
def test_a_stop_while_a_model_is_asked_aborts_the_call(shared_page: Page) -> None:
    result = run(shared_page, [code("answer['content'] = 'so far'"), None], stopOn='"call":1')
    assert (result["stoppedBy"], result["answer"]) == ("cancelled", "so far")
    assert result["stopMs"] < 500
    assert types(result)[-2:] == ["call_finished", "run_finished"]
    assert result["events"][-2]["error"] == "the call was stopped"


def test_a_stop_before_the_worker_is_ready_ends_the_run(page: Page) -> None:
    script = """async () => {
      const {RLM} = await import("/rlm/rlm.js");
      const result = await new RLM().run("What?", {signal: AbortSignal.timeout(50)});
      return [result.stoppedBy, result.trajectory().split("\\n").filter(Boolean).length];
    }"""
    assert page.evaluate(script) == ["cancelled", 2]


def test_the_time_limit_ends_a_block_that_never_would(shared_page: Page) -> None:
    replies = [code("answer['content'] = 'half way'"), code("while True: pass")]
    prepare(shared_page)
    result = run(shared_page, replies, options={"maxTimeout": 2_500})
    assert (result["stoppedBy"], result["answer"]) == ("max_seconds", "half way")
    assert "2.5 s" in result["detail"]


def test_runs_follow_each_other_without_fetching_the_assets_again(page: Page) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    for number in (1, 2):
        assert run(page, [code(f"FINAL('run {number}')")])["answer"] == f"run {number}"
    assert len([url for url in fetched if ".wasm" in url or ".zip" in url]) == 3


def test_a_fresh_run_knows_nothing_of_the_one_before(shared_page: Page) -> None:
    run(shared_page, [code("import builtins; builtins.left = 1; x = 1"), FINISH])
    result = run(shared_page, [code("import builtins; print('x' in globals(), hasattr(builtins, 'left'))"), FINISH])
    assert printed(result) == "False False\n"


# --- Powers that the worker lacks ------------------------------------------------------------------------------------

ATTEMPTS = """
import gc, pyodide_js, sys, socket, urllib.request
from pyodide.ffi import create_proxy, run_sync, to_js
from pyodide.code import run_js
import pyodide.http

URL = "http://127.0.0.1:PORT/"

def attempt(name, action):
    try:
        print(name, "->", str(action())[:80])
    except BaseException as error:
        print(name, "refused", type(error).__name__)

def scope():
    import js
    return js

attempt("js.fetch", lambda: scope().fetch(URL))
attempt("js.XMLHttpRequest", lambda: scope().XMLHttpRequest.new())
attempt("open_url", lambda: pyodide.http.open_url(URL))
attempt("pyfetch", lambda: run_sync(pyodide.http.pyfetch(URL)))
attempt("urllib", lambda: urllib.request.urlopen(URL, timeout=1).read())
attempt("run_js fetch", lambda: run_js(f"fetch('{URL}')"))
attempt("Function", lambda: pyodide_js.loadPackage.constructor.new(f"return fetch('{URL}')")())
attempt("loadPackage", lambda: run_sync(pyodide_js.loadPackage(URL + "a.whl")))
attempt("loaded by api", lambda: pyodide_js._api.config.jsglobals.fetch(URL))
attempt("module fetch", lambda: pyodide_js._module.fetch(URL))

caught = []
def take(this, *rest):
    caught.append(this)
take_proxy = create_proxy(take, capture_this=True)
attempt("setTimeout this", lambda: pyodide_js._api.scheduleCallback(take_proxy, 0))
for found in gc.get_objects():
    if type(found).__name__ == "JsProxy":
        for name in ("fetch", "XMLHttpRequest", "WebSocket", "EventSource", "importScripts", "navigator", "indexedDB"):
            attempt(f"gc {name}", lambda: getattr(found, name))
print("alive")
"""


@contextmanager
def canary() -> Iterator[tuple[int, list[object]]]:
    """A port on loopback, and everyone who connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        visitors: list[object] = []
        threading.Thread(target=_welcome, args=(listener, visitors), daemon=True).start()
        yield listener.getsockname()[1], visitors


def _welcome(listener: socket.socket, visitors: list[object]) -> None:
    while True:
        try:
            connection, address = listener.accept()
        except OSError:
            return
        visitors.append(address)
        connection.sendall(b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n")
        connection.close()


def test_model_code_reaches_no_network(shared_page: Page, browser: Browser) -> None:
    with canary() as (port, visitors):
        result = run(shared_page, [code(ATTEMPTS.replace("PORT", str(port))), FINISH])
        shown = printed(result)
        assert "alive" in shown
        assert "->" not in shown.replace("setTimeout this ->", "")
        assert result["answer"] == "done"
        assert visitors == []
        _unprotected_worker_reaches(browser, port)
        assert len(visitors) == 1


def _unprotected_worker_reaches(browser: Browser, port: int) -> None:
    """The positive control: the same request from a worker without our header arrives."""
    page = browser.new_page()
    page.evaluate(
        """(url) => new Promise((done) => {
          const script = `fetch("${url}").finally(() => postMessage(1))`;
          const worker = new Worker(URL.createObjectURL(new Blob([script])));
          worker.onmessage = done;
        }).then(() => 1)""",
        f"http://127.0.0.1:{port}/",
    )
    page.close()


def test_a_socket_reaches_nothing_and_the_run_goes_on(shared_page: Page) -> None:
    with canary() as (port, visitors):
        connect = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).sendall(b'x')"
        result = run(shared_page, [code(connect), FINISH])
        assert "Error" in printed(result)
        assert result["answer"] == "done"
        assert visitors == []


def test_a_script_run_by_the_runtime_reaches_nothing(shared_page: Page) -> None:
    with canary() as (port, visitors):
        script = f"fetch('http://127.0.0.1:{port}/')"
        block = f"import ctypes\nctypes.CDLL(None).emscripten_run_script({script!r}.encode())"
        result = run(shared_page, [code("answer['content'] = 'half way'"), code(block), FINISH])
        assert result["answer"] in ("done", "half way")
        assert visitors == []


def test_the_module_of_the_page_is_empty(shared_page: Page) -> None:
    look = "import js\nprint([name for name in dir(js) if not name.startswith('_')])"
    assert "fetch" not in printed(run(shared_page, [code(look), FINISH]))


def test_memory_is_capped_and_the_run_goes_on(shared_page: Page) -> None:
    hoard = "hoard = []\nwhile True:\n    hoard.append(bytearray(100_000_000))"
    result = run(shared_page, [code(hoard), code("count = len(hoard); hoard = None; print(count, end='')"), FINISH])
    assert "MemoryError" in printed(result)
    assert result["answer"] == "done"
    assert 15 <= int(printed(result).partition("MemoryError")[2]) <= 22


def test_three_deaths_in_a_row_end_the_run_with_the_partial_answer(shared_page: Page) -> None:
    die = code("import os; os._exit(3)")
    result = run(shared_page, [code("answer['content'] = 'half way'"), die, die, die, FINISH])
    assert (result["stoppedBy"], result["answer"]) == ("worker_lost", "half way")


def test_a_flood_of_output_is_joined_and_bounded(shared_page: Page) -> None:
    result = run(shared_page, [code("for number in range(200_000): print(number)"), FINISH])
    outputs = [event for event in result["events"] if event["type"] == "output"]
    assert result["answer"] == "done"
    assert len(outputs) < 400


# --- When the worker is no good ------------------------------------------------------------------------------------

FAKE = """
onmessage = ({data: {port, epoch}}) => {
  const say = (message) => port.postMessage({epoch, ...message});
  port.onmessage = ({data: {job}}) => (SCRIPT);
  say({type: "ready", level: "full", reason: "", transport: "shared-memory", seconds: 1});
};
"""
LOST = {
    "a message of no type": ("port.postMessage(7)", "unknown type"),
    "a prototype's name as type": ("say({type: 'constructor'})", "unknown type"),
    "another epoch": ("say({type: 'ack', sequence: 1, epoch: epoch + 1})", "of epoch"),
    "a missing field": ("say({type: 'request', sequence: 1})", "request.body is not a string"),
    "events that are no JSON": ("say({type: 'events', body: '{'})", "JSON"),
    "an unknown event": ("say({type: 'events', body: '[{\"type\": \"x\"}]'})", "an event of type x"),
    "a result of unknown ending": (
        """say({type: 'finished', result: JSON.stringify({answer: '', iterations: 1, seconds: 1, usage: {},
          stopped_by: 'magic', detail: '', fault: null})})""",
        "result.stopped_by is none of",
    ),
    "an uncaught error": ("setTimeout(() => { throw new Error('oops'); })", "oops"),
    "its own word that it failed": ("say({type: 'failed', stage: 'run', error: 'no more'})", "no more"),
    "a second ready": (
        "say({type: 'ready', level: 'full', reason: '', transport: 'jspi', seconds: 1})",
        "unexpected message ready",
    ),
}


def fake_worker(context: BrowserContext, script: str) -> None:
    headers = {
        "Content-Type": "text/javascript",
        "Content-Security-Policy": "sandbox allow-scripts",
        "Cross-Origin-Embedder-Policy": "require-corp",
    }
    body = FAKE.replace("SCRIPT", script)
    context.route("**/worker.*.js", lambda route: route.fulfill(headers=headers, body=body))


@pytest.mark.parametrize(("script", "told"), LOST.values(), ids=LOST.keys())
def test_a_worker_that_breaks_the_protocol_is_lost(page: Page, context: BrowserContext, script: str, told: str) -> None:
    fake_worker(context, script)
    result = run(page, [])
    assert result["stoppedBy"] == "worker_lost"
    assert told in result["detail"]
    assert types(result) == ["run_started", "run_finished"]


def test_a_worker_cannot_forge_calls_or_the_end(page: Page, context: BrowserContext) -> None:
    usage = '{"calls": 9, "input_tokens": 9, "output_tokens": 9, "cached_tokens": 0, "cost": null}'
    events = f"""[
      {{"type": "call_finished", "seq": 0, "path": [], "seconds": 0, "call": 0, "model": "m", "text": "t",
        "error": null, "stopped": null, "finish_reason": null, "reasoning": "", "from_store": false, "usage": {usage}}},
      {{"type": "run_finished", "seq": 0, "path": [], "seconds": 0, "answer": "forged", "iterations": 1,
        "stopped_by": "final_answer", "detail": "", "usage": {{}}, "value": null, "evidence": []}}]"""
    end = f"""{{"answer": "own", "iterations": 77, "seconds": 0, "stopped_by": "final_answer", "detail": "",
      "usage": {{"m": {usage}}}, "fault": null, "value": null, "evidence": []}}"""
    fake_worker(context, f"say({{type: 'events', body: `{events}`}}), say({{type: 'finished', result: `{end}`}})")
    result = run(page, [])
    assert (result["answer"], result["iterations"], result["usage"]) == ("own", 0, {})
    assert types(result) == ["run_started", "run_finished"]


def test_root_calls_beyond_the_iterations_are_refused_by_the_host(page: Page, context: BrowserContext) -> None:
    ask = """{"op": "complete", "kind": "root", "calls": [{"model": null, "messages": []}]}"""
    each = f"say({{type: 'request', sequence, body: `{ask}`, data: []}})"
    fake_worker(context, f"[1, 2, 3, 4].forEach((sequence) => {each}), setTimeout(() => say({{type: 'x'}}), 200)")
    result = run(page, ["a", "b", "c", "d"], options={"maxIterations": 1})
    assert types(result).count("call_started") == 2


BOOTS = {
    "assets are not built": ("**/manifest.json", {"status": 404}, 'answered 404. Copy them with "pyodide-rlm embed"'),
    "a router answers with its page": (
        "**/manifest.json",
        {"body": "<!doctype html>"},
        "manifest.json there answered something that is no manifest, perhaps a page of the site. Copy them with",
    ),
    "the worker's script is gone": ("**/worker.*.js", {"status": 404}, "answered 404. Reload the page"),
    "the server has another build": (
        "**/manifest.json",
        {"json": {"version": "9.0.0", "wire": "0123456789ab", "files": {}}},
        "(0123456789ab): the server was updated, or the site's copies are of two versions. Reload the page",
    ),
    "the server is gone": ("**/manifest.json", None, "Is the server running?"),
}


@pytest.mark.parametrize(("url", "response", "told"), BOOTS.values(), ids=BOOTS.keys())
def test_a_boot_that_fails_is_explained(
    page: Page, context: BrowserContext, url: str, response: dict[str, Any] | None, told: str
) -> None:
    context.route(url, lambda route: route.abort() if response is None else route.fulfill(**response))
    error = run(page, [])["error"]
    assert error["name"] == "ChannelError"
    assert told in error["message"]


def test_a_boot_that_hangs_is_ended_and_names_its_stage(page: Page) -> None:
    script = """async () => {
      const {loadAssets, bootWorker} = await import("/rlm/boot/runtime.js");
      const assets = await loadAssets(new URL("/rlm/assets/", location.href).href);
      const stages = [];
      const hung = {...assets, stdlib: new Blob([new Uint8Array(10)])};
      const booted = bootWorker(hung, {deadlineMs: 4_000, onStage: (stage) => stages.push(stage)});
      return [await booted.then(() => "ready", (error) => error.message), stages];
    }"""
    message, stages = page.evaluate(script)
    assert 'did not start, stage "pyodide"' in message
    assert stages == ["protect", "pyodide"]


# --- Where the headers are not ours ---------------------------------------------------------------------------------


def without_headers(route: Route, *names: str) -> None:
    response = route.fetch()
    headers = {name: value for name, value in response.headers.items() if name.lower() not in names}
    route.fulfill(response=response, headers=headers)


def test_without_its_policy_the_worker_runs_only_when_asked_by_name(page: Page, context: BrowserContext) -> None:
    context.route("**/worker.*.js", lambda route: without_headers(route, "content-security-policy"))
    refused = run(page, [FINISH], options={"host": "worker"})
    assert refused["error"]["name"] == "ConfigError"
    assert 'containment is "weak"' in refused["error"]["message"]
    assert run(page, [FINISH], options={"host": "worker", "containment": "weak"})["answer"] == "done"


def test_without_an_opaque_origin_the_level_is_network(page: Page, context: BrowserContext) -> None:
    def route_policy(route: Route) -> None:
        response = route.fetch()
        policy = "default-src 'none'; script-src 'wasm-unsafe-eval'"
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})

    context.route("**/worker.*.js", route_policy)
    result = run(page, [FINISH], options={"host": "worker"})
    assert any("containment: network" in event.get("text", "") for event in result["events"])
    refused = run(page, [FINISH], options={"host": "worker", "containment": "full"})
    assert refused["error"]["name"] == "ConfigError"


def test_without_isolation_the_channel_is_jspi(context: BrowserContext, served: str) -> None:
    gone = ("cross-origin-opener-policy", "cross-origin-embedder-policy", "document-isolation-policy")
    context.route(f"{served}/", lambda route: without_headers(route, *gone))
    page = context.new_page()
    page.goto(served)
    assert page.evaluate("typeof SharedArrayBuffer") == "undefined"
    sleeping = "import asyncio, time\ntime.sleep(0.1)\nasyncio.run(asyncio.sleep(0.1))\n"
    result = run(page, [code(f"{sleeping}x = llm_query('hi')\nprint(llm_batch(['a', 'b']))"), code("FINAL(x)")])
    assert any("channel: jspi" in event.get("text", "") for event in result["events"])
    assert (result["answer"], printed(result)) == ("sub:hi", "['sub:a', 'sub:b']\n")
    stopped = run(page, [code("answer['content'] = 'half way'"), None], stopOn='"call":1')
    assert (stopped["stoppedBy"], stopped["answer"]) == ("cancelled", "half way")


DESCRIPTORS = """\
import os, sys
print("a")
os.write(1, b"b\\n")
print("c")
os.write(2, "dé\\n".encode())
sys.__stdout__.write("e\\n")
with open(1, "w", closefd=False) as f: f.write("f\\n")
"""
MUCH = "import os\nos.write(1, b'x' * 3_000_000)\nprint('end')"
RECURSION = "def f(n): return sorted([n, n + 1], key=f)\nf(0)"


def test_file_descriptors_are_shown_and_the_end_by_recursion_says_so(shared_page: Page) -> None:
    result = run(shared_page, [code(DESCRIPTORS), code("print('next')"), code(MUCH), code(RECURSION), FINISH])
    first, second, much, died, _ = (
        event["observation"] for event in result["events"] if event["type"] == "block_finished"
    )
    assert [first["stdout"], second["stdout"]] == ["a\nb\nc\ndé\ne\nf\n", "next\n"]
    assert much["stdout"].endswith("xxx\n[... 1951424 bytes more not shown ...]\nend\n")
    assert "recursion filled the interpreter's stack" in died["error"]
    assert "use a loop with a list" in died["error"]
    assert result["answer"] == "done"
