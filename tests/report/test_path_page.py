import pytest

from regjax.report import write_path_report
from tests.report.test_path_words import DOWN, UP, results_of, with_inputs


@pytest.fixture
def page(tmp_path):
    def made(results):
        return write_path_report(results, tmp_path / "w").read_text()

    return made


def test_the_page_has_a_row_for_each_point_and_escapes_names(page, tmp_path):
    inputs = [[3.0, 1.0], [1.0, 0.5], [0.0, 0.2]]
    points = [with_inputs(one, own) for one, own in zip(UP, inputs, strict=True)]
    text = page(results_of(points, DOWN, columns=["<b>a</b>", "b"], dataset="<i>d</i>"))
    assert "<b>a</b>" not in text
    assert "<i>d</i>" not in text
    assert all(f"{value:g}" in text for value in (0.01, 0.1, 1.0))
    for name in ("path.png", "path.svg", "features.png"):
        assert (tmp_path / "w/figures" / name).stat().st_size > 1000


def test_without_features_or_a_best_point_there_is_a_page(page, tmp_path):
    failed = [one | {"failed": 1, "score": {"mean": None, "ci95": [None, None]}, "val_loss": None} for one in UP]
    text = page(results_of(failed, best=None, one_standard_error=None))
    assert "1 failed" in text
    assert not (tmp_path / "w/figures/features.png").exists()
