# ruff: noqa: E501 - one attack a line
"""Attacks on the page and its main thread: reaching it, forged messages, shared memory scribbled on, floods."""

from __future__ import annotations

from collections.abc import Iterator

from .snippet import Snippet

REACH = {
    "the window": 'won(grab("window"))',
    "the opener": 'won(grab("opener"))',
    "the parent": 'won(grab("parent"))',
    "the document": 'won(grab("document"))',
    "postMessage of the scope": 'grab("postMessage")("forged"); won("spoke")',
    "onmessage of the scope": 'won(grab("onmessage"))',
    "addEventListener of the scope": 'grab("addEventListener")("message", take_this); won("listens")',
    "addEventListener by a prototype": """
        target = grab("AbortController").new().signal
        target.addEventListener("message", take_this)
        won("listens")
        """,
    "a MessageChannel": 'won(grab("MessageChannel").new())',
    "a MessagePort": 'won(grab("MessagePort").prototype.postMessage)',
    "structuredClone": 'won(grab("structuredClone")(to_js([1])))',
    "a planted variable": 'won(grab("planted"))',
    "the origin": """
        for scope in reached():
            if "127.0.0.1" in str(getattr(getattr(scope, "location", ""), "href", "")):
                won("the address")
        """,
    "the start message": """
        for found in [*taken, *proxies()]:
            if hasattr(found, "epoch") or hasattr(found, "port"):
                won(found)
        """,
}

MALFORMED_EVENTS = {
    "events that are no JSON": 'line().emit("x")',
    "events that are no list": 'line().emit("{}")',
    "an event that is a number": 'line().emit("[1]")',
    "an event that is null": 'line().emit("[null]")',
    "an event without a type": 'line().emit("[{}]")',
    "an event of a made-up type": 'emit(type="constructor", **STAMP)',
    "an event with a wrong field": 'emit(type="notice", text=7, **STAMP)',
    "events nested two thousand deep": 'line().emit("[" * 2_000 + "]" * 2_000)',
    "events that are not text": "line().emit(b'x')",
    "events with a nested limit": """
        limits = "[" * 2_000 + "]" * 2_000
        line().emit('[{"type":"notice","seq":0,"path":[],"seconds":0,"text":"x","more":' + limits + "}]")
        """,
    "an event of 63 MiB": 'emit(type="notice", text="x" * (63 << 20), **STAMP)',
    "an event of 200 MB": 'emit(type="notice", text="x" * 200_000_000, **STAMP)',
    "a million small events in one message": """
        one = json.dumps({"type": "notice", "text": "x", **STAMP})
        line().emit("[" + ",".join([one] * 1_000_000) + "]")
        """,
}

MALFORMED_REQUESTS = {
    "a request that is no JSON": 'print(ask("x"))',
    "a request of a made-up operation": 'print(ask({"op": "fetch", "kind": "sub", "calls": [], "url": URL}))',
    "a request with another endpoint": """
        call = {"model": None, "messages": [{"role": "user", "content": "hi"}], "endpoint": URL, "url": URL}
        print(ask({"op": "complete", "kind": "sub", "calls": [call], "endpoint": URL, "url": URL}))
        """,
    "a request that asks to fetch an image": """
        part = [{"type": "image_url", "image_url": {"url": URL}}]
        print(ask({"op": "complete", "kind": "sub", "calls": [{"model": None, "messages": [{"role": "user", "content": part}]}]}))
        """,
    "a request without calls": 'print(ask({"op": "complete", "kind": "sub", "calls": []}))',
    "a request for a model of another server": """
        for model in ("http://127.0.0.1:%d/" % PORT, "ollama:x", "openai:other", "../m", "x" * 300):
            try:
                llm_query("hi", model=model)
                won(model)
            except Exception as refused:
                print(type(refused).__name__)
        """,
    "acknowledgements that nobody asked for": """
        for _ in range(300):
            flag = pyodide_js._module.Py_EmscriptenSignalBuffer
            try:
                flag[0] = 2
                line().next()
            except KeyboardInterrupt:
                pass
            finally:
                flag[0] = 0
        """,
}

