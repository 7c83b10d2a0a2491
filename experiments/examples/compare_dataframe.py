"""Which regularizer helps on a DataFrame, with text, dates and missing cells as they come.

  python -m experiments.examples.compare_dataframe

prints

  target stays: classification (text)
  customer  id        left out: another text in each row
  signed    date      left out: use it with dates=signed
  plan      category  3 levels
  usage     number    22 missing (7.3%): median, and an input that says so
  300 rows; 2 columns make 5 inputs; left out: customer, signed
  techniques beside the plain net: dropout
  test accuracy with dropout above 65%: True
"""

import numpy as np
import pandas as pd

import regjax as rj


def main():
    """A table whose target depends on a number and a level of text; dates, ids and gaps are in the way."""
    rng = np.random.default_rng(0)
    rows = 300
    table = pd.DataFrame(
        {
            "customer": [f"c{i:05d}" for i in range(rows)],
            "signed": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), "D"),
            "plan": rng.choice(["basic", "plus", "pro"], rows),
            "usage": np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(2.0, 2.0, rows)),
        }
    )
    score = table["usage"].fillna(4.0) - 3.0 * (table["plan"] == "basic") + rng.normal(0, 1.5, rows)
    table["stays"] = np.where(score > 2.5, "yes", "no")
    data = rj.data.from_frame(table, target="stays")
    print(*data.notes[:-1], sep="\n")  # the last one is about rows that are alike
    result = rj.compare("mlp", data, {"dropout": [0.2, 0.5]}, seeds=3, epochs=20)
    row = result.techniques["dropout"]
    print(f"techniques beside the plain net: {', '.join(name for name in result.techniques if name != 'baseline')}")
    print(f"test accuracy with dropout above 65%: {row.test.mean > 0.65}")


if __name__ == "__main__":
    main()
