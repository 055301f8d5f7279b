"""The verbs of the report's network: show and build its images; compose with what a finished run trained."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ablation.cli.options import DEFAULT_STORE, StoreFolder
from ablation.emoji.composition.directions import METHODS
from ablation.emoji.extra import check_installed
from ablation.errors import UserError, unknown
from ablation.terminal import busy, console, say
from ablation.texts import one_line

MOST_STRENGTH = 10.0
NAME = "By text, emoji or code point (U+1F63B)."

app = typer.Typer(
    help="The emoji of the report: show the images, build them from a font, compose with a trained network.",
    no_args_is_help=True,
)


@app.callback()
def check() -> None:
    check_installed("ablation emoji")


@app.command()
def show(
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="'emoji', a hub name, a Parquet file or a folder; may be repeated."),
    ] = None,
    keyword: Annotated[str, typer.Option("--keyword", help="Select the texts that contain it.")] = "",
    classes: Annotated[
        str, typer.Option("--classes", help="Select the images of a class scheme, such as happy_sad.")
    ] = "none",
    to: Annotated[Path, typer.Option("--to", help="Where the contact sheet goes (PNG).")] = Path(
        "contact_sheet.png"
    ),
) -> None:
    """Print what is there, and write a contact sheet as PNG."""
    from rich.table import Table

    from ablation.emoji.data.columns import some
    from ablation.emoji.data.sources import load
    from ablation.emoji.data.split import select
    from ablation.emoji.data.summary import contact_sheet, describe
    from ablation.emoji.spec import DataSpec

    spec = DataSpec(sources=tuple(source or ("emoji",)), keyword=keyword, classes=classes, stratify=classes)
    with busy("Reading the images"):
        images = load(spec.sources)
        summary = describe(images, spec)
    say(f"{summary.images} images of {summary.subjects} subjects")
    say(f"fingerprint {summary.fingerprint}")
    for sentence in images.left_out:
        say(sentence, "yellow")
    if summary.faces:
        say(
            f"faces by their text: {summary.faces}, of which {summary.clocks} are clock faces and "
            f"{summary.people} are people"
        )
    for scheme, labels in summary.schemes.items():
        if any(labels.values()):
            say(f"classes of {scheme}: " + ", ".join(f"{n} {name}" for name, n in labels.items()))
    if summary.labels:
        most = [f"{n} {one_line(name, 60)}" for name, n in summary.labels.items()]
        say(f"the column class: {some(most)}")
    plain: Any = {"box": None, "header_style": "underline", "padding": (0, 1, 0, 0)}
    groups = Table("group", "images", **plain)
    for name, count in summary.groups.items():
        groups.add_row(name or "(none)", str(count))
    console.print(groups)
    sets = Table("selected", *summary.sets, "in all", **plain)
    for name, counts in [*summary.classes.items(), ("images", summary.sets)]:
        sets.add_row(name, *map(str, counts.values()), str(sum(counts.values())))
    console.print(sets)
    with busy("Drawing the contact sheet"):
        contact_sheet(images, select(images, spec), to)
    typer.echo(f"Contact sheet: {to}")


@app.command()
def build(
    font: Annotated[
        Path | None, typer.Option("--font", help="A colour font: Noto, Apple, Segoe, Twemoji, ...")
    ] = None,
    package: Annotated[
        Path | None,
        typer.Option(
            "--package", help="Pictures named by code points: a folder, or a tarball that `npm pack` makes."
        ),
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="The Parquet file to write.")] = Path("emoji.parquet"),
) -> None:
    """Draw every emoji of Unicode 15 from a colour font or a package of pictures into a Parquet file."""
    from ablation.emoji.data.build import from_font, from_package

    with busy("Drawing the emoji"):
        if font and not package:
            built = from_font(font, to)
        elif package and not font:
            built = from_package(package, to)
        else:
            raise UserError(
                "build wants a font or a package of pictures: name one, with --font or --package."
            )
    typer.echo(f"{built.images} emoji of {built.vendor} in {built.path}")
    for file in built.left_out:
        typer.echo(f"left out: {file}")
    for text in built.lacking:
        typer.echo(f"{built.vendor} lacks: {text}")


def _strength(text: str | float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MOST_STRENGTH:
        raise UserError(f"--strength wants a number from 0 to {MOST_STRENGTH:g}, but got {text!r}.")
    return number


RunId = Annotated[
    str, typer.Option("--run", help="MLflow run id; the one with the best composition gain if not given.")
]


VendorName = Annotated[
    str,
    typer.Option("--vendor", help="Whose drawings, where the run has several vendors'; else the first's."),
]


@app.command()
def compose(
    target: Annotated[str, typer.Option("--target", help=f"The picture that is to change. {NAME}")],
    plus: Annotated[str, typer.Option("--plus", help="The picture that has the attribute.")],
    minus: Annotated[str, typer.Option("--minus", help="The same picture without it.")],
    method: Annotated[str, typer.Option("--method", help=f"One of {', '.join(METHODS)}.")] = "pair",
    strength: Annotated[
        float | None,
        typer.Option("--strength", parser=_strength, metavar="X", help="Of the edit; several if not given."),
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="Where the strip goes (PNG).")] = Path("composite.png"),
    vendor: VendorName = "",
    run: RunId = "",
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Compose target + strength x (plus - minus) in the code of a finished run, beside the truth if known."""
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    from ablation.emoji.composition.strip import compose_strip
    from ablation.tracking import Store

    with busy("Composing"):
        said = compose_strip(Store(store), run, (target, plus, minus), method, strength, _file(to), vendor)
    typer.echo(said)


@app.command()
def composer(
    to: Annotated[Path, typer.Option("--to", help="Where the page goes (HTML).")] = Path("composer.html"),
    vendor: VendorName = "",
    run: RunId = "",
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Write a page on which to choose target, plus, minus and method, and drag the strength."""
    from ablation.emoji.composition.composer_page import compose_page
    from ablation.tracking import Store

    with busy("Composing every choice of the page, a minute or two"):
        said = compose_page(Store(store), run, _file(to), vendor)
    typer.echo(said)


def _file(path: Path) -> Path:
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"--to wants a file, but {path} names a folder or lies in none: name a file.")
    return path
