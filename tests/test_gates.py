"""Gates: a claim gets a verdict only where the runs show what was declared of them; no number changes."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablation import Claim, Difference, Gate, Measure, Replication, Study, UserError
from ablation.report.arms import arm_summaries
from ablation.report.chapters import Chapter, Evidence
from ablation.report.data_files import provenance_json, verdicts_csv
from ablation.report.figure_files import figure_files
from ablation.report.figures import mark_of
from ablation.report.formats import document, render
from ablation.report.page import write_page
from ablation.report.table import tabulate
from ablation.runner.recorded_plan import plan_of
from ablation.runner.scheduler import run_study
from ablation.stats.analysis import Analysis, analyse
from ablation.stats.crossed import sampled
from ablation.stats.gates import Gated
from ablation.tracking.read import cell_runs
from ablation.tracking.store import Store
from engines import InlineEngine
from recompute import read
from verbs import call

LEARNED = Gate(
    "the baseline tells cats from dogs", "accuracy", above=0.5, otherwise="the baseline is at chance"
)
SEEDS = 6
ARMS = ("old", "new")


def unused(settings: dict[str, Any], seed: int) -> dict[str, float]:
    return {}


def study(*gates: Gate, **changes: Any) -> Study:
    """Two claims, of which "new errs less" is true and "new is faster" too; accuracy is no measure of it."""
    fields: dict[str, Any] = {
        "name": "gated",
        "question": "Is new better?",
        "source": "a double",
        "train": unused,
        "baseline": {"x": 1},
        "arms": {"old": {}, "new": {"x": 2}},
        "measures": {"error": Measure("lower", matters=0.05), "time": Measure("lower", matters=0.5)},
        "claims": (
            Claim("new errs less", Difference("error", "down", "new")),
            Claim("new is faster", Difference("time", "down", "new")),
        ),
        "gates": gates,
        "seeds": SEEDS,
        "supported": "new is better",
    }
    return Study(**(fields | changes))


def cells(accuracy: float, sd: float = 0.02, seeds: int = SEEDS, **columns: Any) -> pd.DataFrame:
    """Runs whose accuracy in the baseline is normal around `accuracy`, and one of 0.9 in the other arm."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"arm": np.repeat(ARMS, seeds), "seed": [*range(seeds)] * 2})
    old = (rows["arm"] == "old").to_numpy()
    spread = rng.normal(size=seeds)
    noise = rng.normal(size=(2, 2 * seeds))
    values = {
        "accuracy": np.where(old, np.tile(accuracy + sd * (spread - spread.mean()), 2), 0.9),
        "error": np.where(old, 0.3, 0.2) + 0.01 * noise[0],
        "time": np.where(old, 5.0, 3.0) + 0.1 * noise[1],
    }
    return rows.assign(state="complete", fingerprint="", run_id="", **(values | columns))


def gated(accuracy: float, *gates: Gate, sd: float = 0.02, seeds: int = SEEDS, **changes: Any) -> Analysis:
    return analyse(study(*(gates or [LEARNED]), **changes), cells(accuracy, sd, seeds), seeds)


def words(found: Analysis) -> list[str]:
    return [verdict.word for verdict in found.verdicts]


# The law.


def test_a_gate_that_is_passed_changes_no_number_and_no_word() -> None:
    found = gated(0.7)
    without = analyse(study(), cells(0.7), SEEDS)
    assert [one.passed for one in found.gates] == [True]
    assert words(found) == words(without) == ["supported", "supported"]
    assert found.verdicts == without.verdicts
    assert found.effects == without.effects
    assert found.conclusion == without.conclusion


def test_behind_a_gate_that_is_not_passed_nothing_is_judged_and_every_number_stays() -> None:
    found, without = gated(0.51), analyse(study(), cells(0.51), SEEDS)
    assert words(found) == ["not judged", "not judged"]
    assert [replace(one, verdict="better") for one in found.effects] == list(without.effects)
    numbers = ("estimate", "p", "p_holm", "p_equivalence_holm", "p_ruled_out_holm", "detectable")
    for got, want in zip(found.verdicts, without.verdicts, strict=True):
        assert [getattr(got, name) for name in numbers] == [getattr(want, name) for name in numbers]
    assert {effect.verdict for effect in found.effects} == {"not judged"}
    assert found.conclusion == (
        "0 of 2 claims supported, 2 not judged; not shown: new is better. "
        "Not judged: “new errs less” and “new is faster”."
    )


