"""Which dtype a layer computes in and keeps its weights in (Keras: `keras.dtype_policies`)."""

from __future__ import annotations

from typing import Any

from nabi import dtypes, objects
from nabi.dtype_policies import dtype_policy
from nabi.dtype_policies.dtype_policy import DTypePolicy, FloatDTypePolicy, computed_dtype, named, set_dtype_policy

__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "computed_dtype",
    "deserialize",
    "get",
    "serialize",
    "set_dtype_policy",
]

objects.export("keras", DTypePolicy, aliases={"FloatDTypePolicy": DTypePolicy})
objects.export("keras.dtype_policies", aliases={"DTypePolicy": DTypePolicy, "FloatDTypePolicy": DTypePolicy})


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
        return dtype_policy.dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, str):
        return named(identifier)
    if isinstance(identifier, dict):
        found = deserialize(identifier)
        if isinstance(found, DTypePolicy):
            return found
    else:
        try:
            return named(dtypes.standardize_dtype(identifier))
        except ValueError:
            pass
    raise ValueError(
        "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. "
        f"Received: dtype={identifier}"
    )
