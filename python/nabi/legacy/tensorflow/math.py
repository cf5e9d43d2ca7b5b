"""`tf.math`'s reductions; the other functions of `tf.math` are `nabi.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nabi import ops


def _reduce(op: Callable[..., Any]) -> Callable[..., Any]:
    def reduced(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
        return op(input_tensor, axis=axis, keepdims=keepdims)

    return reduced


reduce_all = _reduce(ops.all)
reduce_any = _reduce(ops.any)
reduce_max = _reduce(ops.max)
reduce_mean = _reduce(ops.mean)
reduce_min = _reduce(ops.min)
reduce_prod = _reduce(ops.prod)
reduce_std = _reduce(ops.std)
reduce_sum = _reduce(ops.sum)
reduce_variance = _reduce(ops.var)
pow = ops.power
