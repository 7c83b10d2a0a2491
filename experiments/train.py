"""`python -m experiments.train`: the command `regjax train`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("train")
