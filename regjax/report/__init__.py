"""Pages and figures from result files, independent of how these were made."""

from regjax.report.compare_page import write_compare_report
from regjax.report.curves import write_curves
from regjax.report.path_page import write_path_report
from regjax.report.sweep_page import write_sweep_report

__all__ = ["write_compare_report", "write_curves", "write_path_report", "write_sweep_report"]
