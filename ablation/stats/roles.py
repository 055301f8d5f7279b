"""Settings by their role, in words: held fixed in every arm, or tuned afresh for each."""

from collections.abc import Iterator

from ablation.emoji.spec import flat
from ablation.formatting import count, listing
from ablation.study import Study
from ablation.tuning import TUNING_SEED, Tuned


def fixed_words(study: Study) -> str:
    """The settings that every arm shares, as one sentence."""
    settings = ", ".join(f"{name} = {_value(value)}" for name, value in study.fixed.items())
    return f"Held fixed in every arm{'' if study.tuned else ' and tuned in none'}: {settings}."


def tuned_caveats(study: Study) -> Iterator[str]:
    """What was tuned, how, and what was chosen for each arm; nothing where nothing is tuned."""
    if study.tuned is None:
        return
    name, tuned = study.tuned.setting, study.tuned
    yield (
        f"{name} is tuned afresh for every arm, over {count(tuned.trials, 'trial')} each: the same values "
        f"from {tuned.least:g} to {tuned.largest:g}, evenly spaced on a logarithmic scale. Chosen is the one "
        "with the least validation loss, the arm's own, on the validation images of one split of its own "
        f"(seed {TUNING_SEED}, study {study.name}-tuning), which draws from the same pool as the seeds' test "
        "sets."
    )
    if chosen := [f"{study.chosen[arm]:g} for {arm}" for arm in study.specs if arm in study.chosen]:
        yield f"Chosen {name}: {listing(chosen)}."
    if open_ := [arm for arm in study.specs if arm not in study.chosen]:
        yield f"Not chosen yet for {listing(open_)}: there {name} is {_value(flat(study.baseline)[name])}."


def edge_warnings(study: Study) -> Iterator[str]:
    """A warning where the best value of an arm is the least or the largest that was tried."""
    if study.tuned is None:
        return
    edge = [arm for arm in study.specs if arm in study.chosen and _on_edge(study.tuned, study.chosen[arm])]
    if edge:
        yield (
            f"The best {study.tuned.setting} lies on the edge of the range tried for {listing(edge)}: a "
            "better one may lie beyond it, so that such an arm may be tuned less well than others."
        )


def _on_edge(tuned: Tuned, value: float) -> bool:
    return not tuned.values[0] < value < tuned.values[-1]


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ":".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value) or "(empty)"
