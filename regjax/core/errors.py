"""The error for input that cannot be used; importing it imports nothing else."""

from __future__ import annotations


class InputError(ValueError):
    """Input from outside (a flag, a file, a name) cannot be used.

    The message is one line: what was wrong, which value, and what is accepted. The commands print it unchanged and
    exit with code 2.
    """
