"""What `orchestra clean` says, in words and as JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestra.cli.clean import command
from orchestra.integration.cleaning import ONLY_NAMED, Kind
from orchestra.manifest.schema import schema_text
from orchestra.reporting.clean import ASKED, IN_GIT, Cleaning, Row, clean_json, clean_text, done_text

NOW = 100 * 86_400.0
SCHEMA = Draft202012Validator(json.loads(schema_text("clean.schema.json")))
ROWS = st.builds(
    Row,
    st.sampled_from([kind.value for kind in Kind]),
    st.text(),
    st.floats(0, NOW),
    st.one_of(st.none(), st.integers(0, 2**40)),
    st.sampled_from(["", "somebody needs it", "\x1b[31mred"]),
    st.booleans(),
)
CLEANINGS = st.builds(
    Cleaning,
    st.lists(ROWS, max_size=8).map(tuple),
    st.frozensets(st.sampled_from([kind.value for kind in Kind]), max_size=2),
    st.booleans(),
    st.lists(st.text(), max_size=2).map(tuple),
    st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
)


@given(CLEANINGS)
def test_json_is_as_its_schema_says_and_sums_up(cleaning: Cleaning) -> None:
    said = clean_json(cleaning)
    SCHEMA.validate(said)
    assert sum(kind[key]["count"] for kind in said["kinds"] for key in ("goes", "stays")) == len(
        cleaning.rows
    )
    assert sum(kind["goes"]["bytes"] or 0 for kind in said["kinds"]) == sum(
        row.bytes or 0 for row in cleaning.rows if row.goes
    )


@given(CLEANINGS, st.booleans())
def test_nothing_foreign_reaches_the_terminal(cleaning: Cleaning, verbose: bool) -> None:
    for text in (clean_text(cleaning, NOW, verbose=verbose), done_text(cleaning)):
        assert "\x1b" not in text and all(c == "\n" or c.isprintable() or c >= " " for c in text)


def test_the_table_tells_what_goes_and_what_stays() -> None:
    rows = (
        Row("slots", "/s/slot-1", NOW - 41 * 86_400, 3 * 2**30, "", True),
        Row("slots", "/s/slot-2", NOW - 60, 2**30, "", False),
        Row("results", "refs/r", NOW - 90 * 86_400, 2**20, "", True),
        Row("rejected", "refs/x", NOW - 90 * 86_400, None, "the newest rejection of a", False),
        Row("entries", ".orchestra/lock/b.json", NOW, 443, "", False),
        Row("orphans", "/s/one", NOW, 1024, "", False),
        Row("orphans", "/s/two", NOW, 1024, "", False),
    )
    assert clean_text(Cleaning(rows), NOW) == "\n".join(
        [
            "          goes     size   oldest     stays     size",
            "slots        1  3.0 GiB  41 days         1  1.0 GiB",
            "results      1  1.0 MiB  90 days         -        -",
            "rejected     -        -        -         1        ?",
            "in all       2  3.0 GiB  90 days         2  1.0 GiB",
            "",
            "1.0 MiB of that are git's: its next `git gc` frees them.",
            "Needed, however old: 1 thing (the newest rejection of a).",
            "1 lock entry of tasks that left the manifest, 443 bytes; only when named: orchestra clean entries",
            "2 folders of worktrees of repositories that are gone, 2.0 KiB; only when named: orchestra clean orphans",
        ]
    )
    verbose = clean_text(Cleaning(rows), NOW, verbose=True)
    assert "goes   slots     /s/slot-1  3.0 GiB, 41 days old\n" in verbose
    assert "stays  rejected  refs/x  ?, 90 days old: the newest rejection of a\n" in verbose
    assert clean_text(Cleaning(()), NOW) == "Nothing to clean."
    assert clean_text(Cleaning(rows[1:2]), NOW).endswith("\nNothing goes.")
    assert "only when named" not in clean_text(Cleaning(rows[-1:], frozenset({"orphans"})), NOW)


def test_what_was_done_is_told_with_what_was_kept_and_what_stays() -> None:
    rows = (Row("logs", "/b/1", 0.0, 2048, "", True), Row("logs", "/b/2", 0.0, 2048, "", False))
    done = Cleaning(
        rows, done=True, rescued=("refs/orchestra/rescued/b-1",), problems=(("/b/2", "Permission denied"),)
    )
    assert done_text(done).split("\n") == [
        "kept refs/orchestra/rescued/b-1, since nothing else holds it",
        "left /b/2: Permission denied",
        "1 thing gone, 2.0 KiB.",
    ]


def test_kinds_are_called_alike_everywhere() -> None:
    kinds = [kind.value for kind in Kind]
    assert json.loads(schema_text("clean.schema.json"))["$defs"]["kind"]["enum"] == kinds
    assert tuple(ASKED) == tuple(kind.value for kind in ONLY_NAMED)
    assert set(IN_GIT) <= set(kinds)
    assert all(f" {kind}" in (command.help or "") for kind in kinds)
