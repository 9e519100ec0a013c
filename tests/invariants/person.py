"""A person at work between builds: edits, manifests, branches, and all that is done to history with git.

Each act is a method. One that cannot be done here (a conflict, a circle, nothing there) does nothing. What an act is
about is given by numbers and names, never by commits, so that twin worlds can be treated alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orchestra.model.entries import lock_path, lock_paths
from orchestra.model.errors import OrchestraError
from orchestra.model.graph import build_graph
from orchestra.model.ports import CommitRequest
from orchestra.model.tasks import Task
from orchestra.model.trailers import ATTEMPT_TRAILER, KEY_TRAILER, TASK_TRAILER
from tests.engine.doings import Doing
from tests.engine.world import World
from tests.model.kit import numbered

REVERT = "Revert it\n"


@dataclass(frozen=True)
class Desk:
    """What a person can put back: where the branch stood, and how the manifest was."""

    main: str
    tasks: tuple[Task, ...]
    bin: tuple[Task, ...]


@dataclass
class Person:
    """The person of a world. `doing` is what each task does, `bin` the tasks that are not in the manifest now."""

    world: World
    doing: dict[str, Doing]
    bin: list[Task] = field(default_factory=list)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of the manifest."""
        return self.world.manifest.tasks

    def nth(self, number: int) -> Task:
        """One of them."""
        return self.tasks[number % len(self.tasks)]

    # --- files -----------------------------------------------------------------------------------------------

    def edit(self, path: str, text: str | None) -> None:
        """Write, or delete, a file."""
        self.world.edit({path: text})

    def meddle(self, number: int, text: str | None) -> None:
        """Write, or delete, a file of which some entry says that its task made it."""
        made = sorted({path for entry in self.world.entries().values() for path in entry.outputs})
        if made:
            self.edit(made[number % len(made)], text)

    def put_back(self, path: str, ago: int) -> None:
        """Give a file the content that it had some commits ago."""
        line = self.world.first_parents(self.world.main)
        self.edit(path, self.world.files(line[ago % len(line)]).get(path))

    def delete_entries(self, *numbers: int) -> None:
        """Delete the lock entries of some tasks, or all."""
        tree = self.world.git.tree(self.world.main)
        paths = {lock_path(self.nth(number).name) for number in numbers} or set(lock_paths(tree))
        found = [path for path in sorted(paths) if tree.state(path) is not None]
        if found:
            self.world.edit(dict.fromkeys(found))

    def clone(self) -> None:
        """Go on in a clone, which has the branches alone."""
        self.world.forget()
        left = ("refs/heads/orchestra/", "refs/heads/feature/")
        for ref in [ref for ref in self.world.git.refs if ref.startswith(left)]:
            del self.world.git.refs[ref]

    # --- the manifest ----------------------------------------------------------------------------------------

    def retask(self, *tasks: Task) -> None:
        """Write these tasks, if their needs form no circle."""
        try:
            build_graph(tuple(tasks))
        except OrchestraError:
            return
        self.world.manifest = replace(self.world.manifest, tasks=numbered(*tasks))

    def reword(self, number: int, words: int) -> None:
        """Change a prompt or a command; the same words give the same text again."""
        one = self.nth(number)
        if one.prompt is not None:
            first = one.prompt.text.splitlines()[0]
            text = f"{first}\n" + (f"And more: {words}.\n" if words else "")
            other = replace(one, prompt=replace(one.prompt, text=text))
        else:
            other = replace(one, run=f"make {words}" if words else "make")
        self.retask(*(other if each is one else each for each in self.tasks))

    def rename(self, number: int) -> None:
        """Give a task another name, or its old one again."""
        one = self.nth(number)
        name = one.name[:-1] if one.name.endswith("x") else f"{one.name}x"
        if any(each.name == name for each in (*self.tasks, *self.bin)):
            return
        self.doing[name] = self.doing[one.name]
        prompt = replace(one.prompt, path=f"prompts/{name}.md") if one.prompt else None
        renamed = [
            replace(
                each,
                name=name if each is one else each.name,
                prompt=prompt if each is one else each.prompt,
                needs=tuple(name if need == one.name else need for need in each.needs),
            )
            for each in self.tasks
        ]
        self.retask(*renamed)

    def reorder(self, number: int, to: int) -> None:
        """Move a task to another place in the manifest."""
        one = self.nth(number)
        others = [each for each in self.tasks if each is not one]
        others.insert(to % len(self.tasks), one)
        self.retask(*others)

    def prioritize(self, number: int, priority: int) -> None:
        """Change a priority."""
        one = self.nth(number)
        self.retask(*(replace(each, priority=priority) if each is one else each for each in self.tasks))

    def need(self, number: int, other: int) -> None:
        """Let a task need another, or no longer."""
        one, first = self.nth(number), self.nth(other)
        if one is first:
            return
        needs = tuple(n for n in one.needs if n != first.name)
        if needs == one.needs:
            needs = (*needs, first.name)
        self.retask(*(replace(each, needs=needs) if each is one else each for each in self.tasks))

    def remove(self, number: int) -> None:
        """Take a task out of the manifest."""
        one = self.nth(number)
        if len(self.tasks) > 1:
            self.bin.append(one)
            rest = [each for each in self.tasks if each is not one]
            self.retask(*(replace(e, needs=tuple(n for n in e.needs if n != one.name)) for e in rest))

    def add(self, number: int) -> None:
        """Put a task into the manifest that is not there now."""
        if self.bin:
            one = self.bin.pop(number % len(self.bin))
            names = {each.name for each in self.tasks}
            self.retask(*self.tasks, replace(one, needs=tuple(n for n in one.needs if n in names)))

    # --- history ---------------------------------------------------------------------------------------------

    def apply(self, base: str, commit: str, message: str, *more: str) -> bool:
        """Commit on the branch what changed from one commit to another; False where that conflicts."""
        git, main = self.world.git, self.world.main
        merged = git.merge(base, main, commit)
        if merged.tree is None:
            return False
        self.move(git.commit(CommitRequest(merged.tree, (main, *more), message)))
        return True

    def move(self, commit: str) -> None:
        """Let the branch stand at a commit of the person's."""
        self.world.git.refs[self.world.branch] = commit
        self.world.theirs.append(commit)

    def landings(self) -> list[tuple[str, str]]:
        """The commits of the first-parent history that landed tasks, newest first, with their tasks."""
        found = []
        for commit in self.world.first_parents(self.world.main):
            lines = self.world.git.message(commit).splitlines()
            names = [line.removeprefix(f"{TASK_TRAILER}: ") for line in lines if TASK_TRAILER in line]
            if any(line.startswith(KEY_TRAILER) for line in lines):
                found.append((commit, names[0]))
        return found

    def revert(self, number: int) -> None:
        """Take the newest landing of a task back."""
        name = self.nth(number).name
        for commit, landed in self.landings():
            if landed == name:
                self.take_back(commit)
                return

    def revert_many(self, count: int) -> None:
        """Take the newest landings back, a commit each, newest first: a whole build where there were so many."""
        for commit, _ in self.landings()[:count]:
            if not self.take_back(commit):
                return

    def revert_build(self) -> None:
        """Take all back that the newest build landed."""
        builds = [self.attempt(commit).rpartition("-")[0] for commit, _ in self.landings()]
        self.revert_many(sum(build == builds[0] for build in builds))

    def attempt(self, commit: str) -> str:
        """The attempt that a commit landed, by its trailer."""
        return self.world.git.message(commit).rpartition(f"{ATTEMPT_TRAILER}: ")[2].strip()

    def revert_revert(self) -> None:
        """Take the newest revert back."""
        for commit in self.world.first_parents(self.world.main):
            if self.world.git.message(commit) == REVERT:
                self.take_back(commit)
                return

    def take_back(self, commit: str) -> bool:
        """What `git revert` does."""
        parents = self.world.git.parents(commit)
        return bool(parents) and self.apply(commit, parents[0], REVERT)

    def switch(self, name: str, ago: int = 0) -> None:
        """Go to another branch; one that is new begins some commits ago."""
        ref = f"refs/heads/{name}"
        if ref not in self.world.git.refs:
            line = self.world.first_parents(self.world.main)
            self.world.git.refs[ref] = line[ago % len(line)]
        self.world.branch = ref

    def other(self) -> str | None:
        """The head of another branch, None where there is none."""
        refs = self.world.git.refs
        names = (name for name in ("refs/heads/side", "refs/heads/main") if name != self.world.branch)
        return next((refs[name] for name in names if name in refs), None)

    def cherry_pick(self) -> None:
        """Pick the newest commit of the other branch, message and all."""
        other = self.other()
        if other is not None and self.world.git.parents(other):
            self.apply(self.world.git.parents(other)[0], other, self.world.git.message(other))

    def merge(self, *, squash: bool) -> None:
        """Merge the other branch, or squash it into one commit without its trailers."""
        other = self.other()
        base = other and self.world.git.merge_base(self.world.main, other)
        if other and base and base != other:
            self.apply(base, other, "Merge it\n", *(() if squash else (other,)))

    def rebase(self) -> None:
        """Put the commits of this branch onto the other one."""
        git, before, other = self.world.git, self.world.main, self.other()
        base = other and git.merge_base(before, other)
        if other is None or base is None:
            return
        line = self.world.first_parents(before)
        own = line[: line.index(base)] if base in line else []
        self.world.git.refs[self.world.branch] = other
        for commit in reversed(own):
            landed = KEY_TRAILER in git.message(commit)
            if not (landed or len(git.parents(commit)) == 1) or not self.apply(
                git.parents(commit)[0], commit, git.message(commit)
            ):
                self.world.git.refs[self.world.branch] = before
                return

    # --- there and back --------------------------------------------------------------------------------------

    def desk(self) -> Desk:
        """How all is now."""
        return Desk(self.world.main, self.tasks, tuple(self.bin))

    def tidy(self, desk: Desk) -> None:
        """Put everything back by hand: the manifest, and by one more commit the files."""
        self.world.manifest = replace(self.world.manifest, tasks=desk.tasks)
        self.bin = list(desk.bin)
        before, now = self.world.git.tree(desk.main).files, self.world.git.tree(self.world.main).files
        if before != now:
            git, main = self.world.git, self.world.main
            self.move(git.commit(CommitRequest(desk.main, (main,), "Put it back\n")))
