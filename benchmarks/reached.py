"""What a benchmark reached beside its target: a table to read, and JSON to compare with another day's."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from machine import here, units
from rich.console import Console
from rich.table import Table

VERDICTS = {True: "[green]reached[/]", False: "[red]missed[/]", None: ""}


@dataclass(frozen=True)
class Reached:
    """One figure, in its unit, beside its target: a least or a most, or None where nothing is asked."""

    letter: str
    what: str
    value: float
    unit: str
    target: float | None
    at_least: bool
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached: the target itself is enough; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def asked(self) -> str:
        """The target in words."""
        bound = "at least" if self.at_least else "at most"
        return "" if self.target is None else f"{bound} {self.target:g} {self.unit}".strip()


def machine() -> dict[str, str]:
    """Where and when this is measured; called at the start, since the load is that of others."""
    from ablation.tracking.origin import origin  # with torch: seconds that `--help` does without

    load = os.getloadavg()[0]
    found = origin(("torch",))
    versions = {name: found.packages[name] for name in ("torch", "mlflow", "optuna", "python")}
    when = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "load_at_start": f"{load:.2f}"}
    code = {"bfloat16": units(), "commit": found.commit + ("+changed" if found.diff else "")}
    return found.hardware | versions | when | code


def table(figures: Sequence[Reached], title: str = "") -> Table:
    """A row a figure; under them the processor and its units, which decide how fast bfloat16 is."""
    made = Table("", "what", "reached", "target", "", "note", title=title, title_justify="left")
    made.caption, made.caption_justify = f"measured on {here()}", "left"
    made.columns[2].justify = "right"
    for one in figures:
        value = f"{one.value:.3g} {one.unit}".strip()
        made.add_row(one.letter, one.what, value, one.asked, VERDICTS[one.met], one.note)
    return made


def show(figures: Sequence[Reached], quick: bool = False, where: Mapping[str, str] | None = None) -> None:
    """Print the table; `where` is the machine's description."""
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table(figures, "smallest sizes: the figures mean nothing" if quick else ""))
    if where:
        console.print(", ".join(f"{name} {value}" for name, value in where.items()), highlight=False)


def to_json(
    figures: Sequence[Reached], where: Mapping[str, str], failed: Mapping[str, str], quick: bool
) -> str:
    """Everything of one run of the suite; failed[part] is the reason."""
    rows = [dataclasses.asdict(one) | {"met": one.met} for one in figures]
    return json.dumps({"quick": quick, "machine": where, "failed": failed, "reached": rows}, indent=1) + "\n"


def of_json(text: str) -> list[Reached]:
    """The figures that `to_json` wrote."""
    names = [field.name for field in dataclasses.fields(Reached)]
    return [Reached(**{name: row[name] for name in names}) for row in json.loads(text)["reached"]]
