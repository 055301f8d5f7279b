"""Runs that exist already: which arm each is, what counts, what is refused, and that nothing is written."""

import json
import random
import shutil
import string
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

import ablation
from ablation import Claim, Difference, Measure, Study, Tracked, UserError, cli
from ablation.report.export import Results, read
from ablation.report.formats import render
from ablation.report.table import tabulate
from ablation.settings import matches
from ablation.tracking import store as store_module
from ablation.tracking.foreign_runs import ForeignRuns
from ablation.tracking.store import Store

Run = Callable[..., tuple[int, str, str]]
ACCURACY = {"accuracy": Measure("higher", "Accuracy", 3, matters=0.01)}
RNG = random.Random(3)
SEEDS = range(6)
VALUES = {
    (model, seed): round(0.8 + 0.05 * (model == "vit") + RNG.gauss(0, 0.01), 4)
    for seed in SEEDS
    for model in ("resnet", "vit")
}


def a_row(model: str, seed: object, **more: object) -> dict[str, object]:
    value = VALUES.get((model, seed), 0.5)  # type: ignore[arg-type]
    return {"model": model, "lr": 0.1, "seed": seed, "accuracy": value, **more}


def rows(**more: Mapping[str, object]) -> list[dict[str, object]]:
    """Two models under six seeds; more[column][model]."""
    return [a_row(m, s, **{name: by[m] for name, by in more.items()}) for m, s in VALUES]


def frame(own: list[dict[str, object]] | None = None, **more: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame(own or rows(**more))


def a_study(where: Any, **changes: Any) -> Study:
    options = {name: changes.pop(name) for name in ("seed", "allow", "best", "items") if name in changes}
    settings: dict[str, Any] = {
        "question": "Is a transformer better?",
        "source": "a double",
        "runs": Tracked(where, **options),
        "baseline": {"model": "resnet"},
        "arms": {"vit": {"model": "vit"}},
        "measures": ACCURACY,
        "claims": (Claim("a transformer is better", Difference("accuracy", "up", "vit")),),
        "name": "vision",
    }
    return Study(**(settings | changes))


def results(where: Any, root: Path = Path("nowhere"), **changes: Any) -> Results:
    return read(a_study(where, **changes), Store(root))


def remarks(where: Any, **changes: Any) -> str:
    return " ".join(results(where, **changes).remarks)


# Which runs count, and as what.


def test_the_table_is_that_of_the_runs_paired_by_seed() -> None:
    analysis = results(frame()).analysis
    by_arm = {m: np.array([VALUES[m, s] for s in SEEDS]) for m in ("resnet", "vit")}
    assert analysis.means["vit", "accuracy"].mean == pytest.approx(by_arm["vit"].mean())
    effect = analysis.effect("vit", "accuracy")
    assert effect is not None
    assert effect.differences == tuple(by_arm["vit"] - by_arm["resnet"])
    assert analysis.verdicts[0].word == "supported"


def test_every_sentence_says_that_it_was_declared_after_the_runs() -> None:
    analysis = results(frame()).analysis
    assert "after the runs could be seen" in analysis.caveats[0]
    assert any("declared after the runs: Accuracy" in one for one in analysis.caveats)
    assert analysis.conclusion.endswith("(declared after the runs).")
    assert analysis.verdicts[0].reason.endswith("(declared after the runs).")
    assert not any("declares 5 seeds" in one for one in analysis.caveats)


@pytest.mark.parametrize(
    ("text", "value", "same"),
    [
        ("1e-3", 0.001, True),
        ("64", 64, True),
        ("64.0", 64, True),
        ("6_4", 64, False),
        ("sixty-four", 64, False),
        ("True", True, True),
        ("false", False, True),
        ("True", 1, False),
        ("1.0", True, True),
        ("yes", True, False),
        ("[64, 32]", (64, 32), True),
        ("(64, 32)", [64, 32], True),
        ("['a', 'b']", ("a", "b"), True),
        ("[64]", (64, 32), False),
        ("[64, 32", (64, 32), False),
        ("None", None, True),
        ("", None, True),
        ("0", None, False),
        ("adam", "adam", True),
        ("Adam", "adam", False),
        ("nan", 0.0, False),
        ("1e-1", 0.1, True),
        ("9007199254740993", 9007199254740992, False),
        ("1e999", float("inf"), False),
        ("1e-99999999999999999999", 0, False),
    ],
)
def test_a_parameter_is_read_as_its_setting_is_declared(text: str, value: object, same: bool) -> None:
    assert matches(text, value) is same


def test_a_run_of_no_arm_is_left_out_and_counted() -> None:
    there = [*rows(), a_row("mlp", 0), a_row("mlp", 1)]
    found = results(frame(there))
    assert set(found.cells.arm) == {"baseline", "vit"}
    assert "2 of 14 runs are of no arm" in " ".join(found.remarks)


def test_an_arm_that_nobody_ran_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match=r"'swin' wants runs with model = 'swin'.*'resnet' and 'vit'"):
        results(frame(), arms={"vit": {"model": "vit"}, "swin": {"model": "swin"}})
    with pytest.raises(UserError, match=r"no parameter .* called 'model'.*did you mean 'modle'"):
        results(frame().rename(columns={"model": "modle"}))


