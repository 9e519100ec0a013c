"""What a schema cannot say: patterns, protected paths, names, variables, agents, durations, needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.manifest.problems import listing
from orchestra.manifest.shape import BUILT_IN_AGENTS
from orchestra.manifest.values import name_fault, name_fold, seconds, task_name, unknown_placeholder

from .kit import manifest, refusal

WRITE = "tasks: {a: {run: x, claims: {write: [%s]}}}"
REFUSED = [
    # Patterns.
    ("prompts: [../x]", "2:11: not a path pattern: `../x` uses `.` or `..`", "`src/**`"),
    ("prompts: [a, /x]", "2:14: not a path pattern: `/x` is absolute", "`src/**`"),
    (WRITE % "'!x'", "2:38: not a path pattern: `!x`", "`src/**`"),
    (WRITE % "'a\\b'", "2:38: not a path pattern: `a\\b`: a backslash", "`src/**`"),
    (WRITE % "ok, ''", "2:42: not a path pattern: an empty pattern", "`src/**`"),
    (
        "tasks: {a: {run: x, claims: {read: [a//b]}}}",
        "2:37: not a path pattern: `a//b` has an empty",
        "`src/**`",
    ),
    ("worktrees: {copy: [/etc/x]}", "2:20: not a path pattern: `/etc/x` is absolute", "`src/**`"),
    ("worktrees: {keep: [a, ../x]}", "2:23: not a path pattern", "`src/**`"),
    ("worktrees: {setup_inputs: ['[']}", "2:28: not a path pattern", "`src/**`"),
    ("allow_protected: ['..']", "2:19: not a path pattern", "`src/**`"),
    # What belongs to git, to orchestra, and to whoever protects themselves.
    ("worktrees: {copy: [.git/config]}", "2:20: `.git/config` can be opened to no task", "remove it"),
    ("worktrees: {keep: [.orchestra]}", "2:20: `.orchestra` can be opened to no task", "remove it"),
    (
        "allow_protected: [.orchestra/lock/a.json]",
        "2:19: `.orchestra/lock/a.json` can be opened to no",
        "remove",
    ),
    ("allow_protected: [sub/.GIT]", "2:19: `sub/.GIT` can be opened to no task", "remove it"),
    (
        WRITE % ".github/**",
        "2:38: `.github/**` is protected: no task may write it",
        "`allow_protected: [.github/**]`",
    ),
    (WRITE % "orchestra.yaml", "2:38: `orchestra.yaml` is protected", "allow_protected"),
    (WRITE % "ok, prompts/new.md", "2:42: `prompts/new.md` is protected", "allow_protected"),
    (WRITE % ".orchestra/**", "2:38: `.orchestra/**` is protected", "keep their own files"),
    # Durations.
    ("defaults: {timeout: 0s}", "2:21: `timeout` must be longer than nothing, but is `0s`", "timeout: 45m"),
    ("tasks: {a: {run: x, timeout: 0.0h}}", "2:30: `timeout` must be longer than nothing", "timeout: 45m"),
    ("tasks: {a: {run: x, timeout: 501h}}", "2:30: `timeout` must be at most 500h, but is `501h`", "45m"),
    ("defaults: {stall: 0m}", "2:19: `stall` must be longer than nothing, but is `0m`", "stall: 10m"),
    ("tasks: {a: {run: x, stall: 501h}}", "2:28: `stall` must be at most 500h, but is `501h`", "stall: 10m"),
    # Names.
    ("tasks: {'a b': {run: x}}", "2:9: the name `a b` holds ` `", "`fix-parser`"),
    ("tasks: {a/: {run: x}}", "2:9: the name `a/` has an empty part", "`api/login`"),
    ("tasks: {../a: {run: x}}", "2:9: the name `../a` has a part that begins with `.`", "`fix-parser`"),
    ("tasks: {a..b: {run: x}}", "2:9: the name `a..b` has a part that ends in `.`", "`fix-parser`"),
    ("tasks: {a.lock/b: {run: x}}", "2:9: the name `a.lock/b` has a part that ends in", "`fix-parser`"),
    ("tasks: {a.json: {run: x}}", "2:9: the name `a.json` has a part that ends in", "`fix-parser`"),
    ("tasks: {-a: {run: x}}", "2:9: the name `-a` has a part that begins with `-`", "`fix-parser`"),
    ('tasks: {"a\\e": {run: x}}', "2:9: the name `a\\x1b` holds U+001B", "`fix-parser`"),
    (f"tasks: {{{'a' * 201}: {{run: x}}}}", "2:9: the name `aaa", "`fix-parser`"),
    (f"tasks: {{{'é' * 121}: {{run: x}}}}", "2:9: the name `é", "`fix-parser`"),
    (f"tasks: {{{'語' * 81}: {{run: x}}}}", "2:9: the name `語", "`fix-parser`"),
    ("tasks: {'': {run: x}}", "2:9: the name `` is empty", "`fix-parser`"),
    (
        "tasks: {Fix: {run: x}, fix: {run: y}}",
        "2:24: the names `fix` and `Fix` differ only in case",
        "rename",
    ),
    ("tasks: {é: {run: x}, e\u0301: {run: y}}", "2:22: the names `e\u0301` and `é` differ only in", "rename"),
    # Variables.
    ("tasks: {a: {run: x, env: [PATH, LD_PRELOAD]}}", "2:33: the variable `LD_PRELOAD` is refused", "script"),
    ("tasks: {a: {run: x, env: {GIT_DIR: x}}}", "2:27: the variable `GIT_DIR` is refused", "script"),
    ("agents: {a: {kind: script, env: {DYLD_INSERT: x}}}", "2:34: the variable `DYLD_INSERT` is", "script"),
    ("agents: {a: {kind: script, env: [LD_LIBRARY_PATH]}}", "2:34: the variable `LD_LIBRARY_PATH`", "script"),
    ("agents: {a: {kind: script, env: [BASH_ENV]}}", "2:34: the variable `BASH_ENV` is refused", "script"),
    ("agents: {a: {kind: script, env: [ENV]}}", "2:34: the variable `ENV` is refused", "script"),
    ("agents: {a: {kind: script, env: [PYTHONSTARTUP]}}", "2:34: the variable `PYTHONSTARTUP` is", "script"),
    (
        "agents: {a: {kind: script, env: [ORCHESTRA_TASK]}}",
        "2:34: the variable `ORCHESTRA_TASK` is",
        "script",
    ),
    # Agents.
    ("agents: {a: {kind: command}}", "2:10: an agent of kind `command` needs the key `command`", "my-agent"),
    ("agents: {a: {kind: command, command: [' ']}}", "2:39: the name of the program is empty", "my-agent"),
    ("agents: {a: {kind: command, command: ['']}}", "2:39: the name of the program is empty", "my-agent"),
    (
        "agents: {a: {kind: command, command: [x, 'p={promt_file}']}}",
        "2:42: unknown placeholder `{promt_file}`",
        "`{prompt_file}`, `{task}`, `{worktree}`",
    ),
    ("agents: {a: {kind: script, command: [x]}}", "2:28: `command` has no effect on an agent", "`command`"),
    (
        "agents: {a: {kind: script, args: [x]}}",
        "2:28: `args` has no effect on an agent of kind",
        "claude-code",
    ),
    ("agents: {a: {kind: command, command: [x], model: m}}", "2:43: `model` has no effect", "`claude-code`"),
    (
        "agents: {a: {kind: codex, max_turns: 5}}",
        "2:27: `max_turns` has no effect",
        "belongs to `claude-code`, `qwen`",
    ),
    (
        "agents: {local: {kind: script}}\ndefaults: {agent: locl}",
        "3:19: there is no agent `locl`",
        "did you mean `local`? what can be written here: `local`, `claude-code`, `codex`, `gemini`, ",
    ),
    ("tasks: {a: {prompt: a.md, agent: zzz}}", "2:34: there is no agent `zzz`", "`claude-code`, `codex`"),
    ("tasks: {a: {prompt: a.md, agent: command}}", "2:34: the agent `command` needs a desc", "kind: command"),
    # Prompts and commands.
    ("tasks: {a: {run: x, prompt: a.md}}", "2:21: `prompt` beside `run`", "remove `prompt`"),
    ("tasks: {a: {run: x, agent: script}}", "2:21: `agent` beside `run`", "remove `agent`"),
    (
        "tasks: {a: {prompt: /etc/passwd}}",
        "2:21: `/etc/passwd` does not name a file inside the",
        "from the root",
    ),
    ("tasks: {a: {prompt: ../x.md}}", "2:21: `../x.md` does not name a file inside the repository", "from"),
    ("tasks: {a: {prompt: b/../../x.md}}", "2:21: `b/../../x.md` does not name a file inside", "from"),
    ("tasks: {a: {prompt: ~/x.md}}", "2:21: `~/x.md` does not name a file inside the repository", "from"),
    ("tasks: {a: {prompt: 'b\\x.md'}}", "2:21: `b\\x.md` does not name a file", "from"),
    ('tasks: {a: {prompt: "b\\nx.md"}}', "2:21: `b\\nx.md` does not name a file", "from"),
    ("tasks: {a: {prompt: .GIT/config}}", "2:21: `.GIT/config` belongs to git", "`prompts/fix-parser.md`"),
    ("tasks: {a: {priority: 3}}", "2:9: `a` has neither `prompt` nor `run`", "`run: COMMAND`"),
    # Needs.
    (
        "tasks: {abc: {run: x}, b: {run: x, needs: [abc, acb]}}",
        "2:49: `b` needs `acb`, but there is no such task",
        "did you mean `abc`?",
    ),
    (
        "tasks: {a: {run: x, needs: [zzzz]}}",
        "2:29: `a` needs `zzzz`, but there is no such task",
        "name a task",
    ),
    ("tasks: {a: {run: x, needs: [a]}}", "2:29: `a` needs itself", "remove it"),
]


@pytest.mark.parametrize(("text", "error", "hint"), REFUSED, ids=[text[:60] for text, _, _ in REFUSED])
def test_what_is_refused_has_its_place_and_a_way_out(
    text: str, error: str, hint: str, tmp_path: Path
) -> None:
    caught = refusal(tmp_path, text, {"a.md": "Do it."})
    assert str(caught).startswith(f"orchestra.yaml:{error}")
    assert hint in (caught.hint or "")
    assert caught.others == ()


ACCEPTED = [
    WRITE % "'**'",
    WRITE % "'*.md'",
    WRITE % "CLAUDE.md",
    WRITE % "sub/orchestra.yaml",
    f"allow_protected: [.github/**]\n{WRITE % '.github/workflows/ci.yml'}",
    f"allow_protected: [.github/workflows/*.yml]\n{WRITE % '.github/**'}",
    f"allow_protected: [prompts]\n{WRITE % 'prompts/new.md'}",
    "allow_protected: ['**']",
    "worktrees: {copy: [.env], keep: ['**/node_modules'], setup_inputs: [.gitattributes]}",
    "tasks: {a: {run: x, claims: {read: [.github/**, orchestra.yaml]}}}",
    "tasks: {a: {run: x, timeout: 500h}}",
    "tasks: {_é: {run: x}}",
    "tasks: {fix_2+b@c.d-e/Ünïcödé/日本語/हिन्दी: {run: x}}",
    f"tasks: {{{'a' * 200}: {{run: x}}}}",
    f"tasks: {{{'é' * 120}: {{run: x}}}}",
    "agents: {a: {kind: codex, command: [/opt/codex], model: m, args: [-x], permissions: full, env: [A]}}",
    "agents: {a: {kind: command, command: [sh, -c, 'x {task} ${HOME} {} {\"a\": 1}'], args: [y]}}",
    "tasks: {a: {run: x, env: {MY_GIT_DIR: x, ENVIRONMENT: y}}}",
    "tasks: {a: {run: x}, b: {run: x, needs: [a, a]}}",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_looks_like_it_is_accepted(text: str, tmp_path: Path) -> None:
    manifest(tmp_path, text)


def test_a_suggestion_is_made_only_where_something_is_near(tmp_path: Path) -> None:
    error = refusal(tmp_path, "defaults: {agent: zzz}")
    assert error.hint == f"what can be written here: {listing(BUILT_IN_AGENTS)}"


def test_where_what_is_allowed_is_wrong_nothing_follows_from_it(tmp_path: Path) -> None:
    error = refusal(tmp_path, f"allow_protected: [/x]\n{WRITE % '.github/x'}")
    assert error.place is not None
    assert (error.place.line, error.others) == (2, ())


def test_a_need_by_its_prompt_is_told_the_name(tmp_path: Path) -> None:
    text = "tasks:\n  b:\n    run: x\n    needs: [prompts/api/login.md]\n"
    error = refusal(tmp_path, text, {"prompts/api/login.md": "Log in."})
    assert str(error) == "orchestra.yaml:5:13: `b` needs `prompts/api/login.md`, but there is no such task"
    assert error.hint == "did you mean `login`?"


def test_a_circle_is_shown_with_the_place_of_every_need(tmp_path: Path) -> None:
    text = """tasks:
  a: {run: x, needs: [free, b]}
  b:
    run: x
    needs: [c]
  free: {run: x}
