"""Looks: what a test may use at each, what stops, and that a killed study goes on to the same end."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablation import (
    Claim,
    Difference,
    Function,
    Gate,
    Measure,
    Same,
    Study,
    UserError,
    catalogue,
    results,
    run,
)
from ablation.report.export import Results, publish, read
from ablation.runner.scheduler import run_study
from ablation.runner.until_decided import run_until_decided
from ablation.runner.verify import verify
from ablation.stats.effects import contrast
from ablation.stats.power import power_of
from ablation.stats.sequential import sequential_p, shares
from ablation.stats.statistics import power
from ablation.tracked import Tracked
from ablation.tracking.store import Store
from engines import InlineEngine
from verbs import call

LOOKS = (5, 10, 12)
STUDY = """
import os, signal
from ablation import Claim, Difference, Measure, Study

LATE = [1, 1.4, 0.6, 1.8, 0.2]

def score(arm, seed):
    late = LATE[seed] if seed < 5 else 1 + seed % 2 / 10
    own = {"old": 0, "big": 50 + seed % 3 / 10, "late": late, "never": (-1) ** seed}[arm]
    return own + seed * 7 % 5

def fit(settings, seed):
    if os.environ.get("DIES_AT") == f"{settings['arm']} {seed}":
        os.killpg(0, signal.SIGKILL)
    return {"score": score(settings["arm"], seed)}