def test_a_run_that_two_arms_claim_is_refused() -> None:
    there = frame().assign(width=lambda one: one.model.map({"resnet": "64", "vit": "32"}))
    with pytest.raises(UserError, match=r"row 0 is a run of the arms 'baseline' and 'text'"):
        results(there, baseline={"width": 64}, arms={"text": {"width": "64"}}, claims=())


def test_a_second_finished_run_of_a_cell_is_refused_with_both() -> None:
    with pytest.raises(UserError, match=r"arm 'vit', seed 3 has 2 that finished \(row 7 and row 12\)"):
        results(frame([*rows(), a_row("vit", 3)]))


def test_what_did_not_finish_is_a_gap_unless_a_finished_run_stands_beside_it() -> None:
    there = [one | {"State": "finished"} for one in rows()]
    there.append(a_row("vit", 3, State="crashed"))
    there[-1]["accuracy"] = 0.1
    found = results(frame(there))
    assert found.cells.state.eq("complete").all()
    assert "1 run did not finish beside a finished run" in " ".join(found.remarks)
    there[1]["State"], there[3]["State"] = "running", "failed"
    found = results(frame(there))
    assert found.cells.state.value_counts().to_dict() == {"complete": 10, "running": 1, "failed": 1}
    said = " ".join(found.remarks)
    assert "Did not finish: vit, seed 0 (running, row 1) and vit, seed 1 (failed, row 3)." in said
    assert found.analysis.verdicts[0].p is None


def test_a_column_of_states_that_says_something_else_is_a_parameter_or_refused() -> None:
    there = frame().assign(state="Ohio")
    assert results(there).cells.state.eq("complete").all()
    there["state"] = ["finished"] * 11 + ["Ohio"]
    with pytest.raises(UserError, match=r"column state wants how each run ended.*row 11 has 'Ohio'"):
        results(there)


def test_a_measure_that_is_not_there_in_one_run_is_a_gap_with_a_name() -> None:
    there = frame()
    there.loc[5, "accuracy"] = float("nan")
    found = results(there)
    assert "without a finite Accuracy: vit, seed 2 (row 5)" in " ".join(found.remarks)
    assert found.analysis.verdicts[0].p is None
    assert len(found.analysis.verdicts[0].seeds) == 5


def test_a_measure_that_is_text_or_nowhere_is_refused() -> None:
    there = frame().astype({"accuracy": object})
    there.loc[5, "accuracy"] = "0,8"
    with pytest.raises(UserError, match=r"accuracy wants numbers, but row 5 has '0,8'"):
        results(there)
    with pytest.raises(UserError, match=r"no measure among the runs 'f1'.*accuracy"):
        results(frame(), measures={"f1": Measure("higher", matters=0.1)}, claims=())


def test_seeds_are_any_labels_and_pair_on_what_arms_share() -> None:
    there = frame()
    assert results(there.assign(seed=there.seed + 0.0)).cells.seed.tolist()[:2] == [0, 0]
    there["seed"] = there.seed.map(lambda seed: f"fold-{seed}")
    there = pd.concat([there, pd.DataFrame([a_row("vit", "extra")])])
    found = results(there)
    assert found.analysis.verdicts[0].seeds == tuple(f"fold-{seed}" for seed in SEEDS)
    assert found.analysis.verdicts[0].p is not None
    assert "vit and baseline are compared on the seeds of both, without seed extra of vit." in " ".join(
        found.remarks
    )
    with pytest.raises(UserError, match=r"for the seeds called 'sed'.*did you mean 'seed'"):
        results(there, seed="sed")


def test_too_few_shared_seeds_are_said() -> None:
    there = frame([one for one in rows() if one["model"] == "vit" or one["seed"] in (0, 1, 2)])
    assert "vit and baseline share 3 seeds, fewer than 5: they are not tested." in remarks(there)


