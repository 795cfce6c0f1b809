# ruff: noqa: E501 - one attack a line
"""Attacks that kill or hang the worker: the run ends with a name for it, the page lives, the next run works."""

from __future__ import annotations

from .snippet import Snippet

CODE = {
    "self.close": 'grab("close")(); won("closed")',
    "an endless loop": "while True: pass",
    "a loop in C": "sum(range(10**13))",
    "a loop that catches everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a regular expression that never ends": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
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
    "bytes without end": "hoard = []\ntry:\n    while True: hoard.append(bytearray(200_000_000))\nfinally: hoard.clear()",
    "small objects without end": "hoard = [0]\ntry:\n    while True: hoard += hoard\nfinally: hoard.clear()",
    "a string that doubles": "text = 'x'\ntry:\n    while True: text += text\nfinally: del text",
    "an integer that doubles": "number = 1\nwhile True: number <<= 1_000_000",
    "tables of wasm without end": 'W = grab("WebAssembly")\nkeep = []\nfor _ in range(40): keep.append(W.Memory.new('
    'to_js({"initial": 16384}, dict_converter=grab("Object").fromEntries)))',
    "memory of JavaScript": """
        keep = []
        for _ in range(6):
            keep.append(to_js(b"x" * 500_000_000))
        """,
    "recursion": "def f(): f()\nf()",
    "recursion without a limit": "sys.setrecursionlimit(10**9)\ndef f(n): return [f(n + 1)]\nf(0)",
    "recursion in C": "deep = []\nfor _ in range(10**6): deep = [deep]\nrepr(deep); deep == [deep]",
    "a value of nested lists": "deep = []\nfor _ in range(100_000): deep = [deep]\ndeep",
    "json nested deep": "json.loads('[' * 200_000)",
    "json of a nested object": "deep = []\nfor _ in range(200_000): deep = [deep]\njson.dumps(deep)",
    "source nested deep": "compile('(' * 200_000, 'x', 'eval')",
    "an expression nested deep": "eval('-' * 200_000 + '1')",
    "a regular expression nested deep": "import re; re.compile('(' * 5_000 + ')' * 5_000)",
    "a pickle nested deep": "import pickle; deep = []\nfor _ in range(100_000): deep = [deep]\npickle.dumps(deep)",
    "a deep chain let go": "chain = None\nfor _ in range(10**6): chain = (chain,)\ndel chain",
    "os._exit": "os._exit(3)",
    "os.abort": "os.abort()",
    "os.kill": "os.kill(os.getpid(), 9)",
    "raise_signal": "import signal; signal.raise_signal(signal.SIGABRT)",
    "Py_FatalError": "ctypes.pythonapi.Py_FatalError(b'x')",
    "Py_Finalize": "ctypes.pythonapi.Py_Finalize()",
    "a read of address 1": "ctypes.string_at(0xffffff00, 4096)",
    "a heap overwritten": "ctypes.memset(1024, 255, 1 << 20)",
    "an object overwritten": "ctypes.memset(id(print), 255, 4096)",
    "a wrong function pointer": "ctypes.CFUNCTYPE(None)(0x7fff)()",
    "bytecode of nonsense": """
        def f(): pass
        f.__code__ = f.__code__.replace(co_code=bytes(range(255)) * 4, co_stacksize=0)
        f()
        """,
    "marshal of nonsense": "import marshal\nfor n in range(256): \n    try: marshal.loads(bytes([n]) * 500)\n"
    "    except Exception: pass",
    "_module.abort": "pyodide_js._module.abort('x')",
    "_module.quit": "pyodide_js._module._exit(1)",
    "_api.fatal_error": 'pyodide_js._api.fatal_error(grab("Error").new("x"))',
    "the file system gone": "pyodide_js.FS.quit(); pyodide_js._module.FS = None",
    "the interpreter's tables gone": "pyodide_js._module._free(id(sys))",
}
ANY_END = ("final_answer", "worker_lost", "max_errors", "max_seconds")
SURVIVED = {
    "self.close", "a wait on shared memory", "bytes without end", "small objects without end", "a string that doubles",
    "tables of wasm without end", "recursion", "a regular expression nested deep", "marshal of nonsense",
    "_module.abort", "_api.fatal_error",
}  # fmt: skip
TIME = (("maxTimeout", 2_500),)

SNIPPETS = tuple(
    Snippet(name, "kill", code, alone=name not in SURVIVED, ends=ANY_END, options=TIME) for name, code in CODE.items()
)
