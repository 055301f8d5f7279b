"""Folders and tables as people have them: everything in them is used, or named with its count and reason."""

import io
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ablation import catalogue
from ablation.emoji.data.columns import KNOWN, meant
from ablation.emoji.data.folders import BROKEN, CYCLE, SPECIAL, walk
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.errors import UserError
from ablation.report.export import publish
from ablation.runner.scheduler import run_study
from ablation.tracking.store import Store
from engines import InlineEngine

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


def picture(shade: int = 90, kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, (shade % 256, 90, 200)).save(held, kind)
    return held.getvalue()


def put(folder: Path, *names: str, data: bytes | None = None) -> Path:
    """Files below the folder, each a picture of its own shade unless `data` is given."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(7 * number) if data is None else data)
    return folder


def said(images: Images, source: object) -> list[str]:
    """The sentences of the source, without its name."""
    assert all(one.startswith(f"{source}: ") for one in images.left_out)
    return [one.removeprefix(f"{source}: ") for one in images.left_out]


def table(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


# Names of files and folders mean nothing but what the folder of an image says.


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        ([f"cat/cat {n} {word}.png" for n, word in enumerate(("", "after blood test"))], {"cat": 2}),
        (
            [f"{s}/{c}/1.png" for s in ("train", "test", "unlabelled_2024") for c in ("cat", "dog")],
            {"cat": 3, "dog": 3},
        ),
        ([f"{c}/{n}.png" for c in ("bus", "train", "tram") for n in "12"], {"bus": 2, "train": 2, "tram": 2}),
        ([f"{c}/{n}.png" for c in ("control", "test") for n in "12"], {"control": 2, "test": 2}),
    ],
)  # fmt: skip
def test_the_words_of_splits_drop_nothing(tmp_path: Path, names: list[str], texts: dict[str, int]) -> None:
    images = load((str(put(tmp_path / "set", *names)),))
    assert {text: images.text.count(text) for text in images.text} == texts
    assert images.label == images.text
    assert images.left_out == ()


@pytest.mark.parametrize(
    "name",
    ["photos [2024]", "set*", "a::b", "x?", "{a,b}", "~home", "été 日本 😀", "a b", "subject=3", "%41", "-x"],
)
def test_no_name_is_a_pattern(tmp_path: Path, name: str) -> None:
    put(tmp_path, "set-two/cat/1.png", "2/cat/1.png")
    images = load((str(put(tmp_path / name, "cat/1.png", f"{name}/1.png", "*.png/[1].png")),))
    assert sorted(images.text) == sorted(["cat", name, "*.png"])
    assert not any(map(str, images.left_out))


def test_links_are_followed_and_a_circle_is_named(tmp_path: Path) -> None:
    put(tmp_path / "real", "cat/1.png", "dog/1.png")
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("cat", "dog"):
        (linked / name).symlink_to(f"../real/{name}")
    (tmp_path / "all").symlink_to("real")
    plain = load((str(tmp_path / "real"),)).fingerprint
    assert [load((str(tmp_path / name),)).fingerprint for name in ("linked", "all")] == [plain, plain]
    assert load((str(tmp_path / "all" / "cat" / ".."),)).fingerprint == plain
    (tmp_path / "real" / "cat" / "up").symlink_to("../..")
    (tmp_path / "real" / "nowhere.png").symlink_to("gone.png")
    os.mkfifo(tmp_path / "real" / "pipe.png")
    found = walk(tmp_path / "real")
    assert found.left_out["nowhere.png"] == BROKEN
    assert found.left_out["pipe.png"] == SPECIAL
    assert found.left_out["cat/up/real"] == CYCLE
    assert len(found.images) == len({*found.images})


def test_a_linked_folder_that_changes_is_read_again(tmp_path: Path) -> None:
    put(tmp_path / "real", "1.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cat").symlink_to("../real")
    assert len(load((str(tmp_path / "set"),))) == 1
    put(tmp_path / "real", "1.png", "2.png")
    assert len(load((str(tmp_path / "set"),))) == 2


# What is left out is named.


def test_what_is_no_image_is_counted_by_ending_and_reason(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.png", "cat/2.JPEG", ".cache/3.png", "cat/.DS_Store")
    put(tmp_path, *(f"cat/{n}.svg" for n in range(12)), data=SVG)
    put(tmp_path, "notes.txt", "labels.csv", "more.zip", "film.mpg", "deep.h5", data=b"x")
    images = load((str(tmp_path),))
    assert images.text == ("cat", "cat")
    assert said(images, tmp_path) == [
        "19 files are left out: 12 *.svg (Pillow cannot read them), 1 *.png (hidden), 1 .DS_Store (hidden), "
        "1 *.h5 (no images), 1 *.mpg (no images), 1 *.csv (a table is read if it is called metadata.csv), 1 "
        "*.zip (not unpacked) and 1 *.txt (no images)."
    ]


@pytest.mark.parametrize("names", [["a.svg", "cat/b.svg"], [".a.png"], ["a.zip"]])
def test_a_folder_without_an_image_says_what_it_has(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, *names, data=SVG)
    with pytest.raises(UserError, match=rf"none: {len(names)} files? (is|are) left out: {len(names)} "):
        load((str(tmp_path),))


def test_an_image_that_cannot_be_decoded_is_named_by_its_file(tmp_path: Path) -> None:
    put(put(tmp_path, "cat/1.png"), "cat/2.png", data=b"junk")
    with pytest.raises(UserError, match=r"row 1 \(cat/2\.png\) cannot be decoded"):
        load((str(tmp_path),))


@pytest.mark.parametrize("size", [(1, 2000), (2000, 1), (10, 641)])
def test_a_picture_of_which_nothing_would_be_left_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    put(tmp_path, "cat/1.png", data=picture(size=size))
    with pytest.raises(UserError, match=f"of {size[0]} x {size[1]} pixels less than one is left"):
        load((str(tmp_path),))
    put(tmp_path, "cat/1.png", data=picture(size=(10, 640)))
    assert load((str(tmp_path),)).pixels[0].amin() < 255


# Metadata.


def metadata(folder: Path, text: str | bytes, name: str = "metadata.csv") -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def test_images_without_a_row_are_counted_and_numbers_are_texts(tmp_path: Path) -> None:
    put(tmp_path, *(f"{n}.png" for n in range(6)), "x.heic")
    metadata(
        tmp_path, "file_name,text,subject,age\n" + "".join(f"{n}.png,{n},0{n // 2},3\n" for n in range(4))
    )
    images = load((str(tmp_path),))
    assert images.text == ("0", "1", "2", "3")
    assert images.subject == ("00", "00", "01", "01")
    assert said(images, tmp_path) == [
        "3 files are left out: 2 *.png (no row of the metadata names them) and 1 *.heic (Pillow cannot read "
        "them).",
        "not used is the column age.",
    ]


ROWS = [{"file_name": f"cat/{n}.png", "text": f"é {n}", "subject": n // 2} for n in range(4)]
CSV = "file_name,text,subject\n" + "".join(f"{r['file_name']},{r['text']},{r['subject']}\n" for r in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", CSV.encode()),
        ("metadata.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("metadata.csv", CSV.replace(",", ";").replace("\n", "\r\n").encode()),
        ("metadata.csv", CSV.replace(",", "\t").encode()),
        ("metadata.jsonl", "\n".join(map(json.dumps, ROWS)).encode()),
        ("metadata.parquet", None),
    ],
)
def test_metadata_says_the_same_in_every_format(tmp_path: Path, name: str, content: bytes | None) -> None:
    put(tmp_path, *(str(row["file_name"]) for row in ROWS))
    if content is None:
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / name)
    else:
        metadata(tmp_path, content, name)
    images = load((str(tmp_path),))
    assert images.text == ("é 0", "é 1", "é 2", "é 3")
    assert images.subject == ("0", "0", "1", "1")
    assert images.label == ("cat",) * 4
    assert images.left_out == ()


def test_metadata_without_texts_leaves_them_to_the_folders(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.png", "dog/1.png")
    metadata(tmp_path / "cat", "file_name,subject,hospital\n1.png,7,north\n")
    images = load((str(tmp_path),))
    assert (images.text, images.subject) == (("cat", "dog"), ("7", "dog"))
    assert said(images, tmp_path) == [
        "not used is the column hospital.",
        "1 of 2 rows have no subject, and are taken for subjects of their own text.",
    ]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("metadata.csv", "file_name,text\n1.png,a\no.png,b\n", r"row 1 of .*csv wants a file .* 'o\.png"),
        ("metadata.csv", "file_name,text\n1.png,a\n./1.png,b\n", r"1\.png has row 0 of .* and row 1"),
        ("metadata.csv", "file_name,text\n1.png,a,b\n", "wants 2 values in each row, but line 2 has 3"),
        ("metadata.csv", "file_name,text\n1.png\n", "wants 2 values in each row, but line 2 has 1"),
        ("metadata.csv", "file_name,text,text\n1.png,a,b\n", "two of 'text'"),
        ("metadata.csv", "file,text\n1.png,a\n", "wants a column file_name, .* but has file, text"),
        ("metadata.csv", "", "wants a column file_name, .* but has none"),
        ("metadata.csv", "file_name,text\n1.png,\n", r"1 of 1 have none, the first in row 0 \(1\.png\)"),
        ("metadata.csv", "file_name,text\n1.png,é\n".encode("latin-1"), "wants to be UTF-8"),
        ("metadata.csv", "file_name,text\n1.png,é\n".encode("utf-16"), "wants to be UTF-8"),
        ("metadata.csv", 'file_name,text\n1.png,"a\n', "cannot be read"),
        ("metadata.csv", "file_name,text\n../1.png,a\n", "wants a file of its folder"),
        ("metadata.csv", "file_name,text\n,a\n", "wants a file_name, but has none"),
        ("metadata.csv", "file_name,text,subject\n1.png,a,\n", "column subject of .* has none"),
        ("metadata.jsonl", '{"file_name": "1.png", "text": "a", "text": "b"}', "two values of 'text'"),
        ("metadata.jsonl", '["1.png"]', "wants a JSON object on each line"),
        ("metadata.jsonl", '{"file_name": "1.png", "text": ["a"]}', "one value in each row, but has list"),
        ("metadata.parquet", b"PAR1", "cannot be read"),
    ],
)  # fmt: skip
def test_metadata_that_does_not_fit_is_a_sentence(
    tmp_path: Path, name: str, content: str | bytes, complaint: str
) -> None:
    metadata(put(tmp_path, "1.png"), content, name)
    with pytest.raises(UserError, match=complaint):
        load((str(tmp_path),))


def test_two_metadata_files_are_refused(tmp_path: Path) -> None:
    metadata(put(tmp_path, "1.png"), "file_name,text\n1.png,a\n")
    metadata(tmp_path, '{"file_name": "1.png", "text": "a"}', "metadata.jsonl")
    with pytest.raises(UserError, match="wants one metadata file in a folder"):
        load((str(tmp_path),))


def test_a_name_may_spell_an_accent_in_two_ways(tmp_path: Path) -> None:
    metadata(put(tmp_path, "e\u0301.png"), "file_name,text\n\u00e9.png,a\n")
    assert load((str(tmp_path),)).text == ("a",)


# Columns of any type.

PICTURES = [picture(40 * n) for n in range(4)]
IMAGES: dict[str, Callable[[], Any]] = {
    "binary": lambda: pa.array(PICTURES),
    "large_binary": lambda: pa.array(PICTURES, pa.large_binary()),
    "binary_view": lambda: pa.array(PICTURES).cast(pa.binary_view()),
    "dictionary": lambda: pa.array(PICTURES).dictionary_encode(),
    "struct": lambda: pa.array([{"bytes": one, "path": None} for one in PICTURES]),
    "struct of bytes": lambda: pa.array([{"bytes": one} for one in PICTURES]),
    "struct of large bytes": lambda: pa.array(
        [{"bytes": one} for one in PICTURES], pa.struct({"bytes": pa.large_binary()})
    ),
}
TEXTS = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
}


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("text", TEXTS)
def test_every_type_that_holds_images_and_texts_is_read(tmp_path: Path, image: str, text: str) -> None:
    words = pa.array([f"face {n}" for n in range(4)]).cast(TEXTS[text])
    images = load((str(table(tmp_path / "x.parquet", image=IMAGES[image](), text=words)),))
    assert images.text == ("face 0", "face 1", "face 2", "face 3")
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 40, 80, 120]
    assert images.left_out == ()


@pytest.mark.parametrize(
    ("subject", "groups"),
    [
        (pa.array([0, 0, 1, 1]), "0 0 1 1"),
        (pa.array([0, 0, 1, 1], pa.uint8()), "0 0 1 1"),
        (pa.array([2.0, 2.0, 3.5, 3.5]), "2 2 3.5 3.5"),
        (pa.array([True, True, False, False]), "True True False False"),
        (pa.array([1, 1, 2, 2], pa.date32()), "1970-01-02 1970-01-02 1970-01-03 1970-01-03"),
        (pa.array([0, 0, 1, 1], pa.timestamp("s")), "1970-01-01T00:00:00 " * 2 + "1970-01-01T00:00:01 " * 2),
        (pa.array(["a", "a", "b", "b"]).dictionary_encode(), "a a b b"),
        (pa.array([5, 5, 6, 6]).dictionary_encode(), "5 5 6 6"),
        (pa.array([b"p", b"p", b"q", b"q"]), "p p q q"),
        (pa.array(["NA", "NA", "nan", "007"]), "NA NA nan 007"),
    ],
)  # fmt: skip
def test_a_subject_of_any_type_groups(tmp_path: Path, subject: pa.Array, groups: str) -> None:
    texts = [f"scan {n}, face" for n in range(4)]
    images = load((str(table(tmp_path / "x.parquet", image=PICTURES, text=texts, subject=subject)),))
    assert " ".join(images.subject) == groups.strip()
    assert images.left_out == ()


@pytest.mark.parametrize("missing", [None, ""])
def test_rows_without_a_subject_are_their_texts_and_counted(tmp_path: Path, missing: str | None) -> None:
    subject = ["p", missing, missing, "q"]
    path = table(tmp_path / "x.parquet", image=PICTURES, text=list("abcd"), subject=subject)
    images = load((str(path),))
    assert images.subject == ("p", "b", "c", "q")
    assert said(images, path) == [
        "2 of 4 rows have no subject, and are taken for subjects of their own text."
    ]


@pytest.mark.parametrize("subject", [pa.nulls(4), pa.array([None] * 4, pa.int64()), pa.array([""] * 4)])
def test_a_subject_column_without_a_value_is_refused(tmp_path: Path, subject: pa.Array) -> None:
    path = table(tmp_path / "x.parquet", image=PICTURES, text=list("abcd"), subject=subject)
    with pytest.raises(UserError, match=r"column subject of .* wants values, but has none"):
        load((str(path),))


def test_columns_that_are_not_used_are_named_with_what_may_be_meant(tmp_path: Path) -> None:
    others = {name: [1, 2, 3, 4] for name in ("patient_id", "Group", "sub_group", "width", "Label")}
    path = table(tmp_path / "x.parquet", image=PICTURES, text=list("abcd"), **others)
    assert said(load((str(path),)), path) == [
        "not used are 5 columns: patient_id (did you mean subject?), Group (did you mean group?), sub_group "
        "(did you mean subgroup?), width and Label (did you mean class?)."
    ]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *[("patient", "subject"), ("Patient-ID", "subject"), ("subjects", "subject"), ("subjct", "subject")],
        *[("Text", "text"), ("caption", "text"), ("label", "class"), ("category", "class"), ("img", "image")],
        *[("width", ""), ("id", ""), ("split", ""), ("age", "")],
    ],
)
def test_what_a_name_may_mean(name: str, known: str) -> None:
    assert meant(name) == known


def test_a_text_by_another_name_is_said(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", image=PICTURES, caption=list("abcd"))
    images = load((str(path),))
    assert images.text == ("a", "b", "c", "d")
    assert said(images, path) == ["the text is the column caption."]


def test_numbers_are_texts_and_classes_and_vendors_are_read(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "text": [7, 8, 9, 7],
        "class": ["x", "y", None, "x"],
        "vendor": ["v", "w", "v", "w"],
    }
    images = load((str(table(tmp_path / "x.parquet", image=PICTURES, **columns)),))
    assert images.text == ("7", "8", "9", "7")
    assert images.column("class") == images.label == ("x", "y", "", "x")
    assert images.vendor == ("v", "w", "v", "w")


def test_of_two_columns_of_images_the_one_called_image_is_taken(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", mask=PICTURES[::-1], image=PICTURES, text=list("abcd"))
    images = load((str(path),))
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 40, 80, 120]
    assert said(images, path) == ["not used is the column mask."]


# Folders of Parquet files.


def test_a_folder_of_shards_is_read_in_order_with_what_lies_beside(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    put(folder, "preview.png", "data/b.png")
    for number, name in enumerate(("test-0", "train-0", "other")):
        rows = [{"bytes": PICTURES[number], "path": None}, {"bytes": None, "path": "data/b.png"}]
        text = [f"{name} a", f"{name} b"]
        kind = pa.large_string() if number else pa.string()
        table(folder / "data" / f"{name}.parquet", image=rows, text=pa.array(text, kind))
    images = load((str(folder),))
    assert images.text == ("other a", "other b", "test-0 a", "test-0 b", "train-0 a", "train-0 b")
    assert said(images, folder) == [
        "1 file is left out: 1 *.png (beside Parquet files that do not name them)."
    ]


# From the folder to the table.

STUDY = """
from ablation import Study
from ablation.emoji import joint, vary

