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


@pytest.mark.parametrize("lazy", [False, True])
def test_empty_classes_are_refused_by_name_or_left_out(pets, lazy):
    for name in ("ant", "cow"):
        (pets / name / "none").mkdir(parents=True)
    (pets / "cow" / "readme.txt").write_text("later")
    with pytest.raises(InputError, match=r"pets: class folders 'ant', 'cow' have no images .*allow_empty"):
        load(pets, lazy=lazy)
    data = load(pets, lazy=lazy, allow_empty=True)
    assert data.class_names == ("cat", "dog")
    assert data.y.tolist() == [0, 0, 1]
    assert [note for note in data.notes if "2 class folders" in note and "ant, cow" in note]


def test_classes_without_images_in_one_part(tmp_path):
    root = tmp_path / "pets"
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            save_image(root / part / name / "1.png", np.ones((2, 2)))
    (root / "test" / "cat" / "1.png").unlink()
    with pytest.raises(InputError, match="class folder 'test/cat' has no images"):
        load(root)
    data = load(root, allow_empty=True)
    assert data.test[1].tolist() == [1]
    (root / "test" / "dog" / "1.png").unlink()
    with pytest.raises(InputError, match="class folders of 'test' are empty"):
        load(root, allow_empty=True)
    save_image(root / "test" / "dog" / "1.png", np.ones((2, 2)))
    (root / "train" / "dog" / "1.png").unlink()
    with pytest.raises(InputError, match="class 'dog' of the val part has no images in train"):
        load(root, allow_empty=True)


def test_a_cycle_of_links_ends(pets):
    (pets / "cat" / "again").symlink_to(pets)
    with pytest.raises(InputError, match="cat/again is a link to another folder of the set"):
        load(pets)


def test_upper_case_endings_are_images(pets):
    save_image(pets / "dog" / "2.PNG", np.full((4, 6), 9))
    save_image(pets / "dog" / "3.JFIF", np.full((4, 6), 9), format="JPEG")
    assert len(load(pets)) == 5
