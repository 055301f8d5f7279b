"""The command line: mistakes get one sentence and code 2 and write nothing; the verbs show what is there."""

import fcntl
import io
import json
import os
import pty
import re
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from rich.console import Console

from ablation import catalogue, cli
from ablation.report.export import summarise
from ablation.runner.ledger import Ledger
from ablation.runner.scheduler import run_study
from ablation.terminal import say
from ablation.tracking.store import Store
from engines import InlineEngine, folder_of

Run = Callable[..., tuple[int, str, str]]

STUDY = """
from ablation import Study
from doubles_suite import BASELINE, Tiny

measures = {{"miss": 0.01}}
arms = {arms}
tiny = {{"train": Tiny(), "baseline": BASELINE}}
study = Study(question="?", source="a double", arms=arms, measures=measures, seeds=1, **tiny)
"""


@pytest.fixture
def ablation(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command line in this process: its exit code, what it said, what it complained of."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["ablation", *map(str, words)])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def write_study(folder: Path, arms: str = '{"fast": {"rate": 0.3}}') -> Path:
    path = folder / "mine.py"
    path.write_text(STUDY.format(arms=arms))
    return path


def refused(answer: tuple[int, str, str]) -> str:
    """The one sentence of a refusal."""
    code, _, complaint = answer
    assert code == 2, answer
    assert len(complaint.splitlines()) == 1, complaint
    assert complaint.strip().endswith("."), complaint
    return complaint


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "latentsize"], "no study 'latentsize' (did you mean 'latent_size'"),
        (["run", "latent_size", "--seeds", "0"], "--seeds wants a whole number from 1 to 1000, but got '0'"),
        (
            ["run", "latent_size", "--seeds", "many"],
            "--seeds wants a whole number from 1 to 1000, but got 'many'",
        ),
        (["run", "latent_size", "--workers", "0"], "--workers wants a whole number from 1 to 256"),
        (["plan", "latent_size", "--workers", "-3"], "--workers wants a whole number from 1 to 256"),
        (
            ["table", "latent_size"],
            "latent_size has no runs in mlruns: run it first",
        ),
        (["export", "latent_size", "--to", "out"], "has no runs in mlruns"),
        (["ui"], "mlruns holds no runs yet: run a study first"),
        (["rnu"], "No such command 'rnu'"),
        (["run"], "Missing argument 'STUDY...'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_sentence_and_writes_nothing(
    ablation: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(ablation(*words))
    assert folder_of(tmp_path) == []


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ("{'fast': {'rat': 4}}", "line 8: there is no setting 'rat' (did you mean"),
        (
            "{'fast': {'rate': 4}, ",
            "line 6: '{' was never closed",
        ),
    ],
)
def test_a_wrong_study_file_is_named_with_its_line(
    ablation: Run, tmp_path: Path, arms: str, message: str
) -> None:
    study = write_study(tmp_path, arms)
    assert f"mine.py, {message}" in refused(ablation("run", study, "--store", tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_store_that_cannot_be_written_is_said_before_training(ablation: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    answer = ablation("run", write_study(tmp_path), "--store", tmp_path / "file" / "store")
    assert "cannot be written" in refused(answer)
    assert (tmp_path / "file").read_text() == "not a folder"


def test_changed_arms_are_refused_with_what_differs(ablation: Run, store: Store, tmp_path: Path) -> None:
    run_study(catalogue.load(str(write_study(tmp_path))), store, InlineEngine(), workers=1)
    changed = write_study(tmp_path, '{"fast": {"rate": 0.5}}')
    said = refused(ablation("run", changed, "--store", store.root))
    assert "arms.fast.rate: 0.3 became 0.5" in said
    assert "give the study's file a new name" in said


def test_the_verbs_on_a_finished_study(ablation: Run, store: Store, tmp_path: Path) -> None:
    path = write_study(tmp_path)
    study = catalogue.load(str(path))
    run_study(study, store, InlineEngine(), workers=1)
    summarise(study, store)
    place = ("--store", store.root)
    assert "All 2 cells are there: nothing is to train." in ablation("plan", path, *place)[1]
    assert "complete" in ablation("status", path, *place)[1]
    for format, sign in (("md", "|"), ("tex", r"\toprule"), ("csv", "mean"), ("html", "<table")):
        code, table, _ = ablation("table", path, "--format", format, *place)
        assert code == 0
        assert sign in table
    assert "no table format 'pdf'" in refused(ablation("table", path, "--format", "pdf", *place))
    code, said, _ = ablation("export", path, "--to", tmp_path / "out", *place)
    assert code == 0
    names = ["table.md", "table.tex", "table.csv", "table.html", "appendix.tex", "notes.tex", "notes.md"]
    names += ["runs.csv", "verdicts.csv", "provenance.json"]
    ends = ("png", "pdf", "md")
    drawn = [f"{figure}.{end}" for figure in ("effects", "measures", "curves") for end in ends]
    drawn += [name.replace(".", "_page.") for name in drawn if not name.endswith(".md")]
    assert sorted(names + drawn) == folder_of(tmp_path / "out")
    assert all(name in said for name in names + drawn)
    (tmp_path / "mine.mplstyle").write_text("font.size: 9\n")
    own = ("--style", tmp_path / "mine.mplstyle")
    code, said, _ = ablation("figures", path, "--to", tmp_path / "drawn", *own, *place)
    assert code == 0
    assert folder_of(tmp_path / "drawn") == sorted(drawn)
    assert (tmp_path / "drawn" / "effects.pdf").read_bytes() != (
        tmp_path / "out" / "effects.pdf"
    ).read_bytes()
    none = ("--style", tmp_path / "none.mplstyle")
    assert "wants a style file" in refused(ablation("figures", path, "--to", tmp_path / "x", *none, *place))
    code, said, _ = ablation("report", path, "--to", tmp_path / "page", *place)
    assert code == 0
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert text.count("<article") == 1
    assert ">Mine</a>" in text  # the file without its folder
    assert "no study 'other'" in refused(ablation("report", "other", "--to", tmp_path / "page", *place))
    assert "none is left RUNNING" in ablation("doctor", *place)[1]


def test_table_shows_what_is_asked_for(
    ablation: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_study(tmp_path, '{"fast, wide": {"rate": 0.3}, "slow": {"rate": 0.2}}')
    run_study(catalogue.load(str(path)), store, InlineEngine(), workers=1)
    words = ("table", path, "--store", store.root)
    found = json.loads(ablation(*words, "--json")[1])
    assert [one["arm"] for one in found["effects"]] == ["baseline", "fast, wide", "slow"]
    assert found["conclusion"] in ablation(*words)[1]
    only = json.loads(ablation(*words, "--json", "--arms", "fast, wide", "--arms", "slow,baseline")[1])
    assert [one["arm"] for one in only["effects"]] == ["fast, wide", "slow", "baseline"]
    text = ablation(*words, "--format", "tex", "--digits", "1", "--font", "small", "--transpose")[1]
    assert text.count(r"\\") == 2
    assert "\\small" in text
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, grid, _ = ablation(*words)
    assert code == 0
    assert "|" not in grid
    assert grid.index(found["conclusion"]) < grid.index("Miss (lower is better")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "--format", "md"], "each say where the table goes: leave all but one out"),
        (["--to", "out", "--json"], "each say where the table goes: leave all but one out"),
        (["--digits", "2", "--format", "csv"], "CSV and JSON are exact: leave them out"),
        (["--font", "small"], "--font and --transpose are for LaTeX: add --format tex"),
        (["--font", "huge", "--format", "tex"], "there is no font 'huge'"),
        (["--interval", "sd"], "there is no interval 'sd'"),
        (["--arms", "fst"], "there is no arm 'fst' (did you mean 'fast'"),
        (["--measures", "mis"], "did you mean 'miss'"),
    ],
    ids=" ".join,
)
def test_options_of_table_that_do_not_go_together_are_refused(
    ablation: Run, store: Store, tmp_path: Path, words: list[str], message: str
) -> None:
    path = write_study(tmp_path)
    run_study(catalogue.load(str(path)), store, InlineEngine(), workers=1)
    assert message in refused(ablation("table", path, "--store", store.root, *words))


