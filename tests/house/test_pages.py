"""The pages that tasks of `orchestra.yaml` make say what the sources say; and that manifest is a valid one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs.changelog import changelog
from docs.commands import reference
from docs.manifest import Reference
from orchestra.manifest.load import load
from orchestra.manifest.schema import schema_text

ROOT = Path(__file__).parents[2]
AGAIN = "is out of date: `orchestra build` makes it again"


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_the_reference_of_the_command_line_is_up_to_date() -> None:
    assert page("docs/commands.md") == reference(), f"docs/commands.md {AGAIN}"


def test_the_reference_of_the_manifest_is_up_to_date() -> None:
    schema = json.loads(schema_text("orchestra.schema.json"))
    assert page("docs/manifest.md") == Reference(schema).text(), f"docs/manifest.md {AGAIN}"


def test_the_changelog_is_up_to_date() -> None:
    assert page("CHANGELOG.md") == changelog(ROOT / "docs" / "changes"), f"CHANGELOG.md {AGAIN}"


def test_the_newest_version_tells_first_what_was_added(tmp_path: Path) -> None:
    for name, text in {
        "0.9.0/fixed-a.md": "Old.\n",
        "0.10.0/fixed-b.md": "One line\nand another.\n",
        "0.10.0/added-c.md": "New.",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    told = changelog(tmp_path).split("\n\n", 2)[2]
    assert told == (
        "## 0.10.0\n\n### Added\n\n- New.\n\n### Fixed\n\n- One line\n  and another.\n\n"
        "## 0.9.0\n\n### Fixed\n\n- Old.\n"
    )


def test_a_change_of_no_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.1.0").mkdir()
    (tmp_path / "0.1.0" / "news.md").write_text("News.")
    with pytest.raises(ValueError, match=r"news\.md: begin its name with one of added, "):
        changelog(tmp_path)


def test_the_project_s_own_manifest_is_valid() -> None:
    names = {task.name for task in load(ROOT).tasks}
    assert names == {"command-reference", "manifest-reference", "changelog", "lint", "types", "tests"}
