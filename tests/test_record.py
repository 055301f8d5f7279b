"""Recording: a run that is begun is ended, and runs that begin at one moment do not fail each other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from ablation.emoji.protocols import joint
from ablation.emoji.spec import vary
from ablation.tracking.label import Label
from ablation.tracking.record import recording
from ablation.tracking.store import Store

LABEL = Label("small", "latent 8", "0123456789abcdef", "fedcba9876543210")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("store"))
    made.create()
    return made


@pytest.mark.parametrize("database", ["a file", "on_postgresql"])
def test_runs_that_name_the_same_new_data_at_one_moment_all_finish(
    store: Store, database: str, request: pytest.FixtureRequest
) -> None:
    if database == "on_postgresql":
        request.getfixturevalue(database)
        store = Store(store.root)  # the other has opened its file
    together = Barrier(4)

    def begin_and_end(experiment: str, seed: int) -> str:
        own = Store(store.root)
        own.client.get_experiment(experiment)  # it is open before the race begins
        together.wait()
        with recording(own, experiment, vary(joint, {"seed": seed}), LABEL) as recorder:
            return recorder.run_id

    for round_ in range(3):  # a data set is new once an experiment
        experiment = store.experiment(f"round {round_}", {})
        with ThreadPoolExecutor(4) as pool:
            ids = list(pool.map(begin_and_end, [experiment] * 4, range(4)))
        assert {store.client.get_run(run_id).info.status for run_id in ids} == {"FINISHED"}
        assert all(len(store.client.get_run(run_id).inputs.dataset_inputs) == 1 for run_id in ids)


@pytest.mark.parametrize(
    "said",
    [
        "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.digest",
        '(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint "dataset_pk"',
    ],
)
def test_a_lost_race_for_the_data_set_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    log_inputs, tries = store.client.log_inputs, []

    def lose_once(run_id: str, **inputs: object) -> None:
        tries.append(run_id)
        if len(tries) == 1:
            raise MlflowException(said, BAD_REQUEST)
        log_inputs(run_id, **inputs)

    monkeypatch.setattr(store.client, "log_inputs", lose_once)
    with recording(store, store.experiment("lost race", {}), joint, LABEL) as recorder:
        pass
    assert len(tries) == 2
    assert len(store.client.get_run(recorder.run_id).inputs.dataset_inputs) == 1


def test_a_run_that_fails_as_it_begins_is_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run_id: str, **inputs: object) -> None:
        raise MlflowException("no room on the disk")

    monkeypatch.setattr(store.client, "log_inputs", refuse)
    experiment = store.experiment("failed start", {})
    with pytest.raises(MlflowException, match="no room"), recording(store, experiment, joint, LABEL):
        pass
    (run,) = store.client.search_runs([experiment])
    assert (run.info.status, run.data.tags["outcome"]) == ("FAILED", "failed")
