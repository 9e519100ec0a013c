"""The one builder of git commands: hermetic, never prompting, every flag with its reason beside it.

Git is called through `subprocess` (a call through `sh` costs 3.5 to 4 times as much).
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestra.model.errors import ExitStatus, OrchestraError, environment_error
from orchestra.model.text import clean

MINIMUM_GIT = (2, 38)
"""The first version with `merge-tree --write-tree`."""

FLAGS = (
    # A person's hooks must not run when orchestra commits, merges or checks out.
    "-c", "core.hooksPath=/dev/null",
    # A file system monitor is a daemon that would outlive the build and watch every slot.
    "-c", "core.fsmonitor=false",
    # A bare repository planted inside a worktree must not be taken for the real one.
    "-c", "safe.bareRepository=explicit",
    # Housekeeping in the middle of a build may drop what no ref names yet.
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    # Line-ending warnings must not turn a capture into a failure.
    "-c", "core.safecrlf=false",
    # Paths are read with -z, messages never parsed; advice only lengthens errors.
    "-c", "advice.detachedHead=false",
    # Messages are written in UTF-8, whatever the person's setting.
    "-c", "i18n.commitEncoding=UTF-8",
    # A pager or an editor would wait for a person.
    "--no-pager",
)  # fmt: skip

OWN_FLAGS = (
    # For indexes and worktrees that are orchestra's own, whatever the person set for theirs.
    # Slots are full worktrees also where the person's own is sparse.
    "-c", "core.sparseCheckout=false",
    # A copy of an index must stand for itself.
    "-c", "core.splitIndex=false",
    # What was untracked when an index was copied says nothing of today.
    "-c", "core.untrackedCache=false",
    # With `true`, no change to a tracked file would ever be seen.
    "-c", "core.ignoreStat=false",
    # A file changed and given its old time back is told by these two.
    "-c", "core.trustctime=true",
    "-c", "core.checkStat=default",
    # What lies in submodules is neither reset nor captured by git's own recursion.
    "-c", "submodule.recurse=false",
    # A file that cannot be added must fail the capture.
    "-c", "add.ignoreErrors=false",
    # Slots are found by the absolute path that git notes.
    "-c", "worktree.useRelativePaths=false",
)  # fmt: skip

LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX",
)
"""What `git rev-parse --local-env-vars` prints: set by a hook or an alias, they would point git elsewhere."""

READING_VARIABLES = (
    # These change what a path on the command line means, and where attributes come from.
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_ATTR_SOURCE",
)
"""What a person may have set for their own git, and ours must not heed."""

OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""The name of an object, in full: SHA-1 or SHA-256."""

SHOWN = 200
"""Characters of a command line that an error shows."""


class GitFailedError(OrchestraError):
    """A git command failed; says which, how, and what it printed. `stderr` is as git wrote it; `may_pass` tells
    whether the same command may well succeed in a moment: it was killed, or got no process or memory.
    """

    def __init__(self, argv: tuple[str, ...], status: int, stderr: str) -> None:
        words = clean(" ".join(argv))
        shown = words if len(words) <= SHOWN else words[:SHOWN] + "…"
        how = f"ended with status {status}" if status >= 0 else f"was killed by signal {-status}"
        lines = clean(stderr, newlines=True).split("\n")
        causes = tuple(line for line in lines if line.strip())
        super().__init__(f"`git {shown}` {how}", ExitStatus.ENVIRONMENT, causes=causes)
        self.stderr = stderr
        self.may_pass = status < 0 or any(words in stderr for words in _PASSING_WORDS)


PASSING = frozenset((errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY))
"""What the machine says where it has no process, memory or descriptor to give just now, or a program is being
exchanged. A full disk is not among them: nobody makes room within seconds.
"""

_PASSING_WORDS = (*map(os.strerror, sorted(PASSING)), "ut of memory", ".lock': File exists")
"""What git prints where one of these stopped it, or another git was at work in the same place."""


def may_pass(error: BaseException | None) -> bool:
    """Whether an error, or one that it comes from, is of a kind that may be over in a moment."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in PASSING:
            return True
        if isinstance(error, GitFailedError) and error.may_pass:
            return True
        error = error.__cause__
    return False


@dataclass(frozen=True, slots=True)
class Completed:
    """What a git command printed and how it ended; `stderr` is as git wrote it, unfit for a terminal."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text, without the newline at its end; odd bytes as surrogate escapes."""
        return decode(self.stdout).rstrip("\n")


def decode(raw: bytes) -> str:
    """Bytes of git as text, such that `encode` gives the same bytes again."""
    return raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The inverse of `decode`."""
    return text.encode("utf-8", "surrogateescape")


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """A person's environment without the variables that bind git to one repository."""
    return {
        name: value
        for name, value in environ.items()
        if name not in LOCAL_VARIABLES and not name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }


class GitCommand:
    """Runs git in one directory. Identity, SSH and credential settings of the person stay in force."""

    def __init__(self, directory: Path, environ: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self._flags: tuple[str, ...] = FLAGS
        self._environ = clean_environment(os.environ if environ is None else environ)
        for name in READING_VARIABLES:
            self._environ.pop(name, None)
        self._environ |= {
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_EDITOR": "true",
            # Reading must never rewrite the person's index.
            "GIT_OPTIONAL_LOCKS": "0",
            # What an object id stands for must not change because an agent called `git replace`.
            "GIT_NO_REPLACE_OBJECTS": "1",
        }

    def at(
        self, directory: Path, *, flags: tuple[str, ...] = (), env: Mapping[str, str] | None = None
    ) -> GitCommand:
        """The same in another directory, with more flags and variables."""
        other = GitCommand.__new__(GitCommand)
        other.directory = directory
        other._flags = (*self._flags, *flags)
        other._environ = {**self._environ, **(env or {})}
        return other

    def run(
        self,
        *argv: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        allow: tuple[int, ...] = (0,),
    ) -> Completed:
        """Run one git command to its end.

        `allow` are the exit statuses that are no failure. Raises GitFailedError on any other, and
        OrchestraError where git or the directory is not there.
        """
        command = ["git", *self._flags, *argv]
        try:
            done = subprocess.run(
                [encode(word) for word in command],
                input=stdin,
                capture_output=True,
                cwd=self.directory,
                env={**self._environ, **(env or {})},
                check=False,
                # The terminal's Ctrl-C is for orchestra to handle: git finishes what it began.
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if not self.directory.is_dir():
                raise _no_directory(self.directory, "is not a directory") from error
            raise environment_error("git is not installed", hint="install git 2.38 or newer") from error
        except NotADirectoryError as error:
            raise _no_directory(self.directory, "is not a directory") from error
        except PermissionError as error:
            raise _no_directory(self.directory, f"cannot be used: {error.strerror}") from error
        except OSError as error:
            raise environment_error(f"cannot run git {argv[0]}", causes=(str(error.strerror),)) from error
        stderr = decode(done.stderr)
        if done.returncode not in allow:
            raise GitFailedError(argv, done.returncode, stderr)
        return Completed(done.returncode, done.stdout, stderr)


def _no_directory(directory: Path, why: str) -> OrchestraError:
    return environment_error(f"{directory} {why}", hint="give the path of a folder inside a git repository")
