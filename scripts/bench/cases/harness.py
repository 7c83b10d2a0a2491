"""Runs a case: a process for each contender, all of them alive at once, measured in turn, one at a time."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from cases.base import Case

ROOT = Path(__file__).resolve().parents[3]
BRIEF_ROUNDS = 5


class Outcome(NamedTuple):
    """What a contender measured.

    Attributes:
      variants: median of each variant over the rounds.
      rounds: the headline of each round.
      value: the headline, None when the contender is missing.
      quality: median over the rounds.
      compile_seconds: what the first round took beyond a warm one.
      missing: why there is no value.
    """

    variants: dict[str, float]
    rounds: list[float]
    value: float | None
    quality: float | None
    compile_seconds: float | None
    missing: str | None


class Worker:
    """The process of one contender."""

    def __init__(self, case: str, contender: str, options: dict[str, Any]):
        environment = dict(os.environ)
        path = [str(ROOT / "scripts" / "bench"), str(ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        environment["KERAS_BACKEND"] = "jax"
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # a compilation is measured, not a cache
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cases.worker", case, contender, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )

    def answer(self) -> dict[str, Any]:
        """The next answer; a process that died has failed."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"failed": f"the process ended with code {self.process.wait()}"}

    def ask(self) -> dict[str, Any]:
        """Measure a round."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """End the process and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def complaint(self) -> str:
        """The end of what the process printed."""
        self.log.seek(0)
        return self.log.read()[-3000:]


class BenchmarkError(Exception):
    """Ours or the preparation of a case failed; peers that fail are named as missing instead."""


def measure(case: Case, *, quick: bool, data_dir: str | None, brief: bool = False) -> dict[str, Outcome]:
    """Measure all contenders of a case; with `brief` ours and the floor alone, in `BRIEF_ROUNDS`.

    Raises:
      BenchmarkError: ours failed.
    """
    contenders = {name: one for name, one in case.contenders.items() if not brief or name in ("ours", "floor")}
    rounds = 1 if quick else BRIEF_ROUNDS if brief else case.rounds
    with tempfile.TemporaryDirectory(prefix="regjax-bench-") as scratch:
        shared = os.path.join(scratch, "shared.npz")
        options = {"quick": quick, "shared": shared, "data_dir": data_dir, "scratch": scratch}
        if case.prepare is not None:
            preparing = Worker(case.name, "prepare", options)
            _check(case.name, "prepare", preparing, preparing.answer())
            preparing.close()
        workers: dict[str, Worker] = {}
        missing: dict[str, str] = {}
        answers: dict[str, list[dict[str, Any]]] = {}
        try:
            for name, contender in contenders.items():
                absent = [module for module in contender.needs if importlib.util.find_spec(module) is None]
                if absent:
                    missing[name] = f"{absent[0]} is not installed"
                    continue
                workers[name] = Worker(case.name, name, options)
                first = workers[name].answer()
                if name in ("ours", "floor"):
                    _check(case.name, name, workers[name], first)
                if "failed" in first:
                    missing[name] = first["failed"]
                    workers.pop(name).close()
                else:
                    answers[name] = [first]
            # The answer of the set-up is warm too and counts as the first round.
            for number in range(1, rounds):
                for name, worker in workers.items():
                    if name in missing:
                        continue
                    limit = contenders[name].rounds
                    if limit is None or number < limit:
                        reply = worker.ask()
                        if name in ("ours", "floor"):
                            _check(case.name, name, worker, reply)
                        if "failed" in reply:
                            missing[name] = reply["failed"]
                        else:
                            answers[name].append(reply)
        finally:
            for worker in workers.values():
                worker.close()
    return {
        name: Outcome({}, [], None, None, None, missing[name]) if name in missing else _outcome(case, answers[name])
        for name in contenders
    }


def _outcome(case: Case, answers: list[dict[str, Any]]) -> Outcome:
    variants = {name: statistics.median(a["values"][name] for a in answers) for name in answers[0]["values"]}
    if case.headline in ("max", "min"):
        shown = (max if case.headline == "max" else min)(variants, key=lambda name: variants[name])
    else:
        # Peers that have no variant of that name have only one.
        shown = case.headline if case.headline in variants else next(iter(variants))
    value, rounds = variants[shown], [answer["values"][shown] for answer in answers]
    qualities = [a["quality"] for a in answers if a["quality"] is not None]
    quality = statistics.median(qualities) if qualities else None
    return Outcome(variants, rounds, value, quality, answers[0].get("compile_seconds"), None)


def _check(case: str, name: str, worker: Worker, answer: dict[str, Any]) -> None:
    if "failed" in answer:
        raise BenchmarkError(f"{case}: {name} failed: {answer['failed']}\n{worker.complaint()}")
