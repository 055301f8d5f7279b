"""Blocks: the whole comparison of a study made again on each of several data sets, or under other conditions.

A block is declared by the settings that make it. A study with blocks has every arm in every block, under a
name of its own, as in "wide, wine", and an arm is compared within its block.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ablation.errors import UserError, check_known
from ablation.settings import flat, vary

FEWEST_BLOCKS = 5
"""Below this no claim is about new blocks."""


@dataclass(frozen=True)
class Blocks:
    """names[block][arm] is what the arm that is declared as `arm` is called in `block`."""

    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, arm: str) -> str:
        """The block of the arm of that name; "" without blocks."""
        return next((block for block, names in self.names.items() if arm in names.values()), "")


def expanded(
    baseline: Any,
    arms: Mapping[str, Mapping[str, Any]],
    against: Mapping[str, str],
    blocks: Mapping[str, Mapping[str, Any]],
) -> tuple[Any, dict[str, Mapping[str, Any]], dict[str, str], Blocks]:
    """Baseline, arms and against of a study with every arm in every block; the baseline is in the first.

    Raises `UserError` where blocks do not set the same settings, or an arm changes one of them.
    """
    if len(blocks) < 2:
        raise UserError(f"blocks of Study wants at least two, but got {len(blocks)}: leave it out.")
    first = next(iter(blocks.values()))
    for block, changes in blocks.items():
        if set(changes) != set(first):
            raise UserError(
                f"blocks of Study wants the same settings in every block, but {block!r} sets "
                f"{', '.join(sorted(changes)) or 'none'} and the first one {', '.join(sorted(first))}."
            )
    settings = [flat(vary(baseline, changes)) for changes in blocks.values()]
    if twice := [name for name, one in zip(blocks, settings, strict=True) if settings.count(one) > 1]:
        raise UserError(f"the blocks {twice[0]!r} and {twice[1]!r} have equal settings: drop one.")
    for arm, changes in arms.items():
        if both := sorted(set(changes) & set(first)):
            raise UserError(f"{both[0]} is what tells the blocks apart, but {arm!r} changes it: drop one.")
    baseline = vary(baseline, first)
    alike = [arm for arm, changes in arms.items() if flat(vary(baseline, changes)) == flat(baseline)]
    reference = alike[0] if alike else "baseline"
    whole = arms if alike else {reference: {}, **arms}
    for name in [*against, *against.values()]:
        check_known("arm", name, whole)
    if len(whole) < 2:
        raise UserError("a study wants at least one arm beside its baseline, but got none.")
    names = {block: {arm: f"{arm}, {block}" for arm in whole} for block in blocks}
    called = [name for own in names.values() for name in own.values()]
    if twice := [name for name in called if called.count(name) > 1]:
        raise UserError(f"two arms in blocks are called {twice[0]!r}: rename an arm or a block.")
    compared = {
        names[block][arm]: names[block][against.get(arm, reference)]
        for number, block in enumerate(blocks)
        for arm in whole
        if arm in against or number
    }
    return (
        baseline,
        {names[block][arm]: {**changes, **whole[arm]} for block, changes in blocks.items() for arm in whole},
        compared,
        Blocks(names),
    )
