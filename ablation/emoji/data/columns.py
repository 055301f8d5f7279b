"""Any data set of `datasets` to the six columns of an image set, and sets to one set."""

from collections.abc import Sequence
from typing import Any

from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets
from datasets import Image as ImageFeature

from ablation.errors import UserError
from ablation.texts import unfit

MOST_LETTERS = 10_000  # of a text: it names a picture, in pages that show it many times over
WORDS = ("text", "emoji", "group", "subgroup", "subject")
_STRINGS = (Value("string"), Value("large_string"))
FEATURES = Features(image=ImageFeature(decode=False), **{name: Value("string") for name in WORDS})


def concatenate(*sets: Dataset) -> Dataset:
    """The rows of all sets, in order; sets whose columns or types differ are a `UserError`.

    `datasets.concatenate_datasets` joins such sets without a word and fills the holes with None: 204
    rows with image, text and label and 204 with an image alone make 408 images and 204 texts, which is
    how the report's augmented set lost half of its texts and labels (part 1 a).
    """
    first = sets[0].features
    for number, other in enumerate((one.features for one in sets[1:]), start=2):
        names = sorted({*first, *other}, key=[*first, *other].index)
        if differing := [name for name in names if first.get(name) != other.get(name)]:
            raise UserError(
                f"sets that are joined want the same columns, but set 1 has {', '.join(first)}, set {number} "
                f"has {', '.join(other)}; they differ in {', '.join(differing)}: add, drop or cast columns."
            )
    return concatenate_datasets(list(sets))


def normalise(rows: Dataset, source: str) -> Dataset:
    """The same rows with the columns `image` (not decoded) and `text, emoji, group, subgroup, subject`.

    The image is the one column of images. The text is the column `text`, else the one column of
    strings, else the one class label. `subject` falls back on the text, the others on "". A set without
    rows, image or text, or with a row that has none, is a `UserError`, and so is a text of more than 10,000
    characters or with a control character other than tabs and line breaks. A text may be empty, or that of
    several rows.
    """
    if not len(rows):
        raise UserError(f"{source} wants at least one image, but it has no rows: choose another source.")
    image, text = _image_column(rows.features, source), _text_column(rows.features, source)
    texts = _strings(rows, text)
    if missing := [row for row, value in enumerate(texts) if value is None]:
        raise UserError(
            f"every row of {source} wants a text, but {len(missing)} of {len(texts)} have none, "
            f"the first in row {missing[0]}: fill or drop them."
        )
    words = {name: _words(rows, name, texts if name == "subject" else [""] * len(rows)) for name in WORDS}
    words["text"] = [str(value) for value in texts]
    for name, values in words.items():
        _check_words(values, name, source)
    pictures = rows.cast_column(image, FEATURES["image"])[image][:]
    return Dataset.from_dict({"image": pictures, **words}, features=FEATURES)


def _check_words(values: Sequence[str], name: str, source: str) -> None:
    for row, value in enumerate(values):
        if len(value) > MOST_LETTERS:
            raise UserError(
                f"the column {name} of {source} wants at most {MOST_LETTERS:,} characters in a row, but row "
                f"{row} has {len(value):,}: shorten it."
            )
        if odd := unfit(value):
            raise UserError(
                f"the column {name} of {source} wants text without control characters, but row {row} has "
                f"{odd}: drop it."
            )


def _image_column(features: Features, source: str) -> str:
    names = [name for name, kind in features.items() if isinstance(kind, ImageFeature)]
    names = names or [name for name, kind in features.items() if _encoded(kind)]
    if len(names) != 1:
        raise UserError(
            f"{source} wants exactly one column of images, but has {' and '.join(names) or 'none'} among "
            f"{', '.join(features)}: keep one."
        )
    return str(names[0])


def _encoded(kind: Any) -> bool:
    return kind == Value("binary") or (isinstance(kind, dict) and {*kind} == {"bytes", "path"})


def _text_column(features: Features, source: str) -> str:
    kinds = {name: kind for name, kind in features.items() if name not in WORDS[1:]}
    strings = [name for name, kind in kinds.items() if kind in _STRINGS]
    labels = [name for name, kind in kinds.items() if isinstance(kind, ClassLabel)]
    candidates = [name for name in (*strings, *labels) if name == "text"] or strings or labels
    if len(candidates) == 1:
        return str(candidates[0])
    raise UserError(
        f"{source} wants a column 'text' of strings (or one other column of strings or of class labels), "
        f"but has {', '.join(features)}: rename or add one."
    )


def _strings(rows: Dataset, name: str) -> list[str | None]:
    kind, values = rows.features[name], rows[name][:]
    if not isinstance(kind, ClassLabel):
        return list(values)
    return [None if value is None or value < 0 else kind.int2str(value) for value in values]


def _words(rows: Dataset, name: str, default: list[Any]) -> list[str]:
    if rows.features.get(name) not in _STRINGS:
        return default
    return [other if value is None else value for value, other in zip(rows[name][:], default, strict=True)]
