"""Sources to images: the facts of the shipped set, every kind of source, and every kind of broken one."""

import io
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import huggingface_hub
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from ablation.emoji.data import sources
from ablation.emoji.data.images import Images
from ablation.emoji.data.sources import load
from ablation.errors import UserError

RED, BLUE = (255, 0, 0), (0, 0, 255)
WHITE, BLACK = [255] * 3, [0] * 3
JUNK = {"bytes": b"junk", "path": None}


def encoded(image: Image.Image, kind: str = "PNG") -> dict[str, Any]:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return {"bytes": buffer.getvalue(), "path": None}


def plain(colour: tuple[int, ...] = RED, size: tuple[int, int] = (64, 64)) -> dict[str, Any]:
    return encoded(Image.new("RGB", size, colour))


def parquet(path: Path, columns: dict[str, Any], image: str | None = "image") -> str:
    rows = Dataset.from_dict(columns)
    if image:
        rows = rows.cast_column(image, datasets.Image())
    rows.to_parquet(str(path))
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return parquet(tmp_path / "two.parquet", {"image": [plain(RED), plain(BLUE)], "text": ["a face", "b"]})


def random_images(count: int, seed: int = 0) -> Images:
    pixels = torch.randint(0, 256, (count, 3, 64, 64), generator=torch.Generator().manual_seed(seed))
    words = tuple(f"text {number}" for number in range(count))
    return Images(pixels.to(torch.uint8), *[words] * 6)


# The shipped set.


def test_the_shipped_set_is_as_documented() -> None:
    images = load(("emoji",))
    assert len(images) == 3655
    assert images.pixels.shape == (3655, 3, 64, 64)
    assert images.pixels.dtype == torch.uint8
    assert images.fingerprint == "c844d77ece87b421"
    assert sum("face" in text for text in images.text) == 254
    assert len(set(images.subject)) == 1668
    assert images.text[images.emoji.index("😍")] == "smiling face with heart-shaped eyes"


def test_no_two_subjects_of_the_shipped_set_share_a_picture() -> None:
    images = load(("emoji",))
    owner: dict[bytes, str] = {}
    shared = [
        (subject, other)
        for pixels, subject in zip(images.pixels, images.subject, strict=True)
        if (other := owner.setdefault(pixels.numpy().tobytes(), subject)) != subject
    ]
    assert shared == []
    assert len(owner) < len(images)  # within a subject pictures do repeat: the law above says something


# Kinds of sources.


def test_a_parquet_file_gives_its_pixels_and_texts_and_fills_the_rest(file: str) -> None:
    images = load((file,))
    assert images.pixels[:, :, 0, 0].tolist() == [list(RED), list(BLUE)]
    assert images.text == images.subject == ("a face", "b")
    assert images.emoji == images.group == images.subgroup == ("", "")


def test_the_words_of_a_parquet_file_are_kept(tmp_path: Path) -> None:
    words = {"text": ["x"], "emoji": ["e"], "group": ["g"], "subgroup": ["s"], "subject": ["thing"]}
    images = load((parquet(tmp_path / "w.parquet", {"image": [plain()], **words}),))
    assert {name: list(getattr(images, name)) for name in words} == words


@pytest.mark.parametrize("columns", [{"caption": ["x"]}, {"text": ["x"], "caption": ["y"]}])
def test_the_only_column_of_strings_is_the_text_unless_one_is_called_so(
    tmp_path: Path, columns: dict[str, list[str]]
) -> None:
    assert load((parquet(tmp_path / "c.parquet", {"image": [plain()], **columns}),)).text == ("x",)


def test_encoded_bytes_without_the_metadata_of_datasets_are_images(tmp_path: Path) -> None:
    columns = {"picture": [plain()["bytes"]], "text": ["x"]}
    images = load((parquet(tmp_path / "b.parquet", columns, image=None),))
    assert images.pixels[0, :, 9, 9].tolist() == list(RED)


def test_a_folder_takes_its_texts_from_its_metadata(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Image.new("RGB", (64, 64), RED).save(tmp_path / f"{name}.png")
    lines = [f'{{"file_name": "{name}.png", "text": "number {name}"}}' for name in ("one", "two")]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert load((str(tmp_path),)).text == ("number one", "number two")


def test_a_folder_without_metadata_takes_them_from_its_folders(tmp_path: Path) -> None:
    for name, colour in (("cat", RED), ("dog", BLUE)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (64, 64), colour).save(tmp_path / name / "1.png")
    images = load((str(tmp_path),))
    assert dict(zip(images.text, images.pixels[:, :, 0, 0].tolist(), strict=True)) == {
        "cat": list(RED),
        "dog": list(BLUE),
    }


def test_of_an_animation_in_a_folder_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE)]
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        frames[0].save(tmp_path / name / "1.gif", save_all=True, append_images=frames[1:])
    assert load((str(tmp_path),)).pixels[:, :, 0, 0].tolist() == [list(RED)] * 2


