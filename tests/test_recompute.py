"""Every verdict follows from the runs: recomputed by other means from the two texts that are exported."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablation import Claim, Difference, Gate, Interaction, Level, Over, Same, Study, Trend, Tuned
from ablation.report.data_files import runs_csv, verdicts_csv
from ablation.stats.analysis import analyse
from ablation.stats.verdicts import RULES, WORDS
from frames import Value, a_frame, a_study, noisy
from published import RESULTS, declared
from recompute import Rows, read, recomputed, rules_of

NUMBERS = ("n", "estimate", "low", "high", "p", "p_holm", "p_equivalence_holm", "detectable")
NEW = {2: ("p_ruled_out_holm",), 3: ("p_ruled_out_holm",)}
"""The columns that came with rules."""
SIZE = "model.latent_dim"
WORD = re.compile(r"\[([a-z ]+)\]\((\w+)/table\.md\)")
"""A verdict and its study, as the page of results links them."""


def check(study: Study, runs: str, verdicts: str, items: str = "") -> Rows:
    """Compare verdicts.csv, row by row, with what runs.csv and the declaration come to. items: items.csv,
    whose values have six digits.
    """
    got, near = read(verdicts), 1e-4 if items else 1e-6
    rules = rules_of(got)
    want = recomputed(study, read(runs), rules, read(items))
    assert [row["claim"] for row in got] == [claim.text for claim in study.claims]
    for row, claim, own in zip(got, study.claims, want, strict=True):
        assert row["rule"] == claim.rule.kind
        assert (row["measure"], row["verdict"]) == (claim.rule.measure, own["verdict"]), claim.text
        assert row["direction"] == (claim.rule.direction or "")
        assert row.get("gate", "") == own["gate"], claim.text
        for name in (*NUMBERS, *NEW.get(rules, ())):
            shown = float(row[name]) if row[name] else None
            assert shown == (None if own[name] is None else pytest.approx(own[name], rel=near, abs=1e-12)), (
                f"{name} of “{claim.text}”"
            )
    return got


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
def test_published_verdicts_follow_from_the_published_runs(path: Path) -> None:
    study = declared(path.parent)
    items = path.with_name("items.csv")
    texts = [one.read_text("utf-8") for one in (path, path.with_name("verdicts.csv"))]
    rows = check(study, *texts, items.read_text("utf-8") if study.of_items else "")
    assert {row["study"] for row in rows} <= {path.parent.name}


def test_the_page_of_results_has_every_verdict_of_the_confirmation() -> None:
    """And where it names a verdict of the edition as reported, that study has such a verdict."""
    folder = RESULTS[0].parents[1]
    page = (folder / "README.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines()]
    shown, before = set(), set()
    for _, claim, *cells in (row for row in rows if len(row) == 4 and "/table.md)" in row[-1]):
        ((word, study),) = WORD.findall(cells[1])
        shown.add((word, claim.removesuffix(" (secondary)"), study, str(" (sec" not in claim).lower()))
        before |= set(WORD.findall(cells[0]))
    published = {
        path.parent.name: read(path.with_name("verdicts.csv").read_text("utf-8")) for path in RESULTS
    }
    confirmed = {
        (row["verdict"], row["claim"], name, row["counts"])
        for name, given in published.items()
        if name.startswith("confirm_")
        for row in given
    }
    assert shown == confirmed
    assert before <= {(row["verdict"], name) for name, given in published.items() for row in given}


def test_published_verdicts_keep_the_rules_of_their_day() -> None:
    """Rules 1 had four words and one family: what was published by them is not judged anew."""
    found = {rules_of(read(path.with_name("verdicts.csv").read_text("utf-8"))) for path in RESULTS}
    assert found <= {*range(1, RULES + 1)}
    assert rules_of(read(sizes()[2])) == RULES


def exported(study: Study, seeds: int, mse: Value, accuracy: Value, **columns: object) -> tuple[str, str]:
    """runs.csv and verdicts.csv of a study, with a gap in the arm "gappy" where it has one."""
    frame = a_frame(study, seeds, mse, accuracy).assign(**columns)
    frame.loc[(frame["arm"] == "gappy") & (frame["seed"] == 1), ["state", "test_mse"]] = [
        "failed",
        float("nan"),
    ]
    return runs_csv(study, frame, seeds), verdicts_csv(analyse(study, frame, seeds))


def sizes() -> tuple[Study, str, str]:
    """Trends on three scales, one of them around another arm, and differences to three arms."""
    arms = {f"{n}": {SIZE: n} for n in (64, 128, 256)}
    arms |= {f"bare {n}": {SIZE: n, "augment.copies": 0} for n in (64, 100, 200, 400)}
    arms["gappy"] = {"model.dropout": 0.0}
    study = a_study(
        arms=arms,
        against={"bare 64": "bare 200", "bare 400": "bare 200"},
        claims=(
            Claim("larger is sharper", Trend("test_mse", "down", SIZE)),
            Claim("larger is blurred, bare", Trend("test_mse", "up", SIZE, "linear", "bare 200")),
            Claim("larger is more accurate, bare", Trend("test_accuracy", "up", SIZE, "rank", "bare 200")),
            Claim("64 loses", Difference("test_mse", "up", "64")),
            Claim("400 loses bare", Difference("test_mse", "down", "bare 400")),
            Claim("bare loses", Difference("test_mse", "down", "bare 400", to="256")),
            Claim("the baseline loses to bare", Difference("test_mse", "down", "128", to="bare 100")),
            Claim("dropout helps", Difference("test_mse", "up", "gappy")),
        ),
    )
    centre = {"64": 0.03, "128": 0.02, "256": 0.01, "gappy": 0.02}
    centre |= {"bare 64": 0.018, "bare 100": 0.02, "bare 200": 0.02, "bare 400": 0.021}
    level = noisy(dict.fromkeys(study.settings, 0.5), 0.01)
    return study, *exported(study, 8, noisy(centre, 0.0007), level, images_test=400.0)


def one_sided() -> tuple[Study, str, str]:
    """Claims of gains where there are losses about as large as what matters, some beside the study's own."""
    study = a_study(
        name="one-sided",
        test="t",
        claims=(
            Claim("small is blurred", Difference("test_mse", "up", "small")),
            Claim("large is blurred", Difference("test_mse", "up", "large")),
            Claim("smaller is blurred", Trend("test_mse", "up", SIZE), counts=False),
            Claim("small and large are one", Same("test_mse", "small", "large"), counts=False),
            Claim("small is more accurate", Difference("test_accuracy", "down", "small"), counts=False),
        ),
    )
    centre = {"small": 0.0185, "middle": 0.02, "large": 0.0195}
    return study, *exported(study, 9, noisy(centre, 0.001), noisy(dict.fromkeys(centre, 0.5), 0.02))


