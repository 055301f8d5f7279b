"""What the seeds of a study can detect, said before any is spent."""

import math

import pytest

from ablation.stats.power import power_of
from frames import a_study


def test_power_by_hand() -> None:
    found = power_of(a_study(test="t", claims=a_study().claims[:1]), 10)
    assert (found.comparisons, found.least_p, found.limit) == (1, 0.0, 0.0)
    assert found.detectable == pytest.approx(1.00, abs=0.01)
    assert found.warnings == ()
    assert found.sentences[0] == "3 arms × 10 seeds = 30 cells."


def test_power_warns_of_what_cannot_succeed() -> None:
    flips = power_of(a_study(test="sign_flip"), 5)
    assert flips.least_p == 0.0625
    assert flips.detectable == math.inf
    assert flips.sentences[-1] == "With 5 seeds no effect can be found, however large."
    assert (
        "0.0625, not below the 0.025 that Holm's first step asks for: give at least 7 seeds"
        in (flips.warnings[0])
    )
    enough = power_of(a_study(test="sign_flip"), 7)
    assert enough.warnings == ()
    assert enough.detectable < math.inf
    assert "exploratory" in power_of(a_study(), 3).warnings[0]
    assert "Smoke" in power_of(a_study().smoke(), 2).warnings[0]
    assert "no number of seeds gets below" in " ".join(power_of(a_study(), 5).sentences)
