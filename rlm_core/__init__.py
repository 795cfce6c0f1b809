"""The core of pyodide-rlm: a recursive language model's loop, in plain Python. Begin with `run.py`."""

from .errors import (
    ChannelError,
    ConfigError,
    LimitReached,
    ProtocolError,
    ProviderError,
    ReplayError,
    RLMError,
    RunCancelled,
    SubCallError,
    ToolError,
)
from .events import Emit, Event
from .job import Job
from .limits import Limits
from .provider import Provider
from .run import answer, run
from .session import Session
from .trajectory import Recorder, Trajectory
from .types import Message, ModelCall, ModelUsage, Observation, Reply, RunResult, Tool

__all__ = [
    "ChannelError",
    "ConfigError",
    "Emit",
    "Event",
    "Job",
    "LimitReached",
    "Limits",
    "Message",
    "ModelCall",
    "ModelUsage",
    "Observation",
    "ProtocolError",
    "Provider",
    "ProviderError",
    "RLMError",
    "Recorder",
    "ReplayError",
    "Reply",
    "RunCancelled",
    "RunResult",
    "Session",
    "SubCallError",
    "Tool",
    "ToolError",
    "Trajectory",
    "answer",
    "run",
]
