"""Host line: the functions of worker.js by which its Python half reaches the page.

In: a state that the host wrote, or its interrupt. Out: the same as a number, or the exception that it stands for.
"""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, cast

from rlm_core import protocol
from rlm_core.errors import BlockTimedOut, RunStopped


class Bytes(Protocol):
    """A typed array of the host."""

    def to_bytes(self) -> bytes: ...


class Line(Protocol):
    """Functions of worker.js: the waiting end of the channel, the interrupt switch, and the ways out for events and for
    the fault that ends the worker.

    `request` takes the body, and the byte strings that go beside it. It and `next` return a state, or an awaitable of
    one where the worker cannot block; there Pyodide sleeps in its own way, and there is no `pause`. `take` gives the
    bytes of a reply, and `text` the same as text, which takes less than half the time; `None` where it is no UTF-8.
    `ahead` sends model calls that a block will make, and waits for nothing. `take_output` takes the bytes written to
    the file descriptors 1 and 2.
    """

    def request(self, body: str, *data: Any) -> Any: ...
    def next(self) -> Any: ...
    def take(self) -> Bytes: ...
    def text(self) -> str | None: ...
    def pause(self, milliseconds: float) -> Any: ...
    def interruptible(self, on: bool) -> None: ...
    def stop_reason(self) -> int: ...
    def emit(self, body: str) -> None: ...
    def ahead(self, body: str, *data: Any) -> None: ...
    def take_output(self) -> Bytes | None: ...
    def fail(self, fault: str) -> None: ...


def interrupted(line: Line, seconds: float) -> NoReturn:
    """Raise the reason of the host's interrupt: the end of the run, or of a block that was at work for `seconds`.

    Raises:
        RunStopped: the run is stopped.
        BlockTimedOut: the block's time is up.
    """
    if line.stop_reason() == protocol.STOP_BLOCK:
        raise BlockTimedOut(f"the block was stopped after {seconds:g} s. Do it in smaller steps, or in another way.")
    raise RunStopped


def signalled(line: Line, seconds: float) -> None:
    """The handler of SIGINT: model code may raise the signal too, and then it is its own exception."""
    if not line.stop_reason():
        raise KeyboardInterrupt
    interrupted(line, seconds)


def settled(value: Any) -> int:
    """`value`, or its result: without shared memory the line returns promises, and the stack is switched."""
    if isinstance(value, int):
        return value
    from pyodide.ffi import run_sync  # type: ignore[import-not-found]

    return cast(int, run_sync(value))


def to_host(data: bytes) -> Any:
    """A copy of `data` as an array of the host's, which can be sent away."""
    try:
        from pyodide.ffi import to_js
    except ImportError:
        return data
    return to_js(data)
