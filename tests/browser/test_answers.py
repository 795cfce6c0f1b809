"""Answers with a value and with evidence, through the real worker: checked on the page, in logs, and by replay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from rlm_core.events import RunFinished, RunStarted
from rlm_core.trajectory import read
from tests.browser.lab import code, printed, run
from tests.browser.papers import pdf, xlsx
from tests.browser.person import ScriptedModel, ask, drop_file, ended
from tests.browser.test_accessibility import serious_violations

SCHEMA = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}
BOOK = pdf(*(f"Page {page} tells that lamp {page} was lit by the keeper." for page in range(1, 421)))
LEASE = (
    "\ufeffThe lease \u2014 a long one \u2014 was signed\r\non 4 May 1842 by Ada.\n"
    "The rent is 40 pounds a year, at Michaelmas.\n"
)
FILES = {
    "book.pdf": list(BOOK),
    "lease.txt": LEASE,
    "old.txt": list("Grüße aus dem alten Turm am Hafen".encode("utf-16")),
}
QUOTES = [
    "a long one - was signed on 4 May 1842",
    {"quote": "lamp 417 was lit by the keeper", "source": "book.pdf"},
    {"quote": "The rent is 40 pounds", "source": "book.pdf"},
    "The rent is 50 pounds a year, at Michaelmas",
    "Grüße aus dem alten Turm",
    "Nobody ever wrote this in any of the files",
]
STATUS = [
    ("found", "lease.txt", "host", 1, None),
    ("found", "book.pdf", "worker", 1250, 417),
    ("elsewhere", "lease.txt", "host", 3, None),
    ("changed", "lease.txt", "worker", 3, None),
    ("found", "old.txt", "worker", 1, None),
    ("missing", None, "worker", None, None),
]

CHECK_AGAIN = """async ([files, quotes]) => {
  const { checkEvidence } = await import("/rlm/rlm.js");
  const context = Object.entries(files).map(([name, data]) => {
    return new File([typeof data === "string" ? data : new Uint8Array(data)], name);
  });
  return checkEvidence(quotes.map((quote) => (quote.quote ? quote : { quote })), { context });
}"""


def facts(item: dict[str, Any]) -> tuple[Any, ...]:
    return (item["status"], item["source"], item["checkedBy"], item["line"], item["page"])


def test_evidence_in_files_of_three_kinds_and_a_value_are_checked_and_replayed(shared_page: Page) -> None:
    final = code(f"FINAL({{'total': 9007199254740993}}, evidence={QUOTES!r})")
    replies = [code("FINAL({'total': 'many'})"), final, final]
    job: dict[str, Any] = {"context": {"files": FILES}}
    result = run(shared_page, replies, **job, log={"schema": SCHEMA})
    assert [facts(item) for item in result["evidence"]] == STATUS, result
    assert result["checks"] == {
        "numbers": [{"text": "9007199254740993", "start": 10, "end": 26}],
        "supported": True,
    }
    assert result["evidence"][3]["difference"] == '"50" is "40" in the source'
    assert (result["valueJson"], result["stoppedBy"]) == ('{"total": 9007199254740993}', "final_answer")
    asked = [json.dumps(post) for post in result["posts"]]
    assert "JSON Schema" in asked[0]
    assert "$.total: Instance type" in asked[1]
    assert "Nobody ever wrote this" in asked[2]
    events = read(result["trajectory"].splitlines()).events
    first, last = events[0], events[-1]
    assert isinstance(first, RunStarted)
    assert isinstance(last, RunFinished)
    assert (first.schema, last.value, len(last.evidence)) == (SCHEMA, result["valueJson"], 6)
    again = run(shared_page, [], **job, log={"replay": result["trajectory"]})
    assert (again.get("error"), again["valueJson"], again["evidence"]) == (
        None,
        result["valueJson"],
        result["evidence"],
    )
    assert again["posts"] == []
    later = shared_page.evaluate(
        CHECK_AGAIN, [{name: text for name, text in FILES.items() if name != "old.txt"}, QUOTES]
    )
    assert [facts(item) for item in later] == [*STATUS[:4], STATUS[5], STATUS[5]]
    other = run(shared_page, [], **job, log={"replay": result["trajectory"], "schema": True})
    assert "the schema differs" in other["error"]["message"]
    forked = run(shared_page, [final, final], **job, log={"fork": {"log": result["trajectory"], "iteration": 2}})
    assert (forked["valueJson"], len(forked["evidence"])) == (result["valueJson"], 6)


def test_a_block_that_meddles_with_the_core_gets_no_value_and_no_place_believed(shared_page: Page) -> None:
    meddling = code(
        "import rlm_core.accept, rlm_core.types as types\n"
        "forged = types.Evidence('Ada paid', 'context', 'found', 0, 8, 0, 8, 1, checked_by='host')\n"
        "def forge(self, answer):\n"
        '    self.value, self.evidence = \'{"total": "all"}\', (forged,)\n'
        "    return ''\n"
        "rlm_core.accept.Acceptance.correction = forge\n"
        "FINAL({'total': 1})"
    )
    honest = code("FINAL({'total': 1}, evidence=['Nobody paid'])")
    result = run(shared_page, [meddling, honest], context="Nobody paid.", log={"schema": SCHEMA})
    assert result["stoppedBy"] == "final_answer", result
    assert result["valueJson"] in (None, '{"total": 1}')
    assert run(shared_page, ["FINAL(It was 4711.)"], context="x")["checks"] == {
        "numbers": [{"text": "4711", "start": 7, "end": 11}],
        "supported": False,
    }
    believed = [item["quote"] for item in result["evidence"] if item["checkedBy"] == "host"]
    assert believed in ([], ["Nobody paid"])


MAPPED = """
from pathlib import Path
rows = map_items(tables("<table><tr><th>name<th>n<tr><td>Ada<td>1<tr><td>Eve<td>2</table>"), 'Row?')
file = Path('/tmp/lines.txt')
file.write_text('one\\ntwo\\nthree\\n')
print(rows[1], map_items(file, 'Line?', pieces_of=5))
"""
BATCH = """
ITEM = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
def prompt(i):
    reply = {3: '{"n": "many"}', 11: '{"n": 11, "m": 1}', 29: '[29]', 5: 'no value'}.get(i, f'It is {{"n": {i}}}.')
    return f'Item {i} of 40\\nreply: {reply}\\nagain: {reply if i != 5 else chr(123) + '"n": 5}'}'
