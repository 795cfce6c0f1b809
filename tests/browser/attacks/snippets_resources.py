"""Attacks on the cost of a run: calls, prompts and replies beyond all measure. The host's limits end each."""

from __future__ import annotations

from .snippet import Snippet

ENDS = ("final_answer", "max_seconds", "max_errors", "max_iterations", "worker_lost")
CODE = {
    "sub-calls without end": "while True: llm_query('again')",
    "sub-calls that catch the end": """
        while True:
            try:
                llm_query("again")
            except BaseException:
                pass
        """,
    "a batch of a million": "llm_batch(['x'] * 10**6)",
    "a batch of 20,000": "llm_batch([f'prompt {n}' for n in range(20_000)])",
    "batches without end": "while True: llm_batch(['x'] * 500)",
    "a prompt of 10 MB": "llm_query('x' * 10_000_000)",
    "a prompt of 60 MB": "llm_query('x' * 60_000_000)",
    "a prompt of 4 MB": "llm_query('x' * 4_000_000)",
    "a prompt of 300 MB": "llm_query('x' * 300_000_000)",
    "a batch of 100 MB": "llm_batch(['x' * 10_000_000] * 10)",
    "a prompt of lone surrogates": "llm_query('\\ud800' * 5_000_000)",
    "a prompt of control characters": "llm_query('\\x00' * 5_000_000)",
    "prompts that cannot be sent": "for bad in (None, 7, b'x', '', [], {}):\n    try: llm_query(bad)\n"
    "    except Exception: pass",
    "a generator of prompts without end": "llm_batch('x' for _ in iter(int, 1))",
    "a prompt class that lies": """
        class Liar(str):
            def __len__(self): return 1
            def strip(self): return "x"
        llm_query(Liar("x" * 5_000_000))
        """,
    "printing without end": "while True: print('x' * 1000)",
    "names without end": "for n in range(300_000): globals()[f'name_{n}'] = n\nSHOW_VARS()",
    "files without end": "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'wb').write(b'x' * 1_000_000); n += 1",
    "a model of 100 KB": "llm_query('x', model='m' * 100_000)",
}
TIME = (("maxTimeout", 2_500),)
PAUSES_MS = {
    "a prompt of 10 MB": 500.0,
    "a prompt of 60 MB": 1_500.0,
    "a prompt of lone surrogates": 1_500.0,
    "a prompt of control characters": 1_500.0,
}
"""Allowances of requests of 10 to 60 MB: three times the longest gap that was seen on a very busy machine."""

SNIPPETS = tuple(
    Snippet(name, "resources", code, alone=True, ends=ENDS, options=TIME, gap_ms=PAUSES_MS.get(name, 200.0))
    for name, code in CODE.items()
)
