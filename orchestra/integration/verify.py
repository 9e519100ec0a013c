"""Verification of commits by the project's command: one at a time, green verdicts remembered by tree.

A red verdict is repeated once before it counts: a flaky suite must not cost a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestra.integration.green import Green, last_green
from orchestra.integration.line import verdict_ref
from orchestra.model.events import Event, VerifyFinished, VerifyStarted
from orchestra.model.ports import Clock, Executor, RefUpdate, Store, VerifyEnded, VerifyOrder


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a verification: `passed` is None where it was interrupted."""

    passed: bool | None
    tail: tuple[str, ...] = ()
    log: str = ""
    detail: str = ""


@dataclass(slots=True)
class _Running:
    name: str
    commit: str
    task: str | None
    ref: str
    repeated: bool = False
    seconds: float = 0.0


class Verifier:
    """Verifies one commit at a time."""

    def __init__(
        self,
        git: Store,
        executor: Executor,
        clock: Clock,
        build: str,
        emit: Callable[[Event], None],
        *,
        command: str | None,
        environment: str,
    ) -> None:
        self._git = git
        self._executor = executor
        self._clock = clock
        self._build = build
        self._emit = emit
        self._environment = environment
        self._running: _Running | None = None
        self._count = 0
        self.command = command

    @property
    def busy(self) -> bool:
        """Whether a verification is under way."""
        return self._running is not None

    def remembers(self, commit: str) -> bool:
        """Whether a green verdict is known of the commit's tree."""
        return self.command is None or self._git.resolve(self._ref(commit, self.command)) is not None

    def last_green(self, tip: str) -> Green | None:
        """The newest commit of a tip's line that is known to pass; None where none is."""
        return last_green(self._git, tip, self.remembers)

    def begin(
        self, commit: str, task: str | None, *, start: bool = True, anew: bool = False
    ) -> Verdict | None:
        """The verdict if it is known already, unless it is asked for `anew`; else start (unless told not to) and return
        None.
        """
        if self.command is None:
            return Verdict(True)
        ref = self._ref(commit, self.command)
        if not anew and self._git.resolve(ref) is not None:
            self._emit(
                VerifyFinished(
                    self._clock.now(),
                    self._build,
                    commit,
                    passed=True,
                    remembered=True,
                    seconds=0.0,
                    task=task,
                )
            )
            return Verdict(True)
        if not start:
            return Verdict(None)
        self._count += 1
        self._running = _Running(f"verify-{self._count}", commit, task, ref)
        self._emit(VerifyStarted(self._clock.now(), self._build, commit, task, self.command))
        self._executor.verify(VerifyOrder(self._running.name, commit, self.command, task))
        return None

    def ended(self, ended: VerifyEnded) -> Verdict | None:
        """Take the end of the verification that is under way; None where it is being repeated."""
        running = self._running
        assert running is not None, "a verification ended that was not begun"
        assert self.command is not None
        running.seconds += ended.seconds
        if ended.passed is False and not running.repeated:
            running.repeated = True
            self._executor.verify(VerifyOrder(running.name, running.commit, self.command, running.task))
            return None
        if ended.passed:
            self._git.update_refs((RefUpdate(running.ref, running.commit, force=True),))
        self._running = None
        self._emit(
            VerifyFinished(
                self._clock.now(),
                self._build,
                running.commit,
                passed=ended.passed,
                remembered=False,
                seconds=running.seconds,
                task=running.task,
                tail=() if ended.passed else ended.tail,
                log=ended.log,
            )
        )
        return Verdict(ended.passed, ended.tail, ended.log, ended.detail)

    def _ref(self, commit: str, command: str) -> str:
        return verdict_ref(self._git.tree(commit), command, self._environment)
