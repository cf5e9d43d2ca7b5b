"""The functions of `nabi.ops` for linear algebra (Keras: `keras.ops.linalg`)."""

from nabi.ops.reduction import norm

__all__ = ["norm"]
