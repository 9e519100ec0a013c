"""Kinds of agents that installed packages add: the README's own example, installed and built with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.scratch import Called, Scratch

pytestmark = pytest.mark.slow

README = Path(__file__).parents[2] / "README.md"

PROGRAM = """\
#!/bin/sh
test "$1" = --fast || exit 9
grep -q 'Write it' || exit 8
echo x > made.txt
echo 'no JSON'
echo '{"type": "note", "text": "I made it."}'
echo '{"type": "done"}'
"""


def example(language: str) -> str:
    """The block of that language in the README's section on kinds of one's own."""
    section = README.read_text().split("### Your own kind of agent")[1].split("\n## ")[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(block)


def install(scratch: Scratch, name: str, entry_points: str, module: str = "my_agent", code: str = "") -> None:
    """Install a distribution into a folder that Python looks in."""
    site = scratch.home / "site"
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    (site / f"{module}.py").write_text(code)
    scratch.env["PYTHONPATH"] = str(site)


def install_example(scratch: Scratch, code: str | None = None) -> None:
    entry_points = example("toml").replace("[project.entry-points.", "[").replace('"', "")
    install(scratch, "orchestra-my-agent", entry_points, code=example("python") if code is None else code)
    program = scratch.home / "bin" / "my-agent"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    scratch.env["PATH"] = f"{program.parent}:{scratch.env['PATH']}"


def build(scratch: Scratch, kind: str = "my-agent", *options: str) -> Called:
    scratch.write("prompts/it.md", "# Write it\n\nDo.\n")
    scratch.write(
        "orchestra.yaml",
        f"version: 1\ndefaults: {{agent: mine}}\nagents: {{mine: {{kind: {kind}, args: [--fast], max_turns: 3}}}}\n",
    )
    scratch.commit()
    return scratch.orchestra("build", *options)


def test_the_example_of_the_readme(scratch: Scratch) -> None:
    assert len(example("python").splitlines()) < 40
    install_example(scratch)
    called = build(scratch, "my-agent", "--json")
    assert called.finished["tasks"] == {"it": "landed"}, called.stderr
    assert scratch.read("made.txt") == "x\n"
    assert scratch.git("log", "-1", "--format=%b").startswith("I made it.")
    assert scratch.orchestra("build", "--json").finished["ran"] == 0


def test_a_program_that_is_not_there(scratch: Scratch) -> None:
    install_example(scratch)
    (scratch.home / "bin" / "my-agent").unlink()
    called = build(scratch)
    assert called.status == 3
    assert "my-agent is not on PATH (pipx install my-agent) (needed by it)" in called.stderr


def test_a_kind_that_nobody_adds_is_told_with_its_place_and_a_suggestion(scratch: Scratch) -> None:
    install_example(scratch)
    called = build(scratch, "my-agnt")
    assert called.status == 2
    assert "orchestra.yaml:3:23: there is no kind of agent `my-agnt`" in called.stderr
    assert "did you mean `my-agent`?" in called.stderr


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("MyAgnt = 1", "AttributeError: module 'my_agent' has no attribute 'MyAgent'"),
        ("def MyAgent(spec): 1 / 0", "ZeroDivisionError: division by zero"),
        ("def MyAgent(spec:", "SyntaxError: "),
        ("MyAgent = str", "what it makes has no `traits`"),
    ],
)
def test_a_package_that_is_broken_is_named(scratch: Scratch, code: str, why: str) -> None:
    install_example(scratch, code)
    called = build(scratch)
    assert called.status == 3
    message, cause, hint = called.stderr.rstrip().split("\n")[-3:]
    assert message == "error: the package orchestra-my-agent cannot make agents of kind `my-agent`"
    assert cause.startswith(f"caused by: my_agent:MyAgent: {why}")
    assert hint.startswith("hint: ")
    assert "Traceback" not in called.stderr


def test_two_packages_for_one_kind(scratch: Scratch) -> None:
    install_example(scratch)
    other = "[orchestra.agents]\nmy-agent = other:Agent\n"
    install(scratch, "another-one", other, "other", "Agent = None")
    called = build(scratch)
    assert called.status == 3
    assert "several packages add agents of kind `my-agent`: " in called.stderr
    assert "orchestra-my-agent" in called.stderr and "another-one" in called.stderr


def test_a_package_that_was_removed_after_the_manifest_was_read(scratch: Scratch) -> None:
    install_example(scratch)
    assert build(scratch, "my-agent", "--dry-run").status == 0
    called = scratch.orchestra("build", env={"PYTHONPATH": ""})
    # Its manifest is not read again: what is missing is the environment's.
    assert called.status == 3
    assert "error: agent mine is of kind `my-agent`, which no installed package adds" in called.stderr


def test_no_package_takes_the_place_of_a_kind_of_our_own(scratch: Scratch) -> None:
    install(
        scratch, "loud", "[orchestra.agents]\nscript = loud:Agent\n", "loud", "raise SystemExit('imported')"
    )
    scratch.prompt("it", "echo x > made.txt")
    scratch.write("orchestra.yaml", "version: 1\nagents: {mine: {kind: script}}\n")
    scratch.commit()
    assert scratch.orchestra("build").status == 0
