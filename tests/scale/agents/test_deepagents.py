"""deepagents over the sandbox: the operations of its backend, and a whole deep agent with a scripted model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from deepagents import create_deep_agent
from deepagents.backends.protocol import SandboxBackendProtocol
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage

from rlm_server.headless.browser import find_browser
from rlm_server.sandbox.deepagents_backend import ContainedBackend, python_of


@pytest.fixture(scope="module")
def backend() -> Iterator[ContainedBackend]:
    find_browser()
    contained = ContainedBackend(timeout=60, max_output_chars=2_000)
    yield contained
    contained.close()


def test_files_are_the_same_for_tools_and_code(backend: ContainedBackend) -> None:
    assert isinstance(backend, SandboxBackendProtocol)
    assert backend.write("/notes/a.md", "one\ntwo é\n").error is None
    ran = backend.execute(
        "text = open('/notes/a.md').read()\nopen('/notes/b.md', 'w').write(text.upper())\nprint(len(text))"
    )
    assert (ran.output.splitlines()[0], ran.exit_code, ran.truncated) == ("10", 0, False)
    assert [entry["path"] for entry in backend.ls("/notes").entries] == ["/notes/a.md", "/notes/b.md"]
    assert backend.read("/notes/b.md", offset=1, limit=1).file_data["content"].strip() == "TWO É"
    assert backend.read("/gone.md").error
    assert backend.edit("/notes/a.md", "two", "2").occurrences == 1
    assert backend.execute("open('/notes/a.md').read()").output == "'one\\n2 é\\n'\n"
    assert [(match["path"], match["line"]) for match in backend.grep("2 é", "/notes").matches] == [("/notes/a.md", 2)]
    assert [info["path"] for info in backend.glob("*.md", "/notes").matches] == ["/notes/a.md", "/notes/b.md"]
    assert backend.delete("/notes/b.md").error is None
    assert backend.glob("*.md", "/notes").matches is not None
    assert backend.execute("import os\nos.path.exists('/notes/b.md')").output == "False\n"


def test_bytes_go_up_and_down(backend: ContainedBackend) -> None:
    assert backend.upload_files([("/data/x.bin", b"\x00\xff"), ("/data/t.txt", b"text")])[0].error is None
    assert backend.execute("list(open('/data/x.bin', 'rb').read())").output == "[0, 255]\n"
    down = backend.download_files(["/data/x.bin", "/data/gone"])
    assert (down[0].content, down[1].error) == (b"\x00\xff", "file_not_found")


def test_errors_long_output_and_a_shell(backend: ContainedBackend) -> None:
    failed = backend.execute("print('before')\n1 / 0")
    assert failed.exit_code == 1
    assert failed.output.startswith("before\nTraceback")
    assert backend.execute("print('x' * 10_000)").truncated
    refused = backend.execute("ls -la / | head")
    assert refused.exit_code == 127
    assert "There is no shell here" in refused.output
    assert backend.execute("python3 - <<'EOF'\nprint('by heredoc')\nEOF").output == "by heredoc\n"
    backend.write("/run.py", "print(__name__)")
    assert backend.execute("python /run.py").output == "__main__\n"


def test_python_of_a_command() -> None:
    assert python_of('python -c "print(1)"') == "print(1)"
    assert python_of("python - <<EOF\nx = '''\n'''\nEOF") == "x = '''\n'''"
    assert python_of("for i in range(3):\n    print(i)") is not None
    assert python_of("1 +") == "1 +"  # its SyntaxError is shown
    for shell in ("ls", "cat /etc/passwd", "pip install x", "python -m pytest", "grep -r x ."):
        assert python_of(shell) is None, shell


def test_a_whole_agent(backend: ContainedBackend) -> None:
    def call(name: str, **args: Any) -> AIMessage:
        return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call-{name}"}])

    class Model(GenericFakeChatModel):  # type: ignore[misc]
        def bind_tools(self, tools: Any, **options: Any) -> Model:
            return self

    replies = [
        call("write_file", file_path="/plan.md", content="look at the mill"),
        call("execute", command="print(open('/plan.md').read().upper())"),
        AIMessage("done"),
    ]
    agent = create_deep_agent(model=Model(messages=iter(replies)), backend=backend)
    result = agent.invoke({"messages": [{"role": "user", "content": "Plan."}]})
    outputs = [str(message.content) for message in result["messages"] if isinstance(message, ToolMessage)]
    assert any("LOOK AT THE MILL" in text for text in outputs)
    assert result["messages"][-1].content == "done"
