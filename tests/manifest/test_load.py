"""Loading as a whole: sections to values, claims, agents, the manifest's own path, the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orchestra.manifest.cache import KEPT, Cache, stamp
from orchestra.manifest.load import load
from orchestra.manifest.shape import BUILT_IN_AGENTS
from orchestra.model.errors import Place
from orchestra.model.tasks import AgentSpec, Claims, Integrate, Manifest, Worktrees

from .kit import manifest, refusal, refused, write

WHOLE = """
prompts: ["prompts/**/*.md"]
defaults: {agent: claude, timeout: 45m, stall: 5m, priority: 0}
agents:
  claude: {kind: claude-code, model: sonnet, args: [], env: [ANTHROPIC_API_KEY], permissions: edit, max_turns: 80}
  local:  {kind: command, command: [my-agent, --prompt-file, "{prompt_file}"], env: {A: 0x10, B: on, C: true}}
limits: {jobs: 6}
worktrees: {dir: null, setup: "uv sync", setup_inputs: [uv.lock], copy: [.env], keep: [.venv]}
integrate: {into: null, strategy: squash, verify: "pytest -q", author: user}
allow_protected: []
tasks:
  fix-parser:
    prompt: prompts/fix-parser.md
    agent: local
    needs: [add-tokens]
    claims: {write: ["src/parser.py", "tests/test_parser.py"], read: ["src/tokens.py"]}
    priority: 5
    check: pytest -q tests/test_parser.py
    timeout: 30m
    stall: 90s
    env: {MODE: fast, N: 1.50, EMPTY: ""}
    on_drift: accept
  changelog: {run: "python tools/changelog.py", claims: {write: [CHANGELOG.md], read: ["src/**"]}, env: [A, B, A]}
