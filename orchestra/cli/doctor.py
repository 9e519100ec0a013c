"""`orchestra doctor`: looks at all that builds depend on here, and says what to do about what is wrong."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from orchestra.cli.options import Project, Settings, common_options, use_color
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.findings import Finding, Level, problem_of
from orchestra.model.tasks import AgentSpec, Limits, Manifest, Task
from orchestra.model.text import count

SILENT_KINDS = ("command", "script")
"""Kinds that say nothing until a manifest describes them, or that are always there."""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
@click.pass_obj
def command(settings: Settings, as_json: bool, directory: str | None, file: str | None, debug: bool) -> int:
    """Look at git, disk, agents, worktrees and the manifest, and say what is in the way. Changes nothing.

    Ends with 1 where there is a problem.
    """
    from orchestra.reporting.doctor import doctor_json, doctor_text

    findings = tuple(_findings(Project(settings, directory=directory, file=file)))
    click.echo(json.dumps(doctor_json(findings)) if as_json else doctor_text(findings, use_color(sys.stdout)))
    wrong = any(found.level is Level.PROBLEM for found in findings)
    return ExitStatus.FAILED if wrong else ExitStatus.OK


def _findings(project: Project) -> Iterator[Finding]:
    from orchestra.execution.checkup import look_at_builds, look_at_disk, look_at_git, look_at_slots
    from orchestra.vcs.slots import slots_folder

    repository = project.repository
    yield from look_at_git(repository)
    manifest = None
    try:
        manifest = project.manifest
        tasks = count(len(manifest.tasks), "task")
        yield Finding("manifest", Level.OK, f"{manifest.source or 'prompts/ alone'}: {tasks}")
    except OrchestraError as error:
        yield problem_of("manifest", error)
    yield from _agents(manifest)
    configured = manifest.worktrees.dir if manifest else None
    slots = slots_folder(repository.common_dir, repository.root, configured, os.environ)
    yield from look_at_disk(repository, slots, (manifest.limits if manifest else Limits()).disk)
    yield from look_at_slots(repository, slots)
    yield from look_at_builds(repository, project.lock_path)
    yield from _history(project.history_path)
    if manifest is not None:
        yield from _parallelism(project, manifest)


def _agents(manifest: Manifest | None) -> Iterator[Finding]:
    from orchestra.agents.plugins import plugin_kinds
    from orchestra.agents.registry import ADAPTERS, default_agent, make_agent
    from orchestra.execution.checkup import look_at_agents

    described: Mapping[str, AgentSpec] = manifest.agents if manifest else {}
    tasks = manifest.tasks if manifest else ()
    kinds = [kind for kind in (*ADAPTERS, *plugin_kinds()) if kind not in SILENT_KINDS]
    used = _used(tasks)
    specs = {kind: AgentSpec(kind, kind) for kind in kinds}
    specs |= {
        name: spec for name, spec in described.items() if name in used or name not in (*kinds, *SILENT_KINDS)
    }
    agents = {}
    for name, spec in specs.items():
        try:
            agents[name] = make_agent(spec)
        except OrchestraError as error:
            yield problem_of("agents", error)
    yield from look_at_agents(agents, used)
    unnamed = [task.name for task in tasks if task.prompt is not None and task.agent is None]
    if unnamed:
        found = default_agent()
        if found is None:
            message = f"no coding agent is installed, and no agent is named by {count(len(unnamed), 'task')}"
            yield Finding(
                "agents",
                Level.PROBLEM,
                message,
                "install one of those above, or write `defaults: {agent: NAME}`",
            )
        else:
            yield Finding(
                "agents", Level.OK, f"{found.name} does what names no agent: {count(len(unnamed), 'task')}"
            )


def _used(tasks: tuple[Task, ...]) -> dict[str, list[str]]:
    """By agent, the tasks that name it, for their work or for its review."""
    used: dict[str, list[str]] = {}
    for task in tasks:
        for name in dict.fromkeys((task.agent, task.review)):
            if name is not None:
                used.setdefault(name, []).append(task.name)
    return used


def _history(path: Path) -> Iterator[Finding]:
    from orchestra.history.database import open_for_reading
    from orchestra.history.queries import read_builds

    try:
        history = open_for_reading(path)
        if history is None:
            yield Finding("history", Level.OK, "nothing was built here yet")
            return
        with history:
            last = read_builds(history, limit=1)
        state = f"; the last build: {last[0].build}, {last[0].state}" if last else ""
        yield Finding("history", Level.OK, f"{path.stat().st_size / 2**20:.1f} MiB{state}")
    except OrchestraError as error:
        yield problem_of("history", error)


def _parallelism(project: Project, manifest: Manifest) -> Iterator[Finding]:
    """From a simulated build of everything, with as many at once as may."""
    from orchestra.cli.build import BuildRequest, jobs_of
    from orchestra.cli.simulated import foreseen
    from orchestra.execution.checkup import look_at_parallelism
    from orchestra.model.meetings import longest_chain

    try:
        outlook = foreseen(project, BuildRequest(force=True, jobs=max(1, len(manifest.tasks))))
    except OrchestraError as error:
        yield problem_of("parallel", error)
        return
    widest = max(map(len, outlook.rows), default=0)
    chain = longest_chain(project.graph, frozenset(project.graph.tasks))
    jobs = jobs_of(project, BuildRequest())
    yield from look_at_parallelism(widest, len(chain), len(manifest.tasks), jobs, os.cpu_count() or 1)
