"""What an experiment's runs keep for a reader to look at; the report page shows it (`Experiment.gallery`)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Png:
    """A PNG: its file's name, its text for whoever cannot see it, and its bytes."""

    file: str
    alt: str
    content: bytes

    @property
    def base64(self) -> str:
        """The bytes as a page holds them."""
        return base64.b64encode(self.content).decode()


@dataclass(frozen=True)
class Gallery:
    """Inputs that some arms share, and what a run of each of these arms made of them, by the arm's name.

    caption: one sentence, which inputs these are. No two files of a study have the same name.
    """

    caption: str
    inputs: Png
    arms: Mapping[str, Png]
