"""Objects in configs: the table of public names, registered custom objects, and the JSON form of both.

A config is what Keras writes into `config.json`: `{"module", "class_name", "config", "registered_name"}` for an object,
plain JSON values for the rest. Modules are Keras's ("keras.layers"), so that files travel both ways.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import marshal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from nabi import config as nabi_config
from nabi.trace import KerasTensor, OpCall, Tensor, Variable, find_op

_Thing = TypeVar("_Thing")

PLAIN_TYPES = (str, int, float, bool)

#: The modules that give public names to objects.
_ROOMS = (
    "activations constraints dtype_policies initializers layers losses metrics models optimizers random regularizers"
).split()

_public: dict[str, Any] = {}  # "keras.layers.Dense" -> class or function
_public_names: dict[Any, str] = {}  # the way back, canonical spelling only
_internal_names: dict[Any, str] = {}  # classes that Keras's files name by where they are defined
_custom: dict[str, Any] = {}  # "Package>Name" -> class or function
_custom_names: dict[Any, str] = {}


class _Local(threading.local):
    """What serialisation remembers per thread."""

    def __init__(self) -> None:
        self.custom_objects: dict[str, Any] = {}
        self.safe_mode: bool | None = None
        self.shared_objects: dict[int, Any] | None = None
        self.shared_configs: dict[int, dict[str, Any]] | None = None


_local = _Local()


# ---------------------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------------------
def export(module: str, *objects: Any, aliases: dict[str, Any] | None = None) -> None:
    """Gives each object its public name `module.__name__`; aliases can be read but are never written."""
    for thing in objects:
        name = f"{module}.{thing.__name__}"
        _public[name] = thing
        _public_names.setdefault(thing, name)
    for alias, thing in (aliases or {}).items():
        _public[f"{module}.{alias}"] = thing


def export_internally(module: str, *objects: Any) -> None:
    """Gives classes the names that Keras's configs have for its unexported ones: where they are defined there."""
    for thing in objects:
        name = f"{module}.{thing.__name__}"
        _public[name] = thing
        _internal_names[thing] = name


def public_name(thing: Any) -> str | None:
    """The public name of a built-in class or function, e.g. "keras.layers.Dense"; None for anything else."""
    try:
        return _public_names.get(thing)
    except TypeError:  # unhashable
        return None


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[_Thing], _Thing]:
    """Decorator: makes a class or function loadable under "package>name" (name: its own by default).

    Raises:
        ValueError: the class has no `get_config()`.
    """

    def decorate(thing: _Thing) -> _Thing:
        own_name = name if name is not None else thing.__name__  # type: ignore[attr-defined]
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError("Cannot register a class that does not have a get_config() method.")
        _custom[f"{package}>{own_name}"] = thing
        _custom_names[thing] = f"{package}>{own_name}"
        return thing

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """The global table of registered objects, by registered name. Changing it registers and forgets objects."""
    return _custom


def get_registered_name(obj: Any) -> str:
    """The name a class or function is registered under, else its `__name__`."""
    try:
        found = _custom_names.get(obj)
    except TypeError:
        found = None
    return found if found is not None else str(obj.__name__)


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None
) -> Any:
    """The object of this name: from an open custom object scope, the registered ones, or the given tables; or None."""
    for table in (_local.custom_objects, _custom, custom_objects, module_objects):
        if table and name in table:
            return table[name]
    return None


class CustomObjectScope:
    """Context manager: names of custom classes and functions that configs read inside it may use.

    Args:
        custom_objects: the objects by name.
    """

    def __init__(self, custom_objects: dict[str, Any] | None) -> None:
        self.custom_objects = custom_objects or {}
        self._before: list[dict[str, Any]] = []

    def __enter__(self) -> CustomObjectScope:
        self._before.append(_local.custom_objects)
        _local.custom_objects = dict(self.custom_objects)
        return self

    def __exit__(self, *_: object) -> None:
        _local.custom_objects = self._before.pop()


custom_object_scope = CustomObjectScope


@contextmanager
def safe_mode_scope(safe_mode: bool | None) -> Iterator[None]:
    """Inside, `safe_mode` decides whether a config may bring its own Python code (a lambda)."""
    before = _local.safe_mode
    _local.safe_mode = safe_mode
    try:
        yield
    finally:
        _local.safe_mode = before


@contextmanager
def object_sharing_scope() -> Iterator[None]:
    """Inside, an object met twice is written as one object and read back as one."""
    before = (_local.shared_objects, _local.shared_configs)
    _local.shared_objects, _local.shared_configs = {}, {}
    try:
        yield
    finally:
        _local.shared_objects, _local.shared_configs = before


