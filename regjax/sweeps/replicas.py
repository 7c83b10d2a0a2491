"""The data of a sweep on each device."""

from __future__ import annotations

import threading

from regjax.sweeps.lane import DeviceOrMesh, put
from regjax.training.state import TrainData


class DataReplicas:
    """The data on each device or mesh row, copied there once."""

    def __init__(self, data: TrainData):
        self._data = data
        self._on: dict[DeviceOrMesh, TrainData] = {}
        self._lock = threading.Lock()

    def on(self, device: DeviceOrMesh) -> TrainData:
        """The data on a device."""
        with self._lock:
            if device not in self._on:
                self._on[device] = put(self._data, device)
            return self._on[device]
