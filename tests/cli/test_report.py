"""`orchestra report`, `build --trace` and `artifacts` as whole commands."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.scratch import Scratch
from tests.reporting.samples import validator

pytestmark = pytest.mark.slow

JUNIT = """<testsuite name="s">
<testcase name="good"/><testcase name="bad"><failure>no &lt;b&gt;</failure></testcase>
</testsuite>"""


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A repository with a task that lands, one that needs it, and one that fails."""
    scratch = Scratch(tmp_path)
    scratch.write("kit.xml", JUNIT)
    scratch.write(
        "orchestra.yaml",
        """version: 1
tasks:
  make:
    run: mkdir out; cp kit.xml out/junit.xml; echo '<script>' > a.txt
    claims: {write: [a.txt]}
    artifacts: [out]
  then: {run: "cat a.txt a.txt > b.txt", needs: [make], claims: {write: [b.txt], read: [a.txt]}}
  fails: {run: "echo 'so <b>sad</b>'; exit 3", claims: {write: [c.txt]}}
""",
    )
    scratch.commit()
    return scratch


def state(scratch: Scratch) -> Path:
    """The state folder."""
    return scratch.root / ".git" / "orchestra"


def test_a_build_is_told_in_every_form(scratch: Scratch, tmp_path: Path) -> None:
    built = scratch.orchestra("build", "--json", "--trace", "t.json")
    assert built.status == 1, built.stderr
    build = built.finished["build"]
    # What nobody claims did not stand in the way of landing, and is no part of it.
    assert scratch.git("ls-tree", "-r", "--name-only", "HEAD").split() == [
        ".orchestra/lock/make.json",
        ".orchestra/lock/then.json",
        *("a.txt", "b.txt", "kit.xml", "orchestra.yaml"),
    ]
    assert (state(scratch) / "builds" / build / "artifacts" / "make" / "out" / "junit.xml").is_file()
    page = scratch.orchestra("report")
    path = Path(page.stdout.strip())
    assert (page.status, path) == (0, state(scratch) / "reports" / f"{build}.html")
    text = path.read_text()
    assert "&lt;script&gt;" in text and "<script" not in text and "so &lt;b&gt;sad" in text
    assert scratch.git("status", "--porcelain") == "?? t.json"
    told = json.loads(scratch.orchestra("report", build[:-2], "--format", "json").stdout)
    validator("report").validate(told)
    tasks = {task["task"]: task for task in told["tasks"]}
    assert {name: task["final"] for name, task in tasks.items()} == {
        "make": "landed",
        "then": "landed",
        "fails": "failed",
    }
    assert tasks["then"]["before"] == [{"task": "make", "kind": "needs"}]
    assert tasks["make"]["diff"]["text"].endswith("+<script>")
    assert [case["state"] for case in told["tests"][0]["cases"]] == ["passed", "failed"]
    junit = ElementTree.fromstring(scratch.orchestra("report", "--format", "junit").stdout)
    assert [(suite.get("name"), suite.get("failures")) for suite in junit] == [
        (f"orchestra {build}", "1"),
        ("make: s", "1"),
    ]
    assert scratch.orchestra("report", "--format", "md", "-o", "r.md").stdout == ""
    assert "| `fails` | **failed** |" in scratch.read("r.md")
    trace = scratch.orchestra("report", "--format", "trace")
    assert trace.stdout == scratch.read("t.json")
    assert any(event["ph"] == "s" for event in json.loads(trace.stdout)["traceEvents"])


def test_what_is_gone_is_left_out(scratch: Scratch) -> None:
    build = scratch.orchestra("build", "--json").finished["build"]
    commit = json.loads(scratch.orchestra("report", "--format", "json").stdout)["tasks"][0]["commit"]
    (scratch.root / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    for log in (state(scratch) / "builds" / build).glob("*.log"):
        log.unlink()
    shutil.rmtree(state(scratch) / "builds" / build / "artifacts")
    text = scratch.orchestra("report", "-o", "-")
    assert text.status == 0 and "No diff: its commits are no longer in the repository." in text.stdout
    assert "cannot be read: No such file or directory" in text.stdout
    # Where even the events are gone, the history still knows most.
    shutil.rmtree(state(scratch) / "builds")
    told = json.loads(scratch.orchestra("report", build, "--format", "json").stdout)
    validator("report").validate(told)
    finals = {task["task"]: task["final"] for task in told["tasks"]}
    assert finals == {"make": "landed", "then": "landed", "fails": "failed"}
    (state(scratch) / "history.db").unlink()
    lost = scratch.orchestra("report")
    assert (lost.status, lost.stderr) == (2, "error: nothing was built here yet\nhint: orchestra build\n")


def test_a_build_under_way_and_one_that_was_killed(scratch: Scratch) -> None:
    scratch.write(
        "orchestra.yaml", "version: 1\ntasks: {long: {run: 'echo began; sleep 60', claims: {write: [x]}}}\n"
    )
    scratch.commit()
    process = scratch.popen("build", "--json")
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if '"phase":"agent"' in line:
                break
        running = json.loads(scratch.orchestra("report", "--format", "json").stdout)
        assert running["state"] == "running" and running["tasks"][0]["final"] is None
        assert running["tasks"][0]["attempts"][0]["outcome"] is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    (folder,) = (state(scratch) / "builds").iterdir()
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"event":"attempt_fini')
    killed = json.loads(scratch.orchestra("report", "--format", "json").stdout)
    assert killed["state"] == "broken off" and killed["ended"] < time.time()
    assert "1 line of its record could not be read" in scratch.orchestra("report", "-o", "-").stdout


def test_refusals_come_before_anything_is_done(scratch: Scratch) -> None:
    refused = scratch.orchestra("build", "--trace", "nowhere/t.json")
    assert (
        refused.status == 3
        and "cannot write" in refused.stderr
        and refused.stdout == "reading the project...\n"
    )
    assert not (state(scratch) / "builds").exists()
    assert scratch.orchestra("report").stderr.startswith("error: nothing was built here yet")
    assert scratch.orchestra("build", "-n", "--trace", "foreseen.json").status == 0
    assert any(event["ph"] == "X" for event in json.loads(scratch.read("foreseen.json"))["traceEvents"])
    assert not (state(scratch) / "builds").exists()
    scratch.orchestra("build")
    assert scratch.orchestra("report", "zzz").stderr.startswith('error: no build "zzz" is recorded')
    assert scratch.orchestra("report", "../..").status == 2
    assert scratch.orchestra("report", "-o", "nowhere/r.html").status == 3
