"""The verbs that show what a study found: table, export, figures."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from ablation.cli.options import DEFAULT_STORE, Json, Quick, Seeds, StoreFolder, StudyNames, names_like
from ablation.cli.studies import load_study, open_store
from ablation.errors import UserError, check_known
from ablation.experiment import Replication
from ablation.measures import Better, Measure
from ablation.terminal import busy


def table(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|RUNS",
            help="A name from `ablation list`, or a study file. With --arm: runs that exist already, a "
            "CSV or Parquet file or mlflow:EXPERIMENT.",
            autocompletion=names_like,
        ),
    ],
    format: Annotated[
        str,
        typer.Option("--format", help="md, tex, csv or html; by default a grid in a terminal, else md."),
    ] = "",
    as_json: Json = False,
    measures: Annotated[
        list[str] | None,
        typer.Option("--measures", metavar="NAME", help="Show these measures alone, as A,B or repeated."),
    ] = None,
    arms: Annotated[
        list[str] | None,
        typer.Option("--arms", metavar="NAME", help="Show these arms alone, as A,B or repeated."),
    ] = None,
    digits: Annotated[
        int | None, typer.Option("--digits", metavar="N", help="Decimals of every number printed.")
    ] = None,
    interval: Annotated[
        str,
        typer.Option(
            "--interval",
            metavar="pm|range",
            help="Mean ± half the width, as in LaTeX, or mean [low, high], as elsewhere.",
        ),
    ] = "",
    font: Annotated[
        str,
        typer.Option("--font", help="Of LaTeX: scriptsize, footnotesize (the default), small or normalsize."),
    ] = "",
    transpose: Annotated[
        bool, typer.Option("--transpose", help="Of LaTeX: a row a measure, a column an arm.")
    ] = False,
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", help="Of RUNS: a column whose values tell the arms apart; may be repeated."),
    ] = None,
    baseline: Annotated[
        str,
        typer.Option("--baseline", help="Of RUNS: the arm to compare with, or its value of the first --arm."),
    ] = "",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            metavar="NAME:BETTER:MATTERS",
            help="Of RUNS: a measure, higher or lower, and its smallest effect that matters, as in "
            "accuracy:higher:0.01; may be repeated.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=TEXT", help="Of RUNS: words for a measure; may be repeated."),
    ] = None,
    question: Annotated[str, typer.Option("--question", help="Of RUNS: what the table answers.")] = "",
    seed: Annotated[str, typer.Option("--seed", help="Of RUNS: the column of the seeds.")] = "seed",
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="Of RUNS: a parameter that may differ between arms; may be repeated."),
    ] = None,
    best: Annotated[
        list[str] | None,
        typer.Option("--best", help="Of MLflow's RUNS: a measure whose best value counts, not its last."),
    ] = None,
    items: Annotated[
        str, typer.Option("--items", help="Of MLflow's RUNS: the artifact with values of single test items.")
    ] = "",
    replication: Annotated[
        str,
        typer.Option(
            "--replication",
            metavar="training|split:SHARE|items",
            help="Of RUNS: what a seed varies: training alone, the split too, with n_test / n_train, or "
            "training and items, with --items.",
        ),
    ] = "",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Write all that `export` writes into this folder, instead of printing."),
    ] = None,
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Print the table of a study, or of runs that exist: conclusion, verdicts, means and differences."""
    from ablation.cli.show import show_table
    from ablation.report.export import read
    from ablation.report.formats import FORMATS, document, render
    from ablation.report.table import Font, Interval, Layout, tabulate

    if format:
        check_known("table format", format, FORMATS)
    _check_together(
        format, as_json, to, rounded=digits is not None or bool(interval), tex=bool(font) or transpose
    )
    for name, given, known_words in (("interval", interval or "pm", Interval), ("font", font, Font)):
        if given:
            check_known(name, given, get_args(known_words))
    layout = Layout(
        digits=digits,
        interval=cast(Any, interval),
        font=cast(Any, font or "footnotesize"),
        transpose=transpose,
    )
    of_runs = {
        "--arm": arm,
        "--baseline": baseline,
        "--measure": measure,
        "--label": label,
        "--question": question,
        "--allow": allow,
        "--best": best,
        "--items": items,
        "--replication": replication,
        "--seed": seed if seed != "seed" else "",
    }
    if any(of_runs.values()):
        if seeds is not None or quick:
            raise UserError(f"the runs of {study} exist already: leave out --seeds and --quick.")
        if not (arm and measure and baseline):
            raise UserError(
                f"{study} wants --arm, --measure and --baseline to be analysed without a study file: add "
                "what is lacking."
            )
        from ablation.launch import analyse

        with busy("Reading the runs"):
            reading = analyse(
                study,
                arm=arm,
                baseline=baseline,
                measures=_measures(measure, label or ()),
                seed=seed,
                allow=allow or (),
                best=best or (),
                items=items,
                replication=_replication(replication),
                store=store,
                question=question,
            )
    elif study.startswith("mlflow:") or study.endswith((".csv", ".parquet")):
        raise UserError(
            f"{study} is no study file but runs: add --arm, --measure and --baseline, or name it in a study "
            "file with runs=Tracked(...)."
        )
    else:
        with busy("Reading the runs"):
            reading = read(load_study(study, quick), open_store(store), seeds)
    known = reading.study
    layout = replace(
        layout, measures=_names(measures or (), known.measures), arms=_names(arms or (), known.settings)
    )
    if to is not None:
        with busy("Writing tables and figures"):
            paths = reading.export(to, **vars(layout))
        for path in paths:
            typer.echo(path)
        return
    shown = tabulate(reading.analysis, layout)
    if as_json:
        typer.echo(document(shown), nl=False)
    elif format or not sys.stdout.isatty():
        typer.echo(render(shown, format or "md"), nl=False)
    else:
        show_table(shown)


