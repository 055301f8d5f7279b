"""Four formats, one set of numbers, any name of an arm, and LaTeX that compiles."""

import csv
import html.parser
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ablation.errors import UserError
from ablation.formatting import difference_digits, number
from ablation.report.formats import COLUMNS, FORMATS, latex, markdown, render
from ablation.report.table import Table, tabulate
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
    """n, mean and its interval, difference and its interval, as printed; stars and ≡ at the end."""
    text = " ".join(cells).replace("−", "-")
    return re.findall(r"[-+]?\d+(?:\.\d+)?", text) + re.findall(r"[*≡]+", text)


def in_csv(table: Table) -> list[list[str]]:
    keys = COLUMNS[4:11]
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    return [[row[k] for k in keys if row[k]] + ([row["mark"]] if row["mark"] else []) for row in rows]


def in_markdown(table: Table) -> list[list[str]]:
    rendered = MarkdownIt().enable("table").render(render(table, "md"))
    rows = [row for row in Page(rendered).rows if row[0] != "Arm"]
    return [numbers([*row[1:4]]) for row in rows]


def in_html(table: Table) -> list[list[str]]:
    return [numbers(row[1:4]) for row in Page(render(table, "html")).rows if row[0] != "Arm"]


def in_tex(table: Table) -> list[list[str]]:
    lines = [line for line in render(table, "tex").splitlines() if line.count("&") == 6 and "Arm" not in line]
    plain = [line.replace("$-$", "-").replace(r"\equiv", "≡") for line in lines]
    return [numbers(line.split("&")[1:]) for line in plain]


def test_all_formats_hold_the_same_numbers() -> None:
    table = a_table()
    want = in_csv(table)
    assert len(want) == 6
    assert [len(row) for row in want[:3]] == [8, 4, 8]
    assert in_markdown(table) == want
    assert in_html(table) == want
    assert in_tex(table) == want


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
    for format in ("md", "tex", "html"):
        text = render(table, format)
        assert text.count("to bare a") == 2
        assert "middle (the baseline), or to the arm named beside it, paired by seed" in " ".join(
            text.split()
        )
    rows = Page(MarkdownIt().enable("table").render(render(table, "md"))).rows
    assert [row[0] for row in rows if row[3].endswith(" to bare a")] == ["bare b"] * 2
    assert [row[0] for row in Page(render(table, "html")).rows if row[3].endswith("to bare a")] == [
        "bare b"
    ] * 2
    lines = render(table, "tex").splitlines()
    below = [lines[i - 1].split("&")[0].strip() for i, line in enumerate(lines) if "to bare a" in line]
    assert below == ["bare b"] * 2
    want = in_csv(table)
    assert in_tex(table) == in_markdown(table) == in_html(table) == want


def test_a_table_of_one_reference_names_it_nowhere_but_in_csv() -> None:
    table = a_table()
    assert {row.to for panel in table.panels for row in panel.rows} == {""}
    assert "named beside" not in "".join(render(table, format) for format in FORMATS)
    assert 'class="to"' not in render(table, "html")
    assert "multicolumn{3}" not in render(table, "tex")
    explicit = a_table(against={"large": "middle"})
    assert [render(explicit, format) for format in FORMATS] == [render(table, format) for format in FORMATS]


def test_an_odd_name_of_a_reference_is_escaped() -> None:
    table = against_table(ODD)
    rows = Page(MarkdownIt().enable("table").render(render(table, "md"))).rows
    assert rows[5][3].endswith(f" to {ODD}")
    assert "<b>&" not in render(table, "html")
    assert latex(f"to {ODD}") in render(table, "tex")


def test_numbers_are_those_of_the_analysis() -> None:
    study = a_study(seeds=6)
    analysis = analyse(study, a_frame(study, 6, noisy(CENTRE, 0.0005)), 6)
    row = tabulate(analysis).panels[0].rows[2]
    effect = analysis.effect("large", "test_mse")
    assert effect is not None
    assert row.mean == f"{analysis.means['large', 'test_mse'].mean:.4f}"
    assert row.difference.replace("−", "-") == f"{effect.estimate.mean:+.4f}"
    assert row.mark == "***"
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
    assert all("which is no proof" in render(a_table(), format) for format in ("md", "tex", "html"))


def test_exploratory_tables_bear_no_mark_and_no_p() -> None:
    table = a_table(seeds=3)
    for parsed in (in_csv(table), in_markdown(table), in_html(table), in_tex(table)):
        assert [len(row) for row in parsed] == [7, 4, 7] * 2
    for format in FORMATS:
        assert not re.search(r"\bp \\?(<|&lt;|\$<\$|=) ?0|≡|\\equiv", render(table, format))
    assert re.search(r"\bp \\< 0", render(a_table(), "md"))


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


@pytest.mark.parametrize("format", ["md", "tex", "html"])
def test_under_the_table_stand_verdicts_conclusion_caveats_and_fixed_settings(format: str) -> None:
    text = render(a_table(), format)
    for words in ("larger is sharper", "Conclusion", "Nadeau and Bengio", "Held fixed", "train.lr = 0.001"):
        assert words in text


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


def test_latex_by_hand() -> None:
    assert latex("50% & a_b #1 $x^2$") == r"50\% \& a\_b \#1 \$x\textasciicircum{}2\$"
    assert latex("λ ≥ −2 é ς 😀") == r"$\lambda$ $\ge$ $-$2 \'{e} U+03C2 U+1F600"
    assert latex("\\{}~[*] a--b ''") == r"\textbackslash{}\{\}\textasciitilde{}{[}{*}{]} a-{}-b '{}'"


@given(st.text(max_size=20))
def test_latex_is_ascii_on_one_line_with_balanced_braces(text: str) -> None:
    source = latex(text)
    assert source.isascii()
    assert "\n" not in source
    bare = re.sub(r"\\[{}\\]", "", source)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[#%&_]", source)


def compiled(tmp_path: Path, sources: list[str]) -> str:
    """The log of pdflatex on a minimal document that holds `sources`."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not on PATH: install texlive-latex-base and texlive-latex-recommended")
    body = "\n".join(sources)
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\n\\end{document}\n"
    (tmp_path / "table.tex").write_text(document % body, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    log = (tmp_path / "table.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-3000:]
    return log


def test_latex_compiles_with_booktabs_alone_and_stays_in_its_column(tmp_path: Path) -> None:
    wide = ARMS | {"a name that is rather longer than most": {"model.latent_dim": 512}}
    study = a_study(arms=wide, claims=(), question=ODD)
    other = tabulate(analyse(study, a_frame(study, 5, lambda arm, s: 0.01 * s), 5))
    against = against_table("no copies at all, and a name that is longer")
    log = compiled(tmp_path, [render(table, "tex") for table in (a_table(), other, against)])
    assert "Overfull" not in log
    assert "Missing character" not in log


def test_latex_of_every_character_compiles(tmp_path: Path) -> None:
    ranges = [(0x20, 0x250), (0x370, 0x400), (0x2010, 0x2030), (0x2190, 0x2300), (0x1F600, 0x1F610)]
    text = [latex("".join(map(chr, range(*r)))) for r in ranges]
    assert "Missing character" not in compiled(tmp_path, text)
