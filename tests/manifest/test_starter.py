"""The first manifest: whatever was found, it loads, and says what was found."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.manifest.load import load
from orchestra.manifest.starter import Starter, starter_text

COMMANDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
NAMES = st.from_regex(re.compile(r"[a-z][a-z0-9-]{0,8}"), fullmatch=True)


@settings(deadline=None)
@given(
    st.builds(
        Starter,
        verify=st.none() | COMMANDS,
        why=st.just("a file"),
        others=st.lists(COMMANDS, max_size=2).map(tuple),
        setup=st.none() | COMMANDS,
        setup_inputs=st.just(("uv.lock",)),
        keep=st.just((".venv",)),
        agent=st.sampled_from([None, "claude-code"]),
        subagents=st.lists(NAMES, max_size=2).map(tuple),
        tasks=st.just(("do",)),
    )
)
def test_it_loads_and_says_what_was_found(starter: Starter) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "prompts").mkdir()
        (root / "prompts" / "do.md").write_text("# Do it\n")
        (root / "orchestra.yaml").write_text(starter_text(starter), "utf-8")
        loaded = load(root)
    assert loaded.integrate.verify == starter.verify
    assert loaded.worktrees.setup == starter.setup
    assert [task.name for task in loaded.tasks] == ["do"]
    assert (loaded.tasks[0].agent is None) == (starter.agent is None)


def test_what_is_commented_out_is_valid_too(tmp_path: Path) -> None:
    """Who takes a comment's mark away gets a manifest that loads."""
    text = starter_text(Starter(agent="claude-code", subagents=("manager",)))
    lines = [re.sub(r"^( *)# (?=( |\w+:))", r"\1", line) for line in text.splitlines()]
    shown = "\n".join(line for line in lines if not re.match(r"\w+ \w+|\w+'|A file", line))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "fix-parser.md").write_text("# Fix it\n")
    (tmp_path / "orchestra.yaml").write_text(shown)
    loaded = load(tmp_path)
    assert [task.name for task in loaded.tasks] == ["fix-parser", "changelog"]
    assert loaded.limits.usd == 20 and loaded.limits.jobs == 4
    assert loaded.worktrees.copy == (".env",)
    assert loaded.integrate.verify == "pytest -q"
    assert loaded.agents["manager"].args == ("--agent", "manager")
