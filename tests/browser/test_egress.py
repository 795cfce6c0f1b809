"""Text that left the tab, and text that was held back: the ledger and the gate in a real run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.attacks.arena import attacked_server
from tests.browser.lab import LAB, code, printed, run
from tests.server.fake_upstream import Seen, Turn, json_turn, openai_reply, usage_of_all

FILLER = "".join(f"Line {line * 7919} of the minutes, on the garden.\n" for line in range(400))
SECRET = "The vault in Lisbon opens with the code 48-17-93, says Ágnes Müller 🦊 of the archive."
TEXT = FILLER + SECRET + "\n" + FILLER.upper()
START = len(FILLER)
DONE = code("FINAL('done')")


def egress(result: Any) -> list[Any]:
    return [event for event in result["events"] if event["type"] == "egress"]


def of_subs(result: Any) -> list[Any]:
    """The accounts of the sub-calls."""
    subs = {event["call"] for event in result["events"] if event["type"] == "call_started" and event["kind"] == "sub"}
    return [event for event in egress(result) if event["call"] in subs]


def spans(event: Any) -> list[tuple[str, int, int]]:
    return [(span["name"], span["start"], span["end"]) for span in event["spans"]]


def gated(page: Page, replies: list[str | None], gate: str, **job: Any) -> Any:
    """Run `replies` with the JavaScript function `gate` as `onEgress`."""
    page.evaluate(LAB)
    script = f"(job) => lab.run({{...job, options: {{...job.options, onEgress: {gate}}}}})"
    return page.evaluate(script, {"replies": replies, "options": {}, **job})


# --- The ledger -----------------------------------------------------------------------------------------------------

FIND = "at = {text}.index('The vault'); llm_query('Who? ' + {text}[at:at + 85])"
KINDS: dict[str, tuple[Any, str, tuple[str, int, int]]] = {
    "text": (TEXT, "context", ("context", START, START + 85)),
    "JSON": (
        {"notes": [FILLER, TEXT]},
        "context['notes'][1]",
        (
            "context",
            (at := json.dumps([FILLER, TEXT], ensure_ascii=False, separators=(",", ":")).index("The v") + 9),
            at + 85,
        ),
    ),
    "files": ({"files": {"a.txt": FILLER, "b.txt": TEXT}}, "context['b.txt']", ("b.txt", START, START + 85)),
    "bytes": (
        {"bytes": list(TEXT.encode())},
        "context.decode()",
        ("context", START, START + len(TEXT[START : START + 85].encode())),
    ),
}


@pytest.mark.parametrize(("context", "text", "span"), KINDS.values(), ids=KINDS.keys())
def test_a_planted_span_is_found_with_its_place(
    shared_page: Page, context: Any, text: str, span: tuple[str, int, int]
) -> None:
    result = run(shared_page, [code(FIND.format(text=text)), DONE], context=context)
    (told,) = of_subs(result)
    assert spans(told) == [span]
    to = "http://" + shared_page.url.split("/")[2] + " → the server's default model"
    assert (told["to"], told["chars"], told["denied"]) == (to, 90, None)


def test_what_is_printed_counts_when_the_root_model_is_shown_it(shared_page: Page) -> None:
    result = run(shared_page, [code("print(context[5000:5100])"), DONE], context=TEXT)
    first, second = egress(result)
    assert ("context", 5000, 5100) in spans(second)
    assert second["new_chars"] == 100
    assert first["spans"][0]["start"] == 0, "the root model is told how the context begins"
    assert result["egress"]["contextChars"] == second["left_chars"] == first["new_chars"] + 100
    assert result["egress"]["share"] == result["egress"]["contextChars"] / len(TEXT)
    assert result["egress"]["bytes"] == sum(
        len(message["content"].encode()) for post in result["posts"] for message in post["messages"]
    )


def test_each_call_of_a_batch_has_its_own_account(shared_page: Page) -> None:
    result = run(shared_page, [code("llm_batch([context[6000:6100], 'x', context[6050:6150]])"), DONE], context=TEXT)
    told = of_subs(result)
    assert [(event["context_chars"], event["new_chars"]) for event in told] == [(100, 100), (0, 0), (100, 50)]


def test_what_a_child_run_sends_is_found_in_the_root_context(shared_page: Page) -> None:
    replies = [
        code("rlm_query('Who?', {'part': context[7000:9000]})"),
        code("FINAL(llm_query(context['part'][100:200]))"),
        DONE,
    ]
    result = run(shared_page, replies, context=TEXT, options={"maxDepth": 2})
    child = [event for event in of_subs(result) if event["path"] == [0]]
    assert [spans(event) for event in child] == [[("context", 7100, 7200)]]


def test_the_worker_cannot_add_to_the_ledger(shared_page: Page) -> None:
    forge = """
