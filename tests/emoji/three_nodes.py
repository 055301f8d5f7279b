"""A study on a Ray cluster: workers are killed, and a node; run alone in a network of its own.

    unshare --net python tests/three_nodes.py FACES.parquet FOLDER SEEDS KILLS

Ray listens on all interfaces, whatever it is told: hence the network of its own, where nobody else is. Every
node has a home folder of its own and learns of the servers from its tasks alone. FOLDER/found.json says what
came of it, FOLDER/out is what was exported.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from doubles import small_study
from servers import PASSWORD, MlflowServer, postgresql

NODES = 3
BETWEEN_SECONDS = (1.0, 6.0)


def main(parquet: Path, folder: Path, seeds: int, kills: int) -> None:
    """`kills` of workers, before a node is killed with the rest; each new worker imports for seconds."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    for name in ("MLFLOW_TRACKING_URI", "ABLATION_OPTUNA_STORAGE"):
        os.environ.pop(name, None)
    # Named from the working folder: no other process than this one has it, so the images must travel.
    mine = folder / "mine"
    mine.mkdir()
    shutil.copy(parquet, mine / "faces.parquet")
    with postgresql() as database:
        server = MlflowServer(database.database("runs"), folder / "artifacts", folder / "mlflow.log")
        server.start()
        trials = database.database("trials")
        from ray.cluster_utils import Cluster

        cluster = Cluster()
        try:
            homes = [folder / f"home{number}" for number in range(NODES)]
            nodes = []
            for home in homes:
                home.mkdir()
                nodes.append(cluster.add_node(num_cpus=1, env_vars={"HOME": str(home)}))
            os.environ |= {"MLFLOW_TRACKING_URI": server.url, "ABLATION_OPTUNA_STORAGE": trials}
            os.chdir(mine)
            found = run(cluster, nodes, folder, seeds, kills) | {
                "homes": [sorted(path.name for path in home.iterdir()) for home in homes]
            }
            (folder / "found.json").write_text(json.dumps(found))
        finally:
            cluster.shutdown()
            server.stop()


def kill_a_worker(chance: random.Random) -> bool:
    """Kill a process in which a node computes a cell; whether there was one."""
    try:
        below = psutil.Process().children(recursive=True)
        busy = [one for one in below if one.is_running() and "ray::compute" in "".join(one.cmdline()[:1])]
        for one in busy and [chance.choice(busy)]:
            one.kill()
    except psutil.NoSuchProcess:  # it ended while it was looked at
        return False
    return bool(busy)


def run(cluster, nodes, folder: Path, seeds: int, wanted: int) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """Run the study while workers and a node are killed, again where tries are spent; what is left."""
    from optuna.trial import TrialState
    from ray._private.worker import global_worker

    from ablation.report.export import publish
    from ablation.runner.engines.ray import RayEngine
    from ablation.runner.ledger import Ledger
    from ablation.runner.scheduler import run_study
    from ablation.tracking.read import cell_runs
    from ablation.tracking.store import Store

    store, study = Store(folder / "coordinator"), small_study(Path("faces.parquet"), seeds=seeds)
    killed, kills, chance = threading.Event(), 0, random.Random(7)

    def kill() -> None:
        nonlocal kills
        while len(cell_runs(store, study.name)) < NODES:
            time.sleep(0.2)
        while kills < wanted:
            time.sleep(chance.uniform(*BETWEEN_SECONDS))
            with suppress(psutil.Error):
                kills += kill_a_worker(chance)
        while global_worker.node is None:  # between one run and the next
            time.sleep(0.1)
        ours = global_worker.node._raylet_socket_name  # the coordinator's own node holds its objects
        victim = next(node for node in reversed(nodes) if node._raylet_socket_name != ours)
        cluster.remove_node(victim, allow_graceful=False)
        killed.set()

    store.create()
    threading.Thread(target=kill, daemon=True).start()
    for _ in range(wanted):
        progress = run_study(study, store, lambda n: RayEngine(store, cluster.address), NODES)
        if not progress.failed:
            break
    publish(study, store, folder / "out")
    ledger = Ledger.open(store, study)
    assert ledger is not None
    runs, trials, complete = cell_runs(store, study.name), ledger._trials(), TrialState.COMPLETE
    kept = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 2**24]
    return {
        "killed": killed.is_set(),
        "kills": kills,
        "failed": progress.failed,
        "trained": progress.trained,
        "complete": sorted(trial.user_attrs["fingerprint"] for trial in trials if trial.state == complete),
        "states": sorted({trial.state.name for trial in trials}),
        "runs": sorted(runs.status),
        "errors": sorted(runs.failure[runs.status == "FAILED"]),
        "finished": sorted(runs[runs.status == "FINISHED"].fingerprint),
        "leaks": [str(path) for path in kept if PASSWORD.encode() in path.read_bytes()],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
