"""What a person reads before they are asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.freshness import Reason, ReasonKind
from orchestra.model.tasks import Limits
from orchestra.reporting.outlook import Action, Outlook, Prospect
from orchestra.reporting.question import Adopted, Expected, adopt_text, agent_words, paid_text

from .samples import graph, raw_characters, task, texts

NEVER = (Reason(ReasonKind.NEVER_BUILT),)
GRAPH = graph(task("alpha", 0), task("beta", 1), task("gamma", 2))
OUTLOOK = Outlook(
    "c0",
    "main",
    4,
    (
        Prospect("alpha", Action.RUN, 1, NEVER),
        Prospect("beta", Action.MAYBE, 2, depends=("alpha",)),
        Prospect("gamma", Action.FRESH),
    ),
)
AGENTS = {"alpha": "claude (claude-code, sonnet)", "beta": "script"}


def shown(limits: Limits, expected: Expected, news: tuple[str, ...] = ("codex is new here",)) -> list[str]:
    return paid_text(OUTLOOK, GRAPH, AGENTS, limits, expected, news).splitlines()


def test_tasks_agents_limits_and_estimate() -> None:
    expected = Expected(2, (60.0, 600.0), 0, (1.5, 4.0), 1)
    assert shown(Limits(usd=20, usd_per_day=50, tokens=5_000_000), expected) == [
        "1 of 3 tasks would run, up to 4 at once; 1 more may; 1 is fresh",
        "  1  alpha  claude (claude-code, sonnet)  never built",
        "  2  beta   script                        only if alpha changes its output",
        "",
        "limits    4 attempts at once; $20.00 for this build; $50.00 a day; 5,000,000 tokens",
        "estimate  time 1 min 00 s to 10 min 00 s; cost at least $1.50 to $4.00 (p50 to p90 of earlier attempts)",
        "          nothing is known yet of 1 of 2 tasks",
        "asked     codex is new here",
        "          once in this repository; --yes asks nothing",
    ]


def test_what_is_not_known_is_not_made_up() -> None:
    lines = shown(Limits(), Expected(2, None, 2, None, 1))
    assert "estimate  not known yet" in lines
    assert "limits    4 attempts at once; no limit in USD for this build; no limit a day" in lines
    # What asks nobody costs nothing: that is known.
    lines = shown(Limits(), Expected(2, (5.0, 5.0), 0, None, 1))
    assert "estimate  time 5.0 s; cost not known yet (p50 to p90 of earlier attempts)" in lines


def test_of_many_tasks_the_agents_are_counted() -> None:
    names = [f"t{number}" for number in range(100)]
    many = Outlook("c0", "main", 4, tuple(Prospect(name, Action.RUN, 1, NEVER) for name in names))
    agents = {name: "codex" if name == "t7" else "claude" for name in names}
    text = paid_text(
        many, graph(*(task(name, n) for n, name in enumerate(names))), agents, Limits(), Expected(100), ()
    )
    lines = text.splitlines()
    assert len(lines) < 12
    assert "agents    claude: 99 tasks" in lines and "          codex: 1 task" in lines


def test_an_agent_in_short() -> None:
    assert agent_words("claude", "claude-code", "sonnet") == "claude (claude-code, sonnet)"
    assert agent_words("codex", "codex", None) == "codex"
    assert agent_words("codex", "codex", "o9") == "codex (o9)"


def test_adopting_names_the_files() -> None:
    text = adopt_text(
        (
            Adopted("alpha", (Reason(ReasonKind.PROMPT_CHANGED),), (("a", True), ("b", False)), False),
            Adopted("beta", NEVER, (), False),
            Adopted("gamma", NEVER, (), True),
        ),
        "refs/heads/main",
    )
    assert text.splitlines()[:4] == [
        "3 tasks would be recorded as fresh, as files stand on main:",
        "  alpha  a, b (gone)  (prompt changed)",
        "  beta   no files: it has landed none here  (never built)",
        "  gamma  counts as passed  (not passed as it is now)",
    ]
    many = tuple(Adopted(f"t{number}", NEVER, (), False) for number in range(100))
    assert "  … and 70 more: orchestra build --adopt --dry-run --json" in adopt_text(many, None).splitlines()


@given(texts(), st.integers(20, 120))
def test_no_foreign_text_reaches_the_terminal_raw(foreign: str, width: int) -> None:
    text = paid_text(
        Outlook("c0", foreign, 1, (Prospect(foreign, Action.RUN, 1, NEVER),)),
        GRAPH,
        {foreign: agent_words(foreign, foreign, foreign)},
        Limits(),
        Expected(1),
        (),
        width=width,
    )
    text += adopt_text((Adopted(foreign, NEVER, ((foreign, True),), False),), foreign, width=width)
    assert not raw_characters(text, False)
