"""The files that a shell command plainly reads, for agents that look at files by commands.

It tells what is certain to be named there, not what is certain to exist: whoever records it keeps what are files.
"""

from __future__ import annotations

import shlex

LONGEST = 10_000
"""Characters of a command that are looked at: some write whole files."""

_SHELLS = ("sh", "bash", "zsh", "dash")
_ALL = ("cat", "nl", "head", "tail", "wc", "less", "more", "bat", "od", "xxd", "tac")
_AFTER_THE_FIRST = ("grep", "egrep", "fgrep", "rg", "sed", "awk", "jq")
"""Their first argument is a pattern or a program of their own."""


def files_read(command: str) -> tuple[str, ...]:
    """The paths that the command's programs are given to read, as they are written; () where it is not plain."""
    try:
        words = shlex.split(command[:LONGEST])
    except ValueError:
        return ()
    if len(words) == 3 and words[0].rpartition("/")[2] in _SHELLS and words[1] in ("-c", "-lc"):
        command = words[2]
    found: list[str] = []
    for simple in _simple_commands(command[:LONGEST]):
        name = simple[0].rpartition("/")[2]
        if name in ("cd", "pushd"):
            # From here on paths are relative to another folder.
            break
        found += _named(name, simple[1:])
    return tuple(dict.fromkeys(found))


def _named(name: str, arguments: list[str]) -> list[str]:
    """What one program is given to read."""
    # A number is an option's value, or the descriptor before a `>`.
    plain = [word for word in arguments if not word.startswith("-") and not word.isdecimal()]
    if name in _ALL:
        return plain
    if name in _AFTER_THE_FIRST and not any(word.startswith(("-i", "--in-place")) for word in arguments):
        return plain[1:]
    return []


def _simple_commands(text: str) -> list[list[str]]:
    """The commands between operators, each as its words; what is redirected is no word of theirs."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.whitespace_split = " \t\r", True
    commands: list[list[str]] = [[]]
    skip = False
    try:
        for word in lexer:
            if skip:
                skip = False
            elif word[:1] in "<>":
                if word.startswith("<<"):
                    # What follows is a text, not a command.
                    break
                skip = True
            elif word and all(letter in "();|&\n" for letter in word):
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:
        return []
    return [each for each in commands if each]
