import jax
import numpy as np

from regjax.sweeps.replicas import DataReplicas


def test_the_data_are_copied_to_a_device_once(blobs):
    replicas, device = DataReplicas(blobs), jax.devices()[0]
    first = replicas.on(device)
    assert replicas.on(device) is first
    assert first.x.devices() == {device}
    np.testing.assert_array_equal(first.y, blobs.y)
