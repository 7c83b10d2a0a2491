"""Examples: short programs that each show one thing, with the command that runs them and what it prints."""
