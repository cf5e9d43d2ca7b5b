"""Keras as it was: the spellings of Keras 1 and 2 that Keras 3 dropped, doing what their authors meant.

`import nabi` is strictly Keras 3. Importing this package switches the old spellings on for the whole process; so do
`nabi run script.py` and `nabi.install_as_keras()`, which also let `import keras` and
`import tensorflow.keras` find Nabi.
"""

from __future__ import annotations

from nabi import hooks
from nabi.legacy import arguments, attributes, notice, optimizers, training
from nabi.legacy.standing_in import install_as_keras, uninstall

__all__ = ["disable", "enable", "install_as_keras", "uninstall"]

_enabled = False


def enable() -> None:
    """Switches the old spellings on."""
    global _enabled
    if _enabled:
        return
    _enabled = True
    for room in (arguments, attributes, optimizers, training):
        room.install()


def disable() -> None:
    """Switches them off again: Nabi is strictly Keras 3."""
    global _enabled
    uninstall()
    hooks.restore()
    notice.forget()
    _enabled = False


enable()
