"""When a person is asked again: whenever something comes that they did not say yes to, and only then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.planning.consent import Consent, Service

SERVICES = st.frozensets(
    st.builds(Service, st.sampled_from(("claude-code", "codex", "command")), st.sampled_from(("", "a", "b")))
)
CONSENTS = st.builds(Consent, SERVICES, st.booleans())


@given(st.lists(CONSENTS, min_size=1), CONSENTS)
def test_asked_again_only_for_what_no_answer_covers(said: list[Consent], wanted: Consent) -> None:
    together = said[0]
    for one in said[1:]:
        together = together.joined(one)
    # By the word: every service was agreed to once, and where all was limited, a limit is there still.
    agreed = {service for one in said for service in one.services}
    unlimited = any(not one.bounded for one in said)
    assert together.covers(wanted) == (wanted.services <= agreed and (wanted.bounded or unlimited))
    assert set(together.lacks(wanted)) == wanted.services - agreed


@given(CONSENTS, CONSENTS)
def test_what_was_agreed_to_is_not_asked_again(said: Consent, more: Consent) -> None:
    assert said.joined(more).covers(said) and said.joined(more).covers(more)
    assert said.covers(said)
