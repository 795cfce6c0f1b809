"""The PyPI package `rlms` on the same machine: one `llm_query` of its LocalREPL, and 100 MB of text as its context.

Run with the folder it is installed in on PYTHONPATH; prints the milliseconds of the one and the seconds of the other.
It is installed without its vendors' clients, which LocalREPL does not use: what it imports of them is an empty module.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import statistics
import sys
import time
from types import ModuleType
from typing import Any
from unittest import mock

OURS = ("rlm", "rlms")
LINE = "x" * 99 + "\n"
CALLS = "import time\nfor n in range({n}): llm_query('x')"


class EmptyModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds, last of all, any third-party module that is not installed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] in OURS:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        module.__getattr__ = lambda name: mock.MagicMock(name=name)  # type: ignore[method-assign]
        module.__path__ = []
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def main() -> None:
    sys.meta_path.append(EmptyModules())
    from rlm.clients.base_lm import BaseLM
    from rlm.core.lm_handler import LMHandler
    from rlm.core.types import ModelUsageSummary, UsageSummary
    from rlm.environments.local_repl import LocalREPL

    class Instant(BaseLM):  # type: ignore[misc]
        def completion(self, prompt: Any) -> str:
            return "ok"

        async def acompletion(self, prompt: Any) -> str:
            return "ok"

        def get_usage_summary(self) -> Any:
            return UsageSummary(model_usage_summaries={})

        def get_last_usage(self) -> Any:
            return ModelUsageSummary(total_calls=1, total_input_tokens=1, total_output_tokens=1)

    with LMHandler(Instant("instant")) as handler, LocalREPL(lm_handler_address=handler.address) as repl:
        assert repl.execute_code("print(llm_query('x'))").stdout.strip() == "ok"
        repl.execute_code(CALLS.format(n=50))
        calls = [timed(lambda: repl.execute_code(CALLS.format(n=200))) / 200 for _ in range(5)]
        text = LINE * (100_000_000 // len(LINE))
        context = timed(lambda: repl.load_context(text))
        assert repl.execute_code("print(len(context))").stdout.strip() == str(len(text))
    print(statistics.median(calls) * 1e3, context)


def timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
