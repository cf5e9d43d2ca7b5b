"""The base of all metrics: named state on variables, updated inside the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from nabi import dtype_policies, dtypes, initializers, names
from nabi.trace import Variable, current_trace


class Metric:
    """A quantity that is accumulated over batches.

    A subclass creates its state with `add_variable`, changes it in ``update_state(...)`` with ``nabi.ops`` and the
    variables' ``assign``, and computes a scalar from it in ``result()``. During training `update_state` is traced into
    the step.

    Args:
        dtype: of the computation and the state; None is ``config.floatx()``, a 16-bit float float32.
        name: name of the metric; from the class if None.

    Source: Keras 3.15, `keras.metrics.Metric`.
    """

    _variables: list[Variable]
    _metrics: list[Metric]
    #: "up" or "down": which way the metric gets better; callbacks with mode 'auto' read it.
    _direction: str | None = None

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        object.__setattr__(self, "_variables", [])
        object.__setattr__(self, "_metrics", [])
        self.name: str = name or names.auto_name(type(self).__name__)
        self._dtype = dtype_policies.computed_dtype(dtype)
        self._asked_dtype = dtypes.standardize_dtype(getattr(dtype, "compute_dtype", dtype))

    @property
    def dtype(self) -> str:
        """The dtype of the computation."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The state, that of metrics held as attributes included."""
        return [*self._variables, *(v for metric in self._metrics for v in metric.variables)]

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = None,
        dtype: str | None = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """New state. `aggregation` belongs to distributed training: accepted, not used."""
        self._check_super_called()
        with names.name_scope(self.name.replace("/", ">"), caller=self):
            variable = Variable(
                initializers.get("zeros" if initializer is None else initializer),
                shape=tuple(shape),
                dtype=dtype,
                trainable=False,
                name=name,
            )
        self._track(variable)
        return variable

    def add_weight(
        self, shape: Sequence[int] = (), initializer: Any = None, dtype: str | None = None, name: str | None = None
    ) -> Variable:
        """`add_variable` as Keras 2 called it."""
        return self.add_variable(shape=shape, initializer=initializer, dtype=dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Take in a batch; for subclasses."""
        raise NotImplementedError(f"Metric '{type(self).__name__}' must override `update_state(...)`.")

    def result(self) -> Any:
        """The metric of all batches since the last reset; for subclasses."""
        raise NotImplementedError(f"Metric '{type(self).__name__}' must override `result()`.")

    def reset_state(self) -> None:
        """Set all state to zero."""
        traced = current_trace() is not None
        for variable in self.variables:
            if traced:
                variable.assign(np.zeros(variable.shape, variable.dtype))
            else:
                variable._core.clear()

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The state that `update_state` makes of the state `metric_variables`; the metric's own stays.

        Raises:
            ValueError: another number of values than the metric has variables.
        """
        return self._on_state(metric_variables, lambda: self.update_state(*args, **kwargs))[1]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` of the state `metric_variables`. Raises ValueError as `stateless_update_state` does."""
        return self._on_state(metric_variables, self.result)[0]

    def stateless_reset_state(self) -> list[Any]:
        """The state after `reset_state`; the metric's own stays."""
        return self._on_state(self.variables, self.reset_state)[1]

    def _on_state(self, values: Sequence[Any], action: Callable[[], Any]) -> tuple[Any, list[Any]]:
        """What `action` returns with the variables at `values`, and their values after it."""
        variables = self.variables
        if len(values) != len(variables):
            raise ValueError(
                "Argument `metric_variables` must be a list of tensors corresponding 1:1 to "
                f"{type(self).__name__}().variables. Received list with length {len(values)}, but expected "
                f"{len(variables)} variables."
            )
        trace = current_trace()

        def read(x: Any) -> Any:
            if isinstance(x, Variable):
                return trace.read(x) if trace is not None else np.array(x.numpy())
            return x

        before, given = [read(v) for v in variables], [read(x) for x in values]
        try:
            for variable, value in zip(variables, given, strict=True):
                variable.assign(value)
            found = action()
            after = [read(v) for v in variables]
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
        return found, after

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`update_state`, then `result`."""
        self._check_super_called()
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self._asked_dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A metric of this class from what `get_config` returned."""
        return cls(**config)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_variables" in self.__dict__:
            for leaf in _leaves(value):
                self._track(leaf)
        object.__setattr__(self, name, value)

    def _track(self, value: Any) -> None:
        kept: list[Any] | None = None
        if isinstance(value, Variable):
            kept = self._variables
        elif isinstance(value, Metric):
            kept = self._metrics
        if kept is not None and not any(v is value for v in kept):
            kept.append(value)

    def _check_super_called(self) -> None:
        if "_variables" not in self.__dict__:
            raise RuntimeError("You forgot to call `super().__init__()` in the `__init__()` method. Go add it!")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    else:
        yield value
