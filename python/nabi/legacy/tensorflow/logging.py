"""`tf.logging`: levels that programs set to silence TensorFlow."""

from __future__ import annotations

from typing import Any

DEBUG, INFO, WARN, WARNING, ERROR, FATAL = 10, 20, 30, 30, 40, 50


def set_verbosity(level: Any) -> None:
    """Accepted: nothing is logged."""
