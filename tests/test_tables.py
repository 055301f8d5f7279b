"""Four formats, one set of numbers, any name of an arm, and what a table says of gaps."""

import csv
import html.parser
import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ablation.errors import UserError
from ablation.formatting import difference_digits, number
from ablation.report.formats import COLUMNS, FORMATS, document, markdown, render, supplements
from ablation.report.latex import latex
from ablation.report.table import Layout, Table, tabulate
from ablation.stats.analysis import analyse
from frames import ODD, a_frame, a_study, noisy

CENTRE = {"small": 0.020, "middle": 0.018, "large": 0.012, ODD: 0.020, "b": 0.018}
ARMS = {ODD: {"model.latent_dim": 64}, "b": {"model.latent_dim": 128}}


def a_table(seeds: int = 6, **changes: object) -> Table:
    study = a_study(seeds=seeds, **changes)
    frame = a_frame(study, seeds, noisy(CENTRE, 0.0005), lambda arm, s: 0.5 + 0.01 * (s % 3))
    return tabulate(analyse(study, frame, seeds))


def odd_table(name: str = ODD) -> Table:
    study = a_study(arms={name: ARMS[ODD], "b": ARMS["b"]}, claims=(), question=name, source=name)
    return tabulate(analyse(study, a_frame(study, 5, lambda arm, s: 0.01 * s), 5))


class Page(html.parser.HTMLParser):
    """The text of every cell of every row of a page, and the tags that it met."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.inside = tag in ("td", "th") or (self.inside and tag in ("span", "b", "strong"))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th", "tr")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def numbers(cells: list[str]) -> list[str]:
    """Every number in the cells, as printed."""
    return re.findall(r"[-+]?\d+(?:\.\d+)?", " ".join(cells).replace("−", "-").replace("$-$", "-"))


def in_csv(table: Table) -> list[list[str]]:
    """n, mean and difference with their intervals, rounded to the decimals of the measure."""
    study = table.study
    rows = []
    for row in csv.DictReader(io.StringIO(render(table, "csv"))):
        digits = study.measure(row["measure"]).digits
        mean = [number(float(row[key]), digits) for key in COLUMNS[5:8] if row[key]]
        digits = difference_digits(digits, study.measures[row["measure"]])
        gap = [number(float(row[key]), digits, signed=True) for key in COLUMNS[8:11] if row[key]]
        rows.append([row["n"], *(text.replace("−", "-") for text in mean + gap)])
    return rows


def in_markdown(table: Table) -> list[list[str]]:
    rendered = MarkdownIt().enable("table").render(render(table, "md"))
    rows = [row for row in Page(rendered).rows if row[0] != "Arm"]
    return [numbers([*row[1:4]]) for row in rows]


def in_html(table: Table) -> list[list[str]]:
    return [numbers(row[1:4]) for row in Page(render(table, "html")).rows if row[0] != "Arm"]


def in_appendix(table: Table) -> list[list[str]]:
    text = supplements(table)["appendix.tex"]
    lines = [line for line in text.splitlines() if line.count("&") == 4 and "Arm" not in line]
    return [numbers(line.split("&")[1:4]) for line in lines]


def compact(table: Table) -> dict[str, list[str]]:
    """The cells of table.tex by the name of their row, without LaTeX's commands."""
    found: dict[str, list[str]] = {}
    for line in render(table, "tex").splitlines():
        if " & " in line and not line.startswith(" &"):
            name, *cells = line.removesuffix(r" \\").replace(r"\fit{\endgraf}{ }", " ").split(" & ")
            plain = [re.sub(r"\\(?:textbf|rlap)|[{}^$\\]", "", cell.replace(r"\pm", "±")) for cell in cells]
            found.setdefault(name.partition(" \\par")[0], []).extend(plain)
    return found


