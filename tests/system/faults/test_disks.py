"""Full disks, directories that cannot be written to, damaged checkpoints, two runs in one place."""

import json
import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SMALL = ("--dataset=digits", "--train_examples=64", "--widths=16", "--epochs=6")


def isolated(command, tmp_path, environment, size):
    """Run a command with `full` being a file system of `size`, which nobody else sees."""
    (tmp_path / "full").mkdir(exist_ok=True)
    mounted = f"mount -t tmpfs -o size={size} tmpfs full && {command}"
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", mounted],
        cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture
def small_disk(tmp_path, environment):
    if shutil.which("unshare") is None or isolated("true", tmp_path, environment, "1m").returncode:
        pytest.skip("this system allows no file system of one's own")
    return lambda command, size: isolated(command, tmp_path, environment, size)


def test_a_full_disk_is_named_and_what_was_saved_is_whole(small_disk, run, tmp_path):
    """Room for no further checkpoint of half a megabyte; the run goes on elsewhere to the same bits."""
    python = f"{sys.executable} -m experiments.train"
    flags = "--dataset=digits --train_examples=64 --widths=256,64 --epochs=30"
    filler = "(cat /dev/zero > full/w/checkpoints/filler; truncate -s -200k full/w/checkpoints/filler)"
    command = (
        f"({python} {flags} --epochs=3 --workdir=full/w >/dev/null && {filler} 2>/dev/null; "
        f"{python} {flags} --workdir=full/w --resume; echo code $?; rm -f full/w/checkpoints/filler; cp -r full/w kept)"
    )
    done = small_disk(command, "4m")
    assert "code 1" in done.stdout, done.stdout + done.stderr
    assert "No space left on device" in done.stderr
    assert "full/w" in done.stderr
    assert "go on with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    steps = [path.name for path in (tmp_path / "kept/checkpoints/latest").glob("[0-9]*")]
    assert steps
    run("train", *flags.split(), "--workdir=kept", "--resume")
    run("train", *flags.split(), "--workdir=whole")
    kept, whole = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("kept", "whole"))
    assert kept["params_sha256"] == whole["params_sha256"]


