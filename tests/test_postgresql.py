"""A store on PostgreSQL: the same results as in a folder, and locks that every machine sees."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from optuna.trial import TrialState
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import InternalError
from sqlalchemy.pool import NullPool

from ablation.errors import UserError
from ablation.report.export import publish
from ablation.runner.ledger import Ledger
from ablation.runner.scheduler import run_study
from ablation.tracking.availability import is_unavailable
from ablation.tracking.locks import AdvisoryLocks
from ablation.tracking.read import running
from ablation.tracking.store import Store
from doubles_suite import tiny_study
from engines import InlineEngine
from servers import PASSWORD, PostgreSQL
from test_kills import wait_for

HOLD = """
import sys, time
from pathlib import Path
from ablation.tracking.store import Store
with Store(Path(sys.argv[1])).sole("job", "it"):
    print("held", flush=True)
    time.sleep(60)
"""
OPEN = """
import sys
from pathlib import Path
from ablation import catalogue
from ablation.runner.ledger import Ledger
from ablation.tracking.store import Store
store = Store(Path(sys.argv[1]))
store.create()
print(store.experiment("cold", {}), type(store.client).__name__)
"""


def test_a_study_on_postgresql_exports_the_bytes_of_one_in_a_folder(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    study = tiny_study(seeds=2)
    tables = []
    for place in (store, Store(tmp_path / "locks")):
        if place is not store:
            request.getfixturevalue("on_postgresql")
        run_study(study, place, InlineEngine(), workers=1)
        publish(study, place, tmp_path / place.root.name)
        tables.append(
            {
                f: (tmp_path / place.root.name / f).read_bytes()
                for f in ("table.csv", "table.html", "table.tex")
            }
        )
    assert tables[0] == tables[1]
    assert running(place) == []
    again = InlineEngine()
    assert run_study(study, place, again, workers=1).there == 4
    assert again.tasks == []


def test_with_a_database_of_mlflow_alone_files_stay_in_the_folder_and_machines_cannot_share_it(
    on_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    store.create()
    experiment = store.client.get_experiment(store.experiment("files", {}))
    assert experiment.artifact_location == str(tmp_path / "store" / "artifacts" / "files")
    assert not store.shared
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert store.shared


def test_what_died_on_postgresql_is_ended_and_computed_once(on_postgresql: str, tmp_path: Path) -> None:
    study, store = tiny_study(seeds=1), Store(tmp_path / "store")

    def stop(task: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, store, InlineEngine(stop), workers=1)
    run_study(study, store, InlineEngine(), workers=1)
    ledger = Ledger.open(store, study)
    assert ledger is not None
    assert list(ledger.states().values()) == [TrialState.COMPLETE] * 2
    assert running(store) == []


def test_folders_of_two_machines_share_a_lock_that_dies_with_its_holder(
    on_postgresql: str, tmp_path: Path
) -> None:
    here, there = Store(tmp_path / "here"), tmp_path / "there"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(there)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(UserError, match=f"it is being run by process {holder.pid} on"),
        here.sole("job", "it"),
    ):
        pass
    with here.sole("another job", "it"):
        pass
    holder.kill()
    holder.communicate()
    with here.lock("job"), here.free("job") as mine:
        assert not mine


@pytest.mark.parametrize("limit", ["idle_session_timeout", "statement_timeout", "lock_timeout"])
def test_what_the_database_limits_neither_frees_a_lock_nor_ends_the_wait_for_it(
    limit: str, on_postgresql: str, tmp_path: Path
) -> None:
    trials = os.environ["ABLATION_OPTUNA_STORAGE"]
    with create_engine(trials, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        known = text("SELECT count(*) FROM pg_settings WHERE name = :name")
        if not connection.execute(known, {"name": limit}).scalar():
            pytest.skip(f"this PostgreSQL knows no {limit}")
        connection.execute(text(f"ALTER DATABASE \"{make_url(trials).database}\" SET {limit} = '1s'"))
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    with ThreadPoolExecutor(1) as pool:
        with here.lock("job"):
            waiting = pool.submit(lambda: there.lock("job").__enter__())
            with pytest.raises(TimeoutError):
                waiting.result(timeout=2.5)
            with Store(tmp_path / "third").free("job") as mine:
                assert not mine
        waiting.result(timeout=60)


def test_a_database_that_takes_no_more_writes_is_away(on_postgresql: str) -> None:
    engine = create_engine(on_postgresql, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = on"))
        connection.commit()
        with pytest.raises(InternalError) as refused:
            connection.execute(text("CREATE TABLE one (number int)"))
    assert is_unavailable(refused.value)


def test_another_role_is_told_who_holds_a_lock(on_postgresql: str, tmp_path: Path) -> None:
    trials = os.environ["ABLATION_OPTUNA_STORAGE"]
    with create_engine(trials, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE ROLE bob LOGIN PASSWORD '{PASSWORD}'"))
    bob = make_url(trials).set(username="bob").render_as_string(hide_password=False)
    with Store(tmp_path).sole("job", "it"):
        assert AdvisoryLocks(bob).holder("job").startswith(f"process {os.getpid()} on ")


def test_a_ledger_that_is_opened_again_takes_no_more_connections(on_postgresql: str, tmp_path: Path) -> None:
    study, store = tiny_study(), Store(tmp_path)
    store.create()
    trials = os.environ["ABLATION_OPTUNA_STORAGE"]
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND backend_type = "
        "'client backend' AND pid <> pg_backend_pid()"
    )

    def connections() -> int:
        with create_engine(trials, poolclass=NullPool).connect() as connection:
            return int(connection.execute(asked, {"name": make_url(trials).database}).scalar_one())

    ledgers = [Ledger.create(store, study)]
    before = connections()
    ledgers += [Ledger.create(store, study) for _ in range(8)]
    assert before < len(ledgers)
    wait_for(lambda: connections() <= before)  # one that was closed is counted for a moment


def test_eight_that_find_an_empty_database_make_its_tables_once(on_postgresql: str, tmp_path: Path) -> None:
    def cold(number: int) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", OPEN, str(tmp_path / str(number))]
        return subprocess.run(command, capture_output=True, text=True, timeout=240)

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(cold, range(8)))
    assert [one.stderr for one in ended if one.returncode] == []
    assert {one.stdout for one in ended} == {"1 MlflowClient\n"}


def test_a_database_that_is_gone_is_said_in_a_sentence_without_its_password(
    on_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:1/none"
    monkeypatch.setenv("ABLATION_OPTUNA_STORAGE", gone)
    with pytest.raises(UserError, match=r"cannot be reached .*refused") as raised:
        run_study(tiny_study(), Store(tmp_path), InlineEngine(), workers=1)
    assert PASSWORD not in str(raised.value)


def test_one_database_for_both_is_refused(
    on_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABLATION_OPTUNA_STORAGE", on_postgresql)
    with pytest.raises(UserError, match="want a database each"):
        _ = Store(tmp_path).optuna_url


def test_no_password_is_in_what_a_run_keeps(
    on_postgresql: str, tmp_path: Path, database_server: PostgreSQL
) -> None:
    study, store = tiny_study(seeds=1), Store(tmp_path / "store")
    run_study(study, store, InlineEngine(), workers=1)
    publish(study, store, tmp_path / "out")
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()
    ]
    kept = {
        on_postgresql: ("params", "tags", "experiments", "experiment_tags", "datasets"),
        os.environ["ABLATION_OPTUNA_STORAGE"]: ("study_user_attributes", "trial_user_attributes"),
    }
    for address, tables in kept.items():
        with create_engine(address, poolclass=NullPool).connect() as connection:
            for table in tables:
                rows = connection.execute(text(f"SELECT * FROM {table}")).all()
                assert rows
                assert PASSWORD not in str(rows)
