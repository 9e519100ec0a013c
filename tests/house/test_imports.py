"""The house: imports go one way, and the pure rooms stay pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "orchestra"

MAY_IMPORT = {
    "model": set[str](),
    "planning": {"model"},
    "analysis": {"model"},
    "manifest": {"model"},
    "vcs": {"model"},
    "agents": {"model"},
    "history": {"model"},
    "reporting": {"model"},
    "integration": {"model"},
    "execution": {"model", "planning", "integration", "vcs", "agents"},
    "watching": {"model"},
    "cli": {
        "model",
        "planning",
        "analysis",
        "manifest",
        "vcs",
        "agents",
        "history",
        "reporting",
        "integration",
        "execution",
        "watching",
    },
}
"""By room, the rooms that it may import from. Integration is pure of git: it knows the protocol only."""

IMPURE = {
    "os", "io", "pathlib", "subprocess", "time", "random", "sqlite3", "socket", "select", "selectors", "signal",
    "shutil", "tempfile", "threading", "multiprocessing", "asyncio", "secrets", "glob", "sys", "urllib", "http",
}  # fmt: skip

PURE = (
    *sorted((PACKAGE / "model").glob("*.py")),
    *sorted((PACKAGE / "planning").glob("*.py")),
    *sorted((PACKAGE / "analysis").glob("*.py")),
    *sorted((PACKAGE / "integration").glob("*.py")),
    PACKAGE / "execution" / "policy.py",
    PACKAGE / "execution" / "tally.py",
    PACKAGE / "execution" / "settling.py",
    PACKAGE / "execution" / "engine.py",
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """All modules that a file imports, at whatever depth in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def room_of(path: Path) -> str | None:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def test_every_room_is_listed() -> None:
    rooms = {room_of(path) for path in modules()} - {None}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if room is None:
        return
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("orchestra.")}
    assert rooms <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_pure_rooms_touch_nothing(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & IMPURE


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_exception_is_swallowed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            last = node.body[-1]
            if isinstance(last, ast.Raise) and last.exc is None:
                continue  # it cleans up and lets the error go on
            assert caught not in ("everything", "Exception", "BaseException"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_say_what_they_are_for_and_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it is for"
    assert text.count("\n") <= 450


def test_protocols_have_at_most_seven_methods() -> None:
    for name in ("ports.py", "agents.py"):
        for node in ast.walk(ast.parse((PACKAGE / "model" / name).read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases):
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                assert len(methods) <= 7, node.name


def test_every_shipped_file_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
