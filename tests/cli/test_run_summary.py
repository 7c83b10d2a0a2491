import json

import pytest

from regjax.cli.run_summary import devices_of


@pytest.mark.parametrize(("devices", "expected"), [([1, 2], [1, 2]), (None, []), ([1, "2"], []), ("12", [])])
def test_the_devices_of_a_run(tmp_path, devices, expected):
    content = {"experiment": "train", "flags": {}, "devices": devices}
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert devices_of(tmp_path) == expected
