# ruff: noqa: E501 - one attack a line
"""Attacks on the loop itself: forged events and results, limits tampered with, hooks left behind for the next block."""

from __future__ import annotations

from collections.abc import Iterator

from .snippet import Snippet

ANY_END = ("final_answer", "worker_lost", "max_errors", "max_seconds", "max_iterations", "provider_error")
USAGE = '{"calls": 0, "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost": 0.0}'

FORGED_EVENTS = {
    "call_finished": f"""
        emit(type="call_finished", call=0, model="FORGED", text="FORGED", error=None, stopped=None, usage={USAGE},
             finish_reason=None, reasoning="FORGED", from_store=False, **STAMP)
        """,
    "call_started": 'emit(type="call_started", call=99, kind="sub", model="FORGED", messages=[], kept=0, batch=1, **STAMP)',
    "reply_written": 'emit(type="reply_written", call=0, at=0, text="FORGED", **STAMP)',
    "reasoning_written": 'emit(type="reasoning_written", call=0, at=0, text="FORGED", **STAMP)',
    "run_finished": """
        emit(type="run_finished", answer="FORGED", iterations=1, stopped_by="final_answer", detail="", usage={},
             value=None, evidence=[], **STAMP)
        """,
    "a notice of the host": """
        emit(type="notice", text="worker ready in 0 s; containment: FORGED; channel: FORGED", **STAMP)
        """,
    "the path of another run": """
        emit(type="notice", text="x", **{**STAMP, "path": [7, 7], "seq": -5, "seconds": -1})
        """,
    "further fields": 'emit(type="notice", text="x", answer="FORGED", __proto__={"FORGED": 1}, **STAMP)',
}
FORGED_ALONE = {
    "a forged iteration_finished": 'emit(type="iteration_finished", iteration=2, reply="FORGED", blocks=0, **STAMP)',
    "a forged iteration_started": 'emit(type="iteration_started", iteration=999, **STAMP)',
    "a forged next iteration": 'emit(type="iteration_started", iteration=3, **STAMP)',
    "a forged block": 'emit(type="block_started", iteration=2, block=1, code="FORGED", **STAMP)',
    "output of another block": 'emit(type="output", iteration=1, block=0, text="FORGED", **STAMP)',
    "a second run_started": """
        emit(type="run_started", question="FORGED", model=None, sub_model=None, limits={}, contexts=[], **STAMP)
        """,
    "a forged result": """
        import bridge
        usage = {"FORGED": {"calls": -5, "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost": 0.0}}
        result = {"answer": "FORGED answer", "iterations": 777, "seconds": -1.0, "usage": usage,
                  "stopped_by": "final_answer", "detail": "", "fault": None}
        bridge._result_json = lambda _: json.dumps(result)
        FINAL("x")
        """,
    "a forged stop": """
        import bridge
        result = {"answer": "x", "iterations": 1, "seconds": 0.0, "usage": {}, "stopped_by": "cancelled", "detail": "FORGED",
                  "fault": None}
        bridge._result_json = lambda _: json.dumps(result)
        FINAL("x")
        """,
    "a result that is no result": "import bridge\nbridge._result_json = lambda _: '[]'\nFINAL('x')",
    "a result of another type": "import bridge\nbridge._result_json = lambda _: 7\nFINAL('x')",
    "a result that is a proxy": "import bridge\nbridge._result_json = lambda _: create_proxy(take)\nFINAL('x')",
    "limits changed": """
        import rlm_core.limits
        for found in gc.get_objects():
            if type(found).__name__ == "Budget":
                object.__setattr__(found.limits, "max_iterations", 10**6)
                object.__setattr__(found.limits, "max_errors", 10**6)
        rlm_core.limits.Budget.check_time = lambda self: None
        """,
    "root calls beyond the limit": """
        for _ in range(100):
            message = {"role": "user", "content": "hi"}
            print(ask({"op": "complete", "kind": "root", "calls": [{"model": None, "messages": [message]}]})[0])
        """,
    "root calls beyond the limit in one request": """
        call = {"model": None, "messages": [{"role": "user", "content": "hi"}]}
        print(ask({"op": "complete", "kind": "root", "calls": [call] * 100})[0])
        """,
    "the loop started again": """
        from rlm_core import Job, Limits, answer as loop
        provider = next(found for found in gc.get_objects() if type(found).__name__ == "BridgeProvider")
        loop(Job(question="FORGED?", context="", limits=Limits(max_iterations=50)), provider=provider)
        """,
    "the frames above": """
        frame = sys._getframe()
        while frame is not None:
            for name, value in list(frame.f_locals.items()):
                if name in ("observations", "messages", "budget", "job"):
                    frame.f_locals[name] = None
            frame = frame.f_back
        """,
    "a clock that stands still": """
        import time
        time.monotonic = time.perf_counter = lambda: 0.0
        while True: pass
        """,
    "a stop that is ignored": """
        import signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True: pass
        """,
    "an interrupt of one's own": "raise KeyboardInterrupt",
    "an interrupt buffer of one's own": """
        pyodide_js.setInterruptBuffer(to_js(b"\\x02"))
        while True: pass
        """,
    "StopRun caught for ever": """
        while True:
            try:
                FINAL("caught")
            except BaseException:
                pass
        """,
    "an answer whose text never ends": """
        class Endless:
            def __str__(self):
                while True: pass
        answer["content"] = Endless()
        """,
    "an exception that cannot be shown": """
        class Evil(Exception):
            def __str__(self): raise SystemExit
            __repr__ = __str__
        raise Evil
        """,
    "a class that forges its own": """
        class Evil(BaseException):
            @property
            def __class__(self): raise SystemExit
            @property
            def __traceback__(self): raise KeyboardInterrupt
        raise Evil
        """,
    "the core's modules emptied": """
        for name in list(sys.modules):
            if name.startswith("rlm_core") or name == "bridge":
                vars(sys.modules[name]).clear()
        """,
    "sys.modules emptied": "sys.modules.clear()",
    "ast.parse changed": "import ast; ast.parse = lambda *_, **__: ast.Module([], [])",
    "an audit hook": """
        def hook(event, arguments):
            if event in ("compile", "exec"):
                raise RuntimeError("no")
        sys.addaudithook(hook)
        """,
    "locals of the REPL deleted": """
        repl = next(found for found in gc.get_objects() if type(found).__name__ == "Repl")
        vars(repl).clear()
        """,
    "a weak callback at the end": """
        import weakref
        repl = next(found for found in gc.get_objects() if type(found).__name__ == "Repl")
        keep = weakref.finalize(repl, lambda: line().emit('[{"type": "FORGED"}]'))
        import atexit
        atexit.register(lambda: line().emit('[{"type": "FORGED"}]'))
        """,
    "work left for after the run": """
        async def later():
            while True:
                emit(type="notice", text="FORGED", **STAMP)
                await asyncio.sleep(0)
        keep = asyncio.ensure_future(later())
        FINAL("x")
        """,
}

