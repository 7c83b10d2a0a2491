import pytest

from regjax.core.extras import MissingPackage, require


def test_all_missing_packages_are_named_with_their_extra():
    require()
    require("json", "numpy")
    with pytest.raises(MissingPackage, match=r"^no_such_package, no_other_package .*'regjax\[bench\]'") as caught:
        require("json", "no_such_package", "no_other_package", extra="bench")
    assert caught.value.name == "no_such_package"
