"""Objects in configs: names, registration, scopes, special values; and dtype policies."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import nabi
from nabi import config, dtype_policies, initializers, layers, objects, ops, regularizers
from nabi.trace import KerasTensor, Trace, Variable

serialize, deserialize = objects.serialize_keras_object, objects.deserialize_keras_object


class Holder:
    """Something with a config."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Holder:
        return cls(deserialize(config["value"]))


@pytest.mark.parametrize(
    "value",
    [None, 1, 2.5, True, "text", [1, [2, None]], {"a": [1], "b": {"c": 2}}, b"bytes", slice(1, None, 2), ...],
)
def test_plain_and_special_values(value: Any) -> None:
    assert deserialize(json.loads(json.dumps(serialize(value)))) == value


def test_arrays_and_tensors() -> None:
    array = np.arange(6, dtype="int32").reshape(2, 3)
    config = serialize(array)
    assert config == {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": "int32"}}
    np.testing.assert_array_equal(deserialize(config), array)
    assert serialize(np.float32(2.0)) == 2.0 and serialize(np.array(3)) == 3
    np.testing.assert_array_equal(deserialize(serialize(Variable(array))), array)
    symbolic = layers.Input((3,), name="x")
    config = serialize(symbolic)
    assert config["config"] == {"shape": (None, 3), "dtype": "float32", "keras_history": ["x", 0, 0]}
    again = deserialize(json.loads(json.dumps(config)))
    assert isinstance(again, KerasTensor) and again.shape == (None, 3)
    assert again._pre_serialization_keras_history == ["x", 0, 0]
    with Trace() as trace, pytest.raises(TypeError, match="only while a program is traced cannot be written"):
        serialize(trace.input((2,), "float32"))


def test_public_names() -> None:
    assert objects.public_name(layers.Dense) == "keras.layers.Dense"
    assert objects.public_name(Holder) is None and objects.public_name([]) is None
    config = serialize(regularizers.L2(0.5))
    assert config == {
        "module": "keras.regularizers",
        "class_name": "L2",
        "config": {"l2": 0.5},
        "registered_name": None,
    }
    assert deserialize({**config, "registered_name": "L2"}).l2 == 0.5
    with pytest.raises(ValueError, match="resolved to a Keras built-in and does not use registered names"):
        deserialize({**config, "registered_name": "mine>L2"})
    assert (
        type(deserialize({"module": "keras.initializers", "class_name": "zeros", "config": {}})) is initializers.Zeros
    )


def test_registration() -> None:
    @objects.register_keras_serializable("pack", "Other")
    class Mine(Holder):
        pass

    assert objects.get_registered_name(Mine) == "pack>Other" and objects.get_registered_object("pack>Other") is Mine
    assert objects.get_registered_name(Holder) == "Holder" and objects.get_registered_object("nothing") is None
    config = serialize(Mine(3))
    assert config["registered_name"] == "pack>Other" and config["class_name"] == "Mine"
    assert deserialize(json.loads(json.dumps(config))).value == 3
    assert objects.get_custom_objects()["pack>Other"] is Mine
    with pytest.raises(ValueError, match="Cannot register a class that does not have a get_config\\(\\) method."):
        objects.register_keras_serializable()(int)


def test_custom_object_scopes() -> None:
    config = serialize(Holder(3))
    with pytest.raises(TypeError, match="Could not locate class 'Holder'"):
        deserialize(config)
    assert deserialize(config, custom_objects={"Holder": Holder}).value == 3
    with objects.custom_object_scope({"Holder": Holder}):
        assert deserialize(config).value == 3
        with objects.CustomObjectScope({}):
            assert objects.get_registered_object("Holder") is None
    assert objects.get_registered_object("Holder") is None
    nested = serialize(Holder({"inner": Holder(1)}))
    assert deserialize(nested, custom_objects={"Holder": Holder}).value["inner"].value == 1
    assert objects.get_registered_object("own", {"own": 5}) == 5
    assert objects.get_registered_object("own", None, {"own": 6}) == 6


def test_functions() -> None:
    config = serialize(_function)
    assert config["class_name"] == "function" and config["config"] == "_function"
    assert deserialize(config, custom_objects={"_function": _function}) is _function
    with pytest.raises(TypeError, match="Could not locate function '_function'"):
        deserialize(config)
    with pytest.raises(TypeError, match="Expected 'config' to be a non-null str"):
        deserialize({"class_name": "function", "config": 3})


def _function(x: Any) -> Any:
    return x


def test_lambdas_need_unsafe_mode() -> None:
    with pytest.warns(UserWarning, match="The object being serialized includes a `lambda`"):
        written = serialize(lambda x, by=3: x * by)
    written = json.loads(json.dumps(written))
    with pytest.raises(ValueError, match="Requested the deserialization of a Python lambda"):
        deserialize(written)
    assert deserialize(written, safe_mode=False)(2) == 6
    with objects.safe_mode_scope(False):
        assert deserialize(written)(2) == 6
    with objects.safe_mode_scope(True), pytest.raises(ValueError, match="Requested the deserialization"):
        deserialize(written, safe_mode=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "is_unsafe_deserialization_enabled", lambda: True)
        assert deserialize(written)(2) == 6


def test_only_what_a_config_may_name_is_imported() -> None:
    for module, name in (("os", "system"), ("nabi.cli", "main"), ("nabi.layers.core", "Any"), ("builtins", "eval")):
        with pytest.raises(TypeError, match="Could not locate class"):
            deserialize({"module": module, "class_name": name, "config": {}, "registered_name": name})
    assert deserialize({"module": "nabi.layers.core", "class_name": "Dense", "config": {"units": 2}}).units == 2


def test_sharing() -> None:
    shared = initializers.Ones()
    with objects.object_sharing_scope():
        first, second = serialize([shared, shared])
    assert first["shared_object_id"] == second["shared_object_id"]
    with objects.object_sharing_scope():
        a, b = deserialize([first, second])
    assert a is b
    assert "shared_object_id" not in serialize(shared)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (object(), "Could not parse config"),
        ({"class_name": "Zeros", "config": 3, "module": "keras.initializers"}, "to be a dict for Zeros"),
        ({"class_name": "__other__", "config": {}}, "a value of kind __other__ cannot be rebuilt here"),
        ({"class_name": "Unheard", "config": {}}, "Could not locate class 'Unheard'"),
        ({"class_name": "L2", "module": "keras.regularizers", "config": {"x": 1}}, "could not be deserialized"),
    ],
)  # fmt: skip
def test_bad_configs(config: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        deserialize(config)
    with pytest.raises(TypeError, match="is missing a `from_config\\(\\)` method"):
        deserialize({"class_name": "Plain", "config": {}}, custom_objects={"Plain": int})


def test_bad_objects() -> None:
    with pytest.raises(TypeError, match="a class must implement the `get_config\\(\\)` method"):
        serialize(object())

    class Wrong:
        def get_config(self) -> list[int]:
            return [1]

    with pytest.raises(TypeError, match="should return a dict. It returned: \\[1\\]"):
        serialize(Wrong())


def test_dtype_policies() -> None:
    policy = dtype_policies.DTypePolicy("float64")
    assert policy.name == policy.compute_dtype == policy.variable_dtype == "float64"
    assert repr(policy) == '<DTypePolicy "float64">' and policy.quantization_mode is None
    assert dtype_policies.deserialize(json.loads(json.dumps(dtype_policies.serialize(policy)))) == policy
    assert dtype_policies.get("float64") == dtype_policies.get(policy) == dtype_policies.get(np.float64) == policy
    assert hash(policy) == hash(dtype_policies.get("float64")) and policy != dtype_policies.get("float32")
    assert dtype_policies.get(dtype_policies.serialize(policy)) == policy
    assert dtype_policies.DTypePolicy().name == "float32"
    with pytest.raises(TypeError, match="'name' must be a string"):
        dtype_policies.DTypePolicy(3)
    with pytest.raises(ValueError, match="Cannot interpret `dtype` argument"):
        dtype_policies.get(object())
    for name in ("int8_from_float32", "float8_e4m3fn", "int8"):
        with pytest.raises(NotImplementedError, match=f"the dtype policy cannot be '{name}'"):
            dtype_policies.DTypePolicy(name)


def test_global_dtype_policy() -> None:
    try:
        dtype_policies.set_dtype_policy("float64")
        assert layers.Dense(2).dtype == "float64"
    finally:
        dtype_policies.set_dtype_policy("float32")
    assert layers.Dense(2).dtype == "float32"


@pytest.mark.parametrize("function", [ops.sum, ops.relu, ops.slice_update, ops.softmax], ids=lambda f: f.__name__)
def test_functions_of_ops(function):
    config = objects.serialize_keras_object(function)
    assert config["module"] == "builtins" and config["registered_name"] == "function"
    found = objects.deserialize_keras_object(json.loads(json.dumps(config)))
    x = np.ones((2, 3), "float32")
    if function is not ops.slice_update:
        assert np.array_equal(found(x), function(x))


def test_lambdas_in_pickles():
    factor = 3.0
    model = nabi.Sequential([layers.Input((2,)), layers.Lambda(lambda t, more=1.0: ops.exp(t) * factor + more)])
    model.add(layers.Dense(2, activation=lambda t: ops.tanh(t)))
    x = np.ones((4, 2), "float32")
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(again(x), model(x))
    assert copy.deepcopy(model).layers[0].function is model.layers[0].function
