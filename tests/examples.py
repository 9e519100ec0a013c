"""How many examples the random tests try: one switch for all of them.

`ORCHESTRA_TEST_EXAMPLES=10000 pytest` tries that many wherever examples cost little, and one in twenty of that
where each needs a real repository.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

WANTED = os.environ.get("ORCHESTRA_TEST_EXAMPLES")
STEPS = 6
"""How many steps a state machine takes in one example, at most."""


def in_memory(usual: int) -> settings:
    """Settings for a test whose examples cost little."""
    return settings(
        max_examples=int(WANTED) if WANTED else usual,
        deadline=None,
        report_multiple_bugs=False,
        stateful_step_count=STEPS,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


def on_real_git(usual: int) -> settings:
    """Settings for a test whose examples need a real repository each."""
    examples = max(usual, int(WANTED) // 20 if WANTED else 0)
    return settings(in_memory(usual), max_examples=examples, stateful_step_count=STEPS - 2)
