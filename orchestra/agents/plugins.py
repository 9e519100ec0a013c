"""Adapters that installed packages add: entry points of the group `orchestra.agents`, by the name of their kind.

Looked at only for kinds that are not our own: to look costs more than all that a build with nothing to do does.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from orchestra.model.agents import ENTRY_POINTS, Agent
from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.tasks import AgentSpec

BROKEN = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What somebody else's module raises that is not right, or whose own needs are not installed."""


def plugin_kinds() -> tuple[str, ...]:
    """The kinds that installed packages add, sorted."""
    return tuple(sorted(entry_points(group=ENTRY_POINTS).names))


def plugin_agent(spec: AgentSpec) -> Agent:
    """The adapter that an installed package makes for an agent of its kind.

    Raises OrchestraError, a fault of the environment, where there is none or where it cannot be made.
    """
    found = tuple(dict.fromkeys(entry_points(group=ENTRY_POINTS, name=spec.kind)))
    if not found:
        raise environment_error(
            f"agent {spec.name} is of kind `{spec.kind}`, which no installed package adds",
            hint=f"install the package that adds it (entry point group `{ENTRY_POINTS}`)",
        )
    if len(found) > 1:
        names = ", ".join(map(_package, found))
        raise environment_error(
            f"several packages add agents of kind `{spec.kind}`: {names}", hint="uninstall all but one"
        )
    try:
        agent = found[0].load()(spec)
    except BROKEN as error:
        raise _broken(found[0], spec, f"{type(error).__name__}: {error}") from error
    lacking = [name for name in ("traits", "missing", "open") if not hasattr(agent, name)]
    if lacking:
        raise _broken(found[0], spec, f"what it makes has no `{lacking[0]}`")
    made: Agent = agent
    return made


def _broken(entry: EntryPoint, spec: AgentSpec, why: str) -> OrchestraError:
    return environment_error(
        f"the package {_package(entry)} cannot make agents of kind `{spec.kind}`",
        causes=(f"{entry.value}: {why}",),
        hint="mend or uninstall it, or name another agent",
    )


def _package(entry: EntryPoint) -> str:
    return (entry.dist.name if entry.dist is not None else "") or entry.value