def test_a_gate_guards_the_claims_on_the_measures_that_it_names() -> None:
    found = gated(0.51, replace(LEARNED, of=("error",)))
    assert words(found) == ["not judged", "supported"]
    assert {e.measure: e.verdict for e in found.effects} == {"error": "not judged", "time": "better"}
    assert found.conclusion.startswith("1 of 2 claims supported, 1 not judged; not shown: new is better.")
    rows = read(verdicts_csv(found))
    assert [row["gate"] for row in rows] == [LEARNED.text, ""]
    assert {row["rules"] for row in rows} == {"3"}


def test_every_gate_has_to_be_passed() -> None:
    second = Gate("the baseline has stopped learning", "fall", below=0.05, of=["time"])
    frame = cells(0.7).assign(fall=[0.2, 0.21, 0.19, 0.22, 0.18, 0.2] * 2)
    found = analyse(study(LEARNED, second), frame, SEEDS)
    assert words(found) == ["supported", "not judged"]
    both = analyse(study(replace(LEARNED, above=0.8), second), frame, SEEDS)
    assert words(both) == ["not judged", "not judged"]
    assert [row["gate"] for row in read(verdicts_csv(both))] == [
        LEARNED.text,
        f"{LEARNED.text}; {second.text}",
    ]


@pytest.mark.parametrize("bound", ["above", "below"])
@pytest.mark.parametrize("test", ["t", "corrected_t", "sign_flip"])
def test_it_is_the_one_sided_test_of_the_study(test: str, bound: str) -> None:
    gate = Gate("it is so", "accuracy", **{bound: 0.5})
    split = {"replication": Replication("split", test_share=0.25)} if test == "corrected_t" else {}
    found = gated(0.512, gate, test=test, **split).gates[0]
    frame = cells(0.512)
    values = frame.accuracy[frame.arm == "old"].to_numpy()
    sign = 1 if bound == "above" else -1
    if test == "sign_flip":
        signs = np.array(np.meshgrid(*[[1, -1]] * SEEDS)).reshape(SEEDS, -1).T
        p = float(np.mean(sign * (signs @ (values - 0.5)) >= sign * (values - 0.5).sum() - 1e-12))
    else:
        stretch = np.sqrt(1 + SEEDS * 0.25) if test == "corrected_t" else 1.0
        t = sign * stats.ttest_1samp(values, 0.5).statistic / stretch
        p = float(stats.t.sf(t, SEEDS - 1))
    # On the wrong side of the bound sign flips leave out that which was seen.
    assert found.p == pytest.approx(p, abs=2.0**-SEEDS if test == "sign_flip" and p > 0.5 else 1e-9)
    assert found.passed == (p < 0.05)
    assert (found.estimate.mean, found.estimate.n) == (pytest.approx(0.512), SEEDS)
    assert found.estimate.low < found.estimate.mean < found.estimate.high


