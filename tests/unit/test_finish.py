"""Finishing: replies that end a run, their answers, and the correction where one does not."""

from __future__ import annotations

import pytest

from rlm_core.finish import last_answer, verdict
from rlm_core.parse import parse
from tests.unit.judged_reply import CODE, SEEN_LATER, judged, prepared

HARMONY = "<|channel|>analysis<|message|>We look. FINAL(1)<|end|><|start|>assistant<|channel|>final<|message|>"

# name of the promise, reply, final answer
ACCEPTED = [
    # --- text: FINAL(...)
    ("plain", "FINAL(42)", "42"),
    ("words", "FINAL(The harbour master is Ada.)", "The harbour master is Ada."),
    ("after prose", "I have checked it.\n\nFINAL(Ada Lovelace)", "Ada Lovelace"),
    ("before prose", "FINAL(Ada Byron)\n\nThat is what the text says.", "Ada Byron"),
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
    ("a comma after the quotes", 'FINAL("The answer",)', "The answer"),
    ("named, in quotes", "FINAL(answer='The answer')", "The answer"),
    ("quoted, with evidence", 'FINAL("The answer", evidence=["the whole context"])', "The answer"),
    ("words with evidence", "FINAL(It is (b), as said, evidence=['the whole'])", "It is (b), as said"),
    (
        "evidence over lines",
        'FINAL("""two\nlines""",\n  evidence=[\n    {"quote": "the whole"},\n  ],\n)',
        "two\nlines",
    ),
    ("a variable with evidence", "FINAL(result, evidence=['the whole'])", "forty-two"),
    ("FINAL_VAR with evidence", "FINAL_VAR(result, evidence=['the whole'])", "forty-two"),
    ("FINAL_VAR by its argument's name", "FINAL_VAR(variable_name='result')", "forty-two"),
    ("evidence in a sentence", "FINAL(There is no evidence = none was found)", "There is no evidence = none was found"),
    # --- text: a literal that is a variable
    ("literal that names a variable", "FINAL(result)", "forty-two"),
    ("literal that names a number", "FINAL(number)", "42"),
    ("quoted name of a variable is a word", 'FINAL("result")', "result"),
    ("sentence with a variable's name", "FINAL(the result is final)", "the result is final"),
    ("variable in back-ticks of its own", "FINAL(`result`)", "forty-two"),
    ("variable in bold of its own", "FINAL(**number**)", "42"),
    ("names that are no variables", "FINAL(Ada, Bo)", "Ada, Bo"),
    ("hyphenated words", "FINAL(well-known)", "well-known"),
    ("a name and a year", "FINAL(Ada (1815))", "Ada (1815)"),
    ("a host's name", "FINAL(example.com)", "example.com"),
    ("an equation", "FINAL(x = 4)", "x = 4"),
    ("a number with units", "FINAL(3.5 %)", "3.5 %"),
    ("arithmetic without names", "FINAL(2 - 1)", "2 - 1"),
    ("braces that are no variable's", "FINAL(Set {1, 2} and {zeta})", "Set {1, 2} and {zeta}"),
    ("latex with a variable's name", "FINAL(\\frac{number}{2})", "\\frac{number}{2}"),
    ("items with labels", "FINAL(\na) first\nb) second\n)", "a) first\nb) second"),
    ("items with labels and brackets", "FINAL(Two:\n1) one (a)\n2) two (b))", "Two:\n1) one (a)\n2) two (b)"),
    ("a list below the answer", "FINAL(42)\n1) as said\n2) as shown", "42"),
    ("a smile below the answer", "FINAL(42)\n\nHope it helps :)", "42"),
    # --- text: marks around it
    ("heading", "### FINAL(42)", "42"),
    ("quoted", "> FINAL(42)", "42"),
    ("quoted heading", "> ## FINAL(42)", "42"),
    ("after a label", "**Final answer:** FINAL(42)", "42"),
    ("after a plain label", "Answer: FINAL(42)", "42"),
    ("after words", "The final answer is FINAL(42).", "42"),
    ("in quotes", "\u201cFINAL(42)\u201d", "42"),
    ("in double quotes", '"FINAL(42)"', "42"),
    ("full-width brackets", "FINAL\uff0842\uff09", "42"),
    ("lower case", "final(42)", "42"),
    ("capitalised", "Final(42)", "42"),
    ("variable in a heading", "# FINAL_VAR(number)", "42"),
    ("after a byte order mark", "\ufeffFINAL(42)", "42"),
    ("between characters without a width", "\u200bFINAL(42)\u200b", "42"),
    ("a name with one", "FINAL_VAR(number\u200b)", "42"),
    ("old line ends", "Done.\rFINAL(42)\r", "42"),
    ("bold around the word alone", "**FINAL**(42)", "42"),
    ("an arrow before it", "\u2192 FINAL(42)", "42"),
    ("an arrow of letters", "=> FINAL_VAR(number)", "42"),
    ("pictures around it", "\u2705 FINAL(42) \U0001f389", "42"),
    ("in an element", "<final_answer>FINAL(42)</final_answer>", "42"),
    ("a line break of HTML behind it", "FINAL(42)<br>", "42"),
    ("a comment behind it", "FINAL_VAR(number)  # the count", "42"),
    ("an empty element of HTML behind it", "FINAL(42)<br/>", "42"),
    ("a name in typographic quotes", "FINAL_VAR(\u201cnumber\u201d)", "42"),
    ("harmony without its tokens, from its start", "assistantanalysisFINAL(1)assistantfinalFINAL(42)", "42"),
    ("a tag as the answer", "FINAL(<div>)", "<div>"),
    ("FINAL VAR", "FINAL VAR(number)", "42"),
    ("FINALVAR", "FINALVAR(number)", "42"),
    ("in German quotes", "FINAL(\u201eAda\u201c)", "Ada"),
    ("in French quotes", "FINAL(\u00ab Ada \u00bb)", "Ada"),
    ("in English quotes", "FINAL(\u201cAda\u201d)", "Ada"),
    ("in single English quotes", "FINAL(\u2018Ada\u2019)", "Ada"),
    ("in Chinese quotes", "FINAL(\u300c\u56db\u5341\u4e8c\u300d)", "\u56db\u5341\u4e8c"),
    ("in mixed quotes", 'FINAL(\u201cAda")', "Ada"),
    ("a variable's name in English quotes is a word", "FINAL(\u201cresult\u201d)", "result"),
    ("two words in English quotes", "FINAL(\u201ca\u201d or \u201cb\u201d)", "\u201ca\u201d or \u201cb\u201d"),
    ("after a German label", "Antwort: FINAL(42)", "42"),
    ("after a Chinese label", "**\u6700\u7ec8\u7b54\u6848\uff1a**FINAL(42)", "42"),
    ("after a Russian label", "\u041e\u0442\u0432\u0435\u0442: FINAL(42)", "42"),
    ("after a French label", "R\u00e9ponse finale : FINAL(42)", "42"),
    ("text by its name", 'FINAL(text="Ada")', "Ada"),
    ("content by its name", "FINAL(content = 'Ada')", "Ada"),
    ("an equation that begins alike", "FINAL(result = 4)", "result = 4"),
    ("a variable between characters without a width", "FINAL(\u200bnumber\u200b)", "42"),
    ("a wide blank before the bracket", "FINAL\u00a0(42)", "42"),
    ("FINAL_VAR by another name", "FINAL_VAR(var='number')", "42"),
    ("json with a bracket in a string", 'FINAL({"a": "x :) y"})', '{"a": "x :) y"}'),
    ("a list with a bracket in a string", 'FINAL(["b)", 1])', '["b)", 1]'),
    # --- thoughts and servers' markers
    ("after an opening thought", "<think>\nFINAL(1)\n</think>\nFINAL(2)", "2"),
    ("after thoughts without an opening tag", "Hm.\nFINAL(1)\n</think>\n\nFINAL(2)", "2"),
    ("after thoughts in another tag", "<thinking>FINAL(1)</thinking>\nFINAL(2)", "2"),
    ("after thoughts in brackets", "[THINK]FINAL(1)[/THINK]FINAL(2)", "2"),
    ("after thoughts in the middle", "Well.\n<think>\nFINAL(1)\n</think>\nFINAL(2)", "2"),
    ("harmony", HARMONY + "FINAL(2)<|return|>", "2"),
    ("harmony without its tokens", "analysisLet me see. FINAL(1)assistantfinalFINAL(2)", "2"),
    ("in a box", "<|begin_of_box|>FINAL(2)<|end_of_box|>", "2"),
    ("in a box of lines", "<|begin_of_box|>\nFINAL(2)\n<|end_of_box|>", "2"),
    ("in an answer tag", "<answer>FINAL(2)</answer>", "2"),
    ("before an end marker", "FINAL(2)<|im_end|>", "2"),
    ("before an end of sentence", "FINAL(2)</s>", "2"),
    ("before an invented turn", "FINAL(2)\n<|im_end|>\n<|im_start|>user\nGo on.\n<|im_start|>assistant\nFINAL(3)", "2"),
    ("that ends in markup", "FINAL(<s>old</s> new)", "<s>old</s> new"),
    # --- code: worked out in a later block, after output that was not seen
    ("a value worked out after output", SEEN_LATER + "```repl\nn = len(items)\nFINAL(n)\n```", "2"),
    ("text with a value after output", SEEN_LATER + "```repl\nFINAL(f'There are {len(items)}.')\n```", "There are 2."),
    ("a variable of before after output", SEEN_LATER + "```repl\nFINAL_VAR('result')\n```", "forty-two"),
    ("a choice after output", SEEN_LATER + "```repl\nFINAL('many' if len(items) > 1 else 'few')\n```", "many"),
    (
        "branches after output",
        SEEN_LATER + "```repl\nif len(items) > 1:\n    said = 'many'\nelse:\n    said = 'few'\nFINAL(said)\n```",
        "many",
    ),
    (
        "a list filled after output",
        SEEN_LATER + "```repl\na = []\nfor i in items: a.append(i)\nFINAL(a)\n```",
        "['a', 'b']",
    ),
    (
        "a function that finishes with a value after output",
        SEEN_LATER + "```repl\ndef done(x): FINAL(x)\ndone(len(items))\n```",
        "2",
    ),
    (
        "a function that chooses after output",
        SEEN_LATER + "```repl\ndef done(n):\n    if n > 1: FINAL('many')\n    FINAL('few')\ndone(len(items))\n```",
        "many",
    ),
    (
        "a choice of what a function gets after output",
        SEEN_LATER + "```repl\ndef done(x): FINAL(x)\nif items: done('many')\nelse: done('few')\n```",
        "many",
    ),
    (
        "a function of before that finishes with a value after output",
        SEEN_LATER + "```repl\nfinish(len(items))\n```",
        "2",
    ),
    ("a reply of a function after output", SEEN_LATER + "```repl\nFINAL(helper())\n```", "1"),
    (
        "the dictionary with a value after output",
        SEEN_LATER + "```repl\nanswer.update(content=number, ready=True)\n```",
        "42",
    ),
    ("a literal after a block without output", "```repl\na = 1\n```\n```repl\nFINAL('done so')\n```", "done so"),
    ("a literal in the only block", "```repl\nprint(1)\nFINAL('done so')\n```", "done so"),
    ("a variable worked out, in text", "```repl\nn = len(items)\nprint(n)\n```\nFINAL_VAR(n)", "2"),
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
    ("variable, although a block failed", "```repl\nfresh = number + 1\n1/0\n```\nFINAL_VAR(fresh)", "43"),
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
    ("ready as a word", "```repl\nanswer = {'content': 'x', 'ready': 'True'}\n```", "x"),
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


@pytest.mark.parametrize(("name", "reply", "answer"), ACCEPTED, ids=[case[0] for case in ACCEPTED])
def test_a_reply_that_finishes_is_accepted(name: str, reply: str, answer: str | None) -> None:
    expected = reply[len("FINAL(") : -1].strip() if answer is None else answer
    assert judged(reply, prepared()).answer == expected


@pytest.mark.parametrize("answer", ['"It is 42."', "It is 42.", "result"])
def test_quotes_written_beside_an_answer_in_text_are_its_evidence(answer: str) -> None:
    repl = prepared()
    found = judged(f"FINAL({answer}, evidence=['the whole', {{'quote': 'context', 'source': 'a.txt'}}])", repl)
    assert found.answer in ("It is 42.", "forty-two")
    assert [(item.quote, item.source) for item in repl.evidence] == [("the whole", None), ("context", "a.txt")]


def test_the_table_holds_more_than_a_hundred_cases() -> None:
    assert len({case[0] for case in ACCEPTED}) == len(ACCEPTED) >= 100


def test_a_reply_that_only_looks_is_neither_answered_nor_corrected() -> None:
    found = judged(CODE, prepared())
    assert (found.answer, found.correction) == (None, "")


def test_an_answer_that_must_be_confirmed_is_kept_as_partial() -> None:
    assert judged(CODE + "FINAL(Ada)", prepared()).partial == "Ada"


def test_an_answer_that_code_had_to_confirm_can_be_sent_again() -> None:
    repl = prepared()
    found = judged(SEEN_LATER + "```repl\nanswer.update(content='9999', ready=True)\n```", repl)
    assert (found.answer, found.partial, repl.final) == (None, "9999", None)
    repl.execute("1")
    assert repl.final is None
    repl.execute("answer['ready'] = True")
    assert repl.final == "9999"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("```repl\nx = 1\nfor i in", "inside its last code block, which did not run"),
        ("I think that the", "was cut at its length limit"),
        ("```repl\nx = 1\n```\nNow I", "was cut at its length limit"),
        ("```repl\nx = 1\nFINAL(1)", "inside its last code block, which did not run"),
    ],
)
def test_a_cut_reply_is_told_so_and_its_last_block_does_not_run(reply: str, told: str) -> None:
    parsed = parse(reply, cut=True)
    assert [block.code for block in parsed.blocks] == (["x = 1"] if "```\nNow" in reply else [])
    assert told in verdict(parsed, prepared()).correction


def test_a_cut_reply_with_a_whole_answer_is_an_answer() -> None:
    assert verdict(parse("FINAL(It is 42.)\nAs", cut=True), prepared()).answer == "It is 42."


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


@pytest.mark.parametrize("word", ["False", "no", ""])
def test_an_answer_that_is_said_not_to_be_ready_ends_nothing(word: str) -> None:
    assert judged(f"```repl\nanswer.update(content='draft', ready={word!r})\n```", prepared()).answer is None
