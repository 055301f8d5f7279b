"""Pictures that an experiment's runs keep, as the report page shows them (`Experiment.gallery`)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A PNG: its file's name, and its text for whoever cannot see it."""

    file: str
    alt: str
    png: bytes

    @property
    def uri(self) -> str:
        """The picture itself as an address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Gallery:
    """Inputs that some arms share, and what a run of each of these arms made of them, by the arm's name.

    caption: one sentence, which inputs these are. No two pictures of a study have the same file's name.
    """

    caption: str
    inputs: Picture
    arms: Mapping[str, Picture]
