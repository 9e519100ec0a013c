"""Secrets that agents and commands print: in no log, event, record or message is one to be found again."""

from __future__ import annotations

import sqlite3

import pytest

from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow

# One that the manifest passes by name, one whose name says what it is.
SECRETS = {"DEPLOY": "hunter2-hunter2", "SERVICE_TOKEN": "tok-0123456789abcdef"}
SAY = 'echo "out $DEPLOY $SERVICE_TOKEN"; echo "err $DEPLOY" >&2; echo "last $SERVICE_TOKEN"'

MANIFEST = """\
version: 1
worktrees: {setup: 'echo "setup $DEPLOY"'}
integrate: {verify: 'echo "verify $SERVICE_TOKEN"; test ! -e bad.txt'}
tasks:
  good: {run: 'SAY; echo x > good.txt', env: [DEPLOY]}
  red: {run: 'SAY; echo x > bad.txt'}
  checked: {run: 'echo x > checked.txt', check: 'SAY; false'}
  failed: {run: 'SAY; exit 1'}
"""


def everything(scratch: Scratch) -> bytes:
    """All that a build wrote into its state folder, and all messages of commits."""
    state = scratch.root / ".git" / "orchestra"
    with sqlite3.connect(state / "history.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    messages = scratch.git("log", "--all", "--format=%B")
    files = [path for path in state.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".log", ".jsonl", ".db"}
    return b"\n".join([dump.encode(), messages.encode(), *(path.read_bytes() for path in files)])


@pytest.mark.parametrize("options", [["--json"], ["-v"]])
def test_a_secret_shows_nowhere(scratch: Scratch, options: list[str]) -> None:
    scratch.write("orchestra.yaml", MANIFEST.replace("SAY", SAY))
    scratch.commit()
    scratch.env |= SECRETS
    called = scratch.orchestra("build", *options)
    assert called.status == 1
    kept = everything(scratch)
    shown = (called.stdout + called.stderr).encode()
    # They were said, and what stands around them is there.
    for words in (b"out *** ***", b"err ***", b"last ***", b"setup ***", b"verify ***"):
        assert words in kept, words
    assert b"last ***" in shown
    assert scratch.git("log", "-1", "--format=%b").startswith("last ***")
    for value in SECRETS.values():
        assert value.encode() not in kept
        assert value.encode() not in shown
        assert value not in scratch.orchestra("logs", "failed").stdout


def test_what_is_no_secret_is_shown(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", f"version: 1\ntasks:\n  good: {{run: '{SAY}', env: [DEPLOY]}}\n")
    scratch.commit()
    scratch.env |= {"DEPLOY": "true", "SERVICE_TOKEN": "local"}
    assert scratch.orchestra("build", "--json").status == 0
    assert b"out true local" in everything(scratch)
