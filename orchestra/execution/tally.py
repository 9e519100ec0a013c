"""What a build adds up while it goes on, and its last event made of that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestra.model.events import BuildFinished
from orchestra.model.outcomes import Final, Usage


@dataclass(slots=True)
class Tally:
    """Counts of attempts, their seconds, tokens and USD (None while nothing is known), and how many did not tell."""

    ran: int = 0
    sequential_s: float = 0.0
    usd: float | None = None
    tokens: int | None = None
    unpriced: int = 0
    uncounted: int = 0

    def attempt(self, seconds: float, usage: Usage, *, asked: bool = True) -> None:
        """Add an attempt that has ended; `asked`: it asked a service, so that it used something, known or not."""
        self.sequential_s += seconds
        if usage.usd is not None:
            self.usd = (self.usd or 0.0) + usage.usd
        elif asked:
            self.unpriced += 1
        if usage.tokens is not None:
            self.tokens = (self.tokens or 0) + usage.tokens
        elif asked:
            self.uncounted += 1

    def finished(
        self,
        time: float,
        build: str,
        finals: Mapping[str, Final],
        *,
        ok: bool,
        advanced: bool,
        interrupted: bool,
        wall_s: float,
        tip: str,
        error: str | None = None,
    ) -> BuildFinished:
        """The last event of the build."""

        def count(final: Final) -> int:
            return sum(value is final for value in finals.values())

        return BuildFinished(
            time,
            build,
            ok=ok,
            advanced=advanced,
            interrupted=interrupted,
            tasks=dict(finals),
            ran=self.ran,
            replayed=count(Final.REPLAYED),
            fresh=count(Final.FRESH),
            landed=count(Final.LANDED),
            no_change=count(Final.NO_CHANGE),
            passed=count(Final.PASSED),
            failed=count(Final.FAILED),
            rejected=count(Final.REJECTED),
            skipped=count(Final.SKIPPED),
            adopted=count(Final.ADOPTED),
            reverted=count(Final.REVERTED),
            wall_s=wall_s,
            sequential_s=self.sequential_s,
            speedup=self.sequential_s / wall_s if self.ran and wall_s > 0 else None,
            usd=self.usd,
            tokens=self.tokens,
            tip=tip,
            unpriced=self.unpriced,
            uncounted=self.uncounted,
            error=error,
        )
