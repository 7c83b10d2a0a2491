"""`python -m experiments.export`: the command `regjax export`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("export")
