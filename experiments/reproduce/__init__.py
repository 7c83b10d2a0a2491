"""Published tables, repeated: each file names what was published, where, and the range that was expected beforehand."""
