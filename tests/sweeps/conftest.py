import jax
import pytest

import regjax as rj


@pytest.fixture(scope="session")
def lanes(spec):
    """Ten lanes that stop at different epochs: the smaller the patience, the sooner."""
    run = rj.make_run(spec)
    return [
        rj.Lane(
            run,
            rj.make_hparams(
                learning_rate=0.01 * (1 + i % 3),
                n_train=80,
                rates={"dropout": 0.1 * (i % 4)},
                stopping=rj.EarlyStopping(patience=i % 5, min_delta=0.05),
                restore_best=bool(i % 2),
            ),
            jax.random.key(i),
            i % 2,
        )
        for i in range(10)
    ]


@pytest.fixture(scope="session")
def mapped(lanes, blobs):
    return rj.run_lanes(lanes, blobs)