"""
PROMPTS: dict[str, str | bytes] = {
    "prompts/fix-parser.md": "# Fix the parser\n\nIt is broken.\n",
    "prompts/add-tokens.md": "Add tokens.",
}


def check_whole(loaded: Manifest) -> None:
    assert loaded.source == "orchestra.yaml"
    assert loaded.limits.jobs == 6
    assert loaded.worktrees == Worktrees(None, "uv sync", ("uv.lock",), (".env",), (".venv",))
    assert loaded.integrate == Integrate(None, "pytest -q", "user")
    assert loaded.allow_protected == ()
    assert dict(loaded.agents) == {
        **{kind: AgentSpec(kind, kind) for kind in BUILT_IN_AGENTS},
        "claude": AgentSpec("claude", "claude-code", "sonnet", passes=("ANTHROPIC_API_KEY",), max_turns=80),
        "local": AgentSpec(
            "local",
            "command",
            command=("my-agent", "--prompt-file", "{prompt_file}"),
            env=(("A", "0x10"), ("B", "on"), ("C", "true")),
        ),
    }
    fix, changelog, tokens = loaded.tasks
    assert (fix.name, fix.index, fix.title, fix.agent) == ("fix-parser", 0, "Fix the parser", "local")
    assert fix.needs == ("add-tokens",)
    assert fix.claims == Claims(("src/parser.py", "tests/test_parser.py"), ("src/tokens.py",), declared=True)
    assert (fix.priority, fix.check, fix.timeout) == (5, "pytest -q tests/test_parser.py", 1800.0)
    assert (fix.stall, changelog.stall) == (90.0, 300.0)
    assert fix.env == (("MODE", "fast"), ("N", "1.50"), ("EMPTY", ""))
    assert fix.place == Place("orchestra.yaml", 13, 3)
    assert (changelog.run, changelog.agent, changelog.prompt) == ("python tools/changelog.py", None, None)
    assert (changelog.on_drift, changelog.title, changelog.passes) == (None, "changelog", ("A", "B"))
    assert changelog.place == Place("orchestra.yaml", 24, 3)
    assert (tokens.name, tokens.index, tokens.agent, tokens.on_drift) == ("add-tokens", 2, "claude", None)


def test_the_whole_manifest(tmp_path: Path) -> None:
    check_whole(manifest(tmp_path, WHOLE, PROMPTS))


def test_the_same_from_the_cache(tmp_path: Path) -> None:
    cold = manifest(tmp_path, WHOLE, PROMPTS, cache_dir=tmp_path / "cache")
    warm = load(tmp_path, cache_dir=tmp_path / "cache")
    assert warm == cold
    assert [task.place for task in warm.tasks] == [task.place for task in cold.tasks]
    check_whole(warm)


def test_an_empty_manifest_has_no_tasks(tmp_path: Path) -> None:
    loaded = manifest(tmp_path, "")
    assert loaded == Manifest((), loaded.agents, "orchestra.yaml")


UNREAD = ("orchestra.yaml", "prompts/**/*.md")
CLAIMS = [
    ("run: x", Claims(read=("**",), unread=UNREAD)),
    ("prompt: a.md", Claims()),
    ("run: x, claims: {}", Claims(declared=True)),
    ("prompt: a.md, claims: {}", Claims(declared=True)),
    ("run: x, claims: exclusive", Claims(exclusive=True, declared=True)),
    ("prompt: a.md, claims: exclusive", Claims(exclusive=True, declared=True)),
    ("run: x, claims: {write: [a, b/]}", Claims(write=("a", "b/"), declared=True)),
    ("run: x, claims: {read: ['*']}", Claims(read=("*",), declared=True)),
    ("run: x, claims: {write: []}", Claims(write=(), read=("**",), declared=True)),
    ("prompt: a.md, claims: {write: []}", Claims(write=(), read=("**",), declared=True)),
    ("run: x, claims: {write: [], read: []}", Claims(write=(), declared=True)),
    ("run: x, claims: {write: [], read: [src]}", Claims(write=(), read=("src",), declared=True)),
]


@pytest.mark.parametrize(("entry", "claims"), CLAIMS)
def test_claims(entry: str, claims: Claims, tmp_path: Path) -> None:
    loaded = manifest(tmp_path, f"tasks: {{t: {{{entry}}}}}", {"a.md": "Do it."})
    assert loaded.task("t").claims == claims


def test_a_command_without_claims_does_not_read_manifest_and_prompts(tmp_path: Path) -> None:
    write(tmp_path, {"ci/[x]*.yaml": "version: 1\nprompts: [ideas]\ntasks: {t: {run: x}}"})
    loaded = load(tmp_path, file=Path("ci/[x]*.yaml"))
    assert loaded.task("t").claims.unread == ("ci/[[]x][*].yaml", "ideas")
    write(tmp_path, {"a\\b.yaml": "version: 1\ntasks: {t: {run: x}}"})
    assert load(tmp_path, file=Path("a\\b.yaml")).task("t").claims.unread == ("prompts/**/*.md",)
    outside = write(tmp_path / "outside", {"m.yaml": "version: 1\ntasks: {t: {run: x}}"})
    (tmp_path / "root").mkdir()
    loaded = load(tmp_path / "root", file=outside / "m.yaml")
    assert loaded.task("t").claims.unread == ("prompts/**/*.md",)


def test_another_manifest(tmp_path: Path) -> None:
    write(tmp_path, {"orchestra.yaml": "broken: [", "ci/b.yaml": "version: 1\ntasks: {t: {run: x}}"})
    for file in (Path("ci/b.yaml"), tmp_path / "ci" / "b.yaml", Path("ci/../ci/b.yaml")):
        loaded = load(tmp_path, file=file)
        assert loaded.source == "ci/b.yaml"
        assert loaded.task("t").place == Place("ci/b.yaml", 2, 9)
    assert str(refused(lambda: load(tmp_path, file=Path("no.yaml")))) == "there is no file `no.yaml`"
    assert "is a folder" in str(refused(lambda: load(tmp_path, file=Path("ci"))))


def test_a_manifest_that_is_a_broken_link_is_not_a_missing_one(tmp_path: Path) -> None:
    write(tmp_path, {"prompts/a.md": "Do it."})
    (tmp_path / "orchestra.yaml").symlink_to("nowhere")
    assert str(refused(lambda: load(tmp_path))) == "there is no file `orchestra.yaml`"


def test_a_root_that_is_given_relatively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"orchestra.yaml": "version: 1\ntasks: {t: {run: x}}", "prompts/a.md": "Do it."})
    monkeypatch.chdir(tmp_path)
    loaded = load(Path(), file=tmp_path / "orchestra.yaml")
    assert (loaded.source, len(loaded.tasks)) == ("orchestra.yaml", 2)


class TestAgents:
    """Names of agents: those of `agents:`, and kinds that need no description."""

    def test_the_command_lines_agent_is_for_prompts_only(self, tmp_path: Path) -> None:
        loaded = manifest(
            tmp_path, "tasks: {a: {prompt: a.md}, b: {run: x}}", {"a.md": "Do it."}, agent="script"
        )
        assert [task.agent for task in loaded.tasks] == ["script", None]

    def test_a_name_that_nobody_bears(self, tmp_path: Path) -> None:
        error = refusal(tmp_path, "agents: {mine: {kind: script}}", agent="mien")
        assert str(error) == "there is no agent `mien`"
        assert error.hint is not None
        assert error.hint.startswith("did you mean `mine`? what can be written here: `mine`, `claude-code`")
        assert "needs a description" in refusal(tmp_path, "", agent="command").message

    def test_a_description_stands_before_the_kind_of_that_name(self, tmp_path: Path) -> None:
        text = "agents: {script: {kind: claude-code}, command: {kind: script}}\ndefaults: {agent: command}"
        loaded = manifest(tmp_path, text, {"prompts/a.md": "Do it."})
        assert loaded.agents["script"].kind == "claude-code"
        assert loaded.agents["command"].kind == "script"


class TestCache:
    """The cache saves time and nothing else: lost, damaged or closed it changes no result."""

    TEXT = "tasks: {t: {run: x}}"

    def files(self, root: Path) -> list[Path]:
        return sorted((root / "cache").iterdir())

    def test_one_file_a_text(self, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        manifest(tmp_path, self.TEXT, cache_dir=cache)
        manifest(tmp_path, self.TEXT, cache_dir=cache)
        assert len(self.files(tmp_path)) == 1
        manifest(tmp_path, f"{self.TEXT} # other", cache_dir=cache)
        assert len(self.files(tmp_path)) == 2

    @pytest.mark.parametrize("damage", [b"", b"{}", b"null\n", b"x" * 64 + b'\n{"data": {}, "marks": {}}'])
    def test_damage_is_noticed_and_mended(self, damage: bytes, tmp_path: Path) -> None:
        write(tmp_path, {"prompts/a.md": "---\npriority: 3\n---\nDo it."})
        cold = manifest(tmp_path, self.TEXT, cache_dir=tmp_path / "cache")
        sound = {path: path.read_bytes() for path in self.files(tmp_path)}
        assert len(sound) == 2
        for path in sound:
            path.write_bytes(damage)
        assert load(tmp_path, cache_dir=tmp_path / "cache") == cold
        assert {path: path.read_bytes() for path in self.files(tmp_path)} == sound

    def test_a_flipped_bit_in_a_value_is_damage(self, tmp_path: Path) -> None:
        cold = manifest(tmp_path, "tasks: {t: {run: make one}}", cache_dir=tmp_path / "cache")
        (path,) = self.files(tmp_path)
        path.write_bytes(path.read_bytes().replace(b"make one", b"make two"))
        assert load(tmp_path, cache_dir=tmp_path / "cache") == cold

    def test_the_cache_is_read_at_all(self, tmp_path: Path) -> None:
        """Else the tests above would pass without one."""
        manifest(tmp_path, self.TEXT, cache_dir=tmp_path / "cache")
        cache = Cache(tmp_path / "cache")
        (path,) = self.files(tmp_path)
        value = cache.read(path.name)
        value["data"]["tasks"]["t"]["run"] = "from the cache"
        cache.write(path.name, value)
        assert load(tmp_path, cache_dir=tmp_path / "cache").task("t").run == "from the cache"

    def test_a_folder_that_cannot_be_written_is_no_error(self, tmp_path: Path) -> None:
        write(tmp_path, {"file": "x"})
        assert manifest(tmp_path, self.TEXT, cache_dir=tmp_path / "file" / "cache").tasks

    def test_a_place_that_is_taken_by_a_folder_is_no_error(self, tmp_path: Path) -> None:
        manifest(tmp_path, self.TEXT, cache_dir=tmp_path / "cache")
        (path,) = self.files(tmp_path)
        path.unlink()
        (path / "x").mkdir(parents=True)
        assert load(tmp_path, cache_dir=tmp_path / "cache").tasks
        assert self.files(tmp_path) == [path]

    def test_only_the_newest_are_kept(self, tmp_path: Path) -> None:
        manifest(tmp_path, self.TEXT, cache_dir=tmp_path / "cache")
        (young,) = self.files(tmp_path)
        for number in range(KEPT + 4):
            os.utime(young, (4_000_000_000, 4_000_000_000))
            manifest(tmp_path, f"{self.TEXT} # {number}", cache_dir=tmp_path / "cache")
        assert len(self.files(tmp_path)) == KEPT
        assert young in self.files(tmp_path)

    def test_texts_that_are_one_when_joined_are_kept_apart(self) -> None:
        assert stamp(b"a", b"bc") != stamp(b"ab", b"c")

    def test_front_matter_that_is_gone_is_forgotten(self, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        for number in range(20):
            write(tmp_path, {"prompts/a.md": f"---\npriority: {number}\n---\nDo it."})
            assert load(tmp_path, cache_dir=cache).tasks[0].priority == number
        (path,) = self.files(tmp_path)
        assert len(Cache(cache).read(path.name)) == 1

    def test_front_matter_is_kept_for_as_many_manifests(self, tmp_path: Path) -> None:
        files: dict[str, str | bytes] = {"prompts/a.md": "---\npriority: 1\n---\nDo it."}
        for number in range(KEPT + 4):
            manifest(tmp_path, f"allow_protected: [a{number}]", files, cache_dir=tmp_path / "cache")
        assert len(self.files(tmp_path)) == 2 * KEPT

    def test_a_load_that_finds_everything_writes_nothing(self, tmp_path: Path) -> None:
        files: dict[str, str | bytes] = {"prompts/a.md": "---\npriority: 1\n---\nDo it."}
        manifest(tmp_path, self.TEXT, files, cache_dir=tmp_path / "cache")
        before = {path: path.stat().st_ino for path in self.files(tmp_path)}
        load(tmp_path, cache_dir=tmp_path / "cache")
        assert {path: path.stat().st_ino for path in self.files(tmp_path)} == before

    def test_what_is_wrong_is_never_remembered(self, tmp_path: Path) -> None:
        text = "tasks: {a: {run: x, timeout: 0s}}"
        for _ in range(2):
            refusal(tmp_path, text, cache_dir=tmp_path / "cache")
        assert not (tmp_path / "cache").exists()

    def test_from_the_cache_errors_have_their_places_too(self, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        text = "tasks:\n  a: {run: x}\n  b: {prompt: b.md, needs: [a]}\n"
        manifest(
            tmp_path,
            text,
            {"b.md": "Do it.", "prompts/c.md": "---\nneeds: [b]\n---\nDo it."},
            cache_dir=cache,
        )
        (tmp_path / "b.md").unlink()
        error = refused(lambda: load(tmp_path, cache_dir=cache))
        assert str(error) == "orchestra.yaml:4:15: there is no file `b.md`"
        write(tmp_path, {"b.md": "Do it.", "prompts/c.md": "---\nneeds: [b]\n---\nDo that."})
        (tmp_path / "orchestra.yaml").write_text("version: 1\n")
        error = refused(lambda: load(tmp_path, cache_dir=cache))
        assert str(error) == "prompts/c.md:2:9: `c` needs `b`, but there is no such task"


def imported_by(program: str, root: Path) -> set[str]:
    """What a fresh interpreter has imported after a program that knows `root`."""
    code = f"import sys\nfrom pathlib import Path\nroot = Path({str(root)!r})\n{textwrap.dedent(program)}"
    code += "\nimport json; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return set(json.loads(done.stdout))


EXPENSIVE = {"yaml", "jsonschema", "difflib", "unicodedata", "importlib.metadata", "asyncio", "click"}


def test_the_second_load_imports_neither_yaml_nor_jsonschema(tmp_path: Path) -> None:
    write(tmp_path, {**PROMPTS, "prompts/c.md": "---\npriority: 3\n---\nDo it."})
    write(tmp_path, {"orchestra.yaml": f"version: 1\n{WHOLE}"})
    program = "from orchestra.manifest.load import load\nload(root, cache_dir=root / 'cache')"
    assert {"yaml", "jsonschema"} <= imported_by(program, tmp_path)
    assert not EXPENSIVE & imported_by(program, tmp_path)


def test_prompts_without_front_matter_need_no_yaml_at_all(tmp_path: Path) -> None:
    write(tmp_path, PROMPTS)
    program = "from orchestra.manifest.load import load\nload(root)"
    assert not EXPENSIVE & imported_by(program, tmp_path)


def test_front_matter_without_our_keys_needs_no_jsonschema(tmp_path: Path) -> None:
    write(tmp_path, {"prompts/a.md": "---\nname: x\n---\nDo it."})
    found = imported_by("from orchestra.manifest.load import load\nload(root)", tmp_path)
    assert "yaml" in found
    assert "jsonschema" not in found