def test_all_formats_hold_the_same_numbers() -> None:
    table = a_table()
    want = in_csv(table)
    assert len(want) == 6
    assert [len(row) for row in want[:3]] == [7, 4, 7]
    assert in_markdown(table) == want
    assert in_html(table) == want
    assert in_appendix(table) == want


def test_the_compact_table_has_every_mean_with_half_its_interval_and_its_mark() -> None:
    table = a_table()
    want = {
        latex(f"{row.arm} (baseline)" if row.baseline else row.arm): [
            f"{one.mean} ±{one.half}{one.mark}".replace("≡", "equiv").replace("−", "-").replace("†", "dagger")
            for one in (panel.rows[n] for panel in table.panels)
        ]
        for n, row in enumerate(table.panels[0].rows)
    }
    assert compact(table) == want
    assert want["large"][0].endswith("+")
    assert float(table.panels[0].rows[0].half) == pytest.approx(
        (float(table.panels[0].rows[0].high) - float(table.panels[0].rows[0].low)) / 2, abs=1e-4
    )


def test_csv_and_json_are_exact() -> None:
    table = a_table()
    mean, effect = table.analysis.means["large", "test_mse"], table.analysis.effect("large", "test_mse")
    assert effect is not None
    row = next(r for r in csv.DictReader(io.StringIO(render(table, "csv"))) if r["arm"] == "large")
    assert (row["mean"], row["mean_low"]) == (repr(mean.mean), repr(mean.low))
    assert (row["difference"], row["p_holm"]) == (repr(effect.estimate.mean), repr(effect.p_holm))
    found = json.loads(document(table))
    assert found["conclusion"] == table.analysis.conclusion
    own = next(e for e in found["effects"] if (e["arm"], e["measure"]) == ("large", "test_mse"))
    assert (own["mean"], own["p_holm"], own["verdict"]) == (mean.mean, effect.p_holm, "better")
    base = next(e for e in found["effects"] if e["baseline"])
    assert (base["difference"], base["p_holm"]) == (None, None)
    assert [v["claim"] for v in found["verdicts"]] == [c.text for c in table.study.claims]


BARE = {f"bare {name}": {"model.latent_dim": n, "augment.copies": 0} for name, n in (("a", 64), ("b", 256))}


def against_table(other: str = "bare a") -> Table:
    """Two arms beside the three sizes: one is set against another arm, the other against the baseline."""
    arms = dict(a_study().arms) | {other: BARE["bare a"], "bare b": BARE["bare b"]}
    study = a_study(arms=arms, against={"bare b": other}, claims=())
    frame = a_frame(study, 5, noisy(dict.fromkeys(study.settings, 0.02), 0.0005), lambda arm, s: 0.01 * s)
    return tabulate(analyse(study, frame, 5))


def test_a_difference_to_another_arm_says_to_which_in_every_format() -> None:
    table = against_table()
    assert [row.to for row in table.panels[0].rows] == ["", "", "", "", "to bare a"]
    assert [row.reference for row in table.panels[0].rows] == ["middle", "", "middle", "middle", "bare a"]
    assert [row["reference"] for row in csv.DictReader(io.StringIO(render(table, "csv")))] == [
        *("middle", "", "middle", "middle", "bare a")
    ] * 2
    other = "middle (the baseline), or to the arm named beside it, paired by seed"
    for text in (render(table, "md"), render(table, "html"), supplements(table)["appendix.tex"]):
        assert text.count("to bare a") == 2
        assert other in " ".join(text.split())
    assert latex("compared with “middle”, or with the arm named below it, paired by") in render(table, "tex")
    rows = Page(MarkdownIt().enable("table").render(render(table, "md"))).rows
    assert [row[0] for row in rows if row[3].endswith(" to bare a")] == ["bare b"] * 2
    assert [row[0] for row in Page(render(table, "html")).rows if row[3].endswith("to bare a")] == [
        "bare b"
    ] * 2
    lines = render(table, "tex").splitlines()
    assert [line.partition(" &")[0] for line in lines if "to bare a" in line] == [
        r"bare b \par {\scriptsize to bare a}"
    ]
    want = in_csv(table)
    assert in_appendix(table) == in_markdown(table) == in_html(table) == want


