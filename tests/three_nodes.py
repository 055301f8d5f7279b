"""A study on a Ray cluster of three nodes, one of which is killed; run alone in a network of its own.

    unshare --net python tests/three_nodes.py FACES.parquet FOLDER

Ray listens on all interfaces, whatever it is told: hence the network of its own, where nobody else is. Every
node has a home folder of its own and learns of the servers from its tasks alone. FOLDER/found.json says what
came of it, FOLDER/out is what was exported.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from doubles import small_study
from servers import PASSWORD, MlflowServer, postgresql

NODES = 3


def main(parquet: Path, folder: Path) -> None:
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
            found = run(cluster, nodes, folder) | {
                "homes": [sorted(path.name for path in home.iterdir()) for home in homes]
            }
            (folder / "found.json").write_text(json.dumps(found))
        finally:
            cluster.shutdown()
            server.stop()


def run(cluster, nodes, folder: Path) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """Run the study while a node is killed in the middle, and look at what it left."""
    from optuna.trial import TrialState

    from ablation.publish import publish
    from ablation.sweep.cluster import RayEngine
    from ablation.sweep.coordinate import run_study
    from ablation.sweep.ledger import Ledger
    from ablation.track.read import cell_runs
    from ablation.track.store import Store

    store, study = Store(folder / "coordinator"), small_study(Path("faces.parquet"), seeds=4)
    killed = threading.Event()

    def kill() -> None:
        while len(cell_runs(store, study.name)) < NODES:
            time.sleep(0.2)
        cluster.remove_node(nodes[-1], allow_graceful=False)
        killed.set()

    store.create()
    threading.Thread(target=kill, daemon=True).start()
    progress = run_study(study, store, lambda n: RayEngine(store, cluster.address), NODES)
    publish(study, store, folder / "out")
    ledger = Ledger.open(store, study)
    assert ledger is not None
    runs, trials, complete = cell_runs(store, study.name), ledger._trials(), TrialState.COMPLETE
    kept = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 2**24]
    return {
        "killed": killed.is_set(),
        "failed": progress.failed,
        "trained": progress.trained,
        "complete": sorted(trial.user_attrs["fingerprint"] for trial in trials if trial.state == complete),
        "states": sorted({trial.state.name for trial in trials}),
        "runs": sorted(runs.status),
        "finished": sorted(runs[runs.status == "FINISHED"].fingerprint),
        "leaks": [str(path) for path in kept if PASSWORD.encode() in path.read_bytes()],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
