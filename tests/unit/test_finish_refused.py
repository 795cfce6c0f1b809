"""Replies and code that do not finish: each is asked back, with the reason."""

from __future__ import annotations

import pytest

from tests.unit.judged_reply import CODE, SEEN_LATER, judged, prepared

# name of the promise, reply, part of the correction
ASKED_BACK = [
    ("nothing", "I will look at the context first.", "no code and no final answer"),
    ("an empty reply", "", "no code and no final answer"),
    ("blanks", " \n\t\n", "no code and no final answer"),
    ("an answer in prose", "The final answer is 42.", "no code and no final answer"),
    ("FINAL in a sentence", "So the answer is FINAL(42), I think.", "no code and no final answer"),
    ("FINAL with text after it", "FINAL(42) is what I would say.", "no code and no final answer"),
    ("another word", "FINALLY(42)", "no code and no final answer"),
    ("code without a fence", "print(len(context))", "no code and no final answer"),
    ("untagged fence", "```\nprint(1)\n```", "no code and no final answer"),
    ("thoughts left open", "<think>\nFINAL(7)\nbut is", "no code and no final answer"),
    ("thoughts that hold it all", "<think>FINAL(7)</think>", "no code and no final answer"),
    ("a cut thought after words", "Sure.\n<thinking>\nFINAL(7)", "no code and no final answer"),
    ("harmony's analysis alone", "<|channel|>analysis<|message|>FINAL(7)", "no code and no final answer"),
    ("a call as text", "FINAL(str(number))", "would not be evaluated"),
    ("a call of an unknown function", "FINAL(total(rows))", "would not be evaluated"),
    ("an item as text", "FINAL(items[0])", "would not be evaluated"),
    ("an item of an unknown variable", "FINAL(rows[0])", "would not be evaluated"),
    ("an operator over a variable", "FINAL(number + 1)", "would not be evaluated"),
    ("a condition over a variable", "FINAL(zero if nothing else number)", "would not be evaluated"),
    ("an attribute of a variable", "FINAL(result.upper)", "would not be evaluated"),
    ("joined items", 'FINAL(", ".join(items))', "would not be evaluated"),
    ("a format", 'FINAL("The length is {}".format(number))', "would not be evaluated"),
    ("a percent sign", 'FINAL("%d rows" % number)', "would not be evaluated"),
    ("a comprehension", "FINAL([x for x in items])", "would not be evaluated"),
    ("a list of variables", "FINAL([number, zero])", "would not be evaluated"),
    ("braces with a variable's name", "FINAL(The length is {number} characters.)", "would not be evaluated"),
    ("braces with a call", "FINAL(There are {len(items)}.)", "would not be evaluated"),
    ("quoted braces with a variable's name", 'FINAL("There are {number}.")', "would not be evaluated"),
    ("a dollar and a variable's name", "FINAL($number)", "would not be evaluated"),
    ("angles with a variable's name", "FINAL(<number>)", "would not be evaluated"),
    ("an argument that it has not", 'FINAL("Ada", sources=["x"])', "would not be evaluated"),
    ("a template and an operator", "FINAL(There are %d rows % number)", "would not be evaluated"),
    ("a template and a method", "FINAL(There are {} rows.format(number))", "would not be evaluated"),
    ("an argument that is a variable", "FINAL(answer=number)", "would not be evaluated"),
    ("evidence that is a variable", "FINAL(It is 42., evidence=items)", "evidence=items would not be evaluated"),
    ("evidence that is no quote", "FINAL(It is 42., evidence=[7])", "evidence 1 must be a quote"),
    (
        "an answer in quotes with evidence that is none",
        'FINAL("It is 42.", evidence=[...])',
        "evidence 1 must be a quote",
    ),
    ("a name that is no variable", "FINAL(totl)", "there is no variable 'totl'"),
    ("a name in back-ticks that is no variable", "FINAL(`totl`)", "there is no variable 'totl'"),
    ("a module's name", "FINAL(time)", "there is no variable 'time'"),
    ("a function's name", "FINAL(helper)", "there is no variable 'helper'"),
    ("the placeholder", "FINAL(your answer)", "holds a placeholder"),
    ("the placeholder in marks", "FINAL(<your answer>)", "holds a placeholder"),
    ("a placeholder in other words", "FINAL(<the answer>)", "holds a placeholder"),
    ("a placeholder in braces", "FINAL({the final result here})", "holds a placeholder"),
    ("the placeholder in quotes", 'FINAL("your answer")', "holds a placeholder"),
    ("the reference's placeholder", "FINAL(value)", "holds a placeholder"),
    ("dots", "FINAL(...)", "holds a placeholder"),
    ("a lone bracket far below", "FINAL(\n- one (a)\n- two :)\n- three\n)", "do not match"),
    ("labels on the answer's own line", "FINAL(a) first\nb) second)", "do not match"),
    ("labels in a line", "FINAL(see: a) one, b) two)", "do not match"),
    ("text after output", SEEN_LATER + '```repl\nFINAL("9999")\n```', "before you saw the output"),
    ("a number after output", SEEN_LATER + "```repl\nFINAL(9999)\n```", "before you saw the output"),
    (
        "text in a variable after output",
        SEEN_LATER + "```repl\nfresh = 'There are 12'\nFINAL(fresh)\n```",
        "before you saw",
    ),
    ("FINAL_VAR of text after output", SEEN_LATER + "```repl\nfresh = '12'\nFINAL_VAR('fresh')\n```", "before you saw"),
    ("a filled literal after output", SEEN_LATER + "```repl\nn = 12\nFINAL(f'There are {n}')\n```", "before you saw"),
    ("a call over literals after output", SEEN_LATER + "```repl\nFINAL(str(9999))\n```", "before you saw"),
    (
        "the dictionary after output",
        SEEN_LATER + "```repl\nanswer = {'content': '9', 'ready': True}\n```",
        "before you saw",
    ),
    (
        "items after output",
        SEEN_LATER + "```repl\nanswer['content'] = '9'\nanswer['ready'] = True\n```",
        "before you saw",
    ),
    (
        "a literal that a function gets after output",
        SEEN_LATER + "```repl\ndef done(x): FINAL(x)\ndone('9999')\n```",
        "before you saw",
    ),
    (
        "a named literal that a function gets after output",
        SEEN_LATER + "```repl\nn = 9999\ndone = lambda x: FINAL(x)\ndone(x=n)\n```",
        "before you saw",
    ),
    (
        "a literal that a method gets after output",
        SEEN_LATER + "```repl\nclass Done:\n    def now(self, x): FINAL(x)\nDone().now('9999')\n```",
        "before you saw",
    ),
    (
        "a literal in a function after output",
        SEEN_LATER + "```repl\ndef f(): FINAL('9999')\nf()\n```",
        "before you saw",
    ),
    ("a literal for a function of before", SEEN_LATER + "```repl\nfinish('9999')\n```", "before you saw"),
    (
        "a guarded literal for a function of before",
        SEEN_LATER + "```repl\nif items: finish('9')\n```",
        "before you saw",
    ),
    ("a guarded literal after output", SEEN_LATER + "```repl\nif items: FINAL('9999')\n```", "before you saw"),
    (
        "a literal bound before its output",
        "```repl\nn = '12'\nprint(items)\n```\n```repl\nFINAL(n)\n```",
        "before you saw",
    ),
    ("a literal's name in text", "```repl\nn = '12'\nprint(items)\n```\nFINAL_VAR(n)", "together with code"),
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


def test_each_case_has_its_own_name() -> None:
    for table in (ASKED_BACK, NOT_ACCEPTED_IN_CODE):
        assert len({case[0] for case in table}) == len(table) >= 10
