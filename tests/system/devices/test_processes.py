"""Two real processes through `jax.distributed`: sweep, split batches, checkpoints, and what happens when one dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SWEEP = ("--sweep=l2=0.001,0.01,0.1", "--seeds=3", "--epochs=4", "--train_examples=128", "--model=linear")
TRAIN = ("--epochs=12", "--train_examples=256", "--dropout=0.2", "--widths=32", "--patience=50")
BY_HAND = ("--distributed", "--num_processes=2")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(command, tmp_path, environment):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=tmp_path, env=os.environ | environment, text=True, **pipes)


def pair(module, *flags, tmp_path, environment):
    """Two processes of one run, started by hand."""
    address = f"--coordinator=127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", f"experiments.{module}", *BY_HAND, address, *flags]
    return [started([*command, f"--process_id={i}"], tmp_path, environment) for i in range(2)]


def ended(processes, *codes):
    """Standard output and error of each, once all have ended with these codes."""
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == list(codes), said
    return said


def alone(module, *flags, tmp_path, environment, code=0):
    return ended([started([sys.executable, "-m", f"experiments.{module}", *flags], tmp_path, environment)], code)[0]


def wait_until(condition, processes, seconds=200):
    limit = time.monotonic() + seconds
    while not condition():
        if any(process.poll() is not None for process in processes) or time.monotonic() > limit:
            pytest.fail(str([process.communicate(timeout=60) for process in processes]))
        time.sleep(0.02)


def member_of(watcher):
    children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children").read_text().split()
    return int(children[0])


def summary(path):
    return json.loads((path / "summary.json").read_text())


def test_the_slurm_recipe_sweeps_over_two_processes(tmp_path, environment):
    """The recipe as it is, with an `srun` that starts two tasks on this machine and sets what Slurm sets."""
    step = f"SLURM_STEP_NODELIST=localhost SLURM_NTASKS=2 SLURM_JOB_ID={os.getpid()} SLURM_STEP_NUM_NODES=1"
    srun = tmp_path / "bin/srun"
    srun.parent.mkdir()
    srun.write_text(
        "#!/usr/bin/env bash\nshift\n"
        f'for i in 0 1; do {step} SLURM_PROCID=$i SLURM_LOCALID=$i "$@" & done\nwait -n && wait -n\n'
    )
    srun.chmod(0o755)
    slurm = environment | {
        "PATH": f"{srun.parent}:{os.environ['PATH']}",
        "REGJAX_PYTHON": sys.executable,
        "SLURM_SUBMIT_DIR": str(tmp_path),
    }
    recipe = ["bash", str(ROOT / "scripts/launch/slurm.sh"), "experiments.sweep", *SWEEP, "--workdir=two"]
    [(out, _)] = ended([started(recipe, tmp_path, slurm)], 0)
    assert out.count("report: ") == 1  # one process speaks
    alone("sweep", *SWEEP, "--workdir=one", tmp_path=tmp_path, environment=environment)
    assert (tmp_path / "two/lanes.csv").read_bytes() == (tmp_path / "one/lanes.csv").read_bytes()
    assert json.loads((tmp_path / "two/results.json").read_text())["processes"] == 2
    assert not (tmp_path / "two/unfinished").exists()


@pytest.mark.parametrize("victim", [0, 1])
def test_a_sweep_that_loses_a_process_explains_and_goes_on(tmp_path, environment, victim):
    flags = ("--sweep=l2=logspace(-4,-1,30)", "--epochs=100", "--workdir=part", *SWEEP[3:])
    both = pair("sweep", *flags, tmp_path=tmp_path, environment=environment)
    wait_until(lambda: len(list((tmp_path / "part/unfinished/lanes").glob("*.npz"))) >= 3, both)
    os.kill(member_of(both[victim]), signal.SIGKILL)
    said = ended(both, 75, 75)
    assert "another process of the run died or cannot be reached" in said[1 - victim][1]
    assert "it was ended by SIGKILL" in said[victim][1]
    assert all("start all processes again with --resume" in errors for _, errors in said)
    kept = len(list((tmp_path / "part/unfinished/lanes").glob("*.npz")))
    assert 3 <= kept < 30
    alone("sweep", *flags, "--resume", tmp_path=tmp_path, environment=environment)
    alone("sweep", *flags[:2], "--workdir=whole", *flags[3:], tmp_path=tmp_path, environment=environment)
    assert (tmp_path / "part/lanes.csv").read_bytes() == (tmp_path / "whole/lanes.csv").read_bytes()


def test_a_split_batch_over_two_processes_equals_one(tmp_path, environment):
    flags = (*TRAIN, "--data_devices=2")
    ended(pair("train", *flags, "--workdir=two", tmp_path=tmp_path, environment=environment), 0, 0)
    alone("train", *flags, "--cpu_devices=2", "--workdir=split", tmp_path=tmp_path, environment=environment)
    alone("train", *TRAIN, "--workdir=one", tmp_path=tmp_path, environment=environment)
    streamed = (*flags, "--loader=stream", "--workdir=streamed")
    ended(pair("train", *streamed, tmp_path=tmp_path, environment=environment), 0, 0)
    two, split, one = (summary(tmp_path / name) for name in ("two", "split", "one"))
    assert summary(tmp_path / "streamed")["params_sha256"] == two["params_sha256"]
    assert (two["processes"], two["devices"]) == (2, 2)
    # The same sums in the same order, whether the devices are in one process or in two.
    assert two["params_sha256"] == split["params_sha256"]
    for name in ("best_val_loss", "test/loss", "test/accuracy"):
        assert two[name] == pytest.approx(one[name], rel=1e-4)
    assert two["epochs_run"] == one["epochs_run"] == len((tmp_path / "two/metrics.jsonl").read_text().splitlines())


def test_a_split_batch_that_loses_a_process_resumes_to_the_same_weights(tmp_path, environment):
    flags = (*TRAIN, "--epochs=600", "--data_devices=2")
    both = pair("train", *flags, "--workdir=part", tmp_path=tmp_path, environment=environment)
    wait_until(lambda: any((tmp_path / "part/checkpoints/latest").glob("[0-9]*")), both)
    os.kill(member_of(both[1]), signal.SIGKILL)
    said = ended(both, 75, 75)
    assert "another process of the run died or cannot be reached" in said[0][1]
    resumed = pair("train", *flags, "--workdir=part", "--resume", tmp_path=tmp_path, environment=environment)
    assert not any("warning:" in errors for _, errors in ended(resumed, 0, 0))
    ended(pair("train", *flags, "--workdir=whole", tmp_path=tmp_path, environment=environment), 0, 0)
    part, whole = (summary(tmp_path / name) for name in ("part", "whole"))
    assert part["params_sha256"] == whole["params_sha256"]
    assert part["epochs_run"] == whole["epochs_run"]


def test_sigterm_of_one_process_stops_all_in_order(tmp_path, environment):
    flags = (*TRAIN, "--epochs=100000", "--data_devices=2", "--workdir=part")
    both = pair("train", *flags, tmp_path=tmp_path, environment=environment)
    wait_until(lambda: any((tmp_path / "part/checkpoints/latest").glob("[0-9]*")), both)
    # As Slurm does: the watcher and its member both get it.
    member = member_of(both[1])
    both[1].send_signal(signal.SIGTERM)
    os.kill(member, signal.SIGTERM)
    ended(both, 75, 75)
    assert summary(tmp_path / "part")["status"] == "interrupted"


def test_sigterm_of_one_process_of_a_sweep_ends_both(tmp_path, environment):
    flags = ("--sweep=l2=logspace(-4,-1,30)", "--epochs=300", "--workdir=part", *SWEEP[3:])
    both = pair("sweep", *flags, tmp_path=tmp_path, environment=environment)
    wait_until(lambda: len(list((tmp_path / "part/unfinished/lanes").glob("*.npz"))) >= 3, both)
    both[1].send_signal(signal.SIGTERM)
    started_at = time.monotonic()
    said = ended(both, 75, 75)
    assert time.monotonic() - started_at < 100  # and does not wait for the other at the end
    assert all("--resume" in errors for _, errors in said)


def test_a_refusal_of_process_0_ends_both_in_one_line(tmp_path, environment):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine.txt").write_text("mine")
    both = pair("sweep", *SWEEP, "--workdir=taken", tmp_path=tmp_path, environment=environment)
    said = ended(both, 2, 2)
    assert "--workdir=taken: is not empty" in said[0][1]
    assert "process 0 ended; its message says why" in said[1][1]
    assert all("Traceback" not in errors for _, errors in said)


def test_without_a_cluster_the_flag_is_refused(tmp_path, environment):
    _, errors = alone("sweep", "--distributed", *SWEEP, tmp_path=tmp_path, environment=environment, code=2)
    assert "the other processes cannot be found" in errors
    assert "Traceback" not in errors


def test_the_launch_recipes_can_be_read():
    for script in (ROOT / "scripts/launch").glob("*.sh"):
        subprocess.run(["bash", "-n", str(script)], check=True)
        assert subprocess.run(["bash", str(script)], capture_output=True).returncode == 2  # usage
    parts = list(yaml.safe_load_all((ROOT / "scripts/launch/kubernetes.yaml").read_text()))
    job = next(part for part in parts if part["kind"] == "Job")
    service = next(part for part in parts if part["kind"] == "Service")
    pod = job["spec"]["template"]["spec"]
    # What JAX asks the Kubernetes API for.
    assert job["spec"]["completionMode"] == "Indexed"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert pod["subdomain"] == service["metadata"]["name"]
    assert pod["serviceAccountName"] in [part["metadata"]["name"] for part in parts if part["kind"] == "ServiceAccount"]
    assert {"--distributed", "--resume"} <= set(pod["containers"][0]["args"])


def test_the_tpu_recipe_quotes_its_flags(tmp_path):
    gcloud = tmp_path / "gcloud"
    gcloud.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    gcloud.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    flags = ["slice", "zone", "experiments.sweep", "--sweep=l2=logspace(-5,-1,3)", "--workdir=/a b"]
    command = ["bash", str(ROOT / "scripts/launch/tpu.sh"), *flags]
    out = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    remote = out.splitlines()[-1].removeprefix("--command=").partition("&& ")[2]
    words = subprocess.run(["bash", "-c", f"printf '%s\\n' {remote}"], capture_output=True, text=True, check=True)
    assert words.stdout.splitlines()[-2:] == flags[-2:]


def test_a_comparison_over_two_processes_equals_one(tmp_path, environment):
    """Neither measures how long it takes: the times of two processes differ, and so would what they train."""
    flags = ("--techniques=l2", "--grid=l2=0.01,0.1", "--seeds=2", "--epochs=3", "--model=linear")
    said = ended(pair("compare", *flags, "--workdir=two", tmp_path=tmp_path, environment=environment), 0, 0)
    assert not any("about" in line for _, errors in said for line in errors.splitlines() if "epochs" in line)
    alone("compare", *flags, "--workdir=one", tmp_path=tmp_path, environment=environment)
    two, one = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("two", "one"))
    assert two["techniques"]["l2"]["params_sha256"] == one["techniques"]["l2"]["params_sha256"]
    refused = ended(pair("compare", "--budget=1h", "--workdir=w", tmp_path=tmp_path, environment=environment), 2, 2)
    assert sum("budget 1h: each of 2 processes" in errors for _, errors in refused) >= 1
