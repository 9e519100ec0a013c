"""Runs the fenced `sh` and `python` blocks of a Markdown file in order: `script_runner.py FILE`.

A program of its own that needs nothing but the standard library (python -I -S). Promises: `sh` blocks run with
`sh -e`, `python` blocks with the `python3` on PATH (else the one that runs this), each in the current directory
with an empty standard input; the first block that fails ends it with that block's exit status (128 + N for signal
N) and a line on standard error that names block and place; without any block, and for a file that cannot be
read, the exit status is 2. Fences are read as CommonMark 0.31 says (sections 4.5 and 4.6, HTML comments).
"""

# Not pathlib: it costs more to import than all the rest of this program.
# ruff: noqa: PTH113, PTH118, PTH123

from __future__ import annotations

import os
import signal
import sys

LONGEST = 120_000
"""Bytes of a block: Linux takes at most 128 KiB in one argument."""

# Run by `python3 -c`, so that the current directory can be imported from, as in a person's own session. Its
# arguments (lines before the block, text, name) are taken away, and tracebacks name the prompt's file and line.
BOOT = 'import sys; exec(compile("\\n" * int(sys.argv.pop(1)) + sys.argv.pop(1), sys.argv.pop(1), "exec"))'


class Block:
    """One fenced block: its language, its text, and the line in the file (from 1) at which its fence opens."""

    def __init__(self, language: str, line: int) -> None:
        self.language = language
        self.line = line
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        """The lines within the fence, without its indentation."""
        return "".join(line + "\n" for line in self.lines)


def opening(line: str) -> tuple[int, str, str] | None:
    """The fence that `line` opens: indentation, the fence itself, its info string; None where it opens none."""
    body = line.lstrip(" ")
    indent = len(line) - len(body)
    mark = body[:1]
    if indent > 3 or mark not in ("`", "~") or not body.startswith(mark * 3):
        return None
    info = body.lstrip(mark)
    if mark == "`" and "`" in info:  # that is inline code, not a fence
        return None
    return indent, body[: len(body) - len(info)], info.strip(" \t")


def closes(line: str, fence: str) -> bool:
    """Whether `line` closes a block that `fence` opened."""
    body = line.lstrip(" ")
    run = body.rstrip(" \t")
    return len(line) - len(body) <= 3 and len(run) >= len(fence) and run == fence[0] * len(run)


def blocks(text: str) -> list[Block]:
    """The fenced `sh` and `python` blocks of a Markdown text, in order. A fence that nothing closes reaches to
    the end; what stands in an HTML comment is no block.
    """
    found: list[Block] = []
    block: Block | None = None
    fence, indent, comment = "", 0, False
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if block is not None:
            if closes(line, fence):
                block = None
            else:
                block.lines.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
            continue
        body = line.lstrip(" ")
        if not comment and len(line) - len(body) <= 3 and body.startswith("<!--"):
            comment = True
        if comment:
            comment = "-->" not in line
            continue
        opened = opening(line)
        if opened is not None:
            indent, fence, info = opened
            block = Block(info.split()[0] if info else "", number)
            found.append(block)
    return [each for each in found if each.language in ("sh", "python")]


def which(program: str) -> str | None:
    """The first executable file of that name on PATH (shutil's would double the time to start)."""
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(directory or ".", program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def command(block: Block, path: str) -> list[str]:
    """The command line that runs one block of the file at `path`."""
    place = f"{path}:{block.line}"
    if block.language == "sh":
        return ["sh", "-e", "-c", "--", block.text, place]
    return [which("python3") or sys.executable, "-c", BOOT, str(block.line), block.text, path]


def run(block: Block, path: str) -> int:
    """Runs one block and gives its exit status, as a shell would."""
    sys.stdout.flush()
    argv = command(block, path)
    # spawnvp, not subprocess: importing that costs more than all the rest of this program.
    status = os.spawnvp(os.P_WAIT, argv[0], argv)
    return 128 - status if status < 0 else status


def main(arguments: list[str]) -> int:
    """The whole program; its exit status."""
    if len(arguments) != 1:
        print("usage: script_runner.py PROMPT_FILE", file=sys.stderr)
        return 2
    path = arguments[0]
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            todo = blocks(file.read())
    except OSError as error:
        print(f"script: {path}: {error.strerror}", file=sys.stderr)
        return 2
    if not todo:
        print(f"script: {path}: no fenced sh or python block to run", file=sys.stderr)
        return 2
    names = [
        f"script: {path}:{b.line}: block {n} of {len(todo)} ({b.language})" for n, b in enumerate(todo, 1)
    ]
    for name, block in zip(names, todo, strict=True):
        if len(os.fsencode(block.text)) > LONGEST or "\0" in block.text:
            print(
                f"{name} is over {LONGEST} bytes or holds a NUL: put it into a file of its own",
                file=sys.stderr,
            )
            return 2
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # Python ignores these two and its children would inherit that: `yes | head` must end as in a shell.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    for name, block in zip(names, todo, strict=True):
        status = run(block, path)
        if status != 0:
            print(f"{name} failed with exit status {status}", file=sys.stderr)
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
