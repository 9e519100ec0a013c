"""`orchestra demo`: it goes as its help says, on a machine on which git was never used, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.scratch import Called


def orchestra(home: Path, *argv: str, cwd: Path | None = None) -> Called:
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "orchestra", *argv],
        cwd=cwd or home,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Called(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    called = orchestra(tmp_path, "demo")
    assert called.status == 0, called.stdout + called.stderr
    assert "5 landed, 1 rejected" in called.stdout
    assert "rejected      round-up-prices" in called.stdout
    demo = tmp_path / "orchestra-demo"
    assert "initials" in (demo / "shop" / "text.py").read_text()
    assert "discounted" in (demo / "docs" / "prices.md").read_text()
    tests = subprocess.run(
        [sys.executable, "-m", "unittest", "-q"], cwd=demo, capture_output=True, check=False
    )
    assert tests.returncode == 0
    # What it says to try next is true.
    again = orchestra(tmp_path, "build", cwd=demo)
    assert again.status == 1
    assert "5 fresh, 1 rejected" in again.stdout
    (demo / "prompts" / "round-up-prices.md").unlink()
    manifest = demo / "orchestra.yaml"
    text = manifest.read_text()
    manifest.write_text(text[: text.index("  round-up-prices:")])
    green = orchestra(tmp_path, "build", cwd=demo)
    assert (green.status, green.stdout) == (
        0,
        "reading the project...\nNothing to do: 5 tasks are fresh.\n",
    )


def test_demo_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("mine")
    called = orchestra(tmp_path, "demo", "here")
    assert called.status == 2
    assert "error: here is there already" in called.stderr
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["file"]