def test_several_sources_come_one_after_another(file: str, tmp_path: Path) -> None:
    other = parquet(tmp_path / "o.parquet", {"image": [plain(BLUE)], "text": ["c"], "group": ["g"]})
    images = load((file, other))
    assert images.text == ("a face", "b", "c")
    assert images.group == ("", "", "g")
    assert images.pixels[:, :, 0, 0].tolist() == [list(RED), list(BLUE), list(BLUE)]


def test_a_source_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    before = load((parquet(path, {"image": [plain()], "text": ["old"]}),))
    assert load((str(path),)) is before
    parquet(path, {"image": [plain()], "text": ["new"]})
    os.utime(path, ns=(1, 1))
    assert load((str(path),)).text == ("new",)


# Pictures.


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [("RGBA", (255, 0, 0, 0), WHITE), ("LA", (0, 255), BLACK), ("L", 7, [7] * 3), ("CMYK", (0,) * 4, WHITE)],
)
def test_every_mode_becomes_rgb_and_transparency_white(
    tmp_path: Path, mode: str, colour: Any, seen: list[int]
) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = encoded(Image.new(mode, (64, 64), colour), kind)
    images = load((parquet(tmp_path / "m.parquet", {"image": [image], "text": ["x"]}),))
    assert images.pixels[0, :, 5, 5].tolist() == seen


def test_a_palette_with_a_transparent_colour_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (64, 64), 0)
    image.putpalette([10, 20, 30])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    columns = {"image": [{"bytes": buffer.getvalue(), "path": None}], "text": ["x"]}
    assert load((parquet(tmp_path / "p.parquet", columns),)).pixels.min() == 255


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 64), RED)
    image.paste(BLUE, (0, 0, 64, 32))
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 3
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=turned)
    columns = {"image": [{**JUNK, "bytes": buffer.getvalue()}], "text": ["x"]}
    pixels = load((parquet(tmp_path / "u.parquet", columns),)).pixels[0]
    assert pixels[:, 10, 10].tolist() == list(RED)
    assert pixels[:, 50, 10].tolist() == list(BLUE)


def test_a_wide_image_keeps_its_aspect_and_is_padded_with_white(tmp_path: Path) -> None:
    columns = {"image": [plain(RED, size=(256, 128))], "text": ["x"]}
    pixels = load((parquet(tmp_path / "w.parquet", columns),)).pixels[0]
    assert pixels[:, 0, 32].tolist() == [255] * 3
    assert pixels[:, 32, 0].tolist() == list(RED)
    assert (pixels[1] == 0).sum() == 64 * 32


def test_reduction_averages_what_it_drops(tmp_path: Path) -> None:
    stripes = Image.new("L", (256, 256))
    stripes.putdata([255 * (column % 2) for _ in range(256) for column in range(256)])
    columns = {"image": [encoded(stripes)], "text": ["x"]}
    pixels = load((parquet(tmp_path / "s.parquet", columns),)).pixels.float()
    assert (pixels[..., 8:-8, 8:-8] - 127.5).abs().max() < 3  # a plain pick of every fourth column is all 0


# The fingerprint.


@given(st.integers(1, 4), st.data())
def test_the_fingerprint_changes_with_a_pixel_a_word_or_the_order(count: int, data: st.DataObject) -> None:
    images = random_images(count + 1)
    number = data.draw(st.integers(0, count))
    pixels = images.pixels.clone()
    pixels[number, 1, 2, 3] ^= 1
    reverse = {name: getattr(images, name)[::-1] for name in ("text", "group", "subgroup", "subject")}
    renamed = (*images.text[:number], "another", *images.text[number + 1 :])
    changed = [
        replace(images, pixels=pixels),
        replace(images, pixels=images.pixels.flip(0), **reverse),
        *(replace(images, **{name: renamed}) for name in reverse),
    ]
    assert len({images.fingerprint, *(other.fingerprint for other in changed)}) == len(changed) + 1


def test_the_fingerprint_does_not_change_with_place_time_or_encoding(file: str, tmp_path: Path) -> None:
    webp = io.BytesIO()
    Image.new("RGB", (64, 64), BLUE).save(webp, "WEBP", lossless=True)
    columns = {"image": [plain(RED), {"bytes": webp.getvalue(), "path": None}], "text": ["a face", "b"]}
    other = parquet(tmp_path / "elsewhere.parquet", {**columns, "number": [1, 2]})
    os.utime(other, ns=(1, 1))
    assert load((file,)).fingerprint == load((other,)).fingerprint


