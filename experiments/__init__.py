"""Commands: `python -m experiments.train`, `predict`, `compare`, `sweep`. Flags live here and nowhere below."""
