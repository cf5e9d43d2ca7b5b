"""Records each epoch's results."""

from __future__ import annotations

from typing import Any

from nabi.callbacks.callback import Callback, Logs


class History(Callback):
    """What `fit` returns and `model.history` is: results per epoch.

    Attributes:
        history: dict of lists of floats, one entry per epoch, keys sorted (`accuracy`, `loss`, `val_accuracy`, ...).
        epoch: the epochs' numbers, from 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)
        # Set again, in case a callback ran another fit on the model.
        self.model.history = self
