"""Random streams: named, independent, derived from the seed alone."""

from ablation.seeds import derive


def test_streams_of_different_names_and_seeds_differ() -> None:
    keys = {
        derive(seed, name) for seed in range(100) for name in ("init", "order", "augment", "split", "dropout")
    }
    assert len(keys) == 500


def test_names_are_not_confused_with_each_other() -> None:
    assert derive(1, "a", "b") != derive(1, "ab")
    assert derive(11, "a") != derive(1, "1a")