def test_a_quick_run_is_marked_in_every_output(ablation: Run, store: Store, tmp_path: Path) -> None:
    path = write_study(tmp_path)
    place = ("--store", store.root, "--quick")
    run_study(catalogue.load(str(path)).smoke(), store, InlineEngine(), workers=1)
    for format in ("md", "tex", "html"):
        assert "numbers mean nothing" in ablation("table", path, "--format", format, *place)[1]
    assert "mine-quick" in ablation("status", path, *place)[1]
    assert "has no runs" in refused(ablation("table", path, "--store", store.root))


def test_a_broken_study_does_not_hide_the_others(
    ablation: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    write_study(tmp_path / "studies")
    (tmp_path / "studies" / "broken.py").write_text("import sys\nsys.exit(3)\n")
    for verb in ("list", "status"):
        code, said, _ = ablation(verb)
        assert code == 0
        assert "mine" in said
        assert "broken.py, line 2" in said


def test_study_files_are_found_in_the_folder_and_no_other_file_is_executed(
    ablation: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in ("list", "status"):
        code, said, _ = ablation(verb)
        assert code == 0
        assert said.strip().endswith("`ablation list --builtin`.")
    assert "There is no study in this folder" in refused(ablation("report", "--to", "out"))
    write_study(tmp_path)
    (tmp_path / "typed.py").write_text("from mine import study as one\nstudy: object = one\n")
    (tmp_path / "script.py").write_text("import pathlib\npathlib.Path('ran').touch()\nmy_study = 1\n")
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "folder.py").mkdir()
    for folder in (tmp_path, tmp_path / "studies"):
        (folder / ".#mine.py").symlink_to("user@host.1234")  # as Emacs locks a file
    (tmp_path / "studies" / "typed.py").write_text("study = 'of the folder studies'\n")
    assert {name: str(path) for name, path in catalogue.paths().items()} == {
        "mine": "mine.py",
        "typed": "studies/typed.py",
    }
    both = "the study typed wants one file, but has typed.py and studies/typed.py: rename one."
    assert both in ablation("list")[1]
    assert both in refused(ablation("plan", "typed"))
    assert not (tmp_path / "ran").exists()
    # A study of one's own comes before one of the package that is called so.
    assert catalogue.load("latent_size").name in catalogue.builtin()
    (tmp_path / "latent_size.py").write_text("study = 3\n")
    assert "latent_size.py wants `study = Study(...)`" in refused(ablation("plan", "latent_size"))


def test_a_port_that_is_taken_is_said_before_any_link(ablation: Run, store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = ablation("ui", "--store", store.root, "--port", port)
        assert f"port {port} is in use" in refused(answer)
        assert answer[1] == ""


def test_help_and_list_import_neither_torch_nor_mlflow() -> None:
    for verb in ("--help", "list"):
        code = (
            "import sys; from ablation.cli import main\n"
            "try: main()\n"
            "except SystemExit: print(sorted({'torch', 'mlflow', 'optuna', 'pandas'} & set(sys.modules)))"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code, verb], capture_output=True, text=True, check=True
        )
        assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["list"], 0, "There is no study in this folder: make one"),
        (["run", "latentsize"], 2, "did you mean 'latent_size'"),
        (["sing"], 2, "No such command"),
    ],
)
def test_the_command_ends_with_all_it_said_in_the_pipe_and_its_code(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    command = [str(Path(sys.executable).parent / "ablation"), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == code
    assert said in " ".join((ended.stdout + ended.stderr).split())
    assert (ended.stdout == "") == (code == 2)
    assert "leaked" not in ended.stderr  # as triton says where its objects outlive the interpreter


def test_what_programs_read_is_json(ablation: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = str(tmp_path / "store")
    (tmp_path / "studies").mkdir()
    path = write_study(tmp_path / "studies")
    (tmp_path / "studies" / "broken.py").write_text("study = 1")

    def said(*words: str) -> Any:
        code, out, complaint = ablation(*words, "--json")
        assert (code, complaint) == (0, "")
        return json.loads(out)

    assert said("status", "--store", store) == {"broken": ANY, "mine": None}
    broken, mine = said("list")
    assert broken == {"study": "broken", "problem": ANY}
    assert (mine["study"], mine["arms"], mine["baseline"]) == ("mine", ["baseline", "fast"], "baseline")
    planned = said("plan", "mine", "--store", store, "--seeds", "5")
    assert (planned["cells"]["lacking"], planned["effects"]) == (10, [])
    run_study(catalogue.load(str(path)), Store(tmp_path / "store"), InlineEngine(), 1, seeds=5)
    planned = said("plan", "mine", "--store", store, "--seeds", "5")
    assert planned["cells"]["lacking"] == 0
    assert planned["effects"] == []  # every seed gives the same difference
    cells = said("status", "mine", "--store", store)["mine"]
    assert cells[0] == {"arm": "baseline", "seed": 0, "state": "complete"}
    assert len(cells) == 10


def test_status_has_the_studies_of_files_that_lie_elsewhere(
    ablation: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    study = catalogue.load(str(write_study(tmp_path / "elsewhere")))
    run_study(study, store, InlineEngine(), 1, seeds=2)
    run_study(study.smoke(), store, InlineEngine(), 1, seeds=1)
    monkeypatch.chdir(tmp_path / "here")
    words = ("status", "--store", store.root, "--json")
    cells = json.loads(ablation(*words)[1])
    whole = [
        {"arm": arm, "seed": seed, "state": "complete"} for seed in (0, 1) for arm in ("baseline", "fast")
    ]
    assert cells == {"mine": whole}
    assert list(json.loads(ablation(*words, "--quick")[1])) == ["mine-quick"]
    # What is planned and not begun is missing, and what a file here says of a study counts for it.
    Ledger.create(store, study).add_seed_count(3)
    states = [cell["state"] for cell in json.loads(ablation(*words)[1])["mine"]]
    assert states == ["complete"] * 4 + ["missing"] * 2
    write_study(tmp_path / "here", '{"other": {"rate": 0.9}}')
    assert "the arm 'other' is new" in json.loads(ablation(*words)[1])["mine"]["problem"]


DOUBLES = str(Path(__file__).parent)  # on the path of pytest alone, not of what a test starts


def of_process(
    folder: Path, terminal: int | None, *words: str | Path, **environment: str
) -> tuple[int, bytes]:
    """The code and the bytes of the command, on a terminal of so many columns, else in a pipe."""
    code = "import sys; sys.argv[0] = 'ablation'; from ablation.cli import command; command()"
    command = [sys.executable, "-c", code, *map(str, words)]
    usual = {"TERM": "xterm", "GIT_PYTHON_REFRESH": "quiet", "PYTHONPATH": DOUBLES}
    # GNU readline, once imported, exports the width of pytest's own terminal.
    ours = ("LC_", "LANG", "PYTHONIO", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    whole = kept | usual | environment
    if terminal is None:
        ended = subprocess.run(command, cwd=folder, env=whole, capture_output=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr
    screen, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, terminal, 0, 0))
    with subprocess.Popen(
        command, cwd=folder, env=whole, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # the terminal of a process that has ended
            while part := os.read(screen, 65536):
                said += part
    os.close(screen)
    return process.returncode, said


@pytest.mark.parametrize(
    ("locale", "python", "shown"),
    [
        ("C", {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, b'"schon" - ?'),
        ("C.UTF-8", {"PYTHONIOENCODING": "latin-1"}, b'"sch\xf6n" - ?'),
    ],
)
def test_a_terminal_that_lacks_a_character_gets_one_like_it_and_a_file_is_utf_8(
    tmp_path: Path, locale: str, python: dict[str, str], shown: bytes
) -> None:
    write_study(tmp_path, '{"“schön” – 日": {"rate": 0.3}}')
    where = ("mine.py", "--store", "kept")
    code, said = of_process(tmp_path, 100, "run", *where, "--workers", "1", LC_ALL=locale, **python)
    assert code == 0, said
    assert shown in said
    for words in (("table", *where), ("table", *where, "--json"), ("plan", *where), ("list",)):
        code, said = of_process(tmp_path, None, *words, LC_ALL=locale, **python)
        assert code == 0, said
        assert words[0] == "plan" or "“schön” – 日" in said.decode("utf-8")


def test_a_narrow_a_dumb_and_a_colourless_terminal_get_every_word(tmp_path: Path, store: Store) -> None:
    run_study(catalogue.load(str(write_study(tmp_path))), store, InlineEngine(), workers=1)
    words = ("table", "mine.py", "--store", store.root)
    found = {
        name: of_process(tmp_path, columns, *words, **environment)
        for name, columns, environment in (
            ("wide", 200, {}),
            ("narrow", 20, {}),
            ("dumb", 80, {"TERM": "dumb"}),
            ("colourless", 80, {"NO_COLOR": "1"}),
        )
    }
    assert {code for code, _ in found.values()} == {0}
    plain = {name: re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode()) for name, (_, said) in found.items()}
    words_of = {
        name: re.sub(r"[\W_]+", "", text.rpartition("Exploratory")[2]) for name, text in plain.items()
    }
    assert len(set(words_of.values())) == 1, words_of
    assert "…" not in plain["narrow"].rpartition("Reading the runs …")[2]
    lines = plain["narrow"].rpartition("Exploratory")[2].splitlines()
    assert all(len(line) <= 20 for line in lines), lines
    assert b"\x1b" not in found["dumb"][1]
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", found["colourless"][1])


@pytest.mark.parametrize("verb", ["list", "table", "export"])
def test_a_reader_that_leaves_ends_the_command_without_a_word(
    tmp_path: Path, store: Store, verb: str
) -> None:
    run_study(catalogue.load(str(write_study(tmp_path))), store, InlineEngine(), workers=1)
    code = "import sys; sys.argv[0] = 'ablation'; from ablation.cli import command; command()"
    study = {"list": [], "table": ["mine.py"], "export": ["mine.py", "--to", "out"]}[verb]
    place = [] if verb == "list" else ["--store", str(store.root)]
    ours, theirs = os.pipe()
    os.close(ours)  # before it writes a byte
    command = [sys.executable, "-c", code, verb, *study, *place]
    whole = os.environ | {"PYTHONPATH": DOUBLES}
    ended = subprocess.run(
        command, cwd=tmp_path, env=whole, stdout=theirs, stderr=subprocess.PIPE, check=False
    )
    os.close(theirs)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_shell_completes_verbs_and_studies(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    write_study(tmp_path / "studies")

    def completed(*words: str) -> str:
        asked = {"COMP_WORDS": " ".join(["ablation", *words]), "COMP_CWORD": str(len(words))}
        environment = os.environ | asked | {"_ABLATION_COMPLETE": "complete_bash"}
        code = "import sys; sys.argv = ['ablation']; from ablation.cli import command; command()"
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()

    assert completed("pl") == "plan"
    assert completed("plan", "mi") == "mine"


def test_a_sentence_wraps_at_words_on_a_terminal_and_stays_whole_in_a_pipe() -> None:
    words = " ".join(["unbroken-words"] * 12)
    for wide, lines in ((True, 4), (False, 1)):
        out = io.StringIO()
        say(words, indent=4, to=Console(file=out, width=60, force_terminal=wide, color_system=None))
        said = out.getvalue().splitlines()
        assert len(said) == lines
        assert all(set(line.split()) == {"unbroken-words"} for line in said)
        assert all(line.startswith("    unbroken") for line in said)
        out = io.StringIO()
        say("not indented", to=Console(file=out, width=60, force_terminal=wide, color_system=None))
        assert out.getvalue().startswith("not")
