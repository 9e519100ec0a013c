"""I14 on real git: what is edited in the checkout while a build goes on changes no key and no result.

Two persons have the same project on disk; one of them goes on typing: in prompts, in the manifest, in claimed files.
"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from orchestra.execution.engine import BuildOrder, Engine
from orchestra.integration.branch import FOLLOWED
from orchestra.integration.reconcile import take_up
from orchestra.manifest.load import load
from orchestra.model.events import AttemptStarted, Event
from orchestra.model.graph import build_graph
from orchestra.model.ports import AttemptOrder
from orchestra.model.trees import Tree
from orchestra.planning.simulate import ManualClock, Script, SimulatedExecutor
from orchestra.vcs.repository import Repository
from tests.engine.world import MAIN
from tests.examples import on_real_git
from tests.vcs.kit import Person

from .real import RealStage

MANIFEST = """\
version: 1
tasks:
  make: {prompt: prompts/make.md, agent: script, claims: {write: [a], read: ["src/*"]}}
  use: {prompt: prompts/use.md, agent: script, needs: [make], claims: {write: [b], read: [a]}}
  list: {run: "ls > c", claims: {write: [c], read: ["src/*", b]}}
"""
FILES = ("prompts/make.md", "prompts/use.md", "orchestra.yaml", "src/x", "src/new", "a", "b")
TYPED = st.lists(
    st.tuples(st.sampled_from(FILES), st.sampled_from(["", "other\n", "version: 1\n"])), max_size=3
)


class Checkout(RealStage, RuleBasedStateMachine):
    """A project on disk, in two copies."""

    @initialize()
    def begin(self) -> None:
        """Both have the same files and commits."""
        self.owners = [Person(self._home(), name=self._name()) for _ in range(2)]
        self.builds = 0
        for owner in self.owners:
            owner.write("orchestra.yaml", MANIFEST)
            owner.write("prompts/make.md", "# Make it\n")
            owner.write("prompts/use.md", "# Use it\n")
            owner.write("src/x", "0\n")
            owner.commit()

    @rule(path=st.sampled_from(FILES[:5]), number=st.integers(0, 2))
    def commit(self, path: str, number: int) -> None:
        """Both commit the same."""
        line = f"# {number}\n"
        for owner in self.owners:
            owner.write(path, (MANIFEST if path == "orchestra.yaml" else "") + line)
            owner.commit()

    @rule(typed=TYPED, jobs=st.integers(1, 2))
    def build(self, typed: list[tuple[str, str]], jobs: int) -> None:
        """Both build, and one types meanwhile."""
        self.builds += 1
        calm, busy = (
            self.built(owner, jobs, edits) for owner, edits in zip(self.owners, ([], typed), strict=True)
        )
        assert calm == busy
        for owner in self.owners:
            # What was typed is thrown away, and the branch brought to what was built.
            owner.git("reset", "--quiet", "--hard")
            owner.git("clean", "--quiet", "--force", "-d")
            parked = owner.refs("refs/heads/orchestra/")
            for ref in parked:
                owner.git("merge", "--quiet", "--ff-only", ref)

    def built(
        self, owner: Person, jobs: int, typed: list[tuple[str, str]]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The keys with which tasks ran in a build, and the files of its tip."""
        manifest = load(owner.root)
        repository = Repository.open(owner.root, owner.env)
        graph = build_graph(manifest.tasks)
        begin = take_up(repository, repository.refs_below(*FOLLOWED), MAIN, owner.head(), advance=True)
        order = BuildOrder(
            f"build-{self.builds:03}", manifest, graph, frozenset(graph.tasks), begin.target, begin.tip, jobs
        )
        keys: dict[str, str] = {}

        class Typist:
            """Types when the first attempt starts."""

            def notify(self, event: Event) -> None:
                if isinstance(event, AttemptStarted):
                    if not keys:
                        for path, text in typed:
                            owner.write(path, text)
                    keys[event.task] = event.key

        clock = ManualClock()
        executor = SimulatedExecutor(repository, clock, lambda order, tree: work(repository, order, tree))
        finished = Engine(order, repository, executor, clock, [Typist()]).run()
        return keys, dict(repository.tree(finished.tip).files)


def work(repository: Repository, order: AttemptOrder, tree: Tree) -> Script:
    """Write a digest of all that the task reads into what it claims."""
    claims = order.task.claims
    read = {path: tree.files[path] for path in sorted(tree.files) if path.startswith(("src/", "a", "b"))}
    mine = {path: state for path, state in read.items() if path not in (claims.write or ())}
    text = hashlib.sha1(repr((order.task.prompt, order.task.run, mine)).encode()).hexdigest()
    return Script(1.0, tuple((path, f"{text}\n".encode()) for path in claims.write or ()))


TestCheckout = Checkout.TestCase
TestCheckout.settings = on_real_git(25)
TestCheckout.pytestmark = [pytest.mark.slow]  # type: ignore[attr-defined]
