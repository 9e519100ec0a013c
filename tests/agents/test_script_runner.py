"""The script runner: which blocks it finds, and what running them does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.agents.script import RUNNER
from orchestra.agents.script_runner import LONGEST, blocks

# A Markdown text, and what is found in it: language, line of the fence, text.
FENCES: dict[str, tuple[str, list[tuple[str, int, str]]]] = {
    "none": ("# Title\n\nWords.\n", []),
    "empty": ("", []),
    "backticks": ("a\n```sh\nx\n```\n", [("sh", 2, "x\n")]),
    "tildes": ("~~~python\nx\n~~~\n", [("python", 1, "x\n")]),
    "both, in order": ("```python\na\n```\n\n~~~sh\nb\n~~~\n", [("python", 1, "a\n"), ("sh", 5, "b\n")]),
    "other languages": ("```bash\na\n```\n```\nb\n```\n```text\nc\n```\n```python3\nd\n```\n", []),
    "empty block": ("```sh\n```\n", [("sh", 1, "")]),
    "more words": ("```sh title=x\na\n```\n", [("sh", 1, "a\n")]),
    "space before the word": ("```   sh\na\n```\n", [("sh", 1, "a\n")]),
    "not quite the word": ("```sh,x\na\n```\n```SH\nb\n```\n", []),
    "three spaces": ("   ```sh\n   a\n     b\n c\n   ```\n", [("sh", 1, "a\n  b\nc\n")]),
    "four spaces are code": ("    ```sh\n    a\n    ```\n", []),
    "a tab is code": ("\t```sh\n\ta\n\t```\n", []),
    "two marks are no fence": ("``sh\na\n``\n", []),
    "longer fence holds shorter": ("````sh\n```\na\n```\n````\n", [("sh", 1, "```\na\n```\n")]),
    "longer fence closes": ("```sh\na\n`````  \nb\n", [("sh", 1, "a\n")]),
    "other mark does not close": ("```sh\na\n~~~\nb\n```\n", [("sh", 1, "a\n~~~\nb\n")]),
    "words do not close": ("```sh\n``` x\na\n```\n", [("sh", 1, "``` x\na\n")]),
    "four spaces do not close": ("```sh\na\n    ```\n```\n", [("sh", 1, "a\n    ```\n")]),
    "inline code is no fence": ("```sh``` is a word\n\na\n", []),
    "a tilde fence may name backticks": ("~~~sh `x`\na\n~~~\n", [("sh", 1, "a\n")]),
    "a block within another": ("````text\n```sh\nrm x\n```\n````\n", []),
    "after a paragraph": ("words\n```sh\na\n```\nwords\n", [("sh", 2, "a\n")]),
    "unclosed": ("```sh\na\nb", [("sh", 1, "a\nb\n")]),
    "carriage returns": ("```sh\r\na\r\n```\r\n~~~sh\rb\r~~~\r", [("sh", 1, "a\n"), ("sh", 4, "b\n")]),
    "no line end but the usual ones": ("```sh\na\x0bb\u2028c\n```\n", [("sh", 1, "a\x0bb\u2028c\n")]),
    "comment": ("<!--\n```sh\na\n```\n-->\n```sh\nb\n```\n", [("sh", 6, "b\n")]),
    "comment in one line": ("<!-- x -->\n```sh\nb\n```\n", [("sh", 2, "b\n")]),
    "no comment within a block": (
        "```sh\n<!--\n```\n```sh\nb\n```\n",
        [("sh", 1, "<!--\n"), ("sh", 4, "b\n")],
    ),
}


@pytest.mark.parametrize("name", FENCES)
def test_fences(name: str) -> None:
    text, found = FENCES[name]
    assert [(block.language, block.line, block.text) for block in blocks(text)] == found


def run(tmp_path: Path, prompt: str | bytes, **env: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "prompt.md"
    file.write_bytes(prompt if isinstance(prompt, bytes) else prompt.encode())
    worktree = tmp_path / "worktree"
    worktree.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-I", "-S", RUNNER, str(file)],
        cwd=worktree,
        check=False,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,  # open, as it must not be
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_blocks_run_in_order_in_the_current_directory(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "# Do it\n```sh\nprintf 'value = 7\\n' > mod.py\necho one\n```\nthen\n"
        "```python\nimport mod, sys\nprint(mod.value, sys.argv, __name__)\n```\n~~~sh\ncat; echo three\n~~~\n",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "one\n7 ['-c'] __main__\nthree\n"
    assert (tmp_path / "worktree" / "mod.py").is_file()


@pytest.mark.parametrize(
    ("block", "status", "said"),
    [
        ("```sh\nfalse\necho not here\n```\n", 1, ""),
        ("```sh\nexit 7\n```\n", 7, ""),
        ("```sh\nkill -9 $$\n```\n", 137, ""),
        ("```sh\nno-such-command-at-all\n```\n", 127, "prompt.md:4: "),
        ("```python\nraise SystemExit(3)\n```\n", 3, ""),
        ("```python\n\n1 / 0\n```\n", 1, 'prompt.md", line 6'),
        ("```python\nif\n```\n", 1, 'prompt.md", line 5'),
    ],
)
def test_the_first_failing_block_ends_it_and_is_named(
    tmp_path: Path, block: str, status: int, said: str
) -> None:
    done = run(tmp_path, "```sh\necho first\n```\n" + block + "```sh\necho never\n```\n")
    assert (done.returncode, done.stdout) == (status, "first\n")
    assert said in done.stderr
    language = "sh" if block.startswith("```sh") else "python"
    assert done.stderr.endswith(
        f"prompt.md:4: block 2 of 3 ({language}) failed with exit status {status}\n"
    ), done.stderr


def test_nothing_to_run(tmp_path: Path) -> None:
    done = run(tmp_path, "# Title\n```text\nx\n```\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no fenced sh or python block" in done.stderr


def test_no_file(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", RUNNER, str(tmp_path / "none.md")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "No such file" in done.stderr and "Traceback" not in done.stderr
    assert subprocess.run(command[:-1], check=False, capture_output=True, timeout=60).returncode == 2


def test_a_block_that_cannot_be_passed_on_is_refused_before_anything_runs(tmp_path: Path) -> None:
    first = "```sh\ntouch ran\n```\n"
    for bad in ("```sh\n: " + "x" * LONGEST + "\n```\n", "```python\n'\0'\n```\n"):
        done = run(tmp_path, first + bad)
        assert done.returncode == 2
        assert "block 2 of 2" in done.stderr
    assert not (tmp_path / "worktree" / "ran").exists()


def test_a_pipe_ends_as_in_a_shell(tmp_path: Path) -> None:
    done = run(tmp_path, "```sh\nyes | head -n 1\n```\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "y\n", "")


def test_bytes_that_are_no_utf_8_arrive_as_they_are(tmp_path: Path) -> None:
    done = run(tmp_path, b"```sh\nprintf '\xe9' | od -An -tx1\n```\n")
    assert (done.returncode, done.stdout.split()) == (0, ["e9"])


def test_without_python3_on_path_the_runners_own_serves(tmp_path: Path) -> None:
    done = run(tmp_path, "```python\nimport sys\nprint(sys.executable)\n```\n", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, sys.executable + "\n")
