from regjax.report.plain_table import cell, line, plain_table


def test_a_table_has_a_column_of_titles_before_its_own():
    made = plain_table("rates", [("recall", "%")], [line("cat", [cell("recall, %", "80", "of 10")])])
    assert [(column["name"], column["unit"]) for column in made["columns"]] == [("", ""), ("recall", "%")]
    (row,) = made["rows"]
    assert (row["title"], row["cells"][0]["text"], row["cells"][0]["small"]) == ("cat", "80", "of 10")


def test_a_cell_without_anything_is_empty_and_one_with_small_print_is_not():
    assert cell("inputs", "")["text"] == ""
    assert cell("inputs", "", "age 3")["text"]  # an empty cell is hidden on a narrow page