def test_a_run_of_an_arm_without_a_seed_is_left_out_and_named() -> None:
    there = frame([*rows(), a_row("vit", None)])
    found = results(there)
    assert len(found.cells) == 12
    assert "1 run of an arm has no seed and is left out: row 12." in " ".join(found.remarks)


# What differs and was not declared.


def test_a_parameter_that_differs_between_arms_is_refused_until_it_is_allowed() -> None:
    there = frame(host={"resnet": "a100", "vit": "v100"})
    with pytest.raises(UserError, match=r"differ in host, too.*'a100' for baseline and 'v100' for vit"):
        results(there)
    assert "also differ in host" in remarks(there, allow="host")


def test_what_differs_over_seeds_alone_or_says_the_same_number_is_no_confounder() -> None:
    there = frame(dropout={"resnet": "0.1", "vit": "1e-1"})
    there["split"] = there.seed.map(lambda seed: f"split-{seed}")
    assert "differ" not in remarks(there)


@pytest.mark.parametrize("pair", [("1.1", "1.10"), ("12e4567", "3e99999"), ("9" * 17, "9" * 16 + "8")])
def test_what_only_looks_like_the_same_number_is_a_confounder(pair: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="differ in library"):
        results(frame(library=dict(zip(("resnet", "vit"), pair, strict=True))))


def test_a_column_with_a_dot_in_its_name_makes_arms() -> None:
    found = analysed(frame().rename(columns={"model": "net.model"}), arm="net.model")
    assert list(found.study.settings) == ["resnet", "vit"]


def test_a_parameter_of_one_arm_alone_is_a_confounder() -> None:
    with pytest.raises(UserError, match="differ in heads"):
        results(frame(heads={"resnet": "", "vit": "eight"}))


def test_what_is_different_in_every_run_is_an_identifier() -> None:
    there = frame().assign(folder=[f"out/{n}" for n in range(12)])
    assert "folder differs in every run" in remarks(there)
    with pytest.raises(UserError, match="differ in folder"):  # one run an arm: nobody could tell
        results(there[there.seed == 0])


def test_a_number_of_a_table_is_a_confounder_only_where_it_is_constant_in_each_arm() -> None:
    there = frame(width={"resnet": 18, "vit": 12})
    with pytest.raises(UserError, match=r"differ in width, too.*'18' for baseline and '12' for vit"):
        results(there)
    there["width"] = range(12)
    assert "differ" not in remarks(there)


def test_the_columns_of_wandb_that_describe_a_run_are_no_parameters() -> None:
    by_model = {"resnet": "x", "vit": "y"}
    names = ("Name", "ID", "Notes", "User", "Tags", "Created", "Runtime", "Sweep", "_step", "_wandb.version")
    assert "differ" not in remarks(frame(**dict.fromkeys(names, by_model)))
    with pytest.raises(UserError, match="differ in Group"):
        results(frame(Group=by_model))


# Tables.


def test_a_file_of_any_delimiter_with_a_mark_at_its_beginning_reads_alike(tmp_path: Path) -> None:
    expected = results(frame()).analysis
    for n, (delimiter, encoding) in enumerate([(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")]):
        path = tmp_path / f"{n}.csv"
        frame().to_csv(path, index=n == 0, sep=delimiter, encoding=encoding)
        found = results(path).analysis
        assert (found.means, found.effects) == (expected.means, expected.effects)
    frame().to_parquet(tmp_path / "runs.parquet")
    assert results(tmp_path / "runs.parquet").analysis.means == expected.means


GOOD = "model,seed,accuracy\nresnet,0,0.8\nvit,0,0.9\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD.replace("\n", "\nkind,number,share\n", 1), r"accuracy wants numbers, but row 2 has 'share'"),
        ("", "wants a header .* but is empty"),
        ("\n\n", "wants a header .* but is empty"),
        ("model,seed,accuracy\n", "wants a row for each run, but has none"),
        (GOOD.replace("seed", "model"), "has 'model' twice"),
        (GOOD + "vit,1\n", r"row 4 of runs.csv wants 3 cells, as its header has, but has 2"),
        (GOOD + 'vit,"1,0.9\n', r"is no CSV in line 4"),
        (GOOD.replace("model", "mo\x1bdel"), "wants plain names of columns"),
        (GOOD.encode("utf-16-le"), r"has U\+0000 in line 1, as UTF-16 without a byte-order mark has"),
        (
            GOOD.replace("vit", "vît").encode("latin-1"),
            r"has the byte 0xEE in line 3: save it as CSV in UTF-8",
        ),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "wants to be text in UTF-8"),
    ],
)
def test_a_bad_table_gets_its_sentence(tmp_path: Path, content: str | bytes, reason: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=reason):
        results(path)


