"""The adapters without an event stream (command, run), the registry, and the cleaning of foreign text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.agents.command import CommandAgent, expand, placeholders
from orchestra.agents.registry import default_agent, make_agent
from orchestra.agents.run import RunCommand
from orchestra.agents.script import RUNNER
from orchestra.agents.words import clean, one_line
from orchestra.model.agents import Agent, AgentEvent, Order
from orchestra.model.outcomes import Exit, Fault, Outcome
from orchestra.model.tasks import AgentSpec

ORDER = Order("fix", "Fix it.", "/state/{task}.md", "/slots/1")


def agent(*command: str, **more: object) -> CommandAgent:
    return CommandAgent(AgentSpec("local", "command", command=command, **more))  # type: ignore[arg-type]


def test_placeholders_are_replaced_once_and_other_braces_stay() -> None:
    argv = (
        "a",
        "--file={prompt_file}",
        "{task}{worktree}",
        "{x}",
        "{}",
        "{{task}}",
        "{ task }",
        "awk {print}",
    )
    assert expand(argv, ORDER) == (
        "a",
        "--file=/state/{task}.md",
        "fix/slots/1",
        "{x}",
        "{}",
        "{fix}",
        "{ task }",
        "awk {print}",
    )


def test_placeholders_are_found_for_validation() -> None:
    assert placeholders("{prompt_file}:{promptfile}{}{ x }{Y}") == ("prompt_file", "promptfile")


def test_command_session() -> None:
    opened = agent("tool", "{task}", args=("--fast", "{worktree}")).open(ORDER)
    assert opened.invocation.argv == ("tool", "fix", "--fast", "/slots/1")
    assert opened.invocation.stdin_file is None
    assert opened.read("\x1b[32mworking\x1b[0m\r") == (AgentEvent("text", "working"),)
    assert opened.read("   ") == ()
    judged = opened.judge(Exit(0))
    assert (judged.outcome, judged.summary, judged.detail) == (Outcome.SUCCESS, "working", "")


@pytest.mark.parametrize(
    ("ended", "fault", "detail"),
    [
        (Exit(3), Fault.AGENT, "exit status 3"),
        (Exit(127), Fault.ENVIRONMENT, "exit status 127"),
        (Exit(None, signal=9), Fault.ENVIRONMENT, "killed by signal 9"),
        (Exit(None, signal=11), Fault.AGENT, "killed by signal 11"),
        (Exit(0, stopped="interrupt"), None, "stopped: interrupt"),
    ],
)
def test_what_is_no_success(ended: Exit, fault: Fault | None, detail: str) -> None:
    judged = agent("tool").open(ORDER).judge(ended)
    assert (judged.outcome, judged.fault, judged.detail) == (Outcome.FAILED, fault, detail)


def test_missing_command(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.touch(mode=0o644)
    path = (("PATH", str(tmp_path)),)
    assert "tool, which is not on PATH" in str(agent("tool", env=path).missing())
    tool.chmod(0o755)
    assert agent("tool", env=path).missing() is None
    assert agent(str(tool)).missing() is None
    assert "empty command" in str(agent().missing())
    assert "empty command" in str(agent("").missing())
    # Only the worktree can tell.
    assert agent("tools/agent.sh").missing() is None
    assert agent("{worktree}/agent.sh").missing() is None


def test_run_command() -> None:
    run = RunCommand("-v; make")
    assert run.open(ORDER).invocation.argv == ("sh", "-c", "--", "-v; make")
    assert run.missing() is None


def test_registry_and_who_is_told() -> None:
    agents: list[Agent] = [
        make_agent(AgentSpec("a", "claude-code")),
        make_agent(AgentSpec("b", "command", command=("x",))),
        make_agent(AgentSpec("c", "script")),
        RunCommand("true"),
    ]
    assert [each.traits.told for each in agents] == [True, True, False, False]
    script = agents[2].open(ORDER).invocation
    assert script.argv[1:] == ("-I", "-S", RUNNER, ORDER.prompt_file)
    assert agents[2].missing() is None


def test_default_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert default_agent() is None
    (tmp_path / "claude").touch(mode=0o755)
    found = default_agent()
    assert found == AgentSpec("claude-code", "claude-code")


def test_codex_serves_where_claude_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "codex").touch(mode=0o755)
    assert default_agent() == AgentSpec("codex", "codex")
    (tmp_path / "claude").touch(mode=0o755)
    assert default_agent() == AgentSpec("claude-code", "claude-code")


@settings(deadline=None)
@given(
    st.text() | st.text(st.sampled_from("\x1b\x9b[]m\x07\\ab;1\r\n\t\x00\u202e\u2028\ud800 ")),
    st.integers(1, 50),
)
def test_cleaned_text_is_printable_bounded_and_encodable(text: str, limit: int) -> None:
    for cleaned in (clean(text, limit), one_line(text, limit)):
        cleaned.encode()
        assert len(cleaned) <= limit
        assert cleaned.replace("\n", "").replace("\t", "").isprintable()
    assert "\n" not in one_line(text, limit)


def test_cleaning_keeps_what_people_write() -> None:
    words = "Grüße, 世界 🙂: naïve — «ok»\n\tindented"
    assert clean(words) == words
    assert one_line("a\n  b\u00a0c\x0b d") == "a b c d"
    assert one_line("x" * 1000, 10) == "xxxxxxxxx…"
    assert clean("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1b[1;31mred\x1b[0m") == "link red"
    assert os.linesep not in one_line("a\nb")
