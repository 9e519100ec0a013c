"""What a look at the surroundings found: in order, worth knowing, or in the way of builds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestra.model.errors import OrchestraError


class Level(StrEnum):
    """How much a finding matters: a PROBLEM keeps builds, or some tasks, from going well."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found in an area (`git`, `agents`...), and what to do about it."""

    area: str
    level: Level
    message: str
    hint: str | None = None


def problem_of(area: str, error: OrchestraError) -> Finding:
    """What an error says, as a finding."""
    causes = "".join(f"; {cause}" for cause in error.causes)
    others = f" (and {len(error.others)} more)" if error.others else ""
    return Finding(area, Level.PROBLEM, f"{error}{causes}{others}", error.hint)
