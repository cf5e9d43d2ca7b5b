"""Shows the progress bar."""

from __future__ import annotations

from typing import Any

from nabi.callbacks.callback import Callback, Logs
from nabi.utils.progbar import Progbar, print_msg


class ProgbarLogger(Callback):
    """Prints epoch titles, the bar and its values to standard output, as `verbose` says."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._called_in_fit = False

    def _wants_batches(self, mode: str) -> bool:
        return False

    def _wants_progress(self, mode: str) -> bool:
        shown = self.verbose == 1 or self.target is None  # the number of batches is shown at the end
        return shown and not (mode == "test" and self._called_in_fit)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        verbose = params["verbose"]
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._called_in_fit = True  # validation inside `fit` is silent

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._called_in_fit:
            self._new_bar()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._new_bar()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._new_bar()
        if self.verbose and self.epochs > 1:
            print_msg(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._update(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._called_in_fit:
            self._update(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._update(batch, None)  # predictions are not shown

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._called_in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._finish(logs)

    def _new_bar(self) -> Progbar:
        self.seen = 0
        # An empty set of averaged metrics: what arrives are running results of the epoch already.
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())
        return self.progbar

    def _update(self, batch: int, logs: Logs | None) -> None:
        bar = self.progbar or self._new_bar()
        self.seen = batch + 1
        if self.verbose == 1:
            bar.update(self.seen, (logs or {}).items(), finalize=False)

    def _finish(self, logs: Logs | None) -> None:
        bar = self.progbar or self._new_bar()
        if self.target is None:
            self.target = self.seen
            bar.target = self.target
        bar.update(self.target, (logs or {}).items(), finalize=True)