from bridge import Outbox
import gc, json
line = next(each for each in gc.get_objects() if isinstance(each, Outbox))._line
stamp = {"seq": 0, "path": [], "seconds": 0}
line.emit(json.dumps([{"type": "egress", **stamp, "call": 9, "to": "FORGED", "model": None, "chars": 0, "bytes": 0,
    "context_chars": 0, "new_chars": 0, "left_chars": 0, "context_size": 0, "spans": [], "more_spans": 0,
    "image_bytes": 0, "denied": None},
    {"type": "notice", **stamp, "text": "FORGED"}]))
"""
    result = run(shared_page, [code(forge), DONE], context=TEXT)
    assert [event["to"] for event in egress(result) if event["to"] == "FORGED"] == []
    notices = [event["text"] for event in result["events"] if event["type"] == "notice"]
    assert [text for text in notices if "FORGED" in text] == ["worker: FORGED"]


def test_a_session_has_one_ledger(shared_page: Page) -> None:
    shared_page.evaluate(LAB)
    questions = [{"question": "One?", "context": TEXT}, {"question": "Two?", "context": SECRET + " Twice."}]
    replies = {"One?": [DONE], "Two?": [code("print(context, context_0[8000:8100])"), DONE]}
    told = shared_page.evaluate("(job) => lab.run(job)", {"replies": replies, "question": questions})
    first, second = told["results"]
    assert second["egress"]["calls"] == first["egress"]["calls"] + 2
    assert second["egress"]["contextSize"] == len(TEXT) + len(SECRET) + 7
    names = {name for event in egress(told) for name, *_ in spans(event)}
    assert names == {"context", "context_1"}


# --- Destinations ---------------------------------------------------------------------------------------------------

OTHER = """
for ask in (lambda: llm_query(context[5000:5100], model='other:searching'),
            lambda: llm_batch(['a', context[5000:5100]], model='other:searching'),
            lambda: rlm_query('Who?', context[5000:5100], model='other:searching')):
    try:
        print('reached', ask())
    except SubCallError as error:
        print('caught', error)