# Joining sets.


def shards(folder: Path, *parts: dict[str, Any]) -> str:
    """A folder of Parquet files with these columns."""
    folder.mkdir()
    for number, columns in enumerate(parts):
        parquet(folder / f"part-{number}.parquet", columns)
    return str(folder)


def test_files_with_other_columns_are_refused_where_datasets_loses_half_of_the_report(tmp_path: Path) -> None:
    originals = Dataset.from_dict({"image": [0] * 204, "text": ["x"] * 204, "label": [1] * 204})
    augmented = Dataset.from_dict({"image": [0] * 204})
    joined = datasets.concatenate_datasets([originals, augmented])
    present = {name: sum(value is not None for value in joined[name]) for name in joined.column_names}
    assert present == {"image": 408, "text": 204, "label": 204}  # what the report saw (part 1 a)
    whole = {"image": [plain()], "text": ["x"], "label": [1]}
    folder = shards(tmp_path / "set", whole, {"image": [plain()]})
    with pytest.raises(UserError, match=r"part-1\.parquet has image; they differ in text, label"):
        load((folder,))


def test_files_whose_types_differ_are_refused(tmp_path: Path) -> None:
    parts = ({"image": [plain()], "text": ["x"], "subject": subject} for subject in ([1], ["1"]))
    with pytest.raises(UserError, match="they differ in subject: add, drop or cast"):
        load((shards(tmp_path / "set", *parts),))


def test_files_with_equal_columns_are_joined_in_order_and_nothing_is_lost(tmp_path: Path) -> None:
    parts = [["a", "b"], ["c"], ["d", "e", "f"]]
    folder = shards(tmp_path / "set", *({"image": [plain()] * len(p), "text": p} for p in parts))
    images = load((folder,))
    assert images.text == ("a", "b", "c", "d", "e", "f")
    assert images.left_out == ()


