"""The contained worker as a Python executor for other agents: `from rlm_server.sandbox import Sandbox`."""

from .blocking import BlockingSandbox
from .execution import EndExecution, Execution
from .sandbox import Sandbox

__all__ = ["BlockingSandbox", "EndExecution", "Execution", "Sandbox"]