def test_a_table_of_one_reference_names_it_nowhere_but_in_csv() -> None:
    table = a_table()
    assert {row.to for panel in table.panels for row in panel.rows} == {""}
    assert "named beside" not in "".join(render(table, format) for format in FORMATS)
    assert 'class="to"' not in render(table, "html")
    explicit = a_table(against={"large": "middle"})
    assert [render(explicit, format) for format in FORMATS] == [render(table, format) for format in FORMATS]


def test_an_odd_name_of_a_reference_is_escaped() -> None:
    table = against_table(ODD)
    rows = Page(MarkdownIt().enable("table").render(render(table, "md"))).rows
    assert rows[5][3].endswith(f" to {ODD}")
    assert "<b>&" not in render(table, "html")
    assert latex(f"to {ODD[:30]}") in supplements(table)["appendix.tex"]


def test_numbers_are_those_of_the_analysis() -> None:
    study = a_study(seeds=6)
    analysis = analyse(study, a_frame(study, 6, noisy(CENTRE, 0.0005)), 6)
    row = tabulate(analysis).panels[0].rows[2]
    effect = analysis.effect("large", "test_mse")
    assert effect is not None
    assert row.mean == f"{analysis.means['large', 'test_mse'].mean:.4f}"
    assert row.difference.replace("−", "-") == f"{effect.estimate.mean:+.4f}"
    assert row.mark == "+"
    assert row.verdict == "better"


def test_the_level_of_the_intervals_is_the_studys() -> None:
    study = a_study(alpha=0.1)
    analysis = analyse(study, a_frame(study, 5, noisy(CENTRE, 0.001)), 5)
    assert analysis.level_words == "90 %"
    assert tabulate(analysis).interval == "90 % interval"


def test_a_measures_own_digits_are_used_and_a_rounded_zero_has_no_sign() -> None:
    assert number(-0.01684, 4) == "−0.0168"
    assert number(0.01684, 3, signed=True) == "+0.017"
    assert number(-0.00001, 3, signed=True) == "0.000"
    assert number(float("nan"), 3) == "–"
    assert (difference_digits(3, 0.05), difference_digits(3, 0.0004)) == (3, 5)


def test_the_best_mean_is_bold_and_ties_all_are() -> None:
    mse, accuracy = a_table().panels
    assert [row.best for row in mse.rows] == [False, False, True]
    assert [row.best for row in accuracy.rows] == [True, True, True]
    assert "**0.0" in render(a_table(), "md")
    said = [render(a_table(), "md"), render(a_table(), "html"), *supplements(a_table()).values()]
    assert all("which is no proof" in text for text in said)


def test_exploratory_tables_bear_no_mark_and_no_p() -> None:
    table = a_table(seeds=3)
    for parsed in (in_csv(table), in_markdown(table), in_html(table), in_appendix(table)):
        assert [len(row) for row in parsed] == [7, 4, 7] * 2
    for text in (*(render(table, format) for format in FORMATS), *supplements(table).values()):
        assert not re.search(r"\bp \\?(<|&lt;|\$<\$|=) ?0|≡|\\equiv|†|dagger", text)
    assert "no effect is tested" in render(table, "tex")
    assert {row["verdict"] for row in csv.DictReader(io.StringIO(render(table, "csv")))} == {"", "not tested"}


def gappy(drop: int) -> Table:
    """Five seeds, of which "large" lacks the first `drop`."""
    study = a_study(claims=())
    frame = a_frame(study, 5, noisy(CENTRE, 0.001), lambda arm, s: 0.5 + 0.01 * (s % 3) * (arm == "small"))
    return tabulate(analyse(study, frame[(frame["arm"] != "large") | (frame["seed"] >= drop)], 5))


