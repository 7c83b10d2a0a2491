"""From a batch to a finished run."""
