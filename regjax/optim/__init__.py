"""Penalties inside optimizers: routes, steps of the proximal map, and the checks that both fit each other."""
