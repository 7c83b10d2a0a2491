"""A callback that remembers what happened."""

import regjax as rj


class Recorder(rj.Callback):
    """Keeps the events of a run, in order."""

    def __init__(self):
        self.events = []

    def on_start(self, event):
        self.events.append(event)

    def on_epoch(self, event):
        self.events.append(event)

    def on_save(self, event):
        self.events.append(event)

    def on_stop(self, event):
        self.events.append(event)

    def on_end(self, result):
        self.events.append(result)

    def of(self, kind):
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]
