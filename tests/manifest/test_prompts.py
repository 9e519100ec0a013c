"""Prompts: which files are tasks, what the tasks are named, what the text and the title are."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.manifest.load import load
from orchestra.manifest.prompts import Found, name_prompts
from orchestra.model.errors import Place
from orchestra.model.tasks import Claims

from .kit import manifest, refusal, refused, write


def names(root: Path, *paths: str) -> dict[str, str]:
    """The tasks of a repository with those prompts and no manifest, with their prompts."""
    write(root, dict.fromkeys(paths, "Do it."))
    return {task.name: task.prompt.path for task in load(root).tasks if task.prompt}


def test_every_prompt_is_a_task_where_there_is_no_manifest(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, {"prompts/b.md": "# Title\n\nDo it.\n", "prompts/a.md": "Do that."}))
    assert loaded.source is None
    assert [(task.name, task.index) for task in loaded.tasks] == [("a", 0), ("b", 1)]
    task = loaded.task("b")
    assert task.title == "Title"
    assert task.claims == Claims()
    assert task.place == Place("prompts/b.md")
    assert (task.agent, task.timeout, task.stall, task.on_drift) == (None, 2700.0, 600.0, None)


def test_with_neither_manifest_nor_prompt_it_says_what_to_write(tmp_path: Path) -> None:
    error = refused(lambda: load(tmp_path))
    assert str(error) == "there is no `orchestra.yaml`, and no prompt below `prompts/`"
    write(tmp_path, {"prompts/README.md": "About the prompts."})
    assert "write a prompt into prompts/" in (refused(lambda: load(tmp_path)).hint or "")


def test_a_manifest_of_the_wrong_name_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"orchestra.yml": "version: 1", "prompts/a.md": "Do it."})
    error = refused(lambda: load(tmp_path))
    assert error.message == "`orchestra.yml` is not read: the manifest is `orchestra.yaml`"


def test_what_is_no_task(tmp_path: Path) -> None:
    found = names(
        tmp_path,
        "prompts/a.md",
        "prompts/README.md",
        "prompts/api/readme.MD",
        "prompts/_part.md",
        "prompts/.hidden.md",
        "prompts/_parts/b.md",
        "prompts/.git/c.md",
        "prompts/notes.txt",
        "other/d.md",
    )
    assert found == {"a": "prompts/a.md"}


def test_a_nested_repository_is_none_of_ours(tmp_path: Path) -> None:
    assert names(tmp_path, "prompts/a.md", "prompts/sub/b.md", "prompts/sub/.git/HEAD") == {
        "a": "prompts/a.md"
    }


def test_equal_stems_are_all_named_by_their_path(tmp_path: Path) -> None:
    found = names(tmp_path, "prompts/api/login.md", "prompts/web/login.md", "prompts/web/logout.md")
    assert found == {
        "api/login": "prompts/api/login.md",
        "web/login": "prompts/web/login.md",
        "logout": "prompts/web/logout.md",
    }


def test_stems_that_differ_in_case_count_as_equal(tmp_path: Path) -> None:
    assert set(names(tmp_path, "prompts/a/Login.md", "prompts/b/login.md")) == {"a/Login", "b/login"}


def test_a_prompt_beside_a_folder_of_equal_ones(tmp_path: Path) -> None:
    assert set(names(tmp_path, "prompts/login.md", "prompts/web/login.md")) == {"login", "web/login"}


def test_prompts_of_several_folders(tmp_path: Path) -> None:
    text = "prompts: ['prompts/**/*.md', 'ideas/*.txt', specs]"
    files: dict[str, str | bytes] = dict.fromkeys(
        ("prompts/x.md", "ideas/x.txt", "ideas/deep/y.txt", "specs/z.md", "specs/w.rst", "specs/_v.md"),
        "Do it.",
    )
    loaded = manifest(tmp_path, text, files)
    assert [task.name for task in loaded.tasks] == ["ideas/x", "prompts/x", "w", "z"]
    assert loaded.prompts == ("prompts/**/*.md", "ideas/*.txt", "specs")


def test_a_folder_or_a_file_as_pattern(tmp_path: Path) -> None:
    paths = ("specs/z.md", "specs/deep/z.md", "notes/a.md", "notes/b.md")
    loaded = manifest(tmp_path, "prompts: [specs, notes/a.md]", dict.fromkeys(paths, "Do it."))
    assert [task.name for task in loaded.tasks] == ["a", "deep/z", "z"]


def test_the_first_pattern_that_matches_says_which_folder_is_the_prompts(tmp_path: Path) -> None:
    text = "prompts: ['prompts/**/*.md', 'prompts/x/*.md']"
    loaded = manifest(tmp_path, text, dict.fromkeys(("prompts/a.md", "prompts/x/a.md"), "Do it."))
    assert [task.name for task in loaded.tasks] == ["a", "x/a"]


def test_only_what_lies_below_the_beginning_of_a_pattern_is_walked(tmp_path: Path) -> None:
    closed = tmp_path / "elsewhere"
    write(tmp_path, {"prompts/a.md": "Do it.", "elsewhere/b.md": "No."})
    closed.chmod(0)
    try:
        assert [task.name for task in load(tmp_path).tasks] == ["a"]
    finally:
        closed.chmod(0o700)


def test_a_pattern_of_the_whole_repository_keeps_out_of_hidden_folders(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = dict.fromkeys(
        ("a.task.md", "sub/b.task.md", ".git/c.task.md", ".orchestra/worktrees/1/d.task.md"), "Do it."
    )
    loaded = manifest(tmp_path, "prompts: ['**/*.task.md']", files)
    assert [task.name for task in loaded.tasks] == ["a.task", "b.task"]


def test_a_pattern_can_begin_in_a_hidden_folder(tmp_path: Path) -> None:
    loaded = manifest(tmp_path, "prompts: [.agents/*.md]", {".agents/a.md": "Do it."})
    assert [task.name for task in loaded.tasks] == ["a"]


def test_spaces_become_dashes(tmp_path: Path) -> None:
    found = names(tmp_path, "prompts/fix the parser.md", "prompts/my api/x.md", "prompts/web/x.md")
    assert set(found) == {"fix-the-parser", "my-api/x", "web/x"}


def test_names_are_in_one_form_of_unicode(tmp_path: Path) -> None:
    assert set(names(tmp_path, "prompts/cafe\u0301.md")) == {"café"}


def test_a_file_whose_name_no_task_can_bear(tmp_path: Path) -> None:
    write(tmp_path, {"prompts/fix (2).md": "Do it.", "prompts/ok.md": "Do it."})
    error = refused(lambda: load(tmp_path))
    assert str(error) == (
        "prompts/fix (2).md: the name `fix-(2)` of the prompt's task holds `(`: "
        "only letters, digits and `_ . + @ -` are accepted"
    )
    assert "tasks: {NAME: {prompt: prompts/fix (2).md}}" in (error.hint or "")
    assert error.others == ()
    loaded = manifest(tmp_path, "tasks: {fix-2: {prompt: prompts/fix (2).md}}")
    assert [task.name for task in loaded.tasks] == ["fix-2", "ok"]


def test_control_characters_and_bytes_that_are_no_text_in_a_path(tmp_path: Path) -> None:
    write(tmp_path, {"prompts/a\x1b[31m/x.md": "Do it."})
    error = refused(lambda: load(tmp_path))
    assert "\x1b" not in f"{error}{error.hint}"
    assert "control character" in error.message
    (tmp_path / "prompts" / "a\x1b[31m" / "x.md").unlink()
    folder = os.fsencode(tmp_path) + b"/prompts/\xff"
    Path(os.fsdecode(folder)).mkdir()
    Path(os.fsdecode(folder + b"/y.md")).write_text("Do it.")
    error = refused(lambda: load(tmp_path))
    f"{error}{error.hint}".encode()
    assert "not UTF-8" in error.message


def test_prompts_that_no_name_tells_apart(tmp_path: Path) -> None:
    text = "prompts: ['prompts/**']"
    error = refusal(
        tmp_path, text, {"prompts/a.md": "One.", "prompts/a.txt": "Two.", "prompts/b.md": "Three."}
    )
    assert str(error) == "prompts/a.txt: the prompts `prompts/a.md` and `prompts/a.txt` would be one task"
    assert error.others == ()
    both = "tasks: {one: {prompt: prompts/a.md}, two: {prompt: prompts/a.txt}}"
    assert [task.name for task in manifest(tmp_path, f"{text}\n{both}").tasks] == ["one", "two", "b"]


PATHS = st.lists(
    st.lists(st.sampled_from(["a", "A", "b", "ab"]), min_size=1, max_size=3).map("/".join),
    unique=True,
    max_size=8,
)


def test_the_names_that_a_prompt_can_bear() -> None:
    assert Found("prompts/api/log in.v2.md", "prompts").names == (
        "log-in.v2",
        "api/log-in.v2",
        "prompts/api/log-in.v2",
    )
    assert Found("api/x.md", "").names == ("x", "api/x", "api/x")
    # Where nothing stands before the dot, or behind it, it begins no suffix.
    assert [Found(f"a.b/{name}", "").names[0] for name in ("x", "x.", ".x", "x..md")] == [
        "x",
        "x.",
        ".x",
        "x.",
    ]


@given(PATHS, st.data())
def test_each_prompt_has_a_name_of_its_own_or_is_a_twin(paths: list[str], data: st.DataObject) -> None:
    found = [
        Found(
            f"{path}.md",
            data.draw(st.sampled_from(["", *[str(p) for p in PurePosixPath(path).parents][:-1]])),
        )
        for path in paths
    ]
    named = name_prompts(found)
    twins = {item for pair in named.twins for item in pair}
    assert {*named.by_name.values(), *twins} == set(found)
    assert len({name.casefold() for name in named.by_name}) == len(named.by_name)
    for name, item in named.by_name.items():
        assert item.path.endswith(f"{name}.md")


def test_an_entry_takes_the_prompt_that_it_names(tmp_path: Path) -> None:
    text = "tasks:\n  x: {prompt: ./prompts//login.md}\n  y: {run: make}\n"
    loaded = manifest(tmp_path, text, {"prompts/login.md": "Do it.", "prompts/a.md": "Do it."})
    assert [task.name for task in loaded.tasks] == ["x", "y", "a"]
    assert [task.index for task in loaded.tasks] == [0, 1, 2]
    prompt = loaded.task("x").prompt
    assert prompt is not None
    assert prompt.path == "prompts/login.md"
    assert loaded.task("x").place == Place("orchestra.yaml", 3, 3)


def test_an_entry_can_name_what_is_no_task_by_itself(tmp_path: Path) -> None:
    text = "tasks: {x: {prompt: prompts/README.md}, y: {prompt: _notes.txt}}"
    loaded = manifest(tmp_path, text, {"prompts/README.md": "Do it.", "_notes.txt": "Do it."})
    assert [task.name for task in loaded.tasks] == ["x", "y"]


def test_two_entries_can_share_a_prompt(tmp_path: Path) -> None:
    text = "tasks: {x: {prompt: a.md, agent: script}, y: {prompt: a.md}}"
    loaded = manifest(tmp_path, text, {"a.md": "Do it."})
    assert [task.agent for task in loaded.tasks] == ["script", None]


def test_an_entry_takes_the_prompt_that_bears_its_name(tmp_path: Path) -> None:
    text = "tasks:\n  b: {priority: 5}\n  api/login: {priority: 6}\n"
    paths = ("prompts/a.md", "prompts/b.md", "prompts/api/login.md", "prompts/web/login.md")
    loaded = manifest(tmp_path, text, dict.fromkeys(paths, "Do it."))
    shown = [(task.name, task.prompt.path if task.prompt else "", task.priority) for task in loaded.tasks]
    assert shown == [
        ("b", "prompts/b.md", 5),
        ("api/login", "prompts/api/login.md", 6),
        ("a", "prompts/a.md", 0),
        ("web/login", "prompts/web/login.md", 0),
    ]


def test_an_entry_takes_the_prompt_that_is_named_so_before_others_that_could_be(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = dict.fromkeys(("prompts/login.md", "prompts/web/login.md"), "Do it.")
    loaded = manifest(tmp_path, "tasks: {login: {priority: 1}}", files)
    assert [(task.name, task.priority) for task in loaded.tasks] == [("login", 1), ("web/login", 0)]


def test_an_entry_may_name_a_prompt_by_its_path_though_its_stem_would_do(tmp_path: Path) -> None:
    loaded = manifest(tmp_path, "tasks: {api/login: {priority: 1}}", {"prompts/api/login.md": "Do it."})
    assert [task.name for task in loaded.tasks] == ["api/login"]


def test_a_name_that_two_prompts_could_bear(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = dict.fromkeys(("prompts/a/login.md", "prompts/b/login.md"), "Do it.")
    error = refusal(tmp_path, "tasks: {login: {priority: 1}}", files)
    assert str(error) == "orchestra.yaml:2:9: `login` can mean `prompts/a/login.md` or `prompts/b/login.md`"
    assert error.hint == "name one: `prompt: prompts/a/login.md`"


def test_a_name_that_no_prompt_bears(tmp_path: Path) -> None:
    error = refusal(tmp_path, "tasks: {fix-praser: {priority: 1}}", {"prompts/fix-parser.md": "Do it."})
    message = "`fix-praser` has neither `prompt` nor `run`, and no prompt bears its name"
    assert str(error) == f"orchestra.yaml:2:9: {message}"
    hint = error.hint or ""
    assert "name it `fix-parser` like the prompt `prompts/fix-parser.md`, or take the entry out" in hint


def test_a_prompt_that_would_be_a_second_task_of_an_entrys_name(tmp_path: Path) -> None:
    error = refusal(tmp_path, "tasks: {a: {run: make}}", {"prompts/a.md": "Do it."})
    message = "the prompt `prompts/a.md` would be a second task named `a`"
    assert str(error) == f"orchestra.yaml:2:9: {message}"
    assert "write `prompt: prompts/a.md` into the entry" in (error.hint or "")
    error = refusal(tmp_path, "tasks: {A: {run: make}}")
    assert error.message == "the names `a` and `A` differ only in case or Unicode form"


def test_a_prompt_in_a_folder_leaves_its_short_name_to_an_entry(tmp_path: Path) -> None:
    loaded = manifest(tmp_path, "tasks: {a: {run: make}}", {"prompts/x/a.md": "Do it."})
    assert [task.name for task in loaded.tasks] == ["a", "x/a"]
    error = refusal(tmp_path, "tasks: {a: {run: make}, x/a: {run: make}}")
    assert str(error) == "orchestra.yaml:2:9: the prompt `prompts/x/a.md` would be a second task named `a`"


UNREADABLE = [
    ("b.md", {}, "2:21: there is no file `b.md`", "did you mean `prompts/b.md`?"),
    ("zz/y", {}, "2:21: there is no file `zz/y`", "write the path from the root"),
    ("docs", {"docs/x": "x"}, "2:21: `docs` is a folder", "write the path from the root"),
    ("prompts/bb.md", {}, "2:21: there is no file `prompts/bb.md`", "did you mean `prompts/b.md`?"),
    ("a.md/x", {"a.md": "x"}, "2:21: `a.md/x` cannot be read: Not a directory", "from the root"),
    ("a.md", {"a.md": "x" * (1024**2 + 1)}, "2:21: `a.md` is larger than 1 MiB", "make it shorter"),
]


@pytest.mark.parametrize(("path", "files", "error", "hint"), UNREADABLE)
def test_prompts_that_are_not_there(
    path: str, files: dict[str, str | bytes], error: str, hint: str, tmp_path: Path
) -> None:
    caught = refusal(tmp_path, f"tasks: {{a: {{prompt: {path}}}}}", {"prompts/b.md": "Do it.", **files})
    assert str(caught) == f"orchestra.yaml:{error}"
    assert hint in (caught.hint or "")


CONTENTS: list[tuple[bytes, str]] = [
    (b"a\nb\0", ":2:2: a NUL byte: this is not a text file"),
    (b"caf\xe9", ":1:4: the byte 0xe9 is not UTF-8"),
    ("Do it.".encode("utf-16"), ":1:1: the file is UTF-16"),
    (b"", ": the prompt is empty"),
    (b" \r\n\t\n", ": the prompt is empty"),
    (b"---\npriority: 1\n---\n\n", ": the prompt is empty"),
]


@pytest.mark.parametrize(("content", "error"), CONTENTS)
def test_prompts_that_are_no_text(content: bytes, error: str, tmp_path: Path) -> None:
    caught = refusal(tmp_path, "tasks: {a: {prompt: p/a.md}}", {"p/a.md": content})
    assert str(caught) == f"p/a.md{error}"
    write(tmp_path / "bare", {"prompts/a.md": content})
    assert str(refused(lambda: load(tmp_path / "bare"))) == f"prompts/a.md{error}"


def test_the_largest_prompt_is_accepted(tmp_path: Path) -> None:
    assert load(write(tmp_path, {"prompts/a.md": "x" * 1024**2})).tasks[0].title.startswith("xxx")


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    os.mkfifo(tmp_path / "prompts" / "a.md")
    error = refused(lambda: load(tmp_path))
    assert str(error) == "prompts/a.md: `prompts/a.md` is not a regular file"


class TestSymbolicLinks:
    """Links are followed as far as they stay inside the repository; folders behind links are not walked."""

    def test_inside_the_repository(self, tmp_path: Path) -> None:
        write(tmp_path, {"prompts/a.md": "Do it.", "docs/b.md": "Do that.", "docs/c.md": "Not this."})
        (tmp_path / "prompts" / "b.md").symlink_to("../docs/b.md")
        (tmp_path / "prompts" / "more").symlink_to("../docs")
        (tmp_path / "prompts" / "loop").symlink_to(".")
        assert [task.name for task in load(tmp_path).tasks] == ["a", "b"]

    def test_the_folder_of_prompts_itself(self, tmp_path: Path) -> None:
        write(tmp_path, {"docs/b.md": "Do that."})
        (tmp_path / "prompts").symlink_to("docs")
        assert [task.name for task in load(tmp_path).tasks] == ["b"]

    def test_out_of_the_repository(self, tmp_path: Path) -> None:
        root = write(tmp_path / "root", {"prompts/a.md": "Do it."})
        write(tmp_path, {"secret.md": "Secret."})
        (root / "prompts" / "b.md").symlink_to(tmp_path / "secret.md")
        error = refused(lambda: load(root))
        assert str(error) == "prompts/b.md: the prompt `prompts/b.md` lies outside the repository"
        assert error.hint == "copy it into the repository: worktrees hold nothing else"
        (root / "prompts" / "b.md").unlink()
        (root / "out").symlink_to("..")
        error = refusal(root, "tasks: {x: {prompt: out/secret.md}}")
        assert str(error) == "orchestra.yaml:2:21: the prompt `out/secret.md` lies outside the repository"

    def test_a_folder_of_prompts_out_of_the_repository(self, tmp_path: Path) -> None:
        write(tmp_path, {"secret/a.md": "Secret."})
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "prompts").symlink_to("../secret")
        error = refused(lambda: load(tmp_path / "root"))
        assert str(error) == "the folder `prompts` lies outside the repository"

    def test_a_neighbour_whose_name_begins_like_the_root(self, tmp_path: Path) -> None:
        root = write(tmp_path / "root", {"prompts/a.md": "Do it."})
        write(tmp_path, {"root-b/secret.md": "Secret."})
        (root / "prompts" / "b.md").symlink_to("../../root-b/secret.md")
        assert "outside the repository" in refused(lambda: load(root)).message

    def test_broken_and_circular_ones(self, tmp_path: Path) -> None:
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts" / "a.md").symlink_to("nowhere.md")
        assert str(refused(lambda: load(tmp_path))) == "prompts/a.md: there is no file `prompts/a.md`"
        (tmp_path / "prompts" / "a.md").unlink()
        (tmp_path / "prompts" / "a.md").symlink_to("a.md")
        assert "cannot be read" in refused(lambda: load(tmp_path)).message


def test_more_tasks_than_a_person_can_mean(tmp_path: Path) -> None:
    entries = "".join(f"  t{n}: {{run: x}}\n" for n in range(20_000))
    error = refusal(tmp_path, f"tasks:\n{entries}", {"prompts/a.md": "Do it."})
    assert str(error) == "20,001 tasks, at most 20,000 are accepted"
    assert "patterns of `prompts`" in (error.hint or "")
