"""`tf.config` and `tf.test`: which devices there are, and threads."""

from __future__ import annotations

from typing import Any, NamedTuple

from nabi import config


class PhysicalDevice(NamedTuple):
    """A device's name and kind."""

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The CPU; programs that ask for "GPU" get an empty list."""
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


list_logical_devices = get_visible_devices = list_physical_devices


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Accepted: there is one device."""


def set_memory_growth(device: Any, enable: bool) -> None:
    """Accepted: memory is taken as it is needed."""


def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Sets the number of threads of a step; 0 takes all."""
    if num_threads:
        config.set_num_threads(num_threads)


def set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Accepted: steps run one after another."""


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Accepted: steps are always compiled."""


def is_gpu_available(*args: Any, **kwargs: Any) -> bool:
    """False."""
    return False


def gpu_device_name() -> str:
    """Empty: there is no GPU."""
    return ""


def is_built_with_cuda() -> bool:
    """False."""
    return False
