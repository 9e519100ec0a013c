"""Plain data that passed all checks as typed values: the manifest's sections, and what a task's entry says."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestra.manifest.values import seconds, share, size, task_name
from orchestra.model.tasks import (
    EVERYTHING,
    AgentSpec,
    Claims,
    Integrate,
    Limits,
    OnDrift,
    Price,
    Worktrees,
)

PROMPTS = ("prompts/**/*.md",)
"""The patterns that find prompts where the manifest does not say."""

BUILT_IN_AGENTS = ("claude-code", "codex", "gemini", "opencode", "qwen", "copilot", "aider", "script")
"""Kinds that can be named like an agent; a `command` says nothing until it is described."""

TIMEOUT = 45 * 60.0
"""How long an attempt may take where nobody says, in seconds."""

STALL = 10 * 60.0
"""How long it may do nothing, likewise."""

RETRIES = 2
"""How often an attempt is repeated that failed for a reason that may pass, where nobody says."""

REPAIRS = 1
"""How often an agent goes on after a failed check, likewise."""

Section = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClaimsText:
    """Claims as written; None: the key is not there."""

    write: tuple[str, ...] | None = None
    read: tuple[str, ...] | None = None
    shared: tuple[str, ...] | None = None
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry of `tasks` or the front matter of a prompt says; None: the key is not there."""

    prompt: str | None = None
    run: str | None = None
    agent: str | None = None
    needs: tuple[str, ...] | None = None
    claims: ClaimsText | None = None
    priority: int | None = None
    check: str | None = None
    timeout: float | None = None
    stall: float | None = None
    retries: int | None = None
    repairs: int | None = None
    usd: float | None = None
    review: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    passes: tuple[str, ...] = ()
    on_drift: OnDrift | None = None
    artifacts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections of a manifest; `entries` are the tasks' with their names, in the order and form as written.

    `agents` holds those that can be named without a description too.
    """

    prompts: tuple[str, ...]
    agent: str | None
    timeout: float
    stall: float
    retries: int
    repairs: int
    priority: int
    agents: Mapping[str, AgentSpec]
    limits: Limits
    prices: Mapping[str, Price]
    worktrees: Worktrees
    integrate: Integrate
    hooks: tuple[tuple[str, str], ...]
    context: tuple[str, ...]
    allow_protected: tuple[str, ...]
    triggers: tuple[str, ...]
    entries: tuple[tuple[str, Entry], ...]


def settings_of(data: Section) -> Settings:
    """A manifest's plain data as typed values."""
    defaults = data.get("defaults", {})
    worktrees = data.get("worktrees", {})
    integrate = data.get("integrate", {})
    described = {name: _agent_of(name, agent) for name, agent in data.get("agents", {}).items()}
    return Settings(
        prompts=tuple(data.get("prompts", PROMPTS)),
        agent=defaults.get("agent"),
        timeout=seconds(defaults["timeout"]) if "timeout" in defaults else TIMEOUT,
        stall=seconds(defaults["stall"]) if "stall" in defaults else STALL,
        retries=int(defaults.get("retries", RETRIES)),
        repairs=int(defaults.get("repairs", REPAIRS)),
        priority=int(defaults.get("priority", 0)),
        agents=described | {kind: AgentSpec(kind, kind) for kind in BUILT_IN_AGENTS if kind not in described},
        limits=_limits_of(data.get("limits", {})),
        prices={model: Price(**price) for model, price in data.get("prices", {}).items()},
        worktrees=Worktrees(
            dir=worktrees.get("dir"),
            setup=worktrees.get("setup"),
            setup_inputs=tuple(worktrees.get("setup_inputs", ())),
            copy=tuple(worktrees.get("copy", ())),
            keep=tuple(worktrees.get("keep", ())),
        ),
        integrate=Integrate(
            into=integrate.get("into"),
            strategy=integrate.get("strategy", "squash"),
            verify=integrate.get("verify"),
            branch=integrate.get("branch"),
            message=integrate.get("message"),
            author=integrate.get("author", "user"),
            on_conflict=integrate.get("on_conflict", "retry"),
        ),
        hooks=tuple(data.get("hooks", {}).items()),
        context=tuple(dict.fromkeys(map(posixpath.normpath, data.get("context", ())))),
        allow_protected=tuple(data.get("allow_protected", ())),
        triggers=tuple(dict.fromkeys(data.get("triggers", ()))),
        entries=tuple((name, entry_of(entry)) for name, entry in data.get("tasks", {}).items()),
    )


