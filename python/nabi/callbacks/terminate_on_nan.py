"""Ends training when the loss is no longer a number."""

from __future__ import annotations

import math

from nabi.callbacks.callback import Callback, Logs
from nabi.checks import numbers_checked
from nabi.utils.progbar import print_msg


class TerminateOnNaN(Callback):
    """Stops training at the first batch after which the loss is NaN or infinite.

    Args:
        raise_error: raise a RuntimeError instead of stopping quietly.
    """

    @numbers_checked
    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating training immediately."
            )
        print_msg(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
