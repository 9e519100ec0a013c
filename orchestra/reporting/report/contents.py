"""All that a report shows of one build, as values: the story, and what was found beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestra.reporting.report.numbers import Comparison
from orchestra.reporting.story import Story


@dataclass(frozen=True, slots=True)
class Diff:
    """What a task changed, as git shows it, bounded. `cut`: there is more. `problem` says why there is none."""

    text: str = ""
    cut: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One test of a JUnit file: `state` is passed, failed, error or skipped; `words` what it said."""

    suite: str
    classname: str
    name: str
    seconds: float
    state: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class JUnitFile:
    """A JUnit file that a task left, read; `problem` says why it could not be."""

    task: str
    path: str
    cases: tuple[JUnitCase, ...] = ()
    problem: str = ""

    def count(self, state: str) -> int:
        """How many of its tests ended so."""
        return sum(case.state == state for case in self.cases)


@dataclass(frozen=True, slots=True)
class Covered:
    """One source file: how many statements it has, and how many of them ran."""

    path: str
    statements: int
    ran: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage data of all tasks, combined. `note` says what stands in the way, or from where it comes."""

    files: tuple[Covered, ...] = ()
    note: str = ""

    @property
    def share(self) -> float | None:
        """The share of all statements that ran, 0 to 1; None where there are none."""
        statements = sum(file.statements for file in self.files)
        return sum(file.ran for file in self.files) / statements if statements else None


@dataclass(frozen=True, slots=True)
class Report:
    """A build's story with all that belongs to it. `made_at` is in seconds since the epoch."""

    story: Story
    made_at: float
    version: str
    comparison: Comparison | None = None
    diffs: Mapping[str, Diff] = field(default_factory=dict)
    tests: tuple[JUnitFile, ...] = ()
    coverage: Coverage | None = None
