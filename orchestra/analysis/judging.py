"""Whether a prompt says of a path that it is written, read, tested or left alone: by the words around it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from orchestra.analysis import cues
from orchestra.analysis.mentions import PATH, Lead, Mention, Page


class Stance(IntEnum):
    """What is said of a path; where a prompt says several things, the highest counts."""

    READ = 1
    TESTED = 2
    WRITE = 3
    UNTOUCHED = 4


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a path: `stance` is None where nothing is; `creates`: something is made there."""

    stance: Stance | None
    creates: bool


def judge(page: Page, mention: Mention) -> Said:
    """What the words around a mention say of it; by the nearest of them."""
    before = _without_list(page.before(mention))
    near = _last_part(before)[-cues.REACH :]
    after = page.after(mention) if page.says_behind(mention, cues.AFTER) else ()
    stance = _phrase(before, after) or _nearest(near)
    lead = Lead()
    if stance is None or not near:
        lead = page.lead(mention)
        stance = stance or _led(lead)
    creates = not cues.CREATE.isdisjoint((*near[-cues.CREATE_REACH :], *lead.words))
    return Said(stance, creates)


def _without_list(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words before the first of several paths in a row: what is said of it is said of all."""
    end = len(words)
    while end:
        at = end
        while at and words[at - 1] in _BETWEEN:
            at -= 1
        if at == end or not at or words[at - 1] != PATH:
            break
        end = at - 1
    return words[:end]


def _last_part(words: tuple[str, ...]) -> tuple[str, ...]:
    """What follows the last comma."""
    for at in range(len(words) - 1, -1, -1):
        if words[at] == ",":
            return words[at + 1 :]
    return words


def _phrase(before: tuple[str, ...], after: tuple[str, ...]) -> Stance | None:
    """What whole phrases around the path say."""
    front = " ".join(before)
    if not cues.NEGATION.isdisjoint(before) and cues.UNTOUCHED.search(front):
        return Stance.UNTOUCHED
    if not after:
        return None
    back = " ".join((PATH, *after))
    if cues.UNTOUCHED_AFTER.match(back):
        return Stance.UNTOUCHED
    if not cues.LEAVING.isdisjoint(before) and cues.LEFT_ALONE.search(f"{front} {back}"):
        return Stance.UNTOUCHED
    if cues.READ_AFTER.match(back) and cues.WRITE.isdisjoint(before):
        return Stance.READ
    return None


def _nearest(words: tuple[str, ...]) -> Stance | None:
    """What the cue nearest to the path says; `words` end where the path begins."""
    if not cues.LEADING_TO.isdisjoint(words[-4:]):
        text = " ".join(words)
        if cues.READ_END.search(text):
            return Stance.READ
        target = cues.TARGET.search(text)
        if target and target[1] not in cues.TOWARDS and not cues.WRITE.isdisjoint(words):
            return Stance.WRITE
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        previous = words[at - 1] if at else ""
        if word in cues.TESTS_OF and previous in cues.TESTS:
            return Stance.TESTED
        if previous in cues.ARTICLES or words[at + 1 : at + 2] == ("of",):
            continue
        if word in cues.WRITE:
            return Stance.WRITE
        if _reads(words, at, previous):
            return Stance.READ
    return None


def _reads(words: tuple[str, ...], at: int, previous: str) -> bool:
    """Whether the word there is a cue that what follows is read."""
    word = words[at]
    if len(words) - at > cues.READ_NEARBY.get(word, len(words)):
        return False
    if word in ("use", "using") and words[-1] == "in":
        # What is used in a file may as well be put there.
        return False
    if word in cues.READ_VERBS:
        return previous in cues.JOINTS or cues.WRITE.isdisjoint(words[:at])
    return word in cues.READ or word in cues.READ_NEARBY


def _led(lead: Lead) -> Stance | None:
    """What is said above the list that the path is in."""
    if lead.words:
        if cues.UNTOUCHED.search(" ".join(lead.words)):
            return Stance.UNTOUCHED
        stance = _nearest(lead.words)
        if stance is not None:
            return stance
    if lead.heading in cues.UNTOUCHED_HEADINGS:
        return Stance.UNTOUCHED
    return Stance.READ if lead.heading in cues.READ_HEADINGS else None


_BETWEEN = frozenset((",", "and", "or", "nor"))