def test_a_file_that_is_not_there_or_no_parquet_gets_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(GOOD)
    (tmp_path / "runs.parquet").write_text(GOOD)
    with pytest.raises(UserError, match=r"no file in .* called 'rusn.csv' \(did you mean 'runs.csv'\?\)"):
        results(tmp_path / "rusn.csv")
    with pytest.raises(UserError, match=r"runs.parquet cannot be read as a table"):
        results(tmp_path / "runs.parquet")


def test_an_index_counts_as_a_column() -> None:
    assert results(frame().set_index(["seed", "model"])).cells.seed.nunique() == 6
    with pytest.raises(UserError, match=r"data frame with its index wants .* but has 'seed' twice"):
        results(frame().set_index("seed", drop=False))


# Without a study file.


def analysed(there: Any, **changes: Any) -> Results:
    options: dict[str, Any] = {"arm": "model", "baseline": "resnet", "measures": ACCURACY}
    return ablation.analyse(there, **(options | changes))


def test_arms_are_the_values_of_a_column() -> None:
    found = analysed(frame())
    assert list(found.study.settings) == ["resnet", "vit"]
    assert list(analysed(frame(), baseline="vit").study.settings) == ["vit", "resnet"]
    effect = found.analysis.effect("vit", "accuracy")
    assert effect is not None
    assert effect.estimate.mean == pytest.approx(
        sum(VALUES["vit", s] - VALUES["resnet", s] for s in SEEDS) / 6
    )


def test_several_columns_make_one_arm_named_by_its_values() -> None:
    there = pd.concat([frame(), frame().assign(lr=0.01)])
    found = analysed(there, arm=["model", "lr"], baseline="resnet, 0.1")
    assert list(found.study.settings) == ["resnet, 0.1", "vit, 0.1", "resnet, 0.01", "vit, 0.01"]
    assert found.cells.arm.value_counts().eq(6).all()
    with pytest.raises(UserError, match=r"one arm, but 'resnet' is resnet, 0.1 and resnet, 0.01"):
        analysed(there, arm=["model", "lr"])
    assert analysed(frame(), arm=["model", "lr"]).study.reference == "resnet, 0.1"
    with pytest.raises(UserError, match=r"no arm for the baseline called 'resnt'.*did you mean"):
        analysed(frame(), baseline="resnt")


@pytest.mark.parametrize("pair", [("1.1", "1.10"), ("0.1", "1e-1"), ("64", "64.0")])
def test_a_number_that_is_written_in_two_ways_makes_no_arms(pair: tuple[str, str]) -> None:
    there = frame(version=dict(zip(("resnet", "vit"), pair, strict=True)))
    with pytest.raises(UserError, match="which say the same: write them alike, or declare the arms"):
        analysed(there, arm="version", baseline=pair[0])


@pytest.mark.parametrize("pair", [("12e4567", "3e99999"), ("9007199254740992", "9007199254740993")])
def test_numbers_that_no_float_tells_apart_are_two_arms(pair: tuple[str, str]) -> None:
    there = frame(commit=dict(zip(("resnet", "vit"), pair, strict=True)))
    assert list(analysed(there, arm="commit", baseline=pair[0], allow="model").study.settings) == [*pair]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "a\x1b[2J"}, "an arm's name wants"),
        ({"model": "a" * 300}, "an arm's name wants at most 200"),
        ({"model": "a  b"}, "an arm's name wants"),
    ],
)
def test_values_that_can_be_no_names_are_refused(changes: dict[str, str], reason: str) -> None:
    there = frame([*rows(), a_row("x", 0) | changes])
    with pytest.raises(UserError, match=reason):
        analysed(there)


def test_a_run_without_the_value_is_of_no_arm() -> None:
    found = analysed(frame([*rows(), a_row("x", 0) | {"model": float("nan")}]))
    assert list(found.study.settings) == ["resnet", "vit"]
    assert "1 of 13 runs is of no arm of the study and left out: model = '' (1 run)." in " ".join(
        found.remarks
    )


def test_too_many_arms_are_refused() -> None:
    with pytest.raises(UserError, match="are 101, more than 100"):
        analysed(pd.DataFrame([a_row(f"m{n}", 0) for n in range(101)]), baseline="m0")