"""
    front = "---\nneeds:\n  - free\n  - a\n---\nDo it."
    error = refusal(tmp_path, text, {"prompts/c.md": front})
    assert str(error) == "orchestra.yaml:3:29: tasks need each other in a circle: a → b → c → a"
    assert error.causes == (
        "orchestra.yaml:3:29: `a` needs `b`",
        "orchestra.yaml:6:13: `b` needs `c`",
        "prompts/c.md:4:5: `c` needs `a`",
    )


def test_a_circle_that_is_entered_from_outside_is_shown_alone(tmp_path: Path) -> None:
    text = "tasks: {a: {run: x, needs: [b]}, b: {run: x, needs: [c]}, c: {run: x, needs: [b]}}"
    error = refusal(tmp_path, text)
    assert error.message == "tasks need each other in a circle: b → c → b"


def test_a_long_chain_is_no_circle(tmp_path: Path) -> None:
    chain = "".join(f"  t{n}: {{run: x, needs: [t{n + 1}]}}\n" for n in range(3000))
    tasks = manifest(tmp_path, f"tasks:\n{chain}  t3000: {{run: x}}\n").tasks
    assert len(tasks) == 3001


def test_tasks_that_are_reached_in_many_ways_are_looked_at_once(tmp_path: Path) -> None:
    """Else this would take 2**60 looks."""
    rungs = "".join(
        f"  a{n}: {{run: x, needs: [a{n + 1}, b{n + 1}]}}\n  b{n}: {{run: x, needs: [a{n + 1}, b{n + 1}]}}\n"
        for n in range(60)
    )
    assert len(manifest(tmp_path, f"tasks:\n{rungs}  a60: {{run: x}}\n  b60: {{run: x}}\n").tasks) == 122


def test_a_diamond_is_no_circle(tmp_path: Path) -> None:
    text = (
        "tasks: {a: {run: x, needs: [b, c]}, b: {run: x, needs: [d]}, c: {run: x, needs: [d]}, d: {run: x}}"
    )
    assert manifest(tmp_path, text).task("a").needs == ("b", "c")


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90.0), ("45m", 2700.0), ("2h", 7200.0), ("1.5h", 5400.0), ("0.5s", 0.5)]
)
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@given(st.text(max_size=12) | st.from_regex(r"[0-9.]+[smhd]", fullmatch=True))
def test_a_duration_is_a_positive_finite_number_or_refused(text: str) -> None:
    try:
        value = seconds(text)
    except ValueError:
        return
    assert 0 < value <= 500 * 3600


def test_placeholders() -> None:
    assert unknown_placeholder("{prompt_file} {task} {worktree}") is None
    assert unknown_placeholder("{task}{Task}") == "Task"


@given(st.text(max_size=30))
def test_an_accepted_name_is_safe_as_a_path_and_as_a_ref(text: str) -> None:
    name = task_name(text)
    if name_fault(name) is None:
        assert ".." not in name
        assert "//" not in f"/{name}/"
        assert not set(name) & set(" ~^:?*[\\{}\"'<>|\0\n\t")
        for part in name.split("/"):
            assert part[0] not in ".-@+"
            assert not part.endswith((".", ".lock", ".json"))
        assert name_fold(name) == name_fold(name_fold(name))
        assert name_fold(name.swapcase().swapcase()) == name_fold(name.swapcase().swapcase().casefold())
