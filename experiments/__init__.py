"""Research scripts on top of the library; the commands of `regjax.cli` as `python -m experiments.train` and so on."""