# The verbs.


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in this process: exit code, what it said, what it complained of."""

    def called(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["ablation", *words])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), " ".join(said.out.split()), said.err

    return called


STUDY = """
from ablation import Claim, Difference, Measure, Study, Tracked
study = Study(
    question="Is a transformer better?", source="a double", runs=Tracked("runs.csv"),
    baseline={"model": "resnet"}, arms={"vit": {"model": "vit"}},
    measures={"accuracy": Measure("higher", "Accuracy", 3, matters=0.01)},
    claims=(Claim("a transformer is better", Difference("accuracy", "up", "vit")),),
)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs.csv and a study of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "vision.py").write_text(STUDY)
    frame([*rows(), a_row("vit", "late")]).to_csv("runs.csv", index=False)
    return tmp_path


def listed(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if "__pycache__" not in one.parts}


def test_every_verb_takes_it_and_writes_nothing_but_what_is_asked(place: Path, call: Run) -> None:
    before = listed(place)
    assert "vision 2 arms of runs that exist already" in call("list")[1]
    code, said, _ = call("plan", "vision")
    assert code == 0
    assert "nothing is to run" in said
    assert "6 seeds" in said
    code, _, complaint = call("plan", "vision", "--seeds", "9")
    assert (code, "leave out --seeds" in complaint) == (2, True)
    code, said, _ = call("run", "vision")
    assert code == 0
    assert "vision: its runs exist already, and nothing is run." in said
    assert "SUPPORTED: “a transformer is better”" in said
    assert "vit: complete seeds 0, 1, 2, 3, 4, 5, late" in call("status", "vision")[1]
    assert "| vit | 7‡ |" in call("table", "vision")[1]
    assert call("doctor")[0] == 0
    for words, reason in (
        (("verify", "vision"), "cannot run one again"),
        (("table", "vision", "--quick"), "leave out --quick"),
        (("table", "vision", "--seeds", "3"), "leave out --seeds"),
    ):
        code, _, complaint = call(*words)
        assert code == 2
        assert reason in complaint
    assert listed(place) == before
    assert call("export", "vision", "--to", "out")[0] == 0
    assert (place / "out" / "runs.csv").read_text().count("complete") == 13
    assert json.loads((place / "out" / "provenance.json").read_text())["runs"]["row 2"]["arm"] == "baseline"
    assert call("report", "--to", "page")[0] == 0
    assert "a transformer is better" in (place / "page" / "index.html").read_text()
    assert {one.split("/")[0] for one in listed(place) - before} == {"out", "page"}


def test_table_needs_no_study_file(place: Path, call: Run) -> None:
    before = listed(place)
    words = (
        "table",
        "runs.csv",
        "--arm",
        "model",
        "--baseline",
        "resnet",
        "--measure",
        "accuracy:higher:0.01",
    )
    code, said, complaint = call(*words)
    assert code == 0, complaint
    assert "| resnet (baseline) | 6 |" in said
    assert "\\begin{tabular}" in call(*words, "--format", "tex")[1]
    said = call(*words, "--label", "accuracy=Top 1", "--question", "Which is it?")[1]
    assert "**Top 1** (higher is better" in said
    assert "Which is it?" in said
    assert listed(place) == before
    assert call(*words, "--to", "out")[0] == 0
    assert call("export", "vision", "--to", "study")[0] == 0
    assert {one.name for one in (place / "out").iterdir()} == {
        one.name for one in (place / "study").iterdir()
    }


NAMED = ("--arm", "model", "--baseline", "resnet", "--measure", "accuracy:higher:0.01")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--arm", "model"), "wants --arm, --measure and --baseline"),
        ((), "is no study file but runs"),
        (("--arm", "m", "--baseline", "r", "--measure", "accuracy:higher"), "--measure wants a name"),
        (("--arm", "m", "--baseline", "r", "--measure", "accuracy:up:0.1"), "--measure wants a name"),
        (("--arm", "m", "--baseline", "r", "--measure", "accuracy:higher:-1"), "--measure wants a name"),
        (
            ("--arm", "m", "--baseline", "r", "--measure", "a:lower:1", "--quick"),
            "leave out --seeds and --quick",
        ),
        ((*NAMED, "--label", "accuracy"), "--label wants NAME=TEXT"),
        ((*NAMED, "--label", "acuracy=A"), "did you mean 'accuracy'"),
        ((*NAMED, "--best", "accuracy"), "best and items are read from MLflow"),
        ((*NAMED, "--replication", "items"), "names none: add"),
        (("--arm", "modle", "--baseline", "r", "--measure", "a:lower:1"), "did you mean 'model'"),
    ],
)
def test_what_table_lacks_is_said(place: Path, call: Run, words: tuple[str, ...], reason: str) -> None:
    code, _, complaint = call("table", "runs.csv", *words)
    assert code == 2
    assert reason in complaint


