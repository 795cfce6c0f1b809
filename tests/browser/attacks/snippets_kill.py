# ruff: noqa: E501 - one attack a line
"""Attacks that end or block the worker: the run ends with a reason, the page lives, the next run works.

Only documented ways of ending an interpreter or keeping it busy stand here: exits and aborts, endless loops, exhausted
memory, recursion. Other ways were seen to end it as well (deep nesting of source, JSON, patterns and containers; damaged
memory and bytecode); the host notices all of them alike, by the worker that is gone, so that none needs to be kept.
"""

from __future__ import annotations

from .snippet import Snippet

LOOPS = {
    "an endless loop": "while True: pass",
    "a loop in C": "sum(range(10**13))",
    "an iterator that never ends": "import collections, itertools; collections.deque(itertools.count(), maxlen=0)",
    "a loop that catches everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a number of a billion digits": "10 ** 10 ** 9",
    "a sleep": "time.sleep(3600)",
    "a sleep in the REPL's own clean-up": """
        class Slow(dict):
            def get(self, *_): time.sleep(3600)
        answer = Slow(content="x")
        """,
    "a wait on shared memory": """
        view = grab("Int32Array").new(grab("SharedArrayBuffer").new(4))
        grab("Atomics").wait(view, 0, 0)
        """,
    "a destructor that never ends": """
        class Undying:
            def __del__(self):
                while True: pass
        x = Undying(); del x
        """,
    "a value that never ends": """
        class Endless:
            def __repr__(self):
                while True: pass
        Endless()
        """,
}
MEMORY = {
    "bytes without end": "hoard = []\ntry:\n    while True: hoard.append(bytearray(200_000_000))\nfinally: hoard.clear()",
    "small objects without end": "hoard = [0]\ntry:\n    while True: hoard += hoard\nfinally: hoard.clear()",
    "a string that doubles": "text = 'x'\ntry:\n    while True: text += text\nfinally: del text",
    "an integer that doubles": "number = 1\nwhile True: number <<= 1_000_000",
    "tables of wasm without end": 'W = grab("WebAssembly")\nkeep = []\nfor _ in range(40): keep.append(W.Memory.new('
    'to_js({"initial": 16384}, dict_converter=grab("Object").fromEntries)))',
    "memory of JavaScript": "keep = []\nfor _ in range(6):\n    keep.append(to_js(b'x' * 500_000_000))",
    "recursion": "def f(): f()\nf()",
}
ENDS = {
    "self.close": 'grab("close")(); won("closed")',
    "os._exit": "os._exit(3)",
    "os._exit in a finally": "try:\n    1 / 0\nfinally:\n    os._exit(0)",
    "os.abort": "os.abort()",
    "os.kill": "os.kill(os.getpid(), 9)",
    "raise_signal": "import signal; signal.raise_signal(signal.SIGABRT)",
    "Py_FatalError": "ctypes.pythonapi.Py_FatalError(b'x')",
    "Py_Exit": "ctypes.pythonapi.Py_Exit(3)",
    "an abort in a destructor": """
        class Last:
            def __del__(self): os.abort()
        x = Last(); del x
        """,
    "an abort where a value is shown": """
        class Value:
            def __repr__(self): os.abort()
        Value()
        """,
    "an abort where an error is shown": """
        class Evil(Exception):
            def __str__(self): os.abort()
        raise Evil
        """,
    "an abort where the answer is read": """
        class Text:
            def __str__(self): os.abort()
        answer["content"] = Text()
        """,
    "an abort where prompts are read": "llm_batch(os.abort() for _ in range(3))",
    "an abort in a trace function": "sys.settrace(lambda *_: os.abort())\n(lambda: 0)()",
    "an abort at an import": """
        class Finder:
            def find_spec(self, name, path=None, target=None): os.abort()
        sys.meta_path.insert(0, Finder())
        import this_is_no_module
        """,
    "an abort in a task": """
        async def later(): os.abort()
        keep = asyncio.ensure_future(later())
        asyncio.run(asyncio.sleep(0))
        """,
    "_module.abort": "pyodide_js._module.abort('x')",
    "_module.quit": "pyodide_js._module._exit(1)",
    "_api.fatal_error": 'pyodide_js._api.fatal_error(grab("Error").new("x"))',
    "the file system gone": "pyodide_js.FS.quit(); pyodide_js._module.FS = None",
}
ANY_END = ("final_answer", "worker_lost", "max_errors", "max_seconds")
SURVIVED = {
    "self.close", "a wait on shared memory", "bytes without end", "small objects without end", "a string that doubles",
    "tables of wasm without end", "recursion", "_module.abort", "_api.fatal_error",
}  # fmt: skip
TIME = (("maxTimeout", 2_000),)

SNIPPETS = tuple(
    Snippet(name, "kill", code, alone=name not in SURVIVED, ends=ANY_END, options=TIME)
    for name, code in {**LOOPS, **MEMORY, **ENDS}.items()
)
