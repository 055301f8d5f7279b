"""Run what a study still lacks: check it, find the lacking cells, hand them to a crew seed-major."""

from collections.abc import Callable

from ablation.emoji.run import identify, measurable
from ablation.emoji.spec import trunk
from ablation.errors import UserError
from ablation.measures import measure
from ablation.runner.engines import Engine
from ablation.runner.ledger import Ledger
from ablation.runner.plan import check_unchanged, fingerprints, plan_of, sources_of, trunks_first
from ablation.runner.results import results
from ablation.runner.scheduler import Progress, Scheduler, name_of
from ablation.study import Cell, Study
from ablation.tracking.store import Store
from ablation.tracking.views import save_views

WANTED = {
    "subgroups": "images with subgroups (a column 'subgroup' with two or more of at least 5 subjects)",
    "common": "held-out texts that contain data.common",
    "mood": "held-out faces of Unicode's happy and sad subgroups, and classes that speak of happy and sad",
    "analogies": "families of analogies with truths among the validation and the test images",
}
"""What a measure needs beyond the arm's own test set, by `Measure.needs`."""

NOTE_LETTERS = 5000  # that MLflow's tables have room for


def run_study(
    study: Study,
    store: Store,
    make_engine: Callable[[int], Engine],
    workers: int,
    seeds: int | None = None,
    notify: Callable[[Progress], None] = lambda progress: None,
    order: Callable[[dict[str, Cell]], dict[str, Cell]] = lambda cells: cells,
) -> Progress:
    """Train every cell that has no finished run, `workers` at a time, seed by seed or in `order`.

    The study and its data are checked before anything is written. A cell that diverges or fails does not
    stop the others. Raises `UserError` where another process runs this study, the plan has changed, or a
    setting is tuned and nothing was chosen yet (`sweep.tune`).
    """
    if study.tuned and study.chosen.keys() != study.declared.keys():
        raise UserError(
            f"{study.name} wants {study.tuned.setting} tuned for every arm, but trials are lacking: run it "
            "again, once what they failed of is mended."
        )
    seeds = seeds or study.seeds
    data = checked_data(study, seeds)
    _check_plan(Ledger.open(store, study), study, data)
    store.create()
    with store.sole(f"study-{study.name}", f"the study {study.name}"):
        ledger = Ledger.create(store, study)
        _check_plan(ledger, study, data)
        experiment = store.experiment(study.name, _tags(study))
        save_views(store, experiment, study.columns, study.measures)
        ledger.look(seeds)
        if not ledger.has_results:
            ledger.plan = plan_of(study, data)
        ledger.abandon()
        progress = Progress(total=len(study.cells(seeds)))
        lacking = order(_lacking(study, store, seeds, data, progress))
        notify(progress)
        if lacking:
            workers = min(workers, len(lacking))
            composing = len(lacking) - len({trunk(cell.spec) for cell in lacking.values()})
            crew = Scheduler(study, store, ledger, experiment, data, progress, notify, composing)
            crew.work(lacking.items(), len(lacking), make_engine(workers), workers)
        return progress


def checked_data(study: Study, seeds: int) -> dict[str, str]:
    """The fingerprint of the images by source, once every cell can be split and measured as declared.

    Raises `UserError` for the first cell that cannot.
    """
    data = {}
    for cell in study.cells(seeds):
        data[sources_of(cell.spec)] = identify(cell.spec).data
        for name in study.measures:
            needed = measure(name).needs
            if needed in WANTED and not measurable(cell.spec, needed):
                raise UserError(
                    f"{name} wants {WANTED[needed]}, but {name_of(cell)} has none: drop the measure, or take "
                    "other images."
                )
    return data


def _check_plan(ledger: Ledger | None, study: Study, data: dict[str, str]) -> None:
    if ledger is not None and ledger.plan and ledger.has_results:
        check_unchanged(study, ledger.plan, plan_of(study, data))


def _lacking(
    study: Study, store: Store, seeds: int, data: dict[str, str], progress: Progress
) -> dict[str, Cell]:
    """The cells without a finished run; those that have one, or that diverged, are counted in `progress`."""
    cells = trunks_first(fingerprints(study.cells(seeds), data))
    found = results(study, store, seeds).set_index("fingerprint")
    lacking: dict[str, Cell] = {}
    for key, cell in cells.items():
        if found.state[key] == "complete":
            progress.there += 1
        elif found.state[key] == "diverged":
            progress.failed[name_of(cell)] = str(found.error[key])
        else:
            lacking[key] = cell
    return lacking


def _tags(study: Study) -> dict[str, str]:
    claims = "".join(f"\n- {claim.text}" for claim in study.claims)
    note = f"**{study.question}**\n\n> {study.source}\n\nClaims:{claims}"
    return {"mlflow.note.content": note[:NOTE_LETTERS], "mlflow.experimentKind": "custom_model_development"}
