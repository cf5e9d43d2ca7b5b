"""A value of a graph that is being traced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from nabi.trace.operators import Operators, call_op, user_line

if TYPE_CHECKING:
    from nabi.trace.graph import Trace


class Tensor(Operators):
    """A value of a graph that is being traced: a shape and a dtype, and numbers only when the program runs.

    Attributes:
        shape: tuple of ints; a program is traced for concrete shapes, the batch included.
        dtype: Keras name.
        _keras_mask: the mask that layers pass along, or None.
        _keras_logits: what went into the softmax or sigmoid that made this value, or None.
    """

    __slots__ = ("_trace", "_id", "shape", "dtype", "_keras_mask", "_keras_logits", "__weakref__")
    __array_ufunc__ = None  # ndarray + Tensor is Tensor.__radd__

    def __init__(self, trace: Trace, value_id: int, shape: tuple[int, ...], dtype: str) -> None:
        self._trace = trace
        self._id = value_id
        self.shape = shape
        self.dtype = dtype
        self._keras_mask: Any = None
        self._keras_logits: Any = None

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        found = 1
        for dim in self.shape:
            found *= dim
        return found

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its axes reversed."""
        return call_op("transpose", self)  # type: ignore[no-any-return]

    def reshape(self, *newshape: Any) -> Tensor:
        """`nabi.ops.reshape` of this tensor."""
        shape = newshape[0] if len(newshape) == 1 and isinstance(newshape[0], (list, tuple)) else newshape
        return call_op("reshape", self, shape)  # type: ignore[no-any-return]

    def astype(self, dtype: Any) -> Tensor:
        """`nabi.ops.cast` of this tensor."""
        return call_op("cast", self, dtype)  # type: ignore[no-any-return]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, item: Any) -> bool:
        _refuse(self, "`in`", "nabi.ops.any(nabi.ops.equal(x, value))")

    def __eq__(self, other: object) -> Any:
        return call_op("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return call_op("not_equal", self, other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        _refuse(self, "`if`, `and`, `or`, `not`, `while` or bool()", "nabi.ops.where or nabi.ops.cond")

    def __int__(self) -> int:
        _refuse(self, "int()", 'nabi.ops.cast(x, "int32")')

    def __index__(self) -> int:
        _refuse(self, "an index or range()", "nabi.ops.take or nabi.ops.slice")

    def __float__(self) -> float:
        _refuse(self, "float()", 'nabi.ops.cast(x, "float32")')

    def __complex__(self) -> complex:
        _refuse(self, "complex()", "the functions of nabi.ops")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        _refuse(self, "NumPy", "the function of the same name in nabi.ops")

    def numpy(self) -> NoReturn:
        """Raises TypeError: a traced tensor has no numbers yet."""
        _refuse(self, ".numpy()", "the functions of nabi.ops")

    def item(self) -> NoReturn:
        """Raises TypeError: a traced tensor has no numbers yet."""
        _refuse(self, ".item()", "the functions of nabi.ops")

    def __format__(self, spec: str) -> str:
        if spec:
            _refuse(self, "a number format", "the tensor outside of the traced function")
        return repr(self)

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape}, dtype={self.dtype}>"


def _refuse(tensor: Tensor, what: str, instead: str) -> NoReturn:
    where = user_line()
    raise TypeError(
        f"A tensor of shape {tensor.shape} has no numbers while a program is being traced, so it cannot be used with "
        f"{what}" + (f" ({where})" if where else "") + f". Use {instead} instead."
    )
