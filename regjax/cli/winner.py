"""What a comparison leaves for the next step: the flags of each row, the model of the winner, and commands."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import METRICS
from regjax.cli import app, flags, workdirs
from regjax.cli.final import final_options
from regjax.cli.train import Config as TrainConfig
from regjax.report.verdict import judge
from regjax.report.words import Measure, listing

if TYPE_CHECKING:
    from regjax.cli.setup import Facts
    from regjax.comparison.result import CompareResult

FLAGS = "flags"  # the folder of the flag files
WINNER = "winner"  # the folder of the winner's model
BEST = "best"
FINAL = "final"
WEIGHTS = "weights.npz"


def winner_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with the best mean validation score, of those whose runs can be repeated.

    The test examples have no say, so that the test score of the row is not better than that of another one by choice.

    Args:
      content: the results of a comparison.
    """
    rows, sign = [content["baseline"], *content["techniques"].values()], METRICS[content["metric"]].sign
    return max((row for row in rows if row["flags"] is not None), key=lambda row: sign * row["chosen"]["select_score"])


def typical(runs: Sequence[TrainConfig]) -> int:
    """Return the number of the first run with the options that most runs of a row have, apart from the seeds.

    Learning rates differ between splits, so that hardly two runs may have all options in common: the most frequent one
    is taken of those runs that have the most frequent other options.

    Example:
      >>> typical([TrainConfig(l2=0.1, seed=1), TrainConfig(l2=0.2, seed=2), TrainConfig(l2=0.2, seed=3)])
      1
    """
    fixed = {"seed": 0, "split_seed": 0, "workdir": ""}
    settings = [{**run.to_json(), **fixed} for run in runs]
    others = [repr({**setting, "learning_rate": 0}) for setting in settings]
    most = Counter(others).most_common(1)[0][0]
    rates = Counter(setting["learning_rate"] for setting, own in zip(settings, others, strict=True) if own == most)
    wanted = rates.most_common(1)[0][0]
    return next(i for i, own in enumerate(others) if own == most and settings[i]["learning_rate"] == wanted)


def write_flags(
    directory: Path, rows: Mapping[str, Sequence[TrainConfig]], winner: str, kept_epochs: Sequence[int]
) -> None:
    """Write a flag file of `train` for the typical run of each row, and for the winner `best.flags` and `final.flags`.

    Args:
      directory: directory of the comparison.
      rows: the runs of each row.
      winner: name of a row.
      kept_epochs: of the runs of the winner, see `final_options`.
    """
    folder = directory / FLAGS
    folder.mkdir()
    default = TrainConfig().to_json()
    for number, (name, runs) in enumerate(rows.items()):
        run = runs[typical(runs)]
        lines = flags.arguments(run)
        differs = [name for name, value in run.to_json().items() if value != default[name] and name != "workdir"]
        text = "".join(f"{line}\n" for option in differs for line in lines[option])
        (folder / f"{name if name.isidentifier() else f'row_{number}'}.flags").write_text(text)
        if name == winner:
            (folder / f"{BEST}.flags").write_text(text)
            options = final_options(run, kept_epochs)
            lines = flags.arguments(TrainConfig(**options))
            (folder / f"{FINAL}.flags").write_text("".join(f"{line}\n" for name in options for line in lines[name]))


def write_model(directory: Path, result: CompareResult, runs: Sequence[TrainConfig], name: str, facts: Facts) -> None:
    """Write the model of the typical run of a row, from which `predict` predicts.

    Args:
      directory: directory of the comparison.
      result: its result.
      runs: the runs of the row.
      name: name of the row.
      facts: properties of the data.
    """
    from regjax.training.weights_file import write_weights

    if result.trained is None:
        return
    folder, i = directory / WINNER, typical(runs)
    folder.mkdir()
    content = {"experiment": "train", "flags": runs[i].to_json(), "facts": facts._asdict()}
    workdirs.write_json(folder / "config.json", content)
    (folder / "preprocess.json").write_text(result.trained.preprocessors[name][i].to_json())
    write_weights(result.trained.weights[name][i], folder / WEIGHTS)