# ---------------------------------------------------------------------------------------------------------------------
# Objects to configs
# ---------------------------------------------------------------------------------------------------------------------
def serialize_keras_object(obj: Any) -> Any:
    """The JSON form of an object: itself when plain, a list, dict or tuple of forms, else a config dict.

    Raises:
        TypeError: the object has neither `get_config()` nor a name, or its `get_config()` returns no dict.
    """
    if obj is None or isinstance(obj, PLAIN_TYPES):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize_keras_object(x) for x in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    special = _serialize_special(obj)
    if special is not None:
        return special[0]

    inner = _inner_config(obj)
    name = public_name(type(obj))
    internal = _internal_names.get(type(obj)) or (obj.keras_name if isinstance(obj, OpCall) else None)
    if name is not None or internal is not None:
        module, class_name = (name or internal or "").rsplit(".", 1)
        config: dict[str, Any] = {
            "module": module,
            "class_name": class_name,
            "config": inner,
            "registered_name": None if name is not None else class_name,
        }
    else:
        is_function = isinstance(obj, types.FunctionType)
        module = obj.__module__ if is_function else type(obj).__module__
        registered = None if module == "builtins" else get_registered_name(obj if is_function else type(obj))
        if is_function and (public_name(obj) is not None or _op_named(obj.__name__) is obj):
            module, registered = "builtins", "function"
        config = {
            "module": module,
            "class_name": type(obj).__name__,
            "config": inner,
            "registered_name": registered,
        }
    for key, method in (("build_config", "get_build_config"), ("compile_config", "get_compile_config")):
        extra = getattr(obj, method)() if hasattr(obj, method) else None
        if extra is not None:
            config[key] = serialize_keras_object(extra)
    if config["module"] == "__main__":
        config["module"] = None
    if _local.shared_configs is not None:
        first = _local.shared_configs.setdefault(id(obj), config)
        if first is not config:
            first["shared_object_id"] = config["shared_object_id"] = id(obj)
    return config


