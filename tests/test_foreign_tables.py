"""Tables that others wrote: each is read as it stands there, or refused in a sentence; nothing is left out
without a word.
"""

import csv
import gzip
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ablation
from ablation import Measure, UserError
from ablation.report.data_files import runs_csv
from ablation.report.export import Results
from ablation.runner.tables import Runs, as_text, read_table
from ablation.settings import as_number
from frames import a_frame, a_study, noisy

Content = str | bytes
Read = TypeVar("Read")
ARMS, SEEDS = "ab", range(5)
ROWS = [[arm, str(seed), f"0.{8 if arm == 'a' else 9}{seed}"] for seed in SEEDS for arm in ARMS]
HEADER = ["model", "seed", "accuracy"]


def text(rows: Sequence[Sequence[str]] = ROWS, header: Sequence[str] = HEADER, by: str = ",") -> str:
    return "".join(f"{by.join(row)}\n" for row in (header, *rows))


def changed(column: int, change: Callable[[str], str]) -> list[list[str]]:
    return [[change(cell) if n == column else cell for n, cell in enumerate(row)] for row in ROWS]


def analysed(there: Any, **changes: Any) -> Results:
    options: dict[str, Any] = {"arm": "model", "baseline": "a", "measures": MEASURES}
    return ablation.analyse(there, **(options | changes))


