"""Every option of every command has a place in `--help` and a text."""

import importlib

import pytest

from regjax.cli.__main__ import COMMANDS
from regjax.cli.flags import GROUPS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_heading_and_a_text(command):
    options = importlib.import_module(f"regjax.cli.{command}").Config.options()
    assert options
    assert {option.group for option in options.values()} <= set(GROUPS)
    assert all(option.help for option in options.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_defaults_of_a_command_are_accepted_and_survive_the_file(command):
    config = importlib.import_module(f"regjax.cli.{command}").Config
    assert config.from_json(config().to_json()) == config()
