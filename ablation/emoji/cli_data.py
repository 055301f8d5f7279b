"""The verbs on data: show, build."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Show the images that studies learn from, or build them from a font.", no_args_is_help=True
)


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
    sheet: Annotated[Path, typer.Option("--sheet", help="Where the contact sheet goes (PNG).")] = Path(
        "contact_sheet.png"
    ),
) -> None:
    """Print what is there, and write a contact sheet as PNG."""
    from ablation.cli.show import show_data
    from ablation.emoji.data.sources import load
    from ablation.emoji.data.split import select
    from ablation.emoji.data.summary import contact_sheet, describe
    from ablation.emoji.spec import DataSpec

    spec = DataSpec(sources=tuple(source or ("emoji",)), keyword=keyword, classes=classes, stratify=classes)
    images = load(spec.sources)
    show_data(describe(images, spec))
    contact_sheet(images, select(images, spec), sheet)
    typer.echo(f"Contact sheet: {sheet}")


@app.command()
def build(
    font: Annotated[Path, typer.Option("--font", help="A colour font: Noto, Apple, Segoe, Twemoji, ...")],
    to: Annotated[Path, typer.Option("--to", help="The Parquet file to write.")] = Path("emoji.parquet"),
) -> None:
    """Render every emoji of Unicode 15 from a colour font into a Parquet file."""
    from ablation.emoji.data.render import build as render

    built = render(font, to)
    typer.echo(f"{built.images} emoji in {built.path}")
    for text in built.lacking:
        typer.echo(f"the font lacks: {text}")
