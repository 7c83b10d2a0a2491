"""`python -m experiments.predict`: the command `regjax predict`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("predict")