def test_not_tested_is_not_the_same_as_not_significant() -> None:
    small, _, large = gappy(2).panels[0].rows
    assert (small.verdict, small.mark) == ("inconclusive", "")
    assert (large.verdict, large.mark) == ("not tested", "†")
    text = render(gappy(2), "tex")
    assert r"\rlap{$^{\dagger}$$^{\ddagger}$}" in text
    assert r"$\dagger$ not tested, unmarked: inconclusive" in text


def test_a_mean_over_other_seeds_is_marked_because_it_does_not_subtract() -> None:
    assert [row.seeds_mark for row in gappy(2).panels[0].rows] == ["", "", "‡"]
    assert not any(row.seeds_mark for panel in a_table().panels for row in panel.rows)
    for text in (render(gappy(2), "md"), render(gappy(2), "html")):
        assert "3‡" in text
        assert "the means do not subtract" in text
    assert "do not subtract" not in render(a_table(), "md")


def test_where_no_cell_is_complete_a_sentence_stands_for_the_grid() -> None:
    study = a_study()
    frame = a_frame(study, 5, noisy(CENTRE, 0.001)).assign(state="failed", test_mse=float("nan"))
    table = tabulate(analyse(study, frame, 5))
    for text in (*(render(table, format) for format in ("md", "tex", "html")), *supplements(table).values()):
        assert "No cell is complete, so there is no number to show." in text
    assert "| small |" not in render(table, "md")
    assert r"\toprule" not in render(table, "tex")
    assert "15 failed" in render(table, "md")


def test_a_baseline_called_baseline_is_named_once() -> None:
    study = a_study(arms={"small": {"model.latent_dim": 64}}, claims=())
    centre = {"baseline": 0.02, "small": 0.03}
    table = tabulate(analyse(study, a_frame(study, 5, noisy(centre, 0.001)), 5))
    for text in (*(render(table, format) for format in FORMATS), *supplements(table).values()):
        assert not re.search(r"baseline \((the )?baseline|>baseline<.{0,30}>baseline<", text)
    assert "difference to the baseline, paired" in render(table, "md")
    assert "compared with the baseline, paired" in render(table, "tex")


def test_a_layout_shows_less_and_says_so_and_changes_no_p_value() -> None:
    analysis = a_table().analysis
    table = tabulate(analysis, Layout(measures=["test_accuracy"], arms=["large", "middle"], digits=1))
    (panel,) = table.panels
    assert [row.arm for row in panel.rows] == ["large", "middle"]
    assert [row.mean for row in panel.rows] == ["0.5", "0.5"]
    whole = a_table().panels[1].rows
    assert panel.rows[0].p == whole[2].p
    assert "Shown are 2 of 3 arms and 1 of 2 measures" in render(table, "md")
    assert "small" not in render(table, "tex")
    assert supplements(table)["appendix.tex"].count("small &") == 2
    assert "Shown are" not in "".join(supplements(table).values())
    best = tabulate(analysis, Layout(arms=["small", "middle"])).panels[0]
    assert [row.best for row in best.rows] == [False, True]


def test_a_measure_without_a_better_direction_has_no_best_mean() -> None:
    study = a_study(measures={"effective_rank": 1.0}, claims=())
    frame = a_frame(study, 5, lambda arm, s: 0.0).assign(
        effective_rank=[float(n % 3 + n % 2) for n in range(15)]
    )
    table = tabulate(analyse(study, frame, 5))
    assert not any(row.best for row in table.panels[0].rows)
    for text in (render(table, "md"), render(table, "html"), supplements(table)["appendix.tex"]):
        assert "no direction is better" in text


def test_an_interval_is_printed_as_asked_for() -> None:
    analysis = a_table().analysis
    pm, range_ = (tabulate(analysis, Layout(interval=one)) for one in ("pm", "range"))
    row = pm.panels[0].rows[0]
    assert f"{row.mean} ± {row.half}" in render(pm, "md")
    assert f"[{row.low}" not in render(pm, "md")
    assert rf"{row.mean} {{[}}{row.low},~{row.high}{{]}}" in render(range_, "tex")
    assert "and its 95~\\% interval" in render(range_, "tex")


