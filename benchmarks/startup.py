"""How long the verbs take before they say anything: wall seconds of a command in a new process.

    python benchmarks/startup.py [--repeats 5] [--no-warm]

Each verb is started as a user does, by the installed console script, once to warm the file cache and then
`repeats` times; the median counts. The store holds the cells of latent_size under two seeds, as finished
runs that were invented (see growth.py): so that `status` and `table` have something to read.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from apart import ABLATION, fresh, seconds_of
from reached import Reached, show

AT_ONCE = 0.3  # seconds: what feels like no wait
VERBS = {
    "--help": AT_ONCE,
    "list": AT_ONCE,
    "status latent_size": None,
    "plan latent_size": None,
    "table latent_size": None,
    "doctor": None,
    "run --help": None,
}
READERS = ("status", "plan", "table", "doctor")
SEEDS = 2


def invented(root: Path) -> None:
    """Fill a store there; to be called in a process of its own."""
    from growth import fill

    from ablation import catalogue
    from ablation.tracking import Store

    fill(catalogue.load("latent_size"), Store(root), SEEDS)


def measure(repeats: int = 5, warm: bool = True) -> list[Reached]:
    """Median seconds of every verb."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        fresh(invented, store)
        return [_of(verb, target, store, repeats, warm) for verb, target in VERBS.items()]


def _of(verb: str, target: float | None, store: Path, repeats: int, warm: bool) -> Reached:
    words = [ABLATION, *verb.split()]
    if words[1] in READERS:
        words += ["--store", store]
    spent = [seconds_of(*words) for _ in range(repeats + warm)][int(warm) :]
    note = f"{min(spent):.2f} to {max(spent):.2f} s"
    return Reached("g", f"ablation {verb}", statistics.median(spent), "s", target, False, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-warm", dest="warm", action="store_false", help="count the first start, too")
    options = parser.parse_args()
    show(measure(options.repeats, options.warm))


if __name__ == "__main__":
    main()