def test_run_from_a_notebook_reads_them(place: Path) -> None:
    study = ablation.load("vision")
    assert ablation.run(study).verdicts.verdict.tolist() == ["supported"]
    assert not (place / "mlruns").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"best": "accuracy"}, "best and items are read from MLflow"),
        ({"items": "a.parquet"}, "best and items are read from MLflow"),
        ({"replication": "items"}, "names none: add"),
        ({"seed": "model"}, "model is the seed of the runs, but a setting"),
        ({"baseline": {"accuracy": 1}, "arms": {"vit": {"accuracy": 2}}}, "both a setting and a measure"),
    ],
)
def test_what_runs_that_exist_cannot_give_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        a_study("runs.csv", **changes)
    with pytest.raises(UserError, match="where of Tracked wants"):
        Tracked(3)
    with pytest.raises(UserError, match=r"pandas DataFrame, but got .* of type Table"):
        Tracked(pyarrow.table({"seed": [0]}))


# MLflow.


@pytest.fixture(scope="module")
def filled(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose mlflow.db a plain client filled: two models, six seeds, and what lies about in one."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copy(blank / "mlflow.db", folder)
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    place = client.create_experiment("vision", artifact_location=str(folder / "files"))

    def run(params: dict[str, object], curve: list[float], status: str = "FINISHED", **tags: str) -> str:
        made = str(client.create_run(place, tags=tags).info.run_id)
        for name, value in params.items():
            client.log_param(made, name, value)
        client.log_batch(made, [Metric("accuracy", value, 0, n) for n, value in enumerate(curve)])
        if status != "RUNNING":
            client.set_terminated(made, status)
        return made

    shared: dict[str, object] = {"lr": "1e-3", "layers": "[64, 32]", "bias": True}
    parent = run({"model": "vit", "seed": 0, **shared}, [])
    for (model, seed), value in VALUES.items():
        own = {"model": model, "seed": seed, "out": f"out/{model}/{seed}", **shared}
        made = run(own, [0.1, 0.95 if seed == 2 else 0.2, value], **{"mlflow.parentRunId": parent})
        items = pd.DataFrame({"item": ["a", "b", "c"], "value": [value, value - 0.1, value + 0.1]})
        items.to_parquet(folder / "predictions.parquet")
        client.log_artifact(made, str(folder / "predictions.parquet"))
    run({"model": "vit", "seed": 1, "out": "x", **shared}, [0.3], "FAILED")
    run({"model": "mlp", "seed": 1, "out": "y", **shared}, [0.3])
    client.delete_run(run({"model": "vit", "seed": 2, "out": "z", **shared}, [0.3]))
    client.delete_experiment(client.create_experiment("gone"))
    return folder


MLFLOW = "mlflow:vision"
TYPED = {"model": "resnet", "lr": 0.001, "layers": (64, 32), "bias": True}


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_runs_of_mlflow_are_read_and_nothing_is_written(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = (filled / "mlflow.db").read_bytes(), listed(filled)
    monkeypatch.setattr(store_module, "PAGE", 5)  # three pages
    found = results(MLFLOW, filled, baseline=TYPED)
    expected = results(frame(), baseline={"model": "resnet"}).analysis
    assert found.analysis.effects == expected.effects
    said = " ".join(found.remarks)
    assert "2 of 15 runs are of no arm" in said  # the parent, and a third model
    assert "1 run did not finish beside a finished run" in said
    assert "out differs in every run" in said
    assert ((filled / "mlflow.db").read_bytes(), listed(filled)) == before
    assert listed(tmp_path) == set()
    with pytest.raises(MlflowException, match="readonly"):
        ForeignRuns("vision", filled).client.create_experiment("another")


@pytest.mark.slow
def test_a_database_server_is_opened_for_reading_alone(on_postgresql: str) -> None:
    plain = MlflowClient(tracking_uri=on_postgresql)
    place = plain.create_experiment("vision")
    made = plain.create_run(place)
    plain.log_param(made.info.run_id, "model", "vit")
    there = ForeignRuns("vision", Path("nowhere"))
    assert [run.params for run in there.runs()] == [{"model": "vit"}]
    with pytest.raises(MlflowException, match="read-only transaction"):
        there.client.create_experiment("another")


def test_table_reads_an_experiment_of_mlflow(filled: Path, call: Run) -> None:
    words = ("--arm", "model", "--baseline", "resnet", "--measure", "accuracy:higher:0.01")
    code, said, complaint = call("table", MLFLOW, "--store", str(filled), *words)
    assert code == 0, complaint
    assert "| vit | 6 |" in said
    assert "| mlp | 1‡ |" in said


def test_the_best_value_of_a_curve_counts_where_it_is_declared(filled: Path) -> None:
    found = results(MLFLOW, filled, best="accuracy")
    assert set(found.cells.accuracy[found.cells.seed == 2]) == {0.95}
    assert set(found.cells.accuracy[found.cells.seed == 1]) == {VALUES["resnet", 1], VALUES["vit", 1]}
    assert "Of accuracy the best value along each run counts" in " ".join(found.remarks)
    lower = {"accuracy": Measure("lower", matters=0.01)}
    assert set(results(MLFLOW, filled, best="accuracy", measures=lower).cells.accuracy) == {0.1}


def test_results_on_single_items_are_read_from_a_file_of_each_run(filled: Path) -> None:
    found = results(MLFLOW, filled, replication="items", items="predictions.parquet")
    items = found.items
    assert items is not None
    sample = found.analysis.verdicts[0].sample
    assert sample is not None
    assert sample.items == 3
    assert list(items.columns) == ["arm", "seed", "measure", "group", "item", "value"]
    assert len(items) == 36
    one = items[(items.arm == "vit") & (items.seed == 3) & (items.item == "b")]
    assert one.value.tolist() == [VALUES["vit", 3] - 0.1]
    with pytest.raises(UserError, match=r"wants the artifact preds.parquet in Parquet, but"):
        results(MLFLOW, filled, items="preds.parquet")


def test_items_are_one_value_each_and_may_be_of_no_group(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_as(**columns: list[object]) -> set[str]:
        values = {"item": ["a", "b"], "value": [0.1, 0.2]} | columns
        monkeypatch.setattr(ForeignRuns, "parquet", lambda *_: pd.DataFrame(values))
        items = results(MLFLOW, filled, items="predictions.parquet").items
        assert items is not None
        return set(items.group)

    assert read_as(group=[None, "left"]) == {"", "left"}
    with pytest.raises(UserError, match=r"predictions.parquet of the run .* several for the item 'a'"):
        read_as(item=["a", "a"])
    assert read_as(item=["a", "a"], group=["left", float("nan")]) == {"", "left"}
    with pytest.raises(UserError, match=r"predictions.parquet .* wants a item in every row, but 1"):
        read_as(item=["a", None])


def test_a_measure_that_mlflow_kept_as_the_largest_number_is_infinite(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, search = MlflowClient, MlflowClient.search_runs

    def clipped(*words: Any, **more: Any) -> Any:
        found = search(*words, **more)
        for run in found:
            if run.data.params.get("seed") == "3":
                run.data.metrics["accuracy"] = sys.float_info.max
        return found

    monkeypatch.setattr(client, "search_runs", clipped)
    assert "without a finite Accuracy: baseline, seed 3" in " ".join(results(MLFLOW, filled).remarks)
    curve = [Metric("accuracy", value, 0, n) for n, value in enumerate([0.5, sys.float_info.max])]
    monkeypatch.setattr(client, "get_metric_history", lambda *_: curve)
    assert ForeignRuns("vision", filled).best("any", "accuracy", "higher") == 0.5


def test_where_mlflow_is_looked_for(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no file mlflow.db: set MLFLOW_TRACKING_URI"):
        results(MLFLOW)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(UserError, match=r"no file .*other.db"):
        results(MLFLOW)
    assert listed(tmp_path) == set()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{filled}/mlflow.db")
    assert len(results(MLFLOW).cells) == 12
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/files")
    with pytest.raises(UserError, match="wants a server or a database"):
        results(MLFLOW)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(filled)
    assert len(results(MLFLOW).cells) == 12
    with pytest.raises(UserError, match=r"no MLflow experiment 'visoin' \(did you mean 'vision'\?\)"):
        results("mlflow:visoin")
    with pytest.raises(UserError, match=r"gone was deleted"):
        results("mlflow:gone")
    (tmp_path / "mlflow.db").write_text("no database")
    with pytest.raises(UserError, match="cannot be read"):
        results(MLFLOW, tmp_path)


@contextmanager
def a_server(status: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A double of MLflow's server with one run a page, and what it was asked; another status refuses all."""
    asked: list[tuple[str, str]] = []
    cells = [*VALUES]

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            words = json.loads(self.rfile.read(length) or b"{}")
            path = self.path.partition("?")[0]
            asked.append((self.command, path))
            said: dict[str, Any] = {}
            if path.endswith("get-by-name"):
                said = {"experiment": {"experiment_id": "7", "name": "vision", "lifecycle_stage": "active"}}
            elif path.endswith("runs/search"):
                n = int(words.get("page_token") or 0)
                model, seed = cells[n]
                params = [{"key": "model", "value": model}, {"key": "seed", "value": str(seed)}]
                metric = {"key": "accuracy", "value": VALUES[model, seed], "timestamp": 0, "step": 0}
                info = {"run_id": f"run{n}", "experiment_id": "7", "status": "FINISHED", "start_time": n}
                said = {"runs": [{"info": info, "data": {"params": params, "metrics": [metric]}}]}
                said |= {"next_page_token": str(n + 1)} if n + 1 < len(cells) else {}
            content = json.dumps(said).encode() if status == 200 else b"You are not authenticated."
            self.send_response(200 if path == "/health" else status)
            self.send_header("Content-Type", "application/json" if status == 200 else "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_server_is_asked_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_server(200) as (host, asked):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{host}")
        assert len(results(MLFLOW).cells) == 12
    verbs = {(method, path.rpartition("/api/")[2]) for method, path in asked}
    harmless = {"get-by-name", "search", "health", "server-info"}
    assert {path.rpartition("/")[2] for _, path in verbs} <= harmless, verbs
    assert {path.rpartition("/")[2] for method, path in verbs if method != "GET"} == {"search"}


def test_a_server_that_refuses_or_is_away_gets_a_sentence_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    with a_server(401) as (host, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:s3cret@{host}")
        with pytest.raises(UserError, match="wants a user who may read there, but says 401") as refused:
            results(MLFLOW)
        assert "s3cret" not in str(refused.value)
    with pytest.raises(UserError, match=r"cannot be read \(Connection refused\)") as away:
        results(MLFLOW)
    assert "s3cret" not in str(away.value)


# Storms.


def mutated(rng: random.Random, there: list[list[str]]) -> str:
    """The rows as CSV, with what real files and vandals do to them."""
    odd = [
        "",
        "nan",
        "é",
        "日本",
        "1e999",
        "9" * 400,
        "-0",
        "a\nb",
        'q"q',
        "true",
        "\x00",
        "\u202e",
        "٣",
        "=1+1",
    ]
    for _ in range(rng.randrange(6)):
        row = rng.choice(there)
        kind = rng.randrange(6)
        if kind == 0:
            there.append(list(row))
        elif kind == 1 and len(there) > 1:
            there.remove(row)
        elif kind == 2:
            row[rng.randrange(len(row))] = "".join(rng.choices(string.printable, k=rng.randrange(9)))
        else:
            row[rng.randrange(len(row))] = rng.choice(odd)
    quoted = rng.random() < 0.8
    cells = [[f'"{c.replace(chr(34), chr(34) * 2)}"' if quoted else c for c in row] for row in there]
    delimiter = rng.choice(",,,;")
    text = rng.choice("\n\n\n\r").join(delimiter.join(row) for row in cells)
    return text[: rng.randrange(len(text))] if rng.random() < 0.1 else text


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_random_tables_give_a_table_or_a_sentence(tmp_path: Path) -> None:
    rng, tables = random.Random(5), 0
    path = tmp_path / "runs.csv"
    names = ["model", "seed", "accuracy", "host", "State", "layers"]
    for _ in range(10_000):
        seeds = range(rng.choice((1, 2, 6)))
        there = [
            [m, str(s), f"{rng.random():.3f}", "h", "finished", "[1, 2]"] for s in seeds for m in ("a", "b")
        ]
        path.write_bytes(mutated(rng, [[*names], *there]).encode("utf-8", "surrogatepass"))
        try:
            if rng.random() < 0.5:
                found = analysed(path, baseline="a")
            else:
                found = results(path, baseline={"model": "a", "layers": (1, 2)}, arms={"vit": {"model": "b"}})
            tables += 1
            if tables % 5 == 0:
                render(tabulate(found.analysis), "md")
        except UserError:
            pass
    assert 1000 < tables < 9900
