"""Variables: state that outlives a program (Keras: `keras.Variable`)."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nabi import dtypes
from nabi.names import auto_name, current_path
from nabi.trace.eager import Array
from nabi.trace.graph import current, suspended, to_tensor
from nabi.trace.operators import Operators, call_op
from nabi.trace.pressure import new_variable
from nabi.trace.tensor import Tensor


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    """A tuple of ints and Nones.

    Raises:
        ValueError: not a shape, with Keras's wording.
    """
    if shape is None:
        raise ValueError("Undefined shapes are not supported.")
    if not hasattr(shape, "__iter__"):
        raise ValueError(f"Cannot convert '{shape}' to a shape.")
    found: list[int | None] = []
    for dim in shape:
        if dim is None:
            found.append(None)
            continue
        wrong = f"Cannot convert '{shape}' to a shape. Found invalid dimension '{dim}' of type '{type(dim)}'. "
        if isinstance(dim, (str, float)):
            raise ValueError(wrong)
        try:
            number = int(dim)
        except Exception as error:
            raise ValueError(wrong) from error
        if number < 0:
            raise ValueError(f"Cannot convert '{shape}' to a shape. Negative dimensions are not allowed.")
        found.append(number)
    return tuple(found)


class Variable(Operators):
    """State that programs read and write: weights, counters, moving averages, seeds.

    Args:
        initializer: a callable `(shape, dtype=...) -> array`, an initializer's name, or the initial value.
        shape: tuple of ints; required with a callable.
        dtype: Keras name; from an initial value that is an array, else `floatx()`.
        trainable: whether optimizers change it.
        autocast: accepted for compatibility.
        aggregation: accepted for compatibility (one of None, "none", "mean", "sum", "only_first_replica").
        synchronization: accepted for compatibility.
        name: no "/"; made up when None.
        layout: accepted for compatibility.

    Raises:
        ValueError: a shape with None, a wrong name, or a callable without shape.
        NotImplementedError: a dtype the core does not have.
    """

    def __init__(
        self,
        initializer: Callable[..., Any] | Any,
        shape: Iterable[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
    ) -> None:
        name = name or auto_name(type(self).__name__)
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"Argument `name` must be a string and cannot contain character `/`. Received: name={name}"
            )
        if aggregation not in (None, "none", "mean", "sum", "only_first_replica"):
            raise ValueError(
                "Invalid value for argument `aggregation`. Expected one of `None`, `'none'`, `'mean'`, `'sum'`, "
                f"`'only_first_replica'`. Received: aggregation={aggregation}"
            )
        if synchronization not in (None, "none", "on_read", "on_write", "auto"):
            raise ValueError(
                "Invalid value for argument `synchronization`. Expected one of `None`, `'none'`, `'on_read'`, "
                f"`'on_write'`, `'auto'`. Received: synchronization={synchronization}"
            )
        self._name = name
        parent = current_path()
        self._path = f"{parent}/{name}" if parent else name
        self._trainable = bool(trainable)
        self._autocast = bool(autocast)
        self._aggregation = aggregation or "none"
        self._synchronization = synchronization or "none"
        self._layout = layout
        self._regularizer: Callable[..., Any] | None = None
        self._constraint: Callable[..., Any] | None = None
        self._overwrite_with_gradient = False
        with suspended():
            value = self._initial(initializer, shape, dtype)
        self._core = new_variable(value)
        self._shape: tuple[int, ...] = value.shape
        self._dtype: str = self._core.dtype

    def _initial(self, initializer: Any, shape: Any, dtype: Any) -> np.ndarray[Any, Any]:
        if isinstance(initializer, str):
            import importlib

            initializer = importlib.import_module("nabi.initializers").get(initializer)
        if callable(initializer) and not isinstance(initializer, (np.ndarray, Variable)):
            if shape is None:
                raise ValueError(
                    "When creating a Variable from an initializer, the `shape` argument should be specified. "
                    f"Received: initializer={initializer} and shape={shape}"
                )
            full = standardize_shape(shape)
            if None in full:
                raise ValueError(
                    "Shapes used to initialize variables must be fully-defined (no `None` dimensions). Received: "
                    f"shape={full} for variable path='{self._path}'"
                )
            name = dtypes.core_dtype(dtype)
            size = math.prod(dim for dim in full if dim is not None) * dtypes.numpy_dtype(name).itemsize
            if size > sys.maxsize:  # NumPy's arrays end there; smaller ones fail when they are allocated
                raise MemoryError(
                    f"out of memory: cannot allocate {size / 2**30:.2f} GiB for variable '{self._path}' of shape {full}"
                )
            value = np.asarray(initializer(full, dtype=name), dtypes.numpy_dtype(name), order="C")
            if value.shape != full:
                raise ValueError(
                    f"The initializer of variable '{self._path}' returned an array of shape {value.shape}, "
                    f"but the variable's shape is {full}."
                )
            return value
        if isinstance(initializer, Tensor):
            np.asarray(initializer)  # raises: a traced tensor has no value
        found = np.asarray(initializer)
        if dtype is not None:
            name = dtypes.core_dtype(dtype)
        elif isinstance(initializer, (Array, Variable)):
            name = dtypes.core_dtype(found.dtype)
        else:
            name = dtypes.fed_dtype(found.dtype)
        return np.asarray(found, dtypes.numpy_dtype(name), order="C")

    @property
    def name(self) -> str:
        """The variable's own name, "kernel"."""
        return self._name

    @property
    def path(self) -> str:
        """The name with the scopes it was made in, "sequential/dense/kernel"."""
        return self._path

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self._shape, dtype=np.int64))

    @property
    def dtype(self) -> str:
        """Keras name of the dtype."""
        return self._dtype

    @property
    def trainable(self) -> bool:
        """Whether optimizers change it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def autocast(self) -> bool:
        """Accepted for compatibility."""
        return self._autocast

    @property
    def aggregation(self) -> str:
        """Accepted for compatibility."""
        return self._aggregation

    @property
    def synchronization(self) -> str:
        """Accepted for compatibility."""
        return self._synchronization

    @property
    def overwrite_with_gradient(self) -> bool:
        """Whether an optimizer stores the gradient itself in the variable."""
        return self._overwrite_with_gradient

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"`overwrite_with_gradient` must be a boolean. Received: {value}")
        self._overwrite_with_gradient = value

    @property
    def regularizer(self) -> Callable[..., Any] | None:
        """A callable that gives the variable's penalty, or None."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Callable[..., Any] | None) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                "Invalid value for attribute `regularizer`. Expected a callable (such as a "
                f"`keras.regularizers.Regularizer` instance) or `None`. Received: regularizer={value}"
            )
        self._regularizer = value

    @property
    def constraint(self) -> Callable[..., Any] | None:
        """A callable applied after each update, or None."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Callable[..., Any] | None) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                "Invalid value for attribute `constraint`. Expected a callable (such as a "
                f"`keras.constraints.Constraint` instance) or `None`. Received: constraint={value}"
            )
        self._constraint = value

    @property
    def version(self) -> int:
        """Grows with every write, by `assign` or by a program."""
        return self._core.version

    @property
    def value(self) -> Any:
        """The current value: a Tensor inside a trace, else a copy as an Array."""
        trace = current.trace
        return self._core.read().view(Array) if trace is None else trace.read(self)

    def numpy(self) -> np.ndarray[Any, Any]:
        """A copy of the value.

        Raises:
            TypeError: inside a trace.
        """
        return np.array(self.__array__())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if current.trace is not None:
            current.trace.read(self).__array__()  # raises
        view = self._core.view()
        if dtype is not None and np.dtype(dtype) != view.dtype:
            return view.astype(dtype)
        return view.copy() if copy else view

    def assign(self, value: Any) -> Any:
        """Writes a value of the variable's shape; inside a trace, binds it.

        Returns:
            What was written, in the variable's dtype.

        Raises:
            ValueError: another shape.
        """
        trace = current.trace
        if trace is not None:
            tensor = to_tensor(value, self._dtype)
            self._check(tensor.shape)
            trace.assign(self, tensor)
            return tensor
        array = np.asarray(value, dtypes.numpy_dtype(self._dtype), order="C")
        self._check(array.shape)
        self._core.write(array)
        return array.view(Array)

    def _check(self, shape: tuple[int, ...]) -> None:
        if shape != self._shape:
            raise ValueError(
                "The shape of the target variable and the shape of the target value in `variable.assign(value)` must "
                f"match. variable.shape={self._shape}, Received: value.shape={shape}. Target variable: {self}"
            )

    def assign_add(self, value: Any) -> Any:
        """Adds to the variable; see `assign`."""
        if current.trace is None:
            return self.assign(np.add(self._core.view(), value))
        return self.assign(call_op("add", self, value))

    def assign_sub(self, value: Any) -> Any:
        """Subtracts from the variable; see `assign`."""
        if current.trace is None:
            return self.assign(np.subtract(self._core.view(), value))
        return self.assign(call_op("subtract", self, value))

    def __eq__(self, other: object) -> Any:
        return call_op("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return call_op("not_equal", self, other)

    __hash__ = object.__hash__

    def __pos__(self) -> Any:
        return self.value

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a 0-d variable")
        return self._shape[0]

    def _scalar(self) -> np.ndarray[Any, Any]:
        if self._shape:
            raise TypeError(f"Only scalar arrays can be converted to Python scalars. Got: shape={self._shape}")
        return self.__array__()

    def __int__(self) -> int:
        return int(self._scalar())

    def __float__(self) -> float:
        return float(self._scalar())

    def __bool__(self) -> bool:
        raise TypeError("A Keras Variable cannot be used as a boolean.")

    def __repr__(self) -> str:
        value = "" if current.trace is not None else f", value={self._core.view()}"
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}{value}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__dict__.update(self.__dict__)
        copied._core = new_variable(self._core.view())
        return copied

    def __reduce__(self) -> Any:
        state = {key: value for key, value in self.__dict__.items() if key != "_core"}
        return _restore, (type(self), state, np.array(self._core.view()))


def _restore(kind: type[Variable], state: dict[str, Any], value: np.ndarray[Any, Any]) -> Variable:
    variable = kind.__new__(kind)
    variable.__dict__.update(state)
    variable._core = new_variable(value)
    return variable
