"""Audit log: one JSON line for each call to a provider: who, when, which model, how many characters; no text.

In: the record of each call. Out: lines in the file of `RLM_AUDIT_LOG`, which its owner alone can read and which is
rotated by size, or on the logger `rlm_server.audit`, such as

    {"time": "2026-01-31T12:00:00.000Z", "user": "ann", "model": "openai:gpt-5-mini", "run": "f81d4fae",
     "characters_in": 5120, "characters_out": 310, "input_tokens": 1200, "output_tokens": 80, "cost": 0.0006,
     "seconds": 2.1, "outcome": "answered"}

A file is written in its own thread. One that cannot be written is reported in the server's log, and stops no call.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING

from rlm_core.errors import ConfigError

from ..settings import Settings

if TYPE_CHECKING:
    from .call_record import CallRecord

logger = logging.getLogger("rlm_server.audit")
STDERR = "stderr"


class AuditLog:
    """The log; without a target nothing is kept."""

    def __init__(self) -> None:
        self._is_stderr = False
        self._queue: QueueHandler | None = None
        self._listener: QueueListener | None = None

    def open(self, settings: Settings) -> None:
        """Begin, or go by changed settings; the file is opened anew, so that others may have moved it.

        Raises:
            ConfigError: the file cannot be written; an earlier one stays open.
        """
        target = settings.audit_log
        file = _rotated(settings) if target and target != STDERR else None
        self.close()
        self._is_stderr = target == STDERR
        if file is not None:
            queue: SimpleQueue[object] = SimpleQueue()
            self._queue, self._listener = QueueHandler(queue), QueueListener(queue, file)
            self._listener.start()

    def close(self) -> None:
        """Write the lines that are left."""
        listener, self._listener, self._queue = self._listener, None, None
        if listener is not None:
            listener.stop()
            for handler in listener.handlers:
                with suppress(OSError):  # of lines that were reported as not written
                    handler.close()

    def write(self, record: CallRecord) -> None:
        """One line for a call that is over."""
        if self._queue is not None:
            self._queue.handle(logging.makeLogRecord({"msg": _line(record)}))
        elif self._is_stderr:
            logger.info(_line(record))


def check_audit_log(settings: Settings) -> None:
    """Make the file, or see that it can be written.

    Raises:
        ConfigError: it cannot.
    """
    if settings.audit_log not in ("", STDERR):
        _rotated(settings).close()


def _rotated(settings: Settings) -> _OwnFile:
    try:
        return _OwnFile(settings.audit_log, maxBytes=settings.audit_log_bytes, backupCount=settings.audit_log_files)
    except OSError as fault:
        reason = fault.strerror or fault
        raise ConfigError(
            f"RLM_AUDIT_LOG: {settings.audit_log} cannot be written ({reason}). Name another file, or stderr."
        ) from None


class _OwnFile(RotatingFileHandler):
    """A rotated file for its owner alone, whose faults are lines of the server's log."""

    def __init__(self, path: str, *, maxBytes: int, backupCount: int) -> None:  # noqa: N803 - names of the library
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(path, maxBytes=maxBytes, backupCount=backupCount, encoding="utf-8")
        self._fault = ""

    def _open(self) -> IO[str]:  # type: ignore[override]
        def own(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, self.mode, encoding="utf-8", opener=own)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - name of the library
        """One line for a fault that lasts."""
        reason = str(sys.exception())
        if reason != self._fault:
            logger.error(json.dumps({"audit": "not written", "file": self.baseFilename, "reason": reason}))
        self._fault = reason


def _line(record: CallRecord) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {
            "time": now,
            "user": record.user,
            "model": f"{record.provider}:{record.model}",
            "run": record.run,
            "characters_in": record.characters_in,
            "characters_out": record.characters_out,
            "input_tokens": record.usage.input_tokens,
            "output_tokens": record.usage.output_tokens,
            "cost": None if record.usage.cost is None else round(record.usage.cost, 6),
            "seconds": round(record.seconds, 3),
            "outcome": record.outcome,
        }
    )
