"""Dtype policies under the names that Keras 2 gave them (`keras.mixed_precision`).

Policies of 16-bit floats are accepted and computed in float32: see `nabi.dtype_policies.DTypePolicy`.
"""

from nabi.dtype_policies.dtype_policy import DTypePolicy, dtype_policy, set_dtype_policy

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]
