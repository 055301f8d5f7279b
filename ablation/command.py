"""A command as the trainer: a process of its own for every cell, which gets its settings as words."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import isclose, isnan
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ablation.errors import UserError, check_known
from ablation.experiment import Diverged, Experiment, Run, hash_of_source
from ablation.fields import checked
from ablation.measures import Measure
from ablation.settings import as_number, flat, matches

if TYPE_CHECKING:
    from ablation.study import Study

OUTPUT = "output.txt"
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""What a command gets unless the environment says otherwise, so that workers share the cores."""
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
OWN = "seed", "settings", "folder"
FLAG = "flag:"
OTHER_EXPERIMENT = b"does not match environment run ID"
SET_EXPERIMENT = (
    ", since it calls mlflow.set_experiment, but its run is open in the experiment of the study: let it call "
    'that only where "MLFLOW_RUN_ID" is not in os.environ'
)
LAST_LINES, LINE_LETTERS, TAIL_BYTES = 5, 200, 10_000


@checked
@dataclass(frozen=True)
class Command(Experiment):
    """An experiment of a command, such as `Command("python train.py --lr {lr} --seed {seed}")`.

    The template is a text that is split into words as a shell does, or a list of words. No shell runs: a
    value never becomes two words. In a word, `{name}` is the setting of that dotted name, `{seed}` the seed,
    `{settings}` all settings as JSON, and `{folder}` a scratch folder that ends with the run. The whole word
    `{flag:model.augment}` is `--augment` where that setting is True, and is left out where it is False. A
    brace is doubled to stand for itself. True and False are spelt `true` and `false`, None is `null`, lists
    and tuples are JSON, and everything else is as `str` has it.

    The command runs in `folder`, by default the working folder, with the environment of `ablation run` and:

    - ABLATION_METRICS: a path; the command may write its metrics there, a JSON object of numbers by name;
    - MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_ID, MLFLOW_RUN_ID: the cell's run, which `mlflow.start_run()` and
      autologging take up. The last value of each metric counts; the JSON wins where both have a name;
    - ABLATION_SEED and ABLATION_SETTINGS (JSON). `reads_environment` says that the command reads these two:
      then seed and settings need not stand in the template.

    An exit code other than 0 is a failure. A measure that is not finite means that the run diverged.
    time_limit: seconds after which the command is killed. code_version: by default a hash of the files of the
    working folder that the template names. measures, curves, machine_metrics: as in `Experiment`.
    """

    template: str | Sequence[str]
    measures: Mapping[str, Measure] = field(default_factory=dict)
    curves: Mapping[str, str] = field(default_factory=dict)
    machine_metrics: tuple[str, ...] = ()
    folder: str | Path = ""
    time_limit: float | None = None
    reads_environment: bool = False
    code_version: str = ""
    _scripts: str = field(init=False, repr=False, compare=False)
    logs_itself = True

    def __post_init__(self) -> None:
        """Split the template, refuse what is none, and take the version of the code now."""
        set_ = object.__setattr__
        try:
            words = shlex.split(self.template) if isinstance(self.template, str) else list(self.template)
        except ValueError as error:
            raise UserError(
                f"a command's quotes want an end, but {self.template!r} has none ({error}): close them."
            ) from None
        if not words or not words[0]:
            raise UserError(f"Command wants a text or a list of words, but got {self.template!r}: name one.")
        if self.time_limit is not None and not self.time_limit > 0:
            raise UserError(f"time_limit wants seconds above 0, but got {self.time_limit!r}: correct it.")
        set_(self, "template", tuple(words))
        for word in words:
            for found in PLACEHOLDER.finditer(word):
                if found[0] in "{}":
                    raise UserError(
                        f"a brace opens or ends a placeholder, but that of {word!r} does not: double it to "
                        "have the brace itself."
                    )
        set_(self, "_scripts", self._hashed())

    @property
    def name(self) -> str:  # type: ignore[override]
        """The template: it is a part of what identifies a run."""
        return shlex.join(self.template) + (f" in {self.folder}" if self.folder else "")

    def with_measures(self, measures: Mapping[str, Measure]) -> "Command":
        """With the measures that a study declares, unless it has its own."""
        return self if self.measures else replace(self, measures=measures)

    def code(self) -> str:
        """The version of the code: as declared, else of the files of the working folder in the template."""
        return self.code_version or self._scripts

    def check_study(self, study: "Study") -> None:
        """Refuse a template that names what is no setting, or leaves out the seed or what the arms vary."""
        tables = {arm: flat(settings) for arm, settings in study.declared.items()}
        known = tables[study.reference]
        if taken := sorted({*OWN} & known.keys()):
            raise UserError(f"{{{taken[0]}}} is something else in a command: give that setting another name.")
        used = list(self._names())
        for name in used:
            check_known("setting", name.removeprefix(FLAG), [*known, *OWN])
            setting = name.removeprefix(FLAG)
            odd = [table[setting] for table in tables.values() if setting in table]
            if name.startswith(FLAG) and not (odd and all(isinstance(value, bool) for value in odd)):
                raise UserError(
                    f"{{{name}}} wants a setting that is True or False, but {setting} is "
                    f"{next((v for v in odd if not isinstance(v, bool)), 'none')!r}: write {{{setting}}}."
                )
        if self.reads_environment:
            return
        varied = [*study.columns, *(study.search.ranges if study.search else ())]
        names = {*known} if "settings" in used else {name.removeprefix(FLAG) for name in used}
        if unused := [name for name in varied if name not in names]:
            raise UserError(
                f"the study varies {unused[0]}, but the command does not use it: "
                f"add {{{unused[0]}}}, or say reads_environment=True where it reads ABLATION_SETTINGS."
            )
        if "seed" not in used:
            raise UserError(
                "the command wants the seed, but no word of it has {seed}: add {seed}, or say "
                "reads_environment=True where it reads ABLATION_SEED."
            )

    def check(self, settings: Any, seed: int, measures: Sequence[str]) -> None:
        """Refuse a command that is not found, and a Python script that is not there."""
        words, folder = self.words(settings, seed, Path()), Path(self.folder)
        if not folder.is_dir():
            raise UserError(f"a command's folder wants a folder, but {folder} is none: name another.")
        program = str(folder.absolute() / words[0]) if "/" in words[0] else words[0]
        if shutil.which(program) is None:
            raise UserError(f"the command {words[0]!r} is not found, or may not be executed: correct it.")
        if Path(words[0]).name.startswith("python"):
            script = next((word for word in words[1:] if not word.startswith("-")), "")
            if script.endswith(".py") and not (folder / script).is_file():
                raise UserError(f"the command wants the script {script}, which is not there: correct it.")

    def words(self, settings: Any, seed: int, folder: Path) -> list[str]:
        """The words of a cell's command."""
        table = flat(settings)
        values = {name: _spelt(value) for name, value in table.items()}
        values |= {"seed": str(seed), "settings": _json(table), "folder": str(folder.absolute())}
        filled = []
        for word in self.template:
            if flag := re.fullmatch(rf"\{{{FLAG}([^{{}}]*)\}}", word):
                filled += [f"--{flag[1].rpartition('.')[2]}"] * bool(table[flag[1]])
            else:
                filled.append(PLACEHOLDER.sub(lambda found: _filled(found, values), word))
        if odd := [word for word in filled if "\0" in word]:
            raise UserError(
                f"a word of a command ends at a zero, but {odd[0]!r} has one: change the setting."
            )
        return filled

    def train(self, settings: Any, seed: int, run: Run) -> Mapping[str, float]:
        """Run the command; its metrics."""
        self._check_code()
        output, metrics = run.folder / OUTPUT, (run.folder / "metrics.json").absolute()
        own = {"ABLATION_METRICS": str(metrics), "ABLATION_SEED": str(seed)}
        own["ABLATION_SETTINGS"] = _json(flat(settings))
        environment = THREADS | os.environ | dict(run.environment) | own
        try:
            with output.open("wb") as file:
                words = self.words(settings, seed, run.folder)
                ended = _run(words, Path(self.folder), environment, file, self.time_limit)
        finally:
            run.artifact(output)
        if ended:
            said = output.read_bytes()
            why = SET_EXPERIMENT if OTHER_EXPERIMENT in b" ".join(said[-TAIL_BYTES:].split()) else ""
            raise UserError(f"the command {ended}{why}; {_last_lines(output)}")
        self._check_code()
        logged, parameters = run.logged()
        for name, value in flat(settings).items():
            if _contradicts(parameters.get(name, ""), value):
                raise UserError(
                    f"the command was given {name} = {value!r}, but logged {name} = {parameters[name]}: see "
                    "how it reads that option (type=bool of argparse takes every word for True), or log "
                    "another number under another name."
                )
        found = dict(logged) | _read(metrics)
        if missing := [name for name in run.measures if name not in found]:
            raise UserError(
                f"the study measures {', '.join(missing)}, but the command left "
                f"{', '.join(sorted(found)) or 'no metrics'}: log it with MLflow, or write it as JSON to the "
                "path in ABLATION_METRICS."
            )
        for name in run.measures:
            # The largest number is what MLflow's database keeps for infinity.
            if not abs(found[name]) < sys.float_info.max:
                raise Diverged(f"{name} is {found[name]:g}")
        return found

    def _check_code(self) -> None:
        """Refuse to go on with files that changed since the study began; where there are none, none did."""
        if not self.code_version and self._hashed() not in ("", self._scripts):
            raise UserError("a file of the command changed while the study ran: run it again.")

    def _names(self) -> Iterable[str]:
        """What stands between braces."""
        for word in self.template:
            for found in PLACEHOLDER.finditer(word):
                if found[1] is not None:
                    if found[1].startswith(FLAG) and found[0] != word:
                        raise UserError(
                            f"{found[0]} wants to be a word alone, but stands in {word!r}: part them."
                        )
                    yield found[1]

    def _hashed(self) -> str:
        """A hash of the files in the working folder that the template names; "" where it names none."""
        folder = Path(self.folder).resolve()
        texts = [
            [word, hash_of_source(path.read_text(encoding="utf-8", errors="replace"))]
            for word in (part for word in self.template for part in (word, word.partition("=")[2]) if part)
            if (path := (folder / word).resolve()).is_relative_to(folder) and path.is_file()
        ]
        return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16] if texts else ""


