"""Finishing: replies that end a run, their answers, and the correction where one does not."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_core.finish import Verdict, last_answer, verdict
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
class Loud:
    def __str__(self): raise RuntimeError("no text")
loud = Loud()
class Quiet:
    def __str__(self): return "quiet"
quiet = Quiet()
"""

CODE = "```repl\nlooked = 1\n```\n"

# name of the promise, reply, final answer
ACCEPTED = [
    # --- text: FINAL(...)
    ("plain", "FINAL(42)", "42"),
    ("words", "FINAL(The harbour master is Ada.)", "The harbour master is Ada."),
    ("after prose", "I have checked it.\n\nFINAL(Ada Lovelace)", "Ada Lovelace"),
    ("before prose", "FINAL(Ada)\n\nThat is what the text says.", "Ada"),
    ("indented", "    FINAL(42)", "42"),
    ("tab-indented", "\tFINAL(42)", "42"),
    ("trailing blanks", "FINAL(42)   ", "42"),
    ("full stop after it", "FINAL(42).", "42"),
    ("blank before the bracket", "FINAL (42)", "42"),
    ("blanks inside", "FINAL(  42  )", "42"),
    ("windows line ends", "Done.\r\nFINAL(42)\r\n", "42"),
    ("bullet -", "- FINAL(42)", "42"),
    ("bullet *", "* FINAL(42)", "42"),
    ("bullet +", "+ FINAL(42)", "42"),
    ("numbered", "1. FINAL(42)", "42"),
    ("numbered with bracket", "2) FINAL(42)", "42"),
    ("bold", "**FINAL(42)**", "42"),
    ("italic", "*FINAL(42)*", "42"),
    ("underlined bold", "__FINAL(42)__", "42"),
    ("back-ticks", "`FINAL(42)`", "42"),
    ("three back-ticks on one line", "```FINAL(42)```", "42"),
    ("bold back-ticks in a bullet", "- **`FINAL(42)`**", "42"),
    ("brackets inside", "FINAL(f(x) = (a + b) / 2)", "f(x) = (a + b) / 2"),
    ("ends in brackets", "FINAL(see section (2))", "see section (2)"),
    ("square and curly brackets need no partner", "FINAL(} ]1, 2[ {)", "} ]1, 2[ {"),
    ("apostrophe", "FINAL(It's Ada's)", "It's Ada's"),
    ("quotes inside", 'FINAL(She said "no".)', 'She said "no".'),
    ("double-quoted", 'FINAL("The answer")', "The answer"),
    ("single-quoted", "FINAL('The answer')", "The answer"),
    ("triple-quoted", 'FINAL("""two\nlines""")', "two\nlines"),
    ("quoted, with a lone bracket", 'FINAL("a smile :) for you")', "a smile :) for you"),
    ("quoted, with an escape", r'FINAL("a \"b\" c")', 'a "b" c'),
    ("quoted over two lines", 'FINAL("one\ntwo")', "one\ntwo"),
    ("two quoted words are plain words", 'FINAL("a" or "b")', '"a" or "b"'),
    ("many lines", "FINAL(First line\n\n- a point\n- another (with brackets)\n\nLast line)", None),
    ("bracket on its own line", "FINAL(\n42\n)", "42"),
    ("markdown inside", "FINAL(**Ada** wrote `f(x)`)", "**Ada** wrote `f(x)`"),
    ("a fence inside the answer", "FINAL(Use this:\n```python\nprint(f(1))\n```\n)", None),
    ("json inside", 'FINAL({"a": [1, 2]})', '{"a": [1, 2]}'),
    ("unicode", "FINAL(Größe: 3 µm — 東京)", "Größe: 3 µm — 東京"),
    ("latex", r"FINAL(\frac{1}{2} \left( x \right))", r"\frac{1}{2} \left( x \right)"),
    ("zero", "FINAL(0)", "0"),
    ("none as a word", "FINAL(None)", "None"),
    ("same answer twice", "FINAL(42)\n\nSo:\n\nFINAL(42)", "42"),
    ("outside a data fence", "```text\nraw\n```\nFINAL(42)", "42"),
    ("after thoughts", "<think>FINAL(1)? No.</think>\nFINAL(2)", "2"),
    ("mentioned in prose before", "I will use FINAL(answer) now.\nFINAL(42)", "42"),
    # --- text: a literal that is a variable
    ("literal that names a variable", "FINAL(result)", "forty-two"),
    ("literal that names a number", "FINAL(number)", "42"),
    ("literal that names a module is a word", "FINAL(time)", "time"),
    ("literal that names a function is a word", "FINAL(helper)", "helper"),
    ("literal that names one of our functions is a word", "FINAL(llm_query)", "llm_query"),
    ("quoted name of a variable is a word", 'FINAL("result")', "result"),
    ("sentence with a variable's name", "FINAL(result is final)", "result is final"),
    ("literal that names a variable, with code", CODE + "FINAL(result)", "forty-two"),
    # --- text: FINAL_VAR(...)
    ("variable", "FINAL_VAR(result)", "forty-two"),
    ("variable in double quotes", 'FINAL_VAR("result")', "forty-two"),
    ("variable in single quotes", "FINAL_VAR('result')", "forty-two"),
    ("variable in back-ticks", "FINAL_VAR(`result`)", "forty-two"),
    ("variable in bold", "**FINAL_VAR(result)**", "forty-two"),
    ("variable in a bullet", "1. FINAL_VAR(result)", "forty-two"),
    ("variable with markdown escapes", r"FINAL\_VAR(long\_name\_2)", "found"),
    ("variable with blanks", "FINAL_VAR( result )", "forty-two"),
    ("variable that is a number", "FINAL_VAR(number)", "42"),
    ("variable that is zero", "FINAL_VAR(zero)", "0"),
    ("variable that is a list", "FINAL_VAR(items)", "['a', 'b']"),
    ("variable with its own text", "FINAL_VAR(quiet)", "quiet"),
    ("variable named context", "FINAL_VAR(context)", "the whole context"),
    ("variable bound in the same reply", "```repl\nfresh = 'new'\n```\nFINAL_VAR(fresh)", "new"),
    ("variable, written above the code", "FINAL_VAR(fresh)\n```repl\nfresh = 'new'\n```", "new"),
    ("variable, although a block failed", "```repl\nfresh = 'new'\n1/0\n```\nFINAL_VAR(fresh)", "new"),
    # --- code: FINAL and FINAL_VAR
    ("call", "```repl\nFINAL(6 * 7)\n```", "42"),
    ("call in a python fence", "```python\nFINAL('x')\n```", "x"),
    ("call with a variable", "```repl\nFINAL(result)\n```", "forty-two"),
    ("call by name", "```repl\nFINAL_VAR('result')\n```", "forty-two"),
    ("call by value", "```repl\nFINAL_VAR(number)\n```", "42"),
    ("call by text that is a value", "```repl\ntext = 'two words'\nFINAL_VAR(text)\n```", "two words"),
    ("call in a function", "```repl\ndef done():\n    FINAL(1)\ndone()\n```", "1"),
    ("call in a loop", "```repl\nfor i in range(9):\n    if i == 4: FINAL(i)\n```", "4"),
    ("call in a comprehension", "```repl\n[FINAL(i) for i in range(3)]\n```", "0"),
    ("call in try/except Exception", "```repl\ntry:\n    FINAL(1)\nexcept Exception:\n    FINAL(2)\n```", "1"),
    ("call in a bare except", "```repl\ntry:\n    FINAL(1)\nexcept:\n    pass\nx = 2\n```", "1"),
    (
        "call swallowed, then another",
        "```repl\ntry:\n    FINAL(1)\nexcept BaseException:\n    pass\nFINAL(2)\n```",
        "1",
    ),
    ("call, then a fault in finally", "```repl\ntry:\n    FINAL(1)\nfinally:\n    1/0\n```", "1"),
    ("call through a return in finally", "```repl\ndef f():\n    try: FINAL(1)\n    finally: return 2\nf()\n```", "1"),
    ("call with the answer dictionary", "```repl\nanswer['content'] = 'x'\nFINAL(answer)\n```", "x"),
    ("call in a block that wins over the text", "```repl\nFINAL(1)\n```\nFINAL(2)", "1"),
    ("call in a fence left open", "```repl\nFINAL(1)", "1"),
    ("falsy value", "```repl\nFINAL(0)\n```", "0"),
    ("empty list", "```repl\nFINAL([])\n```", "[]"),
    # --- code: answer
    ("answer by items", "```repl\nanswer['content'] = 'x'\nanswer['ready'] = True\n```", "x"),
    ("answer by update", "```repl\nanswer.update(content='x', ready=True)\n```", "x"),
    ("answer by rebinding", "```repl\nanswer = {'content': 'x', 'ready': True}\n```", "x"),
    (
        "answer by a mapping",
        "```repl\nimport types\nanswer = types.MappingProxyType({'content': 1, 'ready': 1})\n```",
        "1",
    ),
    ("answer in a function", "```repl\ndef f():\n    answer['content'] = 5\n    answer['ready'] = True\nf()\n```", "5"),
    ("answer that is a list", "```repl\nanswer = {'content': [1], 'ready': True}\n```", "[1]"),
    ("answer before a fault", "```repl\nanswer.update(content='x', ready=True)\n1/0\n```", "x"),
    ("content now, ready later", "```repl\nanswer['content'] = 'x'\n```\n```repl\nanswer['ready'] = True\n```", "x"),
    ("content by name, then ready", "```repl\nanswer = 'x'\n```\n```repl\nanswer['ready'] = True\n```", "x"),
    ("content by text", "```repl\nanswer['content'] = 'x'\n```\nFINAL_VAR(answer)", "x"),
    (
        "ready in the first of two blocks",
        "```repl\nanswer.update(content=1, ready=True)\n```\n```repl\nanswer['content'] = 2\n```",
        "1",
    ),
]

