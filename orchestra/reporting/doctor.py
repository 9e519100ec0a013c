"""Findings of a checkup as text and as JSON (`schema/doctor.schema.json`). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestra.model.findings import Finding, Level
from orchestra.reporting.words import Style, count, one_line, paint

VERSION = 1
"""The version of the JSON form."""

_STYLES = {Level.OK: Style.GOOD, Level.NOTE: Style.WARN, Level.PROBLEM: Style.BAD}
_LEVEL_WIDTH = max(len(level) for level in Level)


def doctor_text(findings: Sequence[Finding], color: bool = False) -> str:
    """Every finding with its remedy, and whether anything is in the way; no newline at the end."""
    width = max((len(found.area) for found in findings), default=0)
    lines: list[str] = []
    for found in findings:
        level = paint(found.level.value.ljust(_LEVEL_WIDTH), _STYLES[found.level], color)
        lines.append(f"{level}  {found.area.ljust(width)}  {one_line(found.message)}")
        if found.hint and found.level is not Level.OK:
            lines.append(f"{' ' * (_LEVEL_WIDTH + width + 4)}→ {one_line(found.hint)}")
    number = Counter(found.level for found in findings)
    problems, notes = number[Level.PROBLEM], number[Level.NOTE]
    summary = count(problems, "problem") if problems else "nothing is in the way of a build"
    beside = f", {count(notes, 'note')}" if notes else ""
    lines.append(f"{summary}{beside}")
    return "\n".join(lines)


def doctor_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as `schema/doctor.schema.json` says."""
    return {
        "version": VERSION,
        "ok": all(found.level is not Level.PROBLEM for found in findings),
        "findings": [
            {"area": found.area, "level": found.level.value, "message": found.message, "hint": found.hint}
            for found in findings
        ],
    }
