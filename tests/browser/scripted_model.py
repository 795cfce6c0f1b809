"""A model behind a real server: replies by the question that is asked, and a record of every call that arrived."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.server.conftest import settings_for
from tests.server.fake_upstream import Seen, Turn, fake_upstream, json_turn, openai_turn

NAME = re.compile(r"Q\d+(?=\D)")
_numbers = count(1)


class ScriptedModel:
    """`openai:m` of the server at `url`.

    Attributes:
        upstream: address of the vendor, for a server of one's own.
        asked: time and text of each call that arrived, oldest first; a root call is its question's name.
        sub_seconds: time that a sub-call takes.
        bodies: the request of each call, oldest first.
        refused: names of questions whose root calls the vendor refuses for good.
    """

    def __init__(self) -> None:
        self.url = ""
        self.upstream = ""
        self.asked: list[tuple[float, str]] = []
        self.sub_seconds = 0.0
        self.bodies: list[Any] = []
        self.refused: set[str] = set()
        self._replies: dict[str, Sequence[str]] = {}
        self.arrived = threading.Event()

    def question(self, *replies: str) -> str:
        """A question that the root model answers with `replies`, one an iteration, the last one again and again."""
        name = f"Q{next(_numbers)}"
        self._replies[name] = replies
        return f"{name}: what is asked?"

    def calls_since(self, moment: float) -> list[str]:
        """Calls that arrived after `moment`, of `time.monotonic`."""
        return [text for when, text in self.asked if when > moment]

    def answer(self, seen: Seen) -> Turn:
        """The reply to one request, root or sub."""
        if seen.method == "GET":
            return json_turn({"data": [{"id": "m"}]})
        body = seen.json()
        self.bodies.append(body)
        messages: Any = body["messages"]
        if messages[0]["role"] == "system":
            named = NAME.search(json.dumps(messages))
            assert named is not None, "a root call without a question of this model"
            if named[0] in self.refused:
                return json_turn({"error": {"message": "not this one", "type": "invalid_request_error"}}, status=400)
            replies = self._replies[named[0]]
            text = replies[min(sum(turn["role"] == "assistant" for turn in messages), len(replies) - 1)]
            self._note(named[0])
        else:
            text = f"sub:{messages[-1]['content']}"
            self._note(messages[-1]["content"])
            time.sleep(self.sub_seconds)
        return openai_turn(seen, text)

    def _note(self, text: str) -> None:
        self.asked.append((time.monotonic(), text))
        self.arrived.set()


@contextmanager
def scripted_model() -> Iterator[ScriptedModel]:
    """A server whose only vendor is the scripted one."""
    model = ScriptedModel()
    with fake_upstream() as upstream:
        upstream.answer, model.upstream = model.answer, upstream.url
        patient = {"connect_seconds": 60, "first_byte_seconds": 60, "total_seconds": 120, "max_body_bytes": 64 << 20}
        with serving(create_app(settings_for(upstream, models="openai:m", **patient)), drain_seconds=0) as url:
            model.url = url
            yield model