def test_transposed_a_row_is_a_measure() -> None:
    table = a_table()
    turned = compact(tabulate(table.analysis, Layout(transpose=True)))
    assert [list(row) for row in zip(*compact(table).values(), strict=True)] == list(turned.values())


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ({"measures": ["test_msa"]}, "no measure in this study 'test_msa'"),
        ({"arms": ["larg"]}, "no arm 'larg' .did you mean 'large'"),
        ({"digits": 99}, "digits wants a whole number from 0 to 15"),
        ({"font": "huge"}, "font of Layout wants 'scriptsize', .* but got 'huge'"),
        ({"interval": "sd"}, "interval of Layout wants 'pm' or 'range', but got 'sd'"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(layout: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        tabulate(a_table().analysis, Layout(**layout))  # type: ignore[arg-type]


def test_a_cell_without_a_run_is_a_dash_not_nan() -> None:
    study = a_study()
    frame = a_frame(study, 5, noisy(CENTRE, 0.001))
    table = tabulate(analyse(study, frame[frame["arm"] != "large"], 5))
    assert table.panels[0].rows[2].mean == "–"
    assert [row.best for row in table.panels[0].rows] == [False, True, False]
    assert not any("nan" in render(table, format) for format in FORMATS)


@pytest.mark.parametrize("format", FORMATS)
def test_rendering_twice_gives_the_same_bytes(format: str) -> None:
    assert render(a_table(), format) == render(a_table(), format)


def test_conclusion_comes_first_and_what_is_held_fixed_stands_in_the_notes() -> None:
    table = a_table()
    said = {"table.md": render(table, "md"), "table.html": render(table, "html")} | supplements(table)
    for name in ("table.md", "table.html", "notes.md", "notes.tex"):
        for words in ("larger is sharper", "Conclusion", "Nadeau and Bengio"):
            assert words in said[name]
    for name in ("table.html", "notes.md", "notes.tex"):
        assert "train.lr = 0.001" in said[name].replace(r"\_", "_")
    for text in (said["table.md"], render(table, "tex")):
        assert "train.lr" not in text
    for name in ("table.md", "table.html"):
        assert said[name].index("Conclusion") < said[name].index("Test MSE")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UserError, match=r"there is no table format 'htm' \(did you mean 'html'"):
        render(a_table(), "htm")


@given(st.text(min_size=1, max_size=12).filter(str.strip))
@settings(max_examples=60)
def test_markdown_reads_as_the_text_itself(text: str) -> None:
    plain = re.sub(r"\s+", " ", text).strip()
    if "\x00" in plain or not plain.isprintable():
        return
    rendered = MarkdownIt().enable("table").render(f"| a |\n|--|\n| {markdown(plain)} |\n")
    assert Page(rendered).rows[1][0] == plain


def test_odd_names_survive_in_markdown_html_and_csv() -> None:
    table = odd_table()
    shown = Page(MarkdownIt().enable("table").render(render(table, "md")))
    assert shown.rows[1][0] == ODD
    assert Page(render(table, "html")).rows[1][0] == ODD
    assert "<b>&" not in render(table, "html")
    assert next(csv.DictReader(io.StringIO(render(table, "csv"))))["arm"] == ODD


def test_a_page_is_complete_in_itself() -> None:
    text = render(odd_table(), "html")
    assert not {"script", "link", "img"} & Page(text).tags
    assert not re.search(r"https?://|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


@given(st.text(max_size=20))
def test_latex_is_ascii_on_one_line_with_balanced_braces(text: str) -> None:
    source = latex(text)
    assert source.isascii()
    assert "\n" not in source
    bare = re.sub(r"\\[{}\\]", "", source)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[#%&_]", source)
