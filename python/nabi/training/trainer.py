"""`compile`, `fit`, `evaluate`, `predict` and their one-batch forms.

Source of the semantics: Keras 3.15 `Trainer`.
"""

from __future__ import annotations

import contextlib
import operator
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from nabi import config, objects, ops, optimizers, random, tree
from nabi import metrics as metrics_module
from nabi.callbacks import CallbackList, History
from nabi.callbacks.callback import pythonify_logs
from nabi.trace import KerasTensor, current_trace
from nabi.training import data_adapters as feeds_module
from nabi.training import quick
from nabi.training.compile_utils import CompileLoss, CompileMetrics
from nabi.training.data_adapters import ArrayBatches, Feeds, IterableBatches
from nabi.training.loop import Loop
from nabi.training.step import StepCache, new_compile_id

#: Attributes of a model that training sets; none of them is part of a traced program.
TRAINER_STATE = frozenset(
    (
        "_compiled",
        "_steps",
        "compiled",
        "history",
        "loss",
        "optimizer",
        "run_eagerly",
        "jit_compile",
        "steps_per_execution",
        "stop_training",
        "stop_evaluating",
        "stop_predicting",
    )
)


class _Compiled:
    """What `compile` decided."""

    def __init__(self) -> None:
        self.id = new_compile_id()
        self.config: dict[str, Any] = {}  # the arguments
        self.loss: CompileLoss | None = None
        self.metrics: CompileMetrics | None = None
        self.loss_tracker: Any = None
        self.trainable: dict[int, tuple[Any, bool]] = {}  # layers and whether they train, by id
        self.seed: int | None = None  # of the shuffles
        self.fits = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.trainable = {id(entry[0]): entry for entry in self.trainable.values()}  # a copy has other layers


