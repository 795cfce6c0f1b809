"""Python source, judged without running it."""

from __future__ import annotations

import warnings

import pytest

from rlm_core.python_source import MAX_LINKS, TripleQuotes, compiles, dedent, nests_too_deeply, string_value

N = MAX_LINKS + 10
"""A little more than is compiled, and nothing that a compiler could not bear."""
MANY = 5 * MAX_LINKS

DEEP = {
    "sums": "+".join(["1"] * N),
    "signs": "-" * N + "1",
    "not": "not " * N + "1",
    "attributes": "a" + ".b" * N,
    "calls": "a" + "()" * N,
    "items": "a" + "[0]" * N,
    "conditions": "1 if 1 else " * N + "1",
    "elif": "if 1: pass\n" + "elif 1: pass\n" * N,
    "lambdas": "lambda: " * N + "1",
    "brackets": "[" * N + "]" * N,
    "sums over lines": "(" + "1 +\n" * N + "1)",
    "sums over continued lines": "x = 1" + " + \\\n1" * N,
    "sums of tuples": "x = " + "+".join(["(1, 2)"] * N),
    "sums in an f-string": 'f"{' + "+".join(["1"] * N) + '}"',
    "sums beside strings": " + ".join(["'a'"] * N),
}

FLAT = {
    "a long list": repr(list(range(-MANY, MANY))),
    "a long dict": repr({f"k{i}": (i, -i) for i in range(MANY)}),
    "many statements": "x = 1 + 1\n" * MANY,
    "many statements on a line": "x = 1;" * MANY,
    "dots in text": "x = '''" + "The end. (Or not.) " * MANY + "'''",
    "dots in a call's text": 'f("""' + "The end... - [x] \n" * MANY + '""")',
    "dots in an f-string": 'f(f"""' + "The end... - (x) \n" * MANY + '{x}""")',
    "dots in comments": "(\n" + "# The end. (Or not.\n" * MANY + "1)",
    "many functions": "def f(x):\n    if x.a:\n        return x.b(1)[2]\n    elif x.c: return (3)\n" * (MAX_LINKS // 2),
    "many keywords": "f(" + ", ".join(f"a{i}=b.c(d)[{i}]" for i in range(MANY)) + ")",
}


@pytest.mark.parametrize("name", DEEP)
def test_code_that_would_exhaust_the_stack_is_not_compiled(name: str) -> None:
    assert nests_too_deeply(DEEP[name])
    assert not compiles(DEEP[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", FLAT)
def test_long_code_is_not_deep(name: str) -> None:
    assert not nests_too_deeply(FLAT[name])
    assert compiles(FLAT[name])


@pytest.mark.parametrize(
    "code", ["x = 1", "", "\\d = 1", "'\\d'", "1 is 1", "x = (", "\0", "\ud800", "return", "if 1:"]
)
def test_compiling_never_raises_or_warns(code: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiles(code) == (code in ("x = 1", "", "'\\d'", "1 is 1"))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'a'", "a"),
        ('r"\\d"', "\\d"),
        ("'a' 'b'", "ab"),
        ("b'a'", None),
        ("f'a'", None),
        ("5", None),
        ("'a", None),
        ("'a' + 'b'", None),
        ("", None),
        ("'\\d'", "\\d"),
        ("-" * 99 + "'a'", None),
    ],
)
def test_the_text_of_a_string_literal(source: str, value: str | None) -> None:
    assert string_value(source) == value


@pytest.mark.parametrize(
    ("line", "quote"),
    [
        ('x = """', '"""'),
        ("x = '''a", "'''"),
        ('x = """a"""', ""),
        ('x = \'"""\'', ""),
        ('x = 1  # """', ""),
        (r'x = "\"" + """', '"""'),
        ("\"\"\"a'''", '"""'),
        ('""', ""),
        ("it's", ""),
    ],
)
def test_open_triple_quotes(line: str, quote: str) -> None:
    strings = TripleQuotes()
    strings.feed([line])
    assert strings.quote == quote


def test_only_the_indentation_that_a_line_has_is_taken_off() -> None:
    assert dedent(["    x = 1", "  y = 2", "", "      z = 3"]) == ["x = 1", "y = 2", "", "  z = 3"]
