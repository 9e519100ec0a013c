"""Manifests against the schema: every key works or is refused by name, and errors say what to write instead."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import orchestra
from orchestra.manifest.later import LATER_VALUES
from orchestra.manifest.load import load
from orchestra.manifest.schema import schema_text
from orchestra.model.errors import ExitStatus, OrchestraError

from .kit import manifest, refusal, refused, write

SCHEMA: dict[str, Any] = json.loads(schema_text("orchestra.schema.json"))


def keys_of(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema names, by its path with `*` for names of one's own."""
    if "$ref" in schema:
        schema = {**SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], **schema}
    for key, inner in schema.get("properties", {}).items():
        yield f"{path}{key}", inner
        yield from keys_of(inner, f"{path}{key}.")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from keys_of(schema["additionalProperties"], f"{path}*.")
    for branch in schema.get("anyOf", ()):
        yield from keys_of(branch, path)


ACCEPTED = {
    "version": "",
    "prompts": "prompts: [ideas]",
    "defaults": "defaults: {}",
    "defaults.agent": "defaults: {agent: script}",
    "defaults.timeout": "defaults: {timeout: 1.5h}",
    "defaults.retries": "defaults: {retries: 0}",
    "defaults.repairs": "defaults: {repairs: 0}",
    "defaults.stall": "defaults: {stall: 90s}",
    "defaults.priority": "defaults: {priority: -3}",
    "agents": "agents: {}",
    "agents.*.kind": "agents: {a: {kind: script}}",
    "agents.*.model": "agents: {a: {kind: claude-code, model: sonnet}}",
    "agents.*.command": "agents: {a: {kind: command, command: [me, '{task}']}}",
    "agents.*.args": "agents: {a: {kind: claude-code, args: [-x]}}",
    "agents.*.env": "agents: {a: {kind: script, env: [A]}}",
    "agents.*.permissions": "agents: {a: {kind: claude-code, permissions: full}}",
    "agents.*.max_turns": "agents: {a: {kind: claude-code, max_turns: 7}}",
    "limits": "limits: {}",
    "limits.jobs": "limits: {jobs: 3}",
    "limits.cpu": "limits: {cpu: 100%}",
    "limits.memory": "limits: {memory: 5%}",
    "limits.disk": "limits: {disk: 1.5GiB}",
    "limits.usd": "limits: {usd: 0.5}",
    "limits.usd_per_day": "limits: {usd_per_day: 50}",
    "limits.tokens": "limits: {tokens: 5000000}",
    "prices": "prices: {}",
    "prices.*.input": "prices: {m: {input: 0, output: 1}}",
    "prices.*.output": "prices: {m: {input: 1, output: 0.25}}",
    "prices.*.cache_read": "prices: {m: {input: 1, output: 1, cache_read: 0.1}}",
    "prices.*.cache_write": "prices: {m: {input: 1, output: 1, cache_write: 0.1}}",
    "worktrees": "worktrees: {}",
    "worktrees.dir": "worktrees: {dir: null}",
    "worktrees.setup": "worktrees: {setup: uv sync}",
    "worktrees.setup_inputs": "worktrees: {setup_inputs: [uv.lock]}",
    "worktrees.copy": "worktrees: {copy: [.env]}",
    "worktrees.keep": "worktrees: {keep: [.venv]}",
    "integrate": "integrate: {}",
    "integrate.into": "integrate: {into: feature/x}",
    "integrate.strategy": "integrate: {strategy: merge}",
    "integrate.verify": "integrate: {verify: null}",
    "integrate.author": "integrate: {author: agent}",
    "integrate.branch": "integrate: {branch: 'feature/{task}'}",
    "integrate.message": "integrate: {message: 'feat({task}): {title}'}",
    "integrate.on_conflict": "integrate: {on_conflict: agent}",
    "hooks": "hooks: {}",
    "hooks.build_started": "hooks: {build_started: x}",
    "hooks.task_landed": "hooks: {task_landed: x}",
    "hooks.task_failed": "hooks: {task_failed: x}",
    "hooks.task_rejected": "hooks: {task_rejected: x}",
    "hooks.build_finished": "hooks: {build_finished: x}",
    "context": "context: [CONVENTIONS.md]",
    "triggers": "triggers: [inferred]",
    "allow_protected": "allow_protected: [.github/**]",
    "tasks": "tasks: {}",
    "tasks.*.prompt": "tasks: {a: {prompt: a.md}}",
    "tasks.*.run": "tasks: {a: {run: make}}",
    "tasks.*.agent": "tasks: {a: {prompt: a.md, agent: script}}",
    "tasks.*.needs": "tasks: {a: {run: x, needs: []}}",
    "tasks.*.claims": "tasks: {a: {run: x, claims: exclusive}}",
    "tasks.*.claims.write": "tasks: {a: {run: x, claims: {write: [a]}}}",
    "tasks.*.claims.read": "tasks: {a: {run: x, claims: {read: [a]}}}",
    "tasks.*.claims.shared": "tasks: {a: {run: x, claims: {shared: [a]}}}",
    "tasks.*.priority": "tasks: {a: {run: x, priority: 4}}",
    "tasks.*.check": "tasks: {a: {run: x, check: make test}}",
    "tasks.*.timeout": "tasks: {a: {run: x, timeout: 3m}}",
    "tasks.*.retries": "tasks: {a: {run: x, retries: 3}}",
    "tasks.*.repairs": "tasks: {a: {prompt: a.md, repairs: 3}}",
    "tasks.*.usd": "tasks: {a: {prompt: a.md, usd: 2}}",
    "tasks.*.review": "tasks: {a: {prompt: a.md, review: claude-code}}",
    "tasks.*.stall": "tasks: {a: {run: x, stall: 3m}}",
    "tasks.*.env": "tasks: {a: {run: x, env: {A: 1}}}",
    "tasks.*.on_drift": "tasks: {a: {run: x, on_drift: accept}}",
    "tasks.*.artifacts": "tasks: {a: {run: x, artifacts: [junit.xml]}}",
}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_key_is_described() -> None:
    for path, schema in keys_of(SCHEMA):
        assert len(schema.get("description", "")) > 15, path