settings = {"data.sources": ("pictures",), "model.channels": (4, 8), "model.latent_dim": 8}
study = Study(
    question="?", source="a double", baseline=vary(joint, settings | {"train.epochs": 1}),
    arms={"latent 8": {}, "latent 4": {"model.latent_dim": 4}}, measures={"test_mse": 0.01}, seeds=1,
)
"""


def test_five_oddities_of_a_folder_stand_under_the_table_that_is_made_of_it(
    blank: Path, faces: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "studies" / "pictures"
    rows = pq.read_table(faces).to_pylist()
    for number, row in enumerate(rows):
        put(folder, f"{number}.png", data=row["image"]["bytes"])
    lines = [f"{n}.png,{row['text']},{row['subject'] if n else ''},7" for n, row in enumerate(rows)]
    metadata(folder, "\n".join(["file_name,text,subject,patient_id", *lines]))
    put(put(folder, "extra.png", ".hidden.png"), "a.svg", "b.svg", data=SVG)
    said = [
        "pictures: 4 files are left out: 2 *.svg (Pillow cannot read them), 1 *.png (hidden) and 1 *.png (no "
        "row of the metadata names them).",
        "pictures: not used is the column patient_id.",
        "pictures: 1 of 45 rows have no subject, and are taken for subjects of their own text.",
    ]
    store = Store(Path(shutil.copytree(blank, tmp_path / "store")))
    for name in ("first", "second"):  # the second takes the runs of the first
        (folder.parent / f"{name}.py").write_text(STUDY)
        study = catalogue.load(str(folder.parent / f"{name}.py"))
        assert study.baseline.data.sources == ("pictures",)
        assert [*study.experiment.warnings(study.baseline)] == said
        run_study(study, store, InlineEngine(), 1)
    shutil.rmtree(folder)
    for name in ("first", "second"):
        study = catalogue.load(str(folder.parent / f"{name}.py"))
        publish(study, store, tmp_path / name)
        notes = (tmp_path / name / "notes.md").read_text().replace("\\", "")
        assert all(notes.count(sentence) == 1 for sentence in said)


def test_a_source_that_is_not_beside_its_study_says_where_it_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(STUDY)
    study = catalogue.load(str(tmp_path / "mine.py"))
    with pytest.raises(UserError, match=f"file or folder exists in {tmp_path}, the folder of the study"):
        study.experiment.version(study.baseline)
    with pytest.raises(UserError, match=f"exists in the working folder {re.escape(str(Path.cwd()))}: check"):
        load(("pictures",))
    assert study.settings["latent 4"].data.sources == ("pictures",)
    moved = pickle.loads(pickle.dumps(study.settings["latent 4"]))
    assert moved.data.sources[0].folder == str(tmp_path)


# The laws: of any tree of files, and of any table, what is kept and what is named is what is there.

LETTERS = st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs", "Cc"))
NAME = st.text(LETTERS, min_size=1, max_size=6)
ENDING = st.sampled_from(
    [".png", ".png", ".PNG", ".svg", ".txt", ".csv", ".zip", ".jpg.part", "", ".heic", ".test.png"]
)
FILES = st.lists(st.tuples(st.lists(NAME, max_size=3), NAME, ENDING), min_size=1, max_size=12)


def count_left_out(images: Images) -> int:
    found = (re.search(r": (\d+) files? (?:is|are) left out", one) for one in images.left_out)
    return sum(int(one[1]) for one in found if one)


@given(FILES, st.data())
def test_of_any_tree_every_file_is_kept_or_counted(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[list[str], str, str]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    for parents, name, ending in files:
        place = folder.joinpath("top", *(part.strip(".") or "x" for part in parents), f"{name}{ending}")
        if (
            place.name not in (".", "..")
            and not place.exists()
            and not any(p.is_file() for p in place.parents)
        ):
            put(folder, str(place.relative_to(folder)))
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    found = walk(folder)
    assert sorted([*found.images, *found.tables, *found.metadata, *found.left_out]) == sorted(there)
    described = [name for name in found.images if data.draw(st.booleans())]
    if described:
        lines = "".join(json.dumps({"file_name": name, "text": "x"}) + "\n" for name in described)
        metadata(folder, lines, "metadata.jsonl")
    if not found.images:
        with pytest.raises(UserError, match=f"none: {len(there)} file"):
            load((str(folder),))
        return
    images = load((str(folder),))
    assert len(images) == len(described or found.images)
    assert len(images) + count_left_out(images) == len(there)


COLUMN = st.sampled_from(
    [
        *(KNOWN[2:]),
        *(
            "patient_id",
            "Subject",
            "subject ",
            "label",
            "caption",
            "mask",
            "width",
            "__index_level_0__",
            "x\ny",
            "é",
        ),
    ]
)
VALUES = st.sampled_from(
    [
        pa.array([1, 2, 2]),
        pa.array([0.5, 1.0, None]),
        pa.array(["a", None, "b"]),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.array([True, False, True]),
        pa.array([b"a", b"b", b"c"]),
        pa.array([[1], [2], [3]]),
        pa.nulls(3),
    ]
)


@given(st.dictionaries(COLUMN, VALUES, max_size=7))
def test_of_any_table_every_column_is_used_or_named(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, pa.Array]
) -> None:
    path = tmp_path_factory.mktemp("table") / "x.parquet"
    table(path, image=PICTURES[:3], text=list("abc"), **columns)
    known = {name: values for name, values in columns.items() if name in KNOWN}
    lists = any(values.type == pa.list_(pa.int64()) for values in known.values())
    if lists or ("subject" in known and known["subject"].null_count == 3):
        with pytest.raises(UserError, match=r"one value in each row|wants values, but has none"):
            load((str(path),))
        return
    images = load((str(path),))
    assert len(images) == 3
    unused = [one for one in images.left_out if "not used" in one]
    number = len(columns) - len(known)
    expected = {0: "", 1: ": not used is the column "}.get(number, f": not used are {number} columns: ")
    assert [expected in one for one in unused] == [True] * bool(number)
    for name, values in known.items():
        given = values.to_pylist()
        kept = images.column(name)
        assert all(bool(word) for word, value in zip(kept, given, strict=True) if value is not None)
        assert len({*kept}) >= len({str(one) for one in given if one is not None})
    missing = known["subject"].null_count if "subject" in known else 0
    assert any(f"{missing} of 3 rows have no subject" in one for one in images.left_out) == bool(missing)