def test_items_are_a_sample_of_the_gate_too_where_its_measure_has_any() -> None:
    rng = np.random.default_rng(5)
    right = {arm: (rng.random((SEEDS, 40)) < 0.62) * 1.0 for arm in ARMS}
    error = {arm: rng.normal(size=(SEEDS, 40)) + 3.0 * (arm == "old") for arm in ARMS}
    tables = [("accuracy", right), ("error", error)]
    items = pd.DataFrame(
        [
            (arm, seed, measure, "", str(n), values[arm][seed, n])
            for measure, values in tables
            for arm in ARMS
            for seed in range(SEEDS)
            for n in range(40)
        ],
        columns=["arm", "seed", "measure", "group", "item", "value"],
    )
    means = items.groupby(["arm", "seed", "measure"]).value.mean().unstack("measure").reset_index()
    frame = means.assign(state="complete", fingerprint="", run_id="")
    own = {"measures": {"error": Measure("lower", matters=0.05)}, "claims": study().claims[:1]}
    one = study(LEARNED, replication="items", **own)
    crossed = analyse(one, frame, SEEDS, items=items).gates[0]
    want = sampled(right["old"] - 0.5, np.arange(40))
    assert crossed.p == pytest.approx(want.p_value() / 2)
    assert crossed.estimate.high == pytest.approx(0.5 + want.interval(0.95).high)
    alone = analyse(one, frame, SEEDS, items=items[items.measure == "error"]).gates[0]
    by_seed = stats.ttest_1samp(right["old"].mean(axis=1), 0.5, alternative="greater").pvalue
    assert alone.p == pytest.approx(by_seed)
    assert analyse(one, frame, SEEDS, items=items).verdicts[0].sample is not None


@pytest.mark.parametrize(
    ("value", "alpha", "passed", "missed"),
    [
        (1.0, 0.05, True, False),
        (0.5, 0.05, False, False),
        (0.4, 0.05, False, True),
        (1.0, 0.01, False, False),
    ],
)
def test_equal_values_are_tested_by_their_sign(
    value: float, alpha: float, passed: bool, missed: bool
) -> None:
    """Six seeds on one side of the bound: 1/64, though there is no spread to test by."""
    found = gated(value, sd=0.0, alpha=alpha).gates[0]
    assert (found.passed, found.missed) == (passed, missed)
    assert found.p == pytest.approx({1.0: 1 / 64, 0.5: 0.5, 0.4: 1 - 1 / 64}[value])


def test_too_few_seeds_leave_claims_untested_as_without_a_gate() -> None:
    found = gated(0.7, seeds=4)
    assert words(found) == ["inconclusive", "inconclusive"]
    assert found.verdicts[0].reason.startswith("Not tested: 4 seeds, fewer than 5, are exploratory")
    assert (found.gates[0].p, found.gates[0].passed) == (None, False)
    assert found.gates[0].untested == "4 seeds, fewer than 5, are exploratory"


def test_a_gate_of_an_arm_that_is_not_complete_is_not_passed() -> None:
    """Also where the claims do not rest on that arm."""
    arms = {"old": {}, "new": {"x": 2}, "other": {"x": 3}}
    frame = cells(0.7)
    other = frame[frame.arm == "new"].assign(arm="other")
    other.loc[other.seed == 2, "state"] = "failed"
    one = study(replace(LEARNED, arm="other"), arms=arms)
    found = analyse(one, pd.concat([frame, other]), SEEDS)
    assert words(found) == ["not judged", "not judged"]
    assert found.verdicts[0].reason == (
        "Not judged: it was not tested whether the baseline tells cats from dogs: 1 of 6 cells of other are "
        "not complete (1 failed) (accuracy of other 0.900 [0.900, 0.900]; above 0.500 was declared)."
    )
    lost = pd.concat([frame, other[other.seed != 2]])
    assert "(1 missing)" in analyse(one, lost, SEEDS).verdicts[0].reason
    odd = frame.assign(accuracy=[float("nan"), *frame.accuracy[1:]])
    nan = analyse(study(LEARNED), odd, SEEDS).verdicts[0]
    assert "accuracy is not a number under every seed of old" in nan.reason


def test_a_smoke_budget_passes_no_gate() -> None:
    quick = study(LEARNED, seeds=SEEDS).smoke()
    found = analyse(quick, cells(0.9), SEEDS)
    assert found.gates[0].untested == "a smoke budget only shows that the study runs"
    assert words(found) == ["inconclusive", "inconclusive"]


# The sentences.


