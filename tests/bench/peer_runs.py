"""One peer in its own environment: the bench's works in its own words, over the bench's model.

`python -m tests.bench.peer_runs NAME URL`, by the interpreter of the peer's virtual environment. In: on each line of
stdin the name of a work, a tab, and how many times. Out: for each a line of JSON: the seconds of each time and the peak
of its processes' memory, `null` where the peer has no such work, or why it failed. Each peer has the room to run as
many calls at once as it can be told to.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, Protocol

from tests.bench.processes import peak_memory

AT_ONCE = 16
QUESTIONS, THREADS = 40, 8
NEEDLE = "needle in a haystack"
LINE = "the quick brown fox jumps over the lazy dog, again and again and again\n"
MOST = 10**9
WEIGHED = frozenset({"warm", "search", "long"})
"""Works whose memory is read, in one more time."""
_nonces = count()


class Peer(Protocol):
    """One library. `code` is for its REPL: a work's name -> the blocks of its run."""

    code: dict[str, list[str]]
    fence: str

    def ask(self, question: str, *, context: str = "-", sub_model: str = "wait-0") -> object:
        """Run one question; the model replies with the blocks that the question brings."""


def haystack() -> str:
    """100 MB of text with one needle."""
    text = LINE * (100_000_000 // len(LINE))
    middle = len(text) // 2
    return text[:middle] + NEEDLE + text[middle:]


def question_of(replies: Sequence[str]) -> str:
    """A question that brings the model's replies, which the model counts by the number that it holds."""
    script = {"replies": replies, "number": f"{os.getpid()}-{next(_nonces)}"}
    return f"script:{base64.b64encode(json.dumps(script).encode()).decode()}"


def works(code: Mapping[str, str], done: str) -> dict[str, list[str]]:
    """The blocks of each work, of a peer's spelling of a call, a batch, child runs and a search."""
    blocks = {
        "query": f"for n in range(2000): {code.get('query')}\n{done}",
        "batch": f"{code.get('batch')}\n{done}",
        "search": f"{code.get('search')}\n{done}",
        "children": f"{code.get('children')}\n{done}",
    }
    return {
        **{name: [block] for name, block in blocks.items() if code.get(name)},
        "warm": ["print(1)", done],
        "loop": ["print(1)", done],
        "questions": ["print(1)", done],
        "iterations": [*(f"print({n})" for n in range(29)), done],
    }


class Rlms:
    """PyPI `rlms`, its LocalREPL: model code in this process."""

    fence = "repl"
    child = "```repl\nanswer['content'] = 'ok'; answer['ready'] = True\n```"
    code = works(
        {
            "query": "llm_query(str(n))",
            "batch": "llm_query_batched([str(n) for n in range(200)])",
            "search": "print(context.index('needle in'))",
            "children": "print(len(rlm_query_batched([f'child {n}' for n in range(16)])))",
        },
        "answer['content'] = 'done'; answer['ready'] = True",
    )

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, question: str, *, context: str = "-", sub_model: str = "wait-0") -> object:
        from rlm import RLM

        client = {"base_url": f"{self.url}/v1", "api_key": "bench"}
        is_deep = sub_model == "child"
        named = f"say-{base64.urlsafe_b64encode(self.child.encode()).decode()}" if is_deep else sub_model
        rlm = RLM(
            backend="openai",
            backend_kwargs={"model_name": "wait-0", **client},
            other_backends=["openai"],
            other_backend_kwargs=[{"model_name": named, **client}],
            max_iterations=40,
            max_depth=2 if is_deep else 1,
            max_concurrent_subcalls=AT_ONCE,
        )
        answer = rlm.completion(context, root_prompt=question).response
        assert answer == "done", answer
        return answer


class Dspy:
    """PyPI `dspy`: model code in Pyodide under Deno, a process beside."""

    fence = "dspy"
    code = works(
        {
            "query": "llm_query(str(n))",
            "batch": "llm_query_batched([str(n) for n in range(200)])",
            "search": "print(context.index('needle in'))",
        },
        "SUBMIT('done')",
    )

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, question: str, *, context: str = "-", sub_model: str = "wait-0") -> object:
        import dspy

        def model(name: str) -> Any:
            return dspy.LM(f"openai/{name}", api_base=f"{self.url}/v1", api_key="bench", cache=False)

        command = [*dspy.PythonInterpreter().deno_command]
        command.insert(2, f"--import-map={os.environ['DENO_IMPORT_MAP']}")
        limits = {"max_iters": 40, "max_llm_calls": MOST}

        with dspy.context(lm=model("wait-0"), adapter=dspy.ChatAdapter()):
            rlm = dspy.RLM(
                "context, question -> answer",
                sub_lm=model(sub_model),
                interpreter_factory=lambda: dspy.PythonInterpreter(deno_command=command),
                **limits,
            )
            answer = rlm(context=context, question=question).answer
        assert answer == "done", answer
        return answer


