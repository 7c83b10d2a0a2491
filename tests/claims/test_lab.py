import numpy as np
import pytest

from regjax.claims import lab
from regjax.claims.lab import Setting, Trained, chosen, kernels, train
from regjax.claims.problems import TRAIN, problem
from regjax.penalties import l2
from regjax.training.evaluate import evaluate


def trained(validation, test):
    part = {"loss": np.array(validation)}
    return Trained({"loss": np.array(test)}, part, {"loss": np.array(test), "accuracy": -np.array(test)}, [])


def test_what_is_kept_is_at_the_lowest_validation_loss():
    one = trained([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[0.3, 0.2, 0.1], [0.6, 0.5, 0.4]])
    assert one.kept("test").tolist() == [0.2, 0.6]
    assert one.last("test").tolist() == [0.1, 0.4]


def test_a_setting_is_chosen_in_each_run_by_its_last_validation_loss():
    weak, strong = (
        trained([[0.0, 2.0], [0.0, 1.0]], [[0, 10], [0, 20]]),
        trained([[9, 1.0], [9, 3.0]], [[0, 30], [0, 40]]),
    )
    position, metrics = chosen({"weak": weak, "strong": strong})
    assert position.tolist() == [1, 0]
    assert metrics["loss"].tolist() == [30, 20]


@pytest.mark.slow
def test_a_run_is_the_same_net_whatever_is_followed_and_trained_beside_it(monkeypatch):
    monkeypatch.setattr(lab, "EPOCHS", 3)
    settings = {"none": Setting(), "l2": Setting(regularizers={"penalties": {"loss": l2(0.01)}})}
    both = train("clusters", [1, 4], settings, ("validation", "test"))
    alone = train("clusters", [4], {"none": Setting()}, ("test",))["none"]
    np.testing.assert_array_equal(both["none"].test["loss"][1], alone.test["loss"][0])
    for first, second in zip(kernels(both["none"].weights[1]), kernels(alone.weights[0]), strict=True):
        np.testing.assert_array_equal(first, second)
    of, model = problem("clusters", [4]), lab.spec_of(problem("clusters", [4]), Setting()).model
    rows = {"test": of.test[0], "train": of.order[0][:TRAIN]}
    for part, own in rows.items():
        expected = evaluate(model.apply, alone.weights[0].params, None, of.x[own], of.clean[own])
        assert getattr(alone, part)["loss"][0, -1] == pytest.approx(float(expected["loss"]), rel=1e-4)
    assert len(kernels(alone.weights[0])) == 3
    assert both["l2"].test["loss"].shape == (2, 3)


@pytest.mark.slow
def test_augmentation_of_a_setting_changes_the_net(monkeypatch):
    """A strength that is left out would silently switch it off."""
    monkeypatch.setattr(lab, "EPOCHS", 2)
    found = train("clusters", [0], {"none": Setting(), "noise": Setting(augmentation="noise=0.5")})
    assert found["none"].test["loss"][0, -1] != found["noise"].test["loss"][0, -1]
