"""Puts entries, prompts and front matter together into tasks, and says what does not fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestra.manifest.front import FrontMatter
from orchestra.manifest.needs import Waiting, check_needs
from orchestra.manifest.problems import DataPath, Problem, nearest, show
from orchestra.manifest.prompts import Found, Root, name_prompts, read_prompt
from orchestra.manifest.rules import agent_problem, twins
from orchestra.manifest.shape import ClaimsText, Entry, Settings, claims_of
from orchestra.manifest.values import is_unprintable, name_fault, name_fold, task_name
from orchestra.model.errors import OrchestraError, Place, usage_error
from orchestra.model.tasks import Prompt, Task


@dataclass(frozen=True, slots=True)
class Draft:
    """A task to be: its name, its entry, the path of its prompt, and its key in the manifest (None: no entry)."""

    name: str
    entry: Entry
    path: str | None
    key: str | None

    def written(self, key: str | None = None) -> DataPath:
        """The path of its entry in the manifest, or of a key in that."""
        return ("tasks", str(self.key), *((key,) if key else ()))


@dataclass(frozen=True, slots=True)
class Read:
    """A draft with its prompt and with what the front matter says."""

    draft: Draft
    prompt: Prompt | None
    front: Entry
    front_matter: str | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong: problems still to be located, and errors that have their place."""

    problems: tuple[Problem, ...] = ()
    errors: tuple[OrchestraError, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.problems or self.errors)


def match(entries: Iterable[tuple[str, Entry]], found: Iterable[Found]) -> tuple[tuple[Draft, ...], Faults]:
    """Which prompt belongs to which entry, and the tasks of the remaining prompts by path."""
    entries = tuple(entries)
    explicit = {entry.prompt for _, entry in entries}
    names = name_prompts(item for item in found if item.path not in explicit)
    free = {item.path: (name, item) for name, item in names.by_name.items()}
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for key, entry in entries:
        path = entry.prompt
        if path is None and entry.run is None:
            choices = _meant(task_name(key), free.values())
            if len(choices) == 1:
                path = choices[0].path
                del free[path]
            else:
                problems.append(_no_prompt(key, choices, names.by_name))
        drafts.append(Draft(task_name(key), entry, path, key))
    by_fold = {name_fold(draft.name): draft for draft in drafts}
    used = by_fold.keys() | {name_fold(name) for name, _ in free.values()}
    for name, item in free.values():
        # A name that an entry bears is left to it.
        longer = item.names[1]
        final = longer if name_fold(name) in by_fold and name_fold(longer) not in used else name
        fault = name_fault(final)
        if is_unprintable(item.path):
            fault = "or its folder's holds a control character, or what is not UTF-8"
        if name_fold(final) in by_fold:
            problems.append(_borne_by_entry(item, by_fold[name_fold(final)]))
        elif fault is not None:
            problems.append(_bad_name(item, final, fault))
        else:
            drafts.append(Draft(final, Entry(), item.path, None))
    problems += (_same_name(*pair) for pair in names.twins)
    return tuple(drafts), Faults(tuple(problems))


def read(root: Root, drafts: Sequence[Draft], front_matter: FrontMatter) -> tuple[tuple[Read, ...], Faults]:
    """Read the prompts of all drafts."""
    done: list[Read] = []
    problems: list[Problem] = []
    errors: list[OrchestraError] = []
    for draft in drafts:
        if draft.path is None:
            done.append(Read(draft, None, Entry()))
            continue
        try:
            file = read_prompt(root, draft.path, draft.name)
            front = front_matter.read(file.front_matter, draft.path)
            done.append(Read(draft, file.prompt, front, file.front_matter))
        except OrchestraError as error:
            if error.place is not None:
                errors.append(error)
            elif draft.key is None:
                hint = error.hint or "remove it, or put the text of a prompt there"
                problems.append(Problem(error.message, hint=hint, place=Place(draft.path)))
            else:
                hint = error.hint or _other_path(draft.path, drafts)
                problems.append(Problem(error.message, draft.written("prompt"), hint=hint))
    return tuple(done), Faults(tuple(problems), tuple(errors))


def check(items: Iterable[Read], settings: Settings) -> Faults:
    """What is wrong only in the light of everything: names of agents in front matter, and needs."""
    problems = []
    waiting = []
    for item in items:
        draft = item.draft
        for key, named in (("agent", item.front.agent), ("review", item.front.review)):
            if named is not None and named not in settings.agents:
                problem = agent_problem(named, settings.agents, (key,), draft.path)
                problems += [problem] if problem else []
        written = draft.entry.needs is not None
        waiting.append(
            Waiting(
                draft.name,
                (draft.entry.needs if written else item.front.needs) or (),
                draft.written("needs") if written else ("needs",),
                None if written else draft.path,
                draft.path,
            )
        )
    return Faults((*problems, *check_needs(waiting)))


