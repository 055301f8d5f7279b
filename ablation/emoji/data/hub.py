"""A data set of the Hugging Face hub as a local folder, without a wait where there is no network."""

import re
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from ablation.errors import UserError

PATIENCE_SECONDS = 3.0
"""How long the hub may take to answer; `load_dataset` alone retries for 23 seconds before it gives up."""


def snapshot(source: str) -> Path:
    """The folder with the files of "owner/name" or "owner/name@revision", at one resolved commit.

    The hub is asked for the commit first. If it does not answer within 3 seconds, the files that an
    earlier download left on this machine are used; without them, and for a name or a revision that the
    hub does not have, a `UserError`.
    """
    name, _, revision = source.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise UserError(
            f"a source is 'emoji', a file *.parquet, a folder of images or a hub name 'owner/name', but "
            f"{source!r} is none of these and no such file or folder exists: check the path."
        )
    try:
        commit = HfApi().dataset_info(name, revision=revision or None, timeout=PATIENCE_SECONDS).sha
        return Path(snapshot_download(name, repo_type="dataset", revision=commit))
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise UserError(
            f"there is no folder and no public data set on the hub called {source!r}: check the name and "
            "the revision, or log in to the hub if it is private."
        ) from error
    except Exception as error:  # the errors of the hub, of HTTP and of the network share no base
        return _kept(name, revision, error)


def _kept(name: str, revision: str, why: Exception) -> Path:
    try:
        return Path(
            snapshot_download(name, repo_type="dataset", revision=revision or None, local_files_only=True)
        )
    except (OSError, ValueError) as error:
        wanted = f"{name}@{revision}" if revision else name
        raise UserError(
            f"the data set {wanted!r} is wanted from the Hugging Face hub, but the hub cannot be reached "
            f"({type(why).__name__}) and no copy is kept here: connect to the network, or name a Parquet "
            "file, a folder that exists or 'emoji'."
        ) from error
