"""A command as the trainer: its words, what it leaves, how it fails, and that it leaves no orphan."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from ablation import Command, Diverged, Measure, Study, Tuned, UserError, catalogue
from ablation.formatting import SMOKE
from ablation.runner.results import results
from ablation.runner.scheduler import run_study
from ablation.runner.verify import verify
from ablation.tracking.artifacts import artifact
from ablation.tracking.read import cell_runs, end_running, running, settled
from ablation.tracking.recording import Label, recording
from ablation.tracking.store import Store
from doubles_suite import FakeRun
from engines import InlineEngine
from verbs import call

BASELINE = {"lr": 0.1, "augment": True, "model": {"drop_out": False, "sizes": [8, 16]}, "note": None}
PRINTS = 'printf \'{"accuracy": %s}\' {lr} > "$ABLATION_METRICS"'
"""A script of sh that is done at once."""
TRAIN = """
import argparse, mlflow
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--seed", type=int)
parser.add_argument("--augment", action="store_true")
args = parser.parse_args()
print("begins")
with mlflow.start_run(run_name="a name of its own"):
    mlflow.log_params({**vars(args), "lr": f"{args.lr:.2f}"})
    for step in range(3):
        mlflow.log_metric("accuracy", args.lr + args.seed / 1000 + step, step=step)
    mlflow.log_metric("loss", 1.5)