"""
MODELS = {"model": "here:big", "subModel": "here:small", "maxDepth": 2}


def test_a_model_beside_the_runs_is_refused_by_name_with_the_list(shared_page: Page) -> None:
    result = run(shared_page, [code(OTHER), DONE], context=TEXT, options=MODELS)
    said = 'the model "other:searching" is not one of this run\'s models: here:big, here:small. Nothing was sent.'
    assert printed(result).count(said) == 3
    assert "reached" not in printed(result)
    assert [post["model"] for post in result["posts"]] == ["here:big", "here:big"]
    assert result["egress"]["denied"] == 3
    assert all(said in event["denied"] and event["new_chars"] == 0 for event in of_subs(result))
    assert [total["model"] for total in result["egress"]["destinations"]] == ["here:big"]


def test_models_that_the_user_allows_are_asked_and_counted_each_for_itself(shared_page: Page) -> None:
    asks = code("for model in (None, 'other:one', 'other:one'): llm_query(context[5000:5100], model=model)")
    allowed = {**MODELS, "allowedModels": ["other:one"]}
    result = run(shared_page, [asks, DONE], context=TEXT, options=allowed)
    told = of_subs(result)
    assert [event["new_chars"] for event in told] == [100, 100, 0]
    assert [event["to"].partition(" → ")[2] for event in told] == ["here:small", "other:one", "other:one"]
    totals = {total["model"]: (total["calls"], total["contextChars"]) for total in result["egress"]["destinations"]}
    assert (totals["here:small"], totals["other:one"]) == ((1, 100), (2, 100))


def test_a_child_run_may_be_given_another_of_the_runs_models(shared_page: Page) -> None:
    replies = [code("print(rlm_query('Who?', 'x', model='here:small'))"), code("FINAL('it')"), DONE]
    result = run(shared_page, replies, context=TEXT, options=MODELS)
    assert "it\n" in printed(result)
    assert [post["model"] for post in result["posts"]] == ["here:big", "here:small", "here:big"]


def test_the_question_names_the_destinations(shared_page: Page) -> None:
    gate = "({kind, to, destinations}) => kind === 'root' ? 'allow' : {deny: JSON.stringify([to, destinations])}"
    result = gated(
        shared_page,
        [code("llm_query('x', model='other:one')"), DONE],
        gate,
        options={**MODELS, "allowedModels": ["other:one"]},
    )
    to, [destination] = json.loads(of_subs(result)[0]["denied"])
    origin = "http://" + shared_page.url.split("/")[2]
    assert to == f"{origin} → other:one"
    assert destination == {"to": to, "origin": origin, "provider": "other", "model": "other:one", "host": None}


# --- The gate -------------------------------------------------------------------------------------------------------

CAUGHT = """
try:
    llm_batch(['fine', context[5000:5100]])
except SubCallError as error:
    print('caught', error)
print(llm_query('harmless'))
"""


def test_a_denied_request_raises_with_the_reason_and_never_leaves(shared_page: Page) -> None:
    deny = "({prompts}) => (prompts === 2 ? {deny: 'not this one'} : 'allow')"
    result = gated(shared_page, [code(CAUGHT), DONE], deny, context=TEXT)
    assert "caught 2 of 2 sub-calls failed; prompt 0: denied before it left: not this one" in printed(result)
    assert "sub:harmless" in printed(result)
    assert not any(post.get("type") == "batch" for post in result["posts"])
    assert (result["stoppedBy"], result["egress"]["denied"]) == ("final_answer", 2)
    assert [event["denied"] for event in of_subs(result)] == ["not this one", "not this one", None]


def test_a_limit_is_exact_to_the_character(shared_page: Page) -> None:
    steps = """
llm_query('Is it? ' + context[5000:5100])
try:
    llm_query('And it? ' + context[5090:5201])
except SubCallError as error:
    print('caught', error)
