"""What a person may write wrongly: manifests, graphs, claims, prompts and agents, and what is to be said of each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.scratch import Scratch


@dataclass(frozen=True, slots=True)
class Call:
    """How orchestra is called, where it is not just `orchestra build` at the root."""

    argv: tuple[str, ...] = ("build",)
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """Something bad (`make` puts it there), the exit status, and what the error must hold."""

    make: Callable[[Scratch], Call | None]
    said: tuple[str, ...]
    status: int = 2


def case(make: Callable[[Scratch], Call | None], *said: str, status: int = 2) -> Case:
    return Case(make, said, status)


def manifest(text: str | bytes) -> Callable[[Scratch], None]:
    """A manifest of that text, in a repository with a prompt `prompts/one.md`."""

    def make(scratch: Scratch) -> None:
        scratch.prompt("one", "true")
        data = text if isinstance(text, bytes) else text.encode()
        (scratch.root / "orchestra.yaml").write_bytes(data)

    return make


def v1(text: str) -> Callable[[Scratch], None]:
    """A manifest that goes on like this after its version."""
    return manifest(f"version: 1\n{text}\n")


def task_named(name: str) -> Callable[[Scratch], None]:
    return v1(f"tasks:\n  {json.dumps(name)}: {{run: 'true'}}")


def claiming(pattern: str, side: str = "write") -> Callable[[Scratch], None]:
    return v1(f"tasks:\n  two:\n    run: 'true'\n    claims: {{{side}: [{json.dumps(pattern)}]}}")


def prompting(path: str) -> Callable[[Scratch], None]:
    return v1(f"tasks:\n  two: {{prompt: {json.dumps(path)}, agent: script}}")


# --- the manifest --------------------------------------------------------------------------------------------


def manifest_is_a_folder(scratch: Scratch) -> None:
    (scratch.root / "orchestra.yaml").mkdir()


def manifest_is_a_pipe(scratch: Scratch) -> None:
    os.mkfifo(scratch.root / "orchestra.yaml")


def manifest_leads_nowhere(scratch: Scratch) -> None:
    (scratch.root / "orchestra.yaml").symlink_to("nowhere.yaml")


ALIAS_BOMB = "version: 1\na: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

MANIFESTS = {
    "empty": case(manifest(b""), "orchestra.yaml", "empty", "version: 1"),
    "only a comment": case(manifest("# later\n"), "orchestra.yaml", "empty", "version: 1"),
    "a folder": case(manifest_is_a_folder, "`orchestra.yaml` is a folder"),
    "a pipe": case(manifest_is_a_pipe, "`orchestra.yaml` is not a regular file"),
    "a link to nowhere": case(manifest_leads_nowhere, "there is no file `orchestra.yaml`"),
    "NUL": case(manifest(b"version: 1\nprompts: [a\0b]\n"), "orchestra.yaml:2:12: a NUL byte"),
    "UTF-16": case(manifest("version: 1\n".encode("utf-16")), "orchestra.yaml:1:1: the file is UTF-16"),
    "Latin-1": case(manifest(b"version: 1\n# \xe4\n"), "orchestra.yaml:2:3:", "UTF-8"),
    "ESC": case(manifest("version: 1\n# \x1b[31m\n"), "orchestra.yaml:2:3:"),
    "6 MiB": case(manifest(b"version: 1\n#" + b"x" * (6 * 2**20)), "larger than 5 MiB"),
    "alias bomb": case(manifest(ALIAS_BOMB), "orchestra.yaml:2:4:"),
    "5,000 levels": case(v1("tasks: " + "[" * 5000 + "]" * 5000), "orchestra.yaml:2:39:", "32"),
    "a Python object": case(
        v1("tasks: !!python/object/apply:os.system ['touch harmed']"), "orchestra.yaml:2:8:"
    ),
    "key twice": case(v1("context: []\ncontext: [a]"), "orchestra.yaml:3:1:", "`context`"),
    "unknown key": case(v1("taks: {}"), "orchestra.yaml:2:1:", "did you mean `tasks`?"),
    "unknown key of a task": case(
        v1("tasks:\n  one: {promt: prompts/one.md}"), "orchestra.yaml:3:9:", "did you mean `prompt`?"
    ),
    "a list": case(manifest("- version: 1\n"), "orchestra.yaml:1:1:"),
    "two documents": case(manifest("version: 1\n---\nversion: 1\n"), "orchestra.yaml:2:1:"),
    "not YAML": case(v1("tasks: [a\nb: c"), "orchestra.yaml:"),
    "a date for a number": case(v1("defaults: {priority: 2026-01-01}"), "orchestra.yaml:2:22:", "2026-01-01"),
    "infinite": case(v1("defaults: {retries: .inf}"), "orchestra.yaml:2:21:", ".inf"),
    "a negative duration": case(v1("defaults: {timeout: -5m}"), "orchestra.yaml:2:21:", "-5m"),
    "a duration without end": case(v1("defaults: {timeout: " + "9" * 400 + "h}"), "orchestra.yaml:2:21:"),
    "NaN": case(v1("defaults: {priority: .nan}"), "orchestra.yaml:2:22:", ".nan"),
    "negative": case(v1("limits: {jobs: -1}"), "orchestra.yaml:2:16:", "-1"),
    "negative retries": case(v1("defaults: {retries: -1}"), "orchestra.yaml:2:"),
    "bool for a number": case(v1("defaults: {priority: true}"), "orchestra.yaml:2:22:", "true"),
    "abc for a duration": case(v1("defaults: {timeout: abc}"), "orchestra.yaml:2:21:", "abc", "45m"),
    "text for a list": case(v1("tasks: {one: {prompt: prompts/one.md, needs: two}}"), "orchestra.yaml:2:46:"),
    "newer version": case(manifest("version: 2\n"), "orchestra.yaml:1:10:", "upgrade"),
    "20,001 tasks": case(
        v1("tasks:\n" + "".join(f"  t{n}: {{run: x}}\n" for n in range(20_001))),
        "orchestra.yaml:2:1: 20,001 tasks, at most 20,000",
    ),
}

# --- the graph -----------------------------------------------------------------------------------------------

CIRCLE = "tasks:\n  a: {run: x, needs: [b]}\n  b: {run: x, needs: [c]}\n  c: {run: x, needs: [a]}"
GRAPHS = {
    "circle": case(v1(CIRCLE), "orchestra.yaml:3:", "a → b → c → a"),
    "needs itself": case(v1("tasks:\n  a: {run: x, needs: [a]}"), "orchestra.yaml:3:23:", "itself"),
    "unknown need": case(v1("tasks:\n  a: {run: x, needs: [oen]}"), "orchestra.yaml:3:23:", "`oen`", "`one`"),
    "name -x": case(task_named("-x"), "orchestra.yaml:3:3:", "`-x`"),
    "name ../x": case(task_named("../x"), "orchestra.yaml:3:3:", "`../x`"),
    "name with newline": case(task_named("a\nb"), "orchestra.yaml:3:3:", r"`a\nb`"),
    "name with ESC": case(task_named("a\x1b[31mb"), "orchestra.yaml:3:3:", r"\x1b"),
    "name with a right-to-left mark": case(task_named("a\u200fb"), "orchestra.yaml:3:3:", "U+200F"),
    "name with an override": case(task_named("a\u202eb"), "orchestra.yaml:3:3:", "U+202E"),
    "name $(id)": case(task_named("$(id)"), "orchestra.yaml:3:3:", "`$(id)`"),
    "empty name": case(task_named(""), "orchestra.yaml:3:3:", "empty"),
    "twins by case": case(v1("tasks:\n  fix: {run: x}\n  Fix: {run: x}"), "orchestra.yaml:4:3:", "case"),
    "twins by Unicode form": case(
        v1('tasks:\n  "caf\\u00e9": {run: x}\n  "cafe\\u0301": {run: x}'), "orchestra.yaml:4:3:", "Unicode"
    ),
    "name of 300 characters": case(task_named("x" * 300), "orchestra.yaml:3:3:", "200"),
    "name of 10,000 characters": case(
        task_named("x" * 10_000), "orchestra.yaml:3:10005:", "1,000 characters"
    ),
}

# --- claims --------------------------------------------------------------------------------------------------


def claim_through_a_link_out(scratch: Scratch) -> None:
    (scratch.root / "out").symlink_to(scratch.home)
    claiming("out/x.txt")(scratch)
    scratch.commit()


def claim_through_a_circle(scratch: Scratch) -> None:
    (scratch.root / "a").symlink_to("b")
    (scratch.root / "b").symlink_to("a")
    claiming("a/x.txt")(scratch)
    scratch.commit()


def claim_in_a_submodule(scratch: Scratch) -> None:
    (scratch.root / "vendor").mkdir()
    scratch.git("update-index", "--add", "--cacheinfo", f"160000,{scratch.head()},vendor")
    scratch.git("commit", "--quiet", "--message", "submodule")
    claiming("vendor/x.txt")(scratch)


AT = "orchestra.yaml:5:22:"
CLAIMS = {
    "absolute": case(claiming("/etc/passwd"), AT, "/etc/passwd"),
    "upwards": case(claiming("../x"), AT, "../x"),
    "upwards in the middle": case(claiming("src/../../x"), AT),
    ".git": case(claiming(".git/config"), AT),
    ".GIT": case(claiming("src/.GIT/config"), AT),
    ".git by a short name": case(claiming("git~1/config"), AT),
    ".git with a character that is ignored": case(claiming(".g\u200cit/config"), AT),
    ".git with a point at its end": case(claiming(".git./config"), AT),
    ".git with a space at its end": case(claiming(".git /config"), AT),
    ".git by its stream": case(claiming(".git::$INDEX_ALLOCATION/config"), AT),
    "GIT~1": case(claiming("src/GIT~1/config"), AT),
    "nothing": case(claiming(""), AT),
    "a newline": case(claiming("a\nb"), AT),
    "backslash": case(claiming("src\\x"), AT, "backslash"),
    "protected": case(claiming(".github/workflows/x.yml"), AT, "protected", "allow_protected"),
    "the manifest": case(claiming("orchestra.yaml"), AT, "protected"),
    "the lock entries": case(claiming(".orchestra/lock/one.json"), AT),
    "negated": case(claiming("!src"), AT),
    "5,000 stars": case(claiming("*" * 5000), AT),
    "2,500 stars between letters": case(claiming("*a" * 2500, "read"), "orchestra.yaml:5:21:"),
    "ESC": case(claiming("a\x1b[31mb"), AT),
    "through a link that leads out": case(claim_through_a_link_out, "orchestra.yaml:3:3:", "`out/x.txt`"),
    "through a circle of links": case(claim_through_a_circle, "orchestra.yaml:3:3:", "`a/x.txt`"),
    "in a submodule": case(claim_in_a_submodule, "orchestra.yaml:3:3:", "`vendor/x.txt`", "submodule"),
}

# --- prompts, agents, environment ----------------------------------------------------------------------------


def prompt_that_leads_out(scratch: Scratch) -> None:
    (scratch.home / "secret.md").write_text("# Secret\n")
    scratch.write("prompts/one.md", "# One\n")
    (scratch.root / "prompts" / "two.md").symlink_to(scratch.home / "secret.md")
    prompting("prompts/two.md")(scratch)


def prompt_found_that_leads_out(scratch: Scratch) -> None:
    (scratch.home / "secret.md").write_text("# Secret\n")
    scratch.prompt("one", "true")
    (scratch.root / "prompts" / "two.md").symlink_to(scratch.home / "secret.md")


def folder_of_prompts_that_leads_out(scratch: Scratch) -> None:
    outside = scratch.home / "elsewhere"
    outside.mkdir()
    (outside / "two.md").write_text("# Secret\n")
    (scratch.root / "docs").symlink_to(outside)
    prompting("docs/two.md")(scratch)


def binary_prompt(scratch: Scratch) -> None:
    scratch.write("prompts/x", "")
    (scratch.root / "prompts" / "one.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")


def huge_prompt(scratch: Scratch) -> None:
    # Sparse: it takes no room on the disk.
    with scratch.write("prompts/one.md", "# One\n").open("r+b") as file:
        file.truncate(100 * 2**20)


def prompt_that_is_a_pipe(scratch: Scratch) -> None:
    prompting("prompts/two.md")(scratch)
    os.mkfifo(scratch.root / "prompts" / "two.md")


def prompt_of_a_wild_name(scratch: Scratch) -> None:
    scratch.prompt("a\x1b[31mb\nc", "true")


def front_matter(text: str) -> Callable[[Scratch], None]:
    def make(scratch: Scratch) -> None:
        scratch.write("prompts/one.md", f"---\n{text}\n---\n# One\n")

    return make


def agent(description: str) -> Callable[[Scratch], None]:
    text = f"agents:\n  mine: {description}\ntasks:\n  one: {{prompt: prompts/one.md, agent: mine}}"
    return v1(text)


def agent_without_the_right_to_run(scratch: Scratch) -> None:
    program = scratch.home / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)
    agent(f"{{kind: command, command: [{program}]}}")(scratch)


PROMPTS = {
    "missing": case(prompting("prompts/nowhere.md"), "orchestra.yaml:3:17:", "`prompts/nowhere.md`"),
    "nearly right": case(prompting("prompts/oen.md"), "orchestra.yaml:3:17:", "`prompts/one.md`"),
    "outside": case(prompting("../secret.md"), "orchestra.yaml:3:17:", "inside the repository"),
    "absolute": case(prompting("/etc/passwd"), "orchestra.yaml:3:17:", "inside the repository"),
    "in .git": case(prompting(".git/description"), "orchestra.yaml:3:17:", "git"),
    "a folder": case(prompting("prompts"), "orchestra.yaml:3:17:", "folder"),
    "a pipe": case(prompt_that_is_a_pipe, "prompts/two.md"),
    "a link that leads out": case(prompt_that_leads_out, "prompts/two.md"),
    "a found link that leads out": case(prompt_found_that_leads_out, "prompts/two.md"),
    "a linked folder that leads out": case(folder_of_prompts_that_leads_out, "docs/two.md"),
    "binary": case(binary_prompt, "prompts/one.md:1:1:"),
    "100 MiB": case(huge_prompt, "prompts/one.md"),
    "a wild name": case(prompt_of_a_wild_name, r"prompts/a\x1b[31mb\nc.md"),
    "front matter that executes": case(front_matter("check: rm -rf ."), "prompts/one.md:2:1:", "check"),
    "front matter with another need": case(front_matter("needs: [two]"), "prompts/one.md:2:9:", "two"),
}
AGENTS = {
    "unknown": case(v1("defaults: {agent: cluade-code}"), "orchestra.yaml:2:19:", "`claude-code`"),
    "not installed": case(
        agent("{kind: command, command: [no-such-program]}"), "no-such-program", "one", status=3
    ),
    "at a path where nothing is": case(
        agent("{kind: command, command: [/no/such/program]}"), "/no/such/program", status=3
    ),
    "may not be executed": case(agent_without_the_right_to_run, "tool", status=3),
    "empty command": case(agent("{kind: command, command: []}"), "orchestra.yaml:3:"),
    "empty name of a program": case(agent('{kind: command, command: [""]}'), "orchestra.yaml:3:35:", "empty"),
    "no command": case(agent("{kind: command}"), "orchestra.yaml:3:3:", "`command`"),
    "unknown placeholder": case(
        agent('{kind: command, command: [cat, "{promptfile}"]}'), "orchestra.yaml:3:40:", "{prompt_file}"
    ),
    "env passes LD_PRELOAD": case(
        agent("{kind: command, command: [x], env: [LD_PRELOAD]}"), "orchestra.yaml:3:45:", "LD_PRELOAD"
    ),
    "env passes GIT_DIR": case(agent("{kind: script, env: [GIT_DIR]}"), "orchestra.yaml:3:30:", "GIT_DIR"),
    "env sets GIT_DIR": case(
        v1("tasks:\n  one: {run: x, env: {GIT_DIR: /tmp}}"), "orchestra.yaml:3:23:", "GIT_DIR"
    ),
    "env sets LD_PRELOAD": case(
        v1("tasks:\n  one: {run: x, env: {LD_PRELOAD: /tmp/x.so}}"), "orchestra.yaml:3:23:", "LD_PRELOAD"
    ),
}
