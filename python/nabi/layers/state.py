"""What a layer holds: weights, sublayers, metrics, seeds, and the version that programs are cached by."""

from __future__ import annotations

import collections
import inspect
import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from nabi import dtype_policies, random
from nabi.layers.lambdas import packed, unpacked
from nabi.layers.tracking import leaves, track
from nabi.trace import Cached, Operation, Variable, current_trace

# Bookkeeping that no program depends on: setting it neither raises the version nor looks for sublayers.
_INTERNAL = frozenset(
    (
        "built",
        "input_spec",
        "_input_spec",
        "_lock",
        "_locked",
        "_building",
        "_called",
        "_path",
        "_parent_path",
        "_losses",
        "_build_shapes_dict",
        "_auto_config",
        "_auto_config_error_args",
        "_inbound_nodes",
        "_outbound_nodes",
        "_call_signature",
        "_call_context_args",
        "_call_defaults",
        "_explicit_layers",
        "_trainable_variables",
        "_non_trainable_variables",
        "_scan_cache",
        "_version",
        "_version_cache",
        "_eager",
    )
)

_numbers = itertools.count(1)
_latest = 0  # the number given out last

LOCKED = (
    "You cannot add new elements of state (variables or sub-layers) to a layer that is already built. All state must "
    "be created in the `__init__()` method or in the `build()` method."
)


class _Scan:
    """What a layer's attributes hold."""

    __slots__ = ("layers", "metrics", "seed_generators")

    def __init__(self) -> None:
        self.layers: list[Any] = []
        self.metrics: list[Any] = []
        self.seed_generators: list[Any] = []


class _Tracker:
    """Locks and unlocks a layer's state."""

    def __init__(self, owner: LayerState) -> None:
        self.lock = owner._lock_state
        self.unlock = owner._unlock_state


def _is_metric(x: Any) -> bool:
    return hasattr(type(x), "update_state") and hasattr(type(x), "reset_state")


def _once(variables: Iterable[Variable]) -> list[Variable]:
    return list({id(v): v for v in variables}.values())