study = Study(
    question="Which is decided?", source="a double", train=fit, baseline={"arm": "old"},
    arms={arm: {"arm": arm} for arm in ("old", "big", "late", "never")},
    measures={"score": Measure("higher", "Score", 2, matters=0.1)},
    claims=[Claim(f"{arm} is above", Difference("score", "up", arm)) for arm in ("big", "late", "never")],
    looks=(5, 10, 12),
)
"""
STOPS = {"old": 12, "big": 5, "late": 10, "never": 12}
"""After how many seeds each arm ends: two claims are decided, at the first and at the second look."""


def unused(settings: dict[str, Any], seed: int) -> dict[str, float]:
    return {}


def a_study(**changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "looked",
        "question": "Is it above?",
        "source": "a double",
        "train": unused,
        "baseline": {"x": 0},
        "arms": {"up": {"x": 1}, "other": {"x": 2}},
        "measures": {"score": Measure("higher", "Score", 2, matters=1.0)},
        "claims": [Claim("up is above", Difference("score", "up", "up"))],
        "looks": (5, 10, 15, 20),
    }
    return Study(**(fields | changes))


def cells_of(differences: Any, **states: dict[int, str]) -> pd.DataFrame:
    """The baseline at 0, "up" at `differences` by seed, "other" at 0.1 times the seed."""
    values = {"baseline": np.zeros(len(differences)), "up": np.asarray(differences)}
    values["other"] = np.arange(len(differences)) / 10
    rows = [(arm, seed, value) for arm, own in values.items() for seed, value in enumerate(own)]
    frame = pd.DataFrame(rows, columns=["arm", "seed", "score"]).assign(fingerprint="", run_id="")
    state = [states.get(arm, {}).get(seed, "complete") for arm, seed, _ in rows]
    return frame.assign(state=state)


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "looks_double.py"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, study_file: Path) -> Store:
    """A store in which the study ran until it was decided."""
    store = Store(tmp_path_factory.mktemp("undisturbed") / "store")
    run_until_decided(catalogue.load(str(study_file)), store, InlineEngine(), workers=1)
    return store


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"looks": (4, 10)}, "the first at least 5, since fewer are never tested, but got (4, 10)"),
        ({"looks": (5, 5)}, "numbers of seeds that grow"),
        ({"looks": (10, 5)}, "numbers of seeds that grow"),
        ({"seeds": 10}, "the last of looks is the number of seeds, 20, but got seeds=10"),
        ({"looks": (5, 7.5)}, "looks[1] of Study wants a whole number"),
    ],
)
def test_looks_that_say_nothing_are_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        a_study(**changes)
    assert words in str(refused.value)


def test_the_last_look_is_the_number_of_seeds_and_without_looks_it_is_five() -> None:
    assert a_study().seeds == 20
    assert a_study(looks=()).seeds == 5
    assert a_study(looks=(), seeds=7).seeds == 7
    assert replace(a_study(), name="other").seeds == 20
    with pytest.raises(UserError, match=r"end at 20 seeds, but got 25"):
        a_study().cells(25)
    assert not a_study().smoke().looks


def test_runs_that_exist_are_not_looked_at() -> None:
    frame = pd.DataFrame({"x": [0, 1], "seed": [0, 0], "score": [0.0, 1.0]})
    with pytest.raises(UserError, match="exist already: leave looks out"):
        a_study(train=None, runs=Tracked(frame), arms={"up": {"x": 1}})


@pytest.mark.parametrize("looks", [(5,), (5, 20), (5, 10, 15, 20), (6, 7, 8, 30)])
def test_the_looks_share_the_level(looks: tuple[int, ...]) -> None:
    parts = shares(looks)
    assert sum(parts) == pytest.approx(1)
    assert min(parts) > 0
    spent = np.cumsum(parts)
    assert spent == pytest.approx([(look / looks[-1]) ** 3 for look in looks])


def test_a_sequential_p_lies_below_a_level_where_a_look_uses_its_share_of_it() -> None:
    rng, parts = np.random.default_rng(0), shares((5, 10, 15, 20))
    for p in rng.uniform(size=(500, 4)) ** 3:
        for alpha in (0.001, 0.05, 0.4):
            crossed = any(one < alpha * part for one, part in zip(p, parts, strict=True))
            assert (sequential_p(p.tolist(), parts)[0] < alpha) == crossed
        so_far = [sequential_p(p[:k].tolist(), parts[:k])[0] for k in range(1, 5)]
        assert so_far == sorted(so_far, reverse=True)  # what is shown at a look is never taken back
    assert sequential_p([None, 0.2], (0.5, 0.5)) == (0.4, 1)
    assert sequential_p([None], (0.5,)) == (1.0, 0)


def test_an_effect_is_tested_at_every_look_and_its_interval_is_that_of_the_last() -> None:
    one, differences = a_study(), 0.4 + np.random.default_rng(3).normal(size=20)
    found = contrast(one, cells_of(differences), one.claims[0].rule)
    parts, looks = shares(one.looks), one.looks
    plain = [stats.ttest_1samp(differences[:n], 0).pvalue for n in looks]
    above = [stats.ttest_1samp(differences[:n], 1, alternative="less").pvalue for n in looks]
    below = [stats.ttest_1samp(differences[:n], -1, alternative="greater").pvalue for n in looks]

    def least(p: list[float]) -> float:
        return min(1.0, *(value / part for value, part in zip(p, parts, strict=True)))

    assert found.p == pytest.approx(least(plain))
    assert found.p_excluded == pytest.approx(least(above))
    assert found.p_equivalence == pytest.approx(least([max(pair) for pair in zip(above, below, strict=True)]))
    reach = stats.ttest_1samp(differences, 0).confidence_interval(1 - 0.05 * parts[-1])
    assert (found.estimate.low, found.estimate.high) == pytest.approx((reach.low, reach.high))
    # And without looks nothing of this.
    alone = contrast(a_study(looks=(), seeds=20), cells_of(differences), one.claims[0].rule)
    assert alone.p == pytest.approx(plain[-1])


def test_a_look_counts_where_all_of_its_cells_are_complete() -> None:
    one, differences = a_study(), np.random.default_rng(4).normal(size=20)
    whole = contrast(one, cells_of(differences[:10]), one.claims[0].rule)
    for state in ("failed", "diverged", "missing", "stopped"):
        broken = contrast(one, cells_of(differences, up={12: state}), one.claims[0].rule)
        assert broken == whole
    # A cell of an arm that the rule does not rest on takes nothing away.
    beside = contrast(one, cells_of(differences, other={2: "failed"}), one.claims[0].rule)
    assert len(beside.seeds) == 20


def test_before_the_first_look_nothing_is_tested() -> None:
    one = a_study(looks=(8, 20))
    found = Results(one, cells_of(np.random.default_rng(5).normal(size=6)))
    (verdict,) = found.analysis.verdicts
    assert verdict.p is None
    assert "6 seeds are fewer than those of the first look, 8" in verdict.reason
    assert "none yet for claim 1" in found.text()
    assert any("no test will be made" in said for said in power_of(one, 6).warnings)


def test_the_direction_is_that_of_the_look_that_shows_it() -> None:
    """What an early look has shown stands, whatever later seeds do to the mean."""
    one = a_study(looks=(10, 20))
    early = 5 + np.random.default_rng(6).normal(size=10) / 10
    (verdict,) = Results(one, cells_of([*early, *(-30 + early)])).analysis.verdicts
    assert verdict.estimate.mean < 0
    assert verdict.word == "supported"


def test_a_stopped_cell_is_no_gap() -> None:
    stops = dict.fromkeys(range(10, 20), "stopped")
    one, differences = a_study(), 9 + np.random.default_rng(7).normal(size=20)
    beside = dict.fromkeys(range(5, 20), "stopped")
    found = Results(one, cells_of(differences, up=stops, baseline=stops, other=beside))
    said = " ".join(found.analysis.caveats)
    assert found.analysis.verdicts[0].word == "supported"
    assert "no look counts" not in said
    assert "other after 5 seeds and baseline and up after 10 seeds" in said
    assert "estimated larger than it is" in said
    gap = Results(one, cells_of(differences, up={12: "failed"}))
    assert "no look counts that lacks such a cell" in " ".join(gap.analysis.caveats)


def test_the_plan_speaks_of_the_last_look() -> None:
    one = a_study()
    said = power_of(one, 20)
    alone = power_of(a_study(looks=(), seeds=20), 20)
    assert said.detectable > alone.detectable
    assert power(said.detectable, 1, 20, 0, 0.05 * shares(one.looks)[-1]) == pytest.approx(0.8)
    words = " ".join(said.sentences)
    assert "looks at 5, 10, 15 and 20 seeds" in words
    assert "60 cells are the most that run" in words


def states_of(store: Store, path: Path) -> dict[str, list[str]]:
    frame = read(catalogue.load(str(path)), store).cells
    return {str(arm): own["state"].tolist() for arm, own in frame.groupby("arm", sort=False)}


def as_planned(states: dict[str, list[str]]) -> bool:
    return states == {arm: ["complete"] * n + ["stopped"] * (12 - n) for arm, n in STOPS.items()}


def test_arms_stop_once_no_undecided_claim_needs_them(study_file: Path, tmp_path: Path) -> None:
    study, engine, said = catalogue.load(str(study_file)), InlineEngine(), list[str]()
    progress = run_until_decided(study, Store(tmp_path), engine, 1, tell=said.append)
    assert len(engine.tasks) == progress.trained == progress.total == sum(STOPS.values())
    assert as_planned(states_of(Store(tmp_path), study_file))
    assert said == [
        "Look at 5 seeds: 1 of 3 claims decided; no longer needed: big.",
        "Look at 10 seeds: 2 of 3 claims decided; no longer needed: late.",
        "Look at 12 seeds: 2 of 3 claims decided.",
        "Stopped: big after 5 seeds and late after 10 seeds. 9 of 48 runs of the full plan were not needed.",
    ]


def test_all_seeds_give_the_same_verdict_as_stopped_runs(
    undisturbed: Store, study_file: Path, tmp_path: Path
) -> None:
    """A plain run trains all; what a look has shown then is shown still, and nothing is stopped any more."""
    study, whole = catalogue.load(str(study_file)), Store(tmp_path)
    run_until_decided(study, whole, InlineEngine(), 1)
    run_study(study, whole, InlineEngine(), 1)
    assert set(states_of(whole, study_file)["big"]) == {"complete"}
    words = [v.word for v in read(study, undisturbed).analysis.verdicts]
    assert words == ["supported", "supported", "inconclusive"]
    assert [v.word for v in read(study, whole).analysis.verdicts] == words


def test_a_plain_run_that_was_interrupted_lacks_cells(study_file: Path, tmp_path: Path) -> None:
    study, store = catalogue.load(str(study_file)), Store(tmp_path)
    run_until_decided(study, store, InlineEngine(), 1)

    def dies(task: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, store, InlineEngine(dies), 1)
    assert states_of(store, study_file)["big"] == ["complete"] * 5 + ["missing"] * 7


def test_a_claim_with_a_broken_cell_waits_and_stops_nothing(study_file: Path, tmp_path: Path) -> None:
    study, store, said = catalogue.load(str(study_file)), Store(tmp_path), list[str]()

    def breaks(task: Any) -> None:
        if (task.label.arm, task.label.seed) == ("late", 7):
            raise OSError("the disk is full")

    progress = run_until_decided(study, store, InlineEngine(breaks), 1, tell=said.append)
    assert list(progress.failed) == ["late, seed 7"]
    assert "waiting for a run that is not complete: old, late" in said[1]
    states = states_of(store, study_file)
    assert states["late"][10:] == ["missing"] * 2
    assert states["old"] == ["complete"] * 12  # "never" still needs it
    # Run again, the cell is tried again, and the end is that of a study in which nothing broke.
    run_until_decided(study, store, InlineEngine(), 1)
    assert as_planned(states_of(store, study_file))


@pytest.mark.parametrize(
    ("above", "stops", "word"),
    [
        (0.6, {"old": 12, "big": 10, "late": 10, "never": 12}, "supported"),  # passed at the second look
        (60.0, dict.fromkeys(STOPS, 5), "not judged"),  # missed at the first: no later look can help
    ],
)
def test_arms_go_on_while_a_gate_before_their_claim_may_be_passed(
    above: float, stops: dict[str, int], word: str, study_file: Path, tmp_path: Path
) -> None:
    gate = Gate("the old one has learned", "score", above=above)
    study = replace(catalogue.load(str(study_file)), gates=(gate,))
    run_until_decided(study, Store(tmp_path), InlineEngine(), 1)
    found = read(study, Store(tmp_path))
    complete = found.cells[found.cells["state"] == "complete"]
    assert complete["arm"].value_counts().to_dict() == stops
    assert found.analysis.verdicts[0].word == word


def test_a_stopped_study_is_shown_exported_and_verified(
    undisturbed: Store, study_file: Path, tmp_path: Path
) -> None:
    store = str(undisturbed.root)
    told = call(tmp_path, "status", str(study_file), "--store", store).stdout
    assert "big: complete seeds 0 to 4; stopped seeds 5 to 11" in told
    standing = json.loads(call(tmp_path, "status", "--store", store, "--json").stdout)["looks_double"]
    assert sum(cell["state"] == "stopped" for cell in standing) == 9  # without its file, too
    table = call(tmp_path, "table", str(study_file), "--store", store).stdout
    assert "stopped: big after 5 seeds and late after 10 seeds" in table
    assert "at 5 seeds for claim 1; at 5 and 10 seeds for claim 2" in table
    assert "not tested" not in table
    study = catalogue.load(str(study_file))
    assert {found.cell.arm for found in verify(study, undisturbed)} == set(STOPS)
    publish(study, undisturbed, tmp_path / "out")
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert runs["state"].value_counts().to_dict() == {"complete": 39, "stopped": 9}
    with pytest.raises(UserError, match="looks"):
        results(replace(study, looks=(5, 12)), store=store)  # what was declared may not change


def test_it_goes_on_where_it_was_killed(undisturbed: Store, study_file: Path, tmp_path: Path) -> None:
    words = ["run", str(study_file), "--until-decided", "--workers", "1", "--store", str(tmp_path / "store")]
    start = [sys.executable, "-c", "from ablation.cli import command; command()", *words]
    died = subprocess.run(
        start, env=os.environ | {"DIES_AT": "never 8"}, start_new_session=True, capture_output=True
    )
    assert died.returncode == -signal.SIGKILL
    ended = call(tmp_path, *words)
    assert ended.returncode == 0, ended.stderr
    assert "Stopped: big after 5 seeds and late after 10 seeds. 9 of 48 runs" in ended.stdout
    assert "20 of 20 cells are there already" in ended.stdout
    study, store = catalogue.load(str(study_file)), Store(tmp_path / "store")
    assert as_planned(states_of(store, study_file))
    pd.testing.assert_frame_equal(read(study, store).verdicts, read(study, undisturbed).verdicts)


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"looks": ()}, {}, "wants a study that declares looks, but looked has none"),
        ({"claims": ()}, {}, "wants claims to decide"),
        ({}, {"seeds": 10}, "leave out --seeds"),
    ],
)
def test_what_cannot_be_decided_is_one_sentence(
    changes: dict[str, Any], options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        run(a_study(**changes), store=tmp_path / "none", until_decided=True, **options)
    assert not (tmp_path / "none").exists()


def test_a_study_object_runs_until_it_is_decided(study_file: Path, tmp_path: Path) -> None:
    study = catalogue.load(str(study_file))
    quick = Function(study.experiment.function, study.experiment.measures)  # type: ignore[attr-defined]
    small = replace(study, train=quick, claims=(study.claims[0], Claim("big is old", Same("score", "big"))))
    found = small.run(store=tmp_path, workers=1, until_decided=True)
    assert set(found.frame["state"][found.frame["seed"] >= 5]) == {"stopped"}
    assert found.analysis.verdicts[1].word == "refuted"
