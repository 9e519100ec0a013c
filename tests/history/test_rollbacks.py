"""Rollbacks in the history: written, read again, and shown among the builds."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.history.database import open_for_reading, open_history
from orchestra.history.forms import builds_to_json
from orchestra.history.render import render_builds
from orchestra.history.rollbacks import RollbackRecord, read_rollbacks, record_rollback

names = st.lists(st.text(st.characters(), max_size=8), max_size=3).map(tuple)
records = st.builds(
    RollbackRecord,
    st.floats(0, 4e9, allow_nan=False),
    st.text(max_size=5),
    st.text(max_size=5),
    st.text(max_size=5),
    names,
    names,
    st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(made=st.lists(records, max_size=4))
def test_what_is_written_is_read_again_newest_first(made: list[RollbackRecord], tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.unlink(missing_ok=True)
    for one in made:
        assert record_rollback(path, one) is None
    open_history(path).close()
    history = open_for_reading(path)
    assert history is not None
    with history:
        expected = tuple(sorted(made, key=lambda one: one.time)[::-1])
        assert read_rollbacks(history) == expected
        assert read_rollbacks(history, limit=1) == expected[:1]
        assert read_rollbacks(history, limit=None) == expected


def test_that_nothing_can_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "history.db").mkdir()
    told = record_rollback(tmp_path / "history.db", RollbackRecord(1.0, "b", "o", "n", (), (), True))
    assert told is not None and "it is not recorded" in told


def test_they_stand_among_the_builds() -> None:
    taken = RollbackRecord(0.0, "refs/heads/main", "o" * 40, "abc1234" + "0" * 33, ("a", "b"), (), True)
    own = RollbackRecord(60.0, "refs/heads/main", "o" * 40, "def5678" + "0" * 33, ("a",), ("1", "2"), False)
    assert render_builds((), (own, taken), now=3600.0, zone=UTC) == (
        f"BUILD     WHEN         {'OUTCOME':<70}TIME\n"
        "rollback  today 00:01  a and 2 commits of yours taken back by def5678 on main, not verified\n"
        "rollback  today 00:00  a, b taken back by abc1234 on main"
    )
    assert builds_to_json((), (own,))["rollbacks"] == [
        {
            "time": 60.0,
            "branch": "refs/heads/main",
            "old": "o" * 40,
            "new": "def5678" + "0" * 33,
            "tasks": ["a"],
            "commits": ["1", "2"],
            "verified": False,
        }
    ]
