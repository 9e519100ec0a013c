"""The rules that a JSON Schema cannot say, as far as they follow from one text alone.

They run once for a text, after the schema accepted it: what they let pass is cached and not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from orchestra.manifest.landing import check_templates
from orchestra.manifest.problems import DataPath, Problem, listing, nearest, show
from orchestra.manifest.shape import BUILT_IN_AGENTS
from orchestra.manifest.values import (
    PLACEHOLDERS,
    is_refused_variable,
    is_unprintable,
    name_fault,
    name_fold,
    seconds,
    task_name,
    unknown_placeholder,
)
from orchestra.model.patterns import PatternError, compile_pattern
from orchestra.model.protected import names_never_writable, names_protected

if TYPE_CHECKING:
    # Names of agents are looked at in every load, and this import would bring yaml along.
    from orchestra.manifest.document import Document

_PROGRAM = frozenset(("kind", "env", "model", "command", "args", "permissions"))
_OPTIONS = {
    "claude-code": _PROGRAM | {"max_turns"},
    "codex": _PROGRAM,
    "gemini": _PROGRAM,
    "opencode": _PROGRAM,
    "qwen": _PROGRAM | {"max_turns"},
    "copilot": _PROGRAM,
    "aider": _PROGRAM - {"permissions"},
    "command": frozenset(("kind", "env", "command", "args")),
    "script": frozenset(("kind", "env")),
}
"""By kind of agent: the keys that have an effect."""

KINDS = tuple(_OPTIONS)
"""The kinds of agents that come with orchestra."""

Section = dict[str, Any]


def check_manifest(document: Document) -> list[Problem]:
    """What is wrong in a manifest that the schema accepted."""
    data: Section = document.data
    allowed = tuple(data.get("allow_protected", ()))
    problems = list(_patterns(data.get("prompts", ()), ("prompts",)))
    for key in ("setup_inputs", "copy", "keep"):
        path: DataPath = ("worktrees", key)
        problems += _patterns(data.get("worktrees", {}).get(key, ()), path, own=key != "setup_inputs")
    for number, text in enumerate(data.get("context", ())):
        problems += _inside(text, ("context", number), "CONVENTIONS.md")
    bad_allowed = list(_patterns(allowed, ("allow_protected",), own=True))
    problems += bad_allowed
    problems += _durations(data.get("defaults", {}), ("defaults",))
    problems += _numbers(data.get("limits", {}), ("limits",))
    problems += check_templates(data.get("integrate", {}))
    for model, price in data.get("prices", {}).items():
        problems += _numbers(price, ("prices", model))
    for name, agent in data.get("agents", {}).items():
        problems += _agent(agent, ("agents", name))
    problems += _agent_named(data.get("defaults", {}), ("defaults",), data)
    for name, entry in data.get("tasks", {}).items():
        problems += _task(name, entry, data)
        # Where `allow_protected` itself is wrong, nothing can be said about what it allows.
        problems += check_entry(entry, ("tasks", name), ("**",) if bad_allowed else allowed)
    problems += _twins(data.get("tasks", {}))
    return problems


def check_entry(entry: Section, path: DataPath, allowed: tuple[str, ...]) -> list[Problem]:
    """What is wrong in a task's entry, or in the front matter of a prompt, that the schema accepted."""
    problems = [*_durations(entry, path), *_numbers(entry, path), *_environment(entry, path)]
    problems += _patterns(entry.get("artifacts", ()), (*path, "artifacts"), own=True)
    claims = entry.get("claims", {})
    if isinstance(claims, dict):
        for side in ("write", "shared", "read"):
            where = (*path, "claims", side)
            bad = list(_patterns(claims.get(side, ()), where))
            problems += bad
            if side != "read" and not bad:
                problems += _protected(claims.get(side, ()), where, allowed)
    return problems


def settled(document: Document) -> Section:
    """The data of a document with values of `env` as they were written: `0x10` and `1.50` keep their shape."""
    data: Section = document.data
    for group in ("agents", "tasks"):
        for name, entry in data.get(group, {}).items():
            env = entry.get("env")
            if isinstance(env, dict):
                entry["env"] = {key: document.written((group, name, "env", key)) for key in env}
    return data


def agent_problem(
    name: str, agents: Iterable[str], path: DataPath, file: str | None = None
) -> Problem | None:
    """What is wrong with the name of an agent, given those that the manifest describes."""
    if name in agents or name in BUILT_IN_AGENTS:
        return None
    if name == "command":
        hint = "describe it: `agents: {NAME: {kind: command, command: [...]}}`"
        return Problem("the agent `command` needs a description", path, hint=hint, file=file)
    meant = nearest(name, (*agents, *BUILT_IN_AGENTS))
    hint = f"did you mean `{meant}`? {_choices(agents)}" if meant else _choices(agents)
    return Problem(f"there is no agent `{show(name)}`", path, hint=hint, file=file)


def _choices(agents: Iterable[str]) -> str:
    return f"what can be written here: {listing(dict.fromkeys((*agents, *BUILT_IN_AGENTS)))}"


def _patterns(texts: Any, path: DataPath, *, own: bool = False) -> Iterator[Problem]:
    """`own`: what belongs to git and orchestra alone is refused too."""
    for number, text in enumerate(texts):
        try:
            compile_pattern(text)
            if own and names_never_writable(text):
                hint = "remove it: git and orchestra keep their own files there"
                yield Problem(f"`{show(text)}` can be opened to no task", (*path, number), hint=hint)
        except PatternError as error:
            message = f"not a path pattern: {show(str(error), 200)}"
            yield Problem(message, (*path, number), hint="for example `src/parser.py` or `src/**`")


