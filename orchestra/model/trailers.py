"""What commits of orchestra say in their last lines, and the message of a commit that keeps an attempt's result."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

TASK_TRAILER = "Orchestra-Task"
KEY_TRAILER = "Orchestra-Key"
ATTEMPT_TRAILER = "Orchestra-Attempt"
READ_TRAILER = "Orchestra-Read"

# The last lines count: whatever an agent's last word says, what follows it is ours.
_RESULT = re.compile(
    rf"\AAttempt [^\n]*\n\n(?P<summary>(?:.*\n\n)?){TASK_TRAILER}: (?P<task>[^\n]+)\n{ATTEMPT_TRAILER}: [^\n]+"
    rf"(?P<reads>(?:\n{READ_TRAILER}: [^\n]+)*)\n*\Z",
    re.DOTALL,
)


def result_message(task: str, attempt: str, summary: str, reads: Sequence[str] = ()) -> str:
    """The message of the commit that keeps what an attempt did: `summary` is the agent's last word, `reads` the files
    that it was seen to read.
    """
    body = f"{summary.strip()}\n\n" if summary.strip() else ""
    # As JSON: a path may hold a newline, or bytes that are no text.
    read = "".join(f"{READ_TRAILER}: {json.dumps(path)}\n" for path in reads)
    return f"Attempt {attempt}\n\n{body}{TASK_TRAILER}: {task}\n{ATTEMPT_TRAILER}: {attempt}\n{read}"


def read_result_message(message: str) -> tuple[str | None, str]:
    """The task (None where the message is none of these) and the summary, from such a message."""
    found = _RESULT.search(message)
    return (found["task"], found["summary"].strip()) if found else (None, "")


def read_reads(message: str) -> tuple[str, ...]:
    """The files that such a message says were read; () where it is none, or one of them is not written as ours are."""
    found = _RESULT.search(message)
    lines = found["reads"].split("\n")[1:] if found else []
    try:
        paths = [json.loads(line.removeprefix(f"{READ_TRAILER}: ")) for line in lines]
    except ValueError:
        return ()
    return tuple(path for path in paths if isinstance(path, str))
