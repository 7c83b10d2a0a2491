"""Studies behind decisions: each a script with its command, its runtime and a record of what it found."""
