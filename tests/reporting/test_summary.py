"""The summary at the end of a build: what it says, that it is true, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.events import (
    BranchAdvanced,
    BranchBehind,
    BuildFinished,
    BuildStarted,
    Event,
    Notice,
    TaskFailed,
    TaskLanded,
    TaskRejected,
    TaskSkipped,
    VerifyFinished,
)
from orchestra.model.outcomes import Fault, Final, Outcome
from orchestra.reporting.summary import SummaryCollector, headline

from .samples import histories, raw_characters, unhurried
from .stories import C0, C1, C2, START, STORY, B, T, ended, finish

TEXT = """\
Build b1: 2 landed, 1 passed, 1 fresh, 1 no change, 1 replayed, 1 adopted, 1 reverted, \
1 failed, 1 rejected, 2 skipped in 1 min 05 s; one after another: 1 min 14 s (1.1×)
landed        alpha, beta
passed        suite
no change     noop
replayed      kept
adopted       moved
reverted      undone (taken back, and run only if named)
rejected      breaker: `pytest -q` fails with it
  | E   assert 1 == 2
  | 1 failed
  log:   builds/b1/verify-1.log
  kept:  git show refs/orchestra/rejected/b1-3
  next:  orchestra resolve breaker
    or:  edit prompts/breaker.md, then: orchestra build breaker
failed        hang: no end after 60 s
  | waiting...
  log:   builds/b1/hang-1.log
  kept:  git show 1a2b3c4000000000000000000000000000000000
  next:  orchestra build hang
    or:  orchestra resolve hang
