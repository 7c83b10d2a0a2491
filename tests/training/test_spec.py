import flax.linen as nn
import jax
import numpy as np
import pytest

import regjax as rj


def test_spec_is_hashable_and_equal_by_value():
    specs = [rj.Spec(rj.models.make_model("mlp", num_outputs=2, widths=(4,)), batch_size=8) for _ in range(2)]
    assert specs[0] == specs[1]
    assert len(set(specs)) == 1


def test_hparams_have_one_type_whatever_was_given():
    def kinds(hparams):
        return [(np.asarray(leaf).dtype, np.shape(leaf)) for leaf in jax.tree.leaves(hparams)]

    a = rj.make_hparams(learning_rate=1, n_train=8, rates={"dropout": 0}, stopping=rj.EarlyStopping(patience=3))
    b = rj.make_hparams(
        learning_rate=np.float64(0.1), n_train=np.int64(9), rates={"dropout": 0.5},
        stopping=rj.EarlyStopping(patience=np.int64(3), min_delta=1),
    )  # fmt: skip
    assert kinds(a) == kinds(b)
    assert jax.tree.structure(a) == jax.tree.structure(b)


def test_runs_watch_a_loss_and_refuse_to_look_for_its_maximum():
    with pytest.raises(ValueError, match="mode='max'"):
        rj.make_hparams(n_train=8, stopping=rj.EarlyStopping(mode="max"))


def test_absent_and_zero_are_different_programs():
    absent, zero = rj.make_hparams(n_train=8), rj.make_hparams(n_train=8, mixup=0.0)
    assert jax.tree.structure(absent) != jax.tree.structure(zero)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be > 0, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"n_train": 0}, "train_examples must be >= 1, got 0"),
        ({"rates": {"dropout": 1.0}}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"mixup": -1.0}, "mixup"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"penalties": {"proximl": rj.l1(0.1)}}, "did you mean 'proximal'"),
    ],
)
def test_hparams_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        rj.make_hparams(**{"n_train": 8, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"task": "ranking"}, "task 'ranking' is not known"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"schedule": "cos"}, "did you mean 'cosine'"),
    ],
)
def test_spec_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        rj.Spec(None, **options)


def test_rates_follow_their_schedule():
    for shape, ends in (("up", (0.0, 0.5)), ("down", (0.5, 0.0)), ("constant", (0.5, 0.5))):
        spec = rj.Spec(nn.Dense(2), num_classes=2, steps_per_epoch=5, epochs=2, rate_schedule=shape)
        rate = spec.rates_at({"dropout": np.float32(0.5)})["dropout"]
        found = [float(rate(step)) if callable(rate) else float(rate) for step in (0, 9)]
        np.testing.assert_allclose(found, ends, atol=1e-6)
    with pytest.raises(ValueError, match="rate_schedule 'sideways' is not known"):
        rj.Spec(nn.Dense(2), rate_schedule="sideways")


def test_noises_without_an_upper_end_and_those_with():
    rates = rj.make_hparams(n_train=8, rates={"gaussian_noise": 2.0, "dropout": 0.5}).rates
    assert float(rates["gaussian_noise"]) == 2.0
    with pytest.raises(ValueError, match=r"drop_path must be in \[0, 1\), got 1.0"):
        rj.make_hparams(n_train=8, rates={"drop_path": 1.0})
    with pytest.raises(ValueError, match="gradient_noise and sam exclude each other"):
        rj.make_hparams(n_train=8, sam=0.1, gradient_noise=0.1)


def test_a_number_of_another_loss_is_refused_where_the_loss_is_known():
    hparams = rj.make_hparams(n_train=4, quantile=0.9)
    assert hparams.loss_parameter("quantile") == np.float32(0.9)
    assert rj.make_hparams(n_train=4).loss_parameter("quantile") == 0.5
    assert rj.make_hparams(n_train=4).loss_parameter("mse") is None
    with pytest.raises(ValueError, match="quantile is not a number of the loss 'mse'"):
        hparams.loss_parameter("mse")
    for bad in ({"quantile": 0.0}, {"quantile": 1.0}, {"huber_delta": 0.0}, {"focal_gamma": -0.5}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} must be "):
            rj.make_hparams(n_train=4, **bad)
