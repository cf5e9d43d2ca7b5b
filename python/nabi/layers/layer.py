"""The base class of all layers.

Source of the behaviour, names and messages: Keras 3.15 `keras.layers.Layer`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from nabi import constraints, dtype_policies, initializers, ops, regularizers, tree
from nabi.dtypes import is_float_dtype, standardize_dtype
from nabi.layers import calling
from nabi.layers.auto_config import UnrecognizedArguments, check_arguments, no_auto_config, remember_arguments
from nabi.layers.input_spec import assert_input_compatibility
from nabi.layers.state import LOCKED, LayerState
from nabi.names import current_path, name_scope
from nabi.trace import (
    Array,
    Cached,
    KerasTensor,
    Node,
    Tensor,
    Variable,
    any_symbolic,
    current_trace,
    infer_output,
    suspended,
    to_tensor,
)

_ARRAYS = frozenset((np.ndarray, Array))
_NOT_TRAINING = {"training": False}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def default(method: Any) -> Any:
    """Marks a method of the base class, so that `is_default` can tell whether a subclass defines its own."""
    method._is_default = True
    return method


def is_default(method: Any) -> bool:
    """Whether a bound method is the base class's."""
    return getattr(method, "_is_default", False)


class Layer(LayerState):
    """A computation with weights: a subclass defines `call(inputs)` and, when it has weights, `build(input_shape)`.

    `layer(x)` builds the weights at the first call and then runs `call`: at once on arrays, as part of the trace on
    traced tensors, and as a recorded step of a functional model on symbolic ones.

    Args:
        activity_regularizer: penalty on the output, divided by the batch size.
        trainable: whether optimizers change the weights.
        dtype: dtype or policy of the computation and the weights; the global policy's by default.
        autocast: convert float inputs to that dtype.
        name: no "/"; made up when None.
        **kwargs: `input_shape` or `input_dim`, for the first layer of a Sequential model.

    Raises:
        ValueError: any other keyword argument, or a `trainable` that is no bool.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        check_arguments(instance, args, kwargs)
        if is_default(cls.get_config):
            remember_arguments(instance, args, kwargs)
        return instance

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _completed(cls.__dict__["build"])  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._lock = False
        super().__init__(name=name)
        self._dtype_policy = dtype_policies.get(dtype)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        input_dim = kwargs.pop("input_dim", None)
        input_shape = (input_dim,) if input_dim is not None else kwargs.pop("input_shape", None)
        if input_shape is not None:
            warnings.warn(
                "Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential models, prefer "
                "using an `Input(shape)` object as the first layer in the model instead.",
                stacklevel=3,
            )
            self._input_shape_arg = input_shape
        if kwargs:
            raise UnrecognizedArguments(type(self).__name__, kwargs)
        if not isinstance(trainable, bool):
            raise ValueError(
                f"Expected `trainable` to be a boolean. Received: trainable={trainable} (of type {type(trainable)})"
            )
        self._trainable = trainable
        self._path: str | None = None
        self._parent_path: str | None = None
        self.built = False
        self.autocast = autocast
        self._input_spec: Any = None
        self._called = False
        self._call_defaults: tuple[Any] | None = None
        self._losses: list[Any] = []
        self._build_shapes_dict: dict[str, Any] | None = None
        self._call_signature = inspect.signature(self.call)
        self._call_context_args = {"training"}
        self._supports_masking = not is_default(self.compute_mask)
        self._convert_input_args = True
        self._allow_non_tensor_positional_args = False

    # -----------------------------------------------------------------------------------------------------------------
    # Building
    # -----------------------------------------------------------------------------------------------------------------
    @default
    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of this shape (a tuple, None for free dimensions, or nested ones)."""
        self._check_super_called()
        if is_default(self.build) and self._has_unbuilt_layers():
            warnings.warn(
                f"`build()` was called on layer '{self.name}', however the layer does not have a `build()` method "
                "implemented and it looks like it has unbuilt state. This will cause the layer to be marked as built, "
                "despite not being actually built, which may cause failures down the line. Make sure to implement a "
                "proper `build()` method.",
                stacklevel=2,
            )
        self._build_shapes_dict = {"input_shape": input_shape}
        self.built = True

    def _build_at_init(self) -> None:
        """Marks a layer without weights as built; a subclass that defines `build` is left to it."""
        if is_default(self.build):
            self.built = True
            self._lock_state()

    def _has_unbuilt_layers(self) -> bool:
        return any(not layer.built for layer in self._layers)

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes the layer was built with, for `build_from_config`; None before it is built."""
        shapes = self._build_shapes_dict
        if shapes is None:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the weights from `get_build_config()`."""
        if not config:
            return
        if is_default(self.build) and self._has_unbuilt_layers():
            with contextlib.suppress(Exception):  # built by the first call then
                calling.build_by_call(self, config.get("shapes_dict") or {"": _as_shapes(config["input_shape"])})
        elif "input_shape" in config:
            self.build(_as_shapes(config["input_shape"]))
        elif "shapes_dict" in config:
            self.build(**{name: _as_shapes(shape) for name, shape in config["shapes_dict"].items()})

    def add_weight(
        self,
        *args: Any,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Adds a weight.

        Args:
            *args: shape, initializer and dtype may be given by position.
            shape: ints; `()` by default.
            initializer: initial value; glorot_uniform for floats, zeros for other dtypes by default.
            dtype: the layer's by default.
            trainable: whether optimizers change it.
            regularizer: penalty on it, part of `losses`.
            constraint: applied after each update.
            name: its name, the last part of its path.

        Raises:
            ValueError: a name given by position, an argument given twice, or a layer that is already built.
            TypeError: more than three arguments by position.
        """
        self._check_super_called()
        if len(args) > 3:
            raise TypeError(f"add_weight() takes at most 3 positional arguments but {len(args)} were given.")
        if args and isinstance(args[0], str):
            raise ValueError(
                f"`name` must be passed as a keyword argument. Received: add_weight('{args[0]}', ...). "
                f"Use: add_weight(shape=..., name='{args[0]}')."
            )
        given = {"shape": shape, "initializer": initializer, "dtype": dtype}
        for key, value in zip(("shape", "initializer", "dtype"), args, strict=False):
            if given[key] is not None:
                raise ValueError(f"`{key}` was passed both positionally and as a keyword argument.")
            given[key] = value
        dtype = standardize_dtype(given["dtype"]) if given["dtype"] is not None else self.variable_dtype
        if given["initializer"] is None:
            given["initializer"] = "glorot_uniform" if "float" in dtype else "zeros"
        if self._locked:
            raise ValueError(LOCKED)
        with self._open_name_scope():
            variable = Variable(
                initializer=initializers.get(given["initializer"]),
                shape=given["shape"] if given["shape"] is not None else (),
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._track_variable(variable)
        if current_trace() is None:
            self._raise_version()
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """`add_weight` under another name."""
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    def _open_name_scope(self) -> contextlib.AbstractContextManager[Any]:
        if self._parent_path is None:
            self._parent_path = current_path()
        return name_scope(self.name, caller=self)

    def _maybe_build(self, spec: calling.CallSpec, symbolic: bool) -> None:
        if self.built:
            return
        shapes = calling.recorded_shapes(spec.shapes())
        if not is_default(self.build):
            self.build(**calling.shapes_for(self.build, shapes, spec, type(self).__name__))
            assert_input_compatibility(self.input_spec, spec.first, self.name)  # build may have narrowed it
            return
        self._path = current_path()
        self._build_shapes_dict = {"input_shape": next(iter(shapes.values()), None)}
        if not self._has_unbuilt_layers():
            self.built = True
            self._lock_state()
        # Sublayers are built by the call itself; a symbolic one runs it only where no output shape is declared.
        elif symbolic and not is_default(self.compute_output_shape):
            infer_output(self.call, **spec.arguments)

    # -----------------------------------------------------------------------------------------------------------------
    # Calling
    # -----------------------------------------------------------------------------------------------------------------
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's computation. It runs while a program is traced: tensors have shapes and dtypes, no numbers."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call` method implemented.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer if need be and runs `call`.

        Raises:
            ValueError: an input that does not fit `input_spec`, or a positional argument that is no tensor.
        """
        self._check_super_called()
        if (
            len(args) == 1
            and (not kwargs or (kwargs == _NOT_TRAINING and "training" in self._call_context_args))
            and self.built
            and type(args[0]) in _ARRAYS
            and calling.outside()
        ):
            defaults = self._defaults()
            x = args[0]
            if defaults is not None and _mask(x) is None:
                key = (*calling.array_key(self, x), bool(kwargs))
                program = calling.quick_call(self, key)
                if program is not None:
                    return program.call([x], Array)[0]
                given = kwargs if "training" in self._call_signature.parameters else {}
                return self._call_on_array(x, key, {**defaults[0], **given}, {**defaults[1], **kwargs})
        self._called = True
        original = args, dict(kwargs)
        symbolic = any_symbolic(args, kwargs)
        if self._convert_input_args:
            args = tree.map_structure(self._converted, args)
            kwargs = tree.map_structure(self._converted, kwargs)
        if not self._allow_non_tensor_positional_args:
            for arg in tree.flatten(args):
                if arg is not None and not calling.is_tensor(arg):
                    raise ValueError(
                        "Only input tensors may be passed as positional arguments. The following argument value should "
                        f"be passed as a keyword argument: {arg} (of type {type(arg)})"
                    )
        spec = calling.CallSpec(self._call_signature, self._call_context_args, args, kwargs)
        assert_input_compatibility(self.input_spec, spec.first, self.name)
        with self._open_name_scope():
            self._maybe_build(spec, symbolic)
        context, entered = calling.enter_context(self)
        try:
            if entered and (symbolic or current_trace() is not None):
                self._clear_losses()
            self._fill_context_args(spec, context, kwargs)
            previous_mask = self._fill_masks(spec, kwargs)
            if symbolic or current_trace() is not None:
                outputs = self._run(args, kwargs, spec.first, previous_mask, symbolic)
            else:
                outputs = self._run_now(args, kwargs, context)
        finally:
            if entered:
                calling.leave_context()
        if symbolic:
            Node(operation=self, call_args=original[0], call_kwargs=original[1], outputs=outputs)
        return outputs

    def _defaults(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What a call with nothing but its input gives to `call` and to the layers inside; None if it takes more."""
        if self._call_defaults is None:
            self._call_defaults = (None,)
            parameters = self._call_signature.parameters
            try:
                self._call_signature.bind(None)
            except TypeError:
                return None
            if self._convert_input_args and next(iter(parameters.values())).kind in _POSITIONAL:
                defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
                values = {name: defaults.get(name) for name in self._call_context_args}
                kwargs = {name: v for name, v in values.items() if v is not None}
                if "mask" in parameters:
                    kwargs["mask"] = None
                self._call_defaults = ((kwargs, values),)
        found: tuple[dict[str, Any], dict[str, Any]] | None = self._call_defaults[0]
        return found

    def _call_on_array(self, x: Any, key: Any, kwargs: dict[str, Any], values: dict[str, Any]) -> Any:
        """`__call__` of a built layer on one array without a mask, outside of any trace and of other calls."""
        self._called = True
        given, x = x, self._converted(x)
        assert_input_compatibility(self.input_spec, x, self.name)
        context, _ = calling.enter_context(self)
        try:
            context.values.update(values)
            outputs = self._run_now((x,), dict(kwargs), context)
        finally:
            calling.leave_context()
        calling.note_quick_call(self, key, given, outputs, ((x,), kwargs, [None], tuple(sorted(values.items()))))
        return outputs

    def _converted(self, x: Any) -> Any:
        """An argument as the layer takes it: arrays of any library, floats in the layer's dtype."""
        if isinstance(x, (Tensor, KerasTensor, Variable)):
            if self.autocast and x.dtype != self.input_dtype and is_float_dtype(x.dtype):
                return _with_mask(ops.cast(x, self.input_dtype), getattr(x, "_keras_mask", None))
            return x
        if not isinstance(x, np.ndarray):
            if isinstance(x, np.generic) or not hasattr(x, "__array__") or isinstance(x, type):
                return x
            x = np.asarray(x)
        mask = getattr(x, "_keras_mask", None)
        if x.dtype.kind == "f" and self.autocast and is_float_dtype(self.input_dtype):
            x = x.astype(self.input_dtype, copy=False).view(Array)
        if current_trace() is not None:
            x = to_tensor(x)
        return _with_mask(x, mask)

    def _fill_context_args(self, spec: calling.CallSpec, context: calling.CallContext, kwargs: dict[str, Any]) -> None:
        """`training` and the like: as given, else as in the layer around, else `call`'s default."""
        for name in self._call_context_args:
            value = spec.user.get(name)
            if name not in spec.user:
                value = context.values.get(name)
                if value is None:
                    value = spec.arguments.get(name)
            context.values[name] = value
            if value is not None and name in self._call_signature.parameters:
                kwargs[name] = value

    def _fill_masks(self, spec: calling.CallSpec, kwargs: dict[str, Any]) -> Any:
        """Hands the masks of the inputs to `call` where it takes them; returns the first input's."""
        if len(spec.tensors) == 1:
            if "mask" in spec.arguments and spec.arguments["mask"] is None:
                kwargs["mask"] = _masks(next(iter(spec.tensors.values())))
        else:
            for name, value in spec.tensors.items():
                if f"{name}_mask" in spec.arguments and spec.arguments[f"{name}_mask"] is None:
                    kwargs[f"{name}_mask"] = _masks(value)
        if kwargs.get("mask") is not None:
            return kwargs["mask"]
        return _masks(spec.first)

    def _run(self, args: Any, kwargs: Any, first: Any, previous_mask: Any, symbolic: bool) -> Any:
        """Runs `call` in a trace, or infers what it gives for symbolic tensors; then losses and masks."""
        with self._open_name_scope(), calling.naming(self.name):
            try:
                outputs = (self.compute_output_spec if symbolic else self.call)(*args, **kwargs)
            except Exception as error:
                explained = calling.explained(error, self.call, type(self).__name__, args, kwargs)
                if explained is None:
                    raise
                raise explained.with_traceback(error.__traceback__) from None
            if not self.built:
                self.built = True
                self._lock_state()
            if self.activity_regularizer is not None and not symbolic:
                for output in tree.flatten(outputs):
                    if isinstance(output, Tensor):
                        loss = self.activity_regularizer(output)
                        if output.ndim > 0:
                            loss = loss / max(output.shape[0], 1)
                        self.add_loss(loss)
        if self.supports_masking:
            self._set_mask_metadata(first, outputs, previous_mask)
        elif any(m is not None for m in tree.flatten(previous_mask)):
            warnings.warn(
                f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with a mask attached to it. "
                "However, this layer does not support masking and will therefore destroy the mask information. "
                "Downstream layers will not see the mask.",
                stacklevel=3,
            )
        return outputs

    def _run_now(self, args: Any, kwargs: Any, context: calling.CallContext) -> Any:
        """Runs `call` on arrays, through a program that is kept for later calls."""
        if self._eager is None:
            self._eager = Cached(self._traced, state=lambda: self.version)
        masks = [getattr(x, "_keras_mask", None) for x in tree.flatten(args)]
        values = tuple(sorted(context.values.items()))
        result = self._eager(args, kwargs, masks, values)
        self._clear_losses()
        self._losses.extend(result["losses"])
        calling.Losses.added += len(result["losses"])
        outputs = result["outputs"]
        for output, mask in zip(tree.flatten(outputs), result["masks"], strict=True):
            _with_mask(output, mask)
        return outputs

    def _traced(self, args: Any, kwargs: Any, masks: Any, values: Any) -> dict[str, Any]:
        for x, mask in zip(tree.flatten(args), masks, strict=True):
            _with_mask(x, mask)
        first = args[0] if args else next(iter(kwargs.values()), None)
        mask = kwargs.get("mask")
        outputs = self._run(args, kwargs, first, mask if mask is not None else _masks(first), symbolic=False)
        losses = list(itertools.chain.from_iterable(layer._own_losses() for layer in self._flatten_layers()))
        return {"outputs": outputs, "masks": [_mask(x) for x in tree.flatten(outputs)], "losses": losses}

    @default
    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output from that of the input: the same one, unless a subclass says otherwise."""
        return previous_mask

    def _set_mask_metadata(self, inputs: Any, outputs: Any, previous_mask: Any) -> None:
        flat = tree.flatten(outputs)
        if all(_mask(x) is not None for x in flat):
            return
        masks = self.compute_mask(inputs, previous_mask)
        if masks is None:
            return
        for x, mask in zip(flat, tree.flatten(masks), strict=False):
            if _mask(x) is None and mask is not None:
                _with_mask(x, mask)

    @default
    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output for inputs of these shapes."""
        if type(self).call is Layer.call:
            raise NotImplementedError(
                f"Layer {type(self).__name__} does not have a `compute_output_shape` method implemented. Should "
                "implement `def compute_output_shape(self, input_shape)`."
            )
        spec = self.compute_output_spec(*tree.map_shape_structure(KerasTensor, args), **kwargs)
        return tree.map_structure(lambda x: x.shape, spec)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """KerasTensors of the output's shape and dtype for symbolic inputs.

        Raises:
            Exception: of whatever kind `call` raised, with Keras's hint around its message.
        """
        if is_default(self.compute_output_shape):
            try:
                return infer_output(self.call, *args, **kwargs)
            except Exception as error:
                if hasattr(error, "_keras_call_info_injected"):
                    raise
                name = type(self).__name__
                text = (
                    f"Could not automatically infer the output shape / dtype of '{self.name}' (of type {name}). Either "
                    f"the `{name}.call()` method is incorrect, or you need to implement the "
                    f"`{name}.compute_output_spec() / compute_output_shape()` method. Error encountered:\n\n{error}"
                )
                try:
                    wrapped: Exception = type(error)(text)
                except TypeError:
                    wrapped = RuntimeError(text)
                raise wrapped.with_traceback(error.__traceback__) from None
        spec = calling.CallSpec(self._call_signature, self._call_context_args, args, kwargs)
        method = self.compute_output_shape
        shape = method(**calling.shapes_for(method, spec.shapes(), spec, type(self).__name__))
        if isinstance(shape, list) and shape and (shape[0] is None or isinstance(shape[0], int)):
            shape = tuple(shape)
        if not isinstance(shape, (list, tuple, dict)):
            try:
                shape = tuple(shape)
            except TypeError:
                raise ValueError(
                    f"Method `compute_output_shape()` of layer {type(self).__name__} is returning a type that cannot "
                    f"be interpreted as a shape. It should return a shape tuple. Received: {shape}"
                ) from None
        return tree.map_shape_structure(lambda s: KerasTensor(s, dtype=self.compute_dtype), shape)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Infers the outputs without recording the call."""
        return self.compute_output_spec(*args, **kwargs)

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """`call` with other values in place of the variables, which it neither reads nor changes.

        Args:
            trainable_variables, non_trainable_variables: values in the order of the properties of these names.
            return_losses: return the losses too.

        Returns:
            outputs, the new non-trainable values and, if asked for, the losses.

        Raises:
            ValueError: the layer is not built, or another number of values.
        """
        from nabi.layers.stateless import stateless_call

        return stateless_call(self, trainable_variables, non_trainable_variables, args, kwargs, return_losses)

    def _register_call_context_args(self, *names: str) -> None:
        """Makes keyword arguments reach the layers inside, as `training` does.

        Raises:
            RuntimeError: the layer was called already.
        """
        if self._called:
            raise RuntimeError("Cannot add call-context args after the layer has been called.")
        self._call_context_args = self._call_context_args | set(names)

    # -----------------------------------------------------------------------------------------------------------------
    # Losses
    # -----------------------------------------------------------------------------------------------------------------
    def add_loss(self, loss: Any) -> None:
        """Adds a scalar, or nested scalars, to the losses of this call.

        Raises:
            ValueError: not a tensor.
        """
        values = tree.flatten(loss)
        for x in values:
            if not isinstance(x, (Tensor, np.ndarray)):
                raise ValueError(
                    "`add_loss()` can only be called from inside `build()` or `call()`, on a tensor input. Received "
                    f"invalid value: {x}"
                )
        self._losses.extend(values)
        calling.Losses.added += 1

    def _own_losses(self) -> list[Any]:
        """What `add_loss` got in the current trace, or in the last call on arrays."""
        trace = current_trace()
        return [x for x in self._losses if (x._trace is trace if isinstance(x, Tensor) else trace is None)]

    def _weight_losses(self) -> list[Any]:
        return [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]

    @property
    def losses(self) -> list[Any]:
        """Scalars from `add_loss`, activity and weight regularizers, of the layer and its sublayers."""
        added = itertools.chain.from_iterable(layer._own_losses() for layer in self._flatten_layers())
        return [*added, *self._weight_losses()]

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    # -----------------------------------------------------------------------------------------------------------------
    # Configs
    # -----------------------------------------------------------------------------------------------------------------
    @default
    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, as JSON values.

        A subclass without its own `get_config` gets one when its arguments are plain values.

        Raises:
            NotImplementedError: they are not.
        """
        self._check_super_called()
        config: dict[str, Any] = {"name": self.name}
        common: dict[str, Any] = {"trainable": self.trainable, "dtype": dtype_policies.serialize(self.dtype_policy)}
        if self.activity_regularizer is not None:
            common["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if not is_default(self.get_config):
            return {**config, **common}
        if self._auto_config is None:
            raise NotImplementedError(no_auto_config(type(self).__name__, self._auto_config_error_args))
        parameters = inspect.signature(type(self).__init__).parameters
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            config = {key: value for key, value in config.items() if key in parameters}
            common = {key: value for key, value in common.items() if key in parameters}
        return {**config, **self._auto_config, **common}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer made from `get_config()`.

        Keys that this version does not know are passed over where they hold None or False.

        Raises:
            TypeError: the constructor refuses the config.
        """
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = dtype_policies.deserialize(config["dtype"]).name
        try:
            try:
                return cls(**config)
            except UnrecognizedArguments as error:
                if any(value is not None and value is not False for value in error.arguments.values()):
                    raise
                return cls(**{key: value for key, value in config.items() if key not in error.arguments})
        except Exception as error:
            raise TypeError(
                f"Error when deserializing class '{cls.__name__}' using config={config}.\n\n"
                f"Exception encountered: {error}"
            ) from error

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Raises NotImplementedError: weights are never quantized."""
        raise NotImplementedError("Nabi does not quantize weights.")

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Raises NotImplementedError, as in Keras 3."""
        raise NotImplementedError(
            "Layer `add_metric()` method is deprecated. Add your metric in `Model.compile(metrics=[...])`, or create "
            "metric trackers in init() or build() when subclassing the layer or model, then call "
            "`metric.update_state()` whenever necessary."
        )

    def _check_super_called(self) -> None:
        if self._lock:
            raise RuntimeError(
                f"In layer '{type(self).__name__}', you forgot to call `super().__init__()` as the first statement in "
                "the `__init__()` method. Go add it!"
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    __str__ = __repr__


def _completed(build: Callable[..., None]) -> Callable[..., None]:
    """A subclass's `build` with what must happen around it: the name scope, the build config, the lock."""

    @functools.wraps(build)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> None:
        if self._building:  # super().build(...)
            build(self, *args, **kwargs)
            return
        self._building = True
        try:
            # Weights hold numbers: inside a trace, what build computes is computed now.
            with self._open_name_scope(), suspended():
                self._path = current_path()
                build(self, *args, **kwargs)
        finally:
            self._building = False
        bound = inspect.signature(build).bind(self, *args, **kwargs).arguments
        shapes = dict(list(bound.items())[1:])
        self._build_shapes_dict = {name: calling.recorded_shapes(shape) for name, shape in shapes.items()}
        self.built = True
        self._lock_state()

    return wrapper


def _as_shapes(shape: Any) -> Any:
    """Shapes as tuples; JSON has lists only."""
    return tree.map_shape_structure(tuple, shape) if shape is not None else None


def _mask(x: Any) -> Any:
    return getattr(x, "_keras_mask", None)


def _masks(x: Any) -> Any:
    return tree.map_structure(_mask, x)


def _with_mask(x: Any, mask: Any) -> Any:
    if mask is not None:
        x._keras_mask = mask
    return x