def entry_of(data: Section) -> Entry:
    """A task's entry, or what the front matter of a prompt says of it."""
    needs = data.get("needs")
    env, passes = _environment(data)
    return Entry(
        prompt=posixpath.normpath(data["prompt"]) if "prompt" in data else None,
        run=data.get("run"),
        agent=data.get("agent"),
        needs=None if needs is None else tuple(map(task_name, needs)),
        claims=_claims_text(data["claims"]) if "claims" in data else None,
        priority=int(data["priority"]) if "priority" in data else None,
        check=data.get("check"),
        timeout=seconds(data["timeout"]) if "timeout" in data else None,
        stall=seconds(data["stall"]) if "stall" in data else None,
        retries=int(data["retries"]) if "retries" in data else None,
        repairs=int(data["repairs"]) if "repairs" in data else None,
        usd=data.get("usd"),
        review=data.get("review"),
        env=env,
        passes=passes,
        on_drift=data.get("on_drift"),
        artifacts=tuple(dict.fromkeys(data["artifacts"])) if "artifacts" in data else None,
    )


def claims_of(text: ClaimsText | None, *, runs: bool, unread: tuple[str, ...]) -> Claims:
    """The claims that follow from what was written; `runs`: of a task with a command.

    `unread` are the patterns that such a task without claims does not depend on.
    """
    if text is None:
        return Claims(read=(EVERYTHING,), unread=unread) if runs else Claims()
    if text.exclusive:
        return Claims(exclusive=True, declared=True)
    shared = text.shared or ()
    # Who names only what it shares writes nothing else.
    write = () if text.write is None and shared else text.write
    read = text.read
    if read is None:
        # A check task that names nothing judges everything.
        read = (EVERYTHING,) if write == () and not shared else ()
    return Claims(write=write, read=read, shared=shared, declared=True)


def _limits_of(data: Section) -> Limits:
    """The limits of a build; what is not written keeps its default."""
    jobs, tokens = data.get("jobs", "auto"), data.get("tokens")
    usual = Limits()
    return Limits(
        jobs=None if jobs == "auto" else int(jobs),
        cpu=share(data["cpu"]) if "cpu" in data else usual.cpu,
        memory=share(data["memory"]) if "memory" in data else usual.memory,
        disk=size(data["disk"]) if "disk" in data else usual.disk,
        usd=data.get("usd"),
        usd_per_day=data.get("usd_per_day"),
        tokens=None if tokens is None else int(tokens),
    )


def _claims_text(data: Section | str) -> ClaimsText:
    if isinstance(data, str):
        return ClaimsText(exclusive=True)
    write, read, shared = (
        None if patterns is None else tuple(patterns)
        for patterns in (data.get("write"), data.get("read"), data.get("shared"))
    )
    return ClaimsText(write, read, shared)


def _environment(data: Section) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Values that are set, and names that are passed through, each name once."""
    env = data.get("env", ())
    if isinstance(env, dict):
        return tuple(env.items()), ()
    return (), tuple(dict.fromkeys(env))


def _agent_of(name: str, data: Section) -> AgentSpec:
    env, passes = _environment(data)
    turns = data.get("max_turns")
    return AgentSpec(
        name=name,
        kind=data["kind"],
        model=data.get("model"),
        command=tuple(data.get("command", ())),
        args=tuple(data.get("args", ())),
        env=env,
        passes=passes,
        permissions=data.get("permissions", "edit"),
        max_turns=None if turns is None else int(turns),
    )
