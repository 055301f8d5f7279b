"""The seam: an `Experiment` turns settings and a seed into metrics, and declares what the suite may know.

Everything else of the suite knows settings as a flat mapping of dotted names, metrics as numbers, and an
experiment by what stands here. `Function` makes an experiment of a Python function.
"""

import ast
import hashlib
import inspect
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from ablation.errors import UserError
from ablation.fields import checked
from ablation.measures import Measure

if TYPE_CHECKING:
    import pandas as pd

    from ablation.report.gallery import Gallery
    from ablation.study import Study

ASSUMED = "assumed, since the study does not declare what a seed varies"
SIDES = ("train", "validation")
"""A curve called "train_x" or "validation_x" is one side of the curve "x", and is drawn in its panel."""


def panel_of(curve: str) -> str:
    """The name of the panel that a curve is drawn in: its own, without its side."""
    side, _, rest = curve.partition("_")
    return rest if side in SIDES and rest else curve


class Diverged(ArithmeticError):
    """Training went to numbers that are not finite: a result that the settings decide, and not a failure."""


@dataclass(frozen=True)
class Trained:
    """What a finished run of the same training left: its id, fingerprint, kept file and curves.

    curves[name] lists (step, value), by step.
    """

    run_id: str
    fingerprint: str
    content: bytes = field(repr=False)
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(repr=False)


class Run(Protocol):
    """The open record of one cell, as `Experiment.train` sees it.

    folder: scratch that ends with the run. measures: those that the study names, for what is computed on
    demand. trained: what another cell of the same training left, if any (`Experiment.training`).
    accelerator: whether the run may use one. environment: MLflow's variables for another process that writes
    into this run (`Experiment.logs_itself`).
    """

    folder: Path
    measures: tuple[str, ...]
    trained: Trained | None
    accelerator: bool

    @property
    def environment(self) -> Mapping[str, str]: ...

    def logged(self) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """What another process wrote into the run: the last value of each metric, and the parameters."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Record points of curves."""

    def artifact(self, path: Path) -> None:
        """Keep a copy of the file with the run."""

    def note(self, name: str, text: str) -> None:
        """Keep a short text with the run: `Experiment.caveats` finds it in the column note_NAME."""

    def items(self, frame: "pd.DataFrame") -> None:
        """Keep the results on single test items, a row each: columns item and value, and if needed more.

        measure: of which measure; may be left out where the study has one. group: items that belong together,
        such as those of one subject. Where items replicate (`Replication`), a group is a cluster, an item
        without one is its own cluster, and the run's number is the mean over its items: it need not be
        returned. Elsewhere they are kept and exported (but see `Experiment.strata`).
        """


@checked
@dataclass(frozen=True)
class Replication:
    """What a seed varies: it decides what a conclusion is about.

    "training": training alone, on one fixed split. "split": train and test are drawn anew from one pool;
    test_share is then n_test / n_train, and `words` says how it comes about. "items": training alone, and the
    test items count as a sample, too: every run keeps its result on each (`Run.items`), and conclusions are
    about new items.
    """

    kind: Literal["training", "split", "items"] = "training"
    test_share: float = 0.0
    words: str = ""


