"""Which regularizer helps on this data: techniques, selection, statistics."""
