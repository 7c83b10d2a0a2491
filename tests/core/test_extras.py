import pytest

from regjax.core.extras import require


def test_the_first_missing_package_is_named_with_its_extra():
    require()
    require("json", "numpy")
    with pytest.raises(ModuleNotFoundError, match=r"^no_such_package .*'regjax\[bench\]'") as caught:
        require("json", "no_such_package", "no_other_package", extra="bench")
    assert caught.value.name == "no_such_package"