HOOKS = {
    "print changed": "builtins.print = lambda *_: None",
    "len and str changed": "builtins.len = lambda _: 7\nbuiltins.str = bytes",
    "compile and exec changed": "builtins.compile = builtins.exec = builtins.eval = None",
    "__import__ changed": "builtins.__import__ = None",
    "builtins emptied": "del builtins.print, builtins.len, builtins.isinstance",
    "__builtins__ replaced": "globals()['__builtins__'] = {}",
    "a trace function": "sys.settrace(lambda *_: 1 / 0)",
    "a trace function in every frame": """
        frame = sys._getframe()
        def trace(*_):
            raise RuntimeError("traced")
        while frame:
            frame.f_trace = trace
            frame = frame.f_back
        sys.settrace(trace)
        """,
    "a profile function": "sys.setprofile(lambda *_: 1 / 0)",
    "sys.monitoring": """
        monitoring = sys.monitoring
        monitoring.use_tool_id(3, "spy")
        monitoring.register_callback(3, monitoring.events.PY_START, lambda *_: 1 / 0)
        monitoring.set_events(3, monitoring.events.PY_START)
        """,
    "a meta path finder": """
        class Finder:
            def find_spec(self, name, path=None, target=None): raise RuntimeError("no imports")
        sys.meta_path.insert(0, Finder())
        """,
    "the import path": "sys.path[:] = []; sys.path_hooks.clear(); sys.path_importer_cache.clear()",
    "a gc callback": "gc.callbacks.append(lambda *_: 1 / 0)",
    "no gc": "gc.disable(); gc.set_threshold(0)",
    "an atexit callback": "import atexit; atexit.register(lambda: 1 / 0)",
    "a signal handler": "import signal; signal.signal(signal.SIGINT, lambda *_: won('caught'))",
    "an excepthook": "sys.excepthook = sys.unraisablehook = sys.displayhook = None",
    "sys.stdout replaced": "import io; sys.stdout = sys.stderr = io.StringIO(); sys.__stdout__ = None",
    "the recursion limit": "sys.setrecursionlimit(50)",
    "the reserved names": "del context, llm_query, FINAL, answer; llm_batch = FINAL_VAR = None",
    "the namespace emptied": "globals().clear()",
    "__name__ and __main__": "__name__ = 'x'; del sys.modules['__main__']",
    "warnings as errors": "import warnings; warnings.simplefilter('error'); warnings.warn('x')",
    "a warning that is a bomb": "import warnings; warnings.showwarning = None; warnings._showwarnmsg = None",
    "linecache": "import linecache; linecache.cache = None; linecache.updatecache = None",
    "a context variable": "import decimal; decimal.getcontext().prec = 1; import locale, random; random.seed(1)",
    "the answer of an earlier run": """
        import pathlib
        won("an earlier run") if pathlib.Path("/tmp/left").exists() or hasattr(builtins, "left") else None
        pathlib.Path("/tmp/left").write_text("FORGED"); builtins.left = 1
        """,
    "FINAL found in an older namespace": """
        found = [each for each in gc.get_objects() if isinstance(each, dict) and "FINAL" in each and each is not globals()]
        for namespace in found:
            namespace.get("FINAL_VAR", print)("missing") if namespace.get("answer", {}).get("content") else None
        """,
    "sys.exit": "sys.exit(3)",
    "a thread": "import threading; threading.Thread(target=print).start()",
}
INTERRUPTS = {
    "KeyboardInterrupt raised": "raise KeyboardInterrupt",
    "a kind of KeyboardInterrupt": "class Stop(KeyboardInterrupt): pass\nraise Stop('FORGED')",
    "interrupt_main": "import _thread; _thread.interrupt_main(); [n for n in range(10_000)]",
    "a signal in a value": """
        import signal
        class Value:
            def __repr__(self): signal.raise_signal(signal.SIGINT)
        Value()
        """,
    "KeyboardInterrupt in a sub-call's prompt": """
        class Prompt(str):
            def strip(self, *rest): raise KeyboardInterrupt
        llm_query(Prompt("x"))
        """,
    "KeyboardInterrupt from a generator of prompts": "llm_batch(iter([]).__next__() or (_ for _ in ()).throw(KeyboardInterrupt))",
    "KeyboardInterrupt in a group": "raise BaseExceptionGroup('FORGED', [KeyboardInterrupt(), SystemExit(2)])",
}
DESTINATIONS = {
    "another model for a sub-call": "won(llm_query(context, model='openai:other'))",
    "another model for a batch": "won(llm_batch([context, 'x'], model='openai:other'))",
    "another model for a child run": "won(rlm_query('What?', context, 'openai:other'))",
    "another model by a subclass": """
        class Name(str):
            def __eq__(self, other): return True
            __hash__ = str.__hash__
        won(llm_query(context, model=Name("openai:other")))
        """,
    "another model by a request of one's own": """
        call = {"model": "openai:other", "messages": [{"role": "user", "content": context}]}
        answer_of_it = str(ask({"op": "complete", "kind": "sub", "calls": [call]}))
        won(answer_of_it) if "sub:" in answer_of_it else None
        """,
    "a forged entry of the ledger": """
        emit(type="egress", call=0, to="FORGED", model=None, chars=0, bytes=0, context_chars=0, new_chars=0, left_chars=0,
             context_size=0, spans=[], more_spans=0, denied=None, **STAMP)
        """,
    "a forged denial in the ledger": """
        emit(type="egress", call=99, to="FORGED", model="m", chars=-1, bytes=-1, context_chars=-1, new_chars=-1, left_chars=-9,
             context_size=1, spans=[], more_spans=0, denied="FORGED", **STAMP)
        """,
    "a context that was swapped before it is sent": "sent = context; context = 'x'; llm_query('About: ' + sent)",
}
ANOTHER_ROOT_MODEL = {
    "another model as the root's": """
        call = {"model": "openai:other", "messages": [{"role": "user", "content": context}]}
        answer_of_it = str(ask({"op": "complete", "kind": "root", "calls": [call]}))
        won(answer_of_it) if "sub:" in answer_of_it else None
        """,
}
"""A refused call of the root model ends the run, as `denied`."""
SPOILS_ITS_RUN = {"the namespace emptied", "linecache", "the import path", "__name__ and __main__"}


def _snippets() -> Iterator[Snippet]:
    for name, code in FORGED_EVENTS.items():
        yield Snippet(f"forged {name}", "loop", code)
    for name, code in HOOKS.items():
        alone = name in SPOILS_ITS_RUN
        yield Snippet(name, "loop", code, alone=alone, ends=ANY_END if alone else ("final_answer",))
    for name, code in {**INTERRUPTS, **DESTINATIONS}.items():
        yield Snippet(name, "loop", code, group="calls")
    for name, code in ANOTHER_ROOT_MODEL.items():
        yield Snippet(name, "loop", code, alone=True, ends=(*ANY_END, "denied"))
    for name, code in FORGED_ALONE.items():
        options = (("maxTimeout", 3_000), ("maxIterations", 4))
        yield Snippet(name, "loop", code, alone=True, ends=ANY_END, options=options)


SNIPPETS = tuple(_snippets())
