"""The policy of a layer's dtypes, and the one of layers that are given none."""

from __future__ import annotations

import warnings
from typing import Any

from nabi import config, dtypes

#: Float dtypes of Keras that the core lacks: names that are kept, computed in float32.
_WIDENED = ("float16", "bfloat16")
_MIXED = {f"mixed_{name}": name for name in _WIDENED}


class DTypePolicy:
    """The compute and variable dtype of a layer.

    The policies of 16-bit floats, "mixed_float16" and "mixed_bfloat16" among them, keep their names and dtypes, so that
    models written for them run and their configs round-trip, but layers compute in float32: `Layer.compute_dtype` and
    `Layer.variable_dtype` say so, and a warning does the first time.

    Args:
        name: a dtype, such as "float32", "mixed_float16" or "mixed_bfloat16"; the global policy's for None.

    Raises:
        TypeError: `name` is no string. ValueError: it names no policy of Keras.
        NotImplementedError: a policy of Keras that Nabi cannot compute with, such as a quantized one.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not isinstance(name, str):
            raise TypeError(
                f"'name' must be a string, such as 'mixed_float16'. Received: name={name} (of type {type(name)})"
            )
        if "_from_" in name or name.startswith("float8"):
            raise NotImplementedError(f"Nabi does not quantize weights; the dtype policy cannot be '{name}'.")
        try:
            self._compute_dtype = _MIXED.get(name) or dtypes.standardize_dtype(name)
        except ValueError:
            raise ValueError(
                f"Cannot convert '{name}' to a mixed precision DTypePolicy. Valid policies include 'mixed_float16', "
                "'mixed_bfloat16', and the name of any float dtype such as 'float32'."
            ) from None
        self._variable_dtype = "float32" if name in _MIXED else self._compute_dtype
        self._name = name if name in _MIXED else self._compute_dtype
        if computed_dtype(self._compute_dtype) not in dtypes.CORE_DTYPES:
            raise NotImplementedError(
                f"Nabi computes in {', '.join(dtypes.CORE_DTYPES)}; the dtype policy cannot be '{name}'."
            )

    @property
    def name(self) -> str:
        """The policy's name."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype that the policy asks for a layer's float inputs and its outputs."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype that the policy asks for a layer's weights."""
        return self._variable_dtype

    @property
    def quantization_mode(self) -> None:
        """None: weights are never quantized."""
        return None

    def get_config(self) -> dict[str, Any]:
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


FloatDTypePolicy = DTypePolicy

_said = False  # whether the warning about 16-bit floats was given


def computed_dtype(dtype: Any) -> str:
    """The dtype in which Nabi computes what is asked for in `dtype`: float32 for 16-bit floats, said once.

    Args:
        dtype: a dtype or a policy, whose compute dtype is taken; None is ``floatx()``.
    """
    global _said
    name = dtypes.standardize_dtype(getattr(dtype, "compute_dtype", dtype))
    if name not in _WIDENED:
        return name
    if not _said:
        _said = True
        warnings.warn(
            f"Nabi computes in float32 and float64: '{name}' is kept as a name and computed in float32, with the "
            "results and the memory of float32. This is said once.",
            stacklevel=3,
        )
    return "float32"


_global: DTypePolicy | None = None
_cache: dict[str, DTypePolicy] = {}


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none: the one set last, else `floatx()`."""
    return _global if _global is not None else named(config.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Sets the policy of layers made from now on that are given none: a `DTypePolicy` or its name.

    Raises:
        ValueError: neither a policy nor the name of one.
    """
    global _global
    if isinstance(policy, str):
        policy = named(policy)
    if not isinstance(policy, DTypePolicy):
        raise ValueError(
            "Invalid `policy` argument. Expected the name of a policy (such as 'mixed_float16') or a `DTypePolicy` "
            f"instance. Received: policy={policy} (of type {type(policy)})"
        )
    _global = policy


def named(name: str) -> DTypePolicy:
    """The policy of that name, one object per name."""
    policy = _cache.get(name)
    if policy is None:
        policy = _cache[name] = DTypePolicy(name)
    return policy