def _protected(texts: Any, path: DataPath, allowed: tuple[str, ...]) -> Iterator[Problem]:
    for number, text in enumerate(texts):
        if names_never_writable(text):
            hint = "remove it: git and orchestra keep their own files there"
        elif names_protected(text, allowed):
            hint = f"remove it, or add `allow_protected: [{show(text)}]` to the manifest"
        else:
            continue
        yield Problem(f"`{show(text)}` is protected: no task may write it", (*path, number), hint=hint)


def _durations(section: Section, path: DataPath) -> Iterator[Problem]:
    for key, example in (("timeout", "45m"), ("stall", "10m")):
        try:
            seconds(section.get(key, example))
        except ValueError as error:
            message = f"`{key}` {error}, but is `{show(section[key])}`"
            yield Problem(message, (*path, key), hint=f"for example `{key}: {example}`")


def _numbers(section: Section, path: DataPath) -> Iterator[Problem]:
    """Amounts that are no number: a schema lets them pass, since they are neither too small nor too great."""
    for key, value in section.items():
        if isinstance(value, float) and value != value:
            yield Problem(
                f"`{show(key)}` must be a number, but is .nan", (*path, key), hint=f"for example `{key}: 2`"
            )


def _environment(section: Section, path: DataPath) -> Iterator[Problem]:
    env = section.get("env", ())
    for number, name in enumerate(env):
        if is_refused_variable(name):
            keyed = isinstance(env, dict)
            yield Problem(
                f"the variable `{name}` is refused: it would change what runs, or is orchestra's own",
                (*path, "env", name if keyed else number),
                keyed,
                "remove it; where a command needs it, set it in a script that the command calls",
            )


def _agent(agent: Section, path: DataPath) -> Iterator[Problem]:
    kind = agent["kind"]
    options = _OPTIONS.get(kind)
    if options is None:
        problem = _kind_problem(kind, (*path, "kind"))
        if problem is not None:
            yield problem
        else:
            # What its keys mean is for the package that adds it to say.
            yield from _environment(agent, path)
        return
    for key in agent:
        if key not in options:
            hint = f"remove it: it belongs to {listing(k for k in _OPTIONS if key in _OPTIONS[k])}"
            yield Problem(f"`{key}` has no effect on an agent of kind `{kind}`", (*path, key), True, hint)
    if kind == "command" and "command" not in agent:
        hint = 'for example `command: [my-agent, --prompt-file, "{prompt_file}"]`'
        yield Problem("an agent of kind `command` needs the key `command`", path, True, hint)
    for number, text in enumerate(agent.get("command", ())):
        unknown = unknown_placeholder(text)
        if unknown is not None:
            hint = f"what is filled in: {listing(f'{{{name}}}' for name in PLACEHOLDERS)}"
            yield Problem(f"unknown placeholder `{{{show(unknown)}}}`", (*path, "command", number), hint=hint)
    if agent.get("command", ("",))[0].strip() == "" and "command" in agent:
        yield Problem(
            "the name of the program is empty", (*path, "command", 0), hint="for example `my-agent`"
        )
    yield from _environment(agent, path)


def _kind_problem(kind: str, path: DataPath) -> Problem | None:
    """What is wrong with a kind of agent that is not ours, given those that installed packages add."""
    from orchestra.manifest.plugins import added_kinds

    kinds = (*KINDS, *added_kinds())
    if kind in kinds:
        return None
    meant = nearest(kind, kinds)
    hint = f"did you mean `{meant}`? " if meant else ""
    hint += f"what can be written here: {listing(dict.fromkeys(kinds))}"
    return Problem(f"there is no kind of agent `{show(kind)}`", path, hint=hint)


def _agent_named(section: Section, path: DataPath, data: Section) -> Iterator[Problem]:
    for key in ("agent", "review"):
        if section.get(key) is not None:
            problem = agent_problem(section[key], data.get("agents", {}), (*path, key))
            if problem is not None:
                yield problem


def _task(name: str, entry: Section, data: Section) -> Iterator[Problem]:
    path: DataPath = ("tasks", name)
    fault = name_fault(task_name(name))
    if fault is not None:
        hint = "for example `fix-parser` or `api/login`"
        yield Problem(f"the name `{show(name)}` {fault}", path, True, hint)
    if "run" in entry:
        for other in ("prompt", "agent", "review", "repairs", "usd"):
            if other in entry:
                hint = f"remove `{other}` if the command does the task, or `run` if an agent does"
                yield Problem(f"`{other}` beside `run`", (*path, other), True, hint)
    if "prompt" in entry:
        yield from _inside(entry["prompt"], (*path, "prompt"), "prompts/fix-parser.md")
    yield from _agent_named(entry, path, data)


def _inside(text: str, path: DataPath, example: str) -> Iterator[Problem]:
    """What is wrong with a path that is to name a file of the repository."""
    segments = text.split("/")
    if text.startswith(("/", "~")) or ".." in segments or "\\" in text or is_unprintable(text):
        message = f"`{show(text)}` does not name a file inside the repository"
        hint = f"write the path from the root of the repository: `{example}`"
        yield Problem(message, path, hint=hint)
    elif any(segment.casefold() == ".git" for segment in segments):
        yield Problem(f"`{show(text)}` belongs to git", path, hint=f"name another file, such as `{example}`")


def _twins(tasks: Section) -> Iterator[Problem]:
    """Names that become one on a file system that ignores case or Unicode's forms."""
    first: dict[str, str] = {}
    for name in tasks:
        other = first.setdefault(name_fold(name), name)
        if other != name:
            yield twins(name, other, ("tasks", name))


def twins(name: str, other: str, path: DataPath) -> Problem:
    """Two names that some file systems take for one."""
    return Problem(
        f"the names `{show(name)}` and `{show(other)}` differ only in case or Unicode form",
        path,
        True,
        "rename one of them: on many file systems they would be one",
    )
