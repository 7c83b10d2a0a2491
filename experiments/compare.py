"""`python -m experiments.compare`: the command `regjax compare`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("compare")