def factorial(synergy: float, sd: float, name: str) -> tuple[Study, str, str]:
    """Two changes and both, the learning rate tuned; `synergy` is what both do beyond their sum."""
    one, two = {SIZE: 64}, {"augment.copies": 0}
    study = a_study(
        name=name,
        arms={"one": one, "two": two, "both": one | two},
        tuned=Tuned("train.lr", 1e-4, 1e-2, 3),
        chosen={"baseline": 1e-3, "one": 1e-4, "two": 1e-2, "both": 1e-3},
        claims=(
            Claim("both help each other", Interaction("test_mse", "down", "one", "two", "both")),
            Claim("one costs", Difference("test_mse", "up", "one")),
        ),
    )
    centre = {"baseline": 0.05, "one": 0.06, "two": 0.03, "both": 0.04 + synergy}
    return study, *exported(study, 6, noisy(centre, sd), lambda arm, s: 0.5)


def levels(test: str) -> tuple[Study, str, str]:
    """Numbers that the report gives: one that is right, one that is wrong, one that is open, one equal."""
    study = a_study(
        name="levels",
        test=test,
        measures={"test_mse": 0.002, "test_accuracy": 0.05, "mood_balanced_accuracy": 0.1},
        claims=(
            Claim("it is 0.02", Level("test_mse", "middle", 0.02)),
            Claim("it is 0.05", Level("test_mse", "small", 0.05)),
            Claim("it is one half", Level("test_accuracy", "large", 0.5)),
            Claim("large and middle are one", Same("test_mse", "large", "middle")),
            Claim("the mood is one half", Level("mood_balanced_accuracy", "large", 0.5)),
            Claim("large is happier", Difference("mood_balanced_accuracy", "up", "large")),
        ),
    )
    value = noisy({"small": 0.02, "middle": 0.02, "large": 0.02}, 0.0005)
    mood = [0.5 + value(c.arm, c.seed) for c in study.cells(9)]
    columns = {"mood_balanced_accuracy": mood, "images_mood_rarest": 7.0}
    return study, *exported(study, 9, value, lambda arm, s: 0.25, **columns)


def behind_gates(test: str) -> tuple[Study, str, str]:
    """Gates of one measure and of all, passed and not; of a metric that is no measure, and of another arm."""
    study = a_study(
        test=test,
        gates=(
            Gate("the baseline is above chance", "test_accuracy", above=0.5, of=["test_accuracy"]),
            Gate("large has learned", "validation_mse", below=0.02, arm="large"),
            Gate("the codes tell subgroups apart", "probe_accuracy", above=0.3),
            Gate("the rank is one", "effective_rank", above=1.0, of=["test_accuracy"]),
        ),
    )
    noise, accuracy = noisy(dict.fromkeys(study.settings, 0.015), 0.002), dict.fromkeys(study.settings, 0.51)
    columns: dict[str, Any] = {"effective_rank": 1.0, "probe_accuracy": 0.4}
    columns["validation_mse"] = [noise(cell.arm, cell.seed) for cell in study.cells(6)]
    mse = noisy({"small": 0.04, "middle": 0.03, "large": 0.02}, 0.001)
    return study, *exported(study, 6, mse, noisy(accuracy, 0.02), **columns)


