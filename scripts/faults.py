"""Break runs on purpose, many times, and check what is promised. Slow; the suite does a little of the same.

  python scripts/faults.py kills --count=200       runs killed by SIGKILL at random moments end in the same bits
  python scripts/faults.py fuzz --count=2000       random flags and files: exit 0, 2 or 3, one line, nothing half done

Exit code 0 if everything held, 1 with what did not, and the seed that shows it again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]
from regjax import catalog  # noqa: E402

TRAIN = ("--dataset=digits", "--train_examples=64", "--batch_size=32", "--epochs=150")
KINDS = (
    ("--widths=16", "--dropout=0.2", "--patience=140"),
    ("--widths=16", "--average=ema(0.9)", "--l1=0.001", "--penalty_mode=proximal"),
    ("--model=mlp(batch_norm=True, widths=(16,))", "--checkpoint_every=7"),
    ("--widths=16", "--loader=stream", "--augment=noise=0.1"),
    ("--widths=16", "--train_examples=1000", "--batch_size=2", "--epochs=40", "--checkpoint_steps=70"),
    ("--widths=16", "--train_examples=1000", "--batch_size=2", "--epochs=40", "--checkpoint_seconds=0.1"),
)
TRAINED = ("--dataset=wine", "--widths=4", "--dropout=0.1", "--epochs=2")
SWEEPS = (
    "l2=0.1,0.01",
    "dropout=linspace(0,0.5,2)",
    "l2=",
    "l2=0.1,0.1",
    "train_examples=5,1e9",
    "x=1",
    "l2=nan",
    "l2",
)
# Right, borderline and wrong values of each flag.
FLAGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys([*catalog.NOISES, *catalog.NUMBERS], ("0", "0.1", "1", "1e30", "-1", "nan")),
    "dataset": ("digits", "wine", "diabetes", "spirals", "", "nothing", "FILE", "/", "..", "x.csv", "x.npz"),
    "target": ("target", "y", "", "0"),
    "train_examples": ("64", "1", "0", "-1", "100000000", "1e3", "nan"),
    "label_noise": ("0.1", "1", "-0.1", "nan", "inf"),
    "model": ("mlp", "linear", "cnn", "resnet", "mlp(widths=(4,))", "mlp(", "vit(patch=0)", "__import__('os')"),
    "widths": ("8", "8,8", "0", "-1", "a", ""),
    "batch_size": ("16", "1", "0", "99999999999"),
    "epochs": ("1", "2", "0", "x"),
    "learning_rate": ("0.01", "1e30", "0", "-1", "nan", "1e-45"),
    "optimizer": (*catalog.OPTIMIZERS, "none"),
    "schedule": (*catalog.SCHEDULES, "step"),
    "precision": (*catalog.PRECISIONS, "float64"),
    "l1": ("0", "0.01", "1e38", "-1", "nan"),
    "l2": ("0", "0.01", "1e39", "inf"),
    "penalty": ("", "mcp(0.01)", "l1(0.1) + l1(0.1)", "l0(1)", "nuclear(1)", "l1(", "1+1", "l1(1, where='zzz')"),
    "penalty_mode": (*catalog.PENALTY_MODES, "none"),
    "constraint": ("", "max_norm(1)", "max_norm(-1)", "box(1, -1)", "open('x')"),
    "average": ("", "ema(0.9)", "ema(2)", "snapshots(size=2, period=5)", "swa("),
    "dropout": ("0", "0.5", "0.999999", "1", "-0.5", "nan"),
    "augment": ("", "default", "noise=0.1", "flip=0.5", "noise=nan", "explode=1", "rand_augment(9, layers=0)"),
    "output_penalty": ("", "confidence(0.1)", "jacobian(0.1)", "confidence"),
    "patience": ("0", "3", "-1", "1.5"),
    "stop_criterion": (*catalog.STOP_CRITERIA, "best"),
    "loader": ("memory", "stream", "disk"),
    "cpu_devices": ("1", "2", "0"),
    "data_devices": ("1", "2", "3"),
    "seed": ("0", "7", "-1", "99999999999999"),
    "checkpoint_every": ("1", "0"),
    "checkpoint_steps": ("1", "0", "x"),
    "checkpoint_seconds": ("0.1", "0", "nan", "1e99"),
    "unknown": ("1",),
}  # fmt: skip
CONTENTS = (
    b"",
    b"a,b,target\n1,2,0\n",
    b"a,b,target\n" + b"".join(b"%d,%d,%d\n" % (i, i * i % 7, i % 2) for i in range(60)),
    b"a,a,target\n1,2,0\n1,2,1\n",
    b"a,target\n1,x\n\xff\xfe,1\n",
    b"a,target\n" + b"1e400,0\nnan,1\n" * 30,
    b"target\n0\n1\n",
    b"a,target\n" + b"1,0\n" * 50,
    b'a,target\n"1,0\n',
    b"PK\x03\x04 not a zip",
    b"<script>,target\n1,0\n2,1\n" * 20,
)


def command(module: str, *flags: str) -> list[str]:
    """The command line of an experiment."""
    return [sys.executable, "-m", f"experiments.{module}", *flags]


def summary(folder: Path) -> dict[str, Any]:
    """The `summary.json` of a run."""
    return json.loads((folder / "summary.json").read_text())


def kills(count: int, seed: int, folder: Path, environment: dict[str, str]) -> list[str]:
    """Kill runs at random moments until there were `count` kills; returns what did not hold."""
    done, failures, turn, moments = 0, [], 0, random.Random(seed)
    while done < count:
        flags = [*TRAIN, *KINDS[turn % len(KINDS)], f"--seed={turn // len(KINDS)}"]
        whole, part = folder / f"whole{turn}", folder / f"part{turn}"
        subprocess.run(command("train", *flags, f"--workdir={whole}"), env=environment, capture_output=True, check=True)
        hit = 0
        while True:
            process = subprocess.Popen(
                command("train", *flags, f"--workdir={part}", "--resume"),
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                # The start takes a second or two; half of the kills come after it.
                _, errors = process.communicate(timeout=moments.uniform(0.1, 5.0) if hit < 12 else None)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                hit += 1
                continue
            break
        done, turn = done + hit, turn + 1
        if process.returncode:
            failures.append(f"turn {turn}: exit {process.returncode}: {errors[-500:]}")
            continue
        first, second = summary(whole), summary(part)
        unlike = [k for k in first if k not in ("seconds", "compilations", "compile_seconds") and first[k] != second[k]]
        epochs = [json.loads(line)["epoch"] for line in (part / "metrics.jsonl").read_text().splitlines()]
        if unlike or epochs != list(range(len(epochs))):
            failures.append(f"turn {turn} {' '.join(flags)}: differs in {unlike}, epochs {epochs[:3]}...")
        print(f"{done} kills, {turn} runs, {len(failures)} failures", flush=True)
    return failures


def fuzz(count: int, seed: int, folder: Path, environment: dict[str, str]) -> list[str]:
    """Run `count` random command lines through a server that forks; returns what did not hold."""
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(ROOT / "tests/server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert server.stdin is not None
    assert server.stdout is not None

    def run(module: str, flags: list[str]) -> dict[str, Any]:
        request = {"argv": [module, *flags], "cwd": str(folder), "env": {}, "kill_after": 120}
        server.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        server.stdin.flush()  # type: ignore[union-attr]
        return json.loads(server.stdout.readline())  # type: ignore[union-attr]

    trained = folder / "trained"
    assert run("train", [*TRAINED, f"--workdir={trained}"])["code"] == 0
    failures = []
    codes: dict[tuple[str, int], int] = {}
    for turn in range(count):
        draw = random.Random(f"{seed} {turn}")
        module, flags, result = random_command(draw, folder, folder / f"w{turn}", trained)
        answer = run(module, flags)
        codes[module, answer["code"]] = codes.get((module, answer["code"]), 0) + 1
        problem = judged(answer, result, resumed="--resume" in flags)
        if problem:
            failures.append(f"turn {turn}: {problem}: {module} {' '.join(map(repr, flags))}\n{answer['stderr'][-600:]}")
            print(failures[-1], flush=True)
        if turn % 100 == 99:
            shown = ", ".join(f"{name} {code}: {number}" for (name, code), number in sorted(codes.items()))
            print(f"{turn + 1} cases, exit codes {shown}, {len(failures)} failures", flush=True)
    server.stdin.close()
    server.wait()
    return failures


def random_command(
    draw: random.Random, folder: Path, workdir: Path, trained: Path
) -> tuple[str, list[str], tuple[Path, str]]:
    """A random command, its flags, and the path of its results with a file that they must hold."""
    kind = draw.choices(("train", "compare", "sweep", "predict", "gallery", "resume"), (50, 12, 12, 12, 2, 12))[0]
    if kind == "resume":
        damaged_copy(draw, trained, workdir)
        return "train", [*TRAINED[:-1], "--epochs=3", f"--workdir={workdir}", "--resume"], (workdir, "config.json")
    if kind == "predict":
        if draw.random() < 0.5:
            damaged_copy(draw, trained, workdir)
            trained = workdir
        chosen = draw.choice((random_file(draw, folder), "test", "validation", "", "nothing", "/"))
        flags = [f"--workdir={trained}", f"--input={chosen}", f"--output={workdir}.csv"]
        return kind, [*flags, *draw.choice(([], ["--mc_samples=3"], ["--batch_size=0"]))], (Path(f"{workdir}.csv"), "")
    flags = random_flags(draw, folder, workdir)
    if kind != "train":
        others = ("loader", "checkpoint", *(() if kind == "sweep" else ("data_devices",)))
        flags = [flag for flag in flags if not flag.startswith(tuple(f"--{name}" for name in others))]
    if kind == "compare":
        flags += draw.choice(
            (["--techniques=l2"], ["--techniques=dropout,combination"], ["--techniques=", "--grid=l2"])
        )
        flags.append("--seeds=2")
    elif kind == "sweep":
        flags.append("--sweep=" + draw.choice(SWEEPS))
    elif kind == "gallery":
        known = ("dataset", "target", "workdir", "seed", "unknown")
        flags = [flag for flag in flags if flag.startswith(tuple(f"--{name}=" for name in known))]
    return kind, flags, (workdir, "config.json")


def damaged_copy(draw: random.Random, trained: Path, workdir: Path) -> None:
    """A copy of a run with one of its files changed, cut, emptied or gone."""
    shutil.copytree(trained, workdir)
    path = draw.choice(sorted(p for p in workdir.rglob("*") if p.is_file()))
    content = bytearray(path.read_bytes())
    place = draw.randrange(max(len(content), 1))
    how = draw.choice(("flip", "cut", "empty", "gone", "junk"))
    if how == "gone":
        path.unlink()
    elif how == "flip" and content:
        content[place] ^= 1 << draw.randrange(8)
    if how != "gone":
        path.write_bytes({"cut": content[:place], "empty": b"", "junk": draw.randbytes(50)}.get(how, content))


def random_flags(draw: random.Random, folder: Path, workdir: Path) -> list[str]:
    """A short run with a few flags of any kind, and perhaps a file of any content."""
    chosen = {name: draw.choice(FLAGS[name]) for name in draw.sample(sorted(FLAGS), draw.randint(1, 4))}
    if chosen.get("dataset") == "FILE" or draw.random() < 0.15:
        chosen["dataset"] = random_file(draw, folder)
    short = {"dataset": "wine", "epochs": "1", "widths": "4", "train_examples": "20"}
    if chosen.get("model", "mlp") != "mlp" or "dataset" in chosen:
        short.pop("widths")
    return [f"--{name}={value}" for name, value in (short | chosen).items()] + [f"--workdir={workdir}"]


def random_file(draw: random.Random, folder: Path) -> str:
    """A file of any content."""
    path = folder / draw.choice(("a.csv", "a.npz", "a.png"))
    path.write_bytes(draw.choice(CONTENTS))
    return str(path)


def judged(answer: dict[str, Any], result: tuple[Path, str], resumed: bool) -> str | None:
    """Describe what is wrong with an answer; None if nothing is."""
    code, lines = answer["code"], answer["stderr"].strip().splitlines()
    if "Traceback" in answer["stderr"]:
        return "a traceback"
    if code not in (0, 2, 3):
        return f"exit code {code}"
    errors = [line for line in lines if line.startswith("error:")]
    if code == 2 and len(errors) != 1:
        return f"{len(errors)} lines of error"
    if code == 2 and result[0].exists() and not resumed:
        return f"a refusal left {result[0].name}"
    if code in (0, 3) and not (result[0] / result[1]).exists():
        return "no results"
    return None


def main() -> int:
    """Run the requested check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kills", "fuzz"))
    parser.add_argument("--count", type=int, required=True, metavar="N", help="kills, or cases")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="regjax-faults-") as folder:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": folder, "COLUMNS": "200"}
        failures = {"kills": kills, "fuzz": fuzz}[given.what](given.count, given.seed, Path(folder), environment)
    print(f"{len(failures)} failures in {time.monotonic() - started:.0f} s")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
