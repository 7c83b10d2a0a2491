"""Working directories: which may be used, what differs between runs, and that files appear whole."""

import json
from pathlib import Path

import pytest

from regjax.cli import app, workdirs
from regjax.cli.flags import FlagError
from regjax.cli.options import RunOptions
from regjax.core.errors import InputError


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    """In a directory of its own; locks are given back."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    app._finish()


def config(workdir="w", **options):
    return RunOptions(workdir=str(workdir), **options)


def run_in(place, experiment="train", **flags):
    """A directory as a run leaves it."""
    Path(place).mkdir(parents=True, exist_ok=True)
    workdirs.write_json(Path(place) / "config.json", {"experiment": experiment, "flags": config(**flags).to_json()})
    return Path(place)


def test_a_new_or_empty_directory_may_be_used_and_is_not_made():
    assert workdirs.check(config("a/b"), "train") == Path("a/b")
    assert not Path("a").exists()
    Path("empty").mkdir()
    assert workdirs.check(config("empty"), "train") == Path("empty")


@pytest.mark.parametrize(
    ("workdir", "options", "message"),
    [
        ("", {}, "must name a directory"),
        ("w", {"overwrite": True, "resume": True}, "exclude each other"),
        (".", {}, "holds the current directory"),
        ("..", {"overwrite": True}, "holds the current directory"),
        ("file", {}, "is a file"),
        ("file/w", {}, "cannot be made"),
        ("file/w/x", {}, "cannot be made"),
        ("a" * 300, {}, "cannot be made"),
        ("run", {}, "holds an unfinished run; go on with --resume, use --overwrite"),
        ("finished", {}, "holds another run; use --overwrite"),
        ("sweep", {}, "holds another run; use --overwrite"),
        ("sweep", {"resume": True}, "holds no run of train"),
        ("thesis", {"overwrite": True}, "is not empty and holds no run"),
        ("thesis", {"resume": True}, "is not empty and holds no run"),
        ("run and thesis", {"overwrite": True}, "is not empty and holds no run"),
        ("other", {"overwrite": True}, "is not empty and holds no run"),
    ],
)
def test_directories_that_are_refused_stay_as_they_are(workdir, options, message):
    Path("file").write_text("mine")
    run_in("run")
    run_in("finished")
    Path("finished/summary.json").write_text("{}")
    run_in("sweep", "sweep")
    run_in("run and thesis")
    for name in ("thesis", "run and thesis"):
        Path(name).mkdir(exist_ok=True)
        (Path(name) / "thesis.txt").write_text("mine")
    Path("other").mkdir()
    (Path("other") / "config.json").write_text('{"my": "app"}')
    before = sorted(Path().rglob("*"))
    with pytest.raises(FlagError, match=message):
        workdirs.check(config(workdir, **options), "train")
    assert sorted(Path().rglob("*")) == before


def test_a_run_of_ones_own_may_be_replaced_or_resumed():
    run_in("w")
    assert workdirs.check(config(overwrite=True), "sweep") == Path("w")
    assert workdirs.check(config(resume=True), "train") == Path("w")
    run_in("begun/unfinished", "compare")
    assert workdirs.check(config("begun", resume=True), "compare") == Path("begun")


def test_what_was_made_for_a_claim_is_removed_if_nothing_came_of_it():
    workdirs.claim(config("a/b/w"), "train")
    assert Path("a/b").is_dir()
    app._finish()
    assert not Path("a").exists()


def test_two_cannot_write_to_one_directory():
    workdirs.claim(config("a/w"), "train")
    with pytest.raises(FlagError, match="another run is writing there"):
        workdirs.claim(config("a/w"), "train")
    app._finish()
    workdirs.claim(config("a/w"), "train")


def test_what_a_killed_process_left_is_removed():
    stale = workdirs._aside(Path("w"))
    other = workdirs._aside(Path("w2"))
    workdirs.claim(config(), "train")
    assert not stale.exists()
    assert other.exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"experiment": "train"}', '{"flags": {}}', '{"experiment": 1, "flags": []}', "[" * 100_000],
)
def test_what_is_no_configuration_of_a_run(text):
    Path("w").mkdir()
    (Path("w") / "config.json").write_text(text)
    assert workdirs.read_config(Path("w")) is None
    assert workdirs.flags_of(Path("w")) == {}


def test_flags_that_differ_are_named_with_both_values():
    run_in("w", dropout=0.2, l2=0.1, epochs=5)
    workdirs.check_same_flags(Path("w"), "train", config(dropout=0.2, l2=0.1, epochs=5, resume=True))
    with pytest.raises(FlagError, match=r"--dropout was 0\.2 and is 0\.3, --epochs was 5 and is 6$"):
        workdirs.check_same_flags(Path("w"), "train", config(dropout=0.3, l2=0.1, epochs=6))
    workdirs.check_same_flags(Path("w"), "train", config(dropout=0.2, l2=0.1, epochs=6), free=["epochs"])
    with pytest.raises(FlagError, match=r"holds no run of sweep"):
        workdirs.check_same_flags(Path("w"), "sweep", config())


def test_files_written_aside_appear_together_or_not_at_all():
    run_in("w")

    def write(fails):
        with workdirs.written_aside(Path("w")) as aside:
            (aside / "new.txt").write_text("new")
            assert not (Path("w") / "new.txt").exists()
            if fails:
                raise KeyError

    with pytest.raises(KeyError):
        write(fails=True)
    assert [path.name for path in Path("w").iterdir()] == ["config.json"]
    write(fails=False)
    assert [path.name for path in Path("w").iterdir()] == ["new.txt"]
    assert [path.name for path in Path().iterdir()] == ["w"]  # nothing is left beside it


def test_what_is_unfinished_is_found_by_resume_and_begun_anew_otherwise():
    with workdirs.unfinished(config("w"), "sweep") as place:
        (place / "lane").write_text("done")
    app._finish()
    with workdirs.unfinished(config("w", resume=True), "sweep") as place:
        assert (place / "lane").exists()
    app._finish()
    with workdirs.unfinished(config("w", overwrite=True), "sweep") as place:
        assert not (place / "lane").exists()
        assert workdirs.read_config(place)["experiment"] == "sweep"


@pytest.mark.parametrize(("error", "left"), [(InputError("bad"), False), (KeyboardInterrupt(), True)])
def test_bad_input_leaves_nothing_unfinished_and_an_interruption_does(error, left):
    with pytest.raises(type(error)), workdirs.unfinished(config("w"), "sweep"):
        raise error
    assert Path("w").exists() == left


def test_a_sweep_is_finished_when_its_results_are_there_and_nothing_is_unfinished():
    assert not workdirs.is_finished(config(), "sweep")
    run_in("w", "sweep")
    assert not workdirs.is_finished(config(), "sweep")
    (Path("w") / "results.json").write_text("{}")
    assert workdirs.is_finished(config(), "sweep")
    with pytest.raises(FlagError, match="--l2 was"):
        workdirs.is_finished(config(l2=0.1), "sweep")
    run_in("w/unfinished", "sweep", l2=0.1)
    assert not workdirs.is_finished(config(l2=0.1), "sweep")


def test_json_has_no_nan_and_old_content_stays_if_it_fails():
    workdirs.write_json(Path("a.json"), {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        workdirs.write_json(Path("a.json"), {"a": float("nan")})
    assert json.loads(Path("a.json").read_text()) == {"a": 1}
    assert [path.name for path in Path().iterdir()] == ["a.json"]
