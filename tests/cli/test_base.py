"""What attempts see: prompts and manifest as they were when the build was loaded, all else as it is committed."""

from __future__ import annotations

import json

from tests.cli.scratch import Scratch

MEDDLE = """\
cd "$ORCHESTRA_ROOT"
sed -i.bak s/old/new/ prompts/second.md orchestra.yaml input.txt
rm -f prompts/*.bak *.bak
"""


def test_edits_in_the_checkout_during_a_build_change_no_key_and_no_result(scratch: Scratch) -> None:
    """I14."""
    scratch.write("input.txt", "old\n")
    scratch.write("orchestra.yaml", "version: 1\ntasks:\n  second: {env: {WORD: old}}\n")
    scratch.prompt("first", f"echo 1 > first.txt\n{MEDDLE}", claims={"write": ["first.txt"]})
    second = 'echo "old $WORD $(cat input.txt)" > second.txt'
    scratch.prompt("second", second, needs=["first"], claims={"write": ["second.txt"], "read": ["input.txt"]})
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    assert called.finished["tasks"] == {"first": "landed", "second": "landed"}, called.stdout
    assert scratch.git("show", "HEAD:second.txt") == "old old old"
    recorded = json.loads(scratch.git("show", "HEAD:.orchestra/lock/second.json"))
    assert scratch.git("rev-parse", "HEAD:input.txt") in recorded["inputs"]["input.txt"]
    # They are what the next build is about.
    assert scratch.read("input.txt") == "new\n" and "new $WORD" in scratch.read("prompts/second.md")
    called = scratch.orchestra("build", "--json")
    (decided,) = [event for event in called.named("attempt_started") if event["task"] == "second"]
    assert {reason["kind"] for reason in decided["reasons"]} == {"prompt-changed", "definition-changed"}
    assert scratch.git("show", "HEAD:second.txt") == "new new old"


def test_attempts_stand_on_the_tip_and_not_on_what_is_checked_out(scratch: Scratch) -> None:
    scratch.write("input.txt", "committed\n")
    scratch.prompt("first", "echo 1 > first.txt", claims={"write": ["first.txt"]})
    second = "cat first.txt input.txt > second.txt"
    scratch.prompt("second", second, needs=["first"], claims={"write": ["second.txt"], "read": ["input.txt"]})
    scratch.commit()
    scratch.write("input.txt", "being edited\n")
    called = scratch.orchestra("build", "--json", "--no-advance")
    assert called.finished["tasks"] == {"first": "landed", "second": "landed"}, called.stdout
    assert scratch.git("show", f"{called.finished['tip']}:second.txt") == "1\ncommitted"
    assert not (scratch.root / "first.txt").exists() and scratch.read("input.txt") == "being edited\n"
