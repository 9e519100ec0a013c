"""The review of one captured result, as steps of its attempt: another agent judges the change in the same slot."""

from __future__ import annotations

import json
from collections.abc import Generator

from orchestra.execution.commands import Command
from orchestra.execution.course import Course, Failed
from orchestra.execution.prompting import diff_in_file, quoted_diff, review_prompt
from orchestra.execution.review import SCHEMA, Listening, ReviewVerdict, as_review, read_verdict
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import Judgement, Order
from orchestra.model.errors import OrchestraError
from orchestra.model.outcomes import Exit, Fault, Outcome
from orchestra.model.ports import AttemptOrder
from orchestra.vcs.command import decode
from orchestra.vcs.slots import Slot

DIFF_BYTES = 96 * 2**10
"""How much of a change stands in the prompt of its review; a longer one is in a file beside the log."""

STAT_LINES = 200
"""How many lines sum such a change up."""


class Review:
    """One review. `judged` tells, once it is over, how its agent ended."""

    def __init__(
        self, workshop: Workshop, order: AttemptOrder, course: Course, slot: Slot, commit: str, number: int
    ) -> None:
        """`commit` is what was captured in the slot, `number` counts the reviews of the attempt from 1."""
        self._workshop = workshop
        self._order = order
        self._course = course
        self._slot = slot
        self._commit = commit
        self._name = f"review-{number}"
        self.judged = Judgement(Outcome.NOT_STARTED)

    def steps(self) -> Generator[Command, Exit, ReviewVerdict | Failed]:
        """Ask the agent and read its verdict. One that gives none, whatever the cause, never counts as a pass."""
        shop, order = self._workshop, self._order
        task = as_review(order.task)
        who = f"review by {task.agent}"
        spec = shop.agent_of(task)
        try:
            prompt = review_prompt(task, order.base, self._diff(), json.dumps(SCHEMA))
            path = self._course.write(f"{self._name}.prompt.md", prompt)
            asked = Order(task.name, prompt, path, str(self._slot.path), usd=self._left(), readonly=True)
            session = Listening(shop.adapter_of(task, spec).open(asked))
        except OrchestraError as error:
            return Failed(Outcome.REVIEW_FAILED, Fault.ENVIRONMENT, f"{who}: {self._course.noted(error)}")
        env = shop.environment(task, order.attempt, spec, self._slot.number)
        exited = yield self._course.command("review", session.invocation, self._slot, env, session)
        self._course.ended(exited)
        self.judged = judged = session.judge(exited)
        self._course.used(shop.used(judged, spec))
        found = self._found(who, exited, session.words)
        passed, told = (
            (found.passed, found.told()) if isinstance(found, ReviewVerdict) else (None, (found.detail,))
        )
        self._course.judged("review", task.agent or "", passed, exited, told)
        return found

    def _found(self, who: str, exited: Exit, words: str) -> ReviewVerdict | Failed:
        """The verdict that a review gave with its last words, or why it gave none."""
        judged = self.judged
        failed = self._course.failed_by(exited)
        if failed is not None:
            if failed.outcome is Outcome.INTERRUPTED:
                return failed
            return Failed(Outcome.REVIEW_FAILED, failed.fault, f"{who}: {failed.detail}")
        if judged.outcome is not Outcome.SUCCESS:
            detail = judged.detail or judged.summary or str(judged.outcome)
            return Failed(Outcome.REVIEW_FAILED, judged.fault, f"{who}: {detail}")
        verdict = read_verdict(words)
        if verdict is None:
            denied = f" ({judged.detail})" if judged.blocked and judged.detail else ""
            return Failed(Outcome.REVIEW_FAILED, Fault.AGENT, f"{who}: it gave no verdict{denied}")
        return verdict

    def _diff(self) -> str:
        """The change as the prompt tells it: whole, or where it is long the file that holds it."""
        base, git = self._order.base, self._workshop.repository.command
        # What a person configured for their own eyes is not for this.
        how = ("--no-ext-diff", "--no-textconv", "--no-color", "-M")
        patch = git.run("diff-tree", "-r", "-p", *how, base, self._commit).stdout
        if len(patch) <= DIFF_BYTES:
            return quoted_diff(decode(patch))
        stat = git.run("diff-tree", "-r", "--stat=120", "-M", base, self._commit).text.split("\n")
        rest = [f"… {len(stat) - STAT_LINES} lines more"] if len(stat) > STAT_LINES else []
        return diff_in_file(
            self._course.write(f"{self._name}.diff", decode(patch)), [*stat[:STAT_LINES], *rest]
        )

    def _left(self) -> float | None:
        usd, used = self._order.usd, self._course.usage.usd
        return usd if usd is None or used is None else max(0.0, usd - used)