@pytest.mark.parametrize(
    ("accuracy", "otherwise", "said"),
    [
        (0.51, "the baseline is at chance", "for all that these runs show, the baseline is at chance"),
        (0.51, "", "it is not shown that the baseline tells cats from dogs"),
        (0.41, "the baseline is worse than chance", "the baseline is worse than chance"),
        (0.41, "", "it is not so that the baseline tells cats from dogs"),
    ],
)
def test_the_reason_is_what_the_runs_show_of_the_gate(accuracy: float, otherwise: str, said: str) -> None:
    found = gated(accuracy, replace(LEARNED, otherwise=otherwise))
    seen = found.gates[0].estimate
    where = f"accuracy of old {seen.mean:.3f} [{seen.low:.3f}, {seen.high:.3f}]; above 0.500 was declared"
    assert found.verdicts[0].reason == f"Not judged: {said} ({where})."
    assert re.fullmatch(
        r"The difference of −0\.\d+ \(95 % interval .*\) has no verdict\.", found.verdicts[0].detail
    )


def test_no_number_is_printed_as_the_bound_that_is_none() -> None:
    seen = gated(0.5003).gates[0]
    assert " 0.5003 [" in seen.numbers(study(LEARNED))
    narrow = gated(0.5, replace(LEARNED, above=0.4995), sd=1e-6).gates[0]
    assert "above 0.4995 was declared" in narrow.numbers(study(LEARNED))


def test_caveats_name_every_gate_passed_or_not() -> None:
    second = replace(LEARNED, text="the baseline is right", above=0.8, of=("time",))
    caveats = gated(0.7, LEARNED, second).caveats
    first, other, rest = caveats[:3]
    assert first.startswith("Gate for all claims, “the baseline tells cats from dogs”: passed, p < 0.001")
    assert other.startswith("Gate for claims on time, “the baseline is right”: not passed, p = 1.000")
    assert "Gates take verdicts away and add none" in rest
    assert not any("ate" in one.split()[0] for one in analyse(study(), cells(0.7), SEEDS).caveats)


# The declaration.


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"above": None}, "a gate wants above= or below=, but “it” has none"),
        ({"below": 1.0}, "a gate wants above= or below=, but “it” has both"),
        ({"above": "0.5"}, "the argument above of Gate wants a finite number, but got '0.5'"),
        (
            {"of": "error"},
            "the argument of of Gate wants a list of texts, but got 'error': put it into a list",
        ),
        ({"of": ["accuracy"]}, "there is no measure in this study 'accuracy'; known are error, time"),
        ({"arm": "nwe"}, "there is no arm 'nwe'"),
        ({"measure": "seed"}, "a gate wants a measure, but 'seed' is something else"),
        ({"text": "a\x00b"}, "a gate of a study wants text without control characters"),
    ],
)
def test_a_slip_is_one_sentence(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        study(Gate(**({"text": "it", "measure": "accuracy", "above": 0.5} | declared)))


def test_two_gates_want_two_texts() -> None:
    with pytest.raises(UserError, match="two gates of the study have the same text"):
        study(LEARNED, replace(LEARNED, above=0.9))


def test_an_experiment_with_measures_of_its_own_knows_which_a_gate_can_have() -> None:
    from frames import a_study

    with pytest.raises(UserError, match="there is no measure 'test_acuracy'"):
        a_study(gates=(Gate("it", "test_acuracy", above=0.5),))
    assert a_study(gates=(Gate("it", "probe_accuracy", above=0.5),)).recorded()[-1] == "probe_accuracy"


def test_a_gate_is_a_part_of_the_plan_and_a_study_without_one_has_its_old_plan() -> None:
    assert "gates" not in plan_of(study(), {})
    assert list(plan_of(study(LEARNED), {})["gates"]) == [LEARNED.text]


def test_runs_of_the_arm_alone_must_have_what_it_measures() -> None:
    one = study(LEARNED)
    assert one.recorded("old") == ("error", "time", "accuracy") == one.recorded()
    assert one.recorded("new") == ("error", "time")


# The whole path.


def trained(settings: dict[str, Any], seed: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, int(settings["x"])])
    error, accuracy = 0.4 - 0.1 * settings["x"] + 0.01 * rng.normal(), 0.5 + 0.02 * rng.normal()
    return {"error": error, "time": 1.0 + 0.1 * rng.normal()} | (
        {"accuracy": accuracy} if settings["x"] == 1 else {}
    )