class LayerState(Operation):
    """The part of `Layer` that holds things and knows nothing of calling."""

    name: str
    built: bool
    autocast: bool
    _lock: bool
    _locked: bool
    _building: bool
    _called: bool
    _trainable: bool
    _path: str | None
    _parent_path: str | None
    _dtype_policy: dtype_policies.DTypePolicy
    _input_spec: Any
    _losses: list[Any]
    _supports_masking: bool
    _trainable_variables: list[Variable]
    _non_trainable_variables: list[Variable]
    _explicit_layers: list[Any] | None
    _scan_cache: _Scan | None
    _version: int
    _version_cache: tuple[int, int]
    _eager: Cached | None
    _auto_config: dict[str, Any] | None
    _auto_config_error_args: bool
    _build_shapes_dict: dict[str, Any] | None
    _call_signature: inspect.Signature

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        state: dict[str, Any] = {
            "_lock": True,  # until __init__ of Layer has run
            "_locked": False,
            "_building": False,
            "_trainable_variables": [],
            "_non_trainable_variables": [],
            "_explicit_layers": None,
            "_scan_cache": None,
            "_version": 0,
            "_version_cache": (-1, 0),
            "_eager": None,
            "_auto_config": None,
            "_auto_config_error_args": False,
        }
        for name, value in state.items():
            object.__setattr__(instance, name, value)
        return instance

    # -----------------------------------------------------------------------------------------------------------------
    # Attributes and what they hold
    # -----------------------------------------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _INTERNAL:
            value = track(value, self)
            self._on_container_change(value, check=not name.startswith("_"))
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        value = getattr(self, name)
        object.__delattr__(self, name)
        for leaf in leaves(value):
            if isinstance(leaf, Variable):
                self._untrack_variable(leaf)
        self._on_container_change(None)

    def _on_container_change(self, value: Any, check: bool = True) -> None:
        """Called with what is about to be put into an attribute, or into a list or dict that an attribute holds."""
        if value is not None and not isinstance(value, (bool, int, float, str)):
            for leaf in leaves(value):
                if isinstance(leaf, Variable):
                    self._track_variable(leaf)
                elif check and self._locked and isinstance(leaf, LayerState):
                    self._refuse_new(leaf)
        object.__setattr__(self, "_scan_cache", None)
        if current_trace() is None:  # in a trace it is a side effect of `call`, which happens once per trace
            self._raise_version()

    def _refuse_new(self, layer: LayerState) -> None:
        if not any(layer is known for known in self._layers):
            raise ValueError(LOCKED)

    def _raise_version(self) -> None:
        global _latest
        _latest = next(_numbers)
        object.__setattr__(self, "_version", _latest)

    @property
    def version(self) -> int:
        """A number that grows whenever an attribute of the layer or of a sublayer is set; programs are cached by it."""
        latest, version = self._version_cache
        if latest != _latest:
            latest = _latest
            version = max(layer._version for layer in self._flatten_layers())
            object.__setattr__(self, "_version_cache", (latest, version))
        return int(version)

    def _scan(self) -> _Scan:
        """Sublayers, metrics and seed generators in attributes, in the order of the attributes."""
        scan = self._scan_cache
        if scan is None:
            scan = _Scan()
            seen: set[int] = set()
            for name, value in self.__dict__.items():
                if name in _INTERNAL or value is None or isinstance(value, (bool, int, float, str)):
                    continue
                for leaf in leaves(value):
                    if id(leaf) in seen:
                        continue
                    seen.add(id(leaf))
                    if isinstance(leaf, LayerState):
                        scan.layers.append(leaf)
                    elif isinstance(leaf, random.SeedGenerator):
                        scan.seed_generators.append(leaf)
                    elif _is_metric(leaf):
                        scan.metrics.append(leaf)
            object.__setattr__(self, "_scan_cache", scan)
        return scan

    @property
    def _layers(self) -> list[Any]:
        """Direct sublayers; a model may set the list itself."""
        explicit = self._explicit_layers
        return self._scan().layers if explicit is None else explicit

    @_layers.setter
    def _layers(self, layers: list[Any]) -> None:
        object.__setattr__(self, "_explicit_layers", layers)

    @property
    def _metrics(self) -> list[Any]:
        return self._scan().metrics

    @property
    def _seed_generators(self) -> list[Any]:
        return self._scan().seed_generators

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Any]:
        """The layer and all layers inside it, each once, depth first."""
        found: list[Any] = [self] if include_self else []
        seen: set[int] = set()
        waiting = collections.deque(self._layers)
        while waiting:
            layer = waiting.popleft()
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            found.append(layer)
            if recursive:
                waiting.extendleft(reversed(layer._layers))
        return found

    def _track_variable(self, variable: Variable) -> None:
        known = itertools.chain(self._trainable_variables, self._non_trainable_variables)
        if any(variable is v for v in known):
            return
        if self._locked:
            raise ValueError(LOCKED)
        (self._trainable_variables if variable.trainable else self._non_trainable_variables).append(variable)
        if not getattr(self, "_trainable", True):
            variable.trainable = False

    def _untrack_variable(self, variable: Variable) -> None:
        for store in (self._trainable_variables, self._non_trainable_variables):
            store[:] = [v for v in store if v is not variable]

    @property
    def _tracker(self) -> _Tracker:
        """Keras's handle to the lock: `_tracker.unlock()` before weights are added to a built layer."""
        return _Tracker(self)

    def _lock_state(self) -> None:
        object.__setattr__(self, "_locked", True)

    def _unlock_state(self) -> None:
        object.__setattr__(self, "_locked", False)

    def __getstate__(self) -> dict[str, Any]:
        dropped = ("_eager", "_scan_cache", "_version_cache", "_call_signature", "_inbound_nodes", "_outbound_nodes")
        return {name: packed(value) for name, value in self.__dict__.items() if name not in dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, kept in state.items():
            value = unpacked(kept)
            object.__setattr__(self, name, value if name in _INTERNAL else track(value, self))
        object.__setattr__(self, "_eager", None)
        object.__setattr__(self, "_scan_cache", None)
        object.__setattr__(self, "_version_cache", (-1, 0))
        object.__setattr__(self, "_inbound_nodes", [])
        object.__setattr__(self, "_outbound_nodes", [])
        object.__setattr__(self, "_call_signature", inspect.signature(self.call))

    # -----------------------------------------------------------------------------------------------------------------
    # Properties
    # -----------------------------------------------------------------------------------------------------------------
    @property
    def path(self) -> str | None:
        """The names of the layers around this one and its own, "sequential/dense"; None before it is built."""
        return self._path

    @property
    def input_spec(self) -> Any:
        """What the first argument must look like: an InputSpec, nested ones, or None."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        """The layer's dtype policy."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = dtype_policies.get(value)

    @property
    def dtype(self) -> str:
        """Dtype of the weights."""
        return dtype_policies.computed_dtype(self._dtype_policy.variable_dtype)

    @property
    def compute_dtype(self) -> str:
        """Dtype of the computation."""
        return dtype_policies.computed_dtype(self._dtype_policy.compute_dtype)

    @property
    def variable_dtype(self) -> str:
        """Dtype of the weights."""
        return dtype_policies.computed_dtype(self._dtype_policy.variable_dtype)

    @property
    def input_dtype(self) -> str:
        """Dtype that float inputs are converted to."""
        return self.compute_dtype

    @property
    def quantization_mode(self) -> None:
        """Always None: weights are never quantized."""
        return None

    @property
    def supports_masking(self) -> bool:
        """Whether masks pass through the layer."""
        return self._supports_masking

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = value

    @property
    def trainable(self) -> bool:
        """Whether optimizers change the weights. Setting it sets it for all weights and sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self._trainable = value
        for v in self._trainable_variables:
            v.trainable = value
        for layer in self._layers:
            layer.trainable = value

    @property
    def variables(self) -> list[Variable]:
        """All state: weights and the states of seed generators, sublayers' after the layer's own."""
        return _once(
            itertools.chain(
                self._trainable_variables,
                self._non_trainable_variables,
                (generator.state for generator in self._seed_generators),
                *(layer.variables for layer in self._layers),
            )
        )

    @property
    def trainable_variables(self) -> list[Variable]:
        """The state that optimizers change."""
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The state that optimizers leave alone."""
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def weights(self) -> list[Variable]:
        """Trainable, then non-trainable weights of the layer, then those of its sublayers."""
        return _once(
            itertools.chain(
                self._trainable_variables,
                self._non_trainable_variables,
                *(layer.weights for layer in self._layers),
            )
        )

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that optimizers change."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that optimizers leave alone."""
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def metrics(self) -> list[Any]:
        """Metrics in attributes of the layer and its sublayers."""
        return [*self._metrics, *itertools.chain.from_iterable(layer.metrics for layer in self._layers)]

    @property
    def metrics_variables(self) -> list[Variable]:
        """The state of `metrics`."""
        return list(itertools.chain.from_iterable(metric.variables for metric in self.metrics))

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        """Copies of the values of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Sets the values of `weights` from arrays.

        Raises:
            ValueError: another number of arrays, or other shapes.
        """
        own = self.weights
        if not isinstance(weights, (list, tuple)):
            raise ValueError(f"`weights` must be a list of arrays. Received: {type(weights)}")
        if len(own) != len(weights):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of length "
                f"{len(weights)}, but the layer was expecting {len(own)} weights."
            )
        values = [np.asarray(value) for value in weights]
        for variable, value in zip(own, values, strict=True):
            if tuple(variable.shape) != value.shape:
                raise ValueError(
                    f"Layer {self.name} weight shape {variable.shape} is not compatible with provided weight shape "
                    f"{value.shape}."
                )
            if value.dtype.kind in "OSUMm":
                raise ValueError(f"Layer {self.name}: weights must hold numbers. Received dtype {value.dtype}.")
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """Number of scalars in the weights.

        Raises:
            ValueError: the layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. You can build "
                "it manually via: `layer.build(input_shape)`."
            )
        return sum(math.prod(v.shape) for v in self.weights)

    # -----------------------------------------------------------------------------------------------------------------
    # Saving
    # -----------------------------------------------------------------------------------------------------------------
    def save_own_variables(self, store: Any) -> None:
        """Puts the layer's own weights (not its sublayers') into `store` under "0", "1", ..."""
        for i, v in enumerate([*self._trainable_variables, *self._non_trainable_variables]):
            store[str(i)] = v.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Takes the layer's own weights from `store`.

        Raises:
            ValueError: another number of weights, or other shapes.
        """
        own = [*self._trainable_variables, *self._non_trainable_variables]
        if len(store.keys()) != len(own):
            if not own and not self.built:
                raise ValueError(
                    f"Layer '{self.name}' was never built and thus it doesn't have any variables. However the weights "
                    f"file lists {len(store.keys())} variables for this layer.\n"
                    "In most cases, this error indicates that either:\n\n"
                    "1. The layer is owned by a parent layer that implements a `build()` method, but calling the "
                    "parent's `build()` method did NOT create the state of the child layer "
                    f"'{self.name}'. A `build()` method must create ALL state for the layer, including the state of "
                    "any children layers.\n\n"
                    "2. You need to implement the `def build_from_config(self, config)` method on layer "
                    f"'{self.name}', to specify how to rebuild it during loading. In this case, you might also want to "
                    "implement the method that generates the build config at saving time, "
                    "`def get_build_config(self)`. The method `build_from_config()` is meant to create the state of "
                    "the layer (i.e. its variables) upon deserialization."
                )
            raise ValueError(
                f"Layer '{self.name}' expected {len(own)} variables, but received {len(store.keys())} variables during "
                f"loading. Expected: {[v.name for v in own]}"
            )
        for i, v in enumerate(own):
            v.assign(np.asarray(store[str(i)]))
