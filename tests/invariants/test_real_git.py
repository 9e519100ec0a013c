"""The same machines on real repositories: what git does must not differ from what its double does."""

from __future__ import annotations

import pytest

from tests.examples import on_real_git

from .real import RealStage
from .test_crashes import Crashes
from .test_replays import Replays
from .test_stories import Duel, Failing, Story
from .test_twins import Twins

pytestmark = pytest.mark.slow


class RealStory(RealStage, Story):
    """See `Story`."""


class RealFailing(RealStage, Failing):
    """See `Failing`."""


class RealDuel(RealStage, Duel):
    """See `Duel`."""


class RealTwins(RealStage, Twins):
    """See `Twins`."""


class RealCrashes(RealStage, Crashes):
    """See `Crashes`."""


class RealReplays(RealStage, Replays):
    """See `Replays`."""


TestRealStory = RealStory.TestCase
TestRealStory.settings = on_real_git(25)
TestRealFailing = RealFailing.TestCase
TestRealFailing.settings = on_real_git(25)
TestRealDuel = RealDuel.TestCase
TestRealDuel.settings = on_real_git(25)
TestRealTwins = RealTwins.TestCase
TestRealTwins.settings = on_real_git(25)
TestRealCrashes = RealCrashes.TestCase
TestRealCrashes.settings = on_real_git(25)
TestRealReplays = RealReplays.TestCase
TestRealReplays.settings = on_real_git(25)
