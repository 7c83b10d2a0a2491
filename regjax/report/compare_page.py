"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regjax.core.extras import require
from regjax.report import figures, histograms, reliability, strength
from regjax.report.detail_panels import confusions, ranking_curves, residual_panels
from regjax.report.detail_tables import (
    class_table,
    detail_captions,
    importance_table,
    mistake_pictures,
    mistake_table,
)
from regjax.report.learning_curve import curve_panel, more_data_sentence
from regjax.report.metrics_table import metrics_table
from regjax.report.notes import captions, notes
from regjax.report.page import clean, figure, render, reproduce, write
from regjax.report.pairs import pair_matrix
from regjax.report.panels import Panel, save
from regjax.report.posterior_table import posterior_table
from regjax.report.reach import caution, independent_runs
from regjax.report.reference_notes import ahead_note, rare_class_note, reference_notes
from regjax.report.row_curves import row_curve_section
from regjax.report.table import loss_table, table
from regjax.report.targets import label_table, target_table
from regjax.report.verdict import (
    LABELS,
    best_sentence,
    groups,
    headline,
    judge,
    loss_sentence,
)
from regjax.report.words import Measure


def write_compare_report(results: Mapping[str, Any], workdir: str | Path) -> Path:
    """Write `report.html`, a self-contained file, and `figures/` (SVG and PNG) for use elsewhere.

    Args:
      results: the content of `results.json` of a comparison; without `reproduce`, curves, weights,
        calibration or diagnosis, the page lacks their sections.
      workdir: directory to write into; created if needed.

    Returns:
      The path of `report.html`.
    """
    require("jinja2", "matplotlib")
    results, workdir = clean(results), Path(workdir)
    measure = Measure.of(results)
    rows = list(results["techniques"].values())
    wide, narrow = figures.overfitting(results), figures.overfitting(results, narrow=True)
    forest = [panel for key in ("improvement", "loss_improvement") if (panel := figures.forest(results, key))]
    strengths, weights = strength.strengths(results), histograms.weights(results)
    curves, reliabilities = figures.technique_curves(results), reliability.reliabilities(results)
    best = best_sentence(results)
    curve, of_rows = curve_panel(results), row_curve_section(results)
    pairs = [panel] if best and (panel := pair_matrix(results)) else []
    statuses = {judge(row.get(key)) for row in rows for key in ("improvement", "loss_improvement") if row.get(key)}
    content = {
        "dataset": results["dataset"],
        "headline": headline(results),
        "loss_sentence": loss_sentence(results),
        "caution": caution(results),
        "groups": groups(rows, measure, independent_runs(results)),
        "legend": [(status, label) for status, label in LABELS.items() if status in statuses],
        "overfitting": {"wide": figure(wide)["svg"], "narrow": figure(narrow)["svg"]} if wide and narrow else None,
        "forest": [figure(panel) for panel in forest],
        "table": table(results, measure),
        "loss_table": loss_table(results, measure),
        "posterior_table": posterior_table(results),
        "metrics_table": metrics_table(results),
        "rare_class_note": rare_class_note(results),
        "ahead_note": ahead_note(results),
        "reference_notes": " ".join(reference_notes(results)[1:]),  # the table has the numbers of the first
        "next": results.get("next") or [],
        "data": (results.get("settings") or {}).get("data") or [],
        "more_data_sentence": more_data_sentence(results),
        "learning_curve": figure(curve) if curve else None,
        "row_curves": of_rows and {**of_rows, "panel": figure(of_rows["panel"])},
        "best_sentence": best,
        **details(results),
        "pairs": [figure(panel) for panel in pairs],
        "strengths": [figure(panel) for panel in strengths],
        "weights": [figure(panel) for panel in weights],
        "curves": [figure(panel) for panel in curves],
        "reliabilities": [figure(panel) for panel in reliabilities],
        "loss": measure.loss,
        "notes": notes(results, measure),
        "reproduce": reproduce(results),
        "footer": "Made by regjax from results.json; this page loads nothing from anywhere.",
        **captions(results, measure),
    }
    of_curve = [curve] if curve else []
    if of_rows:
        (workdir / "figures").mkdir(parents=True, exist_ok=True)
        save([of_rows["panel"]], workdir / "figures" / "row_curves", f"{results['dataset']}: learning curves")
    _save_figures(
        workdir / "figures", results, wide, forest, of_curve, pairs, strengths, weights, curves, reliabilities
    )
    return write(workdir / "report.html", render("compare.html", content))


def details(results: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, tables and texts on the predictions of the baseline and of the best row on validation."""
    return {
        "residuals": [figure(panel) for panel in residual_panels(results)],
        "confusions": [figure(panel) for panel in confusions(results)],
        "ranking_curves": [figure(panel) for panel in ranking_curves(results)],
        "class_table": class_table(results),
        "target_table": target_table(results) or label_table(results),
        "mistake_table": mistake_table(results),
        "mistake_pictures": mistake_pictures(results),
        "importance_table": importance_table(results),
        **detail_captions(results),
    }


def _save_figures(folder: Path, results: Mapping[str, Any], wide: Panel | None, *several: list[Panel]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = results["dataset"]
    if wide:
        save([wide], folder / "overfitting", f"{name}: the baseline")
    stems = (
        ("improvement", "paired change against the baseline", 2),
        ("learning_curve", "the baseline on fewer training examples", 1),
        ("pairs", "every row against every other", 1),
        ("strength", "selection score against strength", 3),
        ("weights", "weights after training", 3),
        ("curves", "validation loss (orange), training loss (blue), baseline (dashed)", 3),
        ("reliability", "test accuracy against confidence, baseline (dashed)", 3),
    )
    for panels, (stem, title, columns) in zip(several, stems, strict=True):
        if panels:
            save(panels, folder / stem, f"{name}: {title}", columns=columns)
