"""`orchestra clean`: shows what builds left and nobody needs any more, and lets it go once it was asked to."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Project, Settings, common_options, use_color
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.text import clean

if TYPE_CHECKING:
    from orchestra.execution.leftovers import Grounds
    from orchestra.execution.sweeping import Swept
    from orchestra.integration.cleaning import Bounds, Item, Standing, Sweep
    from orchestra.reporting.clean import Cleaning
    from orchestra.vcs.slots import Slot
    from orchestra.vcs.spared import Spared

_AGE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(KiB|MiB|GiB|TiB)")


def _age(context: click.Context, parameter: click.Parameter, value: str) -> float:
    found = _AGE.fullmatch(value)
    if found is None:
        raise click.BadParameter("an age such as 12h, 30d or 8w", context, parameter)
    return float(found[1]) * _UNITS[found[2]]


def _bytes(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    from orchestra.manifest.values import size

    if _SIZE.fullmatch(value) is None:
        raise click.BadParameter("a size such as 500MiB or 2GiB", context, parameter)
    return size(value)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: which things may go, and how that is told."""

    bounds: Bounds
    as_json: bool
    verbose: bool


@click.command("clean")
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option(
    "--older-than",
    "older",
    callback=_age,
    default="30d",
    metavar="AGE",
    help="What was not of use for so long (default: 30d).",
)
@click.option(
    "--keep-size", "most", callback=_bytes, metavar="SIZE", help="Of each kind the newest up to SIZE stay."
)
@click.option("--all", "everything", is_flag=True, help="At any age, but not what is needed or rescued.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--wait", is_flag=True, help="Wait where a build is at work, instead of giving up.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Name each thing.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    kinds: tuple[str, ...],
    older: float,
    most: int | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    wait: bool,
    as_json: bool,
    verbose: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Show what builds left that nobody needs any more, and let it go after a yes.

    KINDs are slots, aside, results, rejected, rescued, verdicts, tips, logs, cache, leftovers; without one all of
    these are meant. Two go only when they are named: entries (lock entries of tasks that left the manifest, by a commit
    on your branch) and orphans (worktrees of repositories that are gone). What was not captured in a worktree is kept
    under a ref first. Where nobody can be asked, nothing goes without --yes.
    """
    from orchestra.integration.cleaning import Bounds, kind_named

    bounds = Bounds(older, everything, most, frozenset(map(kind_named, kinds)))
    wish = Wish(bounds, as_json, verbose)

    def cleaner() -> _Cleaner:
        # Anew: a person may think for long before they say yes.
        return _Cleaner(Project(settings, directory=directory, file=file), wish)

    waiting = (lambda what: click.echo(f"{what}; waiting for its end", err=True)) if wait else None
    if yes and not dry_run:
        return cleaner().clean(None, waiting)
    shown = cleaner().show()
    if not shown or as_json:
        return ExitStatus.OK
    if dry_run or not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"Nothing was changed. To let it go: {_typed(sys.argv[1:])}")
        return ExitStatus.OK
    if not click.confirm("Let it go?"):
        click.echo("Nothing was changed.")
        return ExitStatus.OK
    return cleaner().clean(shown, waiting)


def _typed(words: Sequence[str]) -> str:
    """What to type to let go what these words showed."""
    short = (re.sub("n", "", word) if re.fullmatch("-[nv]+", word) else word for word in words)
    kept = [word for word in short if word not in ("-", "--dry-run", "--yes")]
    return shlex.join(("orchestra", *kept, "--yes"))


class _Cleaner:
    """One call: looks, shows, and takes away what was shown."""

    def __init__(self, project: Project, wish: Wish) -> None:
        self._project = project
        self._wish = wish

    def show(self) -> frozenset[str]:
        """Show what would go; gives the names."""
        from orchestra.execution.lock import at_work

        now = time.time()
        chosen = self._chosen(now)
        self._print(_cleaning(chosen, self._wish), now)
        holder = at_work(self._project.lock_path)
        if holder is not None and not self._wish.as_json:
            click.echo(f"A build is at work: {holder}. Nothing goes before its end, and what it needs stays.")
        return frozenset(item.name for item in chosen.goes)

    def clean(self, shown: Collection[str] | None, waiting: Callable[[str], None] | None) -> int:
        """Take away what goes, of what was shown where something was."""
        from orchestra.execution.lock import BuildLock
        from orchestra.execution.sweeping import sweep
        from orchestra.integration.cleaning import Kind

        with BuildLock(self._project.lock_path, waiting):
            now = time.time()
            chosen = self._chosen(now)
            if shown is None and not self._wish.as_json:
                self._print(_cleaning(chosen, self._wish), now)
            goes = [item for item in chosen.goes if shown is None or item.name in shown]
            entries = [item for item in goes if item.kind is Kind.ENTRIES]
            if entries:
                from orchestra.cli.entries import drop_entries

                # First, since it may refuse: then nothing has changed.
                drop_entries(self._project, entries)
            swept = sweep(self._grounds(), goes, self._spared(), now)
            swept = replace(swept, gone=(*entries, *swept.gone))
            return self._tell(chosen, swept, bool(goes))

    def _tell(self, chosen: Sweep, swept: Swept, any_went: bool) -> int:
        from orchestra.reporting.clean import done_text

        cleaning = _cleaning(chosen, self._wish, swept)
        if self._wish.as_json:
            self._print(cleaning, 0.0)
        elif any_went:
            click.echo(done_text(cleaning, use_color(sys.stdout)))
        return ExitStatus.FAILED if swept.problems else ExitStatus.OK

    def _print(self, cleaning: Cleaning, now: float) -> None:
        from orchestra.reporting.clean import clean_json, clean_text

        if self._wish.as_json:
            click.echo(json.dumps(clean_json(cleaning)))
        else:
            color = use_color(sys.stdout)
            click.echo(clean_text(cleaning, now, color=color, verbose=self._wish.verbose))

    # --- looking ---------------------------------------------------------------------------------------------

    def _chosen(self, now: float) -> Sweep:
        from orchestra.execution.leftovers import survey
        from orchestra.integration.cleaning import choose

        items = [*survey(self._grounds(), self._standing(), now), *self._entries(now)]
        return choose(items, self._wish.bounds, now)

    def _grounds(self) -> Grounds:
        from orchestra.execution.leftovers import Grounds
        from orchestra.vcs.slots import slots_folder

        repository, environ = self._project.repository, os.environ
        configured = self._worktrees_dir()
        slots = slots_folder(repository.common_dir, repository.root, configured, environ)
        usual = slots_folder(repository.common_dir, repository.root, None, environ)
        # Without a home they lie in the repository itself, and nobody else's beside them.
        others = {slots.parent, usual.parent} - {repository.root / ".orchestra"}
        return Grounds(repository, slots, tuple(sorted(others)), Path(tempfile.gettempdir()))

    def _worktrees_dir(self) -> str | None:
        try:
            return self._project.manifest.worktrees.dir
        except OrchestraError:
            return None

    def _standing(self) -> Standing:
        """What is needed today; where the manifest cannot be read, all that one could need."""
        from orchestra.integration.cleaning import Standing, verdicts_asked
        from orchestra.integration.line import verdict_ref
        from orchestra.integration.refs import check_ref

        project = self._project
        repository = project.repository
        standing = Standing(repository.is_ancestor)
        try:
            at = project.situation()
            verdicts = {check_ref(key) for key in verdicts_asked(at)}
        except OrchestraError as error:
            why = f"the manifest cannot be read, so that all stays which one may need: {error}"
            click.echo(f"note: {clean(why)}", err=True)
            return standing
        command = project.manifest.integrate.verify
        if command is not None:
            from orchestra.cli.workshop import environment_of

            verdicts.add(verdict_ref(at.tree, command, environment_of(project)))
        tasks = frozenset(task.name for task in project.manifest.tasks)
        return replace(standing, tasks=tasks, verdicts=frozenset(verdicts))

    def _entries(self, now: float) -> tuple[Item, ...]:
        from orchestra.integration.cleaning import Kind, entry_items, left_the_manifest
        from orchestra.model.entries import lock_path

        project = self._project
        try:
            at = project.situation()
            left = left_the_manifest(at)
        except OrchestraError:
            if Kind.ENTRIES in self._wish.bounds.kinds:
                raise
            return ()
        ids = [at.tree.files[lock_path(task)].split(" ")[1] for task in left]
        sizes = dict(zip(left, map(len, project.repository.read(ids)), strict=True))
        return entry_items(left, sizes, now)

    def _spared(self) -> _Spared:
        return _Spared(self._project)


class _Spared:
    """What of a worktree is nobody's work: as builds know it, and without a manifest what they noted."""

    def __init__(self, project: Project) -> None:
        from orchestra.model.tasks import Worktrees
        from orchestra.vcs.slots import SlotPool

        repository = project.repository
        try:
            worktrees = project.manifest.worktrees
        except OrchestraError:
            worktrees = Worktrees()
        self._pool = SlotPool(
            repository.command, repository.root, repository.common_dir, repository.root, worktrees, _no_rescue
        )

    def __call__(self, slot: Slot) -> Spared:
        return self._pool.spared(slot)


def _no_rescue(slot: Slot, attempt: str) -> None:
    raise AssertionError("no worktree is made ready here")


def _cleaning(chosen: Sweep, wish: Wish, swept: Swept | None = None) -> Cleaning:
    from orchestra.integration.cleaning import Kind
    from orchestra.reporting.clean import ASKED, Cleaning, Row

    gone = set(chosen.goes if swept is None else swept.gone)
    order = list(Kind)
    items = sorted(
        (*chosen.goes, *chosen.stays), key=lambda item: (order.index(item.kind), item.used, item.name)
    )
    rows = tuple(
        Row(item.kind.value, item.name, item.used, item.size, item.needed, item in gone)
        for item in items
        if wish.bounds.wants(item.kind) or (not wish.bounds.kinds and item.kind.value in ASKED)
    )
    named = frozenset(kind.value for kind in wish.bounds.kinds)
    if swept is None:
        return Cleaning(rows, named)
    return Cleaning(rows, named, True, swept.rescued, swept.problems)
