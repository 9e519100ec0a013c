"""`context` and `hooks` as the README shows them: what one build writes down, the agents of the next one are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")

AGENT = """
agents:
  mine: {kind: command, command: [sh, -c, 'cp "$1" "$2.txt"', sh, "{prompt_file}", "{task}"]}
"""


def example(language: str) -> str:
    """The one example of that language in the README's section on memory."""
    section = README.split("\n## Memory\n")[1].split("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


def test_the_readmes_memory(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", example("yaml") + AGENT)
    scratch.write("tools/remember.py", example("python"))
    scratch.write("CONVENTIONS.md", "Write clearly.\n")
    scratch.prompt("one", "true", agent="mine", claims={"write": ["one.txt"]})
    scratch.commit()
    first = scratch.orchestra("build")
    assert first.status == 0 and first.stderr == "", first
    assert (
        "not told to agents, because it is no file on" in first.stdout
        and "NOTES.md (context)" in first.stdout
    )
    assert scratch.read("one.txt").startswith("# CONVENTIONS.md\n\nWrite clearly.\n\n---\n\n# one\n")
    assert "- one: landed\n" in scratch.read("NOTES.md")
    assert scratch.git("log", "-1", "--format=%s") == "Note how the build ended"
    # Neither the notes nor conventions that change make anything stale, and where nothing ran nothing is noted.
    scratch.write("CONVENTIONS.md", "Write shortly.\n")
    scratch.commit()
    head = scratch.head()
    assert scratch.orchestra("build").status == 0 and scratch.head() == head
    scratch.prompt("two", "true", agent="mine")
    scratch.commit()
    second = scratch.orchestra("build", "--json")
    assert second.status == 0 and second.finished["ran"] == 1
    told = scratch.read("two.txt")
    assert "# CONVENTIONS.md\n\nWrite shortly." in told and "# NOTES.md\n\nBuild " in told
    assert "- one: landed\n\n---\n\n# two" in told


def test_a_hook_that_fails_is_told_and_none_runs_in_a_dry_run(scratch: Scratch) -> None:
    hooks = "hooks: {build_started: 'touch began; exit 3', build_finished: 'echo no >&2; exit 4'}\n"
    scratch.write("orchestra.yaml", "version: 1\n" + hooks)
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    assert scratch.orchestra("build", "--dry-run").status == 0
    assert not (scratch.root / "began").exists()
    called = scratch.orchestra("build", "--json")
    assert called.status == 0 and called.finished["ok"]
    # As an event where it ended soon enough, else after the last one.
    messages = "".join(event["message"] for event in called.named("notice")) + called.stderr
    assert "the hook on build_started failed: `touch began; exit 3`: exit status 3" in messages
    assert "the hook on build_finished failed: `echo no >&2; exit 4`: exit status 4 (see " in called.stderr


def test_a_context_that_is_too_long_is_refused_before_anything_starts(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\ncontext: [BIG.md]\n" + AGENT)
    scratch.write("BIG.md", "x" * (256 * 2**10 + 1))
    scratch.prompt("one", "true", agent="mine")
    scratch.commit()
    called = scratch.orchestra("build")
    assert called.status == 3 and "the files of `context` hold 262,145 bytes together" in called.stderr
    assert "BIG.md: 262,145 bytes" in called.stderr and "shorten them" in called.stderr