# name of the promise, reply, part of the correction
ASKED_BACK = [
    ("nothing", "I will look at the context first.", "no code and no final answer"),
    ("an empty reply", "", "no code and no final answer"),
    ("blanks", " \n\t\n", "no code and no final answer"),
    ("an answer in prose", "The final answer is 42.", "no code and no final answer"),
    ("FINAL in a sentence", "So the answer is FINAL(42), I think.", "no code and no final answer"),
    ("FINAL with text after it", "FINAL(42) is what I would say.", "no code and no final answer"),
    ("FINAL quoted from someone", "> FINAL(42)", "no code and no final answer"),
    ("another word", "FINALLY(42)", "no code and no final answer"),
    ("lower case", "final(42)", "no code and no final answer"),
    ("code without a fence", "print(len(context))", "no code and no final answer"),
    ("untagged fence", "```\nprint(1)\n```", "no code and no final answer"),
    ("a fence of another language", "```json\n{}\n```", "no code and no final answer"),
    ("FINAL in an untagged fence", "```\nFINAL(42)\n```", "inside a fence that is not code"),
    ("FINAL in a text fence", "~~~text\nFINAL(42)\n~~~", "inside a fence that is not code"),
    ("FINAL_VAR in an untagged fence", "```\nFINAL_VAR(result)\n```", "inside a fence that is not code"),
    ("literal with code", CODE + "FINAL(42)", "together with code"),
    ("literal above code", "FINAL(42)\n" + CODE, "together with code"),
    ("literal with failing code", "```repl\n1/0\n```\nFINAL(42)", "together with code"),
    ("empty", "FINAL()", "is empty"),
    ("empty quotes", 'FINAL("")', "is empty"),
    ("blanks in brackets", "FINAL(   )", "is empty"),
    ("no closing bracket", "FINAL(42", "do not match"),
    ("too few closing brackets", "FINAL(see (1)", "do not match"),
    ("too many closing brackets", "FINAL([1, 2))", "do not match"),
    ("a smile", "FINAL(it is done :) )", "do not match"),
    ("two answers", "FINAL(1)\nFINAL(2)", "2 different final answers"),
    ("an f-string", 'FINAL(f"{number} items")', "would not be evaluated"),
    ("unknown variable", "FINAL_VAR(reslt)", "there is no variable 'reslt'. Your variables: "),
    ("unknown variable, those there are", "FINAL_VAR(reslt)", "result, number, items"),
    ("variable from code that failed before", "```repl\n1/0\nfresh = 1\n```\nFINAL_VAR(fresh)", "no variable 'fresh'"),
    ("no variable", "FINAL_VAR()", "takes the name of one variable, not nothing"),
    ("expression", "FINAL_VAR(items[0])", "takes the name of one variable, not items[0]"),
    ("two names", "FINAL_VAR(result, number)", "takes the name of one variable"),
    ("sentence", "FINAL_VAR(the result)", "takes the name of one variable"),
    ("variable that is None", "FINAL_VAR(nothing)", "the answer is empty (None)"),
    ("variable that is blank", "FINAL_VAR(blank)", "the answer is empty ('  ')"),
    ("variable that is a function", "FINAL_VAR(helper)", "a function is not an answer"),
    ("variable that is a module", "FINAL_VAR(json)", "a module is not an answer"),
    ("variable that is a class", "FINAL_VAR(Loud)", "a type is not an answer"),
    ("variable whose text cannot be made", "FINAL_VAR(loud)", "RuntimeError: no text"),
    ("dunder name", "FINAL_VAR(__builtins__)", "there is no variable"),
    ("answer that has no content yet", "FINAL_VAR(answer)", "the answer is empty ('')"),
]