def chosen_agent(name: str | None, settings: Settings) -> str | None:
    """The command line's agent; raises OrchestraError where there is none of that name."""
    problem = agent_problem(name, settings.agents, ()) if name is not None else None
    if problem is not None:
        raise usage_error(problem.message, hint=problem.hint)
    return name


def task_of(
    item: Read, index: int, settings: Settings, *, agent: str | None, unread: tuple[str, ...], place: Place
) -> Task:
    """A task: the command line before the entry, that before front matter, that before the defaults."""
    entry, front = item.draft.entry, item.front
    claims: ClaimsText | None = entry.claims or front.claims
    priority = _first(entry.priority, front.priority, settings.priority)
    runs = entry.run is not None
    return Task(
        name=item.draft.name,
        index=index,
        claims=claims_of(claims, runs=runs, unread=unread),
        prompt=item.prompt,
        run=entry.run,
        agent=None if runs else agent or entry.agent or front.agent or settings.agent,
        needs=tuple(dict.fromkeys(entry.needs if entry.needs is not None else front.needs or ())),
        priority=priority,
        check=entry.check,
        timeout=entry.timeout or front.timeout or settings.timeout,
        stall=entry.stall or front.stall or settings.stall,
        retries=_first(entry.retries, front.retries, settings.retries),
        repairs=_first(entry.repairs, front.repairs, settings.repairs),
        usd=entry.usd or front.usd,
        review=None if runs else entry.review or front.review,
        env=entry.env,
        passes=entry.passes,
        on_drift=entry.on_drift or front.on_drift,
        artifacts=entry.artifacts if entry.artifacts is not None else front.artifacts or (),
        place=place,
    )


def _first(entry: int | None, front: int | None, default: int) -> int:
    """What is said first; zero is said, too."""
    return entry if entry is not None else front if front is not None else default


def _other_path(path: str, drafts: Iterable[Draft]) -> str:
    """What to write instead of the path of a prompt that is not there."""
    others = [draft.path for draft in drafts if draft.key is None and draft.path]
    alike = [other for other in others if other.rpartition("/")[2] == path.rpartition("/")[2]]
    meant = alike[0] if alike else nearest(path, others)
    return f"did you mean `{meant}`?" if meant else "write the path from the root of the repository"


def _meant(name: str, free: Iterable[tuple[str, Found]]) -> list[Found]:
    """The prompts that a name can mean: the one that is named so, or else those that could have been."""
    items = list(free)
    exact = [item for own, item in items if own == name]
    return exact or [item for _, item in items if name in item.names]


def _no_prompt(key: str, choices: list[Found], by_name: Mapping[str, Found]) -> Problem:
    path: DataPath = ("tasks", key)
    if choices:
        message = f"`{show(key)}` can mean {' or '.join(f'`{show(item.path)}`' for item in choices)}"
        return Problem(message, path, True, f"name one: `prompt: {show(choices[0].path)}`")
    meant = nearest(key, by_name)
    hint = "write `prompt: PATH` for an agent or `run: COMMAND`"
    if meant:
        hint += f", or name it `{show(meant)}` like the prompt `{show(by_name[meant].path)}`"
    hint += ", or take the entry out"
    message = f"`{show(key)}` has neither `prompt` nor `run`, and no prompt bears its name"
    return Problem(message, path, True, hint)


def _borne_by_entry(item: Found, draft: Draft) -> Problem:
    key = str(draft.key)
    message = f"the prompt `{show(item.path)}` would be a second task named `{show(draft.name)}`"
    if draft.name not in item.names:
        return twins(item.names[0], key, draft.written())
    hint = f"rename the prompt or the entry, or write `prompt: {show(item.path)}` into the entry"
    return Problem(message, draft.written(), True, hint)


def _bad_name(item: Found, name: str, fault: str) -> Problem:
    hint = f"rename the file, or name its task: `tasks: {{NAME: {{prompt: {show(item.path)}}}}}`"
    message = f"the name `{show(name)}` of the prompt's task {fault}"
    return Problem(message, hint=hint, place=Place(show(item.path, 4096)))


def _same_name(item: Found, other: Found) -> Problem:
    message = f"the prompts `{show(other.path)}` and `{show(item.path)}` would be one task"
    hint = "rename one of them, or name both in `tasks`"
    return Problem(message, hint=hint, place=Place(item.path))
