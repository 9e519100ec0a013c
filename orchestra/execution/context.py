"""The files of `context`: what a project wants every agent to know, as it stands in an attempt's base."""

from __future__ import annotations

from orchestra.execution.prompting import CONTEXT_BYTES, ContextFile
from orchestra.execution.reads import is_file
from orchestra.model.errors import environment_error
from orchestra.model.trees import Tree
from orchestra.vcs.repository import Repository


def missing_context(paths: tuple[str, ...], base: Tree) -> tuple[str, ...]:
    """Those of the paths that are no files of the base."""
    return tuple(path for path in paths if not is_file(path, base))


def read_context(repository: Repository, paths: tuple[str, ...], base: Tree) -> tuple[ContextFile, ...]:
    """The files with their text, in the order given; what is no file of the base is left out.

    Raises OrchestraError where they hold more than `CONTEXT_BYTES` together.
    """
    present = tuple(path for path in paths if is_file(path, base))
    contents = repository.read([base.files[path].split(" ")[1] for path in present])
    size = sum(map(len, contents))
    if size > CONTEXT_BYTES:
        sizes = (f"{path}: {len(content):,} bytes" for path, content in zip(present, contents, strict=True))
        raise environment_error(
            f"the files of `context` hold {size:,} bytes together, more than {CONTEXT_BYTES:,}",
            causes=tuple(sizes),
            hint="they precede every prompt: shorten them, or name fewer under `context` in orchestra.yaml",
        )
    return tuple(
        ContextFile(path, content.decode("utf-8", "replace"))
        for path, content in zip(present, contents, strict=True)
    )


def context_of(repository: Repository, paths: tuple[str, ...], base: str) -> tuple[ContextFile, ...]:
    """The same of a commit, which is not looked at where there is nothing to read in it."""
    return read_context(repository, paths, repository.tree(base)) if paths else ()
