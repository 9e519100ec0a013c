"""What a build has spent and may still spend: the budgets of its tasks, of itself and of the day, kept together. Pure.

Amounts are what attempts are known to have used; nothing is made up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from orchestra.model.means import Ledger, Worker
from orchestra.model.outcomes import Outcome, Usage
from orchestra.model.ports import AttemptEnded, Clock
from orchestra.model.tasks import Limits, Task
from orchestra.planning.budget import Answer, Budget, Sum, expected


@dataclass(frozen=True, slots=True)
class Shortage:
    """A budget keeps an attempt from starting: `passing` where that may change once others have ended; why, in words,
    and what to type about it.
    """

    passing: bool
    why: str
    hint: str


@dataclass(frozen=True, slots=True)
class _Used:
    """What one attempt of this build used."""

    task: str
    agent: str
    usage: Usage
    good: bool


class Spending:
    """The budgets of one build."""

    def __init__(
        self,
        limits: Limits,
        ledger: Ledger | None,
        clock: Clock,
        notice: Callable[[str, str], None],
    ) -> None:
        """`notice` takes a message and a hint for the person."""
        self._ledger = ledger
        self._clock = clock
        self._notice = notice
        self._build = None if limits.usd is None else Budget("the build's budget", limits.usd)
        self._tokens = (
            None if limits.tokens is None else Budget("the build's budget", limits.tokens, "tokens")
        )
        self._day = None if limits.usd_per_day is None else Budget("the day's budget", limits.usd_per_day)
        self._day_ends = -inf
        self._tasks: dict[str, Budget] = {}
        self._used: list[_Used] = []
        self._past: dict[tuple[str, str | None], tuple[Usage, ...]] = {}
        self._told: set[tuple[str, str]] = set()

    def shortage(self, task: Task, worker: Worker) -> Shortage | None:
        """What keeps an attempt at the task from starting now; None where it may."""
        own = self._own(task)
        if own is not None and own.used_up:
            return Shortage(False, own.words(), f"give {task.name} more `usd`, then: orchestra build")
        passing: Shortage | None = None
        for budget, hint in self._shared():
            estimate = self._expected(task, worker, budget.unit)
            answer = budget.ask(estimate, silent=self._is_silent(worker.agent, budget.unit))
            if answer is Answer.NO:
                return Shortage(False, budget.words(estimate), hint)
            if answer is Answer.LATER:
                passing = passing or Shortage(True, budget.words(estimate), hint)
        return passing

    def most(self, task: Task) -> float | None:
        """What an attempt at the task may cost, in USD: the least that is left of any budget; None without one."""
        self._roll()
        budgets = (self._own(task), self._build, self._day)
        return min((budget.left for budget in budgets if budget is not None), default=None)

    def started(self, attempt: str, task: Task, worker: Worker) -> None:
        """Reserve for an attempt that starts what it may be expected to use."""
        for budget, _ in self._shared():
            estimate = self._expected(task, worker, budget.unit)
            if estimate is None and self._is_silent(worker.agent, budget.unit):
                estimate = 0.0
            budget.reserve(attempt, estimate)

    def ended(self, attempt: str, task: Task, worker: Worker, ended: AttemptEnded) -> None:
        """Take what an attempt used."""
        usage = ended.usage
        asked = ended.outcome is not Outcome.NOT_STARTED
        for budget, _ in self._shared():
            budget.settle(attempt, _amount(usage, budget.unit) if asked else 0.0)
        own = self._own(task)
        if asked:
            if own is not None:
                own.settle(attempt, usage.usd)
            self._used.append(_Used(task.name, worker.agent, usage, ended.outcome.good))
            self._tell_silence(worker, own)

    def refusal(self, task: Task) -> str | None:
        """Why no further attempt at the task may be made, None where one may: a budget that holds for it is used up."""
        budgets = (self._own(task), *(budget for budget, _ in self._shared()))
        used_up = (budget for budget in budgets if budget is not None and budget.used_up)
        return next((budget.words() for budget in used_up), None)

    # --- within ----------------------------------------------------------------------------------------------

    def _own(self, task: Task) -> Budget | None:
        if task.usd is None:
            return None
        return self._tasks.setdefault(task.name, Budget("its budget", task.usd))

    def _shared(self) -> list[tuple[Budget, str]]:
        """The budgets that hold for all tasks, each with what to type where it is used up."""
        self._roll()
        new = "a new build has a budget of its own"
        every = (
            (self._build, f"orchestra build ({new}; --budget USD sets it)"),
            (self._tokens, f"orchestra build ({new}: `limits.tokens`)"),
            (self._day, "orchestra build (tomorrow, or with more in `limits.usd_per_day`)"),
        )
        return [(budget, hint) for budget, hint in every if budget is not None]

    def _roll(self) -> None:
        """Begin the day's budget anew where a day has begun."""
        if self._day is None or self._clock.now() < self._day_ends:
            return
        if self._ledger is None:
            self._day_ends = inf
            return
        day = self._ledger.day(self._clock.now())
        self._day.spent = Sum(day.usd, day.unknown)
        self._day_ends = day.until

    def _expected(self, task: Task, worker: Worker, unit: str) -> float | None:
        """What an attempt may be expected to use: by the task's own past with its agent, else by the agent's at other
        tasks, else the most that any attempt of this build used.
        """
        agent = worker.agent
        here = [used for used in self._used if used.agent == agent]
        own = [used.usage for used in here if used.task == task.name]
        known = [found for each in self._used if (found := _amount(each.usage, unit)) is not None]
        return expected(
            [_amount(usage, unit) for usage in (*own, *self._before(agent, task.name))],
            [_amount(usage, unit) for usage in (*(each.usage for each in here), *self._before(agent))],
            [max(known, default=None)],
        )

    def _is_silent(self, agent: str, unit: str) -> bool:
        """Whether the agent was seen to do its work and never to tell what it used."""
        seen = [used for used in self._used if used.agent == agent]
        past = self._before(agent)
        if any(_amount(usage, unit) is not None for usage in (*past, *(used.usage for used in seen))):
            return False
        return bool(past) or any(used.good for used in seen)

    def _before(self, agent: str, task: str | None = None) -> tuple[Usage, ...]:
        if self._ledger is None:
            return ()
        if (agent, task) not in self._past:
            self._past[agent, task] = self._ledger.usages(agent, task)
        return self._past[agent, task]

    def _tell_silence(self, worker: Worker, own: Budget | None) -> None:
        """Say once of an agent that a budget cannot hold it back."""
        budgets = [budget for budget, _ in self._shared()] + ([own] if own is not None else [])
        for unit in dict.fromkeys(budget.unit for budget in budgets):
            if (worker.agent, unit) in self._told or not self._is_silent(worker.agent, unit):
                continue
            self._told.add((worker.agent, unit))
            if unit == "USD":
                why = f"{worker.agent} does not tell what it costs, nor does `prices`: no budget in USD holds it back"
                self._notice(why, "add its model to `prices` in orchestra.yaml, if it tells tokens")
            else:
                why = f"{worker.agent} does not tell how many tokens it uses: `limits.tokens` does not hold it back"
                self._notice(why, "give it fewer tasks, or a `timeout`")


def _amount(usage: Usage, unit: str) -> float | None:
    return usage.usd if unit == "USD" else usage.tokens