# name of the promise, code, part of the error or the output that the model sees; the run goes on
NOT_ACCEPTED_IN_CODE = [
    ("empty text", "FINAL('')", "ValueError: FINAL(...): the answer is empty ('')"),
    ("None", "FINAL(None)", "the answer is empty (None)"),
    ("a function", "FINAL(helper)", "TypeError: FINAL(...): a function is not an answer"),
    ("a generator", "FINAL(x for x in 'ab')", "a generator is not an answer"),
    ("no argument", "FINAL()", "missing 1 required positional argument"),
    ("unknown name", "FINAL_VAR('reslt')", "NameError: there is no variable 'reslt'"),
    ("unknown expression", "FINAL_VAR('items[0]')", "there is no variable 'items[0]'"),
    ("plain words", "FINAL(the answer is 42)", "in a block FINAL is a Python function"),
    ("a text that cannot be made", "FINAL(loud)", "RuntimeError: no text"),
    ("ready without content", "answer['ready'] = True", "ValueError: answer: the answer is empty ('')"),
    ("rebound without content", "answer = {'ready': True}", "the answer is empty ('')"),
    ("content without ready", "answer['content'] = 'x'", ""),
    ("answer rebound to text", "answer = 'x'", 'your value is now answer["content"]'),
    ("answer deleted", "del answer", ""),
]


