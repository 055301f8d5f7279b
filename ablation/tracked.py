"""Runs that exist already, as the experiment of a study that trains nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

from ablation.errors import UserError, check_known
from ablation.experiment import Experiment
from ablation.fields import checked
from ablation.measures import Measure
from ablation.settings import flat

if TYPE_CHECKING:
    from ablation.study import Study

MLFLOW = "mlflow:"
AFTER = (
    "Arms, claims, measures and smallest effects that matter were declared after the runs could be seen, so "
    "the p-values are optimistic."
)


@runtime_checkable
class _Frame(Protocol):
    """What a table in memory has; pandas itself is not imported for it."""

    columns: Any
    iloc: Any


@checked
@dataclass(frozen=True, eq=False)
class Tracked(Experiment):
    """Runs that others made: each row of a table, or each run of an MLflow experiment, is one run.

    where: "mlflow:EXPERIMENT", a CSV or Parquet file (relative to the working folder) or a pandas DataFrame.
    seed: the column, or in MLflow the parameter, that holds the seed of a run: any label. allow: parameters
    that may differ between arms though the study does not declare them. best: measures of which the best
    value of the run's curve counts, not the last (MLflow alone). items: the Parquet artifact of each MLflow
    run with its results on single test items, columns item and value, and optionally measure and group.

    The settings of the study's arms are compared with the columns, or MLflow's parameters, of those names.
    """

    where: Annotated[Any, str | Path | Annotated[_Frame, "a pandas DataFrame"]]
    seed: str = "seed"
    allow: Annotated[Sequence[str], str | Sequence[str]] = ()
    best: Annotated[Sequence[str], str | Sequence[str]] = ()
    items: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    name = "tracked"

    def __post_init__(self) -> None:
        """Take one name for a tuple of one."""
        for several in ("allow", "best"):
            given = getattr(self, several)
            object.__setattr__(self, several, (given,) if isinstance(given, str) else tuple(given))

    @property
    def mlflow(self) -> str:
        """The name of the MLflow experiment; "" for a table."""
        is_named = isinstance(self.where, str) and self.where.startswith(MLFLOW)
        return self.where.removeprefix(MLFLOW) if is_named else ""

    @property
    def words(self) -> str:
        """What the runs are called in sentences."""
        return str(self.where) if isinstance(self.where, str | Path) else "the data frame"

    def with_measures(self, measures: Mapping[str, Measure]) -> "Tracked":
        """With the measures that the study declares."""
        return replace(self, measures=measures) if measures else self

    def check_study(self, study: "Study") -> None:
        """Refuse what runs that exist cannot give."""
        if study.tuned or study.search:
            raise UserError(
                f"the runs of {self.words} exist, but the study wants a setting tuned or searched: leave out "
                "tuned and search."
            )
        settings = flat(study.baseline)
        if self.seed in settings or self.seed in study.recorded():
            raise UserError(f"{self.seed} is the seed of the runs, but a setting or measure, too: drop one.")
        if both := [name for name in study.recorded() if name in settings and not self.mlflow]:
            raise UserError(f"{both[0]} is one column, but both a setting and a measure: drop one.")
        if (self.best or self.items) and not self.mlflow:
            raise UserError(
                f"best and items are read from MLflow's curves and files, but {self.words} is a table: leave "
                "them out."
            )
        for name in self.best:
            check_known("measure in this study", name, study.measures)
            if study.measure(name).better == "neither":
                raise UserError(f'best wants a direction of {name}, but got "neither": say which is better.')
        if study.replication.kind == "items" and not self.items:
            raise UserError(
                'replication="items" wants the results on single test items, but Tracked names none: add '
                'items="predictions.parquet", an artifact of each run.'
            )
