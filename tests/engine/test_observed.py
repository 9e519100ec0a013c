"""`triggers: [observed]`: what an agent was seen to read counts among its inputs, where the manifest asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.events import TaskDecided
from orchestra.model.freshness import ReasonKind, State
from orchestra.model.ports import AttemptOrder
from orchestra.model.trailers import read_reads, read_result_message, result_message
from orchestra.planning.simulate import Script
from tests.engine.world import World, script
from tests.model.kit import task

ONE = task("one", write=("out",), read=("declared",))
FILES = {"declared": "d", "seen": "s", "other": "o", "out": "old"}


@dataclass(repr=False)
class Reading(World):
    """A world in which an agent reads more than its task declares, and copies that."""

    reads: tuple[str, ...] = ("seen", "declared", "out")

    def copy(self, order: AttemptOrder, tree: object) -> Script:
        files = self.files(order.base)
        text = "".join(files.get(path, "-") for path in self.reads if path != "out")
        # As attempts tell it: of the files that are there.
        return replace(script({"out": text}), reads=tuple(path for path in self.reads if path in files))


def world(*triggers: str) -> Reading:
    made = Reading.of(ONE, files=FILES)
    assert isinstance(made, Reading)
    made.manifest = replace(made.manifest, triggers=triggers)
    made.behave = made.copy
    return made


def why(made: Reading) -> list[tuple[ReasonKind, str | None]]:
    """Builds, and gives why the task ran; [] where it did not."""
    built = made.build()
    assert built.finished.ok
    stale = [event for event in built.of(TaskDecided) if event.state is State.STALE]
    assert bool(stale) == bool(built.ran)
    return [(reason.kind, reason.subject) for reason in stale[-1].reasons] if stale else []


def test_a_change_of_what_it_read_makes_it_stale_and_of_what_it_wrote_does_not() -> None:
    made = world("observed")
    made.build()
    assert made.entries()["one"].observed == {"seen"}
    assert set(made.entries()["one"].parts.inputs) == {"declared", "seen"}
    made.build_nothing()
    made.edit({"other": "changed", "out": "by hand"})
    assert why(made) == []
    made.edit({"seen": "changed"})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "seen")]
    assert made.files()["out"] == "changedd"
    made.edit({"seen": None})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "seen")]
    # It is not there any more, so it was not read: that it comes back is no news.
    assert made.entries()["one"].observed == frozenset()
    made.build_nothing()


def test_edit_and_undo_with_no_build_between_runs_nothing() -> None:
    made = world("observed")
    made.build()
    made.edit({"seen": "changed"})
    made.edit({"seen": "s"})
    made.build_nothing()


def test_without_the_trigger_nothing_of_it_counts_or_is_recorded() -> None:
    made = world()
    made.build()
    assert made.entries()["one"].observed == frozenset()
    made.edit({"seen": "changed"})
    made.build_nothing()


def test_what_was_recorded_counts_no_more_once_the_trigger_is_gone() -> None:
    made = world("observed")
    made.build()
    made.manifest = replace(made.manifest, triggers=())
    made.build_nothing()
    made.edit({"seen": "changed"})
    made.build_nothing()
    made.edit({"declared": "changed"})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "declared")]


def test_only_what_the_last_attempt_read_counts() -> None:
    made = world("observed")
    made.build()
    made.reads = ("other",)
    made.edit({"seen": "changed"})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "seen")]
    assert made.entries()["one"].observed == {"other"}
    made.edit({"seen": "again"})
    assert why(made) == []
    made.edit({"other": "again"})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "other")]


def test_an_attempt_that_changed_nothing_has_read_too() -> None:
    made = world("observed")
    made.edit({"out": "sd"})
    assert made.build().finals == {"one": "no-change"}
    assert made.entries()["one"].observed == {"seen"}
    made.edit({"seen": "changed"})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "seen")]


@pytest.mark.parametrize("changed", [False, True])
def test_a_lost_entry_is_restored_with_what_was_read_where_that_is_as_it_was(changed: bool) -> None:
    made = world("observed")
    made.build()
    made.edit({".orchestra/lock/one.json": None, **({"seen": "changed"} if changed else {})})
    built = made.build()
    assert built.finals == {"one": "landed" if changed else "replayed"}
    assert made.entries()["one"].observed == {"seen"}
    made.edit({"seen": "once more"})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "seen")]


@pytest.mark.parametrize("changed", [False, True])
def test_a_kept_result_is_applied_only_where_what_was_read_is_as_it_was(changed: bool) -> None:
    made = world("observed")
    first = made.main
    made.build()
    # Another branch, on which nothing landed.
    made.git.refs[made.branch] = first
    made.theirs.append(first)
    if changed:
        made.edit({"seen": "changed"})
    # The branch went back: what the build before made of it is not taken up.
    for ref in [ref for ref in made.git.refs if ref.startswith("refs/heads/orchestra/")]:
        del made.git.refs[ref]
    built = made.build()
    assert built.finals == {"one": "landed" if changed else "replayed"}
    assert made.files()["out"] == ("changedd" if changed else "sd")
    assert made.entries()["one"].observed == {"seen"}
    made.build_nothing()


def test_adopting_keeps_what_was_read() -> None:
    made = world("observed")
    made.build()
    made.edit({"seen": "changed"})
    assert made.build(adopt=True).finals == {"one": "adopted"}
    made.build_nothing()
    made.edit({"seen": "again"})
    assert why(made) == [(ReasonKind.INPUT_CHANGED, "seen")]


def test_a_task_that_was_renamed_keeps_what_it_read() -> None:
    made = world("observed")
    made.build()
    triggers = made.manifest.triggers
    made.retask(replace(ONE, name="two"))
    made.manifest = replace(made.manifest, triggers=triggers)
    assert made.build().finals == {"two": "replayed"}
    assert made.entries()["two"].observed == {"seen"}


def test_a_landing_that_was_taken_back_with_what_it_read_unchanged_is_reverted() -> None:
    made = world("observed")
    before = made.main
    made.build()
    landed = next(c for c in made.theirs_and_ours() if made.files(c) != made.files(before))
    made.revert(landed)
    assert made.build_nothing() == {"one"}
    made.edit({"seen": "changed"})
    assert why(made) == [(ReasonKind.NEVER_BUILT, None)]


@given(
    st.text(max_size=30) | st.just("Orchestra-Read: x\n\nOrchestra-Task: other"),
    st.lists(
        st.text(min_size=1, max_size=5) | st.sampled_from(["\udcff", "a\nOrchestra-Read: b", '"']), max_size=3
    ),
)
def test_what_was_read_is_kept_with_the_result(summary: str, reads: list[str]) -> None:
    message = result_message("task", "b-1", summary, reads)
    assert read_reads(message) == tuple(reads)
    assert read_result_message(message)[0] == "task"
    # As git keeps it.
    assert read_reads(message.encode("utf-8", "replace").decode().rstrip("\n") + "\n") == tuple(reads)


def test_what_is_no_message_of_ours_tells_of_no_reads() -> None:
    assert read_reads('Orchestra-Read: "a"\n') == ()
    broken = result_message("task", "b-1", "") + "Orchestra-Read: not JSON\n"
    assert read_reads(broken) == () and read_result_message(broken)[0] == "task"
