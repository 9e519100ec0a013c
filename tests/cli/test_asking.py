"""What a build asks at a terminal, when it does not, and that nothing has changed while the person reads."""

from __future__ import annotations

import json

import pytest

from tests.cli.scratch import Scratch
from tests.cli.terminal import Terminal, said, unasked

pytestmark = pytest.mark.slow

CLAUDE = """\
#!/bin/sh
echo made > made.txt
echo '{"type": "system", "subtype": "init", "session_id": "s", "model": "scripted"}'
echo '{"type": "result", "subtype": "success", "is_error": false, "result": "done", "session_id": "s",'\\
 '"total_cost_usd": 0.25, "usage": {"input_tokens": 20, "output_tokens": 5}}'
"""
MANIFEST = """\
version: 1
agents:
  claude: {kind: claude-code, model: sonnet}
  other: {kind: claude-code, model: opus}
  mine: {kind: command, command: [claude]}
limits: {usd: 20}
"""


@pytest.fixture
def paid(scratch: Scratch) -> Scratch:
    """A repository with a task for a paid agent and one for a script."""
    program = scratch.home / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(CLAUDE)
    program.chmod(0o755)
    scratch.env["PATH"] = f"{program.parent}:{scratch.env['PATH']}"
    scratch.prompt("costly", "", agent="claude")
    scratch.prompt("free", "echo free > free.txt", claims={"write": ["free.txt"]})
    scratch.write("orchestra.yaml", MANIFEST)
    scratch.commit()
    return scratch


def traces(scratch: Scratch) -> set[str]:
    """What a build leaves in the state folder and where worktrees lie; caches aside."""
    state, slots = scratch.root / ".git" / "orchestra", scratch.home / ".cache"
    found = [path for place in (state, slots) for path in place.rglob("*")]
    return {str(path) for path in found if not path.is_relative_to(state / "cache")}


def test_the_first_build_with_a_paid_agent_asks_once(paid: Scratch) -> None:
    before, cache = paid.everything(), str(paid.root / ".git" / "orchestra" / "cache")
    with Terminal(paid, "build") as terminal:
        shown = terminal.until("[Y/n]")
        # The person reads: nothing has been changed, no worktree made, no agent started.
        assert paid.everything() == before and traces(paid) - {cache} == set()
        terminal.type("\n")
        assert terminal.ended() == 0, terminal.shown
    assert "costly  claude (claude-code, sonnet)  never built" in shown
    assert "free    script" in shown and "2 of 2 tasks would run" in shown
    assert "$20.00 for this build; no limit a day" in shown and "estimate  not known yet" in shown
    assert paid.read("made.txt") == "made\n"

    paid.prompt("costly", "again", agent="claude")
    status, shown = unasked(paid, "build", "--ui", "plain")
    assert status == 0 and "start     costly  prompt changed" in shown


@pytest.mark.parametrize("answer", ["n\n", "no\n", "\x03", "\x04", "what?\nn\n"])
def test_no_changes_nothing_and_is_not_remembered(paid: Scratch, answer: str) -> None:
    before, cache = paid.everything(), str(paid.root / ".git" / "orchestra" / "cache")
    status, shown = said(paid, "build", answer=answer)
    assert status == 130 and "nothing has changed" in shown and "Traceback" not in shown
    assert paid.everything() == before and traces(paid) - {cache} == set()
    with Terminal(paid, "build") as terminal:
        terminal.until("[Y/n]")


def test_it_asks_again_where_something_new_may_cost(paid: Scratch) -> None:
    assert said(paid, "build", answer="y\n")[0] == 0
    # Another model; the same kind and model by another name is nothing new.
    status, shown = said(paid, "build", "--force", "--agent", "other", "costly", answer="y\n")
    assert status == 0 and "claude-code (opus) is new here" in shown and "sonnet) is new" not in shown
    assert "estimate  not known yet" in shown
    manifest = MANIFEST.replace("opus", "sonnet")
    paid.write("orchestra.yaml", manifest)
    status, shown = unasked(paid, "build", "--force", "--agent", "other", "costly")
    assert status == 0
    # A program of which nobody knows what it calls.
    assert "command is new here" in said(paid, "build", "--force", "--agent", "mine", answer="n\n")[1]
    # A higher limit is no question, none is one, asked once.
    paid.write("orchestra.yaml", manifest.replace("usd: 20", "usd: 50"))
    assert unasked(paid, "build", "--force", "costly")[0] == 0
    paid.write("orchestra.yaml", manifest.replace("usd: 20", "jobs: 2"))
    assert unasked(paid, "build", "--force", "--budget", "5", "costly")[0] == 0
    status, shown = said(paid, "build", "--force", "costly", answer="y\n")
    assert status == 0 and "had a limit so far" in shown and "no limit in USD" in shown
    assert "cost $0.25" in shown and "is new here" not in shown
    assert unasked(paid, "build", "--force", "costly")[0] == 0
    agreed = json.loads((paid.root / ".git" / "orchestra" / "agreed.json").read_text())
    assert [one["model"] for one in agreed["services"]] == ["opus", "sonnet"] and agreed["bounded"] is False


