"""Learning curves of one training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regjax.catalog import METRICS, SCORE
from regjax.report.figures import mark_onset
from regjax.report.page import clean
from regjax.report.panels import Panel, legend, number_ticks, save
from regjax.report.series import EPOCH, as_array
from regjax.report.style import Palette
from regjax.report.words import finite


def write_curves(
    history: Mapping[str, Sequence[float | None]],
    path: str | Path,
    *,
    title: str,
    diagnosis: Any = None,
    loss: str = "loss",
    task: str = "",
) -> Path:
    """Draw the losses, and accuracy or R² if available, against epochs, and mark the onset of overfitting.

    Args:
      history: columns of `metrics.jsonl`: `train/data_loss` (or `train/loss`), `val/loss`, `train/accuracy`,
        `val/accuracy` or the same of `r2`; `epoch` is optional. Null and NaN are gaps.
      path: path of the PNG.
      title: title of the figure.
      loss: name of the loss, beside its axis.
      task: the task, which may give the metric another title.
      diagnosis: a mapping or object with `onset_epoch`; None marks nothing.

    Returns:
      The path.

    Raises:
      ValueError: the history has no loss.

    Example:
      >>> import tempfile
      >>> history = {"train/data_loss": [1.0, 0.5, 0.2], "val/loss": [1.1, 0.9, 1.2]}
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = Path(folder) / "curves.png"
      ...     write_curves(history, path, title="run", diagnosis={"onset_epoch": 1}).name
      'curves.png'
    """
    path = Path(path)
    onset = diagnosis.get("onset_epoch") if isinstance(diagnosis, Mapping) else getattr(diagnosis, "onset_epoch", None)
    train = next((name for name in ("train/data_loss", "train/loss") if name in history), None)
    losses = [(train, "train", "training"), ("val/loss", "val", "validation")]
    present = [(name, role, label) for name, role, label in losses if name is not None and name in history]
    if not present:
        raise ValueError(
            f"history: no train/data_loss, train/loss or val/loss; there are {', '.join(sorted(history)) or 'none'}"
        )
    panels = [_panel(history, "loss", present, loss, 1.0, onset)]
    for name in SCORE.values():
        columns = [(f"train/{name}", "train", "training"), (f"val/{name}", "val", "validation")]
        if all(column in history for column, _, _ in columns):
            title, percent = METRICS[name].title_in(task), METRICS[name].percent
            label, scale = (f"{title} (%)", 100.0) if percent else (title, 1.0)
            panels.append(_panel(history, name, columns, label, scale, onset))
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    save(panels, path.with_suffix(""), clean(title), columns=2, svg=False)
    return path


def _panel(
    history: Mapping[str, Any],
    name: str,
    columns: Sequence[tuple[str, str, str]],
    label: str,
    scale: float,
    onset: Any,
) -> Panel:
    lines = [(as_array(history[column]) * scale, role, words) for column, role, words in columns]
    longest = max(values.size for values, _, _ in lines)
    x = as_array(history.get("epoch")) if len(history.get("epoch") or []) == longest else np.arange(longest)

    def draw(axes: Any, palette: Palette) -> None:
        for values, role, words in lines:
            marker = "o" if values.size == 1 else None
            axes.plot(x[: values.size], values, color=palette[role], label=words, marker=marker)
        last = max(float(x[-1]), 1.0) if longest else 1.0
        axes.set_xlim(0, last)
        finite_values = np.concatenate([values[np.isfinite(values)] for values, _, _ in lines])
        if name == "loss" and finite_values.size and finite_values.min() >= 0 and finite_values.max() > 0:
            axes.set_ylim(0, 1.06 * finite_values.max())
        if finite(onset):
            if name == "loss":
                mark_onset(axes, palette, float(onset), last)
            else:
                axes.axvline(onset, color=palette["ink"], linewidth=1.1, linestyle=(0, (4, 3)))
        axes.set_xlabel(EPOCH)
        axes.set_ylabel(label)
        number_ticks(axes.xaxis, 6, integer=True)
        number_ticks(axes.yaxis)
        legend(axes, palette)

    return Panel(name, "", "", draw, width=440, height=290, margins=(52, 16, 18, 40))
