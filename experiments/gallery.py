"""`python -m experiments.gallery`: the command `regjax gallery`, from the checkout."""

from regjax.cli.__main__ import run

if __name__ == "__main__":
    run("gallery")