def over_blocks(spread: float, name: str) -> tuple[Study, str, str]:
    """Claims over these six blocks and over new ones, of a difference and a trend; `spread` is of blocks."""
    blocks = {one: {"data.keyword": one} for one in ("face", "cat", "hand", "heart", "clock", "flag")}
    sharper = Trend("test_mse", "down", SIZE)
    large = Difference("test_mse", "down", "large", to="small")
    study = a_study(
        name=name,
        blocks=blocks,
        test="t",
        claims=(
            Claim("larger is sharper on these", Over(sharper, "these")),
            Claim("larger is sharper on others", Over(sharper, "new")),
            Claim("large is sharper on these", Over(large, "these")),
            Claim("large is sharper on others", Over(large, "new"), counts=False),
            Claim("large is blurred on others", Over(replace(large, direction="up"), "new")),
            Claim("small is more accurate", Over(Difference("test_accuracy", "up", "small"), "new")),
        ),
    )
    centre = {
        f"{arm}, {block}": 0.02 - (arm == "large") * (0.0025 + spread * (n - 2.5))
        for arm in study.by_block["face"].settings
        for n, block in enumerate(blocks)
    }
    level = noisy(dict.fromkeys(study.settings, 0.5), 0.01)
    return study, *exported(study, 7, noisy(centre, 0.0004), level, images_test=400.0)


MADE = {
    "sizes": sizes,
    "synergy": lambda: factorial(-0.02, 0.0005, "synergy"),
    "antagony": lambda: factorial(0.02, 0.0005, "antagony"),
    "additive": lambda: factorial(0.0, 0.0001, "additive"),
    "noise": lambda: factorial(0.0, 0.01, "noise"),
    "one-sided": one_sided,
    "gates": lambda: behind_gates("corrected_t"),
    "gates, t": lambda: behind_gates("t"),
    "gates, sign flips": lambda: behind_gates("sign_flip"),
    "blocks alike": lambda: over_blocks(0.0, "alike"),
    "blocks apart": lambda: over_blocks(0.002, "apart"),
    "levels": lambda: levels("corrected_t"),
    "levels, t": lambda: levels("t"),
    "levels, sign flips": lambda: levels("sign_flip"),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_verdicts_follow_from_the_runs(make: Callable[[], tuple[Study, str, str]]) -> None:
    check(*make())


def test_every_kind_of_rule_and_every_word_is_recomputed() -> None:
    rows = [row for make in MADE.values() for row in read(make()[2])]
    over = {f"{rule} over {blocks} blocks" for rule in ("trend", "difference") for blocks in ("these", "new")}
    assert {row["rule"] for row in rows} == {"trend", "difference", "interaction", "level", "same"} | over
    assert {row["verdict"] for row in rows if "new" in row["rule"]} > {"supported", "inconclusive"}
    words = {
        rule: {row["verdict"] for row in rows if row["rule"] == rule} for rule in ("interaction", "level")
    }
    assert words["interaction"] == {"supported", "refuted", "equivalent", "inconclusive"}
    assert {row["verdict"] for row in rows} == {*WORDS}
    assert {row["counts"] for row in rows} == {"true", "false"}
    assert {"", "the baseline is above chance; the rank is one"} == {row["gate"] for row in rows}
    assert words["level"] == {"supported", "refuted", "inconclusive"}
    assert any(not row["p"] for row in rows)


@pytest.mark.parametrize(
    "column",
    [*("verdict", "estimate", "high", "p", "p_holm", "p_equivalence_holm", "p_ruled_out_holm", "gate")],
)
def test_a_verdict_that_does_not_follow_is_found(column: str) -> None:
    study, runs, verdicts = sizes()
    rows = read(verdicts)
    words = {"verdict": "refuted", "gate": "a gate that is not there"}
    rows[0][column] = words.get(column) or str(float(rows[0][column]) * 1.001 + 1e-9)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with pytest.raises(AssertionError):
        check(study, runs, out.getvalue())


def test_exploratory_and_smoke_studies_are_recomputed_too() -> None:
    study = a_study()
    value = noisy(dict.fromkeys(study.settings, 0.02), 0.001)
    for seeds in (1, 2, 4):
        rows = check(study, *exported(study, seeds, value, value))
        assert {row["verdict"] for row in rows} == {"inconclusive"}
    quick = a_study(seeds=6).smoke()
    assert {row["quick"] for row in check(quick, *exported(quick, 6, value, value))} == {"true"}
