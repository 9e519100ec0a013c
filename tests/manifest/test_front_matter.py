"""Front matter: what a prompt may say of its own task, what it must not, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.manifest.load import load
from orchestra.model.tasks import Claims, Task

from .kit import manifest, refusal, refused, write


def task(root: Path, front: str, text: str = "") -> Task:
    """The task of a prompt with that front matter."""
    return manifest(root, text, {"prompts/a.md": f"---\n{front}\n---\n\n# Do it\n"}).task("a")


def test_every_key_that_front_matter_may_have(tmp_path: Path) -> None:
    front = """agent: script
needs: [b, b]
claims: {write: [src/a.py], read: ["src/**"]}
priority: 7
timeout: 10m
stall: 1m
on_drift: rerun"""
    found = task(tmp_path, front, "tasks: {b: {run: make}}")
    assert found.agent == "script"
    assert found.needs == ("b",)
    assert found.claims == Claims(write=("src/a.py",), read=("src/**",), declared=True)
    assert (found.priority, found.timeout, found.stall, found.on_drift) == (7, 600.0, 60.0, "rerun")
    assert found.prompt is not None
    assert found.prompt.text == "# Do it\n"


def test_keys_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    front = (
        "name: reviewer\ntools: [Read, Grep]\nmodel: opus\nhooks: {Stop: [{command: x}]}\ncolor: 1.0\n'': x"
    )
    found = task(tmp_path, front)
    assert (found.name, found.priority) == ("a", 0)


@pytest.mark.parametrize("front", ["", "# a comment", "~", "{}"])
def test_front_matter_that_says_nothing(front: str, tmp_path: Path) -> None:
    assert task(tmp_path, front).title == "Do it"


REFUSED = [
    ("check: make", "2:1: `check` is not accepted in front matter", "put it into orchestra.yaml"),
    ("name: x\nrun: make", "3:1: `run` is not accepted in front matter", "put it into orchestra.yaml"),
    ("env: {A: 1}", "2:1: `env` is not accepted in front matter", "put it into orchestra.yaml"),
    ("env: [SECRET]", "2:1: `env` is not accepted in front matter", "put it into orchestra.yaml"),
    ("prompt: x.md", "2:1: `prompt` is not accepted in front matter", "put it into orchestra.yaml"),
    ("setup: make", "2:1: `setup` is not accepted in front matter", "put it into orchestra.yaml"),
    ("verify: make", "2:1: `verify` is not accepted in front matter", "put it into orchestra.yaml"),
    ("command: [x]", "2:1: `command` is not accepted in front matter", "put it into orchestra.yaml"),
    ("repairs: x", "2:10: `repairs` must be a whole number from 0 to 10, but is the text `x`", "repairs: 1"),
    ("review: nobody", "2:9: there is no agent `nobody`", "what can be written here"),
    ("retries: -1", "2:10: `retries` must be at least 0, but is -1", "retries: 2"),
    ("usd: .nan", "2:6: `usd` must be a number, but is .nan", "usd: 2"),
    ("timeout: 45", "2:10: `timeout` must be a duration", "`45m`"),
    ("stall: 10", "2:8: `stall` must be a duration", "`10m`"),
    ("timeout: 0s", "2:10: `timeout` must be longer than nothing, but is `0s`", "45m"),
    ("name: x\nneeds: b", "3:8: `needs` must be a list of tasks, but is the text `b`", "`needs: [b]`"),
    ("needs: [bb]", "2:9: `a` needs `bb`, but there is no such task", "name a task"),
    ("needs: [a]", "2:9: `a` needs itself", "remove it"),
    ("agent: zzz", "2:8: there is no agent `zzz`", "`claude-code`, `codex`"),
    ("priority: high", "2:11: `priority` must be a whole number, but is the text `high`", "priority: 5"),
    ("on_drift: never", "2:11: `on_drift` must be one of `accept`, `rerun`", "accept"),
    ("claims: {write: [../x]}", "2:18: not a path pattern", "src/**"),
    ("claims: {shared: x}", "2:18: `shared` must be a list of path patterns", "[x]"),
    ("claims: {wirte: [x]}", "2:10: unknown key `wirte`", "did you mean `write`?"),
    ("claims: {write: [.envrc]}", "2:18: `.envrc` is protected: no task may write it", "allow_protected"),
    ("claims: {write: [.git/x]}", "2:18: `.git/x` is protected: no task may write it", "keep their own"),
    ("- a\n- b", "2:1: front matter must be a mapping of keys to values", "an empty line above"),
    ("Just a sentence.", "2:1: front matter must be a mapping of keys to values", "an empty line above"),
    ("a: b: c", "2:5: not valid YAML: mapping values are not allowed", "an empty line above"),
    ("a: 1\na: 2", "3:1: `a` is given twice", "an empty line above"),
    ("a: *b", "2:4: the alias `*b` is not accepted here", "an empty line above"),
]


@pytest.mark.parametrize(("front", "error", "hint"), REFUSED)
def test_what_is_refused_has_its_place_in_the_prompt(
    front: str, error: str, hint: str, tmp_path: Path
) -> None:
    write(tmp_path, {"prompts/a.md": f"---\n{front}\n---\nDo it."})
    caught = refused(lambda: load(tmp_path, cache_dir=tmp_path / "cache"))
    assert str(caught).startswith(f"prompts/a.md:{error}")
    assert hint in (caught.hint or "")
    assert caught.others == ()
    # Nothing of it was remembered as sound.
    assert str(refused(lambda: load(tmp_path, cache_dir=tmp_path / "cache"))) == str(caught)


def test_what_is_broken_in_several_prompts_is_told_at_once(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "prompts/b.md": "---\nrun: x\ntimeout: 1\n---\nDo it.",
        "prompts/a.md": "---\nrun: x\n---\nDo it.",
        "prompts/c.md": b"\xff",
    }
    error = refusal(tmp_path, "tasks: {z: {prompt: z.md}}", files)
    assert [str(each).partition(" ")[0] for each in (error, *error.others)] == [
        "orchestra.yaml:2:21:",
        "prompts/a.md:2:1:",
        "prompts/b.md:2:1:",
        "prompts/b.md:3:10:",
        "prompts/c.md:1:1:",
    ]
    assert all(other.others == () for other in error.others)


def test_a_syntax_error_keeps_what_lies_beneath_it(tmp_path: Path) -> None:
    write(tmp_path, {"prompts/a.md": "---\na: [b\n---\nDo it."})
    error = refused(lambda: load(tmp_path))
    assert error.causes == ("while parsing a flow sequence that begins at prompts/a.md:2:4",)


def test_what_a_manifest_allows_holds_for_front_matter(tmp_path: Path) -> None:
    front = "claims: {write: [.github/workflows/ci.yml]}"
    cache = tmp_path / "cache"
    write(tmp_path, {"prompts/a.md": f"---\n{front}\n---\nDo it."})
    manifest(tmp_path, "allow_protected: [.github/**]", cache_dir=cache)
    # What was checked under another `allow_protected` is checked again.
    error = refusal(tmp_path, "allow_protected: []", cache_dir=cache)
    assert "is protected" in error.message


PRECEDENCE = [
    # defaults, front matter, entry, command line: what holds of agent, priority, timeout, stall and retries
    ({}, {}, {}, None, (None, 0, 2700.0, 600.0, 2)),
    (
        {"agent": "d", "priority": 1, "timeout": "1s", "stall": "1m", "retries": 5},
        {},
        {},
        None,
        ("d", 1, 1.0, 60.0, 5),
    ),
    (
        {"agent": "d", "priority": 1, "timeout": "1s", "stall": "1m", "retries": 5},
        {"agent": "f", "priority": 2, "timeout": "2s", "stall": "2m", "retries": 0},
        {},
        None,
        ("f", 2, 2.0, 120.0, 0),
    ),
    (
        {},
        {"agent": "f", "priority": 2, "timeout": "2s", "stall": "2m", "retries": 4},
        {"agent": "e", "priority": 0, "timeout": "3s", "stall": "3m", "retries": 0},
        None,
        ("e", 0, 3.0, 180.0, 0),
    ),
    ({"agent": "d"}, {"agent": "f"}, {"agent": "e"}, "c", ("c", 0, 2700.0, 600.0, 2)),
    ({"priority": 5}, {"priority": 0}, {}, "script", ("script", 0, 2700.0, 600.0, 2)),
]


@pytest.mark.parametrize(("defaults", "front", "entry", "line", "expected"), PRECEDENCE)
def test_precedence(
    defaults: dict[str, object],
    front: dict[str, object],
    entry: dict[str, object],
    line: str | None,
    expected: tuple[object, ...],
    tmp_path: Path,
) -> None:
    agents = ", ".join(f"{name}: {{kind: script}}" for name in "cdef")
    text = f"agents: {{{agents}}}\ndefaults: {defaults}\ntasks: {{a: {entry}}}"
    lines = "".join(f"{key}: {value}\n" for key, value in front.items())
    loaded = manifest(tmp_path, text, {"prompts/a.md": f"---\n{lines}---\nDo it."}, agent=line)
    found = loaded.task("a")
    assert (found.agent, found.priority, found.timeout, found.stall, found.retries) == expected


def test_an_entry_stands_before_front_matter_key_by_key(tmp_path: Path) -> None:
    front = "needs: [b]\nclaims: {write: [f], read: [g]}\non_drift: rerun"
    text = "tasks: {a: {needs: [], claims: {write: [e]}, on_drift: accept}, b: {run: x}}"
    found = task(tmp_path, front, text)
    assert found.needs == ()
    assert found.claims == Claims(write=("e",), read=(), declared=True)
    assert found.on_drift == "accept"
    found = task(tmp_path, front, "tasks: {a: {priority: 1}, b: {run: x}}")
    assert found.needs == ("b",)
    assert found.claims == Claims(write=("f",), read=("g",), declared=True)