print(llm_query('And it? ' + context[5090:5200]))
"""
    shown = run(shared_page, [DONE], context=TEXT)["egress"]["contextChars"]
    limit = {"maxContextChars": shown + 200}
    result = run(shared_page, [code(steps + "FINAL('done')")], context=TEXT, options=limit)
    assert f"101 more characters of the context would leave, and {shown + 100} of {shown + 200} have left" in printed(
        result
    )
    assert result["egress"]["contextChars"] == shown + 200
    assert TEXT[5090:5201] not in json.dumps(result["posts"], ensure_ascii=False).replace("\\n", "\n")


def test_a_denied_root_call_ends_the_run_and_keeps_what_there_is(shared_page: Page) -> None:
    replies = [code("answer['content'] = 'so far'\nprint(context[5000:5400].strip())"), DONE]
    limit = {"maxContextChars": 1500}
    result = run(shared_page, replies, context=TEXT, options=limit)
    assert (result["stoppedBy"], result["answer"], len(result["posts"])) == ("denied", "so far", 1)
    assert (
        f"denied before it left: context limit reached: {len(TEXT[5000:5400].strip())} more characters"
        in result["detail"]
    )
    assert egress(result)[-1]["denied"] is not None


def test_onegress_that_fails_has_denied(shared_page: Page) -> None:
    result = gated(shared_page, [DONE], "() => { throw new Error('broken'); }", context=TEXT)
    assert (result["stoppedBy"], result["posts"]) == ("denied", [])
    assert "onEgress failed: broken" in result["detail"]


def test_a_stop_while_it_waits_for_the_answer_ends_the_run(shared_page: Page) -> None:
    never = "() => new Promise(() => {})"
    result = gated(shared_page, [DONE], never, context=TEXT, stopOn='"kind":"root"')
    assert (result["stoppedBy"], result["posts"]) == ("cancelled", [])


def test_a_block_is_not_at_work_while_the_answer_is_awaited(shared_page: Page) -> None:
    slow = "({kind}) => kind === 'root' ? 'allow' : new Promise((done) => setTimeout(done, 1500, 'allow'))"
    options = {"blockTimeout": 1000}
    result = gated(shared_page, [code("FINAL(llm_query('x'))")], slow, context=TEXT, options=options)
    assert (result["answer"], result["stoppedBy"]) == ("sub:x", "final_answer")


def test_a_child_whose_root_call_is_denied_fails_in_the_parent_s_code(shared_page: Page) -> None:
    gate = "({path}) => path.length > 0 ? {deny: 'no children'} : 'allow'"
    ask = code("try:\n    rlm_query('Who?', 'data')\nexcept SubCallError as error:\n    FINAL(str(error))")
    result = gated(shared_page, [ask], gate, context=TEXT, options={"maxDepth": 2})
    assert "without a final answer (denied): denied before it left: no children" in result["answer"]


def test_a_limit_that_cannot_be_kept_is_refused(shared_page: Page) -> None:
    big = {"file": {"name": "big.txt", "text": "x" * 64, "times": 300 * (1 << 20) // 64}}
    result = run(shared_page, [DONE], context=big, options={"maxContextChars": 10})
    assert result["error"]["name"] == "ConfigError"
    assert 'maxContextChars cannot be kept: "big.txt" is not searched (314572800 bytes' in result["error"]["message"]


CANARY = "canary-7f3a-of-the-private-document-which-nobody-may-see"
SPILL = code("""
for part in (context, context.upper(), repr(context)):
    try:
        llm_batch([part, part[:200]])
    except SubCallError as error:
        pass
""")


@pytest.mark.parametrize(("answer", "arrives"), [("'allow'", True), ("'deny'", False)])
def test_a_canary_that_is_denied_never_reaches_the_upstream(
    context: BrowserContext, answer: str, arrives: bool
) -> None:
    with attacked_server() as (url, upstream):

        def reply(seen: Seen) -> Turn:
            is_root = b'"role":"system"' in seen.body[:500].replace(b" ", b"")
            asked = b"Some code" in seen.body
            return json_turn(
                openai_reply((DONE if asked else SPILL) if is_root else "nothing", usage=usage_of_all(seen))
            )

        upstream.answer = reply
        page = context.new_page()
        page.goto(url)
        script = f"""async (context) => {{
          const {{ RLM }} = await import("/rlm/rlm.js");
          const rlm = new RLM({{ onEgress: ({{kind}}) => (kind === "root" ? "allow" : {answer}) }});
          return (await rlm.run("Who?", {{ context }})).stoppedBy;
        }}"""
        assert page.evaluate(script, FILLER + CANARY) == "final_answer"
        went = b"".join(seen.body for seen in upstream.seen).lower()
    assert (CANARY.encode() in went) == arrives
    assert len(upstream.seen) == (8 if arrives else 2)


def test_a_refused_limit_lets_go_of_the_run(shared_page: Page) -> None:
    big = {"file": {"name": "big.txt", "text": "x" * 64, "times": 300 * (1 << 20) // 64}}
    name = {"journal": "refused-limit"}
    assert "error" in run(shared_page, [DONE], context=big, options={"maxContextChars": 10, **name})
    assert run(shared_page, [DONE], context=TEXT, options=name)["stoppedBy"] == "final_answer"