try:
    llm_batch([prompt(i) for i in range(40)], schema=ITEM)
except SubCallError as error:
    wrong = error.errors
    right = [value for value in error.results if value is not None]
print(list(wrong), sum(value["n"] for value in right), wrong[3])
"""
"""Forty items: three stay wrong, one is right when it is asked again."""


def test_a_batch_of_values_keeps_those_that_fit_and_is_replayed(shared_page: Page) -> None:
    replies = [
        code(MAPPED),
        code(BATCH),
        code("FINAL(llm_query('Sum?\\nreply: 737', schema={'type': 'integer'}) + 1)"),
        code("FINAL(738)"),
    ]
    result = run(shared_page, replies, context="four")
    assert result["answer"] == "738", result
    assert "Eve" in printed(result)
    assert repr(["sub:Line?\n\none\n", "sub:Line?\n\ntwo\n", "sub:Line?\n\nthree"]) in printed(result)
    shown = "[3, 11, 29] 737 the reply does not fit the schema, asked twice: $.n: it is a string, not an integer."
    assert shown in printed(result)
    assert "3 of 40 items of your last batch have no result" in json.dumps(result["posts"][-1])
    posts = [post for post in result["posts"] if "messages" not in post]
    assert [len(post.get("prompts", [1])) for post in posts] == [2, 3, 40, 4, 1]
    assert [post.get("schema", {}).get("required") for post in posts] == [None, None, ["n"], ["n"], None]
    prompts = [prompt for post in posts for prompt in post.get("prompts", [post.get("prompt")])]
    subs = [event["call"] for event in result["events"] if event["type"] == "call_started" and event["kind"] == "sub"]
    chars = {event["call"]: event["chars"] for event in result["events"] if event["type"] == "egress"}
    assert [chars[call] for call in subs] == [len(prompt) for prompt in prompts]
    assert all(prompt.endswith("}") and '"type": ' in prompt for prompt in prompts[5:])
    again = run(shared_page, [], context="four", log={"replay": result["trajectory"]})
    assert (again.get("error"), again["answer"], again["posts"]) == (None, "738", [])


def test_a_schema_that_cannot_be_applied_is_refused_by_name(shared_page: Page) -> None:
    for schema, why in (({"$ref": "#/$defs/a"}, "leads nowhere"), ({"type": "text"}, "no type"), ([], "must be")):
        error = run(shared_page, ["FINAL(no.)"], log={"schema": schema})["error"]
        assert error["name"] == "ConfigError"
        assert "schema" in error["message"]
        assert why in error["message"]


def test_the_page_shows_quotes_with_their_places_a_value_and_opens_the_source(page: Page) -> None:
    final = code(
        "FINAL({'total': 40, 'why': 'so it is written [1], [2] and [3], in 1,999 of 4 May 1842'}, evidence=["
        "'The rent is 40 pounds', 'The rent is 50 pounds a year, at Michaelmas', 'Nobody ever wrote this sentence'])"
    )
    ScriptedModel(page, [final, final])
    page.locator("#schema-field summary").click()
    page.fill("#schema", '{"type": ')
    drop_file(page, "lease.txt", LEASE)
    ask(page)
    expect(page.locator("#schema-hint")).to_contain_text("It is not JSON")
    expect(page.locator("#schema")).to_be_focused()
    page.fill("#schema", json.dumps(SCHEMA))
    ask(page)
    ended(page)
    expect(page.locator("#value")).to_contain_text('"total": 40')
    expect(page.locator("#checks")).to_have_text("In no output, sub-reply or quote: 1,999.")
    expect(page.locator("#evidence h3")).to_contain_text("3 quotes, 1 not in the context")
    expect(page.locator("#evidence li")).to_have_count(3)
    expect(page.locator("#evidence-1")).to_contain_text("checked on this page")
    expect(page.locator("#evidence-2")).to_contain_text('"50" is "40" in the source')
    expect(page.locator("#evidence-3")).to_contain_text("not in the context")
    page.locator("#answer a.evidence-link").first.click()
    expect(page.locator("#evidence-1 mark")).to_have_text("The rent is 40 pounds")
    expect(page.locator("#evidence-1 pre")).to_contain_text("a year, at Michaelmas.")
    assert serious_violations(page) == []


LOG = "".join(f"2026-11-28 12:00 INFO job {job} is done in {job % 97} ms\n" for job in range(60_000))
ROWS: list[list[object]] = [["name", "rent"], *([f"Tenant {row}", 7 * row] for row in range(1, 300))]
COUNT_READS = """() => {
  globalThis.bytesRead = 0;
  const slice = Blob.prototype.slice;
  Blob.prototype.slice = function (...range) {
    const part = slice.apply(this, range);
    if (this.size > 1e6) globalThis.bytesRead += part.size;
    return part;
  };
}"""


def test_marks_open_a_log_a_page_of_a_pdf_and_a_row_of_a_sheet_at_their_place(page: Page) -> None:
    quotes = [
        "job 54321 is done in 1 ms",
        "lamp 417 was lit by the keeper",
        "Tenant 250,1750",
        "This stands nowhere at all",
    ]
    final = code(
        f"FINAL('The job ended [1], the lamp was lit [2], the rent is due [3], and so on [4].', evidence={quotes!r})"
    )
    ScriptedModel(page, [final, final])
    files = {"app.log": LOG.encode(), "book.pdf": BOOK, "rents.xlsx": xlsx("2026", ROWS)}
    payloads: list[FilePayload] = [{"name": name, "mimeType": "", "buffer": data} for name, data in files.items()]
    page.set_input_files("#context-files", payloads)
    ask(page)
    ended(page)
    expect(page.locator("#evidence li")).to_have_count(4)
    expect(page.get_by_text("has not started")).to_have_count(0)
    page.evaluate(COUNT_READS)
    marks = page.locator("#answer a.evidence-link")
    marks.nth(0).click()
    expect(page.locator("#evidence-1 mark")).to_have_text(quotes[0])
    page.locator("#evidence-1").get_by_role("button", name="Later text").click()
    expect(page.locator("#evidence-1 pre")).to_contain_text("job 54350 is done")
    assert 0 < page.evaluate("bytesRead") < 20_000
    assert page.locator("#evidence-1 pre").evaluate(
        "pre => pre.scrollTop > 0 && pre.querySelector('mark').offsetTop > 0"
    )
    marks.nth(2).click()
    expect(page.locator("#evidence-3 mark")).to_have_text(quotes[2], timeout=60_000)
    expect(page.locator("#evidence-3")).to_contain_text("sheet \u201c2026\u201d")
    marks.nth(3).click()
    expect(page.locator("#evidence-4")).to_contain_text("not in the context")
    marks.nth(1).click()
    picture = page.locator("#evidence-2 img")
    expect(picture).to_be_visible(timeout=60_000)
    expect(page.locator("#evidence-2")).to_contain_text("page 417")
    assert picture.evaluate("image => image.decode().then(() => image.naturalHeight)") == 1400
    sheet, mark = picture.bounding_box(), page.locator("#evidence-2 mark").bounding_box()
    assert sheet is not None
    assert mark is not None
    assert (mark["x"] - sheet["x"]) / sheet["width"] == pytest.approx(0.29, abs=0.07)
    assert (mark["y"] - sheet["y"]) / sheet["height"] == pytest.approx(0.08, abs=0.02)
    assert serious_violations(page) == []
