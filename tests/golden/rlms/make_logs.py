"""Writes a log with the real logger of the package `rlms`, against a scripted endpoint on loopback.

    python make_logs.py answer rlms-0.1.3.jsonl     with rlms==0.1.3 installed: finishes by the `answer` dictionary
    python make_logs.py FINAL rlms-0.1.1.jsonl      with rlms==0.1.1 installed: finishes by `FINAL` in the text

The run: a sub-call, a batch of which one call is refused, a child run, an error, the end. Only paths of the machine are
changed in what the logger wrote: the REPL's temporary folder here, others (in a traceback) by hand.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT = 8765
CONTEXT = "The lamp was lit.\n" * 4
CHILD_QUESTION = "a child of the root"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "cost": 0.25}


def code(text: str) -> str:
    return f"Some code.\n```repl\n{text}\n```\n"


def set_answer(value: str) -> str:
    return code(f"answer['content'] = {value}\nanswer['ready'] = True")


ENDINGS = {
    "FINAL": ("FINAL_VAR(result)", "FINAL(four)"),
    "answer": (set_answer("result"), set_answer("'four'")),
}


def replies(dialect: str) -> tuple[list[str], list[str]]:
    """Of the root, and of its child."""
    end, child_end = ENDINGS[dialect]
    root = [
        code("print(len(context))\nprint(llm_query('one'))\nprint(llm_query_batched(['two', 'refuse me']))"),
        code(f"part = rlm_query({CHILD_QUESTION!r})\nprint(part)"),
        code("1/0"),
        code("result = f'{part} lines'"),
        end,
    ]
    return root, [code("print(context)"), child_end]


class Endpoint(BaseHTTPRequestHandler):
    """Answers a root call by how many replies it holds already, and a sub-call by its prompt."""

    root: list[str]
    child: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages: list[dict[str, str]] = body["messages"]
        if messages[-1]["content"] == "refuse me":
            self.reply(400, {"error": {"message": "refused", "type": "bad"}})
            return
        message = {"role": "assistant", "content": self.text(messages)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        whole = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
        self.reply(200, {**whole, "usage": USAGE, "choices": [choice]})

    def text(self, messages: list[dict[str, str]]) -> str:
        if messages[0]["role"] != "system":
            return f"reply to {messages[-1]['content']}"
        is_child = f"{len(CHILD_QUESTION)} total" in json.dumps(messages)
        said = sum(message["role"] == "assistant" for message in messages)
        return (self.child if is_child else self.root)[said]

    def reply(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


def main(dialect: str, target: Path) -> None:
    from rlm import RLM
    from rlm.logger import RLMLogger

    Endpoint.root, Endpoint.child = replies(dialect)
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    backend = {"model_name": "scripted", "base_url": f"http://127.0.0.1:{PORT}/v1", "api_key": "none"}
    options = {"backend_kwargs": backend, "max_depth": 2, "max_iterations": 6, "custom_system_prompt": "Be an RLM."}
    with tempfile.TemporaryDirectory() as folder:
        logger = RLMLogger(log_dir=folder)
        print(
            RLM(backend="openai", logger=logger, **options).completion(CONTEXT, root_prompt="How many lines?").response
        )
        text = Path(str(logger.log_file_path)).read_text()
    target.write_text(re.sub(r"/[\w/]*repl_env_[\w-]+", "/tmp/repl_env", text))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
