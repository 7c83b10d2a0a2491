"""Penalties inside optimizers: the modes, the step sizes of proximal maps, and checks that they fit together."""
