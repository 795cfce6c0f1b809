"""The HTTP stage of `ray.data.llm` over the endpoint: rows that fail are rows, and the others are answered."""

from __future__ import annotations

import json
from typing import Any

import ray.data
from ray.data.llm import HttpRequestProcessorConfig, build_processor

from tests.browser.lab import code
from tests.scale.conftest import Endpoint

ROWS = 200
FAILING = (7, 50, 90, 130, 199)
LONG = "The mill stands by the river, and Ann owns it. " * 100


def body_of(question: str) -> dict[str, Any]:
    return {"model": "rlm/openai:m", "messages": [{"role": "user", "content": f"{LONG}\n\n{question}"}]}


def bodies(endpoint: Endpoint) -> list[dict[str, Any]]:
    """A body for each row, all of one form, as Ray needs them; five cannot be answered, for three reasons."""
    model = endpoint.model
    made = [body_of(model.question(code(f"FINAL('{number}')"))) for number in range(ROWS)]
    for row in FAILING[:2]:
        refused = model.question("never sent")
        model.refused.add(refused.partition(":")[0])
        made[row] = body_of(refused)
    made[FAILING[2]]["model"] = made[FAILING[3]]["model"] = "rlm/openai:unknown"
    made[FAILING[4]]["messages"] = [{"role": "user", "content": ""}]
    return made


def test_200_rows_of_which_5_fail(cluster: None, endpoint: Endpoint) -> None:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    url = f"{endpoint.url}/chat/completions"
    config = HttpRequestProcessorConfig(url=url, headers=headers, concurrency=2, batch_size=5, max_retries=6)
    processor = build_processor(
        config,
        preprocess=lambda row: {"payload": json.loads(row["body"]), "id": row["id"]},
        postprocess=lambda row: {"id": row["id"], "reply": json.dumps(row["http_response"])},
    )
    rows = [{"id": number, "body": json.dumps(body)} for number, body in enumerate(bodies(endpoint))]
    ended = processor(ray.data.from_items(rows, override_num_blocks=40)).take_all()
    replies = {row["id"]: json.loads(row["reply"]) for row in ended}
    failed = {number: reply["error"]["code"] for number, reply in replies.items() if reply.get("error")}
    assert len(replies) == ROWS
    assert sorted(failed) == [*FAILING]
    assert {failed[row] for row in FAILING[:2]} == {"run_failed"}
    answers = {
        number: reply["choices"][0]["message"]["content"] for number, reply in replies.items() if number not in failed
    }
    assert answers == {number: str(number) for number in range(ROWS) if number not in failed}
