"""A change that leaves size and second of a file as they were is seen: git compares no more than that by default."""

from __future__ import annotations

from tests.cli.scratch import Scratch


def test_edits_of_the_same_size_in_the_same_second_are_captured(scratch: Scratch) -> None:
    names = [f"t{number}" for number in range(6)]
    for name in names:
        scratch.write(f"{name}.txt", "a\n")
        scratch.prompt(name, f"printf 'b\\n' > {name}.txt", claims={"write": [f"{name}.txt"]})
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    assert called.finished["tasks"] == dict.fromkeys(names, "landed")
    # And a slot that such an edit was made in is reset: the next attempt in it must not see it.
    for name in names:
        scratch.prompt(name, f"grep -h b t?.txt | wc -l > seen-{name}; cat t?.txt >> seen-{name}")
    for name in names:
        scratch.write(f"{name}.txt", "c\n")
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    assert called.finished["tasks"] == dict.fromkeys(names, "landed")
    for name in names:
        assert scratch.read(f"seen-{name}").split() == ["0", *["c"] * 6]
