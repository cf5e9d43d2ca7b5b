"""Settings of the process: number formats, threads, instruction set, logging (Keras: `keras.config`).

Source of names and messages: Keras 3.15 `keras.config`; threads and instruction set are ours.
"""

from __future__ import annotations

import operator
import sys
from typing import Any

_FLOATX_CHOICES = ("bfloat16", "float16", "float32", "float64")
_DATA_FORMATS = ("channels_first", "channels_last")

_settings: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "interactive_logging": True,
    "traceback_filtering": True,
    "max_epochs": None,
    "max_steps_per_epoch": None,
    "unsafe_deserialization": False,
    "exact_convolution": False,
}

#: Raised whenever a setting that a traced program may have read changes; part of every program's cache key.
generation = 0


def _change(name: str, value: Any) -> None:
    global generation
    if _settings[name] != value:
        _settings[name] = value
        generation += 1


def floatx() -> str:
    """The default float dtype, "float32" unless changed."""
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Sets the default float dtype, "float32" or "float64".

    Raises:
        ValueError: `value` is not a float dtype.
        NotImplementedError: a 16-bit float dtype.
    """
    if value not in _FLOATX_CHOICES:
        raise ValueError(f"Unknown `floatx` value: {value}. Expected one of {set(_FLOATX_CHOICES)}")
    if value in ("bfloat16", "float16"):
        raise NotImplementedError(f"Nabi computes in float32 and float64 only; `floatx` cannot be {value}.")
    _change("floatx", str(value))


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite, 1e-7 unless changed."""
    return float(_settings["epsilon"])


def set_epsilon(value: float) -> None:
    """Sets the value of `epsilon()`."""
    _change("epsilon", float(value))


