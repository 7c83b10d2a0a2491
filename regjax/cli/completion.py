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


Commands = Mapping[str, tuple[str, Sequence[Flag]]]


def commands() -> Commands:
    """Return the description and the flags of each command."""
    from regjax.cli.__main__ import COMMANDS

    return {name: (text, flags_of(name)) for name, text in COMMANDS.items()}


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
    names = " ".join([*found, "list", "doctor", "completion"])
    yield f'    COMPREPLY=( $(compgen -W "{names}" -- "$current") ); return'
    yield "  fi"
    # A word break at "=" makes three words of --flag=value.
    yield '  if [[ "$current" == "=" ]]; then flag="$before"; current=""; fi'
    yield '  if [[ "$before" == "=" ]]; then flag="${COMP_WORDS[COMP_CWORD-2]}"; fi'
    yield '  case "${COMP_WORDS[1]} $flag" in'
    for name, (_, flags) in found.items():
        for flag in flags:
            if flag.values:
                yield f'    "{name} --{flag.name}") words="{" ".join(flag.values)}" ;;'
        written = " ".join(f"--{flag.name}{'=' if flag.takes_value else ''}" for flag in flags)
        yield f'    "{name} ") words="{written}" ;;'
    yield f'    "list ") words="{" ".join(KINDS)}" ;;'
    yield f'    "completion ") words="{" ".join(SHELLS)}" ;;'
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
    for name, (text, _) in found.items():
        yield f"      {_quoted(f'{name}:{text}')}"
    yield "      'list:methods by name' 'doctor:versions, devices and a self-test' 'completion:this script'"
    yield "    )"
    yield "    _describe command described; return"
    yield "  fi"
    yield "  local command=$words[2]"
    yield "  shift words; (( CURRENT-- ))"
    yield "  case $command in"
    for name, (_, flags) in found.items():
        yield f"    {name}) _arguments \\"
        for flag in flags:
            text = flag.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
            value = f":value:({' '.join(flag.values)})" if flag.values else ":value:_files"
            ending = f"=[{text}]{value}" if flag.takes_value else f"[{text}]"
            yield f"      {_quoted(f'--{flag.name}{ending}')} \\"
        yield "      ;;"
    yield f"    list) _values kind {' '.join(KINDS)} ;;"
    yield f"    completion) _values shell {' '.join(SHELLS)} ;;"
    yield "  esac"
    yield "}"
    yield '_regjax "$@"'


def _fish(found: Commands) -> Iterator[str]:
    yield "# Completion of regjax for fish."
    yield "complete -c regjax -n __fish_use_subcommand -f"
    for name, (text, flags) in found.items():
        yield f"complete -c regjax -n __fish_use_subcommand -a {name} -d {_quoted(text)}"
        for flag in flags:
            line = f"complete -c regjax -n '__fish_seen_subcommand_from {name}' -l {flag.name} -d {_quoted(flag.help)}"
            if flag.values:
                line += f" -x -a {_quoted(' '.join(flag.values))}"
            elif flag.takes_value:
                line += " -r"
            yield line
    for name, values in (("list", KINDS), ("doctor", ()), ("completion", SHELLS)):
        yield f"complete -c regjax -n __fish_use_subcommand -a {name}"
        if values:
            yield f"complete -c regjax -n '__fish_seen_subcommand_from {name}' -f -a {_quoted(' '.join(values))}"


SHELLS: Mapping[str, Callable[[Commands], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def _quoted(text: str) -> str:
    """Return text in single quotes, as all three shells read it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "'\\''") + "'"
