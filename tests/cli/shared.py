"""What tests of several commands share."""

import csv

SMALL = ["--epochs=4", "--train_examples=64", "--widths=16"]


def read_csv(path):
    with path.open() as file:
        return list(csv.DictReader(file))
