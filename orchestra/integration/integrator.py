"""The integrator: takes captured results one by one through audit, merge, verification and landing.

It moves the line and the branch; what a result's fate means for its task is the engine's to decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestra.integration.audit import Violation
from orchestra.integration.branch import Branch
from orchestra.integration.landing import Candidate, Conflict, LandingQueue, Prepared, prepare
from orchestra.integration.line import Line
from orchestra.integration.named import NamedBranches
from orchestra.integration.refs import settled_well
from orchestra.integration.verify import Verdict, Verifier
from orchestra.model.ports import CommitRequest, Store, VerifyEnded
from orchestra.model.tasks import Manifest


@dataclass(frozen=True, slots=True)
class Landed:
    """The result is on the tip."""

    candidate: Candidate
    commit: str
    paths: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The audit found paths that the task may not touch."""

    candidate: Candidate
    violation: Violation


@dataclass(frozen=True, slots=True)
class Unmergeable:
    """The result conflicts with what landed meanwhile."""

    candidate: Candidate
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Red:
    """The project's verification fails with the result; `onto` is the tip that it was merged onto."""

    candidate: Candidate
    verdict: Verdict
    onto: str


@dataclass(frozen=True, slots=True)
class Spoiled:
    """The project's verification fails with the result, and without it too: the person's new commits break it."""

    candidate: Candidate
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Unjudged:
    """There is no verdict: the build was stopped before, or the environment failed."""

    candidate: Candidate
    verdict: Verdict


Fate = Landed | Refused | Unmergeable | Red | Spoiled | Unjudged


@dataclass(frozen=True, slots=True)
class _Sync:
    """The tip merged with what the person committed meanwhile, waiting for its verdict."""

    commit: str
    head: str


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A red result on a tip that the person put there and nobody verified, waiting for the tip's own verdict."""

    candidate: Candidate
    verdict: Verdict


