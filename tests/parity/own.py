"""One of everything that users write themselves; the same code for `keras` and `nabi`."""

from __future__ import annotations

from typing import Any


def parts(side: Any) -> dict[str, Any]:
    """Classes and functions written against `side`, which is `keras` or `nabi`."""
    ops, layers = side.ops, side.layers

    class Ramp(side.initializers.Initializer):  # type: ignore[misc]
        def __init__(self, step: float = 0.01) -> None:
            self.step = step

        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            count = 1
            for n in shape:
                count *= n
            return ops.reshape(ops.sin(ops.arange(count, dtype="float32") * self.step * 50.0) * 0.5, shape)

        def get_config(self) -> dict[str, Any]:
            return {"step": self.step}

    class Fourth(side.regularizers.Regularizer):  # type: ignore[misc]
        def __init__(self, factor: float = 0.01) -> None:
            self.factor = factor

        def __call__(self, x: Any) -> Any:
            return self.factor * ops.sum(ops.square(ops.square(x)))

    class Box(side.constraints.Constraint):  # type: ignore[misc]
        def __init__(self, size: float = 0.4) -> None:
            self.size = size

        def __call__(self, w: Any) -> Any:
            return ops.clip(w, -self.size, self.size)

    class Centred(layers.Layer):  # type: ignore[misc]
        """Weights of its own, a mean kept over the batches, a loss of its own, `training`."""

        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight(
                shape=(input_shape[-1], self.units),
                initializer=Ramp(),
                regularizer=Fourth(),
                constraint=Box(),
                name="kernel",
            )
            self.shift = self.add_weight(shape=(self.units,), initializer="zeros", name="shift")
            self.seen = self.add_weight(shape=(self.units,), initializer="zeros", trainable=False, name="seen")
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

        def call(self, x: Any, training: bool | None = None) -> Any:
            y = ops.matmul(x, self.kernel) + self.shift
            if training:
                mean = ops.mean(y, axis=0)
                self.seen.assign(0.9 * self.seen + 0.1 * ops.stop_gradient(mean))
                self.calls.assign_add(1.0)
                self.add_loss(0.05 * ops.sum(ops.square(mean)))
                return ops.tanh(y - mean)
            return ops.tanh(y - self.seen)

    class Smooth(side.losses.Loss):  # type: ignore[misc]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            error = y_true - y_pred
            return ops.mean(ops.sqrt(ops.square(error) + 0.1), axis=-1)

    class Worst(side.metrics.Metric):  # type: ignore[misc]
        """The largest error and the (weighted) number of samples."""

        def __init__(self, name: str = "worst", **kwargs: Any) -> None:
            super().__init__(name=name, **kwargs)
            self.largest = self.add_weight(shape=(), initializer="zeros", name="largest")
            self.weight = self.add_weight(shape=(), initializer="zeros", name="weight")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            error = ops.max(ops.abs(ops.cast(y_true, "float32") - y_pred))
            self.largest.assign(ops.maximum(self.largest, error))
            count = ops.shape(y_pred)[0] if sample_weight is None else ops.sum(sample_weight)
            self.weight.assign_add(ops.cast(count, "float32"))

        def result(self) -> Any:
            return self.largest + 0.001 * self.weight

    class Heavy(side.optimizers.Optimizer):  # type: ignore[misc]
        """Momentum with a step that shrinks by the square root of the count."""

        def __init__(self, learning_rate: float = 0.05, friction: float = 0.8, **kwargs: Any) -> None:
            super().__init__(learning_rate=learning_rate, name="heavy", **kwargs)
            self.friction = friction

        def build(self, variables: Any) -> None:
            if self.built:
                return
            super().build(variables)
            self.speeds = [self.add_variable_from_reference(v, "speed") for v in variables]

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            speed = self.speeds[self._get_variable_index(variable)]
            rate = ops.cast(learning_rate, variable.dtype) / ops.sqrt(ops.cast(self.iterations + 1, variable.dtype))
            self.assign(speed, self.friction * speed - rate * gradient)
            self.assign_add(variable, speed)

    def own_error(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)

    hooks = [f"on_{what}_{when}" for what in ("train", "test", "predict", "epoch") for when in ("begin", "end")]
    hooks += [f"on_{what}_batch_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")]

    class Recorder(side.callbacks.Callback):  # type: ignore[misc]
        """Writes down every hook, and halves the learning rate after the first epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.seen: list[Any] = []

    def hook(name: str) -> Any:
        def call(self: Any, number: Any = None, logs: Any = None) -> None:
            logs = number if isinstance(number, dict) else logs
            values = {key: float(value) for key, value in (logs or {}).items() if key != "outputs"}
            self.seen.append((name, None if isinstance(number, dict) else number, values))
            if name == "on_epoch_end" and number == 0:
                self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 2

        return call

    for name in hooks:
        setattr(Recorder, name, hook(name))
    found = locals()
    wanted = "Ramp Fourth Box Centred Smooth Worst Heavy own_error Recorder"
    return {name: found[name] for name in wanted.split()}


def own_model(side: Any, own: dict[str, Any], features: int, outputs: int) -> Any:
    """A compiled model of them."""
    layers = side.layers
    model = side.Sequential(
        [
            side.Input(shape=(features,)),
            own["Centred"](6, name="centred"),
            layers.Dense(
                5,
                activation=lambda x: side.ops.sigmoid(x) * x,
                kernel_initializer=own["Ramp"](0.02),
                kernel_regularizer=own["Fourth"](0.02),
                bias_constraint=own["Box"](0.02),
            ),
            layers.Dense(outputs, kernel_initializer=own["Ramp"](0.03), kernel_constraint=own["Box"](0.5)),
        ]
    )
    model.compile(
        optimizer=own["Heavy"](clipnorm=1.0, weight_decay=0.01),
        loss=own["Smooth"](name="smooth"),
        metrics=[own["Worst"](), own["own_error"], "mae"],
        weighted_metrics=[own["Worst"](name="heavy_worst")],
    )
    return model
