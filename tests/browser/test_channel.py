"""The channel between the page and the real, contained worker: every reply arrives whole, and is never another's."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.lab import code, converse

MIB = 1 << 20
CHUNK = MIB - 64
ALPHABET = "0123456789abcdef"

OF_THE_SIZE_ASKED_FOR = """(calls, answer, encodeFrame) => {
  const size = Number(calls[0].messages[0].content);
  const text = "0123456789abcdef".repeat(Math.ceil(size / 16)).slice(0, size);
  answer.write(encodeFrame(0, {completion: {text, model: "m", usage: lab.USAGE}}));
  answer.end();
}"""
SHUFFLED = """(calls, answer, encodeFrame) => {
  const order = calls.map((_, index) => index).sort(() => Math.random() - 0.5);
  for (const index of order) {
    const text = `reply to ${calls[index].messages[0].content}`;
    answer.write(encodeFrame(index, {completion: {text, model: "m", usage: lab.USAGE}}));
  }
  answer.end();
}"""


def test_replies_of_every_size_arrive_whole(shared_page: Page) -> None:
    head = len('{"model":"m","usage":{"calls":1,"input_tokens":3,"output_tokens":2}}') + 16
    sizes = [0, 1, CHUNK - head - 1, CHUNK - head, CHUNK - head + 1, 5 * MIB, 200 * MIB]
    check = f"""
for size in {sizes}:
    try:
        reply = llm_query(str(size))
    except SubCallError as refused:
        print(size, "is empty" in str(refused))
        continue
    whole = reply == ({ALPHABET!r} * (size // 16 + 1))[:size]
    print(size, whole)
    del reply
"""
    outcome = converse(shared_page, [code(check), code("FINAL('done')")], OF_THE_SIZE_ASKED_FOR)
    assert outcome["result"]["type"] == "finished"
    assert outcome["printed"][0].splitlines() == [f"{size} True" for size in sizes]


def test_a_thousand_calls_of_a_batch_get_each_its_own_reply(shared_page: Page) -> None:
    check = """
prompts = [f"prompt {number}" for number in range(1000)]
print(llm_batch(prompts) == [f"reply to {prompt}" for prompt in prompts])
"""
    outcome = converse(shared_page, [code(check), code("FINAL('done')")], SHUFFLED)
    assert outcome["printed"][0] == "True\n"


@pytest.mark.parametrize(
    ("answer_sub", "told"),
    [
        ("() => { throw new Error('the host broke'); }", "the host broke"),
        ("() => undefined", "without an answer"),
        ("(calls, answer) => answer.write('text')", "Uint8Array"),
        ("(calls, answer) => { answer.write(new Uint8Array(3_000_000)); throw new Error('half way'); }", "half way"),
        ("(calls, answer, encodeFrame) => answer.write(encodeFrame(0, {completion: {text: 1n}}))", "BigInt"),
    ],
)
def test_a_fault_of_the_host_is_an_error_in_model_code_and_the_run_goes_on(
    shared_page: Page, answer_sub: str, told: str
) -> None:
    check = "try:\n    llm_query('x')\nexcept SubCallError as error:\n    print(error)"
    outcome = converse(shared_page, [code(check), code("FINAL('went on')")], answer_sub)
    assert outcome["result"]["type"] == "finished"
    assert '"answer": "went on"' in outcome["result"]["result"]
    assert told in outcome["printed"][0] or told == "BigInt"


def test_a_text_with_lone_surrogates_passes_in_both_directions(shared_page: Page) -> None:
    echo = """(calls, answer, encodeFrame) => {
      const text = JSON.stringify(calls[0].messages[0].content);
      answer.write(encodeFrame(0, {completion: {text, model: "m", usage: lab.USAGE}}));
      answer.end();
    }"""
    check = "print(ascii(llm_query('a\\ud800b\\U0001f98a')))"
    outcome = converse(shared_page, [code(check), code("FINAL('done')")], echo)
    assert outcome["printed"][0] == "'\"a\\\\ud800b\\U0001f98a\"'\n"
