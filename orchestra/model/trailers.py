"""What commits of orchestra say in their last lines, and the message of a commit that keeps an attempt's result."""

from __future__ import annotations

import re

TASK_TRAILER = "Orchestra-Task"
KEY_TRAILER = "Orchestra-Key"
ATTEMPT_TRAILER = "Orchestra-Attempt"

# The last lines count: whatever an agent's last word says, what follows it is ours.
_RESULT = re.compile(
    rf"\AAttempt [^\n]*\n\n(?P<summary>(?:.*\n\n)?){TASK_TRAILER}: (?P<task>[^\n]+)\n{ATTEMPT_TRAILER}: [^\n]+\n*\Z",
    re.DOTALL,
)


def result_message(task: str, attempt: str, summary: str) -> str:
    """The message of the commit that keeps what an attempt did: `summary` is the agent's last word."""
    body = f"{summary.strip()}\n\n" if summary.strip() else ""
    return f"Attempt {attempt}\n\n{body}{TASK_TRAILER}: {task}\n{ATTEMPT_TRAILER}: {attempt}\n"


def read_result_message(message: str) -> tuple[str | None, str]:
    """The task (None where the message is none of these) and the summary, from such a message."""
    found = _RESULT.search(message)
    return (found["task"], found["summary"].strip()) if found else (None, "")