def test_every_key_has_an_example_that_fits() -> None:
    """Hints are made from them."""
    values = list(keys_of(SCHEMA))
    values += [(f"{path}[]", schema["items"]) for path, schema in values if "items" in schema]
    values += [(name, schema) for name, schema in SCHEMA["$defs"].items() if name not in ("text", "branch")]
    for path, schema in values:
        if "$ref" in schema:
            schema = {**SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], **schema}
        assert schema["examples"], path
        for example in schema["examples"]:
            Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]}).validate(example)


def test_no_object_takes_keys_that_nobody_described() -> None:
    for schema in (SCHEMA, *SCHEMA["properties"].values(), *SCHEMA["$defs"].values()):
        for branch in schema.get("anyOf", [schema]):
            if branch.get("type") == "object":
                assert "additionalProperties" in branch
                assert branch["additionalProperties"] is not True


def test_the_table_below_names_every_key_of_the_schema() -> None:
    assert set(ACCEPTED) == {path for path, _ in keys_of(SCHEMA)}


@pytest.mark.parametrize("key", ACCEPTED)
def test_every_key_is_accepted(key: str, tmp_path: Path) -> None:
    manifest(tmp_path, ACCEPTED[key], {"a.md": "Do it."})


def test_values_of_later_versions_are_refused_by_name(tmp_path: Path) -> None:
    assert set(LATER_VALUES) == {"triggers.*"}
    error = refusal(tmp_path, "triggers: [observed, model]")
    assert str(error) == "orchestra.yaml:2:22: item 2 of `triggers` cannot be `model` yet"


