"""The files that shell commands name to be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.agents.shell_reads import files_read
from orchestra.model.agents import AgentEvent
from tests.agents.streams import opened, play


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("cat a.py", ("a.py",)),
        ("/bin/bash -lc \"cat 'src/a b.py'\"", ("src/a b.py",)),
        ("bash -lc 'sed -n 1,20p a.py && nl -ba b.py | head -5'", ("a.py", "b.py")),
        ("/usr/bin/cat a.py; tail -n 3 b.py || wc c.py", ("a.py", "b.py", "c.py")),
        ("rg -n 'def f' src/a.py src/b.py", ("src/a.py", "src/b.py")),
        ("cat a.py a.py > b.py 2>/dev/null", ("a.py",)),
        ("cat a.py\ncat b.py < c.py\n", ("a.py", "b.py")),
        ("cd sub && cat a.py", ()),
        ("sed -i s/a/b/ a.py", ()),
        ("pytest -q tests/test_a.py", ()),
        ("cat > a.py <<'EOF'\ncat b.py\nEOF", ()),
        ("python3 - a.py <<'EOF'\nopen('b')\nEOF", ()),
        ("cat 'a.py", ()),
        ("", ()),
        ("cat", ()),
    ],
)
def test_what_it_reads(command: str, paths: tuple[str, ...]) -> None:
    assert files_read(command) == paths


@given(st.text(st.sampled_from("cat sed -n'\"\\<>|&;()$`a/b \n\x00é")) | st.text())
def test_no_command_makes_it_raise(command: str) -> None:
    for path in files_read(command):
        assert path


@pytest.mark.parametrize("kind", ["codex", "gemini", "opencode", "copilot", "claude-code"])
def test_agents_are_seen_to_read_so(kind: str) -> None:
    command = {"command": "cat a.py"}
    item = {"id": "i", "type": "command_execution", **command}
    content = [{"type": "tool_use", "name": "Bash", "input": command}]
    uses: dict[str, object] = {
        "codex": {"type": "item.started", "item": item},
        "gemini": {"type": "tool_use", "tool_name": "run_shell_command", "parameters": command},
        "opencode": {"type": "tool_use", "part": {"tool": "bash", "state": {"input": command}}},
        "copilot": {"type": "tool.execution_start", "data": {"toolName": "bash", "arguments": command}},
        "claude-code": {"type": "assistant", "message": {"content": content}},
    }
    (event,), _ = play(opened(kind), uses[kind])
    assert event == AgentEvent("tool", "cat a.py", event.name, ("a.py",), "read")