skipped       gamma, delta (hang failed)
used          12,345 tokens, $0.42
advanced      main  0a1b2c3 → 2a3b4c5
not advanced  main: your files are in the way (notes.txt); 2a3b4c5 is on orchestra/build-b1
  next:  git merge orchestra/build-b1"""


def summary(*events: Event, remedies: dict[str, str] | None = None, color: bool = False) -> str:
    """The summary after these events."""
    collector = SummaryCollector(remedies)
    for event in events:
        collector.notify(event)
    return collector.text(color)


def test_a_build_in_full() -> None:
    assert summary(*STORY, remedies={"breaker": "edit prompts/breaker.md"}) == TEXT


def test_colour_changes_nothing_but_colour() -> None:
    text = summary(*STORY, remedies={"breaker": "edit prompts/breaker.md"}, color=True)
    assert "\x1b[31mrejected    \x1b[0m  breaker" in text
    for code in ("32", "31", "33", "2", "0"):
        text = text.replace(f"\x1b[{code}m", "")
    assert text == TEXT


def test_nothing_before_the_end() -> None:
    assert summary(*STORY[:-1]) == ""


@pytest.mark.parametrize(
    ("tasks", "text"),
    [
        ({f"t{n}": Final.FRESH for n in range(6)}, "Nothing to do: 6 tasks are fresh."),
        ({"t": Final.FRESH}, "Nothing to do: 1 task is fresh."),
        ({}, "Nothing to do: no tasks."),
        ({"t": Final.REVERTED}, "Nothing to do: 1 task is reverted."),
        (
            {"a": Final.FRESH, "b": Final.FRESH, "c": Final.REVERTED},
            "Nothing to do: 2 tasks are fresh, 1 is reverted.",
        ),
    ],
)
def test_a_null_build_is_one_line(tasks: dict[str, Final], text: str) -> None:
    assert summary(START, finish(tasks)) == text


def test_a_null_build_that_advanced_says_so() -> None:
    text = summary(START, BranchAdvanced(T, B, "main", C0, C1), finish({"t": Final.FRESH}))
    assert text == "Nothing to do: 1 task is fresh.\nadvanced      main  0a1b2c3 → 1a2b3c4"


@pytest.mark.parametrize(
    ("ran", "sequential", "ending"),
    [
        (0, 0.0, "in 10 s"),
        (1, 9.0, "in 10 s; one after another: 9.0 s"),
        (2, 10.4, "in 10 s; one after another: 10 s"),
        (2, 10.6, "in 10 s; one after another: 11 s (1.1×)"),
        (4, 33.0, "in 10 s; one after another: 33 s (3.3×)"),
    ],
)
def test_a_speedup_is_claimed_only_where_there_is_one(ran: int, sequential: float, ending: str) -> None:
    event = finish({"t": Final.NO_CHANGE}, ran=ran, wall_s=10.0, sequential_s=sequential)
    assert headline(event) == f"Build b1: 1 no change {ending}"


@pytest.mark.parametrize("final", [Final.REPLAYED, Final.ADOPTED])
def test_what_took_effect_without_an_attempt_is_no_null_build(final: Final) -> None:
    text = summary(START, finish({"t": final, "u": Final.FRESH}))
    assert text == f"Build b1: 1 fresh, 1 {final} in 1.0 s\n{final:<12}  t"


def test_what_was_merged_without_verification_says_so() -> None:
    events = [TaskLanded(T, B, name, f"{name}-1", C1, ("f",), name == "a") for name in ("a", "b", "c")]
    text = summary(START, *events, finish(dict.fromkeys("abc", Final.LANDED), ran=3))
    assert text.split("\n")[1:4] == [
        "landed        a",
        "merged, not verified  b, c",
        "  hint:  `integrate: {verify: COMMAND}` in the manifest tests each result before it lands",
    ]


def test_an_interrupted_build_says_how_to_go_on() -> None:
    tasks = {"a": Final.LANDED, "b": Final.INTERRUPTED, "c": Final.INTERRUPTED}
    text = summary(START, finish(tasks, ran=2, ok=False, interrupted=True)).split("\n")
    assert text[0].startswith("Build b1 interrupted: 1 landed, 2 interrupted in")
    assert "interrupted   b, c" in text
    assert text[-1] == "Interrupted: `orchestra build` goes on from there."


def test_an_interrupted_build_of_fresh_tasks_is_no_null_build() -> None:
    assert "Nothing to do" not in summary(START, finish({"a": Final.FRESH}, ok=False, interrupted=True))


def test_only_the_last_fifteen_lines_of_a_log_are_shown() -> None:
    tail = tuple(f"line {n}\r\n" for n in range(40))
    failed = TaskFailed(T, B, "a", "a-1", Outcome.FAILED, "exit status 1", tail, "a.log")
    text = summary(START, failed, finish({"a": Final.FAILED}, ran=1, ok=False))
    assert [line for line in text.split("\n") if "|" in line] == [f"  | line {n}" for n in range(25, 40)]


def test_progress_bars_show_their_last_state() -> None:
    failed = TaskFailed(T, B, "a", "a-1", Outcome.FAILED, "", ("10%\r50%\r100%\n",))
    assert "  | 100%\n" in summary(START, failed, finish({"a": Final.FAILED}, ok=False))


def test_of_many_failures_the_later_ones_come_without_logs() -> None:
    names = [f"t{n}" for n in range(12)]
    failures = [TaskFailed(T, B, name, f"{name}-1", Outcome.FAILED, "", ("evidence",)) for name in names]
    text = summary(START, *failures, finish(dict.fromkeys(names, Final.FAILED), ran=12, ok=False))
    assert text.count("| evidence") == 10
    assert all(f"orchestra build {name}" in text for name in names)


def test_the_attempt_gives_the_evidence_that_the_failure_lacks() -> None:
    attempt = replace(ended("a", 0, 1.0, Outcome.FAILED, result=C2), tail=("last words",))
    text = summary(
        START, attempt, TaskFailed(T, B, "a", "a-1", Outcome.FAILED, ""), finish({"a": Final.FAILED})
    )
    assert "failed        a: failed\n  | last words\n  kept:  git show 2a3b4c5" in text


def test_a_rejection_is_not_explained_by_the_output_of_an_attempt_that_went_well() -> None:
    attempt = replace(ended("a", 0, 1.0), tail=("all done",))
    rejected = TaskRejected(T, B, "a", "a-1", "conflicts", "refs/x", ("src/a.py",))
    text = summary(
        START, attempt, rejected, finish({"a": Final.REJECTED}), remedies={"a": "edit prompts/a.md"}
    )
    assert "all done" not in text
    assert (
        "rejected      a: conflicts (src/a.py)\n  kept:  git show refs/x\n  next:  orchestra build a" in text
    )


def test_paths_that_the_words_name_are_not_named_twice() -> None:
    rejected = TaskRejected(T, B, "a", "a-1", "conflicts in src/a.py", None, ("src/a.py",))
    assert summary(START, rejected, finish({"a": Final.REJECTED})).count("src/a.py") == 1


def test_a_hint_comes_before_another_try() -> None:
    rejected = TaskRejected(
        T, B, "a", "a-1", "outside its claims", None, ("x",), hint="add `x` to its claims"
    )
    text = summary(START, rejected, finish({"a": Final.REJECTED}), remedies={"a": "edit prompts/a.md"})
    assert "  next:  add `x` to its claims, then: orchestra build a" in text


def test_another_prompt_is_no_cure_for_the_environment() -> None:
    attempt = ended("a", 0, 1.0, Outcome.NOT_STARTED, fault=Fault.ENVIRONMENT)
    failed = TaskFailed(T, B, "a", "a-1", Outcome.NOT_STARTED, "no space left")
    remedies = {"a": "edit prompts/a.md"}
    assert "prompts/a.md" not in summary(
        START, attempt, failed, finish({"a": Final.FAILED}), remedies=remedies
    )
    assert "edit prompts/a.md" in summary(START, failed, finish({"a": Final.FAILED}), remedies=remedies)


def test_a_failure_that_was_made_good_is_not_listed() -> None:
    failed = TaskFailed(T, B, "a", "a-1", Outcome.FAILED, "broken")
    landed = TaskLanded(T, B, "a", "a-2", C1, ("f",), True)
    assert "broken" not in summary(START, failed, landed, finish({"a": Final.LANDED}, ran=2))


def test_names_are_quoted_where_a_shell_needs_it() -> None:
    failed = TaskFailed(T, B, "a b", "a-1", Outcome.FAILED, "")
    assert "next:  orchestra build 'a b'" in summary(START, failed, finish({"a b": Final.FAILED}))


def test_what_a_budget_left_out_says_what_to_type() -> None:
    why, hint = "the build's budget of 2 USD is used up: 2.10 spent", "orchestra build (--budget USD sets it)"
    events = [
        TaskSkipped(T, B, "a", why, hint=hint),
        TaskSkipped(T, B, "b", "needs a, which was skipped", "a"),
        TaskSkipped(T, B, "c", why, hint=hint),
    ]
    finished = finish({"a": Final.SKIPPED, "b": Final.SKIPPED, "c": Final.SKIPPED}, ran=1, ok=False)
    lines = summary(START, *events, finished).splitlines()
    at = lines.index(f"skipped       a, b, c ({why})")
    assert lines[at + 1] == f"  next:  {hint}"


@pytest.mark.parametrize(
    ("usd", "unpriced", "tokens", "uncounted", "words"),
    [
        (3.1, 2, 12_000, 0, "12,000 tokens, at least $3.10 (2 attempts told no cost)"),
        (3.1, 0, 12_000, 1, "at least 12,000 tokens (1 attempt told none), $3.10"),
        (None, 3, None, 3, None),
    ],
)
def test_sums_say_what_they_lack(
    usd: float | None, unpriced: int, tokens: int | None, uncounted: int, words: str | None
) -> None:
    finished = finish({"a": Final.LANDED}, ran=3)
    finished = replace(finished, usd=usd, unpriced=unpriced, tokens=tokens, uncounted=uncounted)
    found = [line for line in summary(START, finished).splitlines() if line.startswith("used")]
    assert found == ([] if words is None else [f"used          {words}"])


def test_skipped_tasks_are_grouped_by_the_first_cause() -> None:
    skips = [
        TaskSkipped(T, B, "b", "needs a, which failed", "a"),
        TaskSkipped(T, B, "c", "needs b, which was skipped", "b"),
        TaskSkipped(T, B, "d", "stopped after a (--fail-fast)"),
        TaskSkipped(T, B, "e", "needs d, which was skipped", "d"),
        TaskSkipped(T, B, "f", "needs r, which was rejected", "r"),
    ]
    finals = {"a": Final.FAILED, "r": Final.REJECTED} | dict.fromkeys("bcdef", Final.SKIPPED)
    text = summary(START, *skips, finish(finals, ran=1, ok=False)).split("\n")
    assert [line for line in text if line.startswith("skipped")] == [
        "skipped       b, c (a failed)",
        "skipped       d, e (stopped after a (--fail-fast))",
        "skipped       f (r was rejected)",
    ]


def test_long_lists_of_names_are_cut() -> None:
    names = [f"t{n}" for n in range(20)]
    text = summary(START, finish(dict.fromkeys(names, Final.NO_CHANGE), ran=20))
    assert "no change     t0, t1, t2, t3, t4, t5, t6, t7 and 12 more" in text


def test_a_red_base_is_told_with_its_log() -> None:
    red = VerifyFinished(T, B, C0, False, False, 1.0, None, ("2 failed",), "verify.log")
    text = summary(START, red, finish({"a": Final.SKIPPED}, ok=False)).split("\n")
    assert text[1:5] == [
        "Verification fails on 0a1b2c3, before anything was built; no attempt was started.",
        "  | 2 failed",
        "  log:   verify.log",
        "  next:  make it pass there, commit, then: orchestra build",
    ]


def test_what_was_said_about_a_red_base_is_the_next_thing_to_type() -> None:
    before = Notice(T, B, "not seen by tasks", "commit them")
    red = VerifyFinished(T, B, C0, False, False, 1.0, None)
    said = (
        Notice(T, B, "it fails", "make it pass, or: orchestra rollback --to-green"),
        Notice(T, B, "x", "y"),
    )
    text = summary(START, before, red, *said, finish({"a": Final.SKIPPED}, ok=False))
    assert "  next:  make it pass, or: orchestra rollback --to-green, then: orchestra build\n" in text


def test_a_red_merge_with_the_persons_commits_is_no_red_base() -> None:
    red = VerifyFinished(T, B, C2, False, False, 1.0, None)
    assert "before anything" not in summary(START, red, finish({"a": Final.FRESH}, ran=1))


def test_what_a_person_resolves_goes_on_where_they_mend_it() -> None:
    collector = SummaryCollector({"breaker": "edit prompts/breaker.md"}, resolved_in="/w/breaker")
    for event in STORY:
        collector.notify(event)
    text = collector.text()
    assert "  next:  mend it in /w/breaker, then: orchestra resolve --continue breaker\n" in text
    assert "prompts/breaker.md" not in text and "orchestra resolve breaker" not in text
    red = VerifyFinished(T, B, C0, False, False, 1.0, None)
    for event in (START, red, finish({"a": Final.SKIPPED}, ok=False)):
        collector.notify(event)
    assert "commit, then: orchestra resolve --continue\n" in collector.text()


def test_what_stays_captured_is_not_to_be_resolved() -> None:
    spoiled = TaskRejected(
        T, B, "a", "b1-1", "it fails without it too", "refs/orchestra/captured/k/b1-1", hint="mend"
    )
    text = summary(START, spoiled, finish({"a": Final.REJECTED}, ok=False))
    assert "orchestra resolve" not in text and "  next:  mend, then: orchestra build a\n" in text


def test_several_moves_of_the_branch_are_one() -> None:
    moves = [BranchAdvanced(T, B, "main", C0, C1), BranchAdvanced(T, B, "main", C1, C2)]
    assert "main  0a1b2c3 → 2a3b4c5" in summary(START, *moves, finish({"a": Final.LANDED}, ran=1))


def test_a_branch_that_moved_after_all_is_not_behind() -> None:
    behind = BranchBehind(T, B, None, "orchestra/build-b1", C1, "no branch is checked out", "git merge x")
    landed = finish({"a": Final.LANDED}, ran=1)
    assert "not advanced  a detached HEAD: no branch is checked out; 1a2b3c4 is on" in summary(
        START, behind, landed
    )
    advanced = BranchAdvanced(T, B, "main", C0, C1)
    assert "not advanced" not in summary(START, behind, advanced, landed)


def test_where_nothing_landed_the_branch_was_not_moved() -> None:
    assert summary(START, finish({"a": Final.FAILED}, ran=1, ok=False)).endswith(
        "not moved     main: nothing landed"
    )


def test_each_summary_is_of_one_build() -> None:
    again = replace(START, build="b2")
    assert summary(*STORY, again) == ""
    text = summary(*STORY, again, replace(finish({"t": Final.FRESH}), build="b2"))
    assert text == "Nothing to do: 1 task is fresh."


def test_a_build_that_broke_off_tells_what_landed_until_then_and_nothing_where_it_never_began() -> None:
    ended = replace(finish({"a": Final.LANDED, "b": Final.INTERRUPTED}), ok=False, error="no room")
    text = summary(START, replace(ended, ran=2))
    assert text.startswith("Build b1 broken off: 1 landed, 1 broken off in ")
    assert "broken off    b" in text and "interrupted" not in text.lower()
    assert summary(START, replace(ended, ran=0)) == ""


@unhurried
@given(histories(), st.booleans(), st.dictionaries(st.sampled_from(["alpha", "beta"]), st.just("p\x1b.md\n")))
def test_any_events_give_a_clean_summary(events: list[Event], color: bool, remedies: dict[str, str]) -> None:
    text = summary(*events, remedies=remedies, color=color)
    assert raw_characters(text, color) == []
    ends = [event for event in events if isinstance(event, BuildStarted | BuildFinished)]
    last = ends[-1] if ends else None
    # Of a build that could not begin the error tells all.
    assert bool(text) == (isinstance(last, BuildFinished) and (not last.error or last.ran > 0))