@pytest.mark.parametrize("module", ["sweep", "compare"])
def test_a_sweep_goes_on_when_there_is_room_again(small_disk, run, tmp_path, module):
    """Room for some results, not for all; they are not lost."""
    small = "--dataset=digits --train_examples=64 --widths=256 --epochs=3 --seeds=4"
    given = "--sweep=l2=0.1,0.01,0.001" if module == "sweep" else "--techniques=l2 --grid=l2=0.1,0.01"
    room = "104k" if module == "sweep" else "900k"
    command = (
        f"{sys.executable} -m experiments.{module} {small} {given} --workdir=full/w; echo code $?; cp -r full/w kept"
    )
    done = small_disk(command, room)
    assert "code 1" in done.stdout, done.stdout + done.stderr
    [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: full/w"), error
    assert "No space left on device" in error
    assert "go on with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    kept = list((tmp_path / "kept/unfinished/lanes").rglob("lane-*.npz"))
    assert kept
    run(module, *small.split(), *given.split(" "), "--workdir=kept", "--resume")
    run(module, *small.split(), *given.split(" "), "--workdir=whole")
    table = "lanes.csv" if module == "sweep" else "table.csv"
    assert (tmp_path / "kept" / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()


def test_a_directory_that_cannot_be_written_to_is_refused(run, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot be written to" in run("train", *SMALL, "--workdir=locked/w", code=2).stderr


def test_a_read_only_file_system_is_refused(small_disk, tmp_path):
    done = small_disk(
        f"mount -o remount,ro full && {sys.executable} -m experiments.train {' '.join(SMALL)} --workdir=full/w", "1m"
    )
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "full" in done.stderr.splitlines()[0]


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_a_damaged_newest_checkpoint_costs_one_interval(run, tmp_path, environment, damage):
    run("train", *SMALL, "--workdir=whole")
    run("train", *SMALL, "--epochs=4", "--workdir=part")
    latest = tmp_path / "part/checkpoints/latest"
    newest = max(latest.iterdir(), key=lambda path: int(path.name))
    victim = max((path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 16
    victim.write_bytes(content[: len(content) - (damage == "truncate")])
    command = [sys.executable, "-m", "experiments.train", *SMALL, "--workdir=part", "--resume"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"warning: checkpoint {newest} is damaged" in done.stderr
    part, whole = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("part", "whole"))
    assert part["params_sha256"] == whole["params_sha256"]
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "part/metrics.jsonl").read_text().splitlines()]
    assert epochs == list(range(6))


@pytest.mark.parametrize("damage", ["junk", "one number", "cut", "gone"])
def test_damaged_metrics_are_written_anew(run, tmp_path, damage):
    run("train", *SMALL, "--workdir=w")
    path = tmp_path / "w/metrics.jsonl"
    lines = path.read_text().splitlines()
    if damage == "gone":
        path.unlink()
    elif damage == "junk":
        path.write_bytes(b"\x98\xff{" + path.read_bytes()[3:])
    elif damage == "one number":
        path.write_text(path.read_text().replace('"val/loss": ', '"val/loss": 1', 1))
    else:
        path.write_text("\n".join(lines[:3]) + '\n{"epoch": 3')
    said = run("train", *SMALL, "--epochs=8", "--workdir=w", "--resume").stderr
    count = {"junk": 1, "one number": 1, "cut": 3, "gone": 6}[damage]
    assert f"metrics.jsonl: {count} of 6 lines were damaged or missing" in said

    def rows(texts):
        return [{k: v for k, v in json.loads(text).items() if k != "seconds"} for text in texts]

    found = path.read_text().splitlines()
    assert rows(found[:6]) == rows(lines)
    again = run("train", *SMALL, "--epochs=9", "--workdir=w", "--resume").stderr
    assert "damaged" not in again  # what was mended is sound
    found = path.read_text().splitlines()[:8]
    assert [json.loads(line)["epoch"] for line in found] == list(range(8))


def test_no_checkpoint_that_can_be_used_is_no_silent_restart(run, tmp_path):
    run("train", *SMALL, "--workdir=w")
    for manifest in (tmp_path / "w/checkpoints").rglob("manifest.json"):
        manifest.write_text("{}")
    refused = run("train", *SMALL, "--epochs=9", "--workdir=w", "--resume", code=2)
    assert "no checkpoint can be used" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_two_runs_in_one_directory(run, tmp_path, environment):
    flags = [*SMALL[:-1], "--epochs=100000", "--workdir=w"]
    command = [sys.executable, "-m", "experiments.train", *flags]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | environment, stderr=subprocess.DEVNULL) as first:
        while not (tmp_path / "w/metrics.jsonl").exists():
            assert first.poll() is None
        for module, extra in (("train", "--overwrite"), ("train", "--resume"), ("compare", "--overwrite")):
            own = flags if module == "train" else ["--workdir=w", "--techniques=l2", "--seeds=2"]
            second = run(module, *own, extra, code=2)
            assert "another run is writing there" in second.stderr
        first.kill()
    # A killed process leaves its lock file, which locks nothing.
    run("train", *SMALL, "--workdir=w", "--overwrite")
    assert not (tmp_path / ".w.lock").exists()


def test_resume_of_another_command_touches_nothing(run, tmp_path):
    """A comparison that was stopped is nothing that a training could go on with, or start over."""
    compare = ("--dataset=digits", "--techniques=l2", "--seeds=2", "--workdir=w")
    for after in (0.8, 1.5, 3.0, 4.0):
        run("compare", *compare, "--resume", code=None, kill_after=after)
        if (tmp_path / "w/unfinished").exists():
            break
    before = sorted((tmp_path / "w").rglob("*"))
    assert before
    for module, own in (("train", SMALL), ("sweep", ("--sweep=l2=0.1",))):
        refused = run(module, *own, "--workdir=w", "--resume", code=2)
        assert f"holds no run of {module}" in refused.stderr
    assert sorted((tmp_path / "w").rglob("*")) == before
    run("train", *SMALL, "--workdir=t")
    assert "holds no run of sweep" in run("sweep", "--sweep=l2=0.1", "--workdir=t", "--resume", code=2).stderr


def test_a_checkpoint_of_another_run_in_the_directory_is_refused(run, tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        run("train", *SMALL, f"--workdir={name}", f"--seed={seed}")
    shutil.rmtree(tmp_path / "a/checkpoints")
    shutil.copytree(tmp_path / "b/checkpoints", tmp_path / "a/checkpoints")
    refused = run("train", *SMALL, "--epochs=9", "--workdir=a", "--seed=1", "--resume", code=2)
    assert "other settings: seed" in refused.stderr


def test_a_run_goes_on_with_other_devices_and_says_so(run, tmp_path):
    run("train", *SMALL, "--workdir=w", "--epochs=3")
    two = ("--cpu_devices=2", "--data_devices=2")
    said = run("train", *SMALL, "--workdir=w", "--resume", *two).stdout
    assert "begun on 1 device, goes on with 2: " in said
    assert "agree within 5e-06 instead of bit for bit" in said
    run("train", *SMALL, "--workdir=whole")
    found, whole = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("w", "whole"))
    assert (found["devices"], found["devices_before"]) == (2, [1])
    assert (whole["devices"], whole["devices_before"]) == (1, [])
    assert found["best_val_loss"] == pytest.approx(whole["best_val_loss"], rel=5e-6)
    run("train", *SMALL, "--workdir=w", "--epochs=8", "--resume")
    found = json.loads((tmp_path / "w/summary.json").read_text())
    assert (found["devices"], found["devices_before"]) == (1, [1, 2])


def test_more_epochs_extend_a_run_and_fewer_are_refused(run, tmp_path):
    run("train", *SMALL, "--workdir=w")
    run("train", *SMALL, "--epochs=10", "--workdir=w", "--resume")
    run("train", *SMALL, "--epochs=10", "--workdir=whole")
    found, whole = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("w", "whole"))
    assert found["params_sha256"] == whole["params_sha256"]
    assert found["epochs_run"] == 10
    run("predict", "--workdir=w", "--input=test", "--output=p.csv")
    assert "may grow" in run("train", *SMALL, "--epochs=8", "--workdir=w", "--resume", code=2).stderr
    shaped = (*SMALL, "--schedule=cosine", "--workdir=c")
    run("train", *shaped)
    assert "--epochs was 6 and is 9" in run("train", *shaped, "--epochs=9", "--resume", code=2).stderr