def _run(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output: IO[bytes],
    limit: float | None,
) -> str:
    """Run the command under a guardian; how it ended, in words, "" where it ended well.

    It is killed with all its children where this process dies, is interrupted, or the limit in seconds is up.
    """
    guardian = [sys.executable, "-I", str(Path(__file__).with_name("guardian.py"))]
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(
                [*guardian, *words],
                cwd=folder,
                env=environment,
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            ours.settimeout(limit)
            said = ours.recv(1000).decode()
        except TimeoutError:
            return f"was killed at its time limit of {limit:g} s: raise time_limit="
        finally:
            ours.close()
            process.wait()
            with suppress(OSError):  # where the guardian itself was killed
                os.killpg(process.pid, signal.SIGKILL)
    if not said:
        return "was killed with its guardian"
    if not said.lstrip("-").isdecimal():
        return f"could not be started ({said})"
    code = int(said)
    return (
        f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    ) * bool(code)


def _last_lines(output: Path) -> str:
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - TAIL_BYTES))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    last = [line[-LINE_LETTERS:] for line in lines if line][-LAST_LINES:]
    return f"the last lines of {OUTPUT} are: {' / '.join(last)}" if last else "it printed nothing"


def _read(path: Path) -> dict[str, float]:
    """The metrics that the command wrote; none where it wrote no file."""
    if not path.exists():
        return {}
    asked = "the file of ABLATION_METRICS wants a JSON object of numbers by name, but"
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{asked} cannot be read ({error}): write it whole.") from None
    if not isinstance(found, dict):
        raise UserError(f"{asked} has a {type(found).__name__}: write an object.")
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"{asked} has {value!r} for {name!r}: write a number.")
    return {name: float(value) for name, value in found.items()}


def _contradicts(text: str, value: Any) -> bool:
    """Whether a parameter says another number than the setting, or the opposite. Texts may differ."""
    if isinstance(value, bool):
        return text.casefold() in ("true", "false", "1", "0") and not matches(text, value)
    number = as_number(text) if isinstance(value, int | float) else None
    return number is not None and not isnan(number) and not isclose(number, value, rel_tol=1e-6)


def _filled(found: "re.Match[str]", values: Mapping[str, str]) -> str:
    return found[0][0] if found[1] is None else values[found[1]]


def _spelt(value: Any) -> str:
    return _json(value) if value is None or isinstance(value, bool | list | tuple) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, default=str)
