"""Files that runs keep: read one back, or add one to a run that ended."""

import tempfile
from pathlib import Path

from mlflow.exceptions import MlflowException

from ablation.errors import UserError
from ablation.tracking.availability import ServerUnavailable, as_user_error, is_unavailable, reason
from ablation.tracking.store import Store


def keep(store: Store, run_id: str, path: Path) -> None:
    """Keep a copy of the file with the run."""
    store.client.log_artifact(run_id, str(path))


def artifact(store: Store, run_id: str, name: str) -> bytes | None:
    """The file called `name` of a run, or None where the run keeps none; an error where nobody can say.

    A mirrored run keeps no files: ask for those of the run that its `reused_from` names.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(store.client.download_artifacts(run_id, name, folder)).read_bytes()
        except (MlflowException, OSError) as error:
            if isinstance(as_user_error(error), UserError):
                raise  # it may well be there
            if not _listed(store, run_id, name):
                return None
            # MLflow downloads in a thread, and its error says no more of the cause than its text.
            raise (ServerUnavailable if store.served else UserError)(
                f"the run {run_id} keeps {name}, but it cannot be read: mend that, or delete the run in "
                "MLflow, and its study trains it again."
            ) from error


def _listed(store: Store, run_id: str, name: str) -> bool:
    """Whether the run says that it keeps the file."""
    try:
        return any(kept.path == name for kept in store.client.list_artifacts(run_id))
    except (MlflowException, OSError) as error:
        if is_unavailable(error):
            raise
        if isinstance(error, MlflowException):
            return False  # no such run
        raise UserError(
            f"what the run {run_id} keeps cannot be listed ({reason(error)}): mend that, and run the same "
            "command again."
        ) from error