class Trainer:
    """The part of a model that trains, evaluates and predicts."""

    optimizer: Any
    loss: Any
    compiled: bool
    history: History
    stop_training: bool
    run_eagerly: bool
    jit_compile: Any
    steps_per_execution: int
    _steps: StepCache
    _compiled: _Compiled

    def __init__(self) -> None:
        self._steps = StepCache()
        self._compiled = _Compiled()
        self.compiled = False
        self.optimizer = None
        self.loss = None
        self.stop_training = False
        self.stop_evaluating = False
        self.stop_predicting = False
        self.run_eagerly = False
        self.jit_compile = "auto"
        self.steps_per_execution = 1

    # -----------------------------------------------------------------------------------------------------------------
    # Compiling
    # -----------------------------------------------------------------------------------------------------------------
    def compile(
        self: Any,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Says how the model is trained and measured.

        Which layers train is taken from their `trainable` now; later changes need another `compile`.

        Args:
            optimizer: name or instance.
            loss: name, function `fn(y_true, y_pred)`, instance; or a list, tuple or dict of them by output.
            loss_weights: factor of each loss.
            metrics: list (or dict by output) of names, functions, instances. "accuracy" means the accuracy that fits
                the shapes.
            weighted_metrics: metrics that sample weights and class weights apply to.
            run_eagerly: accepted; steps are always traced once and compiled.
            steps_per_execution: batches between two calls of batch hooks.
            jit_compile: accepted; steps are always compiled.
            auto_scale_loss: accepted.

        Raises:
            ValueError: an unknown name or an argument of the wrong kind; the model is unchanged.
        """
        if isinstance(steps_per_execution, bool) or not isinstance(steps_per_execution, (int, np.integer)):
            raise ValueError(f"`steps_per_execution` must be a positive integer. Received: {steps_per_execution}")
        if steps_per_execution < 1:
            raise ValueError(f"`steps_per_execution` must be a positive integer. Received: {steps_per_execution}")
        found = optimizers.get(optimizer)
        names = getattr(self, "output_names", None)
        compiled = _Compiled()
        if loss is not None:
            compiled.loss = CompileLoss(loss, loss_weights, output_names=names)
        if metrics is not None or weighted_metrics is not None:
            compiled.metrics = CompileMetrics(metrics, weighted_metrics, output_names=names)
        compiled.loss_tracker = metrics_module.Mean(name="loss")
        compiled.config = {
            "optimizer": found,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": bool(run_eagerly),
            "steps_per_execution": int(steps_per_execution),
            "jit_compile": jit_compile,
        }
        compiled.trainable = {id(layer): (layer, layer.trainable) for layer in self._flatten_layers()}
        if run_eagerly:
            warnings.warn(
                "`run_eagerly=True` has no effect: steps are traced once and compiled. Python code in `call` and "
                "`train_step` runs when a step is traced.",
                stacklevel=2,
            )
        self._compiled = compiled
        self._steps.clear()
        self.optimizer = found
        self.loss = loss
        self.run_eagerly = bool(run_eagerly)
        self.jit_compile = jit_compile
        self.steps_per_execution = int(steps_per_execution)
        self.stop_training = False
        self.compiled = True

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile` as JSON values; empty before it."""
        return dict(objects.serialize_keras_object(self._compiled.config)) if self.compiled else {}

    def compile_from_config(self: Any, config: dict[str, Any]) -> None:
        """Compiles the model as `get_compile_config()` says, and makes the optimizer's state if the model is built.

        A model with a `compile` of its own is left uncompiled, with a warning.
        """
        if type(self).compile is not Trainer.compile:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's `compile()` method is custom. "
                "All subclassed Models that have `compile()` overridden should also override `get_compile_config()` "
                "and `compile_from_config(config)`. Alternatively, you can call `compile()` manually after loading.",
                stacklevel=2,
            )
            return
        self.compile(**objects.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self: Any) -> list[Any]:
        """Loss mean, compiled metrics (as one), means of single losses, then metrics in attributes and layers."""
        found: list[Any] = []
        if self.compiled:
            compiled = self._compiled
            found.append(compiled.loss_tracker)
            if compiled.metrics is not None:
                found.append(compiled.metrics)
            if compiled.loss is not None:
                found.extend(compiled.loss.metrics)
        found.extend(self._metrics)
        for layer in self._flatten_layers(include_self=False):
            if not isinstance(layer, Trainer):
                found.extend(layer._metrics)
        return list({id(metric): metric for metric in found}.values())

    @property
    def metrics_names(self) -> list[str]:
        """Names of `metrics`: "loss", "compile_metrics", ..."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Starts all metrics again."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Present results by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            if isinstance(metric, CompileMetrics) and not metric.built:
                continue
            result = _result(metric)
            found.update(result if isinstance(result, dict) else {metric.name: result})
        return found

    def _current_logs(self, own: dict[str, Any]) -> dict[str, Any]:
        """Results for callbacks: the metrics', or those of a user's own step."""
        return pythonify_logs(own or self.get_metrics_result())

    def _assert_compile_called(self) -> None:
        if not self.compiled:
            raise ValueError("You must call `compile()` before using the model.")

    @contextlib.contextmanager
    def _compiled_trainable(self: Any) -> Iterator[None]:
        """Inside, layers are trainable as they were at `compile`.

        So a model that another one holds frozen still learns by its own `compile`.
        """
        changed: list[tuple[Any, bool, list[tuple[Any, bool]]]] = []
        try:
            for layer in self._flatten_layers():
                _, wanted = self._compiled.trainable.get(id(layer), (layer, layer._trainable))
                if wanted != layer._trainable:
                    changed.append((layer, layer._trainable, [(v, v._trainable) for v in layer._trainable_variables]))
                    object.__setattr__(layer, "_trainable", wanted)  # not a change of the layer: no new version
                    for variable in layer._trainable_variables:
                        variable._trainable = wanted
            yield
        finally:
            for layer, before, variables in changed:
                object.__setattr__(layer, "_trainable", before)
                for variable, flag in variables:
                    variable._trainable = flag

    # -----------------------------------------------------------------------------------------------------------------
    # Steps, as they are traced
    # -----------------------------------------------------------------------------------------------------------------
    def train_step(self: Any, data: Any) -> dict[str, Any]:
        """One training step on tensors, traced once per batch shape. A subclass may define its own.

        Args:
            data: `(x, y, sample_weight)` of tensors, None for what is absent.

        Returns:
            Results by name.
        """
        x, y, sample_weight = feeds_module.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=True)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
        self._compiled.loss_tracker.update_state(loss, sample_weight=float(tree.flatten(x)[0].shape[0]))
        variables = self.trainable_variables
        if self.optimizer is not None and variables:
            trace = current_trace()
            if trace is None:
                raise RuntimeError("`train_step` is traced by `fit` and `train_on_batch`; do not call it yourself.")
            scaled = self.optimizer.scale_loss(loss)
            self.optimizer.apply(trace.gradients(scaled, variables), variables)
        elif not variables:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return dict(self.compute_metrics(x, y, y_pred, sample_weight=sample_weight))

    def test_step(self: Any, data: Any) -> dict[str, Any]:
        """One evaluation step on tensors; see `train_step`."""
        x, y, sample_weight = feeds_module.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
        self._compiled.loss_tracker.update_state(loss, sample_weight=float(tree.flatten(x)[0].shape[0]))
        return dict(self.compute_metrics(x, y, y_pred, sample_weight=sample_weight))

    def predict_step(self: Any, data: Any) -> Any:
        """One prediction step on tensors; returns the predictions."""
        x, _, _ = feeds_module.unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def compute_loss(
        self: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The compiled loss plus regularizers and what layers added, a scalar tensor.

        Raises:
            ValueError: there is neither.
        """
        losses = []
        if self._compiled.loss is not None:
            value = self._compiled.loss(y, y_pred, sample_weight)
            if value is not None:
                losses.append(value)
        for value in self.losses:
            losses.append(ops.sum(ops.cast(value, config.floatx())))
        if not losses:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        total = losses[0]
        for value in losses[1:]:
            total = ops.add(total, value)
        return total

    def compute_metrics(
        self: Any, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates the compiled metrics and returns all results by name."""
        if self._compiled.metrics is not None:
            self._compiled.metrics.update_state(y, y_pred, sample_weight)
        results: dict[str, Any] = self.get_metrics_result()
        return results

    def _program_key(self: Any, mode: str) -> Any:
        """What a traced step depends on besides its data."""
        if mode == "predict":
            return self.version
        optimizer = getattr(self.optimizer, "_version", 0) if mode == "train" else 0
        return (self.version, self._compiled.id, optimizer)

    # -----------------------------------------------------------------------------------------------------------------
    # Data
    # -----------------------------------------------------------------------------------------------------------------
    def _feeds(self: Any, x: Any, y: Any = None, sample_weight: Any = None) -> Feeds:
        """Checked data; the model's weights exist afterwards."""
        x = self._arrange_inputs(x)
        feeds = Feeds(x, y, sample_weight, self._input_dtypes())
        if not all(layer.built for layer in self._flatten_layers()):
            self(feeds.pack([KerasTensor((None, *shape), dtype=dtype) for shape, dtype in feeds.specs])[0])
        return feeds

    def _batches(
        self: Any,
        mode: str,
        x: Any,
        y: Any,
        sample_weight: Any,
        class_weight: Any,
        batch_size: Any,
        steps: Any,
        shuffle: Any,
        steps_name: str = "steps",
    ) -> ArrayBatches | IterableBatches:
        """User data as batches, with everything checked and traced that the first of them needs."""
        batch_size = _count(batch_size, "batch_size", 1)
        steps = _count(steps, steps_name, 1)
        cap = config.max_steps_per_epoch()
        if cap and (not steps or cap < steps):
            warnings.warn(f"Limiting steps_per_epoch to {cap}", stacklevel=4)
            steps = cap
        order = None
        if shuffle and mode == "train":
            order = feeds_module.seeded_permutation(self._shuffle_seed(), self._compiled.fits)
        if feeds_module.check_array_data(x, y, sample_weight):
            sample_weight = feeds_module.check_sample_weight(y, sample_weight, class_weight)
            feeds = self._feeds(x, y, sample_weight)
            whole = ArrayBatches(feeds, batch_size, steps, shuffle, order)
            self._prepare(mode)
            for data, rows in whole.programs():
                self._trace(mode, data, rows)
            return whole
        for name, meaning, value in (("y", "the targets", y), ("sample_weights", "the sample weights", sample_weight)):
            if value is not None:
                kind = feeds_module.source_of(x, None).kind
                raise ValueError(
                    f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, {meaning} should be "
                    f"included as part of the {kind}."
                )
        batches = IterableBatches(x, steps, shuffle, order, class_weight, targets=mode != "predict")
        first = self._feeds(*batches.first_batch())
        self._prepare(mode)
        self._trace(mode, first, first.rows)
        return batches

    def _prepare(self: Any, mode: str) -> None:
        """Creates the optimizer's state."""
        if mode == "train" and self.optimizer is not None and not self.optimizer.built:
            with self._compiled_trainable():
                self.optimizer.build(self.trainable_variables)

    def _trace(self: Any, mode: str, feeds: Feeds, rows: int) -> Any:
        """The step for these batches; losses and metrics are as before if tracing fails."""
        compiled = self._compiled
        parts = [part for part in (compiled.loss, compiled.metrics) if part is not None and not part.built]
        try:
            with self._compiled_trainable() if mode != "predict" else contextlib.nullcontext():
                return self._steps.get(self, mode, feeds, rows)
        except BaseException:
            for part in parts:
                part.built = False
            raise

    def _shuffle_seed(self: Any) -> int:
        if self._compiled.seed is None:
            self._compiled.seed = random.draw_seed()
        return int(self._compiled.seed)

    # -----------------------------------------------------------------------------------------------------------------
    # The loops
    # -----------------------------------------------------------------------------------------------------------------
    def fit(
        self: Any,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Trains for `epochs` passes over the data.

        Ctrl-C raises KeyboardInterrupt within about a tenth of a second; the model then has the weights of the last
        finished step, and `model.history` the finished epochs.

        Args:
            x: array-like of shape (samples, ...), nested for several inputs; or batches `(x, y)` or `(x, y,
                sample_weight)` from a generator, a `PyDataset`, a torch DataLoader, a tf.data.Dataset or another
                iterable. Batches that take long are made ahead, in order, by a thread.
            y: targets.
            batch_size: samples per step, 32 by default.
            epochs: number of the last epoch.
            verbose: 0 silent, 1 (or "auto") a bar, 2 one line per epoch.
            callbacks: `Callback` objects.
            validation_split: fraction of the data, from its end, that is only evaluated.
            validation_data: `(x, y)` or `(x, y, sample_weight)` to evaluate after each epoch; or batches of them.
            shuffle: new order of the samples in each epoch; "batch" within the batches only.
            class_weight: dict from class to weight in the loss.
            sample_weight: weight of each sample (or sample and step) in the loss.
            initial_epoch: epochs done before, for the numbering.
            steps_per_epoch: batches in an epoch.
            validation_steps, validation_batch_size: the same for the validation.
            validation_freq: validate every so many epochs, or in the epochs of a list (from 1).

        Returns:
            The results per epoch; also `model.history`.

        Raises:
            ValueError: not compiled, or data and arguments that do not fit; found before anything changes.
        """
        self._assert_compile_called()
        epochs = _count(epochs, "epochs", 0, optional=False) or 0
        initial_epoch = _count(initial_epoch, "initial_epoch", 0, optional=False) or 0
        validation_batch_size = _count(validation_batch_size, "validation_batch_size", 1)
        if shuffle not in (True, False, None, "batch"):
            raise ValueError(f"`shuffle` must be True, False or 'batch'. Received: shuffle={shuffle}")
        _check_freq(validation_freq)
        cap = config.max_epochs()
        if cap and cap < epochs:
            warnings.warn(f"Limiting epochs to {cap}", stacklevel=2)
            epochs = cap
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = feeds_module.split_validation(
                x, y, sample_weight, validation_split
            )
        batches = self._batches(
            "train", x, y, sample_weight, class_weight, batch_size, steps_per_epoch, shuffle, "steps_per_epoch"
        )
        validation = None
        if validation_data is not None:
            validation = self._validation(validation_data, validation_batch_size or batch_size, validation_steps)
        self._compiled.fits += 1

        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks,
                add_history=True,
                add_progbar=verbose != 0,
                model=self,
                verbose=_verbosity(verbose),
                epochs=epochs,
                steps=batches.num_batches,
            )
        self.stop_training = False
        logs: dict[str, Any] = {}
        callbacks.on_train_begin()
        try:
            for epoch in range(initial_epoch, epochs):
                if batches.ended:
                    feeds_module.warn_out_of_data()
                    break
                self.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                loop = Loop(self, "train", batches, callbacks)
                with self._compiled_trainable():
                    loop.run(epoch)
                if loop.empty:
                    break  # and the epoch is none; a warning has said that there are no more batches
                logs = self._current_logs(loop.last_logs)
                if validation is not None and validation.ended:
                    warnings.warn(
                        "`validation_data` ran out of data: it cannot be passed over again. The remaining epochs are "
                        "not validated. Pass arrays or a `PyDataset`, or a generator without end together with "
                        "`validation_steps`.",
                        stacklevel=2,
                    )
                    validation = None
                if validation is not None and _is_due(epoch + 1, validation_freq):
                    results = self._evaluate(validation, callbacks)
                    logs.update({f"val_{name}": value for name, value in results.items()})
                callbacks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
        finally:
            if hasattr(self.optimizer, "finalize_variable_values") and epochs > 0:
                self.optimizer.finalize_variable_values(self.trainable_weights)
            for data in (batches, validation):
                if data is not None:
                    data.close()
        callbacks.on_train_end(logs)
        return self.history  # type: ignore[no-any-return]

    def _validation(self: Any, data: Any, batch_size: Any, steps: Any) -> ArrayBatches | IterableBatches:
        if isinstance(data, (list, tuple)) or feeds_module.is_array_like(data):
            x, y, sample_weight = feeds_module.unpack_x_y_sample_weight(data)
        else:
            x, y, sample_weight = data, None, None
        return self._batches(  # type: ignore[no-any-return]
            "test", x, y, sample_weight, None, batch_size, steps, False, "validation_steps"
        )

    def _evaluate(self: Any, batches: ArrayBatches | IterableBatches, callbacks: Any) -> dict[str, Any]:
        self.stop_evaluating = False
        callbacks.on_test_begin()
        self.reset_metrics()
        batches.restart()
        loop = Loop(self, "test", batches, callbacks)
        with self._compiled_trainable():
            loop.run()
        logs: dict[str, Any] = {} if loop.empty else self._current_logs(loop.last_logs)
        callbacks.on_test_end(logs)
        return logs

    def evaluate(
        self: Any,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Measures the model on data; see `fit` for the arguments.

        Returns:
            The loss, or `[loss, *metrics]` in the order of `compile`; a dict by name with `return_dict=True`.
        """
        self._assert_compile_called()
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        key = None
        if verbose == 0 and sample_weight is None and steps is None and callbacks is None:
            key = quick.key_of(self, "test", x, y, batch_size)
            known = self._steps.quick.get(key)
            if known is not None:
                return known.measure(x, y, return_dict)
        batches = self._batches("test", x, y, sample_weight, None, batch_size, steps, False)
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks,
                add_progbar=verbose != 0,
                model=self,
                verbose=_verbosity(verbose),
                epochs=1,
                steps=batches.num_batches,
            )
        logs = self._evaluate(batches, callbacks)
        self._note_quick("test", key, batches, [x] if y is None else [x, y], logs)
        return logs if return_dict else self._in_order(logs)

    def predict(
        self: Any,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for data, batch by batch. May be called from several threads.

        Returns:
            Arrays of shape (samples, ...) in the structure of the model's outputs.
        """
        key = None
        if verbose == 0 and steps is None and callbacks is None:
            key = quick.key_of(self, "predict", x, batch_size=batch_size)
            known = self._steps.quick.get(key)
            if known is not None:
                return known.predict(x)
        batches = self._batches("predict", x, None, None, None, batch_size, steps, False)
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks,
                add_progbar=verbose != 0,
                model=self,
                verbose=_verbosity(verbose),
                epochs=1,
                steps=batches.num_batches,
            )
        self.stop_predicting = False
        callbacks.on_predict_begin()
        loop = Loop(self, "predict", batches, callbacks)
        loop.run()
        callbacks.on_predict_end()
        self._note_quick("predict", key, batches, [x])
        return loop.predictions()

    def train_on_batch(
        self: Any,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch; see `fit` for the arguments.

        Returns:
            The batch's loss, or `[loss, *metrics]`; a dict by name with `return_dict=True`.
        """
        self._assert_compile_called()
        if class_weight is not None and sample_weight is not None:
            raise ValueError(
                "Arguments `sample_weight` and `class_weight` cannot be specified at the same time. "
                f"Received: sample_weight={sample_weight}, class_weight={class_weight}"
            )
        return self._on_batch("train", x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self: Any, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Measures the model on one batch; see `train_on_batch`."""
        self._assert_compile_called()
        return self._on_batch("test", x, y, sample_weight, None, return_dict)

    def _on_batch(
        self: Any, mode: str, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool
    ) -> Any:
        key = None
        if sample_weight is None and class_weight is None:
            key = quick.key_of(self, "train" if mode == "train" else "test_on_batch", x, y)
            known = self._steps.quick.get(key)
            if known is not None:
                return known.measure(x, y, return_dict)
        feeds_module.check_array_data(x, y, sample_weight)
        sample_weight = feeds_module.check_sample_weight(y, sample_weight, class_weight)
        feeds = self._feeds(x, y, sample_weight)
        self._prepare(mode)
        step = self._trace(mode, feeds, feeds.rows)
        self.reset_metrics()
        results = step.allocate(feeds.rows) if step.logs else []
        step.program.run(feeds.arrays, None, feeds.rows, results, 0, 1, 0.0)
        own = {name: float(values[-1]) for name, values in zip(step.logs, results, strict=True)}
        logs = self._current_logs(own)
        if key is not None and self._measures_by_metrics():
            given = [x] if y is None else [x, y]
            self._steps.quick.put(key, quick.measuring(self, step, feeds, given, logs))
        return logs if return_dict else self._in_order(logs)

    def predict_on_batch(self: Any, x: Any) -> Any:
        """The model's outputs for one batch."""
        key = quick.key_of(self, "predict_on_batch", x)
        known = self._steps.quick.get(key)
        if known is not None:
            return known.predict(x)
        feeds_module.check_array_data(x, None, None)
        feeds = self._feeds(x)
        step = self._trace("predict", feeds, feeds.rows)
        self._steps.quick.put(key, quick.predicting(step, feeds, x))
        return tree.pack_sequence_as(step.structure, step.call(feeds, feeds.arrays))

    def _note_quick(
        self: Any, mode: str, key: Any, batches: Any, given: list[Any], logs: dict[str, Any] | None = None
    ) -> None:
        """After a pass over a single batch: lets the next call like it take the quick way."""
        single = isinstance(batches, ArrayBatches) and batches.batches == 1 and not config.max_steps_per_epoch()
        if key is None or not single:
            return
        feeds = batches.feeds
        step = self._trace(mode, feeds, feeds.rows)
        found = None
        if logs is None:
            found = quick.predicting(step, feeds, given[0])
        elif self._measures_by_metrics():
            found = quick.measuring(self, step, feeds, given, logs)
        self._steps.quick.put(key, found)

    def _measures_by_metrics(self) -> bool:
        """Whether results are read from `metrics` as this class does it, not as a subclass says."""
        names = ("metrics", "reset_metrics", "get_metrics_result", "_current_logs")
        return all(getattr(type(self), name) is getattr(Trainer, name) for name in names)

    def _in_order(self, logs: dict[str, Any]) -> Any:
        """Results as a list in the order of `metrics`, others sorted behind; a lone one as itself."""
        names: list[str] = []
        for metric in self.metrics:
            names += [m.name for m in metric.metrics] if isinstance(metric, CompileMetrics) else [metric.name]
        values = [logs[name] for name in names if name in logs]
        values += [logs[name] for name in sorted(logs) if name not in names]
        return values[0] if len(values) == 1 else values


def _result(metric: Any) -> Any:
    """A metric's result; means are divided here, so that reading them costs no native call.

    A mean divides two float32 numbers, which gives the same bits in NumPy.
    """
    if current_trace() is not None:
        return metric.result()
    if isinstance(metric, CompileMetrics):
        return {name: _result(inner) for name, inner in metric.named()}
    if type(metric).result is metrics_module.Mean.result:
        total, count = np.asarray(metric.total), np.asarray(metric.count)
        return total / count if count else np.zeros_like(total)
    return metric.result()


def _count(value: Any, name: str, least: int, optional: bool = True) -> int | None:
    """A whole number of at least `least`; with `optional` also None.

    Raises:
        ValueError: anything else.
    """
    if value is None and optional:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        number = int(value) if isinstance(value, float) and value.is_integer() else least - 1
    if number < least or isinstance(value, bool):
        kind = "positive" if least else "non-negative"
        raise ValueError(f"`{name}` must be a {kind} integer. Received: {name}={value}")
    return number


def _verbosity(verbose: Any) -> Any:
    if verbose in ("auto", True, False, 0, 1, 2):
        return verbose if verbose == "auto" else int(verbose)
    raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: verbose={verbose}")


def _check_freq(freq: Any) -> None:
    if isinstance(freq, bool) or not isinstance(freq, (int, np.integer, list, tuple, set)):
        raise ValueError(
            "Expected `validation_freq` to be a list or int. "
            f"Received: validation_freq={freq} of the type {type(freq)}."
        )
    if isinstance(freq, (int, np.integer)) and freq < 1:
        raise ValueError(f"`validation_freq` must be a positive integer. Received: validation_freq={freq}")


def _is_due(epoch: int, freq: Any) -> bool:
    return epoch % freq == 0 if isinstance(freq, (int, np.integer)) else epoch in freq
