"""A store: created whole by however many at once, never half made by a kill, held by one at a time."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablation.errors import UserError
from ablation.runner.ledger import Ledger
from ablation.tracking.addresses import shown
from ablation.tracking.store import Store
from doubles_suite import tiny_study
from engines import folder_of

CREATE = """
import sys
from pathlib import Path
from ablation.runner.ledger import Ledger
from ablation.tracking.store import Store
from doubles_suite import tiny_study
store = Store(Path(sys.argv[1]))
store.create()
Ledger.create(store, tiny_study())
print(store.experiment("shared", {}))
"""


def creator(root: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", CREATE, str(root)], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_several_that_start_at_once_share_one_store(tmp_path: Path) -> None:
    creators = [creator(tmp_path / "store") for _ in range(4)]
    answers = [process.communicate(timeout=120) for process in creators]
    assert [process.returncode for process in creators] == [0] * 4, answers
    assert len({said for said, _ in answers}) == 1
    assert list((tmp_path / "store").glob(".create-*")) == []


def test_a_store_whose_creator_was_killed_is_created_by_the_next(tmp_path: Path) -> None:
    root = tmp_path / "store"
    first = creator(root)
    deadline = time.monotonic() + 60
    while not list(root.glob(".create-*.db")):  # the schema is being built
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (root / "mlflow.db").exists()
    store = Store(root)
    store.create()
    assert store.experiment("after", {}) == store.experiment("after", {})
    assert list(root.glob(".create-*")) == []


def test_looking_at_a_store_that_is_not_there_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    assert Ledger.open(store, tiny_study()) is None
    with pytest.raises(UserError, match="holds no runs yet: run a study first"):
        _ = store.client
    assert folder_of(tmp_path) == []


def test_a_lock_dies_with_its_holder_and_names_it_while_it_lives(store: Store) -> None:
    holding = "import sys, time; from pathlib import Path; from ablation.tracking.store import Store\n"
    holding += "with Store(Path(sys.argv[1])).sole('job', 'it'): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen(
        [sys.executable, "-c", holding, str(store.root)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(UserError, match=f"it is being run by process {holder.pid} on"),
        store.sole("job", "it"),
    ):
        pass
    holder.kill()
    holder.communicate()
    with store.sole("job", "it"):
        pass


def test_a_file_that_is_no_database_is_said_in_a_sentence(store: Store) -> None:
    (store.root / "optuna.db").write_bytes(b"this is no database, and long enough to be looked at" * 10)
    with pytest.raises(UserError, match=r"Optuna's storage cannot be opened .*not a database"):
        Ledger.open(store, tiny_study())


def test_a_broken_mlflow_database_is_said_in_a_sentence(store: Store) -> None:
    (store.root / "mlflow.db").write_bytes(b"this is no database, and long enough to be looked at" * 10)
    with pytest.raises(UserError, match=r"MLflow's store .* cannot be opened .*not a database"):
        store.experiment("x", {})


@pytest.mark.parametrize("sign", ["?", "%", '"'])
def test_a_place_that_an_address_cannot_hold_is_refused(tmp_path: Path, sign: str) -> None:
    with pytest.raises(UserError, match="a store's path wants none of"):
        Store(tmp_path / f"a{sign}b")


def test_passwords_are_not_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATION_OPTUNA_STORAGE", "postgresql://ann:secret@db/optuna")
    assert store.optuna_url == "postgresql://ann:secret@db/optuna"
    assert "secret" not in shown(store.optuna_url)


def test_artifacts_of_a_study_lie_in_the_store(store: Store) -> None:
    experiment = store.client.get_experiment(store.experiment("named", {"a": "b"}))
    assert experiment.artifact_location == str(store.root / "artifacts" / "named")
    with sqlite3.connect(store.root / "mlflow.db") as database:
        assert database.execute("select count(*) from experiments where name = 'named'").fetchone() == (1,)
    database.close()
