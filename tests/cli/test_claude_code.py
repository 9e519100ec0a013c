"""Builds with the Claude Code adapter, against a program that speaks its protocol by script: no model, no network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.scratch import Called, Scratch

# Acts on words in the prompt, and prints the events that Claude Code prints (field names are facts).
PROGRAM = """\
#!{python}
import json, os, pathlib, sys

prompt = sys.stdin.read()
pathlib.Path(os.environ["ORCHESTRA_ROOT"], "..", "argv.json").write_text(json.dumps(sys.argv))


def say(**event):
    print(json.dumps(event), flush=True)


say(type="system", subtype="init", model="scripted", session_id="s1", cwd=os.getcwd())
denials = []
if "DENIED" in prompt:
    denials = [{{"tool_name": "Write", "tool_use_id": "t1", "tool_input": {{"file_path": "x"}}}}]
elif "previous attempt" in prompt:
    pathlib.Path("told.txt").write_text(prompt)
if "WRITE" in prompt:
    name = prompt.split("WRITE ")[1].split()[0]
    tool = {{"type": "tool_use", "id": "t1", "name": "Write", "input": {{"file_path": os.path.abspath(name)}}}}
    usage = {{"input_tokens": 10, "output_tokens": 1}}
    say(type="assistant", message={{"id": "m1", "role": "assistant", "content": [tool], "usage": usage}})
    pathlib.Path(name).write_text("wrong" if "WRONG" in prompt and "previous attempt" not in prompt else "right")
say(
    type="result",
    subtype="success",
    is_error="API-ERROR" in prompt,
    num_turns=2,
    result="I did it.",
    total_cost_usd=0.25,
    usage={{"input_tokens": 20, "output_tokens": 5}},
    permission_denials=denials,
)
"""


@pytest.fixture
def claude(scratch: Scratch) -> Scratch:
    program = scratch.home / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    scratch.env["PATH"] = f"{program.parent}:{scratch.env['PATH']}"
    return scratch


def build(scratch: Scratch, text: str, manifest: str = "", front: str = "") -> Called:
    scratch.write("prompts/it.md", f"{front}# Do it\n\n{text}\n")
    scratch.write("orchestra.yaml", f"version: 1\n{manifest}")
    scratch.commit()
    return scratch.orchestra("build", "--json")


def test_it_is_chosen_by_default_and_its_result_lands(claude: Scratch) -> None:
    called = build(claude, "WRITE hello.txt")
    assert called.finished["tasks"] == {"it": "landed"}, called.stdout
    assert claude.read("hello.txt") == "right"
    assert claude.git("log", "-1", "--format=%s%n%b").startswith("Do it\nI did it.\n")
    assert called.finished["usd"] == 0.25
    (tool,) = [event for event in called.named("agent_event") if event["agent_event"]["kind"] == "tool"]
    assert tool["agent_event"]["name"] == "Write"
    assert called.named("attempt_started")[0]["agent"] == "claude-code"
    argv = json.loads((claude.home / "argv.json").read_text())
    assert "--output-format" in argv and "stream-json" in argv and "acceptEdits" in argv
    assert claude.orchestra("build").stdout.splitlines()[1:] == ["Nothing to do: 1 task is fresh."]


def test_an_error_with_exit_status_0_is_no_success(claude: Scratch) -> None:
    called = build(claude, "WRITE hello.txt API-ERROR")
    assert called.finished["tasks"] == {"it": "failed"}
    assert not (claude.root / "hello.txt").exists()


def test_denied_and_nothing_done_is_no_success(claude: Scratch) -> None:
    called = build(claude, "DENIED")
    assert called.finished["tasks"] == {"it": "failed"}
    (finished,) = called.named("attempt_finished")
    assert (finished["outcome"], "Write" in finished["detail"]) == ("denied", True)


def test_denied_but_done_is_a_success(claude: Scratch) -> None:
    assert build(claude, "DENIED WRITE hello.txt").finished["tasks"] == {"it": "landed"}


def test_nothing_to_do_is_no_change(claude: Scratch) -> None:
    assert build(claude, "Nothing.").finished["tasks"] == {"it": "no-change"}


def test_a_red_verification_is_told_to_the_second_attempt(claude: Scratch) -> None:
    verify = "integrate: {verify: 'echo a helpful line; ! grep -q wrong hello.txt 2> /dev/null'}\n"
    called = build(claude, "WRONG WRITE hello.txt", verify)
    assert called.finished["tasks"] == {"it": "landed"}
    assert called.finished["ran"] == 2
    told = claude.read("told.txt")
    assert "a helpful line" in told
    assert "WRONG WRITE hello.txt" in told


def test_the_check_is_the_one_command_that_it_may_run(claude: Scratch) -> None:
    tasks = "tasks:\n  it: {check: test -f hello.txt}\n"
    assert build(claude, "WRITE hello.txt", tasks).finished["tasks"] == {"it": "landed"}
    argv = json.loads(Path(claude.home / "argv.json").read_text())
    assert "Bash(test -f hello.txt)" in " ".join(argv)