def image_data_format() -> str:
    """The default data format of images, "channels_last" unless changed."""
    return str(_settings["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    """Sets the default data format of images: "channels_first" or "channels_last"."""
    _change("image_data_format", standardize_data_format(data_format))


def standardize_data_format(data_format: str | None) -> str:
    """`data_format` in lower case, or the default for None.

    Raises:
        ValueError: neither "channels_first" nor "channels_last".
    """
    if data_format is None:
        return image_data_format()
    data_format = str(data_format).lower()
    if data_format not in _DATA_FORMATS:
        raise ValueError(
            f"The `data_format` argument must be one of {set(_DATA_FORMATS)}. Received: data_format={data_format}"
        )
    return data_format


def backend() -> str:
    """The name of the engine, "nabi"."""
    return "nabi"


def set_backend(backend: str) -> None:
    """Accepts "nabi" only, since there is one engine.

    Raises:
        ValueError: any other name.
    """
    if backend != "nabi":
        raise ValueError(f"Nabi has one backend, 'nabi'. Received: backend={backend}")


def enable_interactive_logging() -> None:
    """Progress bars and messages go to stdout as they happen (the default)."""
    _settings["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Progress bars are not drawn; messages go to Python's logging."""
    _settings["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress bars are drawn."""
    return bool(_settings["interactive_logging"])


def enable_traceback_filtering() -> None:
    """Kept for compatibility: tracebacks are never filtered."""
    _settings["traceback_filtering"] = True


def disable_traceback_filtering() -> None:
    """Kept for compatibility: tracebacks are never filtered."""
    _settings["traceback_filtering"] = False


def is_traceback_filtering_enabled() -> bool:
    """The value last set by `enable_traceback_filtering` or `disable_traceback_filtering`."""
    return bool(_settings["traceback_filtering"])


def enable_flash_attention() -> None:
    """Kept for compatibility: the engine has one attention path."""


def disable_flash_attention() -> None:
    """Kept for compatibility: the engine has one attention path."""


def is_flash_attention_enabled() -> bool:
    """Always False."""
    return False


def is_nnx_enabled() -> bool:
    """Always False: NNX belongs to JAX."""
    return False


def max_epochs() -> int | None:
    """The cap on the epochs of every `fit`, or None."""
    cap: int | None = _settings["max_epochs"]
    return cap


def set_max_epochs(max_epochs: int | None) -> None:
    """Caps the epochs of every `fit`, for debugging; None lifts the cap."""
    _settings["max_epochs"] = max_epochs


def max_steps_per_epoch() -> int | None:
    """The cap on the steps of every epoch, or None."""
    cap: int | None = _settings["max_steps_per_epoch"]
    return cap


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Caps the steps of every epoch, for debugging; None lifts the cap."""
    _settings["max_steps_per_epoch"] = max_steps_per_epoch


def enable_unsafe_deserialization() -> None:
    """Lets `load_model` run Python code stored in a file (Lambda layers) without `safe_mode=False`."""
    _settings["unsafe_deserialization"] = True


def is_unsafe_deserialization_enabled() -> bool:
    """Whether `enable_unsafe_deserialization` was called."""
    return bool(_settings["unsafe_deserialization"])


def dtype_policy() -> Any:
    """The policy of layers that are given none."""
    from nabi.dtype_policies.dtype_policy import dtype_policy

    return dtype_policy()


def set_dtype_policy(policy: Any) -> None:
    """Sets the policy of layers that are given none: a `DTypePolicy` or its name."""
    from nabi.dtype_policies.dtype_policy import set_dtype_policy

    set_dtype_policy(policy)


def set_num_threads(count: int | None) -> None:
    """Sets how many threads a run may use; None goes back to `OMP_NUM_THREADS` or the machine's CPUs.

    The results do not depend on it. Raises ValueError unless it is between 1 and 1024.
    """
    from nabi import _core

    try:
        count = count if count is None else operator.index(count)
    except TypeError:
        raise ValueError(f"`count` must be an integer or None. Received: count={count}") from None
    _core.set_num_threads(count)


def num_threads() -> int:
    """How many threads a run may use."""
    from nabi import _core

    return _core.get_num_threads()


def set_isa(name: str | None) -> None:
    """Forces an instruction set ("generic", "avx2", "avx512"); None goes back to the best the machine has.

    float32 results do not depend on it. Raises ValueError for one the machine lacks.
    """
    from nabi import _core

    _core.set_isa(name)


def isa() -> str:
    """The instruction set in use."""
    from nabi import _core

    return _core.isa()


def exact_convolution(enabled: bool = True) -> None:
    """Chooses between exact and fast 3x3 convolutions in float32 (ours, not Keras's).

    Unless this is on, 3x3 convolutions with strides 1 and at least 16 channels and filters, and their gradients, are
    computed by Winograd's algorithm F(4x4, 3x3) where that is faster: a quarter of the multiplications, and a relative
    error of 1e-6 to 4e-6, where sums of products in order have 2e-7 to 6e-7. A NaN or an
    infinity in a pixel makes all outputs of the 4x4 tiles that read it NaN, and pixels above 1e36 may overflow. The
    choice depends on the layer and the size of an image, never on the batch, the threads or the machine. float64 is
    always exact.

    Args:
        enabled: True computes every convolution as sums of products in order.

    Raises:
        ValueError: `enabled` is not a bool.
    """
    from nabi import _core

    if not isinstance(enabled, bool):
        raise ValueError(f"`enabled` must be True or False. Received: enabled={enabled}")
    _change("exact_convolution", enabled)
    _core.set_exact_convolution(enabled)


def is_exact_convolution_enabled() -> bool:
    """Whether `exact_convolution` was called with True last."""
    return bool(_settings["exact_convolution"])


def print_message(message: str, line_break: bool = True) -> None:
    """Prints to stdout, or hands the line to Python's logging where interactive logging is off."""
    if is_interactive_logging_enabled():
        sys.stdout.write(message + ("\n" if line_break else ""))
        sys.stdout.flush()
    else:
        import logging

        logging.getLogger("nabi").info(message)
