"""Attacks on the interpreter that later blocks run in: each must end with a healthy next block, in the same run.

A block that changes the interpreter for good is left out, and a fresh worker takes over; the others are put back.
"""

from __future__ import annotations

from .snippet import Snippet

CODE = {
    "a silent audit hook": "sys.addaudithook(lambda *_: None)",
    "an audit hook that raises": "sys.addaudithook(lambda *_: 1 / 0)",
    "an audit hook that refuses to compile": """
        def refuse(event, args):
            if event in ("compile", "exec", "import"): raise RuntimeError("FORGED")
        sys.addaudithook(refuse)
        """,
    "no modules": "sys.modules.clear()",
    "other modules": "sys.modules = {}",
    "no os": "del sys.modules['os'], sys.modules['io'], sys.modules['abc']",
    "the loop's module gone": "del sys.modules['rlm_core.run']",
    "no library": "os.unlink('/lib/python314.zip')",
    "a forged library": "open('/lib/python314.zip', 'wb').write(b'FORGED')",
    "a forged core": "open('/lib/rlm_core.zip', 'wb').write(b'FORGED')",
    "a folder of the library gone": "import shutil; shutil.rmtree('/lib/python3.14', ignore_errors=True)",
    "no import path": "sys.path.clear()",
    "no parser": "import ast; ast.parse = None",
    "a parser that forges": "import ast; was = ast.parse; ast.parse = lambda *_, **__: was('print(\"FORGED\")')",
    "no tracebacks": "import traceback as t; t.TracebackException.format = t.format_exception = None; 1 / 0",
    "no buffers": "import io; io.StringIO = io.BytesIO = io.TextIOWrapper = None",
    "no JSON": "import json; json.dumps = json.loads = lambda *_, **__: 'FORGED'",
    "no context managers": "import contextlib; contextlib.contextmanager = contextlib.ExitStack = None",
    "no imports of modules": "import importlib._bootstrap as b; b._find_and_load = b._handle_fromlist = None",
    "a function of the REPL replaced": "vars(sys.modules['rlm_core.repl'])['shown'] = lambda *_: 'FORGED'",
    "the code of the REPL replaced": """
        sys.modules['rlm_core.repl'].Repl.execute.__code__ = (lambda *_, **__: None).__code__
        """,
    "defaults of the core replaced": "sys.modules['rlm_core.observe'].to_message.__kwdefaults__ = {'max_chars': 1}",
    "a variable of a closure replaced": """
        sys.modules['rlm_core.surroundings'].written_to.__closure__[0].cell_contents = None
        """,
    "the way out for events": "import bridge; bridge.Outbox.emit = lambda *_: None",
    "the way out for calls": "import bridge; bridge.BridgeProvider.complete = lambda *_: ['FORGED']",
    "a method of str": "gc.get_referents(str.__dict__)[0]['swapcase'] = lambda *_: 'FORGED'",
    "globals through llm_query": "llm_query.__globals__['_prompt'] = lambda *_: 'FORGED'",
    "a closure through FINAL": "FINAL.__closure__[0].cell_contents = None",
    "the function within llm_query": "llm_query.__wrapped__.__code__ = (lambda *_, **__: 'FORGED').__code__",
    "frames above": """
        frame = sys._getframe()
        while frame is not None:
            if frame.f_globals.get("__name__") == "rlm_core.run":
                frame.f_globals["to_message"] = lambda *_, **__: "FORGED"
            frame = frame.f_back
        """,
}
GROUP = 10
"""Snippets of one run: after each change the worker is rebuilt by all blocks before it."""

SNIPPETS = tuple(Snippet(name, "poison", code, group=f"{at // GROUP}") for at, (name, code) in enumerate(CODE.items()))
