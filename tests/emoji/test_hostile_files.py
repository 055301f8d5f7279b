"""Tables that are none, tables that name files of others, and studies of any text: a sentence at most."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablation import catalogue
from ablation.cli import new as templates
from ablation.emoji.data.images import decode
from ablation.emoji.data.sources import load
from ablation.errors import UserError
from ablation.study import Study
from hostile import FEW, encoded, mutilated

Rounds = Callable[[int, int], int]


def load_each(cases: int, folder: Path) -> None:
    """Parquet files, mutilated: images or a sentence."""
    table = pa.table({"image": [{"bytes": encoded("PNG"), "path": ""}] * 3, "text": ["a", "b", "c"]})
    pq.write_table(table, folder / "good.parquet")
    good, place = (folder / "good.parquet").read_bytes(), folder / "bad.parquet"

    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutilated(st.just(good)))
    def one(data: bytes) -> None:
        place.write_bytes(data)
        try:
            found = len(load((str(place),)))
        except UserError as mistake:
            found, said = 0, str(mistake)
        assert found or "\n" not in said

    one()


def test_broken_tables_are_images_or_a_sentence(tmp_path: Path) -> None:
    load_each(FEW, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_broken_tables_are_images_or_a_sentence(tmp_path: Path, rounds: Rounds) -> None:
    load_each(rounds(10_000, 1_000), tmp_path)


STUDIES = {
    "latent_size": catalogue.builtin()["latent_size"],
    **{path.parent.name: path for path in Path(templates.__file__).parent.glob("templates/*/my_study.py")},
}
"""Of the report's network, a function, a command, and runs that exist."""


def study_each(cases: int, folder: Path, good: bytes) -> None:
    """Study files of any text: a study, or a sentence that names the file."""
    place = folder / "odd.py"

    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutilated(st.just(good)))
    def one(data: bytes) -> None:
        place.write_bytes(data)
        try:
            found = catalogue.load(str(place))
        except UserError as mistake:
            found, said = None, str(mistake)
        assert str(place) in said if found is None else isinstance(found, Study)

    one()


@pytest.mark.parametrize("name", STUDIES)
def test_broken_studies_are_a_study_or_a_sentence(tmp_path: Path, name: str) -> None:
    study_each(FEW, tmp_path, STUDIES[name].read_bytes())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", STUDIES)
def test_many_broken_studies_are_a_study_or_a_sentence(tmp_path: Path, rounds: Rounds, name: str) -> None:
    study_each(rounds(10_000, 1_000), tmp_path, STUDIES[name].read_bytes())


def picture_at(place: Path, folder: Path) -> str:
    """A Parquet of one row whose picture is not in it, but named: the file at `place`."""
    rows = pa.table({"image": [{"bytes": None, "path": str(place)}], "text": ["a face"]})
    pq.write_table(rows, folder / "set.parquet")
    return str(folder / "set.parquet")


def test_a_table_cannot_have_a_file_of_this_machine_read(tmp_path: Path) -> None:
    private = tmp_path / "private.png"
    private.write_bytes(encoded("PNG"))
    for place in (private, Path("/dev/zero"), Path("private.png")):
        with pytest.raises(
            UserError, match=r"row 0 cannot be decoded \(it has no bytes and names no file of"
        ):
            load((picture_at(place, tmp_path),))


def test_a_folder_cannot_have_a_file_outside_of_it_read(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for place in (folder / "own.png", tmp_path / "private.png"):
        place.write_bytes(encoded("PNG"))
    assert len(decode([{"bytes": None, "path": str(folder / "own.png")}], "a set", folder)) == 1
    for outside in (tmp_path / "private.png", folder / "../private.png", folder):
        with pytest.raises(UserError, match="names no file of the source's own folder"):
            decode([{"bytes": None, "path": str(outside)}], "a set", folder)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, "../" * 2000])
def test_a_source_that_no_system_can_open_is_a_sentence(name: str) -> None:
    with pytest.raises(UserError, match="a source wants a file or a folder that can be read") as raised:
        load((name,))
    assert len(str(raised.value)) < 2100
