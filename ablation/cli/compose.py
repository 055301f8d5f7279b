"""The verb compose: a target with an attribute of another picture, from a finished run."""

from pathlib import Path
from typing import Annotated

import typer

from ablation.cli.options import DEFAULT_STORE, StoreFolder
from ablation.errors import Mistake, unknown
from ablation.spec import METHODS

MOST_STRENGTH = 10.0


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(compose)


def _strength(text: str | float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MOST_STRENGTH:
        raise Mistake(f"--strength wants a number from 0 to {MOST_STRENGTH:g}, but got {text!r}.")
    return number


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
    from ablation.composing import composed
    from ablation.track.store import Store

    said = composed(Store(store), run, (target, plus, minus), method, strength, out)
    typer.echo(said)