MEASURES = {"accuracy": Measure("higher", matters=0.01)}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(content: Content, name: str = "runs.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def accuracies(found: Results) -> list[tuple[str, object, float]]:
    return [*found.cells[["arm", "seed", "accuracy"]].itertuples(index=False, name=None)]


RIGHT = [(arm, int(seed), float(value)) for arm, seed, value in ROWS]


@pytest.mark.parametrize(
    "content",
    {
        "plain": text(),
        "byte-order mark": text().encode("utf-8-sig"),
        "UTF-16": text().encode("utf-16"),
        "UTF-16 of the other order": b"\xfe\xff" + text().encode("utf-16-be"),
        "UTF-32": text().encode("utf-32"),
        "semicolons": text(by=";"),
        "tabs": text(by="\t"),
        "CRLF": text().replace("\n", "\r\n"),
        "CR": text().replace("\n", "\r"),
        "blank lines": "\n\n" + text().replace("\na,2", "\n\n , , \n   \na,2") + "\n,,\n",
        "spaces around": text(
            [[f" {cell}\t" for cell in row] for row in ROWS], [" model", "seed ", "accuracy"]
        ),
        "columns of a spreadsheet": text([[*row, "", ""] for row in ROWS], [*HEADER, "", ""]),
        "quotes": text([[f'"{cell}"' for cell in row] for row in ROWS]),
        "pandas' index": text([[str(n), *row] for n, row in enumerate(ROWS)], ["", *HEADER]),
        "pandas' index, read again": text(
            [[str(n), *row] for n, row in enumerate(ROWS)], ["Unnamed: 0", *HEADER]
        ),
        "whole seeds as floats": text(changed(1, lambda seed: f"{seed}.0")),
        "exponents": text(changed(2, lambda value: f"{float(value) * 100}E-2")),
    }.items(),
    ids=lambda one: one[0],
)
def test_a_table_is_read_however_it_is_written(
    content: tuple[str, Content], written: Callable[..., Path]
) -> None:
    found = analysed(written(content[1]))
    assert accuracies(found) == [(arm, seed, pytest.approx(value)) for arm, seed, value in RIGHT]
    assert len(found.remarks) == 1  # that all was declared afterwards
    assert {"Unnamed: 0", ""}.isdisjoint(found.cells)


REFUSED: dict[str, tuple[Content, str]] = {
    "Latin-1": (
        text().replace("a,0", "é,0").encode("latin-1"),
        r"byte 0xE9 in line 2: save it as CSV in UTF-8",
    ),
    "UTF-16 without a mark": (text().encode("utf-16-le"), r"U\+0000 in line 1, as UTF-16 without"),
    "gzip": (gzip.compress(text().encode()), "wants to be CSV or Parquet, but is packed by gzip"),
    "workbook": (b"PK\x03\x04" + bytes(40), "a zip file or a workbook: save its table as CSV"),
    "comment above": ("# of May\n" + text(), r"row 2 .* 1 cell, .* has 3 \(the header is '# of May'\)"),
    "sep= above": ("sep=;\n" + text(by=";"), r"delete the lines that stand above the header"),
    "title above": ("Results,,\n" + text(), "several have none: name them, or delete the lines"),
    "comment below": (text() + "# end\n", r"row 12 of runs.csv wants 3 cells.* has 1"),
    "comma behind each row": (text().replace("\n", ",\n").replace("accuracy,", "accuracy"), "wants 3 cells"),
    "header twice": (text() + text(), r"accuracy wants numbers, but row 12 has 'accuracy': write it as 0.85"),
    "row of units": (text([["", "", "%"], *ROWS]), r"row 2 has '%': write it as 0.85"),
    "a name twice": (text(header=["model", "model", "accuracy"]), "has 'model' twice: rename one"),
    "a name in two spellings": (
        text([[*row, "1", "2"] for row in ROWS], [*HEADER, "café", "cafe\u0301"]),
        r"told apart, but has 'caf\\xe9' and 'cafe\\u0301'",
    ),
    "decimal commas in quotes": (
        text(changed(2, lambda v: f'"{v.replace(".", ",")}"')),
        "has '0,80': write it",
    ),
    "decimal commas among commas": (text().replace("0.", "0,"), "wants 3 cells"),
    "thousands": (text(changed(2, lambda v: "1,234"), by=";"), "has '1,234': write it"),
    "thousands and decimal commas": (
        text([[*row, "1.234"] for row in changed(2, lambda v: v.replace(".", ","))], [*HEADER, "n"], ";"),
        "accuracy has '0,80' and n has '1.234', which may be thousands: write all with a decimal point",
    ),
    "both kinds of points": (
        text([[*row, "0.5"] for row in changed(2, lambda v: v.replace(".", ","))], [*HEADER, "n"], ";"),
        "has '0,80': write it as 0.85",
    ),
    "percent": (text(changed(2, lambda v: f"{v}%")), "has '0.80%': write it .* without a unit"),
    "a typographic minus": (text(changed(2, lambda v: f"−{v}")), "has '−0.80': write it"),
    "true and True": (
        text([["true" if row[0] == "a" else "True", *row[1:]] for row in ROWS]),
        "say the same",
    ),
    "007 and 7": (text([["007" if row[0] == "a" else "7", *row[1:]] for row in ROWS]), "which say the same"),
    "an arm in two spellings": (
        text([["é" if row[0] == "a" else "e\u0301", *row[1:]] for row in ROWS]),
        r"'\\xe9' and 'e\\u0301', which say the same",
    ),
    "seeds 01 and 1": (text([["a", "01", "0.1"], ["b", "1", "0.2"]]), "seeds '01' and '1' say the same"),
    "seeds in two spellings": (text([["a", "é", ".1"], ["b", "e\u0301", ".2"]]), "say the same: write them"),
    "an open quote": (text().replace("a,2", '"a,2'), "is no CSV in line"),
    "a cell that never ends": (text([["a" * 200_000, "0", "0.1"]]), "larger than field limit"),
    "a run twice": (text([*ROWS, ROWS[0]]), r"seed 0 has 2 that finished \(row 2 and row 12\)"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_right_is_refused_in_a_sentence(kind: str, written: Callable[..., Path]) -> None:
    content, sentence = REFUSED[kind]
    with pytest.raises(UserError, match=sentence):
        analysed(written(content))


def test_a_folder_and_json_are_refused(tmp_path: Path, written: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="but is a folder: name a file in it"):
        analysed(tmp_path)
    with pytest.raises(UserError, match="but is JSON: save its table as CSV"):
        analysed(written('[{"model": "a"}]', "runs.json"))


def test_decimal_commas_are_read_where_they_can_be_nothing_else_and_said(
    written: Callable[..., Path],
) -> None:
    rows = [[f"0,{2 if arm == 'a' else 1}", seed, value.replace(".", ",")] for arm, seed, value in ROWS]
    rows[3][2] = ""
    found = analysed(written(text(rows, by=";")), baseline="0.2")
    assert list(found.study.settings) == ["0.2", "0.1"]
    assert found.cells.accuracy.tolist()[:3] == [0.8, 0.9, 0.81]
    assert "The commas of model and accuracy in runs.csv are read as decimal points." in found.remarks


def test_a_list_with_a_comma_stays_a_text_beside_numbers_with_points(written: Callable[..., Path]) -> None:
    rows = [["64,32" if arm == "a" else "64,16", seed, value] for arm, seed, value in ROWS]
    assert list(analysed(written(text(rows, by=";")), baseline="64,32").study.settings) == ["64,32", "64,16"]


@pytest.mark.parametrize(
    "word", ["NA", "None", "null", "nan", "N/A", "<NA>", "NULL", "n/a", "#N/A", "-", "inf", "True"]
)
def test_a_word_is_a_text_where_the_column_is_text_and_no_number_where_it_is_numbers(
    word: str, written: Callable[..., Path]
) -> None:
    there = written(text([[word if row[0] == "b" else "a", *row[1:]] for row in ROWS]))
    assert list(analysed(there).study.settings) == ["a", word]
    labels = written(text(changed(1, lambda seed: word if seed == "0" else f"fold {seed}")))
    assert sorted(set(analysed(labels).cells.seed)) == sorted([word, *(f"fold {n}" for n in range(1, 5))])
    lacking = written(text([*ROWS[:-1], ["b", "4", word]]))
    if as_number(word) is None:
        with pytest.raises(UserError, match="leave the cell empty where there is no number"):
            analysed(lacking)
    else:
        said = " ".join(analysed(lacking).remarks)
        assert "Finished, but without a finite accuracy: b, seed 4 (row 11)." in said


def test_identifiers_stay_as_they_are_written(written: Callable[..., Path]) -> None:
    big = [str(2**53), str(2**53 + 1)]
    there = written(
        text([[f"00{m}", f"0{s}", v, big[m == "b"], f"00{n}"] for n, (m, s, v) in enumerate(ROWS)],
             [*HEADER, "hash", "run"]).replace("00a", "007").replace("00b", "008")
    )  # fmt: skip
    found = analysed(there, baseline="007", allow="hash")
    assert list(found.study.settings) == ["007", "008"]
    assert found.study.settings["008"] == {"model": "008"}
    assert found.cells.seed.tolist()[:4] == ["00", "00", "01", "01"]
    assert {"hash", "run"}.isdisjoint(found.cells)  # as floats they would be others


def test_cells_that_spaces_alone_tell_apart_are_one_and_said(written: Callable[..., Path]) -> None:
    there = written(text([[*ROWS[0][:1], " 0", "0.8"], [" a ", "1", "0.8"], *ROWS[1:2], *ROWS[3:4]]))
    found = analysed(there)
    assert found.cells.arm.value_counts().to_dict() == {"a": 2, "b": 2}
    assert "In model and seed of runs.csv, cells that differ in the spaces around them alone are one." in (
        found.remarks
    )


def test_what_is_left_out_is_named_with_its_reason(written: Callable[..., Path]) -> None:
    more = [["c", "0", ".1"], ["c", "1", ".1"], ["d", "0", ".1"], ["a", "", ".1"]]
    study = a_tracked(written(text([*ROWS, *more])), {"model": "a"}, {"b": {"model": "b"}})
    said = " ".join(ablation.results(study).remarks)
    assert (
        "3 of 14 runs are of no arm of the study and left out: model = 'c' (2 runs) and model = 'd' (1 run)."
        in said
    )
    assert "1 run of an arm has no seed and is left out: row 15." in said


def a_tracked(where: Any, baseline: Mapping[str, object], arms: Mapping[str, Any]) -> ablation.Study:
    return ablation.Study(
        question="?", source="a double", runs=ablation.Tracked(where), baseline=baseline, arms=arms,
        measures=MEASURES, name="foreign",
    )  # fmt: skip


def test_of_runs_that_did_not_finish_each_is_a_gap_or_named(written: Callable[..., Path]) -> None:
    states = [*([*row, "finished"] for row in ROWS[1:]), ["a", "0", "", "failed"], ["a", "0", "", "running"]]
    states += [["b", "0", "", "failed"]]
    found = analysed(written(text(states, [*HEADER, "State"])))
    said = " ".join(found.remarks)
    assert "Did not finish: a, seed 0 (running, row 12)." in said
    assert (
        "1 run did not finish beside a finished run of the same arm and seed, which counts: row 13." in said
    )
    assert "1 run did not finish beside another run of the same arm and seed, which counts: row 11." in said


def test_columns_that_are_not_compared_are_named_where_they_differ(written: Callable[..., Path]) -> None:
    there = written(text([[*row, f"by {row[0]}", "x"] for row in ROWS], [*HEADER, "User", "Notes"]))
    assert "What describes a run is not compared between the arms: User." in analysed(there).remarks
    twice = written(text([[*row, "1"] for row in ROWS], [*HEADER, "accuracy.1"]))
    assert any("accuracy.1 stands beside accuracy" in one for one in analysed(twice).remarks)


def test_our_own_runs_csv_is_read_back(written: Callable[..., Path]) -> None:
    study = a_study(claims=())
    frame = a_frame(study, 5, noisy({"small": 0.3, "middle": 0.2, "large": 0.1}, 0.05))
    known = frame[~((frame.arm == "small") & (frame.seed == 4))]
    there = written(runs_csv(study, known, 5))
    found = analysed(
        there, arm="arm", baseline="middle", allow="model.latent_dim",
        measures={"test_mse": Measure("lower", matters=0.01)},
    )  # fmt: skip
    back = found.cells[found.cells.state == "complete"].set_index(["arm", "seed"]).test_mse
    pd.testing.assert_series_equal(
        back.sort_index(), known.set_index(["arm", "seed"]).test_mse.sort_index(), check_index_type=False
    )
    assert "Did not finish: small, seed 4 (missing, row 14)." in found.remarks


# Parquet and data frames.


def columns(**more: Any) -> dict[str, Any]:
    models, seeds, values = zip(*ROWS, strict=True)
    return {"model": models, "seed": [*map(int, seeds)], "accuracy": [*map(float, values)]} | more


@pytest.mark.parametrize(
    ("column", "values", "texts"),
    [
        ("model", pa.array([*"ab"] * 5).dictionary_encode(), ["a", "b"]),
        ("model", pa.array([*"ab"] * 5, pa.large_string()), ["a", "b"]),
        ("model", pa.array([*"ab"] * 5, pa.string_view()), ["a", "b"]),
        ("model", pa.array(["NA", "None"] * 5), ["NA", "None"]),
        ("model", pa.array(["007", "008"] * 5), ["007", "008"]),
        ("model", pa.array([0.1, 0.2] * 5, pa.float32()), ["0.1", "0.2"]),
        ("model", pa.array(np.array([0.1, 0.2] * 5, dtype=np.float16)), ["0.1", "0.2"]),
        ("model", pa.array([True, False] * 5), ["True", "False"]),
        ("model", pa.array([[64, None], [32]] * 5), ["[64, None]", "[32]"]),
        ("model", pa.array([[64, 32], [32]] * 5), ["[64, 32]", "[32]"]),
        ("model", pa.array([{"a": 1}, {"a": 2}] * 5), ["{'a': 1}", "{'a': 2}"]),
        ("model", pa.array([1, 2] * 5).cast(pa.decimal128(25, 2)), ["1.00", "2.00"]),
        (
            "model",
            pa.array([1, 2] * 5).cast(pa.timestamp("s")),
            ["1970-01-01 00:00:01", "1970-01-01 00:00:02"],
        ),
        (
            "model",
            pa.array([18446744073709551615, 2**53 + 1] * 5, pa.uint64()),
            [str(2**64 - 1), str(2**53 + 1)],
        ),
        (
            "seed",
            pa.array([2**53, 2**53, 2**53 + 1, 2**53 + 1, 2, 2, 3, 3, None, 4]),
            [str(2**53), str(2**53 + 1)],
        ),
    ],
)
def test_a_column_of_parquet_keeps_its_values(
    column: str, values: Any, texts: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "runs.parquet"
    pyarrow.parquet.write_table(pa.table(columns(**{column: values})), path)
    found = analysed(path, baseline=texts[0] if column == "model" else "a")
    assert [*dict.fromkeys(map(str, found.cells["arm" if column == "model" else "seed"]))][:2] == texts


def test_parquet_is_known_by_its_beginning_and_read_from_one_file_alone(tmp_path: Path) -> None:
    table = pa.table(columns())
    (tmp_path / "model=z").mkdir()
    for name in ("runs.pq", "runs.csv", "model=z/runs.parquet"):
        pyarrow.parquet.write_table(table, tmp_path / name)
        assert accuracies(analysed(tmp_path / name)) == RIGHT
    pyarrow.parquet.write_to_dataset(table, tmp_path / "all.parquet", partition_cols=["model"])
    with pytest.raises(UserError, match="but is a folder: name a file in it"):
        analysed(tmp_path / "all.parquet")
    twice = pa.Table.from_arrays([*table.columns, table["seed"]], names=[*table.column_names, "seed"])
    pyarrow.parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(UserError, match=r"Multiple matches.*with a name of its own for each column"):
        analysed(tmp_path / "twice.parquet")


def test_values_of_a_data_frame_are_texts_and_none_is_no_text() -> None:
    there = pd.DataFrame(columns(model=np.array([None, "None"] * 5, dtype=object)))
    with pytest.raises(UserError, match="wants at least one arm beside its baseline"):
        analysed(there, baseline="None")
    mixed = pd.DataFrame(columns(model=np.array([1, "1"] * 5, dtype=object)))
    assert set(read_table(mixed).params["model"]) == {"1"}
    short = pd.DataFrame(columns()).astype({"accuracy": "float32"})
    assert read_table(short).metrics["accuracy"].tolist() == columns()["accuracy"]


HOSTILE = st.one_of(
    st.sampled_from(
        [
            "",
            "NA",
            "nan",
            "None",
            "null",
            "007",
            "1.0",
            "1",
            "1e3",
            "0,5",
            "1.234",
            "True",
            "-0",
            "inf",
            "1e400",
            "a\nb",
            "a\rb",
            'q"q',
            "a,b",
            "a;b",
            " sp ",
            "\ufeffx",
            "é",
            "e\u0301",
            "#c",
            "=1+1",
            "\u2028",
            "٣",
            "−1",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header of any names, and rows of any texts."""
    names = st.sampled_from(["model", "seed", "accuracy", "State", "lr", "Name", "note", "x y", "é"])
    header = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    row = st.lists(HOSTILE, min_size=len(header), max_size=len(header))
    return header, draw(st.lists(row, min_size=1, max_size=8))


def or_refusal(call: Callable[[], Read]) -> Read | UserError:
    try:
        return call()
    except UserError as error:
        return error


def as_they_came(runs: Runs, header: list[str], rows: list[list[str]], strip: bool) -> None:
    """Every cell that is not blank is in `runs` as it was written, but for the spaces around it."""
    kept = [[cell.strip() if strip else cell for cell in row] for row in rows]
    if strip:
        kept = [row for row in kept if any(row)]
    assert len(runs.ids) == len(kept)
    for n, name in enumerate(header):
        if name in runs.params:
            assert runs.params[name].tolist() == [row[n] for row in kept]
            numbers = [as_number(row[n]) for row in kept]
            assert (name in runs.metrics) == (None not in numbers)
            if name in runs.metrics:
                np.testing.assert_array_equal(runs.metrics[name], np.array(numbers, dtype=float))
        else:
            assert name == "State"


@given(tables())
def test_every_cell_of_a_csv_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[list[str], list[list[str]]]
) -> None:
    header, rows = table
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows([header, *rows])
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(lines.getvalue(), newline="")
    if not any(any(map(str.strip, row)) for row in rows):
        with pytest.raises(UserError, match="wants a row for each run, but has none"):
            read_table(path)
        return
    runs = or_refusal(lambda: read_table(path))
    if isinstance(runs, UserError):
        assert "wants how each run ended" in str(runs)
        return
    as_they_came(runs, header, rows, strip=True)
    said = " ".join(runs.remarks)
    for n, name in enumerate(header):
        own = {row[n] for row in rows if any(map(str.strip, row))}
        assert (len({cell.strip() for cell in own}) < len(own)) == (name in said)


@given(tables())
def test_every_cell_of_a_parquet_file_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[list[str], list[list[str]]]
) -> None:
    header, rows = table
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    written = pa.table({name: [row[n] for row in rows] for n, name in enumerate(header)})
    pyarrow.parquet.write_table(written, path)
    runs = or_refusal(lambda: read_table(path))
    if isinstance(runs, UserError):
        assert "wants how each run ended" in str(runs)
        return
    as_they_came(runs, header, rows, strip=False)


@given(st.lists(st.floats(), min_size=1), st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))))
def test_every_number_of_a_parquet_file_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, floats: list[float], whole: list[int | None]
) -> None:
    path = tmp_path_factory.getbasetemp() / "numbers.parquet"
    size = min(len(floats), len(whole))
    if not size:
        return
    pyarrow.parquet.write_table(pa.table({"f": floats[:size], "i": pa.array(whole[:size], pa.int64())}), path)
    runs = read_table(path)
    np.testing.assert_array_equal(runs.metrics["f"], np.array(floats[:size]))
    assert runs.params["i"].tolist() == [as_text(one) for one in whole[:size]]


RUN = st.tuples(
    st.sampled_from(["a", "b", "c", "NA", ""]),
    st.sampled_from(["0", "1", "2", "NA", "", "x"]),
    st.sampled_from(["0.5", "0.25", "", "nan", "inf"]),
    st.sampled_from(["finished", "failed", "running", "missing"]),
)
COUNTS = (
    r"(\d+) of \d+ runs? (?:is|are) of no arm",
    r"(\d+) runs? of an arm ha",
    r"(\d+) runs? did not finish beside a finished",
    r"(\d+) runs? did not finish beside another",
)


@given(st.lists(RUN, max_size=25))
def test_the_runs_that_count_and_those_that_are_named_are_all(
    tmp_path_factory: pytest.TempPathFactory, more: list[tuple[str, str, str, str]]
) -> None:
    """Whatever rows a table has: each is a cell, or is counted in a sentence."""
    rows = [[arm, "7", "0.5", "finished"] for arm in "ab"] + [list(one) for one in more]
    path = tmp_path_factory.getbasetemp() / "counted.csv"
    path.write_text(text(rows, [*HEADER, "State"]))
    study = a_tracked(path, {"model": "a"}, {"b": {"model": "b"}})
    found = or_refusal(lambda: ablation.results(study))
    if isinstance(found, UserError):
        assert re.search(r"has \d+ that finished", str(found))
        return
    said = " ".join(found.remarks)
    left = sum(int(one) for pattern in COUNTS for one in re.findall(pattern, said))
    assert len(found.cells) + left == len(rows)
    assert found.cells.run_id.is_unique
    for cell in found.cells.to_dict("records"):
        written = rows[int(cell["run_id"].removeprefix("row ")) - 2]
        assert (cell["arm"] == "b") == (written[0] == "b")
        assert str(cell["seed"]) == written[1]
        np.testing.assert_equal(cell["accuracy"], float(written[2] or "nan"))
