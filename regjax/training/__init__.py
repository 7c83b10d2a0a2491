"""Training, from the loss of a batch to a finished run."""
