"""What may land: the audit of touched paths, the policy of another attempt, the verdict on a tree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.execution.policy import after_conflict, after_red
from orchestra.execution.tally import Tally
from orchestra.integration.audit import audit
from orchestra.integration.landing import Candidate, LandingQueue
from orchestra.integration.line import verdict_ref
from orchestra.integration.verify import Verdict, Verifier
from orchestra.model.events import Event, VerifyFinished, VerifyStarted
from orchestra.model.freshness import Decision, State
from orchestra.model.keys import Parts
from orchestra.model.outcomes import Final, Outcome, Usage
from orchestra.model.ports import AttemptEnded, VerifyEnded
from orchestra.model.tasks import Manifest
from orchestra.model.trees import Change, Tree, differences
from orchestra.planning.simulate import ManualClock, SimulatedExecutor
from orchestra.vcs.memory import MemoryGit
from tests.model.kit import PATTERNS, manifest, task
from tests.model.naive_graph import PATHS
from tests.model.oracle import any_match

# --- audit ---------------------------------------------------------------------------------------------------

TOUCHED = st.lists(
    st.sampled_from([*PATHS[:40], ".github/x", "prompts/a.md", "b/.envrc"]), max_size=4, unique=True
)
SECRET = (".github/x", "prompts/a.md", "b/.envrc")


def touched(*paths: str) -> tuple[Change, ...]:
    return tuple(Change(path, None, "100644 1") for path in paths)


def allowing(*patterns: str) -> Manifest:
    return replace(manifest(), allow_protected=patterns)


@settings(deadline=None)
@given(TOUCHED, st.none() | st.lists(st.sampled_from(PATTERNS), max_size=3).map(tuple), st.booleans())
def test_the_audit_names_just_the_paths_that_were_not_allowed(
    paths: list[str], write: tuple[str, ...] | None, open_all: bool
) -> None:
    one = task("t", write=write, read=("**",))
    found = audit(one, touched(*paths), allowing("**") if open_all else allowing(), Tree("1", {}))
    guarded = [] if open_all else [path for path in paths if path in SECRET]
    outside = [path for path in paths if write is not None and not any_match(write, path)]
    assert list(found.paths if found else ()) == (guarded or outside)
    assert found is None or (found.why and found.hint)


@pytest.mark.parametrize("exclusive", [False, True])
def test_unknown_claims_may_touch_all_but_what_is_protected(exclusive: bool) -> None:
    one = task("t", exclusive=exclusive)
    assert audit(one, touched("a", "deep/b"), allowing(), Tree("1", {})) is None
    assert audit(one, touched("a", ".git/config"), allowing("**"), Tree("1", {})) is not None


def test_a_deletion_a_mode_and_both_ends_of_a_rename_count_as_touched() -> None:
    before = Tree("1", {"a": "100644 1", "b": "100644 2", "c": "100644 3"})
    after = Tree("2", {"a": "100755 1", "moved": "100644 2", "c": "100644 3"})
    changes = differences(before, after)
    assert changes == (
        Change("a", "100644 1", "100755 1"), Change("b", "100644 2", None), Change("moved", None, "100644 2"),
    )  # fmt: skip
    found = audit(task("t", write=("moved",)), changes, allowing(), after)
    assert found is not None and found.paths == ("a", "b")


# --- policy --------------------------------------------------------------------------------------------------


def test_conflicts_once_more_once_more_alone_and_no_more() -> None:
    first, second, third = (after_conflict(count, ("src/a", "b")) for count in (1, 2, 3))
    assert [(each.once_more, each.alone) for each in (first, second, third)] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert all(
        each.why == "conflicts with what landed meanwhile in src/a, b" for each in (first, second, third)
    )
    assert "src/a, b" in first.told and "the same files" in after_conflict(1, ()).told
    both = [after_conflict(count, ("a",), merging=True) for count in (1, 2, 3)]
    assert [(each.once_more, each.alone, each.merging) for each in both] == [
        (True, False, False),
        (True, True, True),
        (False, False, False),
    ]


def test_reds_once_more_where_it_may_differ_and_no_more() -> None:
    verdict = Verdict(False, ("one failed", "two failed"))
    assert after_red(1, "pytest", verdict, may_differ=True).once_more
    assert not after_red(1, "pytest", verdict, may_differ=False).once_more
    assert not after_red(2, "pytest", verdict, may_differ=True).once_more
    again = after_red(1, "pytest", verdict, may_differ=True)
    assert again.why == "`pytest` fails with it" and not again.alone
    assert "`pytest`" in again.told and "one failed\ntwo failed" in again.told


def test_results_land_in_the_order_in_which_they_came() -> None:
    queue = LandingQueue()
    assert queue.take() is None
    parts = Parts({})
    candidates = [
        Candidate(
            task(name), Decision(name, State.STALE, parts), "b", AttemptEnded(name, Outcome.SUCCESS), "b"
        )
        for name in "abc"
    ]
    for each in candidates:
        queue.add(each)
    assert len(queue) == 3
    # One that may not land yet lets others pass, and keeps its place.
    assert not queue.holds(lambda name: False) and queue.take(lambda name: False) is None
    assert queue.holds(lambda name: name == "b") and queue.take(lambda name: name == "b") is candidates[1]
    assert [queue.take() for _ in range(3)] == [candidates[0], candidates[2], None]


# --- verdicts ------------------------------------------------------------------------------------------------


class Suite:
    """A verifier on an executor that gives these verdicts one after the other."""

    def __init__(
        self,
        *verdicts: bool,
        git: MemoryGit | None = None,
        command: str | None = "test",
        environment: str = "",
    ) -> None:
        self.git = git or MemoryGit()
        self.clock = ManualClock()
        self.events: list[Event] = []
        left = list(verdicts)
        self.executor = SimulatedExecutor(
            self.git, self.clock, verdict=lambda tree: left.pop(0), verify_seconds=2.0
        )
        self.verifier = Verifier(
            self.git,
            self.executor,
            self.clock,
            "b",
            self.events.append,
            command=command,
            environment=environment,
        )

    def commit(self, **files: str) -> str:
        """A commit of these files."""
        return self.git.commit_files({path.replace("_", "/"): text.encode() for path, text in files.items()})

    def judge(self, commit: str) -> Verdict:
        """The verdict on a commit, however long it takes."""
        verdict = self.verifier.begin(commit, "t")
        while verdict is None:
            assert self.verifier.busy
            (ended,) = self.executor.poll()
            assert isinstance(ended, VerifyEnded)
            verdict = self.verifier.ended(ended)
        assert not self.verifier.busy
        return verdict


@pytest.mark.parametrize(
    ("verdicts", "passed", "seconds"),
    [((True,), True, 2), ((False, True), True, 4), ((False, False), False, 4)],
)
def test_a_red_verdict_is_repeated_once_before_it_counts(
    verdicts: tuple[bool, ...], passed: bool, seconds: float
) -> None:
    suite = Suite(*verdicts)
    commit = suite.commit(a="1")
    assert not suite.verifier.remembers(commit)
    assert suite.judge(commit).passed is passed
    assert suite.verifier.remembers(commit) is passed
    started, finished = suite.events
    assert isinstance(started, VerifyStarted) and isinstance(finished, VerifyFinished)
    assert (finished.passed, finished.seconds, finished.remembered, finished.task) == (
        passed,
        seconds,
        False,
        "t",
    )


def test_a_green_verdict_holds_for_the_tree_without_its_lock_entries_for_command_and_environment() -> None:
    suite = Suite(True)
    one = suite.commit(a="1")
    suite.judge(one)
    same = suite.git.commit_files({"a": b"1", ".orchestra/lock/t.json": b"{}"})
    assert suite.judge(same).passed
    assert [event.remembered for event in suite.events if isinstance(event, VerifyFinished)] == [False, True]
    for other in (Suite(git=suite.git, command="other"), Suite(git=suite.git, environment="elsewhere")):
        assert other.verifier.begin(one, None) is None
    for files in ({"a": b"2"}, {"b": b"1"}, {"a": b"1", "b": b""}, {"a": b"1", ".orchestra/other": b""}):
        assert not suite.verifier.remembers(suite.git.commit_files(files))


def test_without_a_command_everything_is_green_at_once() -> None:
    suite = Suite(command=None)
    commit = suite.commit(a="1")
    assert suite.judge(commit).passed and suite.events == [] and suite.verifier.remembers(commit)


def test_a_stopped_verification_gives_no_verdict_and_none_is_remembered() -> None:
    suite = Suite(False)
    commit = suite.commit(a="1")
    assert suite.verifier.begin(commit, None, start=False) == Verdict(None)
    assert not suite.verifier.busy
    assert suite.verifier.begin(commit, None) is None
    (red,) = suite.executor.poll()
    assert isinstance(red, VerifyEnded) and suite.verifier.ended(red) is None
    suite.executor.stop(now=True)
    (stopped,) = suite.executor.poll()
    assert isinstance(stopped, VerifyEnded)
    verdict = suite.verifier.ended(stopped)
    assert verdict is not None and verdict.passed is None
    assert not suite.verifier.remembers(commit) and suite.git.refs == {}


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", ".orchestra/lock/a.json"]), st.sampled_from(["100644 1", "100755 1"])
    )
)
def test_the_ref_of_a_verdict_depends_on_modes_and_not_on_the_order_of_files(files: dict[str, str]) -> None:
    turned = Tree("2", dict(reversed(list(files.items()))))
    assert verdict_ref(Tree("1", files), "c", "e") == verdict_ref(turned, "c", "e")
    kept = {path: state for path, state in files.items() if not path.startswith(".orchestra/")}
    assert verdict_ref(Tree("1", files), "c", "e") == verdict_ref(Tree("1", kept), "c", "e")
    for path in kept:
        other = Tree("1", {**files, path: "120000 1"})
        assert verdict_ref(other, "c", "e") != verdict_ref(Tree("1", files), "c", "e")


# --- sums ----------------------------------------------------------------------------------------------------


def test_sums_keep_unknown_apart_from_nothing() -> None:
    tally = Tally()
    tally.attempt(2.0, Usage())
    assert (tally.usd, tally.tokens, tally.sequential_s) == (None, None, 2.0)
    tally.attempt(3.0, Usage(input_tokens=5, usd=0.5))
    tally.attempt(1.0, Usage(output_tokens=7))
    tally.ran = 3
    finals = {"a": Final.LANDED, "b": Final.FAILED, "c": Final.FRESH, "d": Final.PASSED, "e": Final.NO_CHANGE}
    done = tally.finished(9.0, "b", finals, ok=False, advanced=True, interrupted=False, wall_s=3.0, tip="t")
    assert (done.usd, done.tokens, done.sequential_s, done.speedup) == (0.5, 12, 6.0, 2.0)
    counts = (done.landed, done.failed, done.fresh, done.passed, done.no_change, done.rejected, done.skipped)
    assert counts == (1, 1, 1, 1, 1, 0, 0)
    nothing = Tally().finished(9.0, "b", {}, ok=True, advanced=True, interrupted=False, wall_s=3.0, tip="t")
    assert nothing.speedup is None
