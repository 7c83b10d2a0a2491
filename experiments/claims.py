"""`python -m experiments.claims`: the command `regjax claims`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("claims")