def _serialize_special(obj: Any) -> tuple[Any] | None:
    """The form of a value that has a marker of its own, in a 1-tuple; None for ordinary objects."""
    if isinstance(obj, bytes):
        return ({"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}},)
    if isinstance(obj, slice):
        parts = {part: serialize_keras_object(getattr(obj, part)) for part in ("start", "stop", "step")}
        return ({"class_name": "__slice__", "config": parts},)
    if obj is Ellipsis:
        return ({"class_name": "__ellipsis__", "config": {}},)
    if isinstance(obj, KerasTensor):
        history = getattr(obj, "_keras_history", None)
        place = [history[0].name, *history[1:]] if history else None
        config = {"shape": obj.shape, "dtype": obj.dtype, "keras_history": place}
        return ({"class_name": "__keras_tensor__", "config": config},)
    if isinstance(obj, Tensor):
        raise TypeError(
            f"A value that exists only while a program is traced cannot be written to a config. Received: {obj}"
        )
    if isinstance(obj, Variable):
        obj = obj.numpy()
    if isinstance(obj, np.ndarray) and obj.ndim > 0:
        return ({"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}},)
    if isinstance(obj, (np.ndarray, np.generic)):
        return (obj.item(),)
    if isinstance(obj, types.FunctionType) and obj.__name__ == "<lambda>":
        warnings.warn(
            "The object being serialized includes a `lambda`. This is unsafe. In order to reload the object, you will "
            "have to pass `safe_mode=False` to the loading function. Please avoid using `lambda` in the future, and "
            "use named Python functions instead.",
            stacklevel=4,
        )
        code = base64.b64encode(marshal.dumps(obj.__code__)).decode("ascii")
        closure = tuple(cell.cell_contents for cell in obj.__closure__) if obj.__closure__ else None
        return ({"class_name": "__lambda__", "config": {"value": [code, obj.__defaults__, closure]}},)
    return None


def _op_named(name: str) -> Any:
    """The function of `nabi.ops` of this name; None where there is none."""
    ops = importlib.import_module("nabi.ops")
    found = getattr(ops, name, None) if name in ops.__all__ else None
    return found if isinstance(found, types.FunctionType) else None


def _inner_config(obj: Any) -> Any:
    """What stands under "config"."""
    if isinstance(obj, types.FunctionType):
        return get_registered_name(obj)
    if hasattr(obj, "get_config"):
        config = obj.get_config()
        if not isinstance(config, dict):
            raise TypeError(f"The `get_config()` method of {obj} should return a dict. It returned: {config}")
        return {key: serialize_keras_object(value) for key, value in config.items()}
    if hasattr(obj, "__name__"):
        return get_registered_name(obj)
    raise TypeError(
        f"Cannot serialize object {obj} of type {type(obj)}. "
        "To be serializable, a class must implement the `get_config()` method."
    )


class UnsafeObject(ValueError):
    """A config brings its own Python code and safe mode is on."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Requested the deserialization of {what}. This carries a potential risk of arbitrary code execution and "
            "thus it is disallowed by default. If you trust the source of the artifact, you can override this error "
            "by passing `safe_mode=False` to the loading function, or calling "
            "`keras.config.enable_unsafe_deserialization()."
        )


# ---------------------------------------------------------------------------------------------------------------------
# Configs to objects
# ---------------------------------------------------------------------------------------------------------------------
def deserialize_keras_object(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
    module_objects: dict[str, Any] | None = None,
) -> Any:
    """The object that `serialize_keras_object` made `config` from.

    Args:
        config: JSON value: a config dict, or lists and dicts of them; plain values are returned as they are.
        custom_objects: classes and functions by name, looked up before the built-in ones.
        safe_mode: refuse configs that carry Python code.
        module_objects: built-in objects by short name, for configs that are just a name.

    Raises:
        TypeError: the class cannot be found or rebuilt. ValueError: a lambda in safe mode.
    """
    if nabi_config.is_unsafe_deserialization_enabled():
        safe_mode = False
    elif _local.safe_mode is not None:
        safe_mode = _local.safe_mode
    custom = {**(custom_objects or {}), **_local.custom_objects, **_custom}
    if config is None:
        return None
    if isinstance(config, str) and custom.get(config) is not None:
        return custom[config]
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(x, custom, safe_mode) for x in config]
    if module_objects is not None:
        done, config = _from_table(config, module_objects, custom)
        if done:
            return config
    if isinstance(config, PLAIN_TYPES):
        return config
    if not isinstance(config, dict):
        raise TypeError(f"Could not parse config: {config}")
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value, custom, safe_mode) for key, value in config.items()}
    class_name = config["class_name"]
    inner = config["config"] if config["config"] is not None else {}
    if class_name.startswith("__") and class_name.endswith("__"):
        return _deserialize_special(class_name, inner, safe_mode)
    if class_name == "function":
        if not isinstance(inner, str):
            raise TypeError(
                f"Expected 'config' to be a non-null str for a function classname,\ninstead got {type(inner)}\n"
                f"Full config: {config}"
            )
        return _find(inner, inner, config.get("module"), "function", config, custom)
    return _build(config, class_name, inner, custom, safe_mode)


def _from_table(config: Any, table: dict[str, Any], custom: dict[str, Any]) -> tuple[bool, Any]:
    """Resolves a short name, or a config whose class is in `table`: (True, object) or (False, config to go on with)."""
    inner: Any = None
    name: Any = config
    if isinstance(config, dict):
        inner = config.get("config")
        if "class_name" not in config:
            raise ValueError(f"Unknown `config` as a `dict`, config={config}")
        if (
            config["class_name"] in custom
            or config.get("registered_name") in custom
            or (isinstance(inner, str) and inner in custom)
        ):
            return False, config
        if config["class_name"] == "function":
            name = config["config"] if config.get("module") == "builtins" else config.get("registered_name") or inner
        elif config.get("module", "_") is None:
            raise TypeError(
                f"Cannot deserialize object of type `{config['class_name']}`. If `{config['class_name']}` is a custom "
                "class, please register it using the `@keras.saving.register_keras_serializable()` decorator."
            )
        else:
            name = config["class_name"]
    found = table.get(name)
    if found is None:
        return (False, config) if isinstance(config, dict) else (True, config)
    if not inspect.isclass(found):
        return True, found
    module, class_name = (public_name(found) or f"{found.__module__}.{found.__name__}").rsplit(".", 1)
    known = {"module": module, "class_name": class_name, "config": inner, "registered_name": None}
    if isinstance(config, dict):
        known.update({k: v for k, v in config.items() if k in ("build_config", "compile_config", "shared_object_id")})
    return False, known


def _deserialize_special(class_name: str, inner: dict[str, Any], safe_mode: bool) -> Any:
    if class_name == "__keras_tensor__":
        tensor: Any = KerasTensor(tuple(inner["shape"]), dtype=inner["dtype"])
        tensor._pre_serialization_keras_history = inner["keras_history"]
        return tensor
    if class_name in ("__tensor__", "__numpy__"):
        return np.array(inner["value"], dtype=inner["dtype"])
    if class_name == "__bytes__":
        return inner["value"].encode("utf-8")
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name == "__slice__":
        return slice(*(deserialize_keras_object(inner[part]) for part in ("start", "stop", "step")))
    if class_name == "__lambda__":
        if safe_mode:
            raise UnsafeObject("a Python lambda")
        value = inner["value"]
        value = value["config"].values() if isinstance(value, dict) else value
        code, defaults, closure = value
        cells = tuple(types.CellType(x) for x in closure) if closure else None
        body = marshal.loads(base64.b64decode(code))
        return types.FunctionType(body, globals(), body.co_name, tuple(defaults) if defaults else None, cells)
    raise TypeError(f"Could not parse config: a value of kind {class_name} cannot be rebuilt here.")


def _build(config: dict[str, Any], class_name: str, inner: Any, custom: dict[str, Any], safe_mode: bool) -> Any:
    if not isinstance(inner, dict):
        raise TypeError(
            f"Expected 'config' to be a dict for {class_name},\ninstead got {type(inner)}\nFull config: {config}"
        )
    shared = config.get("shared_object_id")
    if shared is not None and _local.shared_objects is not None and shared in _local.shared_objects:
        return _local.shared_objects[shared]
    cls = _find(class_name, config.get("registered_name", class_name), config.get("module"), "class", config, custom)
    if isinstance(cls, types.FunctionType):
        return cls
    if not hasattr(cls, "from_config"):
        raise TypeError(
            f"Unable to reconstruct an instance of '{class_name}' because the class is missing a `from_config()` "
            f"method. Full object config: {config}"
        )
    with CustomObjectScope(custom), safe_mode_scope(safe_mode):
        try:
            instance = cls.from_config(inner)
        except TypeError as error:
            raise TypeError(
                f"{cls} could not be deserialized properly. Please ensure that components that are Python object "
                "instances (layers, models, etc.) returned by `get_config()` are explicitly deserialized in the "
                f"model's `from_config()` method.\n\nconfig={config}.\n\nException encountered: {error}"
            ) from error
        build_config = config.get("build_config")
        if build_config and not instance.built:
            instance.build_from_config(build_config)
            instance.built = True
        compile_config = config.get("compile_config")
        if compile_config:
            instance.compile_from_config(compile_config)
            instance.compiled = True
    if shared is not None and _local.shared_objects is not None:
        _local.shared_objects[shared] = instance
    return instance


def _load_room(module: str) -> None:
    """Loads the room whose names "keras.layers" or the like are: rooms load when first used."""
    parts = module.split(".")
    room = "models" if len(parts) == 1 or parts[1] == "src" else parts[1]
    if room in _ROOMS and f"nabi.{room}" not in sys.modules:
        importlib.import_module(f"nabi.{room}")


def _find(name: str, registered: str | None, module: str | None, kind: str, config: Any, custom: dict[str, Any]) -> Any:
    """The class or function that a config names."""
    found = get_registered_object(registered, custom) if registered else None
    if found is None and registered != name:
        found = custom.get(name)
    if found is not None:
        return found
    if module == "keras" or (module or "").startswith("keras."):
        _load_room(module or "")
        found = _public.get(f"{module}.{name}")
        if found is not None:
            explicit = config.get("registered_name")
            if explicit and explicit not in (name, config.get("class_name")):
                raise ValueError(
                    f"`registered_name={explicit!r}` was provided in the config, but '{module}.{name}' resolved to a "
                    "Keras built-in and does not use registered names. Remove the `registered_name` field from the "
                    f"config. Full object config: {config}"
                )
            return found
        if module is not None and module.startswith("keras.src.ops"):
            importlib.import_module("nabi.ops")
            if (found := find_op(f"{module}.{name}")) is not None:
                return found
    if kind == "function" and module in (None, "builtins"):
        for room in ("activations", "losses", "metrics"):
            if f"keras.{room}.{name}" in _public:
                return _public[f"keras.{room}.{name}"]
        if (found := _op_named(name)) is not None:
            return found
    if module and module.split(".")[0] == "nabi":
        # Only this package is imported from a config, and only what a config can rebuild is taken from it.
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ImportError:
            found = None
        if inspect.isclass(found) and hasattr(found, "from_config"):
            return found
    raise TypeError(
        f"Could not locate {kind} '{name}'. Make sure custom classes and functions are decorated with "
        "`@keras.saving.register_keras_serializable()`. If they are already decorated, make sure they are all imported "
        f"so that the decorator is run before trying to load them. Full object config: {config}"
    )
