"""The log of GitHub Actions: groups, annotations, and that nothing foreign is a command there."""

from __future__ import annotations

import re
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.agents import AgentEvent
from orchestra.model.errors import Place
from orchestra.model.events import AgentDid, Event, TaskFailed
from orchestra.model.outcomes import Outcome
from orchestra.reporting.github import KEPT, GitHubLines, annotation, harmless
from orchestra.reporting.lines import NORMAL, QUIET, VERBOSE

from .samples import histories, raw_characters, texts, unhurried
from .stories import START, STORY, B, T, began

SOURCES = {"hang": Place("prompts/hang.md"), "breaker": Place("orchestra.yaml", 12, 3)}


def read(events: list[Event] | tuple[Event, ...], verbosity: int = NORMAL) -> str:
    written: list[str] = []
    lines = GitHubLines(written.append, SOURCES, verbosity=verbosity, zone=UTC)
    for event in events:
        lines.notify(event)
    return "".join(written)


def test_each_task_that_ended_is_a_group_and_a_failure_an_annotation() -> None:
    text = read(STORY)
    assert (
        "::group::[00:02] landed    alpha    2.1 s  2 files  → 1a2b3c4\n"
        "  [00:00] start     alpha    never built  (script)\n"
        "  [00:00] slot      alpha    slot 1, log: builds/b1/alpha-1.log\n"
        "  [00:00] phase     alpha    agent\n"
        "  [00:00] agent     alpha    Edit src/a.py\n"
        "  [00:00] agent     alpha    says: Done.\n"
        "  [00:02] ended     alpha    success  2.1 s\n"
        "  changed src/a.py\n"
        "  changed tests/test_a.py\n"
        "::endgroup::\n"
    ) in text
    assert (
        "  | E   assert 1 == 2\n  | 1 failed\n::endgroup::\n"
        "::error file=orchestra.yaml,line=12,title=breaker was rejected::"
        "`pytest -q` fails with it%0AE   assert 1 == 2%0A1 failed\n"
    ) in text
    assert "::error file=prompts/hang.md,title=hang failed::no end after 60 s%0Awaiting...\n" in text
    assert text.count("::group::") == text.count("::endgroup::") == 6


def test_what_runs_is_told_as_it_starts_and_the_header_stands_outside_of_groups() -> None:
    lines = read(STORY).splitlines()
    assert lines[1] == "building 12 tasks, up to 4 at once, on main at 0a1b2c3"
    assert "[00:00] start     alpha    never built  (script)" in lines


def test_the_first_task_s_group_is_without_the_header() -> None:
    text = read([START, began("alpha", 0), TaskFailed(T, B, "alpha", "a1", Outcome.FAILED, "no")])
    assert text.startswith("building 12 tasks") and text.count("building 12 tasks") == 1


def test_a_group_holds_the_last_of_what_happened_and_no_more() -> None:
    says = [
        AgentDid(T, B, "alpha", "alpha-1", AgentEvent("text", f"word {number}"))
        for number in range(KEPT + 50)
    ]
    text = read([START, began("alpha", 0), *says, TaskFailed(T, B, "alpha", "alpha-1", Outcome.FAILED, "no")])
    group = text[text.index("::group::") : text.index("::endgroup::")].splitlines()[1:]
    assert len(group) == KEPT and group[-1].endswith(f"word {KEPT + 49}") and "word 49" not in "".join(group)


def test_a_group_tells_of_its_own_build_only() -> None:
    cut = AgentDid(T, B, "alpha", "alpha-1", AgentEvent("text", "of the build before"))
    failed = TaskFailed(T, B, "alpha", "alpha-1", Outcome.FAILED, "no")
    text = read([START, began("alpha", 0), cut, STORY[-1], START, began("alpha", 0), failed])
    group = text[text.index("::group::") : text.index("::endgroup::")].splitlines()
    assert len(group) == 2 and "start" in group[1]


def test_quiet_and_verbose_have_annotations_and_no_groups() -> None:
    for verbosity in (QUIET, VERBOSE):
        text = read(STORY, verbosity)
        assert "::group::" not in text and text.count("::error ") == 2


def test_escapes_are_those_of_github() -> None:
    assert annotation("a:b,c%", "50%\nso\r\nit is", Place("a,b:c.md", 3)) == (
        "::error file=a%2Cb%3Ac.md,line=3,title=a%3Ab%2Cc%25::50%25%0Aso%0Ait is\n"
    )
    assert harmless("::error::x\n  ::stop-commands::x\na ##[error]x ::y\n") == (
        ": :error::x\n  : :stop-commands::x\na # #[error]x ::y\n"
    )


_OURS = re.compile(r"::(group::|endgroup::$|error (file=[^:,]*,)?(line=\d+,)?title=[^:,]*::)")


@unhurried
@given(histories(), st.sampled_from([QUIET, NORMAL, VERBOSE]))
def test_whatever_happens_only_our_commands_are_commands(events: list[Event], verbosity: int) -> None:
    text = read(events, verbosity)
    assert not raw_characters(text, color=False)
    opened = 0
    for line in text.splitlines():
        assert "##[" not in line
        if line.lstrip().startswith("::"):
            assert _OURS.match(line), line
            opened += line.startswith("::group::") - (line == "::endgroup::")
            assert opened in (0, 1), "groups cannot be nested"
    assert opened == 0


@unhurried
@given(texts(), texts())
def test_what_failed_and_why_cannot_break_out(task: str, why: str) -> None:
    foreign = f"{why}::error::x\n::set-output name=x::y"
    failed = TaskFailed(T, B, task, "a1", Outcome.FAILED, foreign, ("::add-mask::e", foreign, "##[debug]"))
    for line in read([START, began(task, 0), failed]).splitlines():
        assert not line.lstrip().startswith("::") or _OURS.match(line), line
        assert "##[" not in line