def prepared() -> Repl:
    repl = Repl("the whole context")
    assert repl.execute(SETUP).error is None
    return repl


def judged(reply: str, repl: Repl) -> Verdict:
    parsed = parse(reply)
    for block in parsed.blocks:
        if repl.final is None:
            repl.execute(block.code)
    return verdict(parsed, repl)


@pytest.mark.parametrize(("name", "reply", "answer"), ACCEPTED, ids=[case[0] for case in ACCEPTED])
def test_a_reply_that_finishes_is_accepted(name: str, reply: str, answer: str | None) -> None:
    expected = reply[len("FINAL(") : -1].strip() if answer is None else answer
    assert judged(reply, prepared()).answer == expected


@pytest.mark.parametrize(("name", "reply", "told"), ASKED_BACK, ids=[case[0] for case in ASKED_BACK])
def test_a_reply_that_does_not_finish_is_told_why(name: str, reply: str, told: str) -> None:
    found = judged(reply, prepared())
    assert found.answer is None
    assert told in found.correction
    assert len(found.correction) < 500


@pytest.mark.parametrize(("name", "code", "seen"), NOT_ACCEPTED_IN_CODE, ids=[case[0] for case in NOT_ACCEPTED_IN_CODE])
def test_code_that_does_not_finish_is_told_why(name: str, code: str, seen: str) -> None:
    repl = prepared()
    observation = repl.execute(code)
    assert repl.final is None
    assert seen in (observation.error or "") + observation.stdout


def test_the_tables_hold_more_than_a_hundred_cases() -> None:
    tables: list[list[tuple[Any, ...]]] = [[*ACCEPTED], [*ASKED_BACK], [*NOT_ACCEPTED_IN_CODE]]
    assert sum(map(len, tables)) >= 100
    assert all(len({case[0] for case in table}) == len(table) for table in tables)


def test_a_reply_that_only_looks_is_neither_answered_nor_corrected() -> None:
    found = judged(CODE, prepared())
    assert (found.answer, found.correction) == (None, "")


def test_an_answer_that_must_be_confirmed_is_kept_as_partial() -> None:
    assert judged(CODE + "FINAL(Ada)", prepared()).partial == "Ada"


def test_the_answer_dictionary_stays_usable_after_an_empty_one_was_refused() -> None:
    repl = prepared()
    repl.execute("answer['ready'] = True")
    repl.execute("answer['content'] = 'x'")
    assert repl.final is None
    repl.execute("answer['ready'] = True")
    assert repl.final == "x"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("It is probably Ada.", "It is probably Ada."),
        ("FINAL(Ada)", "Ada"),
        ("I think:\n\n**FINAL(Ada)**", "Ada"),
        ("FINAL(1)\nFINAL(2)", "2"),
        ("FINAL_VAR(result)", "forty-two"),
        ("```repl\nprint(1)\n```\nFINAL(Ada)", "Ada"),
        ("FINAL_VAR(missing)", "FINAL_VAR(missing)"),
        ("", ""),
    ],
)
def test_the_last_call_takes_what_it_gets(reply: str, answer: str) -> None:
    assert last_answer(parse(reply), reply, prepared()) == answer
