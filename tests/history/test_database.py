"""Opening the history: any older version ends up new, nothing foreign is harmed, reading leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestra.history.database import History, open_for_reading, open_history
from orchestra.history.migrations import MIGRATIONS, SCHEMA_VERSION, Migration, migrate, version_of
from orchestra.history.queries import read_builds
from orchestra.history.statistics import EVERYTHING
from orchestra.history.stats import read_stats
from orchestra.history.views import VIEWS
from orchestra.model.errors import ExitStatus, OrchestraError

from .streams import null_build, real_build, record

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orchestra" / "history.db"


def schema_of(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    return set(connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master"))


def of_version(path: Path, version: int) -> None:
    """A database as the orchestra of an older version left it, with what that could hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:version])
        assert version_of(connection) == version


def files(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


# --- the schema ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(SCHEMA_VERSION + 1))
def test_every_older_version_ends_up_like_a_new_one(path: Path, version: int) -> None:
    of_version(path, version)
    with open_history(path) as old, open_history(path.with_name("new.db")) as new:
        assert version_of(old.connection) == SCHEMA_VERSION
        assert schema_of(old.connection) == schema_of(new.connection)
    record(path, real_build())
    with open_history(path) as history:
        assert [build.build for build in read_builds(history)] == ["b1"]


MORE = (
    *MIGRATIONS,
    Migration("0002_more", ("ALTER TABLE builds ADD COLUMN mood TEXT", "CREATE TABLE more (x)")),
)


def test_a_further_migration_keeps_what_is_recorded(path: Path) -> None:
    record(path, real_build())
    with open_history(path) as history:
        migrate(history.connection, MORE)
        assert version_of(history.connection) == SCHEMA_VERSION + 1
        assert history.connection.execute("SELECT build, mood FROM builds").fetchall() == [("b1", None)]
        assert history.connection.execute("SELECT count(*) FROM attempts").fetchone() == (1,)


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    record(path, real_build())
    broken = (*MORE, Migration("0003_broken", ("CREATE TABLE most (x)", "CREATE TABLE builds (x)")))
    with open_history(path) as history:
        before = schema_of(history.connection)
        with pytest.raises(sqlite3.OperationalError):
            migrate(history.connection, broken)
        assert schema_of(history.connection) == before
        assert version_of(history.connection) == SCHEMA_VERSION
        assert not history.connection.in_transaction


def test_many_that_open_a_new_history_at_once_all_get_it(path: Path) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(8)

    def open_one() -> None:
        barrier.wait()
        try:
            open_history(path).close()
        except (sqlite3.Error, OrchestraError) as error:
            errors.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert files(path.parent) == ["history.db"]


def test_foreign_keys_hold_and_a_dropped_build_takes_all_of_its_rows(path: Path) -> None:
    record(path, real_build())
    with open_history(path) as history:
        assert history.connection.execute("PRAGMA foreign_key_check").fetchall() == []
        history.connection.execute("DELETE FROM builds")
        for table in ("tasks", "decisions", "reasons", "attempts", "phases", "waits", "endings", "advances"):
            assert history.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_a_history_is_safe_beside_other_processes(path: Path) -> None:
    with open_history(path) as history:
        asked = {
            name: history.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "foreign_keys": 1}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_may_read_it(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with open_history(path) as history:
            history.connection.execute("INSERT INTO selections (digest, tasks) VALUES ('x', '[]')")
            modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"history.db": 0o600, "history.db-shm": 0o600, "history.db-wal": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


# --- views ---------------------------------------------------------------------------------------------------


def test_the_views_say_in_words_what_the_tables_hold(path: Path) -> None:
    record(path, real_build())
    with open_history(path) as history:
        history.connection.row_factory = sqlite3.Row
        (attempt,) = map(dict, history.connection.execute("SELECT * FROM attempt_view"))
        (build,) = map(dict, history.connection.execute("SELECT * FROM build_view"))
        (task,) = map(dict, history.connection.execute("SELECT * FROM task_view"))
    assert attempt["started"] == "1970-01-01T00:16:41.000Z"
    assert (attempt["why"], attempt["ending"], attempt["landed_as"]) == (
        "input-changed src/a.py",
        "landed",
        "c1",
    )
    assert (attempt["prepare_s"], attempt["agent_s"], attempt["check_s"]) == (0.5, 1.5, None)
    assert (attempt["waited_s"], attempt["tokens"], attempt["usd"]) == (0.5, 1200, 0.25)
    assert (build["state"], build["started"], build["landed"]) == ("finished", "1970-01-01T00:16:40.000Z", 1)
    assert (task["task"], task["attempts"], task["good"], task["mean_s"]) == ("alpha", 1, 1, 2.0)


def test_every_view_explains_itself(path: Path) -> None:
    with open_history(path) as history:
        found = dict(history.connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
    assert set(found) == {view.split()[2] for view in VIEWS} > {"attempt_view", "build_view", "task_view"}
    assert all(" -- " in sql for sql in found.values())


def test_the_manual_names_every_view_and_no_other(path: Path) -> None:
    manual = (
        (ROOT / "README.md").read_text("utf-8").split("| view | what it shows |", 1)[1].split("\n\n", 1)[0]
    )
    with open_history(path) as history:
        views = history.connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")
        assert [line.split("`")[1] for line in manual.split("\n")[2:]] == [name for (name,) in views]


@pytest.mark.parametrize("version", range(SCHEMA_VERSION))
def test_what_an_older_version_recorded_is_in_the_sums(path: Path, version: int) -> None:
    of_version(path, version)
    if version == 0:
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("INSERT INTO selections VALUES (1, 'd', '[]')")
        old.execute(
            "INSERT INTO builds (build, started, finished, pid, version, base, jobs, selection_id, selected, ok, ran,"
            " wall_s, sequential_s) VALUES ('b1', 1000, 1010, 1, '0', 'c0', 4, 1, 1, 1, 2, 10, 25)"
        )
        for number, outcome, ending in (
            (1, "success", "again"),
            (2, "failed", "again"),
            (3, "success", "landed"),
        ):
            old.execute(
                "INSERT INTO attempts (id, build, attempt, task, number, agent, base, key, started, outcome, seconds)"
                " VALUES (?, 'b1', ?, 'alpha', ?, 'script', 'c0', 'k1:a', 1000, ?, ?)",
                (number, f"b1-{number}", number, outcome, number),
            )
            old.execute(
                "INSERT INTO endings (build, task, attempt, attempt_id, time, kind, path_count, paths)"
                " VALUES ('b1', 'alpha', ?, ?, 1005, ?, 1, '[]')",
                (f"b1-{number}", number, ending),
            )
            old.execute("INSERT INTO waits VALUES (?, 0, 'write-write', 1.5, 'beta')", (number,))
    with open_history(path) as history:
        stats = read_stats(history, EVERYTHING)
    assert (stats.tally.attempts, stats.tally.good, stats.tally.seconds, stats.claims_s) == (3, 2, 6.0, 4.5)
    assert {loss.cause: loss.seconds for loss in stats.losses if loss.attempts} == {
        "conflict": 1.0,
        "retry": 2.0,
    }
    assert stats.builds is not None and stats.builds.speedup == 2.5
    record(path, null_build("b2", ("alpha",)))
    with open_history(path) as history:
        assert [saving.seconds for saving in read_stats(history, EVERYTHING).savings or ()] == [3.0, 0.0]


# --- damaged, newer, forbidden -------------------------------------------------------------------------------


def overwrite(path: Path) -> None:
    path.write_bytes(b"this is no database at all, but it is long enough to be looked at" * 100)


def tear(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * (4096 - 100)  # the root page of the schema
    path.write_bytes(content)


DAMAGE = pytest.mark.parametrize("damage", [overwrite, tear])


@DAMAGE
def test_a_damaged_history_is_set_aside_and_a_new_one_begun(
    path: Path, damage: Callable[[Path], None]
) -> None:
    for number in (1, 2):
        record(path, real_build())
        damage(path)
        content = path.read_bytes()
        with open_history(path) as history:
            kept = path.with_name(f"history.db.damaged-{number}")
            assert history.message is not None
            assert str(kept) in history.message
            assert read_builds(history) == ()
        assert kept.read_bytes() == content
    record(path, real_build("b2"))
    assert files(path.parent) == ["history.db", "history.db.damaged-1", "history.db.damaged-2"]


@DAMAGE
def test_reading_a_damaged_history_says_so_and_leaves_it(path: Path, damage: Callable[[Path], None]) -> None:
    record(path, real_build())
    damage(path)
    content = path.read_bytes()
    with pytest.raises(OrchestraError) as caught:
        open_for_reading(path)
    assert caught.value.status is ExitStatus.ENVIRONMENT
    assert caught.value.hint is not None
    assert (files(path.parent), path.read_bytes()) == (["history.db"], content)


@pytest.mark.parametrize("opened", [open_history, open_for_reading])
def test_a_newer_history_is_refused_and_left_as_it_is(
    path: Path, opened: Callable[[Path], History | None]
) -> None:
    record(path, real_build())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    content = path.read_bytes()
    with pytest.raises(OrchestraError, match="newer orchestra") as caught:
        opened(path)
    assert caught.value.status is ExitStatus.ENVIRONMENT
    assert caught.value.hint is not None
    assert (files(path.parent), path.read_bytes()) == (["history.db"], content)


def test_a_file_that_another_process_keeps_locked_is_no_damage(path: Path) -> None:
    of_version(path, 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            open_history(path, busy_ms=50)
    assert files(path.parent) == ["history.db"]


# --- reading -------------------------------------------------------------------------------------------------


def test_reading_where_there_is_no_history_makes_none(tmp_path: Path) -> None:
    assert open_for_reading(tmp_path / "orchestra" / "history.db") is None
    assert files(tmp_path) == []


def test_reading_leaves_the_files_as_they_were(path: Path) -> None:
    record(path, real_build())
    before = (files(path.parent), path.read_bytes())
    history = open_for_reading(path)
    assert history is not None
    with history:
        assert len(read_builds(history)) == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            history.connection.execute("DELETE FROM builds")
    assert (files(path.parent), path.read_bytes()) == before


def test_reading_beside_a_build_sees_what_it_has_recorded_so_far(path: Path) -> None:
    recorder = record(path, real_build()[:5], close=False)
    history = open_for_reading(path)
    assert history is not None
    with history:
        assert [build.state for build in read_builds(history)] == ["unfinished"]
    for event in real_build()[5:]:
        recorder.notify(event)
    recorder.close()
    assert files(path.parent) == ["history.db"]


def test_an_older_history_is_read_from_a_copy(path: Path) -> None:
    of_version(path, 0)
    before = (files(path.parent), path.read_bytes())
    history = open_for_reading(path)
    assert history is not None
    with history:
        assert read_builds(history) == ()
    assert (files(path.parent), path.read_bytes()) == before


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A folder outside pytest's, which other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="orchestra-history-"))
    try:
        yield folder
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


# Root may do anything, so it becomes nobody, once it has imported what nobody may not read.
AS_ANOTHER = """
import os, sys
from pathlib import Path
import sqlite_utils
from orchestra.history.database import open_for_reading
from orchestra.history.queries import read_builds
from orchestra.history.recorder import Recorder
if os.geteuid() == 0:
    os.setuid(65534)
"""
READ = """
with open_for_reading(Path(sys.argv[1])) as history:
    print([build.build for build in read_builds(history)])
"""
RECORD = """
Recorder.open(Path(sys.argv[1]), on_error=print).close()
"""


def as_another(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_ANOTHER + program, str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def test_a_history_in_a_folder_that_may_not_be_written_can_be_read(foreign: Path) -> None:
    path = foreign / "history.db"
    record(path, real_build())
    path.chmod(0o444)
    foreign.chmod(0o555)
    done = as_another(READ, path)
    assert (done.stdout, done.stderr) == ("['b1']\n", "")
    assert files(foreign) == ["history.db"]


def test_a_build_goes_on_where_no_history_may_be_written(foreign: Path) -> None:
    foreign.chmod(0o555)
    done = as_another(RECORD, foreign / "orchestra" / "history.db")
    assert done.stderr == ""
    assert done.stdout.startswith("nothing will be recorded: ")
    assert len(done.stdout.splitlines()) == 1


# --- imports -------------------------------------------------------------------------------------------------

IMPORTS = """
import sys
from pathlib import Path
import orchestra.history.forms, orchestra.history.render, orchestra.history.queries
from orchestra.history.recorder import Recorder
Recorder.open(Path(sys.argv[1]), on_error=print).close()
print(sorted({"sqlite_utils", "click", "rich", "jsonschema"} & set(sys.modules)))
"""


def test_sqlite_utils_is_imported_only_to_migrate(path: Path) -> None:
    command = [sys.executable, "-c", IMPORTS, str(path)]
    said = [
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout for _ in range(2)
    ]
    assert "sqlite_utils" in said[0]
    assert said[1] == "[]\n"
