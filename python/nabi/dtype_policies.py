"""Which dtype a layer computes in and keeps its weights in (Keras: `keras.dtype_policies`)."""

from __future__ import annotations

from typing import Any

from nabi import config, dtypes, objects

__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "deserialize",
    "dtype_policy",
    "get",
    "serialize",
    "set_dtype_policy",
]


class DTypePolicy:
    """The compute and variable dtype of a layer, the same one here.

    Args:
        name: a dtype the core computes in, such as "float32"; the global policy's for None.

    Raises:
        TypeError: `name` is no string. ValueError: it names no policy of Keras.
        NotImplementedError: a policy of Keras that Nabi cannot compute with, mixed precision included.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not isinstance(name, str):
            raise TypeError(
                f"'name' must be a string, such as 'mixed_float16'. Received: name={name} (of type {type(name)})"
            )
        if name in ("mixed_float16", "mixed_bfloat16"):
            raise NotImplementedError(f"Nabi computes in float32 and float64; the dtype policy cannot be '{name}'.")
        if "_from_" in name or name.startswith("float8"):
            raise NotImplementedError(f"Nabi does not quantize weights; the dtype policy cannot be '{name}'.")
        try:
            dtype = dtypes.standardize_dtype(name)
        except ValueError:
            raise ValueError(
                f"Cannot convert '{name}' to a mixed precision DTypePolicy. Valid policies include 'mixed_float16', "
                "'mixed_bfloat16', and the name of any float dtype such as 'float32'."
            ) from None
        if dtype not in dtypes.CORE_DTYPES:
            raise NotImplementedError(
                f"Nabi computes in {', '.join(dtypes.CORE_DTYPES)}; the dtype policy cannot be '{name}'."
            )
        self._name = dtype

    @property
    def name(self) -> str:
        """The policy's name."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype of a layer's float inputs and of its outputs."""
        return self._name

    @property
    def variable_dtype(self) -> str:
        """The dtype of a layer's weights."""
        return self._name

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

_global: DTypePolicy | None = None
_cache: dict[str, DTypePolicy] = {}

objects.export("keras", DTypePolicy, aliases={"FloatDTypePolicy": DTypePolicy})
objects.export("keras.dtype_policies", aliases={"DTypePolicy": DTypePolicy, "FloatDTypePolicy": DTypePolicy})


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none: the one set last, else `floatx()`."""
    return _global if _global is not None else _named(config.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Sets the policy of layers made from now on that are given none."""
    global _global
    _global = get(policy)


def _named(name: str) -> DTypePolicy:
    policy = _cache.get(name)
    if policy is None:
        policy = _cache[name] = DTypePolicy(name)
    return policy


def serialize(policy: DTypePolicy) -> Any:
    """The config dict of a policy."""
    return objects.serialize_keras_object(policy)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The policy that a config dict stands for."""
    return objects.deserialize_keras_object(config, custom_objects=custom_objects)


def get(identifier: Any) -> DTypePolicy:
    """The policy of a dtype, policy name, config dict or policy; the global one for None.

    Raises:
        ValueError: no policy.
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, str):
        return _named(identifier)
    if isinstance(identifier, dict):
        found = deserialize(identifier)
        if isinstance(found, DTypePolicy):
            return found
    else:
        try:
            return _named(dtypes.standardize_dtype(identifier))
        except ValueError:
            pass
    raise ValueError(
        "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. "
        f"Received: dtype={identifier}"
    )