# What cannot be loaded.


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"picture": [1], "text": ["x"]}, "exactly one column of images, but has none among picture, text"),
        ({"image": [plain()], "number": [1]}, "wants a column 'text' .* but has number"),
        ({"image": [plain()], "a": ["x"], "b": ["y"]}, "wants a column 'text' .* but has a, b"),
        ({"image": [plain()] * 3, "text": ["x", None, None]}, "2 of 3 have none, the first in row 1"),
        ({"image": [plain(), JUNK], "text": ["x", "y"]}, "row 1 cannot be decoded"),
        ({"image": [plain(), None], "text": ["x", "y"]}, r"row 1 cannot be decoded \(it is empty\)"),
        ({"image": [encoded(Image.new("I;16", (64, 64)))], "text": ["x"]}, r"8-bit .* mode is I;16"),
        ({"image": [{**JUNK, "bytes": plain()["bytes"][:90]}], "text": ["x"]}, "row 0 cannot be decoded"),
    ],
)
def test_a_file_without_a_usable_image_or_text_is_refused(
    tmp_path: Path, columns: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        load((parquet(tmp_path / "bad.parquet", columns, "image" if "image" in columns else None),))


def test_two_columns_of_images_are_refused(tmp_path: Path) -> None:
    rows = Dataset.from_dict({"a": [plain()], "b": [plain()], "text": ["x"]})
    rows = rows.cast_column("a", datasets.Image()).cast_column("b", datasets.Image())
    rows.to_parquet(str(tmp_path / "t.parquet"))
    with pytest.raises(UserError, match="exactly one column of images, but has a and b"):
        load((str(tmp_path / "t.parquet"),))


def test_a_file_without_rows_is_refused(file: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    Dataset.from_parquet(file, cache_dir=str(tmp_path / "cache")).select([]).to_parquet(str(empty))
    with pytest.raises(UserError, match="at least one image, but it has no rows"):
        load((str(empty),))


@pytest.mark.parametrize("keep", [0, 3, 200, -1])
def test_a_truncated_file_is_refused(file: str, keep: int) -> None:
    whole = Path(file).read_bytes()
    Path(file).write_bytes(whole[:keep])
    with pytest.raises(UserError, match=r"two\.parquet cannot be read"):
        load((file,))


def test_a_folder_without_texts_or_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"at least one image that Pillow can read, .* it is empty"):
        load((str(tmp_path),))
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    with pytest.raises(UserError, match=r"wants a column 'text' .* or every image in a folder"):
        load((str(tmp_path),))


@pytest.mark.parametrize("source", ["missing.parquet", "emojis", "a/b/c", "pictures.zip", "/nowhere/at all"])
def test_a_source_of_no_kind_is_refused(source: str) -> None:
    with pytest.raises(UserError, match="is none of these and no such file or folder exists"):
        load((source,))


# The hub: a closed port stands for a machine without a network.


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder in which the hub's library keeps its downloads; its server refuses connections."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def keep(cache: Path, commit: str, text: str) -> None:
    repository = cache / "datasets--somebody--faces"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    parquet(repository / "snapshots" / commit / "train.parquet", {"image": [plain()], "text": [text]})


@pytest.mark.parametrize("name", ["valhalla/emoji-dataset", "valhalla/emoji-dataset@" + "0" * 40])
@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_hub_is_given_up_at_once(name: str) -> None:
    start = time.monotonic()
    with pytest.raises(UserError, match=f"'{name}' is wanted .* cannot be reached .* no copy is kept here"):
        load((name,))
    assert time.monotonic() - start < 5


def test_without_a_network_a_kept_copy_is_used_at_the_revision_that_is_asked(no_network: Path) -> None:
    keep(no_network, "a" * 40, "older")
    keep(no_network, "b" * 40, "newer")
    assert load(("somebody/faces",)).text == ("newer",)
    assert load((f"somebody/faces@{'a' * 40}",)).text == ("older",)


def test_the_commit_that_the_hub_names_is_the_one_that_is_loaded(
    no_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(no_network, "a" * 40, "named")
    keep(no_network, "b" * 40, "newest")
    asked: list[tuple[str, str | None]] = []

    def answer(_: object, name: str, revision: str | None, timeout: float) -> huggingface_hub.DatasetInfo:
        asked.append((name, revision))
        return huggingface_hub.DatasetInfo(id=name, sha="a" * 40)

    def download(name: str, *, repo_type: str, revision: str) -> str:
        return huggingface_hub.snapshot_download(
            name, repo_type=repo_type, revision=revision, local_files_only=True
        )

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", answer)
    monkeypatch.setattr(sources, "snapshot_download", download)
    assert load(("somebody/faces@v1",)).text == ("named",)
    assert asked == [("somebody/faces", "v1")]


def test_a_set_that_the_hub_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        response = SimpleNamespace(headers={}, request=None)
        raise huggingface_hub.errors.RepositoryNotFoundError("no such set", response=response)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    with pytest.raises(UserError, match="no public data set on the hub called 'nobody/nothing'"):
        load(("nobody/nothing",))


def kept_with(cache: Path, readme: str, **rows: int) -> None:
    """A kept copy with this README and Parquet files of so many rows."""
    sources._load.cache_clear()  # in a process a set on the hub is read once
    keep(cache, "a" * 40, "x")
    folder = cache / "datasets--somebody--faces" / "snapshots" / ("a" * 40)
    (folder / "train.parquet").unlink()
    (folder / "README.md").write_text(readme)
    (folder / ".gitattributes").write_text("")
    for name, number in rows.items():
        parquet(folder / f"{name}.parquet", {"image": [plain()] * number, "text": [name] * number})


README = """---
dataset_info:
  features: []
  splits:
  - {{name: train, num_examples: {}}}
  - {{name: test, num_examples: 1}}
---
# Faces
"""


def test_all_files_of_a_set_on_the_hub_are_rows_whatever_they_are_called(no_network: Path) -> None:
    kept_with(no_network, README.format(2), test=1, train=2)
    images = load(("somebody/faces",))
    assert images.text == ("test", "train", "train")
    (said,) = images.left_out
    assert said == ("somebody/faces: 2 files are left out: 1 .gitattributes (hidden) and 1 *.md (no images).")


def test_a_set_that_declares_another_number_of_rows_than_it_has_is_refused(no_network: Path) -> None:
    kept_with(no_network, README.format(5), test=1, train=2)
    with pytest.raises(UserError, match="declares 6 rows, but its Parquet files have 3"):
        load(("somebody/faces",))


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        ("configs:\n- config_name: small\n- config_name: large", r"has 2 configurations \(small and large\)"),
        ("configs: [", "wants to be YAML"),
        ("configs: 7", "wants to be YAML"),
    ],
)
def test_a_set_of_which_nobody_knows_what_is_meant_is_refused(
    no_network: Path, head: str, complaint: str
) -> None:
    kept_with(no_network, f"---\n{head}\n---\n", train=1)
    with pytest.raises(UserError, match=complaint):
        load(("somebody/faces",))
