"""A person's path: files dropped, a question stopped and continued, a follow-up, citation, chart, report and reload."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.papers import pdf
from tests.browser.person import ScriptedModel, ask, code, ended
from tests.browser.test_accessibility import serious_violations
from tests.browser.test_history import open_history, rows

LEASE = pdf("The first page is about the mill.", "The lease was signed by Ada Lark in 1871.")
RENT = b"year,rent\n1871,12\n1872,15\n1873,19\n"
DROP = """(files) => {
  const data = new DataTransfer();
  for (const [name, text] of files)
    data.items.add(new File([Uint8Array.from(atob(text), (char) => char.charCodeAt(0))], name));
  return data;
}"""
REPLIES = [
    code(
        "lease = read(context['lease.pdf'])\n"
        "rent = tables(context['rent.csv'])['rent.csv']\n"
        "print(len(rent), 'Ada' in lease)"
    ),
    "never read",
    code("FINAL('Ada Lark signed it [1].', evidence=[{'quote': 'signed by Ada Lark in 1871', 'source': 'lease.pdf'}])"),
    code("plot(rent, x='year', y='rent', title='Rent')\nFINAL(f'It rose to {rent[-1][1]}.')"),
]


def follow_up(page: Page, question: str, answer: str) -> None:
    page.fill("#follow-up", question)
    page.click("#ask-next")
    expect(page.locator("#asked")).to_have_text(question)
    ended(page)
    expect(page.locator("#answer")).to_contain_text(answer)


def test_a_person_finds_it_all_again(page: Page, tmp_path: Path, faults: list[str]) -> None:
    model = ScriptedModel(page, REPLIES, hold=[1])
    files = [[name, base64.b64encode(data).decode()] for name, data in (("lease.pdf", LEASE), ("rent.csv", RENT))]
    page.dispatch_event("fieldset.context", "drop", {"dataTransfer": page.evaluate_handle(DROP, files)})
    expect(page.locator(".attachments")).to_contain_text("rent.csv")
    page.check("#keep-context")
    ask(page, "Who signed the lease?")
    expect(page.locator("#timeline")).to_contain_text("4 True", timeout=60_000)
    model.next_held()
    page.click("#stop")
    ended(page)
    expect(page.locator("#status")).to_contain_text("Stopped")

    model.replies.pop(0)  # the reply that nobody waits for any more
    follow_up(page, "Continue: who signed it?", "Ada Lark signed it")
    page.click("#answer .evidence-link")
    expect(page.locator("#evidence-1 img")).to_be_visible(timeout=60_000)
    assert serious_violations(page) == []

    follow_up(page, "And what became of the rent?", "It rose to 19.")
    expect(page.locator("#shown .chart canvas")).to_be_visible()
    page.click("#take-along summary")
    with page.expect_download() as download:
        page.click("#take-html")
    report = tmp_path / "report.html"
    download.value.save_as(report)
    text = report.read_text("utf-8")
    assert re.findall(r"<h1>(.*?)</h1>", text) == [
        "Who signed the lease?",
        "Continue: who signed it?",
        "And what became of the rent?",
    ]
    assert "lease.pdf, page 2" in text
    assert "data:image/svg+xml;base64," in text

    page.reload()
    expect(page.locator("#asked")).to_have_text("And what became of the rent?")
    expect(page.locator("#answer")).to_contain_text("It rose to 19.")
    expect(page.locator("#shown .chart canvas")).to_be_visible()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator("#question")).to_have_value("Who signed the lease?")
    open_history(page)
    expect(rows(page)).to_have_count(3)
    assert serious_violations(page) == []
    assert faults == []
