"""The past as a ledger: what attempts used, and what this day has cost, read from the history as far as it is there.

It never stops a build: what cannot be read counts as nothing, and that is said once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestra.model.errors import OrchestraError
from orchestra.model.means import Day
from orchestra.model.outcomes import Usage

if TYPE_CHECKING:
    from datetime import tzinfo

NEWEST = 50
"""How many attempts the past of an agent, or of a task, goes back: prices and habits change."""

_LAST_PEAKS = 5


class HistoryLedger:
    """Implements Ledger. Nothing is opened before something is asked, nor kept open after."""

    def __init__(
        self, path: Path, build: str, notice: Callable[[str, str | None], None], zone: tzinfo | None = None
    ) -> None:
        """`path` is the history's, `build` the build that asks and is left out of all answers; `notice` takes a
        message and a hint for the person. Days are those of `zone`, by default the local one.
        """
        self._path = path
        self._build = build
        self._notice = notice
        self._zone = zone
        self._told = False

    def usages(self, agent: str, task: str | None = None) -> tuple[Usage, ...]:
        """See `orchestra.model.means.Ledger`."""
        names = ", ".join(Usage.__dataclass_fields__)
        where, values = ("AND task = ?", (task,)) if task is not None else ("", ())
        found = self._ask(
            f"SELECT {names} FROM attempts WHERE agent = ? {where} AND build <> ? AND finished IS NOT NULL"
            " AND outcome <> 'not-started' ORDER BY id DESC LIMIT ?",
            *(agent, *values, self._build, NEWEST),
        )
        return tuple(Usage(**row) for row in found)

    def peak_bytes(self, task: str) -> int:
        """See `orchestra.model.means.Ledger`."""
        found = self._ask(
            "SELECT peak_bytes FROM attempts WHERE task = ? AND peak_bytes > 0 ORDER BY id DESC LIMIT ?",
            *(task, _LAST_PEAKS),
        )
        return max((row["peak_bytes"] for row in found), default=0)

    def day(self, now: float) -> Day:
        """See `orchestra.model.means.Ledger`."""
        from datetime import datetime, timedelta  # a build that starts nothing asks nothing

        self._note_loss()
        today = datetime.fromtimestamp(now, self._zone).date()
        began, until = (
            datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()
            for day in (today, today + timedelta(days=1))
        )
        spent = self._ask(
            "SELECT sum(usd) AS usd FROM attempts WHERE finished >= ? AND finished < ? AND build <> ?",
            *(began, until, self._build),
        )
        # Which attempts could have cost something is known only where their build told its end.
        lacking = self._ask(
            "SELECT sum(unpriced) AS unpriced FROM builds WHERE finished >= ? AND finished < ? AND build <> ?",
            *(began, until, self._build),
        )
        usd = next((row["usd"] for row in spent), None)
        unpriced = next((row["unpriced"] for row in lacking), None)
        return Day(until, usd or 0.0, unpriced or 0)

    def _note_loss(self) -> None:
        """Say so where the logs of earlier builds are there and their records are not."""
        known = self._ask("SELECT 1 AS one FROM builds WHERE build <> ? LIMIT 1", self._build)
        logs = self._path.parent / "builds"
        if not known and logs.is_dir() and any(folder.name != self._build for folder in logs.iterdir()):
            self._tell("the history of earlier builds is gone: what they cost is taken as nothing", None)

    def _tell(self, message: str, hint: str | None) -> None:
        if not self._told:
            self._told = True
            self._notice(message, hint)

    def _ask(self, sql: str, *values: object) -> list[dict[str, Any]]:
        from orchestra.history.database import open_for_reading
        from orchestra.history.queries import ask

        try:
            history = open_for_reading(self._path)
            if history is None:
                return []
            with history:
                return ask(history, sql, *values)
        except OrchestraError as error:
            causes = f" ({error.causes[0]})" if error.causes else ""
            self._tell(f"what earlier builds cost is taken as nothing: {error}{causes}", error.hint)
            return []
