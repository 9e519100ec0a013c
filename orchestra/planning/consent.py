"""Consent: which paid agents a person has said yes to in a repository, and what of a build is new to that. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Service:
    """What may cost money: a kind of agent and the model that it is told to use ("": it chooses itself)."""

    kind: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """Services, and whether what they may cost is bounded by a limit in USD."""

    services: frozenset[Service]
    bounded: bool

    def lacks(self, wanted: Consent) -> tuple[Service, ...]:
        """The services that are wanted and not agreed to, sorted."""
        return tuple(sorted(wanted.services - self.services))

    def covers(self, wanted: Consent) -> bool:
        """Whether the one was said for what the other asks: no new service, and no limit that is gone."""
        return not self.lacks(wanted) and (wanted.bounded or not self.bounded)

    def joined(self, more: Consent) -> Consent:
        """Both together: once without a limit, that was agreed to."""
        return Consent(self.services | more.services, self.bounded and more.bounded)
