"""Numbers of composites: their ends, their order, and what they must not reward."""

import pytest
import torch

from ablation.emoji.composition.scores import (
    CHANGED,
    ROOM,
    Judge,
    Row,
    changes,
    errors,
    gain_of_truths,
    gains,
    gains_by_measure,
    hits,
    inside,
)


def test_the_input_left_alone_gains_nothing_and_the_ceiling_everything() -> None:
    copy, ceiling = [0.5, 0.4], [0.1, 0.2]
    assert list(gains(copy, copy, ceiling, "de").values()) == [0, 0]
    assert list(gains(ceiling, copy, ceiling, "de").values()) == pytest.approx([1, 1])
    assert gains([0.9, 0.1], copy, ceiling, "de")["d"] < 0
    assert gains([0.9, 0.1], copy, ceiling, "de")["e"] > 1


def test_analogies_of_one_truth_count_once() -> None:
    found = gains([0.2, 0.4, 0.1], [0.5, 0.5, 0.3], [0.1] * 3, ["d", "d", "e"])
    assert found == pytest.approx({"d": 0.5, "e": 1.0})


def test_a_model_that_reconstructs_nothing_gets_no_large_gain() -> None:
    found = gains([0.49], [0.5], [0.5], "d")
    assert found["d"] == pytest.approx(0.01 / (ROOM * 0.5))


def test_an_edit_counts_where_the_change_is() -> None:
    c, d = torch.zeros(3, 3, 64, 64), torch.zeros(3, 3, 64, 64)
    d[:, :, :32] = 1
    edited = torch.zeros(3, 3, 64, 64)
    edited[0, :, :32], edited[1, :, 32:] = 0.5, 0.5
    assert inside(edited, c, c, d).tolist() == [1, 0, 1]


def test_a_hit_is_the_nearest_code_and_the_usual_exclusion_hides_the_input() -> None:
    pool = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    code, truth, given = torch.tensor([[0.4, 0.0]]), torch.tensor([1]), torch.tensor([[0, 2, 2]])
    assert hits(code, truth, pool, given, exclude=False).tolist() == [0]
    assert hits(code, truth, pool, given, exclude=True).tolist() == [1]


def test_errors_are_means_over_a_picture() -> None:
    assert errors(torch.ones(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)).tolist() == [1, 1]


def row(family: str, d: str, error: float, changed: float = 1.0, inside: float = 0.5) -> Row:
    row: Row = {"side": "unseen", "family": family, "from": "", "to": "", "d": d, "changed": changed}
    row |= {"error": error, "copy": 1.0, "ceiling": 0.0}
    return row | {"error inside": inside, "copy inside": 1.0, "ceiling inside": 0.0}


def test_errors_inside_are_of_the_pixels_that_change() -> None:
    c, d, made = torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64), torch.full((2, 3, 64, 64), 0.5)
    d[0, :, :16] = 1
    made[0, :, :16] = 0.75
    found = errors(made, d, changes(c, d))
    assert found[0] == 0.25**2
    assert found[1].isnan()
    d[1] = CHANGED  # by no more than what counts as a change
    assert not changes(c, d)[1].any()


def test_where_every_pixel_changes_the_gain_inside_the_change_is_the_gain() -> None:
    rng = torch.Generator().manual_seed(0)
    c, made, best = (torch.rand(5, 3, 64, 64, generator=rng) / 4 for _ in range(3))
    d = c + 0.5
    rows = []
    for n, found in enumerate(
        zip(
            *(errors(one, d, where).tolist() for one in (made, c, best) for where in (None, changes(c, d))),
            strict=True,
        )
    ):
        names = ("error", "error inside", "copy", "copy inside", "ceiling", "ceiling inside")
        rows.append(row("tone", str(n), 0.0) | dict(zip(names, found, strict=True)))
    assert gain_of_truths(rows, inside=True) == pytest.approx(gain_of_truths(rows), abs=1e-5)
    found = gains_by_measure(rows, {"tone"})
    assert found["gain_changed"]["tone"] == pytest.approx(found["gain_large"]["tone"], abs=1e-5)


def test_only_large_families_enter_what_judges_methods() -> None:
    tones = [row("tone", f"tone {n}", 0.2) for n in range(30)]
    cats = [row("faces", f"cat {n}", 3.0, inside=2.0) for n in range(2)]
    found = gains_by_measure([*tones, *cats], {"tone"})
    assert {name: set(parts) for name, parts in found.items()} == {
        "gain": {"tone", "faces"},
        "gain_large": {"tone"},
        "gain_changed": {"tone"},
        **{f"{name}_{family}": {family} for name in ("gain", "gain_changed") for family in ("tone", "faces")},
    }
    worse = gains_by_measure([*tones, *(one | {"error": 9.0} for one in cats)], {"tone"})
    assert worse["gain_large"] == found["gain_large"]
    assert worse["gain"] != found["gain"]
    assert "gain_large" not in gains_by_measure([*tones, *cats], set())


def test_without_one_of_the_large_families_there_is_no_mean_over_them() -> None:
    found = gains_by_measure([row("tone", "a", 0.2)], {"tone", "gender"})
    assert found.keys() == {"gain", "gain_tone", "gain_changed_tone"}


def test_a_truth_to_which_nothing_changes_has_no_gain_inside() -> None:
    rows = [row("tone", "still", 0.2, changed=0.0, inside=float("nan")), row("tone", "moves", 0.2)]
    found = gains_by_measure(rows, {"tone"})
    assert found["gain_changed"]["tone"].keys() == {"moves"}
    assert found["gain_large"]["tone"].keys() == {"still", "moves"}


def test_the_judge_names_what_it_was_shown() -> None:
    rng = torch.Generator().manual_seed(0)
    dark, light = (torch.randint(low, low + 60, (8, 3, 64, 64), generator=rng) for low in (0, 180))
    pictures = torch.cat([dark, light]).to(torch.uint8)
    judge = Judge(pictures, ["dark"] * 8 + ["light"] * 8)
    assert judge(pictures / 255) == ["dark"] * 8 + ["light"] * 8


def test_a_judge_that_was_shown_one_value_names_it() -> None:
    pictures = torch.zeros(3, 3, 64, 64, dtype=torch.uint8)
    assert Judge(pictures, ["heart"] * 3)(torch.zeros(2, 3, 64, 64)) == ["heart", "heart"]
