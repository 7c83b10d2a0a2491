"""`python -m experiments.path`: the command `regjax path`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("path")
