"""Judged reply: the verdict on a reply, after its code ran in a REPL that holds the values below."""

from __future__ import annotations

from rlm_core.finish import Verdict, verdict
from rlm_core.parse import parse
from rlm_core.repl import Repl

SETUP = """\
import json, time
result = "forty-two"
number = 42
items = ["a", "b"]
zero = 0
nothing = None
blank = "  "
long_name_2 = "found"
def helper(): return 1
def finish(value): FINAL(value)
class Loud:
    def __str__(self): raise RuntimeError("no text")
loud = Loud()
class Quiet:
    def __str__(self): return "quiet"
quiet = Quiet()
"""

CODE = "```repl\nlooked = 1\n```\n"
SEEN_LATER = "```repl\nprint(items)\n```\nOutput: 12\n\n"


def prepared() -> Repl:
    repl = Repl("the whole context")
    assert repl.execute(SETUP).error is None
    return repl


def judged(reply: str, repl: Repl) -> Verdict:
    parsed = parse(reply)
    unseen = []
    for block in parsed.blocks:
        if repl.final is None:
            observation = repl.execute(block.code)
            unseen.append(bool(observation.stdout or observation.value or observation.error))
    return verdict(parsed, repl, unseen=unseen)
