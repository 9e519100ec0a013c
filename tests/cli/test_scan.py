"""`orchestra scan`: from what prompts say to claims that a person declares, and nothing changed on the way."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.scratch import Scratch


def claims(scratch: Scratch) -> dict[str, Any]:
    called = scratch.orchestra("scan", "--json")
    assert called.status == 0, called.stderr
    return {
        task["task"]: (task["declared"], {(one["access"], one["pattern"]) for one in task["claims"]})
        for task in json.loads(called.stdout)["tasks"]
    }


def test_what_was_found_can_be_declared(scratch: Scratch) -> None:
    scratch.write("src/a.py", "")
    scratch.write("prompts/one.md", "# One\n\nChange `src/a.py` like `docs/x y.md`.\n")
    scratch.write("prompts/yes.md", "# Two\n\nCreate `src/é.py`.\n")
    scratch.prompt("three", "true", claims={"write": ["b"]})
    scratch.write("docs/x y.md", "")
    scratch.commit()
    before = scratch.everything()
    found = claims(scratch)
    assert found["one"][0] is False and ("write", "src/a.py") in found["one"][1]
    assert found["yes"][1] == {("write", "src/é.py")} and found["three"] == (True, {("write", "b")})
    shown = scratch.orchestra("scan", "one").stdout
    assert "prompts/one.md:3: `src/a.py`" in shown and "three" not in shown
    text = scratch.orchestra("scan", "--yaml").stdout
    assert scratch.everything() == before
    scratch.write("orchestra.yaml", f"version: 1\n{text}")
    declared = claims(scratch)
    assert {name: (True, what) for name, (_, what) in found.items()} == declared
    assert scratch.orchestra("scan", "--yaml").stdout == "# Every task declares its claims already.\n"


def test_wrong_usage(scratch: Scratch) -> None:
    scratch.prompt("one", "true")
    assert scratch.orchestra("scan", "--json", "--yaml").status == 2
    assert "did you mean `one`" in scratch.orchestra("scan", "ones").stderr
