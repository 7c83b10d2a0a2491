import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import load
from tests.data.sets import save_image


def test_sorted_classes_and_files(pets):
    data = load(pets)
    assert (data.name, data.class_names) == ("pets", ("cat", "dog"))
    assert data.x.shape == (3, 4, 6, 1)
    assert data.x.dtype == np.uint8
    assert data.x[:, 0, 0, 0].tolist() == [20, 30, 10]
    assert data.y.tolist() == [0, 0, 1]


def test_train_and_test_folders(tmp_path):
    tmp_path = tmp_path / "pets"
    for part, value in (("train", 1), ("test", 2)):
        for name in ("cat", "dog"):
            save_image(tmp_path / part / name / "1.png", np.full((2, 2), value))
    data = load(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.x.max() == 1
    assert data.test[0].min() == 2
    assert data.test[1].tolist() == [0, 1]
    save_image(tmp_path / "test" / "cow" / "1.png", np.ones((2, 2)))
    with pytest.raises(InputError, match="class 'cow' of the test part is not in train"):
        load(tmp_path)


def test_links_that_leave_are_refused(pets, tmp_path):
    save_image(tmp_path / "secret" / "1.png", np.ones((4, 6)))
    link = pets / "dog" / "2.png"
    link.symlink_to(tmp_path / "secret" / "1.png")
    with pytest.raises(InputError, match=r"dog/2\.png is a link that leaves the folder"):
        load(pets)
    link.unlink()
    (pets / "fish").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="fish is a link that leaves the folder"):
        load(pets)
    (pets / "fish").unlink()
    link.symlink_to(pets / "dog" / "1.png")
    assert len(load(pets)) == 4


def test_folders_without_classes_or_images(tmp_path):
    (tmp_path / "flat").mkdir()
    with pytest.raises(InputError, match="no class folders"):
        load(tmp_path / "flat")
    (tmp_path / "flat" / "cat").mkdir()
    with pytest.raises(InputError, match="class folder 'cat' has no images"):
        load(tmp_path / "flat")