def test_nothing_is_asked_where_nothing_may_cost_or_nobody_can_answer(paid: Scratch) -> None:
    assert unasked(paid, "build", "free")[0] == 0
    assert unasked(paid, "build", "-n")[0] == 0
    assert not (paid.root / ".git" / "orchestra" / "agreed.json").exists()
    assert paid.orchestra("build", "costly").status == 0, "not at a terminal"
    # Fresh: nothing would run.
    assert unasked(paid, "build")[0] == 0
    paid.prompt("costly", "again", agent="claude")
    assert '"build_finished"' in unasked(paid, "build", "--json")[1]
    assert unasked(paid, "build", "--force", "--yes")[0] == 0
    assert not (paid.root / ".git" / "orchestra" / "agreed.json").exists(), "who says --yes was not asked"
    (paid.home / "bin" / "claude").unlink()
    paid.env["PATH"] = "/usr/bin:/bin"
    status, shown = unasked(paid, "build", "--force", "costly")
    assert status == 3 and "error:" in shown


def test_an_answer_that_cannot_be_read_is_asked_for_again(paid: Scratch) -> None:
    state = paid.root / ".git" / "orchestra"
    state.mkdir()
    for text in ("", "[]", "{}", "null", '{"version": 1, "services": [1], "bounded": true}', "\udcff"):
        (state / "agreed.json").write_text(text, errors="surrogateescape")
        assert "is new here" in said(paid, "build", answer="n\n")[1], text


def test_another_build_at_work_is_told_at_once(paid: Scratch) -> None:
    paid.prompt("slow", "touch ../started; sleep 60", claims={"write": ["x"]})
    paid.commit()
    other = paid.popen("build", "slow")
    try:
        while not (paid.root / ".git" / "orchestra" / "building.json").exists():
            assert other.poll() is None
        status, shown = unasked(paid, "build")
        assert status == 3 and "another build is at work" in shown
    finally:
        paid.orchestra("stop", "--now")
        other.communicate()


# --- adopt -------------------------------------------------------------------------------------------------------


def test_adopt_says_what_it_means_and_asks(paid: Scratch) -> None:
    paid.prompt("look", "true", claims={"write": []})
    paid.commit()
    assert paid.orchestra("build").status == 0
    paid.prompt("free", "echo other > free.txt", claims={"write": ["free.txt"]})
    paid.prompt("look", "true # once more", claims={"write": []})
    paid.prompt("new", "echo new > new.txt")
    (paid.root / "made.txt").unlink()
    head = paid.commit()
    status, shown = said(paid, "build", "--adopt", answer="n\n")
    assert status == 130 and paid.head() == head
    assert "4 tasks would be recorded as fresh, as files stand on main" in shown
    assert "free    free.txt  (prompt changed)" in shown
    assert "costly  made.txt (gone)" in shown
    assert "new     no files: it has landed none here  (never built)" in shown
    assert "look    counts as passed" in shown
    status, shown = said(paid, "build", "--adopt", "new", answer="\n")
    assert status == 0 and "1 task would be recorded" in shown and "adopted" in shown
    assert unasked(paid, "build", "--adopt", "new")[0] == 0, "there is nothing to adopt"
    assert said(paid, "build", "--adopt", answer="n\n")[0] == 130, "it is asked each time"
    assert unasked(paid, "build", "--adopt", "--yes")[0] == 0
    assert paid.orchestra("status", "--exit-code").status == 0


def test_a_watch_asks_before_its_first_build(paid: Scratch) -> None:
    before, cache = paid.everything(), str(paid.root / ".git" / "orchestra" / "cache")
    status, shown = said(paid, "watch", answer="n\n")
    assert status == 130 and "costly  claude (claude-code, sonnet)" in shown
    assert paid.everything() == before and traces(paid) - {cache} == set()
    with Terminal(paid, "watch", "--ui", "plain") as terminal:
        terminal.until("[Y/n]")
        terminal.type("\n")
        terminal.until("waiting   for changes")
        terminal.type("q")
        assert terminal.ended() == 0
    assert paid.read("made.txt") == "made\n"
