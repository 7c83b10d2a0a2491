"""Pages and figures about results: reads result files only, knows nothing about how they came to be."""

from regjax.report.compare_page import write_compare_report
from regjax.report.curves import write_curves
from regjax.report.sweep_page import write_sweep_report

__all__ = ["write_compare_report", "write_curves", "write_sweep_report"]