class Rlmness:
    """PyPI `rlmness`: model code in a process beside; its only call of a model from code is a child run."""

    fence = "python"
    code = works(
        {
            "search": "print(PROMPT.index('needle in'))",
            "children": "print(len(await gather_rlm([f'child {n}' for n in range(16)], instruction=INSTRUCTION)))",
        },
        "FINAL(str(1 + 1))",
    )

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, question: str, *, context: str = "-", sub_model: str = "wait-0") -> object:
        from rlmness import ChatClient, Config, solve
        from rlmness.providers import Provider

        client = ChatClient("bench", provider=Provider("bench", f"{self.url}/v1/chat/completions", "BENCH"))
        many = {"max_calls": MOST, "max_cost": float(MOST), "max_concurrent": AT_ONCE, "max_live": 2 * AT_ONCE}
        config = Config(primary_agent="wait-0", runtime="subprocess", max_steps=40, max_depth=2, **many)
        answer = solve(context, client, instruction=question, config=config).output
        assert answer == "2", answer
        return answer


class Droste:
    """PyPI `droste`: model code in this process, its native environment."""

    fence = "python"
    code = works(
        {
            "query": "llm_query(str(n))",
            "batch": "for begin in (0, 50, 100, 150): llm_batch([str(begin + n) for n in range(50)])",  # 50 is its most
            "search": "print(context.index('needle in'))",
        },
        "answer['content'] = 'done'; answer['ready'] = True",
    )

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, question: str, *, context: str = "-", sub_model: str = "wait-0") -> object:
        import droste

        budget = droste.Budget(tokens=MOST, subcalls=MOST, wall_ms=MOST, max_iterations=40)
        config = droste.EnvironmentConfig(kind="native", budget=budget)
        run = droste.create_environment_context(config)
        address = {"base_url": f"{self.url}/v1", "api_key": "bench"}
        subcalls = droste.OpenAICompatSubcallClient(model=sub_model, context=run, max_parallel=AT_ONCE, **address)
        environment = droste.create_environment(
            config, context=context, registry=None, subcalls=subcalls, execution_context=run
        )
        result = droste.run_rlm(
            question,
            environment=environment,
            root_llm=droste.OpenAICompatClient(model="wait-0", **address),
            subcalls=subcalls,
            config=droste.RLMConfig(budget=budget, rollout=droste.RolloutConfiguration(concurrency=AT_ONCE)),
            context=run,
        )
        assert result.answer == "done", result.answer
        return result.answer


PEERS: Mapping[str, Callable[[str], Peer]] = {"rlms": Rlms, "dspy": Dspy, "rlmness": Rlmness, "droste": Droste}
SUB_MODELS = {"batch": "wait-200", "children": "child"}


def reply(fence: str, code: str) -> str:
    """A reply of the root model in the form that the peer reads."""
    if fence == "dspy":
        fields = {"reasoning": "-", "code": f"```python\n{code}\n```", "completed": ""}
        return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields.items())
    return f"```{fence}\n{code}\n```"


def measured(peer: Peer, work: str, times: int) -> dict[str, Any] | None:
    """Seconds of each time, and the peak of memory over all."""
    if work not in peer.code:
        return None
    context = haystack() if work == "search" else "-"
    child = question_of([reply(peer.fence, "FINAL('ok')")])
    replies = [reply(peer.fence, code.replace("INSTRUCTION", repr(child))) for code in peer.code[work]]
    seconds = []

    def ask() -> None:
        peer.ask(question_of(replies), context=context, sub_model=SUB_MODELS.get(work, "wait-0"))

    for _ in range(times):
        began = time.perf_counter()
        if work == "questions":
            with ThreadPoolExecutor(THREADS) as threads:
                [asked.result() for asked in [threads.submit(ask) for _ in range(QUESTIONS)]]
        else:
            ask()
        seconds.append(time.perf_counter() - began)
    if work not in WEIGHED:
        return {"seconds": seconds, "bytes": 0}
    with peak_memory() as memory:  # reading it takes time of its own
        ask()
    return {"seconds": seconds, "bytes": memory.bytes}


def main() -> None:
    name, url = sys.argv[1:]
    peer = PEERS[name](url)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints is no figure
    peer.ask(question_of([reply(peer.fence, peer.code["warm"][-1])]))
    home = os.getcwd()
    for line in sys.stdin:
        work, times = line.rstrip("\n").split("\t")
        os.chdir(home)  # threads of rlms leave the process in a folder that is gone
        try:
            figures = measured(peer, work, int(times))
        except Exception as fault:  # noqa: BLE001 - one work that fails leaves the others
            figures = {"failed": f"{type(fault).__name__}: {fault}"[:300]}
        print(json.dumps(figures), file=answers, flush=True)


if __name__ == "__main__":
    main()