def test_every_word_of_the_design_is_accepted() -> None:
    """The keys that section 3 of the design names."""
    named = re.findall(
        r"\w+",
        """version prompts defaults agents limits prices worktrees integrate hooks context triggers tasks
        allow_protected agent timeout stall retries repairs priority kind model args env permissions max_turns
        command jobs cpu memory disk usd usd_per_day tokens dir setup setup_inputs copy keep into strategy
        verify branch message author on_conflict prompt run needs claims write read shared check on_drift
        review artifacts""",
    )
    accepted = {path.rpartition(".")[2] for path in ACCEPTED}
    ours = {path for path in ACCEPTED if path.startswith(("hooks.", "prices.*"))} - {"hooks.build_finished"}
    ours = {path.rpartition(".")[2] for path in ours}
    assert set(named) == accepted - ours - {"build_finished"}


DURATION = "a duration such as `90s`, `45m` or `2h`"
WRONG = [
    ("promts: [a]", "2:1: unknown key `promts`", "did you mean `prompts`?"),
    ("zzz: 1", "2:1: unknown key `zzz`", "what can be written here: `version`, `prompts`, `defaults`"),
    ("timeout: 5m", "2:1: unknown key `timeout`", "it belongs into `defaults` or an entry of `tasks`"),
    ("tasks: {a: {version: 1}}", "2:13: unknown key `version`", "it belongs into the top level"),
    ("tasks: {a: {promt: x}}", "2:13: unknown key `promt`", "did you mean `prompt`?"),
    ("tasks: {a: {claims: {wirte: [a]}}}", "2:22: unknown key `wirte`", "did you mean `write`?"),
    ('"a\\nb\\e[31m": 1', "2:1: unknown key `a\\nb\\x1b[31m`", "what can be written here"),
    ("tasks:", "2:7: `tasks` must be a mapping, but is empty (null)", "remove the key, or give it a value"),
    ("tasks: []", "2:8: `tasks` must be a mapping, but is a list", "for example `tasks: {fix-parser:"),
    ("tasks: {a: x}", "2:12: `a` must be a mapping, but is the text `x`", "for example `a: {prompt:"),
    ("prompts: a", "2:10: `prompts` must be a list of path patterns, but is the text `a`", "`prompts: [a]`"),
    ("tasks: {a: {needs: b c}}", "2:20: `needs` must be a list of tasks, but is the text `b c`", "[b c]"),
    ("tasks: {a: {needs: {b: }}}", "2:20: `needs` must be a list of tasks, but is a mapping", "[add-tokens]"),
    (
        "tasks: {a: {needs: [1]}}",
        "2:21: item 1 of `needs` must be the name of a task, but is the number 1",
        '"1"',
    ),
    ("tasks: {a: {timeout: 45}}", f"2:22: `timeout` must be {DURATION}, but is the number 45", "`45m`"),
    ("tasks: {a: {timeout: 45 m}}", f"2:22: `timeout` must be {DURATION}, but is the text `45 m`", "45m"),
    ("tasks: {a: {timeout: -5m}}", f"2:22: `timeout` must be {DURATION}, but is the text `-5m`", "45m"),
    ("tasks: {a: {timeout: 1h30m}}", f"2:22: `timeout` must be {DURATION}, but is the text `1h30m`", "45m"),
    ("tasks: {a: {timeout: .inf}}", f"2:22: `timeout` must be {DURATION}, but is the number .inf", "45m"),
    ("tasks: {a: {timeout: true}}", f"2:22: `timeout` must be {DURATION}, but is true", "45m"),
    ("tasks: {a: {timeout: }}", f"2:22: `timeout` must be {DURATION}, but is empty (null)", "remove the key"),
    ('tasks: {a: {timeout: "5m\\n"}}', f"2:22: `timeout` must be {DURATION}, but is the text `5m\\n`", "45m"),
    (
        "tasks: {a: {priority: high}}",
        "2:23: `priority` must be a whole number, but is the text `high`",
        ": 5",
    ),
    (
        'tasks: {a: {priority: "5"}}',
        "2:23: `priority` must be a whole number, but is the text `5`",
        "quotes: 5",
    ),
    ("tasks: {a: {priority: true}}", "2:23: `priority` must be a whole number, but is true", "priority: 5"),
    ("tasks: {a: {priority: 1.5}}", "2:23: `priority` must be a whole number, but is the number 1.5", ": 5"),
    (
        "tasks: {a: {priority: .nan}}",
        "2:23: `priority` must be a whole number, but is the number .nan",
        ": 5",
    ),
    ("tasks: {a: {priority: 9999999}}", "2:23: `priority` must be at most 1000000, but is 9999999", ": 5"),
    ("limits: {usd: 0}", "2:15: `usd` must be more than 0, but is 0", "for example `usd: 20`"),
    ("limits: {usd: .nan}", "2:15: `usd` must be a number, but is .nan", "for example `usd: 2`"),
    ("tasks: {a: {prompt: p.md, usd: .nan}}", "2:32: `usd` must be a number, but is .nan", "`usd: 2`"),
    ("limits: {usd: .inf}", "2:15: `usd` must be at most 1000000, but is inf", "for example `usd: 20`"),
    ("limits: {tokens: 1.5}", "2:18: `tokens` must be a whole number of at least 1, but is the", "5000000"),
    ("limits: {cpu: 0.9}", "2:15: `cpu` must be a share such as `90%`, but is the number 0.9", "`cpu: 90%`"),
    ("limits: {cpu: 0%}", "2:15: `cpu` must be a share such as `90%`, but is the text `0%`", "`cpu: 90%`"),
    ("limits: {disk: 2GB}", "2:16: `disk` must be a size such as `512MiB` or `2GiB`, but is", "`disk: 2GiB`"),
    ("prices: {m: {input: 1}}", "2:10: the key `output` of `m` is missing", "write `output: 3.0`"),
    ("prices: {m: {input: -1, output: 1}}", "2:21: `input` must be at least 0, but is -1", "`input: 3.0`"),
    ("prices: {m: {input: .nan, output: 1}}", "2:21: `input` must be a number, but is .nan", "`input: 2`"),
    ("hooks: {task_ended: x}", "2:9: unknown key `task_ended`", "did you mean `task_"),
    ("context: [../x]", "2:11: `../x` does not name a file inside the repository", "`CONVENTIONS.md`"),
    ("tasks: {a: {run: x, review: claude-code}}", "2:21: `review` beside `run`", "remove `review`"),
    (
        "tasks: {a: {prompt: a.md, review: clode}}",
        "2:35: there is no agent `clode`",
        "what can be written here",
    ),
    (
        "tasks: {a: {prompt: a.md, repairs: 11}}",
        "2:36: `repairs` must be at most 10, but is 11",
        "repairs: 1",
    ),
    ("integrate: {on_conflict: ask}", "2:26: `on_conflict` must be one of `retry`, `agent`", "on_conflict"),
    ("limits: {jobs: 0}", "2:16: `jobs` must be at least 1, but is 0", "jobs: 4"),
    (
        "limits: {jobs: true}",
        "2:16: `jobs` must be `auto` or a whole number of at least 1, but is true",
        "jobs: 4",
    ),
    (
        "limits: {jobs: -.inf}",
        "2:16: `jobs` must be `auto` or a whole number of at least 1, but is the",
        "jobs",
    ),
    (
        "limits: {jobs: fast}",
        "2:16: `jobs` must be `auto` or a whole number of at least 1, but is the text",
        "4",
    ),
    ("tasks: {a: {claims: exlusive}}", "2:21: `claims` must be a mapping with `write`", "mean `exclusive`?"),
    (
        "tasks: {a: {claims: [a]}}",
        "2:21: `claims` must be a mapping with `write`, `read` and `shared` or `exclusive`",
        "{",
    ),
    ("tasks: {a: {claims: {write: a}}}", "2:29: `write` must be a list of path patterns", "`write: [a]`"),
    ("tasks: {a: {claims: {write: [1]}}}", "2:30: item 1 of `write` must be a path pattern", 'quotes: "1"'),
    (
        "tasks: {a: {on_drift: on}}",
        "2:23: `on_drift` must be one of `accept`, `rerun`, but is the text",
        "accept",
    ),
    ("tasks: {a: {on_drift: acept}}", "2:23: `on_drift` must be one of", "did you mean `accept`?"),
    ("tasks: {a: {run: ''}}", "2:18: `run` must not be empty", "for example `run: python"),
    ("tasks: {a: {run: 010}}", "2:18: `run` must be a text that is not empty, but is the number 10", '"010"'),
    ("tasks: {a: {run: [a]}}", "2:18: `run` must be a text that is not empty, but is a list", "for example"),
    ("tasks: {a: {env: A}}", "2:18: `env` must be a list of names or a mapping of names to", "`env: [A]`"),
    (
        "tasks: {a: {env: {A: [1]}}}",
        "2:22: `A` must be a text, a number, true or false, but is a list",
        "A: fast",
    ),
    ("tasks: {a: {env: {A: }}}", "2:22: `A` must be a text, a number, true or false, but is empty", "remove"),
    ("tasks: {a: {env: {1A: 1}}}", "2:19: `1A` is not the name of a variable", "`MODE`"),
    (
        "tasks: {a: {env: [A-B]}}",
        "2:19: item 1 of `env` must be the name of a variable, but is the",
        "for example `MODE`",
    ),
    ('tasks: {a: {env: ["A\\n"]}}', "2:19: item 1 of `env` must be the name of a variable", "MODE"),
    (
        "agents: {a: {kind: comand}}",
        "2:20: there is no kind of agent `comand`",
        "`command`?",
    ),
    ("agents: {a: {model: x}}", "2:10: the key `kind` of `a` is missing", "write `kind: claude-code`"),
    ("agents: {a b: {kind: script}}", "2:10: `a b` is not a name of letters, digits", "such as `claude`"),
    ("agents: {a: {kind: command, command: []}}", "2:38: `command` must not be empty", "my-agent"),
    ("agents: {a: {kind: command, command: [a, {task}]}}", "2:42: item 2 of `command` must be", '"{task}"'),
    ("agents: {a: {kind: script, max_turns: 0}}", "2:39: `max_turns` must be at least 1, but is 0", "80"),
    (
        "integrate: {strategy: merg}",
        "2:23: `strategy` must be one of `squash`, `merge`, but is the text `merg`",
        "did you mean `merge`?",
    ),
    (
        "integrate: {into: -x}",
        "2:19: `into` must be the name of a branch, but is the text `-x`",
        "into: main",
    ),
    ("integrate: {into: 'a b'}", "2:19: `into` must be the name of a branch, but is the text `a b`", "main"),
    (
        "integrate: {verify: [a]}",
        "2:21: `verify` must be a text that is not empty or null, but is a",
        "pytest",
    ),
    ("worktrees: {dir: ''}", "2:18: `dir` must not be empty", "../worktrees"),
]