def test_a_run_without_what_the_gate_measures_fails(store: Store) -> None:
    one = study(LEARNED, train=trained, seeds=5)
    assert run_study(one, store, InlineEngine(), workers=1).trained == 10
    frame = cell_runs(store, "gated").set_index("arm")
    assert frame.accuracy.notna().groupby("arm").all().to_dict() == {"old": True, "new": False}
    other = study(replace(LEARNED, arm="new"), train=trained, seeds=1, name="other")
    progress = run_study(other, store, InlineEngine(), workers=1)
    assert [*progress.failed] == ["new, seed 0"]
    assert "the study measures accuracy" in next(iter(progress.failed.values()))


STUDY = """
import random
from ablation import Claim, Difference, Gate, Measure, Study

def fit(settings, seed, run):
    noise = random.Random(seed + 100 * settings["width"])
    losses = [1 / step for step in range(1, 9)]
    for step, loss in enumerate(losses, 1):
        run.log({"loss": loss}, step)
    fall = 1 - sum(losses[-2:]) / sum(losses[-4:-2])
    error = 0.5 - settings["width"] / 1000
    return {"error": error + noise.gauss(0, 0.01), "fall": fall + noise.gauss(0, 0.01)}

study = Study(
    question="Is wider better?", source="a double", train=fit, baseline={"width": 50},
    arms={"wide": {"width": 200}}, measures={"error": Measure("lower", matters=0.05)}, seeds=5,
    claims=(Claim("wider errs less", Difference("error", "down", "wide")),),
    gates=(GATE,),
)
"""
STILL = 'Gate("the baseline has stopped learning", "fall", below=0.05, otherwise="the baseline still learns")'
WHY = "Not judged: the baseline still learns (fall of baseline 0."


