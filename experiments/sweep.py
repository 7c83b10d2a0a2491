"""`python -m experiments.sweep`: the command `regjax sweep`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("sweep")
