"""One direct call over the whole context, in the real worker: evidence, ledger, gate, value, replay, pictures."""

from __future__ import annotations

import base64
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.lab import run
from tests.browser.papers import pdf
from tests.browser.person import ScriptedModel, drop_file, ended
from tests.browser.test_accessibility import serious_violations

BOOK = pdf(*(f"Page {page} tells that lamp {page} was lit by the keeper." for page in range(1, 31)))
DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
LEASE = "The lease was signed on 4 May 1842 by Ada.\nThe rent is 40 pounds a year, at Michaelmas.\n"
FILES = {"book.pdf": list(BOOK), "lease.txt": LEASE, "dot.png": list(DOT)}
REPLY = (
    "Ada signed in 1842 [1], lamp 17 was lit [2], and 99 ships came [3].\n\nEvidence:\n"
    '[1] "signed on 4 May 1842 by Ada" (lease.txt)\n'
    '[2] "lamp 17 was lit by the keeper" (book.pdf)\n'
    '[3] "ninety-nine ships came into the harbour" (book.pdf)\n'
)
TOTAL = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}
DIRECT = {"direct": True}


def notices(result: dict[str, Any]) -> list[str]:
    return [
        event["text"] for event in result["events"] if event["type"] == "notice" and event["code"] != "worker_ready"
    ]


def test_a_direct_run_has_evidence_ledger_gate_value_replay_and_resume(shared_page: Page) -> None:
    job: dict[str, Any] = {"context": {"files": FILES}}
    result = run(shared_page, [REPLY], **job, log=DIRECT)
    [post] = result["posts"]
    assert [(item["status"], item["line"], item["page"]) for item in result["evidence"]] == [
        ("found", 1, None),
        ("found", 50, 17),
        ("missing", None, None),
    ], result
    assert result["answer"] == REPLY.partition("\n")[0]
    assert (result["iterations"], result["stoppedBy"], len(result["usage"])) == (1, "final_answer", 1)
    assert result["checks"] == {"numbers": [{"text": "99", "start": 49, "end": 51}], "supported": True}
    assert [image["type"] for image in post["images"]] == ["image/png"]
    assert base64.b64decode(post["images"][0]["data"]) == DOT
    assert (result["egress"]["calls"], result["egress"]["images"]) == (1, 1)
    assert result["egress"]["contextChars"] >= len(LEASE)
    assert "one direct call is made; the window of the default model is 128,000 tokens" in notices(result)[0]
    again = run(shared_page, [], **job, log={"replay": result["trajectory"]})
    assert (again.get("error"), again["answer"], again["evidence"], again["posts"]) == (
        *(None, result["answer"], result["evidence"]),
        [],
    )
    begun = "\n".join(result["trajectory"].splitlines()[:-1])
    resumed = run(shared_page, [], **job, log={"resume": begun})
    assert (resumed.get("error"), resumed["answer"], resumed["evidence"], resumed["posts"]) == (
        *(None, result["answer"], result["evidence"]),
        [],
    )

    other = run(shared_page, ["FINAL(It is Ada.)"], context=LEASE)
    assert "about 22 tokens, fits into the window of the default model, 128,000 tokens (assumed" in notices(other)[0]
    refused = run(shared_page, [], context=LEASE, log={"replay": other["trajectory"], **DIRECT})
    assert "no direct one" in refused["error"]["message"]
    large = run(shared_page, [], context="x" * 5_000, options={"windowTokens": 1_000}, log=DIRECT)
    assert (large["posts"], large["stoppedBy"], large["fault"]["type"]) == ([], "provider_error", "request-too-large")
    assert "windowTokens" in notices(large)[0]
    denied = run(shared_page, [], context=LEASE, options={"maxContextChars": 40}, log=DIRECT)
    assert (denied["posts"], denied["stoppedBy"]) == ([], "denied")

    value = run(shared_page, ['{"total": "many"}', '{"total": 40}'], context=LEASE, log={**DIRECT, "schema": TOTAL})
    assert (value["valueJson"], value["iterations"]) == ('{"total": 40}', 2)
    assert [post["schema"] for post in value["posts"]] == [TOTAL, TOTAL]
    assert "$.total" in value["posts"][1]["messages"][0]["content"]


def test_the_page_offers_a_direct_call_and_makes_it_when_asked(page: Page) -> None:
    model = ScriptedModel(page, ["unused"], answer_sub=lambda body: REPLY)
    expect(page.locator("#ask-directly")).to_have_count(0)
    drop_file(page, "lease.txt", LEASE)
    expect(page.locator("#direct-offer")).to_contain_text(
        "About 22 tokens: fits into the model\u2019s window, 128,000 (assumed)"
    )
    page.fill("#question", "Who signed the lease?")
    page.click("#ask-directly")
    ended(page)
    expect(page.locator(".asked-of")).to_contain_text("in one direct call")
    expect(page.locator("#answer")).to_contain_text("Ada signed in 1842")
    expect(page.locator("#evidence li")).to_have_count(3)
    assert model.asked == 0
    assert serious_violations(page) == []
    drop_file(page, "large.txt", "x" * 500_000)
    expect(page.locator("#ask-directly")).to_have_count(0)
