"""Everything that fights overfitting, as pure JAX functions."""
