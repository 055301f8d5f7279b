"""Composites of `trained_composition`: `python docs/composites.py STORE` draws them into docs/results.

STORE has its finished runs. Strengths are chosen on the validation analogies of a run.

- cat.png: the report's cat with heart-shaped eyes, under the four seeds whose networks do not train on it.
  All four are shown, so nobody picks. In cat.csv, "nearest cat" is the expression of that cat of the nine,
  the truth among them, which has the least squared error to the picture.
- composites.png: three skin tones and three genders of the first of these seeds, evenly spaced in the list
  of the analogies that the run tests.
"""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from ablation import catalogue
from ablation.emoji.composition.analogies import analogy_tasks
from ablation.emoji.composition.evaluator import STRENGTHS
from ablation.emoji.composition.latent_editor import LatentEditor, find_analogy
from ablation.emoji.composition.scores import errors
from ablation.emoji.data.names import resolve
from ablation.emoji.data.sources import load
from ablation.emoji.data.split import TEST
from ablation.emoji.determinism import deterministic
from ablation.emoji.spec import DataSpec
from ablation.emoji.weights import model_of
from ablation.runner.results import results
from ablation.tracking import Store

CAT = ("smiling cat face with open mouth", "smiling face with heart-shaped eyes", "grinning face")
SEEDS = (91, 92, 95, 97)
OTHERS = {"tone": 3, "gender": 3}
"""Families of the second picture, and how many analogies of each."""
WAYS: dict[str, tuple[str, str, float | None]] = {
    "plain: b - a, strength 1 (the report)": ("plain", "pair", 1.0),
    "plain: b - a, strength chosen": ("plain", "pair", None),
    "plain: mean": ("plain", "mean", None),
    "analogies: b - a, strength 1": ("analogies", "pair", 1.0),
    "analogies: b - a, strength chosen": ("analogies", "pair", None),
    "analogies: mean": ("analogies", "mean", None),
    "labels and analogies: named": ("labels and analogies", "named", None),
    "control: mean of the kind": ("analogies", "centre", None),
}
"""The columns: in the network of which arm, by which method, and the strength (None: chosen)."""

SIZE = 0.66  # inches of a picture, with what is around it
GAIN = 0.16  # and of the line above it

Panel = tuple[str, str, Tensor]  # the name of the column, the gain or "", and a picture, uint8 (3, 64, 64)


def panels(
    editor: dict[str, LatentEditor], target: int, plus: int, minus: int
) -> Iterator[tuple[Panel, dict[str, object]]]:
    """What a row shows, from left to right, each with its row of the table (empty for what is given).

    The columns of WAYS are numbered; two more numbers are the truth as a network draws it.
    """
    images, seed = editor["plain"].images, editor["plain"].seed
    found = find_analogy(images, target, plus, minus)
    assert found is not None
    family, analogy = found
    kind = {value: index for (content, value), index in family.at.items() if content == analogy.target}
    drawn = images.pixels[list(kind.values())] / 255

    def row(picture: Tensor, **more: object) -> dict[str, object]:
        nearest = errors(picture[None] / 255, drawn).argmin()
        return {"seed": seed} | more | {"nearest cat": [*kind][int(nearest)]}

    for caption, index in zip(("c", "b", "a"), (target, plus, minus), strict=True):
        yield (caption, "", images.pixels[index]), {}
    number = count(1)
    for name, (arm, method, strength) in WAYS.items():
        strengths = STRENGTHS if strength is None else (strength,)
        made = editor[arm].compose(target, plus, minus, method, strengths)
        at = 0 if strength else STRENGTHS.index(made.chosen)
        gain = made.gains[at]
        told = row(made.pictures[at], way=name, strength=strengths[at], gain=round(gain, 3))
        yield (f"{next(number)}", f"{gain:+.2f}", made.pictures[at]), told
    for arm in ("plain", "analogies"):
        again = editor[arm].reconstructions([analogy.d])[0]
        told = row(again, way=f"the truth, as {arm} draws it", strength=float("nan"), gain=1.0)
        yield (f"{next(number)}", "", again), told
    assert editor["plain"].unseen(analogy.d)
    truth = images.pixels[analogy.d]
    yield ("d", "", truth), row(truth, way="the truth", strength=float("nan"))


def draw(rows: dict[str, list[Panel]], to: Path) -> None:
    """A grid of pictures, a row of `rows` each, named on the left. Gains are above the pictures."""
    columns = len(next(iter(rows.values())))
    height = (SIZE + GAIN) * len(rows) + 0.2
    figure = Figure(figsize=(SIZE * columns + 0.2, height))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    top = 1 - (GAIN + 0.2) / height
    figure.subplots_adjust(
        left=0.025, right=0.998, top=top, bottom=0.005, wspace=0.05, hspace=GAIN / SIZE + 0.07
    )
    for number, ((name_of_row, line), axes_of_row) in enumerate(zip(rows.items(), grid, strict=True)):
        for axes, (name, gain, picture) in zip(axes_of_row, line, strict=True):
            axes.imshow(picture.permute(1, 2, 0).numpy(), interpolation="nearest")
            axes.axis("off")
            axes.set_title(gain, fontsize=9, pad=2).set_parse_math(False)
            if number == 0:
                above = {"textcoords": "offset points", "ha": "center", "fontsize": 11, "weight": "bold"}
                axes.annotate(name, (0.5, 1), (0, 14), xycoords="axes fraction", **above)
        axes_of_row[0].annotate(
            name_of_row,
            (0, 0.5),
            (-4, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="center",
            rotation=90,
            fontsize=9,
        )
    figure.savefig(to, dpi=150)


def editors_of(store: Store, runs: "pd.Series[str]", seed: int) -> tuple[dict[str, LatentEditor], DataSpec]:
    """The network of every arm that is shown, under the seed, and the data that all have."""
    kept = {arm: model_of(store, str(runs[arm, seed])) for arm, _, _ in WAYS.values()}
    data = kept["plain"][0].data
    images = load(data.sources)
    return {arm: LatentEditor(model, images, spec, seed) for arm, (spec, _, model) in kept.items()}, data


def main(folder: str) -> None:
    store = Store(Path(folder))
    runs = results(catalogue.load("trained_composition"), store).set_index(["arm", "seed"]).run_id
    to = Path(__file__).parent / "results"
    table: list[dict[str, object]] = []
    cats: dict[str, list[Panel]] = {}
    others: dict[str, list[Panel]] = {}
    for seed in SEEDS:
        editors, data = editors_of(store, runs, seed)
        images = editors["plain"].images
        made = list(panels(editors, *(resolve(images, text) for text in CAT)))
        table += [row for _, row in made if row]
        cats[f"seed {seed}"] = [panel for panel, _ in made]
        if others:
            continue
        tested = {task.family.name: task.analogies[TEST] for task in analogy_tasks(images, data, seed)}
        for name, many in OTHERS.items():
            step = len(tested[name]) // many
            for number, one in enumerate(tested[name][: step * many : step], 1):
                others[f"{name} {number}"] = [panel for panel, _ in panels(editors, one.c, one.b, one.a)]
    pd.DataFrame(table).to_csv(to / "cat.csv", index=False)
    draw(cats, to / "cat.png")
    draw(others, to / "composites.png")


if __name__ == "__main__":
    with deterministic():
        main(sys.argv[1])
