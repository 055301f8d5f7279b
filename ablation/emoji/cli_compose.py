"""The verbs compose and composer: a target with an attribute of another picture, from a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from ablation.cli.options import DEFAULT_STORE, StoreFolder
from ablation.emoji.spec import METHODS
from ablation.errors import UserError, unknown

MOST_STRENGTH = 10.0


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(compose)
    app.command()(composer)


def _strength(text: str | float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MOST_STRENGTH:
        raise UserError(f"--strength wants a number from 0 to {MOST_STRENGTH:g}, but got {text!r}.")
    return number


def _picture(path: Path) -> Path:
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"--out wants a file, but {path} names a folder or lies in none: name a file.")
    return path


NAME = "By text, emoji or code point (U+1F63B)."


def compose(
    target: Annotated[str, typer.Option("--target", help=f"The picture that is to change. {NAME}")],
    plus: Annotated[str, typer.Option("--plus", help="The picture that has the attribute.")],
    minus: Annotated[str, typer.Option("--minus", help="The same picture without it.")],
    method: Annotated[str, typer.Option("--method", help=f"One of {', '.join(METHODS)}.")] = "pair",
    strength: Annotated[
        float | None,
        typer.Option("--strength", parser=_strength, metavar="X", help="Of the edit; several if not given."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the strip goes (PNG).")] = Path("composite.png"),
    run: Annotated[
        str, typer.Option("--run", help="MLflow run id; the one with the best composition gain if not given.")
    ] = "",
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Compose target + strength x (plus - minus) in the code of a finished run, beside the truth if known."""
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    from ablation.emoji.composition.compose import composed
    from ablation.tracking.store import Store

    typer.echo(composed(Store(store), run, (target, plus, minus), method, strength, _picture(out)))


def composer(
    out: Annotated[Path, typer.Option("--out", help="Where the page goes (HTML).")] = Path("composer.html"),
    run: Annotated[
        str, typer.Option("--run", help="MLflow run id; the one with the best composition gain if not given.")
    ] = "",
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Write a page on which to choose target, plus, minus and method, and drag the strength."""
    from ablation.emoji.composition.composer import compose_page
    from ablation.tracking.store import Store

    typer.echo(compose_page(Store(store), run, _picture(out)))
