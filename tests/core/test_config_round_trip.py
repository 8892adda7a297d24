"""Every config of every command comes back from the settings that its run keeps."""

from __future__ import annotations

import json
from dataclasses import MISSING, replace

import pytest

from drive.cli.commands import COMMANDS, find_task
from drive.core.options import Config, fields_of
from tests.conftest import other_value

CONFIGS = {name: find_task(name)[0] for name in COMMANDS}
FIELDS = [(name, each.name) for name, config in CONFIGS.items() for each in fields_of(config)]


def usual(config: type[Config]) -> Config:
    """A config in which only what must be given is given."""
    needed = [each for each in fields_of(config) if each.default is MISSING]
    return config(**{each.name: other_value(each) for each in needed})


@pytest.mark.parametrize(("command", "name"), FIELDS)
def test_a_changed_value_survives_the_settings(command: str, name: str) -> None:
    config = CONFIGS[command]
    declared = next(each for each in fields_of(config) if each.name == name)
    before = usual(config)
    changed = replace(before, **{name: other_value(declared)})
    if declared.default is not MISSING:
        assert changed != before
    kept = json.loads(json.dumps(changed.settings()))
    assert config.from_settings(kept) == changed