def said(place: Path, *words: str, code: int = 0) -> str:
    ended = call(place, *words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return " ".join((ended.stdout + ended.stderr).split())


def test_from_the_study_file_to_the_page(tmp_path: Path) -> None:
    (tmp_path / "gated.py").write_text(STUDY.replace("GATE", STILL))
    declared = "it must be shown that the baseline has stopped learning: fall of baseline below 0.050."
    assert declared in said(tmp_path, "plan", "gated.py")
    assert declared in json.loads(call(tmp_path, "plan", "gated.py", "--json").stdout)["gates"][0]
    assert "NOT JUDGED: “wider errs less” " + WHY in said(tmp_path, "run", "gated.py", "--workers", "1")
    assert WHY in said(tmp_path, "table", "gated.py")
    found = json.loads(call(tmp_path, "table", "gated.py", "--json").stdout)
    assert (found["verdicts"][0]["verdict"], found["effects"][1]["verdict"]) == ("not judged", "not judged")
    (gate,) = found["gates"]
    assert (gate["passed"], gate["arm"], gate["below"], gate["above"]) == (False, "baseline", 0.05, None)
    said(tmp_path, "export", "gated.py", "--to", "out")
    verdicts = read((tmp_path / "out" / "verdicts.csv").read_text())
    assert verdicts[0]["gate"] == "the baseline has stopped learning"
    assert "fall" in read((tmp_path / "out" / "runs.csv").read_text())[0]
    assert "a bar is not judged" in (tmp_path / "out" / "effects.md").read_text()
    assert "0 of 1 claim supported, 1 not judged" in (tmp_path / "out" / "notes.tex").read_text()
    said(tmp_path, "report", "gated.py", "--to", "page")
    assert "not judged" in (tmp_path / "page" / "index.html").read_text()
    (tmp_path / "gated.py").write_text(STUDY.replace("GATE", STILL.replace("0.05", "0.9")))
    assert "gates.the baseline has stopped learning.below: 0.05 became 0.9" in said(
        tmp_path, "table", "gated.py", code=2
    )
    (tmp_path / "gated.py").write_text(STUDY.replace("GATE,", ""))
    assert "the gate 'the baseline has stopped learning' is gone" in said(tmp_path, "run", "gated.py", code=2)


def test_runs_that_exist_pass_a_gate_or_not(tmp_path: Path) -> None:
    from ablation import Tracked, results

    frame = cells(0.51).drop(columns=["state", "fingerprint", "run_id"])
    frame = frame.assign(x=frame.arm.map({"old": 1, "new": 2})).drop(columns="arm")
    one = study(LEARNED, train=None, runs=Tracked(frame))
    found = results(one, store=tmp_path)
    assert found.verdicts.verdict.tolist() == ["not judged", "not judged"]
    assert found.verdicts.gate.tolist() == [LEARNED.text] * 2
    assert "(declared after the runs)" in found.analysis.verdicts[0].reason


def chapter(found: Analysis, frame: pd.DataFrame) -> Chapter:
    curves = pd.DataFrame(columns=["arm", "seed", "step", "metric", "value"])
    return Chapter("gated", found.study, SEEDS, Evidence(found, frame, curves))


def test_the_page_has_the_word_where_a_claim_has_it_and_nowhere_else(tmp_path: Path) -> None:
    gates = [(), (LEARNED,), (replace(LEARNED, of=("time",)),)]
    pages = []
    for number, own in enumerate(gates):
        found = analyse(study(*own), cells(0.51), SEEDS)
        write_page([chapter(found, cells(0.51))], tmp_path / str(number))
        pages.append((tmp_path / str(number) / "index.html").read_text(encoding="utf-8"))
    without, all_, one = pages
    assert "ot judged" not in without
    assert "not-judged" not in without.split("</style>", 1)[1]
    assert "<b>2</b> not judged</label>" in all_
    assert "<b>1</b> not judged</label>" in one
    assert '[data-words]:not([data-words~="not-judged"]) { display: none; }' in one
    assert all_.count('class="point bar"') == 2
    assert one.count('class="point bar"') == one.count('class="point filled"') == 1
    assert "Not judged: a gate is not passed" in one
    assert '<div class="claim not-judged">' in one
    markdown = (tmp_path / "2" / "report.md").read_text(encoding="utf-8")
    assert "[not judged](#gated)" in markdown
    assert "1 of 2 claims supported, 1 not judged" in markdown


def test_tables_figures_and_mlflow_have_the_word() -> None:
    found = gated(0.51, replace(LEARNED, of=("error",)))
    table = tabulate(found)
    assert [row["verdict"] for row in read(render(table, "csv"))] == ["", "not judged", "", "better"]
    assert "§ not judged" in table.legend("pm", "old")
    assert any("not judged where a gate is not passed" in note for note in table.notes)
    assert r"$^{\S{}}$" in render(table, "tex")
    assert ">not judged</td>" in table._repr_html_()
    assert '<div class="claim not-judged">' in table._repr_html_()
    assert [(mark_of(e).words, mark_of(e).marker) for e in found.effects] == [
        ("not judged", "|"),
        ("significant", "o"),
    ]
    curves = pd.DataFrame(columns=["arm", "seed", "step", "metric", "value"])
    assert "effects.md" in figure_files(found, cells(0.51), curves)
    tags = {one.arm: one.tags for one in arm_summaries(found)}
    assert (tags["new"]["verdict.error"], tags["new"]["verdict.time"]) == ("not judged", "better")
    assert json.loads(document(table))["gates"][0]["p"] == found.gates[0].p
    behind = json.loads(provenance_json(found))["numbers"]
    assert len(behind["gate 1/mean"]) == SEEDS
    plain = tabulate(analyse(study(), cells(0.51), SEEDS))
    assert not any("not judged" in note for note in plain.notes)
    assert "§" not in plain.legend("pm", "old")


def test_a_gate_says_what_it_rests_on() -> None:
    (one,) = gated(0.7).gates
    assert isinstance(one, Gated)
    assert (one.arm, one.seeds) == ("old", (*range(SEEDS),))
    assert LEARNED.sentence(study(LEARNED)) == (
        "Before claims are judged, it must be shown that the baseline tells cats from dogs: accuracy of old "
        "above 0.500."
    )
