"""The base of all optimizers: variables, learning rate, clipping, decay, averages; a subclass writes one update.

An update is traced: inside a program's trace its reads and writes of variables become part of the step; with arrays it
runs as a small program of its own that the optimizer keeps.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from nabi import config, initializers, names, objects, ops
from nabi.checks import numbers_checked
from nabi.optimizers.schedules import LearningRateSchedule
from nabi.trace import Cached, Tensor, Variable, current_trace

_LEARNING_RATE = (
    "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a callable (that takes in "
    "the current iteration value and returns the corresponding learning rate value). Received instead: learning_rate={}"
)
_SCHEDULED = (
    "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` constructor argument, "
    "hence its learning rate is not settable. If you need the learning rate to be settable, you should instantiate the "
    "optimizer with a float `learning_rate` argument."
)


#: Attributes that name variables by id: a copy of an optimizer has other variables and makes its own.
_BY_IDENTITY = ("_trainable_variables_indices", "_programs")


class Optimizer:
    """Applies gradients to variables.

    A subclass creates its slots in ``build(variables)`` with `add_optimizer_variables` and writes
    ``update_step(gradient, variable, learning_rate)`` with ``nabi.ops`` and the variables' ``assign``.

    Args:
        learning_rate: float, a `LearningRateSchedule`, or a callable without arguments. A float becomes a variable:
            setting ``optimizer.learning_rate`` writes it, and nothing is traced again.
        weight_decay: float or None; each variable loses ``weight_decay * learning_rate`` of itself before its update.
        clipnorm: each gradient is scaled to at most this L2 norm.
        clipvalue: each gradient element is clipped to plus or minus this.
        global_clipnorm: all gradients together are scaled to at most this L2 norm. At most one of the three.
        use_ema: keep an exponential moving average of the variables; `finalize_variable_values` puts it in their place.
        ema_momentum: momentum of that average, in [0, 1].
        ema_overwrite_frequency: the average also replaces the variables after every so many steps.
        loss_scale_factor: the loss is multiplied by this (`scale_loss`) and gradients are divided by it.
        gradient_accumulation_steps: update only every so many steps (at least 2), with the mean gradient of them.
        name: name of the optimizer, in the paths of its variables.

    Raises:
        ValueError: for an argument that is not known or out of range, with Keras's wording.

    Source: Keras 3.15, `keras.optimizers.Optimizer`.
    """

    _variables: list[Variable]

    @numbers_checked
    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        object.__setattr__(self, "_variables", [])  # by hand: the class's own __setattr__ needs it
        self._version = 0  # part of the key of every program that applies this optimizer
        if kwargs.pop("decay", None) is not None:
            warnings.warn("Argument `decay` is no longer supported and will be ignored.", stacklevel=3)
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        self.name: str = names.auto_name(type(self).__name__) if name is None else name
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.global_clipnorm = global_clipnorm
        self.clipvalue = clipvalue
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._check_arguments()

        self.built = False
        self._trainable_variables: list[Variable] = []
        self._trainable_variables_indices: dict[int, int] = {}
        self._model_variables_moving_average: list[Variable] = []
        self._accumulated_gradients: list[Variable] = []
        self._excluded_variables: list[Variable] = []
        self._excluded_names: re.Pattern[str] | None = None
        self._programs: dict[tuple[int, ...], Cached] = {}  # for calls outside of a trace, by ids of the variables
        with names.name_scope(self.name, caller=self):
            self._iterations = Variable(0, name="iteration", dtype="int", trainable=False)
            if callable(learning_rate):  # schedules are callable too
                self._learning_rate = learning_rate
            elif isinstance(learning_rate, float):
                self._learning_rate = Variable(
                    learning_rate, name="learning_rate", dtype=config.floatx(), trainable=False
                )
            else:
                raise ValueError(_LEARNING_RATE.format(learning_rate))

    def _check_arguments(self) -> None:
        steps, frequency, momentum = self.gradient_accumulation_steps, self.ema_overwrite_frequency, self.ema_momentum
        if steps and not steps >= 2:
            raise ValueError(
                f"`gradient_accumulation_steps` must be an integer >= 2. Received: gradient_accumulation_steps={steps}"
            )
        if self.use_ema:
            if momentum > 1 or momentum < 0:
                raise ValueError(f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={momentum}")
            if frequency and (not isinstance(frequency, int) or frequency < 1):
                raise ValueError(
                    "`ema_overwrite_frequency` must be an integer >= 1 or None. Received: "
                    f"ema_overwrite_frequency={frequency}"
                )
        if sum(a is not None for a in (self.clipnorm, self.clipvalue, self.global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                f"clipnorm={self.clipnorm}, clipvalue={self.clipvalue}, global_clipnorm={self.global_clipnorm}"
            )

    def __setattr__(self, name: str, value: Any) -> None:
        self._check_super_called()
        if isinstance(value, Variable):
            self._track_variable(value)
        object.__setattr__(self, name, value)
        if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, "_version", self._version + 1)  # programs hold it as a constant

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _BY_IDENTITY}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        indices = {self._var_key(v): i for i, v in enumerate(self._trainable_variables)}
        self.__dict__.update(_trainable_variables_indices=indices, _programs={})

    def _check_super_called(self) -> None:
        if "_variables" not in self.__dict__:
            raise RuntimeError(
                f"In optimizer '{type(self).__name__}', you forgot to call `super().__init__()` as the first statement "
                "in the `__init__()` method. Go add it!"
            )

    # Variables

    @property
    def variables(self) -> list[Variable]:
        """All state: iteration, learning rate (unless scheduled), averages, accumulators, then the subclass's slots."""
        return list(self._variables)

    def _track_variable(self, variable: Variable) -> None:
        if not any(v is variable for v in self._variables):
            self._variables.append(variable)

    def _var_key(self, variable: Variable) -> int:
        return id(variable)

    def _get_variable_index(self, variable: Variable) -> int:
        """The position of `variable` among those of `build`, which is that of its slots."""
        return self._trainable_variables_indices[self._var_key(variable)]

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the optimizer.

        `aggregation` and `layout` belong to distributed training: they are accepted and not used.
        """
        self._check_super_called()
        with names.name_scope(self.name, caller=self):
            variable = Variable(
                initializers.get(initializer), shape=tuple(shape), dtype=dtype, trainable=False, name=name
            )
        self._track_variable(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A new variable of the shape and dtype of another, named after its path."""
        path = getattr(reference_variable, "path", None) or reference_variable.name
        return self.add_variable(
            shape=reference_variable.shape,
            initializer=initializer,
            dtype=reference_variable.dtype,
            name=f"{path.replace('/', '_').replace(':', '_')}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: str | Sequence[str], initializer: Any = "zeros"
    ) -> Any:
        """One new variable for each of `trainable_variables`; with several names one list per name.

        Several names are created interleaved (m, v of the first variable, m, v of the second), which is the order of
        the weight files.
        """
        kinds = [name] if isinstance(name, str) else list(name)
        inits = list(initializer) if isinstance(initializer, list | tuple) else [initializer] * len(kinds)
        if len(kinds) != len(inits):
            raise ValueError(
                "The number of provided names must match the number of provided initializers.  Received "
                f"name='{name}', initializer='{initializer}'"
            )
        slots: tuple[list[Variable], ...] = tuple([] for _ in kinds)
        for variable in trainable_variables:
            for slot, kind, init in zip(slots, kinds, inits, strict=True):
                slot.append(self.add_variable_from_reference(variable, name=kind, initializer=init))
        return slots[0] if isinstance(name, str) else slots

    def build(self, variables: Sequence[Variable]) -> None:
        """Create the state for `variables`; a subclass calls this first and then adds its slots."""
        variables = list(variables)
        if self.use_ema:
            self._model_variables_moving_average = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = self.add_optimizer_variables(variables, "gradient_accumulator")
        self._trainable_variables_indices = {self._var_key(v): i for i, v in enumerate(variables)}
        self._trainable_variables = variables
        self.built = True

    def assign(self, variable: Variable, value: Any) -> None:
        """``variable.assign(value)``, for update steps."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """``variable.assign_add(value)``, for update steps."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """``variable.assign_sub(value)``, for update steps."""
        variable.assign_sub(value)

    # Learning rate

    @property
    def iterations(self) -> Any:
        """Updates done so far: an int32 variable; with gradient accumulation the steps divided by its number."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The variable, or the schedule's value at the current iteration, or what the callable returns."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        if isinstance(learning_rate, Variable) or not callable(learning_rate):
            if not isinstance(self._learning_rate, Variable):
                raise TypeError(_SCHEDULED)
            self._learning_rate.assign(learning_rate)
            return
        before = self._learning_rate
        self._variables[:] = [v for v in self._variables if v is not before]
        self._learning_rate = learning_rate
        self._version += 1

    # Applying gradients

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable; for subclasses. `gradient` has its shape, `learning_rate` is a scalar."""
        raise NotImplementedError(f"Optimizer '{type(self).__name__}' must override `update_step`.")

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """`apply` for pairs; returns the iteration variable."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Update `trainable_variables` (default: those of `build`) by `grads`, one gradient or None for each.

        Order, as in Keras: unscale, clip, weight decay, update, moving averages, constraints, iteration + 1. A variable
        whose gradient is None is left alone, with a warning.

        Raises:
            ValueError: if a variable is not one of `build`'s, the lengths differ, or every gradient is None.
        """
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be built on a list of "
                    "variables. Call `optimizer.build(trainable_variables)` first. "
                )
            if len(grads) != len(self._trainable_variables):
                raise ValueError(
                    "When passing `grads` as a list of gradient tensors, the gradients must match "
                    f"`optimizer.variables` one-to-one. Received a list of {len(grads)} gradients, but the optimizer "
                    f"is tracking {len(self._trainable_variables)} trainable variables."
                )
            variables = list(self._trainable_variables)
        else:
            variables = list(trainable_variables)
            if len(grads) != len(variables):
                raise ValueError(
                    f"There must be one gradient for each variable. Received {len(grads)} gradients and "
                    f"{len(variables)} variables."
                )
            if not self.built:
                with names.name_scope(self.name, caller=self):
                    self.build(variables)
                self.built = True
            self._check_variables_are_known(variables)
        grads, variables = self._filter_empty_gradients(grads, variables)
        if current_trace() is not None:
            # A later loss of the same step takes the new weights as they are, not as a function of what made them.
            self._apply([ops.stop_gradient(g) for g in grads], variables)
        else:
            self._apply_eagerly(grads, variables)

    def _check_variables_are_known(self, variables: Sequence[Variable]) -> None:
        for v in variables:
            if self._var_key(v) not in self._trainable_variables_indices:
                raise ValueError(
                    f"Unknown variable: {v}. This optimizer can only be called for the variables it was originally "
                    "built with. When working with a new set of variables, you should recreate a new optimizer "
                    "instance."
                )

    def _filter_empty_gradients(self, grads: list[Any], variables: list[Variable]) -> tuple[list[Any], list[Variable]]:
        present = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not present:
            raise ValueError("No gradients provided for any variable.")
        if len(present) < len(grads):
            missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
            warnings.warn(
                f"Gradients do not exist for variables {missing} when minimizing the loss. If using `model.compile()`, "
                "did you forget to provide a `loss` argument?",
                stacklevel=4,
            )
        return [g for g, _ in present], [v for _, v in present]

    def _apply_eagerly(self, grads: list[Any], variables: list[Variable]) -> None:
        """Run the update as a program of its own, kept for the same variables, shapes and settings."""
        for grad, variable in zip(grads, variables, strict=True):
            if np.shape(grad) != variable.shape:
                raise ValueError(
                    f"The gradient of {variable.path} must have the variable's shape {variable.shape}. "
                    f"Received: shape {np.shape(grad)}"
                )
        key = tuple(id(v) for v in variables)
        if key not in self._programs:
            apply = lambda *tensors: self._apply(list(tensors), variables)  # noqa: E731
            self._programs[key] = Cached(apply, size=2, state=lambda: self._version)
        self._programs[key](*(np.asarray(g) for g in grads))

    def _apply(self, grads: list[Any], variables: list[Variable]) -> None:
        """The traced part of `apply`."""
        with names.name_scope(self.name, caller=self):
            grads, variables = self._overwrite_with_gradients(grads, variables)
            if self.loss_scale_factor is not None:
                grads = [g / self.loss_scale_factor for g in grads]
            if grads and self.gradient_accumulation_steps:
                self._accumulate(grads, variables)
            elif grads:
                self._update(grads, variables)
            if self.use_ema:
                self._update_model_variables_moving_average(self._trainable_variables)
                if self.ema_overwrite_frequency:
                    due = ops.equal(ops.mod(self.iterations + 1, self.ema_overwrite_frequency), 0)
                    for variable, average in zip(
                        self._trainable_variables, self._model_variables_moving_average, strict=True
                    ):
                        variable.assign(ops.where(due, average, variable))
            for variable in variables:
                if variable.constraint is not None:
                    variable.assign(variable.constraint(variable))
        self._iterations.assign_add(1)

    def _overwrite_with_gradients(
        self, grads: list[Any], variables: list[Variable]
    ) -> tuple[list[Any], list[Variable]]:
        """Write gradients into the variables with `overwrite_with_gradient`; returns the others.

        With accumulation it is the largest gradient of the steps, in the last of them.
        """
        for gradient, variable in zip(grads, variables, strict=True):
            if not variable.overwrite_with_gradient:
                continue
            if not self.gradient_accumulation_steps:
                variable.assign(gradient)
                continue
            due = self._is_last_step()
            largest = self._accumulated_gradients[self._get_variable_index(variable)]
            new = ops.maximum(gradient, largest)
            variable.assign(ops.where(due, new, variable))
            largest.assign(ops.where(due, ops.zeros_like(new), new))
        left = [(g, v) for g, v in zip(grads, variables, strict=True) if not v.overwrite_with_gradient]
        return [g for g, _ in left], [v for _, v in left]

    def _is_last_step(self) -> Any:
        """Whether this is the last of the steps whose gradients are accumulated."""
        return ops.equal(ops.mod(self._iterations + 1, self.gradient_accumulation_steps), 0)

    def _update(self, grads: list[Any], variables: list[Variable]) -> None:
        grads = self._clip_gradients(grads)
        self._apply_weight_decay(variables)
        self._backend_update_step(grads, variables, self.learning_rate)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Variable], learning_rate: Any) -> None:
        """All update steps of one application; a subclass may add what is done once for all variables."""
        for grad, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(grad, variable, learning_rate)

    def _accumulate(self, grads: list[Any], variables: list[Variable]) -> None:
        """Gather gradients; every so many steps update with their mean. Both are computed and one is kept."""
        steps = self.gradient_accumulation_steps
        due = self._is_last_step()
        gathered = [self._accumulated_gradients[self._get_variable_index(v)] for v in variables]
        sums = [g + a for g, a in zip(grads, gathered, strict=True)]
        kept = [self._iterations, *self._accumulated_gradients]
        state = [v for v in [*variables, *self._variables] if not any(v is k for k in kept)]
        before = [ops.convert_to_tensor(v) for v in state]
        self._update([s / steps for s in sums], variables)
        for variable, old in zip(state, before, strict=True):
            variable.assign(ops.where(due, variable, old))
        for accumulator, total in zip(gathered, sums, strict=True):
            accumulator.assign(ops.where(due, ops.zeros_like(total), total))

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # Clipping, weight decay, averages

    def _clip_gradients(self, grads: Sequence[Any]) -> list[Any]:
        if self.clipnorm and self.clipnorm > 0:
            return [self._clip_by_norm(g) for g in grads]
        if self.global_clipnorm and self.global_clipnorm > 0:
            return clip_by_global_norm(grads, self.global_clipnorm)
        if self.clipvalue and self.clipvalue > 0:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return list(grads)

    def _clip_by_norm(self, values: Any, axes: Any = None) -> Any:
        norm = ops.sqrt(ops.sum(ops.square(values), axis=axes, keepdims=True))
        return ops.multiply(values, self.clipnorm) / ops.maximum(norm, self.clipnorm)

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Keep variables out of weight decay: those listed, and those in whose name one of `var_names` (regular
        expressions) is found. A second call replaces the first.

        Raises:
            ValueError: once the optimizer is built.
        """
        if self.built:
            raise ValueError("`exclude_from_weight_decay()` can only be configured before the optimizer is built.")
        self._excluded_variables = list(var_list or ())
        patterns = sorted(set(var_names or ()))
        self._excluded_names = re.compile("|".join(patterns)) if patterns else None

    def _use_weight_decay(self, variable: Variable) -> bool:
        if any(v is variable for v in self._excluded_variables):
            return False
        return self._excluded_names is None or self._excluded_names.search(variable.name) is None

    def _apply_weight_decay(self, variables: Sequence[Variable]) -> None:
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                lr = ops.cast(self.learning_rate, variable.dtype)
                variable.assign(variable - variable * self.weight_decay * lr)

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Variable]) -> None:
        """``average = momentum * average + (1 - momentum) * variable``, with momentum 0 in the first step."""
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            not_first = ops.cast(ops.not_equal(self.iterations, 0), variable.dtype)
            momentum = not_first * self.ema_momentum
            average.assign(momentum * average + (1.0 - momentum) * variable)

    def _overwrite_model_variables_with_average_value(self, trainable_variables: Sequence[Variable]) -> None:
        if len(trainable_variables) != len(self._model_variables_moving_average):
            raise ValueError(
                f"The length of model variables ({len(trainable_variables)}) to override does not match the length of "
                f"model variables stored in the optimizer ({len(self._model_variables_moving_average)}). Please check "
                "if the optimizer was called on your model."
            )
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            variable.assign(average)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """At the end of training: with `use_ema` the averages become the values of `var_list`."""
        if self.use_ema:
            self._overwrite_model_variables_with_average_value(var_list)

    # Saving

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all `variables` from arrays of the same shapes.

        Raises:
            ValueError: before `build`, or for other numbers or shapes.
        """
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. Please call "
                "`optimizer.build(trainable_variables)` to create the optimizer weights before calling `set_weights()`."
            )
        if len(weights) != len(self._variables):
            raise ValueError(f"The optimizer has {len(self._variables)} variables. Received: {len(weights)} weights")
        for variable, weight in zip(self._variables, weights, strict=True):
            if tuple(variable.shape) != tuple(np.shape(weight)):
                raise ValueError(
                    f"Optimizer variable {variable.path} has shape {tuple(variable.shape)} not compatible with "
                    f"provided weight shape {tuple(np.shape(weight))}."
                )
            variable.assign(weight)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Write the variables into `store` as "0", "1", ..."""
        for i, variable in enumerate(self._variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` wrote; another number of variables is skipped with a warning."""
        if len(store.keys()) != len(self._variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(self._variables)} "
                f"variables whereas the saved optimizer has {len(store.keys())} variables. ",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(self._variables):
            variable.assign(np.asarray(store[str(i)]))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, the learning rate as it is now."""
        if isinstance(self._learning_rate, Variable):
            learning_rate: Any = float(self._learning_rate.numpy())
        else:
            learning_rate = objects.serialize_keras_object(self._learning_rate)
        return {
            "name": self.name,
            "learning_rate": learning_rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """An optimizer of this class from what `get_config` returned."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = objects.deserialize_keras_object(config["learning_rate"], custom_objects)
        return cls(**config)


def fused(variable: Variable) -> bool:
    """Whether an update op of the core may be used: in a trace, for float32."""
    return current_trace() is not None and variable.dtype == "float32"


def float32_scalar(value: Any) -> Tensor:
    """A scalar as the update ops take it."""
    tensor: Tensor = ops.cast(value, "float32")
    return tensor


def one_minus_power(base: float, exponent: Any) -> Any:
    """``1 - base ** exponent`` for a constant base in [0, 1]; exact for a base near 1, where the difference cancels."""
    if base <= 0.0:
        return ops.ones_like(exponent)
    return -ops.expm1(exponent * float(np.log(base)))


def clip_by_global_norm(values: Sequence[Any], clip_norm: float) -> list[Any]:
    """All `values` scaled so that their common L2 norm is at most `clip_norm`; a norm that is not finite gives NaN."""
    norm = global_norm(values)
    scale = clip_norm * ops.minimum(ops.divide(1.0, norm), 1.0 / clip_norm)
    scale = ops.add(scale, ops.subtract(norm, norm))
    return [ops.multiply(v, scale) for v in values]


def global_norm(values: Sequence[Any]) -> Any:
    """The L2 norm of all elements of all `values`, a scalar."""
    total = ops.sum(ops.square(values[0]))
    for value in values[1:]:
        total = ops.add(total, ops.sum(ops.square(value)))
    return ops.sqrt(total)