HINTS = [
    ("tasks: {a: {priority: high}}", "for example `priority: 5`"),
    ("tasks: {a: {priority: false}}", "for example `priority: 5`"),
    ("tasks: {a: {priority: }}", "remove the key, or give it a value, for example `priority: 5`"),
    ("tasks: {a: {run: '  '}}", "for example `run: python tools/changelog.py`"),
    ("tasks: {a: {needs: [[b]]}}", "for example `add-tokens`"),
    ("tasks: {a: {env: [A B]}}", "for example `MODE`"),
    ("tasks: {a: {claims: {write: [[b]]}}}", "for example `src/**`"),
    ("tasks: {a: {claims: {write: [{b: 1}]}}}", "for example `src/**`"),
    ("tasks: {a: {claims: {write: {b: }}}}", "for example `write: [src/parser.py]`"),
    ("agents: {a: {kind: command, command: [{a: 1, b: 2}]}}", "for example `--verbose`"),
    (
        "agents: {a: {kind: command, command: 5}}",
        'for example `command: [my-agent, --prompt-file, "{prompt_file}"]`',
    ),
    ("agents: {a: {kind: [x]}}", "for example `kind: claude-code`"),
    ("prompts: ''", "for example `prompts: [prompts/**/*.md]`"),
    ("prompts: '5'", 'write `prompts: ["5"]`'),
    ("prompts: 'a, b'", 'write `prompts: ["a, b"]`'),
    ("prompts: ideas/*.md", "write `prompts: [ideas/*.md]`"),
    ("limits: {jobs: ''}", "for example `jobs: 4`"),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_hints_can_be_copied(text: str, hint: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).hint == hint


def test_values_are_told_as_they_are(tmp_path: Path) -> None:
    assert refusal(tmp_path, "limits: {jobs: ''}").message.endswith("but is an empty text")
    assert refusal(tmp_path, "tasks: {a: {priority: false}}").message.endswith("but is false")
    assert refusal(tmp_path, "tasks: {a: {run: '  '}}").message == "`run` must not be empty"


@pytest.mark.parametrize(("text", "error", "hint"), WRONG, ids=[text for text, _, _ in WRONG])
def test_what_does_not_fit_is_told_in_our_words(text: str, error: str, hint: str, tmp_path: Path) -> None:
    caught = refusal(tmp_path, text)
    assert str(caught).startswith(f"orchestra.yaml:{error}")
    assert hint in (caught.hint or "")
    assert caught.others == ()
    assert "\x1b" not in f"{caught} {caught.hint}"


TOP = [
    ("", "1:1: the manifest must be a mapping, but is empty (null)", "begin with `version: 1`"),
    ("- a", "1:1: the manifest must be a mapping, but is a list", "begin with `version: 1`"),
    ("hello", "1:1: the manifest must be a mapping, but is the text `hello`", "begin with `version: 1`"),
    ("tasks: {}", "1:1: the key `version` is missing", "write `version: 1`"),
    ("version: 2", "1:10: `version` must be `1`, but is the number 2", "`version: 1`"),
    ("version: true", "1:10: `version` must be `1`, but is true", "`version: 1`"),
    ("version: '1'", "1:10: `version` must be `1`, but is the text `1`", "write it without quotes: 1"),
]


@pytest.mark.parametrize(("text", "error", "hint"), TOP)
def test_the_document_as_a_whole(text: str, error: str, hint: str, tmp_path: Path) -> None:
    write(tmp_path, {"orchestra.yaml": text})
    caught = refused(lambda: load(tmp_path))
    assert str(caught) == f"orchestra.yaml:{error}"
    assert hint in (caught.hint or "")


def test_the_first_error_by_position_carries_at_most_ten_others(tmp_path: Path) -> None:
    error = refusal(tmp_path, "tasks: {a: 1}\n" + "\n".join(f"x{n:02}: 1" for n in range(15)))
    assert str(error) == "orchestra.yaml:2:12: `a` must be a mapping, but is the number 1"
    assert [str(other) for other in error.others] == [
        f"orchestra.yaml:{n + 3}:1: unknown key `x{n:02}`" for n in range(10)
    ]


def test_an_installed_wheel_finds_its_schemas(tmp_path: Path) -> None:
    """Hatch puts the folder `schema` into the package: there it is found first, and without a checkout."""
    package = Path(orchestra.__file__).parent
    shutil.copytree(package / "manifest", tmp_path / "orchestra" / "manifest")
    shutil.copytree(package / "model", tmp_path / "orchestra" / "model")
    shutil.copy(package / "__init__.py", tmp_path / "orchestra")
    program = "from orchestra.manifest.schema import schema_text; print(schema_text('orchestra.schema.json'))"

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert "the schema `orchestra.schema.json` is missing" in run().stderr
    write(tmp_path, {"orchestra/schema/orchestra.schema.json": "installed"})
    assert run().stdout == "installed\n"


def test_a_schema_that_is_not_there_is_the_installations_fault() -> None:
    with pytest.raises(OrchestraError) as caught:
        schema_text("nothing.schema.json")
    assert caught.value.status is ExitStatus.ENVIRONMENT
    assert caught.value.hint == "install orchestra again"