class Integrator:
    """Lands results in the order in which they are submitted, as far as those that share what they write let it.

    `unsound` says why the tip cannot be brought to the branch though the two can be merged, None where it can.
    """

    def __init__(
        self,
        git: Store,
        line: Line,
        branch: Branch,
        verifier: Verifier,
        manifest: Manifest,
        named: NamedBranches,
        may_land: Callable[[str], bool] = lambda task: True,
        agents: Callable[[str], str] = lambda task: "",
    ) -> None:
        """`named` are the branches that keep results, `may_land` tells whether those of which a task shares what it
        writes have landed before it, `agents` who does a task.
        """
        self._git = git
        self._may_land = may_land
        self._line = line
        self._branch = branch
        self._verifier = verifier
        self._manifest = manifest
        self._named = named
        self._agents = agents
        self._queue = LandingQueue()
        self._at_landing: tuple[Candidate, Prepared] | _Sync | _Doubt | None = None
        self._red: str | None = None
        self.stopping = False
        self.unsound: str | None = None

    @property
    def busy(self) -> bool:
        """Whether a verification is awaited."""
        return self._at_landing is not None

    @property
    def ready(self) -> bool:
        """Whether a result could be taken through its landing now."""
        return not self.busy and self._queue.holds(self._may_land)

    def submit(self, candidate: Candidate) -> None:
        """Queue a captured result."""
        self._queue.add(replace(candidate, agent=self._agents(candidate.task.name)))

    def pump(self) -> list[Fate]:
        """Take results through their landing until one must wait for its verdict or none is left."""
        fates: list[Fate] = []
        while self._at_landing is None:
            candidate = self._queue.take(self._may_land)
            if candidate is None:
                break
            self._branch.follow()
            self.record()
            prepared = prepare(self._git, self._line, candidate, self._manifest)
            if isinstance(prepared, Violation):
                fates.append(Refused(candidate, prepared))
            elif isinstance(prepared, Conflict):
                fates.append(Unmergeable(candidate, prepared.paths))
            else:
                self._at_landing = (candidate, prepared)
                verdict = self._verifier.begin(prepared.commit, candidate.task.name, start=not self.stopping)
                if verdict is not None:
                    fates += self._conclude(verdict)
        return fates

    def record(self) -> bool:
        """Commit the entries of what changed nothing, where there are some.

        Before what comes after them lands: a crash must not lose them, since their inputs may be what that writes.
        And before anything is decided once more: freshness is a function of the tree.
        """
        if self._line.commit_pending() is None:
            return False
        self._branch.keep_tip()
        return True

    def verified(self, ended: VerifyEnded) -> list[Fate]:
        """Take the end of the verification that was awaited."""
        verdict = self._verifier.ended(ended)
        return [] if verdict is None else self._conclude(verdict)

    def catch_up(self) -> None:
        """At the start of a build that goes on from what an earlier one left: bring the branch there.

        Where the person committed since, that is merged in first, and its verdict awaited: then what is built next
        stands on it too.
        """
        self._advance()

    def finish(self) -> bool:
        """At the end of a build: commit what is pending and bring the branch to the tip.

        False where a verification is awaited first; call again after it.
        """
        if self.busy:
            return False
        before = self._line.tip
        if self._line.pending:
            self._branch.follow()
        if self.record():
            before = self._line.tip
        self._advance()
        if self._at_landing is not None or self._line.tip != before:
            # Merged with what the person committed: what that makes stale is not built yet.
            return False
        self._branch.finish()
        return True

    def _conclude(self, verdict: Verdict) -> list[Fate]:
        at_landing, self._at_landing = self._at_landing, None
        if isinstance(at_landing, _Sync):
            self._conclude_sync(at_landing, verdict)
            return []
        if isinstance(at_landing, _Doubt):
            return self._conclude_doubt(at_landing, verdict)
        assert at_landing is not None
        candidate, prepared = at_landing
        if verdict.passed is None:
            return [Unjudged(candidate, verdict)]
        if not verdict.passed:
            return self._whose_fault(_Doubt(candidate, verdict))
        if prepared.beside is not None:
            # Before: a crash after it must not lose the branch.
            self._named.reserve(candidate, prepared.beside)
        self._line.land(candidate.task.name, prepared.commit)
        # At once, so that a crash finds the result either captured or landed.
        self._branch.keep_tip(settled_well(candidate.key, candidate.ended.attempt, candidate.result))
        self._named.place(candidate.task.name)
        self._advance()
        verified = self._verifier.command is not None
        return [Landed(candidate, prepared.commit, prepared.paths, verified)]

    def _whose_fault(self, doubt: _Doubt) -> list[Fate]:
        """What a red verdict means: the result's fault only where the tip is green without it."""
        tip = self._line.tip
        if self._verifier.remembers(tip):
            return [Red(doubt.candidate, doubt.verdict, tip)]
        if tip == self._red:
            return [Spoiled(doubt.candidate, doubt.verdict)]
        self._at_landing = doubt
        verdict = self._verifier.begin(tip, None, start=not self.stopping)
        return [] if verdict is None else self._conclude(verdict)

    def _conclude_doubt(self, doubt: _Doubt, verdict: Verdict) -> list[Fate]:
        if verdict.passed is None:
            return [Unjudged(doubt.candidate, verdict)]
        if verdict.passed:
            return [Red(doubt.candidate, doubt.verdict, self._line.tip)]
        self._red = self._line.tip
        return [Spoiled(doubt.candidate, verdict)]

    def _advance(self) -> None:
        """Move the branch; where the person committed meanwhile, merge with that and verify first."""
        done = self._branch.advance()
        if done is None or done.moved_to is None:
            return
        if not done.descends:
            # What was dropped must not come back by a merge; what landed is replayed on the branch as it is now.
            self._branch.give_up("the branch was rewritten meanwhile", instead="orchestra build")
            return
        merged = self._git.merge(self._branch.at, done.moved_to, self._line.tip)
        if merged.tree is None:
            self._branch.give_up(
                f"your new commits conflict with what landed in {', '.join(merged.conflicts)}"
            )
            return
        message = "Merge what orchestra landed\n"
        commit = self._git.commit(CommitRequest(merged.tree, (done.moved_to, self._line.tip), message))
        self._at_landing = _Sync(commit, done.moved_to)
        verdict = self._verifier.begin(commit, None, start=not self.stopping)
        if verdict is not None:
            self._conclude(verdict)

    def _conclude_sync(self, sync: _Sync, verdict: Verdict) -> None:
        if verdict.passed:
            self._line.move(sync.commit)
            self._branch.merged_with(sync.head)
            self._branch.keep_tip()
            self._advance()
        elif verdict.passed is None:
            self._branch.give_up(
                "interrupted before your new commits were verified together with what landed"
            )
        else:
            self.unsound = "your new commits together with what landed fail verification"
            self._branch.give_up(self.unsound)
