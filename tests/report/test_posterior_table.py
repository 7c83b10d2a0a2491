from regjax.report.posterior_table import posterior_table


def results(posterior, runs=8, **gain):
    row = {"title": "L2 (in the loss)", "improvement": {"posterior": posterior, **gain}, "loss_improvement": None}
    return {"metric": "accuracy", "seeds": runs, "splits": runs, "techniques": {"l2": row}}


def test_probabilities_are_shares_in_percent_and_never_certain():
    made = posterior_table(results({"worse": 0.001, "same": 0.25, "better": 0.749}))
    (line,) = made["rows"]
    assert line["title"] == "L2"
    assert [cell["text"] for cell in line["cells"]] == ["<1", "25", "75", "–", "–", "–"]
    assert posterior_table(results({"worse": 0.0, "same": 0.0, "better": 1.0}))["rows"][0]["cells"][2]["text"] == ">99"


def test_there_is_none_with_too_few_runs_or_without_a_posterior():
    known = {"worse": 0.1, "same": 0.2, "better": 0.7}
    assert posterior_table(results(known, runs=5)) is None
    assert posterior_table(results(None)) is None
    lost = posterior_table(results(known, both_diverged=8, ci95=[None, None]))
    assert {cell["text"] for cell in lost["rows"][0]["cells"]} == {"–"}
