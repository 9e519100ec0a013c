"""The report as Markdown, short enough for the comment of a pull request or a step's summary. Pure.

Foreign text stands in code spans, in which Markdown knows no markup, and in cells without `|`: it can neither mention
anybody nor link anywhere.
"""

from __future__ import annotations

from orchestra.model.text import clean, count, duration, money
from orchestra.reporting.report.contents import Report
from orchestra.reporting.report.numbers import Comparison, critical_path
from orchestra.reporting.report.page import verdict
from orchestra.reporting.report.tables import day_and_time
from orchestra.reporting.story import BAD, Story, TaskStory
from orchestra.reporting.words import branch_words, listing, log_lines, one_line, outcome_words, short

ROWS = 40
"""Tasks in the table: those that have to be seen to first."""

TOLD = 5
"""Tasks of which the end of the log is shown."""

LINES = 15
"""Lines of a log's end."""


def markdown(report: Report) -> str:
    """The whole text."""
    story = report.story
    parts = [_head(story), *_notices(story), _tasks(story), *_ends(story)]
    if report.tests:
        parts.append(_tests(report))
    if report.coverage is not None and report.coverage.share is not None:
        parts.append(f"Coverage: {100 * report.coverage.share:.1f} %")
    if report.comparison is not None:
        parts.append(_beside(report.comparison))
    return "\n\n".join(filter(None, parts)) + "\n"


def code(text: str, width: int = 120) -> str:
    """Foreign text as a code span in one line, also in a cell."""
    safe = one_line(text, width).replace("|", "¦").strip()
    if not safe:
        return ""
    longest = max((len(run) for run in _runs(safe)), default=0)
    fence = "`" * (longest + 1)
    space = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{space}{safe}{space}{fence}"


def _runs(text: str) -> list[str]:
    """The runs of backquotes in a text."""
    found, run = [], ""
    for character in text:
        if character == "`":
            run += character
        elif run:
            found.append(run)
            run = ""
    return [*found, run]


def _head(story: Story) -> str:
    sequential = sum(attempt.seconds for attempt in story.attempts)
    facts = [duration(story.seconds)]
    if story.attempts:
        facts.append(count(len(story.attempts), "attempt"))
    if story.seconds > 0 and sequential > 1.05 * story.seconds:
        facts.append(f"{sequential / story.seconds:.1f} times as fast as one after the other")
    if story.usd is not None:
        facts.append(_money(story.usd))
    if story.tokens is not None:
        facts.append(f"{story.tokens:,} tokens")
    where = f"on {code(branch_words(story.branch))}" if story.branch else "on a detached HEAD"
    state = "" if story.state == "finished" else f" **{story.state}**"
    what = f"Build {code(story.build)} {where} at {code(short(story.base))}, {day_and_time(story.start)}."
    path = critical_path(story)
    chain = (
        f"\nCritical path: {' → '.join(code(attempt.task, 40) for attempt in path[-8:])}"
        if len(path) > 1
        else ""
    )
    return f"## orchestra: {verdict(story)}{state}\n\n{what}  \n{' · '.join(facts)}{chain}"


def _money(usd: float) -> str:
    # `<$0.01` could begin a tag.
    return money(usd).replace("<", "&lt;")


def _notices(story: Story) -> list[str]:
    told = [
        f"- {code(told.words, 300)}" + (f": {code(told.hint, 200)}" if told.hint else "")
        for told in story.notices
    ]
    return ["\n".join(told[:10])] if told else []


def _tasks(story: Story) -> str:
    ran = [task for task in story.tasks if task.final not in ("fresh", "reverted")]
    ordered = sorted(ran, key=lambda task: task.final not in BAD)
    if not ordered:
        return f"{count(len(story.tasks), 'task')}, all fresh."
    paid = story.usd is not None
    rows = [
        f"| task | outcome | time |{' cost |' if paid else ''} |",
        f"| --- | --- | ---: |{' ---: |' if paid else ''} --- |",
    ]
    for task in ordered[:ROWS]:
        usd = f" {_money(task.usd) if task.usd is not None else ''} |" if paid else ""
        time = duration(task.seconds) if task.attempts else ""
        rows.append(f"| {code(task.name, 60)} | {_final(task)} | {time} |{usd} {_what(task)} |")
    if len(ordered) > ROWS:
        rows.append(f"\n{count(len(ordered) - ROWS, 'more task')}.")
    fresh = len(story.tasks) - len(ordered)
    return "\n".join(rows) + (f"\n\n{count(fresh, 'task')} fresh." if fresh else "")


def _final(task: TaskStory) -> str:
    final = outcome_words(clean(task.final or "not told"))
    return f"**{final}**" if task.final in BAD else final


def _what(task: TaskStory) -> str:
    if task.final == "landed":
        return f"{count(len(task.paths), 'file')}: {code(listing(task.paths, 3))}" if task.paths else ""
    return code(task.why)


def _ends(story: Story) -> list[str]:
    """The end of the logs of what failed."""
    found = []
    for task in [task for task in story.tasks if task.final in ("failed", "rejected")][:TOLD]:
        lines = log_lines(task.tail, LINES)
        if lines:
            # Indented, since no fence is longer than whatever may stand in a log.
            body = "\n".join(f"    {line}" for line in lines)
            found.append(f"The end of the log of {code(task.name, 60)}:\n\n{body}")
    return found


def _tests(report: Report) -> str:
    counted = {
        state: sum(file.count(state) for file in report.tests)
        for state in ("passed", "failed", "error", "skipped")
    }
    told = ", ".join(f"{number:,} {state}" for state, number in counted.items() if number)
    bad = [
        f"- {code(file.task, 40)} {code(f'{case.classname} {case.name}')}"
        for file in report.tests
        for case in file.cases
        if case.state in ("failed", "error")
    ]
    unread = [
        f"- {code(file.task, 40)} {code(file.path)}: {code(file.problem)}"
        for file in report.tests
        if file.problem
    ]
    listed = [*bad[:10], *unread[:5]]
    return "\n".join([f"Tests: {told or 'none'}", *(["", *listed] if listed else [])])


def _beside(comparison: Comparison) -> str:
    words = []
    for row in comparison.figures:
        if row.now is None or not row.before:
            continue
        words.append(f"{row.name} {100 * (row.now - row.before) / row.before:+.0f} %")
    return f"Beside {code(comparison.build)}: {', '.join(words)}" if words else ""
