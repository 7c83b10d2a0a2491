"""`regjax completion SHELL`: a script that completes commands, flags and their values in bash, zsh or fish.

regjax completion bash > ~/.local/share/bash-completion/completions/regjax
regjax completion zsh > "${fpath[1]}/_regjax"
regjax completion fish > ~/.config/fish/completions/regjax.fish
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from regjax.cli.listing import KINDS
from regjax.core.errors import InputError
from regjax.core.options import SWITCH


class Flag(NamedTuple):
    """A flag of a command: its name, its help and the values that it accepts, if they are few and known."""

    name: str
    help: str
    values: tuple[str, ...]
    takes_value: bool


def main(arguments: Sequence[str]) -> int:
    """Print the script of a shell; returns the exit code.

    Raises:
      InputError: there is no such shell.
    """
    if not arguments or arguments[0] in ("-h", "-help", "--help"):
        print(__doc__)
        return 0
    if len(arguments) > 1 or arguments[0] not in SHELLS:
        raise InputError(f"completion {' '.join(arguments)!r}: accepted is one of {', '.join(SHELLS)}")
    print("\n".join(SHELLS[arguments[0]](commands())))
    return 0


class Command(NamedTuple):
    """A command: its description, its flags, and the words that follow it where it has no flags."""

    text: str
    flags: Sequence[Flag]
    words: Sequence[str]


Commands = Mapping[str, Command]


def commands() -> Commands:
    """Return all commands by name."""
    from regjax.cli.__main__ import COMMANDS, PLAIN

    words = {"list": tuple(KINDS), "completion": tuple(SHELLS)}
    with_flags = {name: Command(text, flags_of(name), ()) for name, text in COMMANDS.items()}
    return with_flags | {name: Command(text, (), words.get(name, ())) for name, (_, text) in PLAIN.items()}


def flags_of(command: str) -> list[Flag]:
    """Return the flags of a command."""
    options = importlib.import_module(f"regjax.cli.{command}").Config.options()
    found = []
    for name, option in options.items():
        values = tuple(option.kind.accepted.split("|")) if "|" in option.kind.accepted else ()
        found.append(Flag(name, option.help, values, option.kind is not SWITCH))
    return [*found, Flag("help", "list the flags", (), False)]


def _bash(found: Commands) -> Iterator[str]:
    yield "# Completion of regjax for bash."
    yield "_regjax() {"
    yield '  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words="" flag=""'
    yield "  COMPREPLY=()"
    yield "  if (( COMP_CWORD == 1 )); then"
    yield f'    COMPREPLY=( $(compgen -W "{" ".join(found)}" -- "$current") ); return'
    yield "  fi"
    # A word break at "=" makes three words of --flag=value.
    yield '  if [[ "$current" == "=" ]]; then flag="$before"; current=""; fi'
    yield '  if [[ "$before" == "=" ]]; then flag="${COMP_WORDS[COMP_CWORD-2]}"; fi'
    yield '  case "${COMP_WORDS[1]} $flag" in'
    for name, command in found.items():
        for flag in command.flags:
            if flag.values:
                yield f'    "{name} --{flag.name}") words="{" ".join(flag.values)}" ;;'
        written = [f"--{flag.name}{'=' if flag.takes_value else ''}" for flag in command.flags]
        yield f'    "{name} ") words="{" ".join([*written, *command.words])}" ;;'
    yield "  esac"
    yield '  COMPREPLY=( $(compgen -W "$words" -- "$current") )'
    yield '  [[ "${COMPREPLY[0]-}" == *= ]] && compopt -o nospace 2>/dev/null'
    yield "  return 0"
    yield "}"
    yield "complete -o default -F _regjax regjax"


def _zsh(found: Commands) -> Iterator[str]:
    yield "#compdef regjax"
    yield "_regjax() {"
    yield "  if (( CURRENT == 2 )); then"
    yield "    local -a described=("
    yield from (f"      {_quoted(f'{name}:{command.text}')}" for name, command in found.items())
    yield "    )"
    yield "    _describe command described; return"
    yield "  fi"
    yield "  local command=$words[2]"
    yield "  shift words; (( CURRENT-- ))"
    yield "  case $command in"
    for name, command in found.items():
        if command.words:
            yield f"    {name}) _values word {' '.join(command.words)} ;;"
        if not command.flags:
            continue
        yield f"    {name}) _arguments \\"
        for flag in command.flags:
            text = flag.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
            value = f":value:({' '.join(flag.values)})" if flag.values else ":value:_files"
            ending = f"=[{text}]{value}" if flag.takes_value else f"[{text}]"
            yield f"      {_quoted(f'--{flag.name}{ending}')} \\"
        yield "      ;;"
    yield "  esac"
    yield "}"
    yield '_regjax "$@"'


def _fish(found: Commands) -> Iterator[str]:
    yield "# Completion of regjax for fish."
    yield "complete -c regjax -n __fish_use_subcommand -f"
    for name, command in found.items():
        seen = f"complete -c regjax -n '__fish_seen_subcommand_from {name}'"
        yield f"complete -c regjax -n __fish_use_subcommand -a {name} -d {_quoted(command.text, fish=True)}"
        if command.words:
            yield f"{seen} -f -a {_quoted(' '.join(command.words), fish=True)}"
        for flag in command.flags:
            line = f"{seen} -l {flag.name} -d {_quoted(flag.help, fish=True)}"
            if flag.values:
                line += f" -x -a {_quoted(' '.join(flag.values), fish=True)}"
            elif flag.takes_value:
                line += " -r"
            yield line


SHELLS: Mapping[str, Callable[[Commands], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def _quoted(text: str, fish: bool = False) -> str:
    """Return text in single quotes, where a backslash stands for itself, except in fish."""
    return "'" + (text.replace("\\", "\\\\") if fish else text).replace("'", "'\\''") + "'"
