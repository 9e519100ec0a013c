"""Asks the person before a build may cost money for the first time, and before one adopts; remembers what they said.

Nothing has been changed when it asks: what would be done comes from a simulated build. The answer lies in the state
folder, so that a repository is asked about once, and again only where something new may cost.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path

import click

from orchestra.agents.registry import make_agent
from orchestra.cli.build import BuildRequest, budgeted
from orchestra.cli.doers import Doers
from orchestra.cli.options import Project, use_color
from orchestra.cli.simulated import adopted, foreseen, makespan
from orchestra.cli.terminal import width_of
from orchestra.execution.lock import at_work
from orchestra.execution.workers import FREE
from orchestra.history.past import Took, past_of
from orchestra.model.errors import OrchestraError
from orchestra.model.spread import Spread, spread, total
from orchestra.model.tasks import AgentSpec, Limits, Task
from orchestra.planning.consent import Consent, Service
from orchestra.reporting.outlook import Action
from orchestra.reporting.question import Expected, adopt_text, agent_words, paid_text

FILE = "agreed.json"
"""Where the state folder holds what was agreed to."""

VERSION = 1


class Answer(Enum):
    """What became of a question: there was none to ask, or the person said yes or no."""

    UNASKED = "unasked"
    YES = "yes"
    NO = "no"


def ask(project: Project, request: BuildRequest, before: Callable[[], None] = lambda: None) -> Answer:
    """Ask at the terminal whether the build that is asked for may begin, where there is something to ask; `before` is
    called before that.

    Changes nothing but the memory of a yes. Raises OrchestraError where the build could not begin anyway.
    """
    if not request.wait and at_work(project.lock_path) is not None:
        # It will be refused, and by whom says more than a question.
        return Answer.UNASKED
    if request.adopt:
        return _ask_to_adopt(project, request, before)
    return _ask_to_pay(project, request, before)


def _ask_to_adopt(project: Project, request: BuildRequest, before: Callable[[], None]) -> Answer:
    found = adopted(project, request)
    if not found:
        return Answer.UNASKED
    branch = project.begin.target.branch
    before()
    return _put(adopt_text(found, branch, color=use_color(sys.stdout), width=width_of(sys.stdout)))


def _ask_to_pay(project: Project, request: BuildRequest, before: Callable[[], None]) -> Answer:
    limits = budgeted(project.manifest, request.budget).limits
    asked = _Asked(project)
    place = project.repository.state_folder / FILE
    said = read_consent(place)
    selected = [project.graph.task(name) for name in project.selected(request.targets)]
    if said is not None and said.covers(asked.wanted(selected, limits)):
        return Answer.UNASKED
    outlook = foreseen(project, request)
    active = [project.graph.task(one.task) for one in outlook.of(Action.RUN, Action.MAYBE)]
    wanted = asked.wanted(active, limits)
    if not wanted.services or (said is not None and said.covers(wanted)) or asked.lacking(active):
        # Where an agent is not installed, preflight says so before anything costs.
        return Answer.UNASKED
    text = paid_text(
        outlook,
        project.graph,
        {task.name: asked.words(task) for task in active},
        limits,
        _expected(project, request, active, asked),
        _news(said, wanted),
        color=use_color(sys.stdout),
        width=width_of(sys.stdout),
    )
    before()
    answer = _put(text)
    if answer is Answer.YES:
        write_consent(place, wanted if said is None else said.joined(wanted))
    return answer


def _put(text: str) -> Answer:
    """Show the text and ask; Ctrl-C and the end of input are a no."""
    click.echo(text + "\n")
    try:
        yes = click.confirm("Go on?", default=True, prompt_suffix=" ")
    except click.Abort:
        click.echo()
        yes = False
    if not yes:
        click.echo("Nothing was started, and nothing has changed.")
    return Answer.YES if yes else Answer.NO


class _Asked:
    """Whom the tasks of a project ask."""

    def __init__(self, project: Project) -> None:
        self._doers = Doers(project.manifest)

    def of(self, task: Task) -> tuple[AgentSpec, ...]:
        """The agent that does a task and the one that reviews it, as far as there are."""
        found = self._doers.of(task), self._doers.reviewer(task)
        return tuple(spec for spec in found if spec is not None)

    def wanted(self, tasks: list[Task], limits: Limits) -> Consent:
        """What a build of these tasks may ask for."""
        paid = [spec for task in tasks for spec in self.of(task) if spec.kind not in FREE]
        bounded = limits.usd is not None or limits.usd_per_day is not None
        return Consent(frozenset(Service(spec.kind, spec.model or "") for spec in paid), bounded)

    def costs(self, task: Task) -> bool:
        """Whether a task may cost something."""
        return any(spec.kind not in FREE for spec in self.of(task))

    def lacking(self, tasks: list[Task]) -> bool:
        """Whether an agent is not installed without which the build will not begin."""
        if any(task.prompt is not None and not self.of(task) for task in tasks):
            return True
        used = {spec.name: spec for task in tasks for spec in self.of(task)}
        return any(make_agent(spec).missing() for spec in used.values())

    def name(self, task: Task) -> str:
        """The agent of a task as the history names it."""
        return self._doers.name(task)

    def words(self, task: Task) -> str:
        """Who does a task, and who reviews it."""
        named = [agent_words(spec.name, spec.kind, spec.model) for spec in self.of(task)]
        if task.run is not None:
            named.insert(0, "run")
        return ", reviewed by ".join(named)


def _news(said: Consent | None, wanted: Consent) -> list[str]:
    """Why the person is asked, a line each."""
    lacking = wanted.services if said is None else said.lacks(wanted)
    rows = [
        f"{agent_words(service.kind, service.kind, service.model)} is new here, and may cost money or a subscription"
        for service in sorted(lacking)
    ]
    if said is not None and said.bounded and not wanted.bounded:
        rows.append("what a build may cost had a limit so far, and has none any more")
    return rows


def _expected(project: Project, request: BuildRequest, tasks: list[Task], asked: _Asked) -> Expected:
    """What the past says about tasks; nothing where it cannot be read."""
    pasts = _pasts(project, tasks, asked)
    times: dict[str, Spread] = {}
    costs: dict[str, Spread] = {}
    for task in tasks:
        own, agents = pasts.get(task.name, ((), ()))
        time = spread((took.seconds for took in own), (took.seconds for took in agents))
        cost = spread((took.usd for took in own), (took.usd for took in agents))
        if time is not None:
            times[task.name] = time
        if cost is not None:
            costs[task.name] = cost
    seconds = None
    if times:
        seconds = (
            makespan(project, request, {name: one.p50 for name, one in times.items()}),
            makespan(project, request, {name: one.p90 for name, one in times.items()}),
        )
    usd = total(costs.values())
    unpriced = sum(asked.costs(task) and task.name not in costs for task in tasks)
    untimed = len(tasks) - len(times)
    return Expected(len(tasks), seconds, untimed, (usd.p50, usd.p90) if usd else None, unpriced)


def _pasts(
    project: Project, tasks: list[Task], asked: _Asked
) -> Mapping[str, tuple[tuple[Took, ...], tuple[Took, ...]]]:
    """By task, what its own attempts took, and those of its agent at whatever task."""
    from orchestra.history.database import open_for_reading

    with suppress(OrchestraError):
        history = open_for_reading(project.history_path)
        if history is not None:
            with history:
                agents = {name: past_of(history, name) for name in {asked.name(task) for task in tasks}}
                # A command's time says nothing of another command's.
                agents["run"] = ()
                return {
                    task.name: (past_of(history, asked.name(task), task.name), agents[asked.name(task)])
                    for task in tasks
                }
    return {}


def read_consent(path: Path) -> Consent | None:
    """What was agreed to; None where nothing was, or it cannot be read: then the person is asked."""
    try:
        value = json.loads(path.read_text("utf-8"))
        if value["version"] != VERSION:
            return None
        services = frozenset(Service(str(one["kind"]), str(one["model"])) for one in value["services"])
        return Consent(services, value["bounded"] is True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_consent(path: Path, consent: Consent) -> None:
    """Remember what was agreed to; where that cannot be written the person is asked again."""
    services = [{"kind": one.kind, "model": one.model} for one in sorted(consent.services)]
    text = json.dumps({"version": VERSION, "services": services, "bounded": consent.bounded})
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            partial.write_text(text + "\n", "utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