class Experiment:
    """What turns settings and a seed into metrics. Only `measures` and `train` must be given.

    curves[name] is the label of a panel of learning curves; where none is declared, every metric that was
    logged at more than one step has a panel. machine_metrics: metrics that tell of the
    machine and not of the settings. kept_file: the artifact that carries the training, for cells that share
    it. exact_files: artifacts that are equal to the byte where a run is repeated on one machine.
    tolerance[metric]: how far, of its value, it may lie from that of a repetition on another machine.
    packages: whose versions are recorded. preload: modules that a worker process imports before its first
    task. strata: whether groups of test items are strata, of every measure or of those named: the number of
    a run is then the mean over groups of the median over items, and effects are clustered by item and seed,
    too. sheet: the artifact that `gallery` reads. outline[number]: the title of each part of the text whose
    claims are studied, and about: a sentence that introduces it on the report page. logs_itself: whether
    another process writes into the run, too: its settings become MLflow's parameters when it ended, where
    that process logged none of the name.
    """

    name: str = "experiment"
    measures: Mapping[str, Measure] = {}
    curves: Mapping[str, str] = {}
    machine_metrics: tuple[str, ...] = ()
    kept_file: str = ""
    exact_files: tuple[str, ...] = ()
    tolerance: Mapping[str, float] = {}
    packages: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    reused_cost: float = 0.03
    strata: bool | tuple[str, ...] = False
    sheet: str = ""
    outline: Mapping[str, str] = {}
    about: str = ""
    logs_itself: bool = False

    def with_measures(self, measures: Mapping[str, Measure]) -> "Experiment":
        """The experiment as a study binds it that declares `measures` itself; by default it has its own."""
        return self

    def has_strata(self, measure: str) -> bool:
        """Whether groups of test items are strata of the measure."""
        return self.strata if isinstance(self.strata, bool) else measure in self.strata

    def train(self, settings: Any, seed: int, run: Run) -> Mapping[str, float]:
        """The metrics of one cell; raises `Diverged`, or any other error where it fails."""
        raise NotImplementedError

    def check(self, settings: Any, seed: int, measures: Sequence[str]) -> None:
        """Raise `UserError` where this cell could not be trained or measured as declared; before any is."""

    def check_study(self, study: "Study") -> None:
        """Raise `UserError` where the study could not be judged as declared; loads nothing."""

    def source(self, settings: Any) -> str:
        """The name of the data; "" for none. Loads nothing."""
        return ""

    def version(self, settings: Any) -> str:
        """What decides a result beside settings, seed and code: a hash of the data."""
        return ""

    def code(self) -> str:
        """The version of the code; "" where it is not followed. Imports nothing that trains."""
        return ""

    def dataset(self, settings: Any) -> Mapping[str, str]:
        """What MLflow shows of the data: name, source and profile (both JSON); empty for none."""
        return {}

    def remarks(self, settings: Any) -> Iterable[str]:
        """What a reader must know of the data that were loaded, a sentence each: what was left out, and why.

        It is recorded with each run, and stands under the table.
        """
        return ()

    def located(self, settings: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
        """Of settings in a study file of that folder, by dotted names, those that are paths, counted from it.

        They must equal what the file has, and only be looked for elsewhere.
        """
        return {}

    def replication(self, settings: Any) -> Replication:
        """What a seed varies."""
        return Replication(words=ASSUMED)

    def training(self, settings: Any) -> Any:
        """The settings that decide what is trained: cells that agree in them and the seed share a training.

        The first of them trains and keeps `kept_file`; `Run.trained` hands it to the others.
        """
        return settings

    def cost(self, settings: Any, seed: int, reuses: bool) -> float:
        """What a cell costs, in any unit; `reuses` says that it takes the training of another."""
        return self.reused_cost if reuses else 1.0

    def on_demand(self, metric: str) -> bool:
        """Whether only a run whose study asks for such a metric computes it."""
        return False

    def section(self, metric: str) -> str:
        """The section of MLflow's charts that the metric stands in, as in "speed"; "" for the first."""
        return ""

    def quick(self, changes: Mapping[str, Any], number: int) -> Mapping[str, Any]:
        """The changes of an arm (number 0: of the baseline) on a budget that only shows that it runs."""
        return changes

    def caveats(self, study: "Study", cells: "pd.DataFrame") -> Iterable[str]:
        """What a reader of the table must know, one sentence each; `cells` has a row a planned cell."""
        return ()

    def resolution(self, study: "Study", cells: "pd.DataFrame", measure: str) -> float:
        """The most that one test item can move the measure; 0 where it is continuous or unknown."""
        return 0.0

    def gallery(self, sheets: Mapping[str, bytes]) -> "Sequence[Gallery]":
        """What the report page shows of runs; sheets[arm] is the artifact `sheet` of its first run."""
        return ()

    def warnings(self, settings: Any) -> Iterable[str]:
        """What to know before cells with these settings run, such as that they are slow on this machine."""
        return ()

    def examine(self) -> Iterable[tuple[str, bool]]:
        """What `ablation doctor` says of the experiment's own needs: a sentence, and whether all is well."""
        return ()

    def pack(self, settings: Any) -> Any:
        """What a machine without the data needs to train these settings; sent once for each `source`."""
        return None

    def unpack(self, settings: Any, packed: Any) -> None:
        """Take what `pack` made, on another machine."""

    def program(self, settings: Any) -> Hashable:
        """What cells have in common that `train_together` can take at once; None where it takes none."""
        return None

    def train_together(
        self, cells: Sequence[tuple[Any, int, Run]]
    ) -> "Sequence[Mapping[str, float] | Exception]":
        """As `train`, several cells of one program at once, on an accelerator where there is one."""
        raise NotImplementedError


@checked
@dataclass(frozen=True)
class Function(Experiment):
    """An experiment of a function `function(settings, seed)` or `function(settings, seed, run)`.

    It is given itself, or as "package.module:function", which is imported where a cell is trained.
    code_version: by default a hash of the file that defines it, without its statement `study = ...`.
    """

    function: Callable[..., Mapping[str, float]] | str
    measures: Mapping[str, Measure] = field(default_factory=dict)
    curves: Mapping[str, str] = field(default_factory=dict)
    code_version: str = ""
    _followed: bool = field(init=False, default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Take the version of the code now: a process that has not the file is given it."""
        if not self.code_version:
            object.__setattr__(self, "code_version", _version(self.function))
            object.__setattr__(self, "_followed", True)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The function's name."""
        if isinstance(self.function, str):
            return self.function.partition(":")[2]
        return str(getattr(self.function, "__qualname__", type(self.function).__qualname__))

    def train(self, settings: Any, seed: int, run: Run) -> Mapping[str, float]:
        """Call the function, with `run` where it asks for it."""
        function = self.function
        if isinstance(function, str):
            if self._followed and _version(function) != self.code_version:
                raise UserError(f"the file of {function} changed while the study ran: run it again.")
            function = _imported(function)
        # A third argument with a default and another name is the function's own, such as rounds=10.
        if _takes(function, 2) and "run" not in inspect.signature(function).parameters:
            return function(settings, seed)
        return function(settings, seed, run)

    def check(self, settings: Any, seed: int, measures: Sequence[str]) -> None:
        """Refuse a function that takes neither two nor three arguments, or that is not there."""
        function = _imported(self.function) if isinstance(self.function, str) else self.function
        if not (_takes(function, 2) or _takes(function, 3)):
            raise UserError(
                f"train wants a function(settings, seed) or function(settings, seed, run), but "
                f"{self.name}{inspect.signature(function)} takes other arguments: change them."
            )

    def code(self) -> str:
        """The version of the code."""
        return self.code_version


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    """Whether it can be called with so many of them, by position."""
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    return True


def _imported(name: str) -> Callable[..., Mapping[str, float]]:
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"train={name!r} cannot be imported ({error}): name package.module:function."
        ) from error
    if not callable(found):
        raise UserError(f"train wants a function, but {name} is {type(found).__name__}: name another.")
    return cast(Callable[..., Mapping[str, float]], found)


def _version(function: Callable[..., Any] | str) -> str:
    """A hash of the files that define the function, and its decorators'."""
    if isinstance(function, str):
        return hash_of_source(_source_of_name(function))
    inner = inspect.unwrap(function)
    if not inspect.isfunction(inner) or inner.__closure__:
        what = f"{type(inner).__name__} {getattr(inner, '__qualname__', '')}".strip()
        raise UserError(
            f"train wants a function of a module, whose code can be followed, but got the {what}, which may "
            "hold values of its own: write a function around it, or give Function(..., code_version=...)."
        )
    layers: list[Any] = [function]
    while layers[-1] is not inner:
        layers.append(layers[-1].__wrapped__)
    files = {_text_of(one): one.__code__.co_firstlineno for one in layers if inspect.isfunction(one)}
    hashes = [hash_of_source(text, line) for text, line in files.items()]
    return hashes[0] if len(hashes) == 1 else hash_of_source(" ".join(hashes))


def _text_of(function: Any) -> str:
    """The text of the file that defines the function, else of the function, else its code."""
    try:
        return Path(inspect.getfile(function)).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        try:  # of a cell of a notebook
            return inspect.getsource(function)
        except (OSError, TypeError):
            return repr((function.__code__.co_code, function.__code__.co_consts))


def _source_of_name(name: str) -> str:
    """The text of the module in "package.module:function"."""
    module, colon, function = name.partition(":")
    if not (colon and module and function.isidentifier()):
        raise UserError(f'train wants "package.module:function", but got {name!r}: name both.')
    try:
        found = find_spec(module)  # imports the packages that it lies in, not the module
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise UserError(f"train={name!r} names the module {module}, which is not found: correct it.")
    text = Path(found.origin).read_text(encoding="utf-8", errors="replace")
    if not re.search(rf"^\s*(async def|def|class) {function}\b|^\s*{function}\s*[:=]", text, re.MULTILINE):
        raise UserError(
            f"train={name!r} wants the module that defines {function}, but {module} does not: name that one, "
            "so that a change of its code is seen."
        )
    return text


def hash_of_source(text: str, function_line: int = 0) -> str:
    """16 hexadecimal digits: a hash of a source, in Python without the statement that sets `study`.

    So that another claim or question in the file of both makes no other code of it. A statement that holds
    the function itself, a lambda at `function_line`, stays.
    """
    lines = text.splitlines()
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        statements = []
    for one in statements:
        last = one.end_lineno or one.lineno
        sets_study = isinstance(one, ast.Assign) and [getattr(to, "id", "") for to in one.targets] == [
            "study"
        ]
        if sets_study and not one.lineno <= function_line <= last:
            lines[one.lineno - 1 : last] = [""] * (last - one.lineno + 1)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def as_experiment(train: Any, measures: Mapping[str, Any]) -> Experiment:
    """`train` as an experiment: one already, or one whose measures the study declares."""
    own = {name: replace(one, matters=None) for name, one in measures.items() if isinstance(one, Measure)}
    if isinstance(train, Experiment):
        return train.with_measures(own)
    if not (callable(train) or isinstance(train, str)):
        raise UserError(
            f'train wants a function, "package.module:function", a Command or an Experiment, but got '
            f"{train!r}: give a function(settings, seed)."
        )
    return Function(train, own)
