"""The error of input that cannot be used; importing this imports nothing."""

from __future__ import annotations


class InputError(ValueError):
    """Something that came from outside (a flag, a file, a name) cannot be used.

    The message says what was wrong, which value it was and what is accepted, in one line; the commands
    print it as it is and exit with code 2.
    """
