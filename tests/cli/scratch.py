"""A scratch repository of a person, and orchestra called in it as they would call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.forking import server

PATIENCE = 120.0
"""Seconds that a call may take."""


@dataclass(frozen=True, slots=True)
class Called:
    """What a call of orchestra printed and how it ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that `--json` printed."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def finished(self) -> dict[str, Any]:
        """The last event."""
        assert self.stdout, self.stderr
        last = self.events[-1]
        assert last["event"] == "build_finished"
        return last

    def named(self, event: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [item for item in self.events if item["event"] == event]


@dataclass
class Scratch:
    """A repository below `home`, with an environment in which nothing of the machine's person is seen."""

    home: Path
    name: str = "project"
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.home / self.name
        self.root.mkdir(parents=True)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "ORCHESTRA_", "XDG_", "CLAUDE"))
        }
        self.env = {
            **inherited,
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.env,
        }
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "A Person")
        self.git("config", "user.email", "person@example.org")

    def git(self, *argv: str, check: bool = True) -> str:
        """Run git in the repository; gives what it printed."""
        done = subprocess.run(
            ["git", *argv], cwd=self.root, env=self.env, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"git {argv}: {done.stderr}")
        return done.stdout.strip()

    def write(self, path: str, text: str) -> Path:
        """Write a file of the checkout."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, path: str) -> str:
        """Read a file of the checkout."""
        return (self.root / path).read_text()

    def prompt(self, name: str, script: str, title: str | None = None, **front: Any) -> None:
        """Write a prompt for the `script` agent that runs a shell script; `front` is its front matter."""
        head = "".join(f"{key}: {json.dumps(value)}\n" for key, value in {"agent": "script", **front}.items())
        body = f"---\n{head}---\n# {title or name}\n\n```sh\n{script}\n```\n"
        self.write(f"prompts/{name}.md", body)

    def commit(self, message: str = "work") -> str:
        """Commit all; gives the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def orchestra(
        self, *argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, own: bool = False
    ) -> Called:
        """Call orchestra to its end; `own`: as a process of its own, also where a fork would do."""
        whole = {**self.env, **(env or {})}
        if not own and server().fits(whole):
            status, stdout, stderr = server().call(argv, cwd or self.root, whole, PATIENCE)
            return Called(status, *(_text(printed) for printed in (stdout, stderr)))
        done = subprocess.run(
            [sys.executable, "-m", "orchestra", *argv],
            cwd=cwd or self.root,
            env=whole,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        return Called(done.returncode, done.stdout, done.stderr)

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start orchestra and go on."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestra", *argv],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def head(self) -> str:
        """The commit of the branch."""
        return self.git("rev-parse", "HEAD")

    def lineage(self) -> set[str]:
        """All local branches."""
        return set(self.git("for-each-ref", "--format=%(refname)", "refs/heads").split())

    def everything(self) -> dict[str, str]:
        """All that a null build must not change: files outside the state folder, refs, and the index."""
        return {
            str(path.relative_to(self.root)): path.read_bytes().hex()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not path.is_relative_to(self.root / ".git" / "orchestra")
        }


def _text(printed: bytes) -> str:
    # As `subprocess` gives it.
    return printed.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