def _check_together(format: str, as_json: bool, to: Path | None, *, rounded: bool, tex: bool) -> None:
    """Refuse options that would do nothing together."""
    if sum((bool(format), as_json, to is not None)) > 1:
        raise UserError("--format, --json and --to each say where the table goes: leave all but one out.")
    if rounded and (as_json or format == "csv"):
        raise UserError(
            "--digits and --interval round what is printed, but CSV and JSON are exact: leave them out."
        )
    if tex and to is None and format != "tex":
        raise UserError("--font and --transpose are for LaTeX: add --format tex or --to FOLDER.")


def _names(given: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """The names that an option gives, each whole or several with commas between them."""
    return tuple(one for text in given for one in ([text] if text in known else text.split(",")))


def _measures(given: Sequence[str], labels: Sequence[str]) -> dict[str, Measure]:
    """The measures as --measure has them, with their words of --label."""
    found = dict(map(_measure, given))
    for text in labels:
        name, equals, words = text.partition("=")
        if not equals or not words.strip():
            raise UserError(f"--label wants NAME=TEXT, as in accuracy=Accuracy, but got {text!r}.")
        check_known("measure among those of --measure", name, found)
        found[name] = replace(found[name], label=words.strip())
    return found


def _replication(text: str) -> Replication | None:
    """What replicates as --replication has it."""
    kind, _, share = text.partition(":")
    try:
        if kind == "split" and float(share) > 0:
            return Replication("split", float(share))
    except ValueError:
        kind = ""
    if text not in ("", "training", "items"):
        raise UserError(
            f"--replication wants training, items, or split:SHARE with n_test / n_train, but got {text!r}."
        )
    return Replication("items" if text == "items" else "training") if text else None


def _measure(text: str) -> tuple[str, Measure]:
    """A measure as --measure has it."""
    name, better, matters = (*text.rsplit(":", 2), "", "")[:3]
    try:
        number = float(matters)
    except ValueError:
        number = 0.0
    if better not in get_args(Better) or not 0 < number < inf:
        raise UserError(
            "--measure wants a name, higher or lower, and the smallest effect that matters, as in "
            f"accuracy:higher:0.01, but got {text!r}."
        )
    return name, Measure(cast(Better, better), matters=number)


def export(
    studies: StudyNames,
    to: Annotated[Path, typer.Option("--to", help="Folder for the files; made where it is missing.")],
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Write tables (md, tex, csv, html), appendix, notes, figures, runs, verdicts and provenance."""
    from ablation.report.export import publish

    declared = [load_study(name, quick) for name in studies]
    for one in declared:
        # One study fills the folder itself; several get a folder each.
        with busy(f"Writing tables and figures of {one.name}"):
            paths = publish(one, open_store(store), to if len(declared) == 1 else to / one.name, seeds)
        for path in paths:
            typer.echo(path)


def figures(
    studies: StudyNames,
    to: Annotated[Path, typer.Option("--to", help="Folder for the files; made where it is missing.")],
    style: Annotated[
        Path | None, typer.Option("--style", help="A style file of matplotlib of your own (.mplstyle).")
    ] = None,
    seeds: Seeds = None,
    store: StoreFolder = DEFAULT_STORE,
    quick: Quick = False,
) -> None:
    """Write the figures alone (png, pdf), as wide as a column and as a page, each with its caption."""
    from ablation.report.drawing import own_style
    from ablation.report.export import read
    from ablation.report.figure_files import write_figures

    own = own_style(style) if style else {}
    declared = [load_study(name, quick) for name in studies]
    for one in declared:
        # One study fills the folder itself; several get a folder each.
        place = to if len(declared) == 1 else to / one.name
        with busy(f"Drawing {one.name}"):
            found = read(one, open_store(store), seeds)
            paths = write_figures(found.analysis, found.cells, found.curves, place, own)
        for path in paths:
            typer.echo(path)