SCRIBBLES = {
    "the interrupt flag scribbled on": """
        flag = pyodide_js._module.Py_EmscriptenSignalBuffer
        flag[0] = 0x7fffffff
        flag[0] = 0
        """,
    "lengths and words of shared memory": """
        for found in [*reached()]:
            buffer = getattr(found, "buffer", None)
            if type(buffer).__name__ == "SharedArrayBuffer" or "SharedArrayBuffer" in str(getattr(buffer, "constructor", "")):
                words = grab("Int32Array").new(buffer)
                for at in range(words.length):
                    words[at] = -1
        """,
    "a reply read before it came": """
        import re
        data = line().take().to_bytes()
        won("the page's secret") if re.search(rb"planted.secret.[a-z]+.[0-9a-f]{4}", data) else print(len(data))
        """,
    "Math.min changed": """
        M = grab("Math")
        M.min = create_proxy(lambda *_: 10**9)
        print(llm_query("hi"))
        """,
    "JSON changed": """
        J = grab("JSON")
        J.stringify = create_proxy(lambda *_: "{}")
        print(llm_query("hi"))
        """,
    "Object.prototype changed": """
        P = grab("Object").prototype
        P.type = "finished"
        P.epoch = 1
        try:
            print(llm_query("hi"))
        finally:
            del P.type, P.epoch
        """,
    "Atomics changed": """
        A = grab("Atomics")
        for name in ("wait", "store", "load", "compareExchange", "notify"):
            setattr(A, name, create_proxy(lambda *_: 0))
        print(llm_query("hi"))
        """,
}

FLOODS = {
    "ten thousand messages": """
        for number in range(10_000):
            emit(type="notice", text=f"flood {number}", **STAMP)
        """,
    "a message in every turn for ever": 'while True: line().emit("[]")',
    "output of a megabyte for ever": """
        text = json.dumps([{"type": "output", "iteration": 2, "block": 0, "text": "x" * (1 << 20), **STAMP}])
        while True:
            line().emit(text)
        """,
    "output of one character for ever": """
        text = json.dumps([{"type": "output", "iteration": 2, "block": 0, "text": "x", **STAMP}])
        while True:
            line().emit(text)
        """,
    "a hundred thousand outputs in one message": """
        one = json.dumps({"type": "output", "iteration": 2, "block": 0, "text": "\\n", **STAMP})
        line().emit("[" + ",".join([one] * 100_000) + "]")
        """,
    "a forged observation of 15 MB": """
        seen = {"stdout": "x" * 15_000_000, "stdout_chars": 7, "value": None, "error": None, "seconds": 0.0}
        emit(type="block_finished", iteration=2, block=0, observation=seen, partial=None, **STAMP)
        """,
    "a forged block of 15 MB": """
        seen = {"stdout": "", "stdout_chars": 0, "value": None, "error": None, "seconds": 0.0}
        emit(type="block_finished", iteration=2, block=0, observation=seen, partial=None, **STAMP)
        emit(type="block_started", iteration=2, block=1, code="if True: pass\n" * 1_000_000, **STAMP)
        """,
    "a hundred thousand iterations": """
        for number in range(100_000):
            emit(type="iteration_started", iteration=number, **STAMP)
        """,
    "output for a block that is not there": """
        for number in range(2_000):
            emit(type="output", iteration=-1, block=1e308, text="x" * 100, **STAMP)
        """,
}

PRINTS = {
    "100 MB printed": 'text = "y" * 1_000_000\nfor _ in range(100): print(text)',
    "100 MB without a newline": 'for _ in range(100): print("x" * 1_000_000, end="")',
    "one line of 100 MB": 'print("x" * 100_000_000)',
    "a million empty lines": "for _ in range(1_000_000): print()",
    "300,000 characters, each flushed": 'for _ in range(300_000): print("x", end="", flush=True)',
    "100 MB past the capture": """
        for _ in range(100):
            os.write(1, b"x" * 1_000_000)
            os.write(2, b"\\n" * 1_000_000)
        """,
    "a value of 100 MB": '"x" * 100_000_000',
    "a traceback of 100 MB": 'raise ValueError("x" * 100_000_000)',
    "control characters": 'print("\\x00\\x1b[2J\\u202e\\ud800" * 10_000)',
    "a partial answer of 30 MB": 'answer["content"] = "x" * 30_000_000',
}

ANY_END = ("final_answer", "worker_lost", "max_errors", "max_seconds")


def _snippets() -> Iterator[Snippet]:
    for name, code in {**REACH, **PRINTS, **MALFORMED_REQUESTS, **SCRIBBLES}.items():
        yield Snippet(name, "page", code)
    for name, code in {**MALFORMED_EVENTS, **FLOODS}.items():
        yield Snippet(name, "page", code, alone=True, ends=ANY_END, options=(("maxTimeout", 2_500),))
    huge = Snippet("an answer of 60 MB", "page", 'FINAL("x " * 30_000_000)', alone=True, ends=ANY_END)
    yield huge


SNIPPETS = tuple(_snippets())