"""
STUDY = """
from ablation import Command, Measure, Study
study = Study(
    question="Does it learn?", source="a double", baseline={"lr": 0.1, "augment": True}, seeds=2,
    train=Command("python train.py --lr {lr} --seed {seed} {flag:augment}", curves={"accuracy": "Accuracy"}),
    arms={"fast": {"lr": 0.3}}, measures={"accuracy": Measure("higher", matters=0.01)},
)
"""


def shell(script: str, **options: Any) -> Command:
    """A command of one line of sh, with lr as its first word and the seed as its second."""
    return Command(
        ["sh", "-c", script.replace("{", "{{").replace("}", "}}"), "sh", "{lr}", "{seed}"], **options
    )


LEAVES = 'printf \'{"accuracy": %s, "loss": 1}\' $1 > $ABLATION_METRICS'


def small(command: Command, **changes: Any) -> Study:
    settings = {
        "name": "small",
        "question": "?",
        "source": "?",
        "train": command,
        "baseline": BASELINE,
        "arms": {"fast": {"lr": 0.3}},
        "measures": {"accuracy": Measure("higher", matters=0.01)},
        "seeds": 1,
    }
    return Study(**(settings | changes))


def trained(tmp_path: Path, script: str, **options: Any) -> dict[str, float]:
    return dict(shell(script, **options).train(BASELINE, 7, FakeRun(tmp_path, ["accuracy"])))


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("--lr={lr}", ["--lr=0.1"]),
        ("{augment} {model.drop_out} {note}", ["true false null"]),
        ("{model.sizes}", ["[8, 16]"]),
        ("{seed}", ["7"]),
        ("{flag:augment}", ["--augment"]),
        ("{flag:model.drop_out}", []),
        ("{{lr}}", ["{lr}"]),
        ("$HOME; {lr}*", ["$HOME; 0.1*"]),
    ],
)
def test_a_placeholder_is_filled_within_its_word(word: str, filled: list[str], tmp_path: Path) -> None:
    assert Command(["run", word]).words(BASELINE, 7, tmp_path) == ["run", *filled]


def test_a_value_stays_one_word_and_all_settings_are_json(tmp_path: Path) -> None:
    settings = {**BASELINE, "note": "a b'; rm {lr}", "augment": False}
    words = Command("run --note {note} '{settings}' {folder} {flag:augment}").words(settings, 0, tmp_path)
    assert words[:3] == ["run", "--note", "a b'; rm {lr}"]
    assert json.loads(words[3])["model.sizes"] == [8, 16]
    assert words[4:] == [str(tmp_path)]
    on = Command("run {flag:model.drop_out}")
    assert on.words({"model": {"drop_out": True}}, 0, tmp_path) == ["run", "--drop_out"]


@pytest.mark.parametrize(
    ("template", "changes", "reason"),
    [
        ("run {lrr} {seed}", {}, r"no setting 'lrr' \(did you mean 'lr'\?\); known are .*augment"),
        ("run {flag:augmen} {seed} {lr}", {}, r"no setting 'augmen' \(did you mean 'augment'"),
        ("run {flag:lr} {seed}", {}, r"{flag:lr} wants a setting that is True or False, but lr is 0.1"),
        (
            "run --{flag:augment} {seed} {lr}",
            {},
            r"wants to be a word alone, but stands in '--{flag:augment}'",
        ),
        ("run {seed}", {}, r"varies lr, but the command does not use it.*add {lr}"),
        ("run {lr} {seed}", {"tuned": Tuned("model.width", 1, 2, 2, "accuracy")}, r"varies model.width"),
        ("run {lr}", {}, r"add {seed}, or say reads_environment=True"),
        ("run {settings}", {}, r"add {seed}"),
        ("run {lr} {seed} {", {}, r"double it"),
        ("run {lr} {seed} '", {}, r"quotes want an end"),
        ("", {}, r"wants a text or a list of words"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused_as_it_is_declared(
    template: str, changes: dict[str, Any], reason: str
) -> None:
    baseline = {**BASELINE, "model": {**BASELINE["model"], "width": 1.0}}  # type: ignore[dict-item]
    with pytest.raises(UserError, match=reason):
        small(Command(template), baseline=baseline, **changes)


def test_what_reads_the_environment_needs_no_words(tmp_path: Path) -> None:
    reads = 'echo "{\\"accuracy\\": 0.$ABLATION_SEED}" > $ABLATION_METRICS; echo "$ABLATION_SETTINGS"'
    command = Command(["sh", "-c", reads.replace("{", "{{").replace("}", "}}")], reads_environment=True)
    small(command)
    assert command.train(BASELINE, 7, FakeRun(tmp_path, ["accuracy"])) == {"accuracy": 0.7}
    assert json.loads((tmp_path / "output.txt").read_text())["model.sizes"] == [8, 16]
    small(Command("run {settings} {seed}"))


@pytest.mark.parametrize(
    ("template", "folder", "reason"),
    [
        ("no-such-command {lr}", ".", r"'no-such-command' is not found"),
        ("./run.sh {lr}", ".", r"'./run.sh' is not found, or may not be executed"),
        ("python3 -u missing.py {lr}", ".", r"the script missing.py, which is not there"),
        ("sh", "none", r"wants a folder, but .*none is none"),
    ],
)
def test_what_is_not_there_is_said_before_anything_runs(
    template: str, folder: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "run.sh").write_text("")
    with pytest.raises(UserError, match=reason):
        Command(template, folder=tmp_path / folder).check(BASELINE, 0, ())
    Command("python3 -m pip {lr}").check(BASELINE, 0, ())


def test_the_metrics_are_those_of_the_json(tmp_path: Path) -> None:
    assert trained(tmp_path, LEAVES) == {"accuracy": 0.1, "loss": 1.0}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo '{\"accuracy\": 0.' > $ABLATION_METRICS", r"wants a JSON object .* cannot be read"),
        ("echo '[1]' > $ABLATION_METRICS", r"but has a list: write an object"),
        ("echo '{\"accuracy\": true}' > $ABLATION_METRICS", r"has True for 'accuracy': write a number"),
        ("echo '{\"loss\": 1}' > $ABLATION_METRICS", r"measures accuracy, but the command left loss"),
        ("true", r"measures accuracy, but the command left no metrics"),
        ("seq 9; echo no file >&2; exit 3", r"exit code 3; .* are: 6 / 7 / 8 / 9 / no file$"),
        ("exit 4", r"exit code 4; it printed nothing"),
        ("kill -SEGV $$", r"was killed by SIGSEGV"),
    ],
)
def test_what_it_does_wrong_gets_its_sentence(script: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason):
        trained(tmp_path, script)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1.7976931348623157e308"])
def test_a_measure_that_is_not_finite_is_a_result(value: str, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="accuracy is"):
        trained(tmp_path, f"echo '{{\"accuracy\": {value}}}' > $ABLATION_METRICS")
    finite = f'echo \'{{"accuracy": 1, "other": {value}}}\' > $ABLATION_METRICS'
    assert trained(tmp_path, finite)["accuracy"] == 1


def test_the_code_is_the_files_that_the_template_names(tmp_path: Path) -> None:
    script = tmp_path / "train.sh"
    script.write_text("true")
    command = Command("sh train.sh {lr}", folder=tmp_path)
    assert command.code() == Command("sh train.sh {lr}", folder=tmp_path).code() != ""
    script.write_text("false")
    assert command.code() != Command("sh train.sh {lr}", folder=tmp_path).code()
    assert Command("sh train.sh", folder=tmp_path, code_version="1").code() == "1"
    assert Command("/bin/sh -c true", folder=tmp_path).code() == ""
    assert Command("sh {lr}").name != Command("sh {seed}").name
    script.write_text(f"echo true >> train.sh; {LEAVES}")
    with pytest.raises(UserError, match="changed while the study ran"):
        Command("sh train.sh {lr}", folder=tmp_path).train(BASELINE, 0, FakeRun(tmp_path, ["accuracy"]))


# ---- what it leaves in the store


def begun(store: Store) -> Any:
    place = store.experiment("small", {})
    label = Label("small", "fast", 0, "f" * 16, "", "f" * 16)
    return recording(store, place, label, Command("run {lr} {seed}"), {"lr": 0.1, "width": 2})


def test_what_the_child_logged_stays_and_what_it_did_not_is_added(store: Store) -> None:
    client = store.client
    with begun(store) as run:
        client.log_param(run.run_id, "lr", "0.10")
        for name in ("same", "other"):
            client.log_metric(run.run_id, name, 0.5, step=3)
        client.set_tag(run.run_id, "mlflow.runName", "its own")
        client.set_terminated(run.run_id, "FAILED")
        assert run.logged() == ({"same": 0.5, "other": 0.5}, {"lr": "0.10"})
        run.finish({"same": 0.5, "other": 0.7, "new": 1.0})
    found = client.get_run(run.run_id)
    assert found.data.params == {"lr": "0.10", "width": "2", "seed": "0"}
    assert found.data.metrics == {"same": 0.5, "other": 0.7, "new": 1.0}
    assert len(client.get_metric_history(run.run_id, "same")) == 1
    assert (found.info.status, found.info.run_name) == ("FINISHED", "fast, seed 0")


def test_a_run_that_only_the_child_ended_is_not_final(store: Store) -> None:
    with begun(store) as run:
        store.client.set_terminated(run.run_id, "FINISHED")
        assert settled(store, "f" * 16, run.place) is None
        assert running(store) == ["f" * 16]
        assert cell_runs(store, "small").status.tolist() == ["RUNNING"]
        assert end_running(store, "f" * 16) == [run.run_id]  # as if the worker were dead
        assert store.client.get_run(run.run_id).info.status == "KILLED"
        run.finish({"accuracy": 1.0})
    assert settled(store, "f" * 16, run.place) is not None


def fails(settings: dict[str, Any], seed: int) -> dict[str, float]:
    raise ValueError("no such data")


def test_why_a_cell_failed_is_kept_with_its_run(store: Store) -> None:
    run_study(small(fails, name="function"), store, InlineEngine(), workers=1)  # type: ignore[arg-type]
    for run_id in cell_runs(store, "function").run_id:
        assert b"in fails" in (artifact(store, run_id, "traceback.txt") or b"")
    progress = run_study(small(shell("echo why; exit 3")), store, InlineEngine(), workers=1)
    assert set(progress.failed) == {"baseline, seed 0", "fast, seed 0"}
    frame = cell_runs(store, "small")
    assert frame.outcome.tolist() == ["failed"] * 2
    for run_id in frame.run_id:
        assert artifact(store, run_id, "output.txt") == b"why\n"
        assert artifact(store, run_id, "traceback.txt") is None
        assert artifact(store, run_id, "settings.json") is None


def test_one_that_diverges_is_a_result(store: Store) -> None:
    leaves = '[ $1 = 0.1 ] && v=$1 || v=NaN; echo "{\\"accuracy\\": $v}" > $ABLATION_METRICS'
    study = small(shell(leaves))
    run_study(study, store, InlineEngine(), workers=1)
    assert results(study, store).state.tolist() == ["complete", "diverged"]
    assert run_study(study, store, InlineEngine(), workers=1).there == 1


def test_the_whole_path_with_mlflow_in_the_child(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "mine.py").write_text(STUDY.replace('"python ', f'"{sys.executable} '))
    assert "4 trained" in said(tmp_path, store)
    frame = cell_runs(store, "mine").set_index(["arm", "seed"])
    assert frame.accuracy["fast", 1] == pytest.approx(2.301)
    assert set(frame.loss) == {1.5}
    found = store.client.get_run(frame.run_id["fast", 1])
    assert found.data.params == {"lr": "0.30", "augment": "True", "seed": "1"}
    assert (found.info.status, found.info.run_name) == ("FINISHED", "fast, seed 1")
    assert len(store.client.get_metric_history(found.info.run_id, "accuracy")) == 3
    assert artifact(store, found.info.run_id, "output.txt") == b"begins\n"
    monkeypatch.chdir(tmp_path)
    assert next(verify(catalogue.load("mine.py"), store)).equal


def said(place: Path, store: Store) -> str:
    words = [
        sys.executable,
        "-c",
        "from ablation.cli import main; main()",
        "run",
        "mine.py",
        "--workers",
        "2",
    ]
    ended = subprocess.run(
        [*words, "--store", str(store.root)], cwd=place, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return " ".join(ended.stdout.split())


# ---- no orphans

HANGS = 'setsid sleep 300 & echo $! >> "$PIDS"; sleep 300 & echo $! >> "$PIDS"; wait'
"""Two children, of which one leaves the group."""


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


@pytest.fixture
def sleepers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    path = tmp_path / "pids"
    monkeypatch.setenv("PIDS", str(path))
    path.touch()
    return lambda: [int(line) for line in path.read_text().splitlines()]


def alive(pids: list[int]) -> list[int]:
    # process_iter leaves out what ends while it is looked at.
    living = [one for one in psutil.process_iter(["status"]) if one.info["status"] != psutil.STATUS_ZOMBIE]
    return [one.pid for one in living if one.pid in pids]


def test_a_time_limit_ends_it_with_its_children(sleepers: Callable[[], list[int]], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"killed at its time limit of 3 s: raise time_limit="):
        trained(tmp_path, HANGS, time_limit=3)  # in which both children begin
    assert len(sleepers()) == 2
    wait_for(lambda: alive(sleepers()) == [])


def test_what_is_left_in_the_background_ends_with_it(
    sleepers: Callable[[], list[int]], tmp_path: Path
) -> None:
    trained(tmp_path, f"{HANGS.removesuffix('; wait')}; {LEAVES}")
    assert len(sleepers()) == 2
    wait_for(lambda: alive(sleepers()) == [])


@pytest.fixture
def hanging(tmp_path: Path, store: Store, sleepers: object) -> "subprocess.Popen[bytes]":
    (tmp_path / "hang.sh").write_text(HANGS)
    text = STUDY.replace("python train.py", "sh hang.sh").replace("seeds=2", "seeds=1")
    (tmp_path / "mine.py").write_text(text)
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hear}; from ablation.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", "mine.py", "--workers", "1", "--store", str(store.root)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_killed_worker_and_then_ctrl_c_leave_no_orphan(
    hanging: "subprocess.Popen[bytes]", sleepers: Callable[[], list[int]], store: Store
) -> None:
    wait_for(lambda: len(sleepers()) == 2)
    first = sleepers()
    guardian = psutil.Process(first[1]).parent().parent()
    guardian.parent().kill()
    wait_for(lambda: len(sleepers()) == 4)  # the cell is tried again
    wait_for(lambda: alive(first) == [])
    hanging.send_signal(signal.SIGINT)
    assert hanging.wait(90) == 130
    wait_for(lambda: alive(sleepers()) == [])
    assert cell_runs(store, "mine").status.tolist() == ["KILLED"] * 2


def test_a_killed_coordinator_leaves_no_orphan(
    hanging: "subprocess.Popen[bytes]", sleepers: Callable[[], list[int]]
) -> None:
    wait_for(lambda: len(sleepers()) == 2)
    hanging.kill()
    hanging.wait()
    wait_for(lambda: alive(sleepers()) == [])


class Logged(FakeRun):
    """A run into which another process logged parameters."""

    parameters: Mapping[str, str] = {}

    def logged(self) -> tuple[Mapping[str, float], Mapping[str, str]]:
        return {"accuracy": 1.0}, self.parameters


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"augment": "False"}, "augment = True, but logged augment = False"),
        ({"lr": "0.2"}, r"lr = 0.1, but logged lr = 0.2"),
        ({"lr": "0.10000000149", "augment": "1", "note": "else", "model.sizes": "9"}, ""),
    ],
)
def test_a_parameter_that_contradicts_its_setting_fails(
    tmp_path: Path, parameters: dict[str, str], said: str
) -> None:
    run = Logged(tmp_path, ["accuracy"])
    run.parameters = parameters
    if said:
        with pytest.raises(UserError, match=said):
            shell("true").train(BASELINE, 7, run)
    else:
        assert shell("true").train(BASELINE, 7, run) == {"accuracy": 1.0}


def test_a_script_that_leaves_its_experiment_is_told_which_line(tmp_path: Path) -> None:
    mlflows = "active experiment ID does not match environment run ID. Make sure"
    with pytest.raises(UserError, match=r"exit code 1, since it calls mlflow\.set_experiment"):
        trained(tmp_path, f"echo {mlflows}; exit 1")


def test_the_folder_and_the_files_behind_an_equals_sign_belong_to_a_command(tmp_path: Path) -> None:
    (tmp_path / "conf.yaml").write_text("a: 1")
    versions = [Command("run --config=conf.yaml {seed}", folder=tmp_path).code()]
    (tmp_path / "conf.yaml").write_text("a: 2")
    versions.append(Command("run --config=conf.yaml {seed}", folder=tmp_path).code())
    assert versions[0] != versions[1] != ""
    assert Command("run {seed}", folder="one").name != Command("run {seed}", folder="other").name


# ---- tuning, search and a smoke budget, as for any trainer

EACH = """
from ablation import Command, Measure, Range, Search, Study, Tuned
study = Study(
    question="Does it learn?", source="a double", baseline={"rate": 0.5, "width": 1, "weight": 1.0}, seeds=5,
    train=Command("sh train.sh {rate} {width} {weight} {seed}"), arms={"wide": {"width": 2}},
    measures={
        "error": Measure("lower", matters=0.01, validation=True),
        "size": Measure("neither", matters=0.1, validation=True),
    },
    tuned=Tuned("rate", 0.1, 1.0, 2, "error"),
    search=Search({"weight": Range(0.1, 1.0, log=True)}, trials=3, objectives=("error", "size"),
                  reference=(2.0, 2.0)),
)
"""
LEARNS = """awk -v r=$1 -v w=$2 -v z=$3 -v s=$4 \\
'BEGIN { printf "{\\"error\\": %.6f, \\"size\\": %.6f}", r / w + s / 1e7, 1 - z }' > $ABLATION_METRICS
"""


@pytest.fixture
def learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of a command that is tuned and may be searched: its error is the rate over the width."""
    (tmp_path / "train.sh").write_text(LEARNS)
    (tmp_path / "mine.py").write_text(EACH)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_arm_of_a_command_gets_the_best_of_its_tuned_values(learns: Path, store: Store) -> None:
    ended = call(learns, "run", "mine.py", "--workers", "2", "--seeds", "5", "--store", str(store.root))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    frame = cell_runs(store, "mine")
    assert len(frame) == 10
    assert {store.client.get_run(run).data.params["rate"] for run in frame.run_id} == {"0.1"}
    assert sorted(set(frame.error.round(3))) == [0.05, 0.1]
    assert "−0.05" in ended.stdout


def test_a_command_is_searched(learns: Path, store: Store) -> None:
    ended = call(learns, "run", "mine.py", "--search", "--store", str(store.root))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 trials: 3 trained" in ended.stdout
    assert "Hypervolume of the front" in ended.stdout


def test_a_smoke_run_of_a_command_is_two_seeds_apart_from_the_study(learns: Path, store: Store) -> None:
    ended = call(learns, "run", "mine.py", "--quick", "--store", str(store.root))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 trained" in ended.stdout
    assert SMOKE in ended.stdout
    assert sorted(set(cell_runs(store, "mine-quick").seed)) == [0, 1]
    assert cell_runs(store, "mine").empty
