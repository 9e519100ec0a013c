"""Makes CHANGELOG.md from docs/changes/VERSION/KIND-NAME.md: one small file a change, so that branches never conflict.

python -m docs.changelog
"""

from __future__ import annotations

from pathlib import Path

HEAD = "# Changes\n\nMade from `docs/changes` by `python -m docs.changelog`.\n"
KINDS = ("added", "changed", "fixed", "removed")
"""What a change can be, in the order in which a version tells them."""


def changelog(folder: Path) -> str:
    """The whole page in Markdown, the newest version first; raises ValueError for a file that names no kind."""
    versions = sorted((path for path in folder.iterdir() if path.is_dir()), key=_number, reverse=True)
    return "\n".join([HEAD, *(_version(path) for path in versions)])


def _number(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split("."))


def _version(folder: Path) -> str:
    files = sorted(folder.glob("*.md"))
    for path in files:
        if path.name.split("-")[0] not in KINDS:
            raise ValueError(f"{path}: begin its name with one of {', '.join(KINDS)} and a dash")
    parts = [f"## {folder.name}\n"]
    for kind in KINDS:
        changes = [path.read_text("utf-8").strip() for path in files if path.name.startswith(f"{kind}-")]
        if changes:
            parts += [f"### {kind.capitalize()}\n", *(_item(change) for change in changes), ""]
    return "\n".join(parts)


def _item(text: str) -> str:
    return "- " + text.replace("\n", "\n  ")


def main() -> None:
    """Write the page."""
    root = Path(__file__).parents[1]
    (root / "CHANGELOG.md").write_text(changelog(root / "docs" / "changes"), "utf-8")


if __name__ == "__main__":
    main()
