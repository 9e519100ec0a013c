"""A use of a tool as an event, for agents that tell a tool's name and what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from orchestra.agents.foreign import as_list, as_object, as_text
from orchestra.agents.shell_reads import files_read
from orchestra.agents.words import one_line
from orchestra.model.agents import AgentEvent

Access = Literal["", "read", "write"]

LONGEST_PATH = 4096

_PATHS = ("file_path", "filePath", "absolute_path", "path", "notebook_path", "dir_path")
_MANY = ("paths", "files", "include")
_SUMMARIES = ("command", "pattern", "query", "url", "description")


def tool_used(name: object, given: object, access: Mapping[str, Access]) -> AgentEvent:
    """The event for a tool that was called with the object `given`; `access` tells what the tools that name paths do
    with them, by name.
    """
    values, called = as_object(given), one_line(as_text(name), 80)
    paths = [as_text(values.get(key)) for key in _PATHS]
    paths += [as_text(each) for key in _MANY for each in as_list(values.get(key))]
    summary = next(filter(None, (as_text(values.get(key)) for key in _SUMMARIES)), "")
    shown = tuple(dict.fromkeys(one_line(path, LONGEST_PATH) for path in paths if path))
    command = as_text(values.get("command"))
    if command and not shown:
        return command_run(command, called)
    return AgentEvent(
        "tool", one_line(summary), name=called, paths=shown, access=access.get(called, "") if shown else ""
    )


def command_run(command: str, name: str) -> AgentEvent:
    """The event for a shell command, with the files that it plainly reads."""
    paths = tuple(one_line(path, LONGEST_PATH) for path in files_read(command))
    return AgentEvent("tool", one_line(command), name=name, paths=paths, access="read" if paths else "")


def about(event: AgentEvent) -> str:
    """A use of a tool in a few words, to name it among what was denied."""
    words = event.text or ", ".join(event.paths)
    return f"{event.name} ({one_line(words, 80)})" if words else event.name or "a tool"
