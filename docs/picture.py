"""Makes docs/demo.svg, the README's picture: runs the demo in a pseudo-terminal and draws what it printed.

python -m docs.picture
"""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 100


def recorded() -> str:
    """What the demo prints on a terminal."""
    with tempfile.TemporaryDirectory() as home:
        script = (
            f"cd {home} && HOME={home} XDG_CACHE_HOME={home}/cache exec {sys.executable} -m orchestra demo"
        )
        chunks: list[bytes] = []

        def read(fd: int) -> bytes:
            data = os.read(fd, 65536)
            chunks.append(data)
            return data

        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH)}
        os.environ.pop("NO_COLOR", None)
        pty.spawn(["sh", "-c", script], read)
        text = b"".join(chunks).decode().replace("\r\n", "\n")
        return text.replace(home, "~")


def main() -> None:
    """Draw the lines from the build's first to the summary's last."""
    text = recorded()
    start, end = text.index("building "), text.index("\nWhat to try next")
    lines = [line for line in text[start:end].rstrip().split("\n") if "log:" not in line or "  log:" in line]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("$ orchestra demo\n" + "\n".join(lines)), overflow="fold")
    svg = console.export_svg(title="orchestra", theme=MONOKAI)
    # No fonts from the network: a picture in a README is looked at everywhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path(__file__).with_name("demo.svg").write_text(svg)


if __name__ == "__main__":
    main()
