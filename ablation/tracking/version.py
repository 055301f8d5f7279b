"""The format of a store, a number that every experiment carries (docs/decisions/0021-store-version.md)."""

from mlflow import MlflowClient

from ablation.errors import UserError

STORE_VERSION = 2
"""1: before there were numbers. 2: as 1, with the number."""
TAG = "ablation.store"


def check_version(client: MlflowClient, shown: str) -> None:
    """Refuse a store in which a newer version of this project wrote: what it means is not known here."""
    others = client.search_experiments(filter_string=f"tags.`{TAG}` != '{STORE_VERSION}'")
    numbers = [experiment.tags.get(TAG, "1") for experiment in others]
    newer = [number for number in numbers if not number.isdecimal() or int(number) > STORE_VERSION]
    if newer:
        raise UserError(
            f"the store {shown} wants the newer ablation that wrote it in format {newer[0]}, but this one "
            f"knows formats up to {STORE_VERSION}: upgrade ablation, or name another --store."
        )


def bring_up(client: MlflowClient, experiment: str, tags: dict[str, str]) -> None:
    """Bring an experiment with these tags to the present format, since it is to be written to."""
    if tags.get(TAG) != str(STORE_VERSION):
        client.set_experiment_tag(experiment, TAG, str(STORE_VERSION))