def directory_of_run(workdir: Path) -> Path:
    """Return the directory of the trained run, which for a comparison is that of its winner.

    Raises:
      FlagError: there is no trained run.
    """
    flags.check(workdir.exists(), "workdir", "no such directory; name that of a run of train or compare")
    flags.check(workdir.is_dir(), "workdir", "is a file; name the directory of a run")
    saved = (workdirs.read_config(workdir) or {}).get("experiment")
    if saved == "compare":
        flags.check((workdir / WINNER).is_dir(), "workdir", "is a comparison that kept no model; train a row of it")
        title = json.loads((workdir / "results.json").read_text())["winner"]["title"]
        app.note(f"the model of the winner of the comparison on validation: {title}")
        workdir = workdir / WINNER
    flags.check(saved in (None, "train", "compare"), "workdir", f"holds no trained run, but a {saved}")
    for names in (("config.json",), ("preprocess.json",), ("checkpoints", WEIGHTS)):
        there = any((workdir / name).exists() for name in names)
        flags.check(there, "workdir", f"holds no trained run: {names[0]} is missing")
    return workdir


def next_commands(config: Any, winner: Mapping[str, Any], results: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the commands that come next, each with what it does.

    Args:
      config: the options of the comparison.
      winner: the row of the winner.
      results: the results of the comparison.
    """
    if winner["diverged"] >= results["seeds"]:
        return [_with_smaller_learning_rate(config, results["settings"]["learning_rate"] / 10)]
    measure = Measure.of(results)
    interval = measure.range(winner["test"]["ci95"])
    expected = f"a test {measure.name} of {measure.value(winner['test']['mean'])}{measure.unit}"
    expected += f" (95% interval {interval})" if interval else ""
    found = "what the comparison found" + (" by choosing in each split" if results["splits"] > 1 else "")
    without = "" if results["task"] != "regression" else " (without intervals: no held-out examples are left for them)"
    noise = results["settings"].get("label_noise")
    wrong = f"; {100 * noise:g}% of its labels are wrong on purpose, as in the comparison" if noise else ""
    workdir = config.workdir.rstrip("/")
    is_file = Path(config.dataset).expanduser().exists()
    run = " ".join(app.program("train"))
    predict = " ".join(app.program("predict"))
    quoted = _quoted(workdir)
    return [
        {
            "what": f"train the winner by validation, {winner['title']}, as a run of its own{_beside(winner, results)}",
            "command": f"{run} --flagfile={quoted}/{FLAGS}/{BEST}.flags --workdir={quoted}-winner",
        },
        {
            "what": f"train it on training and validation examples together, to use it with {predict} "
            f"--workdir={quoted}-final{without}; expect {found}, {expected}{wrong}",
            "command": f"{run} --flagfile={quoted}/{FLAGS}/{FINAL}.flags --workdir={quoted}-final",
        },
        {
            "what": "predict with the winner's model, here the examples of the comparison; name a file of new ones",
            "command": f"{predict} --workdir={quoted} --input={_quoted(config.dataset) if is_file else 'test'} "
            f"--output={quoted}-predictions.csv",
        },
    ]


def _beside(winner: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Say what is shown to help where the winner is not; else empty."""
    rows = results["techniques"].values()
    helped = [row["title"] for row in rows if judge(row.get("improvement")) == "helped"]
    if not helped or judge(winner.get("improvement")) == "helped":
        return ""
    return f"; what is shown to help is {listing(helped)}"


def _with_smaller_learning_rate(config: Any, learning_rate: float) -> dict[str, str]:
    """The command that comes next if all runs diverged."""
    import shlex

    own = {"learning_rate": learning_rate, "workdir": f"{config.workdir.rstrip('/')}-smaller", "resume": False}
    changed = dataclasses.replace(config, **own)
    default, lines = type(config)().to_json(), flags.arguments(changed)
    differs = [name for name, value in changed.to_json().items() if value != default[name]]
    return {
        "what": "all runs diverged, so there is no model to use; compare with a smaller learning rate",
        "command": shlex.join([*app.program("compare"), *(line for name in differs for line in lines[name])]),
    }


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
