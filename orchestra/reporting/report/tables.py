"""The tables of the page: tasks with all that is known of each, waiting, claims, cost, the build before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from orchestra.model.text import clean, count, duration, money, size
from orchestra.reporting.report.contents import Diff, Report
from orchestra.reporting.report.markup import Content, Markup, element
from orchestra.reporting.report.network import mood
from orchestra.reporting.report.numbers import CLAIMS, Comparison, waited
from orchestra.reporting.report.reasons import reasons_of
from orchestra.reporting.story import BAD, AttemptStory, Story, TaskStory
from orchestra.reporting.words import (
    listing,
    log_lines,
    one_line,
    outcome_words,
    path_words,
    pattern_words,
    short,
)

TAIL = 40
"""Lines of the end of a log that are shown."""

MOST = 50
"""Rows of the tables that are about what costs most."""


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Content]], caption: str, numbers: Sequence[int] = ()
) -> Markup:
    """A table that scrolls by itself where it is too wide; the columns `numbers` are set to the right."""
    side = dict.fromkeys(numbers, "number")
    head = element(
        "tr", [element("th", name, scope="col", class_=side.get(at)) for at, name in enumerate(heads)]
    )
    body = [
        element(
            "tr",
            [
                element("th", cell, scope="row") if at == 0 else element("td", cell, class_=side.get(at))
                for at, cell in enumerate(row)
            ],
        )
        for row in rows
    ]
    made = element("table", element("caption", caption), element("thead", head), element("tbody", body))
    return element("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)


def final_mark(final: str | None) -> Markup:
    """A final outcome as a word in its colour."""
    return element("span", outcome_words(final or "not told"), class_=f"mark {mood(final)}")


def tasks_part(report: Report) -> list[Markup]:
    """Every task: one line, which opens to all that is known of it. Those to be seen to come first, and are open."""
    story = report.story
    ordered = sorted(story.tasks, key=lambda task: task.final not in BAD)
    anchors = {task.name: f"task-{number}" for number, task in enumerate(story.tasks)}
    few = story.count(*BAD) <= 5
    return [
        _task(task, anchors[task.name], report.diffs.get(task.name), story.start, opened=few)
        for task in ordered
    ]


def _task(task: TaskStory, anchor: str, diff: Diff | None, start: float, *, opened: bool) -> Markup:
    bad = task.final in ("failed", "rejected", "interrupted")
    facts = [
        duration(task.seconds) if task.attempts else "",
        money(task.usd) if task.usd is not None else "",
        count(len(task.attempts), "attempt") if len(task.attempts) > 1 else "",
        count(len(task.paths), "file") if task.final == "landed" else "",
    ]
    head = element(
        "summary",
        final_mark(task.final),
        element("span", task.name, class_="name"),
        element("span", " · ".join(filter(None, facts)), class_="quiet"),
        element("span", one_line(task.why, 160), class_="why") if task.why and task.final in BAD else None,
    )
    body: list[Content] = [element("dl", _facts(task))]
    if task.attempts:
        body.append(_attempts(task.attempts, start))
    if bad or task.final is None:
        body.append(_tail(task))
    if diff is not None:
        body.append(_diff(diff))
    mood_class = "bad" if task.final in BAD else "good"
    return element("details", head, *body, id=anchor, class_=f"task {mood_class}", open=bad and opened)


def _facts(task: TaskStory) -> list[Markup]:
    rows: list[tuple[str, Content]] = []
    if task.title and task.title != task.name:
        rows.append(("about", task.title))
    if task.why:
        rows.append(("why", task.why))
    if task.hint:
        rows.append(("next", element("code", task.hint)))
    if task.reasons:
        rows.append(("it ran because", reasons_of(task.reasons)))
    if task.before:
        rows.append(("after", ", ".join(f"{edge.first} ({edge.kind})" for edge in task.before)))
    rows += _claims(task)
    if task.commit:
        verified = "verified" if task.verified else "merged, not verified"
        rows.append(("landed as", [element("code", short(task.commit)), f", {verified}"]))
    if task.paths:
        rows.append(("files" if task.final == "landed" else "in the way", listing(task.paths, 30)))
    if task.kept:
        rows.append(("its work is kept", element("code", task.kept)))
    if task.log:
        rows.append(("log", element("code", task.log)))
    files = [artifact for attempt in task.attempts[-1:] for artifact in attempt.artifacts]
    if files:
        words = [
            f"{path_words(file.path)} ({size(file.bytes)})" + (f": {file.problem}" if file.problem else "")
            for file in files
        ]
        rows.append(("artifacts", listing(words, 30)))
    return [element("div", element("dt", name), element("dd", value)) for name, value in rows]


def _claims(task: TaskStory) -> list[tuple[str, Content]]:
    rows: list[tuple[str, Content]] = []
    if task.exclusive:
        rows.append(("claims", "exclusive: it runs alone"))
    if task.write:
        rows.append(("writes", listing(map(pattern_words, task.write), 20)))
    if task.shared:
        rows.append(("shares", listing(map(pattern_words, task.shared), 20)))
    if task.read:
        rows.append(("reads", listing(map(pattern_words, task.read), 20)))
    if task.inferred:
        rows.append(("inferred", listing(map(pattern_words, task.inferred), 20)))
    return rows


def _attempts(attempts: Sequence[AttemptStory], start: float) -> Markup:
    """A line an attempt; what none of them told has no column."""
    columns: list[tuple[str, bool, list[str]]] = [
        ("no.", False, [str(attempt.number) for attempt in attempts]),
        ("agent", False, [attempt.agent for attempt in attempts]),
        ("began at", True, [duration(attempt.start - start) for attempt in attempts]),
        ("took", True, [duration(attempt.seconds) for attempt in attempts]),
        ("outcome", False, [outcome_words(attempt.outcome or "end not told") for attempt in attempts]),
        ("phases", False, [_phases(attempt) for attempt in attempts]),
        ("waited", False, [_waits(attempt) for attempt in attempts]),
    ]
    if any(attempt.usage.usd is not None for attempt in attempts):
        columns.append(("cost", True, [money(attempt.usage.usd) for attempt in attempts]))
    if any(attempt.usage.tokens is not None for attempt in attempts):
        columns.append(("tokens", True, [_tokens(attempt.usage.tokens) for attempt in attempts]))
    columns += [
        ("CPU", True, [f"{attempt.cpu_s:.1f} s" for attempt in attempts]),
        ("memory", True, [size(attempt.peak_bytes) for attempt in attempts]),
    ]
    heads = tuple(head for head, _, _ in columns)
    rows = list(zip(*(texts for _, _, texts in columns), strict=True))
    numbers = tuple(place for place, (_, number, _) in enumerate(columns) if number)
    return table(heads, rows, "Attempts", numbers=numbers)


def _phases(attempt: AttemptStory) -> str:
    return ", ".join(f"{phase.name} {duration(phase.seconds)}" for phase in attempt.phases)


def _waits(attempt: AttemptStory) -> str:
    told = (wait for wait in attempt.waits if wait.seconds >= 0.05)
    return ", ".join(_wait(wait.cause, wait.seconds, wait.task) for wait in told)


def _wait(cause: str, seconds: float, task: str | None) -> str:
    return f"{duration(seconds)} for {one_line(cause, 30)}" + (f" ({one_line(task, 40)})" if task else "")


def _tail(task: TaskStory) -> Markup | None:
    lines = log_lines(task.tail, TAIL)
    if not lines:
        return element("p", "Its log said nothing.", class_="quiet") if task.attempts else None
    return element("pre", "\n".join(lines), class_="log", tabindex="0", aria_label="the end of its log")


def _diff(diff: Diff) -> Markup:
    if diff.problem:
        return element("p", f"No diff: {diff.problem}.", class_="quiet")
    lines = [line + "\n" for line in clean(diff.text, newlines=True).splitlines()]
    # A run of lines of one kind is one element: a page of 500 diffs has to open at once.
    runs = [_run(kind, "".join(run)) for kind, run in groupby(lines, key=_kind)]
    more = element("p", "There is more; git shows it.", class_="quiet") if diff.cut else None
    body = element("pre", runs, class_="diff", tabindex="0", aria_label="what it changed")
    return element("details", element("summary", "diff"), body, more, class_="inner")


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "diff ")):
        return "file"
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "")


def _run(kind: str, text: str) -> Content:
    return element("span", text, class_=kind) if kind else text


def waiting_part(story: Story) -> Content:
    """What starts waited for, by cause."""
    found = [(cause, seconds) for cause, seconds in waited(story).items() if seconds >= 0.05]
    if not found:
        return element("p", "No start had to wait.", class_="quiet")
    return table(
        ("cause", "together"),
        [(cause, duration(seconds)) for cause, seconds in found],
        "Waiting by cause",
        (1,),
    )


def claims_part(story: Story) -> Content:
    """Whom claims kept waiting: the pairs that cost most."""
    pairs: dict[tuple[str, str, str], float] = {}
    for attempt in story.attempts:
        for wait in attempt.waits:
            if wait.cause in CLAIMS and wait.task is not None and wait.seconds >= 0.05:
                key = (attempt.task, wait.task, wait.cause)
                pairs[key] = pairs.get(key, 0.0) + wait.seconds
    if not pairs:
        return element("p", "No start had to wait because of a claim.", class_="quiet")
    writes = {task.name: (*(task.write or ()), *task.shared) for task in story.tasks}
    rows = [
        (task, first, cause, duration(seconds), listing(map(pattern_words, writes.get(first, ())), 4))
        for (task, first, cause), seconds in sorted(pairs.items(), key=lambda item: -item[1])[:MOST]
    ]
    heads = ("task", "waited for", "because", "so long", "which writes")
    return table(heads, rows, "Who waited for whose claim", (3,))


def cost_part(story: Story) -> Content:
    """What cost most, by agent and by task."""
    spent = [
        attempt
        for attempt in story.attempts
        if attempt.usage.usd is not None or attempt.usage.tokens is not None
    ]
    if not spent:
        return element("p", "No attempt told what it cost.", class_="quiet")
    silent = len(story.attempts) - len(spent)
    agents = sorted({attempt.agent for attempt in spent})
    by_agent = [
        (
            agent or "?",
            money(_sum(attempt.usage.usd for attempt in spent if attempt.agent == agent)),
            _tokens(_sum(attempt.usage.tokens for attempt in spent if attempt.agent == agent)),
        )
        for agent in agents
    ]
    by_task = sorted(story.tasks, key=lambda task: (-(task.usd or 0.0), -(task.tokens or 0)))
    rows = [
        (task.name, money(task.usd), _tokens(task.tokens), str(len(task.attempts)))
        for task in by_task[:MOST]
        if task.usd is not None or task.tokens is not None
    ]
    return [
        table(("agent", "USD", "tokens"), by_agent, "Cost by agent", (1, 2)),
        table(("task", "USD", "tokens", "attempts"), rows, "Cost by task", (1, 2, 3)),
        element("p", f"{count(silent, 'attempt')} told nothing of its cost.", class_="quiet")
        if silent
        else None,
    ]


def _sum(values: Iterable[float | int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _tokens(value: float | None) -> str:
    return "?" if value is None else f"{round(value):,}"


def comparison_part(comparison: Comparison) -> Content:
    """This build beside the one before."""
    figures = [
        (row.name, _figure(row.name, row.now), _figure(row.name, row.before), _delta(row.now, row.before))
        for row in comparison.figures
        if not (row.now is None and row.before is None)
    ]
    turned = [
        (row.task, final_mark(row.now), outcome_words(row.before or "not in it"))
        for row in comparison.turned[:MOST]
    ]
    slower = [
        (task, duration(now), duration(before), _delta(now, before))
        for task, now, before in comparison.slower[:10]
        if now - before > 1
    ]
    return [
        table(
            ("", "this build", "before", "change"), figures, f"Beside {clean(comparison.build)}", (1, 2, 3)
        ),
        table(("task", "now", "before"), turned, "Tasks that ended otherwise") if turned else None,
        table(("task", "now", "before", "change"), slower, "Tasks that took longer", (1, 2, 3))
        if slower
        else None,
    ]


def _figure(name: str, value: float | None) -> str:
    if name == "USD":
        return money(value)
    if value is None:
        return "?"
    return f"{value:,.0f}" if name in ("attempts", "tokens") else duration(value)


def _delta(now: float | None, before: float | None) -> str:
    if now is None or not before:
        return ""
    change = 100 * (now - before) / before
    return f"{change:+.0f} %" if abs(change) < 1000 else f"×{now / before:.1f}"


def day_and_time(moment: float) -> str:
    """A moment for a page that is read anywhere: date and time of day in UTC."""
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "?"
