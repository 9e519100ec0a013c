"""`orchestra demo [DIR]`: a small real repository, built before the person's eyes, and what to try next."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from orchestra.cli.build import BuildRequest, Display, jobs_option, run_build
from orchestra.cli.demo_files import FILES, REJECTED
from orchestra.cli.options import Project, Settings
from orchestra.model.errors import ExitStatus, environment_error, usage_error
from orchestra.model.events import BuildFinished
from orchestra.model.outcomes import Final
from orchestra.vcs.command import GitCommand

FOLDER = "orchestra-demo"


@click.command("demo")
@click.argument("folder", required=False, default=FOLDER, metavar="[DIR]")
@jobs_option
@click.pass_obj
def command(settings: Settings, folder: str, jobs: int | None) -> int:
    """Make a small repository in DIR (default: orchestra-demo), build its six tasks, and say what to try next.

    Needs no coding agent. Five tasks land and one, which breaks the tests, is rejected; ends with 0 when it
    went like that.
    """
    place = Path(settings.directory) / folder
    _make(place)
    click.echo(f"Made a repository with six prompts in {place}: one of them breaks the tests.\n")
    project = Project(Settings(str(place)), directory=None, file=None)
    finished = run_build(project, BuildRequest(jobs=jobs), Display(as_json=False, silent=False, verbosity=0))
    if not as_told(finished):
        click.echo("\nThis did not go as it should have: please report it with the lines above.", err=True)
        return ExitStatus.FAILED
    click.echo(_next(folder))
    return ExitStatus.OK


def as_told(finished: BuildFinished) -> bool:
    """Whether the demo went as its help says."""
    expected = {Path(path).stem: Final.LANDED for path in FILES if path.startswith("prompts/")} | {
        REJECTED: Final.REJECTED
    }
    return dict(finished.tasks) == expected and finished.advanced


def _make(place: Path) -> None:
    """Write the files and commit them."""
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise usage_error(f"{place} is there already", hint="name another folder: orchestra demo DIR")
    try:
        for name, text in FILES.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise environment_error(f"cannot write to {place}", causes=(str(error),)) from error
    git = GitCommand(place)
    git.run("init", "--quiet", "--initial-branch=main")
    if git.run("var", "GIT_COMMITTER_IDENT", allow=(0, 1, 128)).status != 0:
        # A machine on which git was never used still gets its demo; only this repository is told.
        git.run("config", "user.name", "orchestra demo")
        git.run("config", "user.email", "demo@localhost")
    git.run("add", "--all")
    git.run("commit", "--quiet", "--no-gpg-sign", "--message", "A shop")


def _next(folder: str) -> str:
    # Called by its path in a virtual environment, it must be told so that the lines can be typed as they stand.
    on_path = shutil.which("orchestra") is not None
    activate = "" if on_path else f"\n  alias orchestra={shlex.quote(str(Path(sys.argv[0]).absolute()))}"
    return f"""
What to try next:{activate}
  cd {shlex.quote(folder)}
  orchestra build                     tries only {REJECTED} again: the rest is fresh
  orchestra explain describe-prices   why it is fresh, and what would make it run
  echo >> shop/price.py && git commit -am "Change what describe-prices reads"
  orchestra build -n                  what that makes stale
  git log --stat                      one commit for each task, with the tests that passed
  orchestra history last              what the build took
  rm prompts/{REJECTED}.md       and its entry in orchestra.yaml: the next build is green"""
