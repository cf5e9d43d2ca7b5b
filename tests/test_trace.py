"""Tracing: tensors, variables, programs, the eager cache, and symbolic tensors."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import nabi
from nabi import ops, trace, tree
from nabi.trace import Array, Cached, KerasTensor, Node, Operation, Tensor, Trace, Variable

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def run(build: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """Traces `build` on inputs like the arrays and runs the program once."""
    with Trace() as t:
        found = build(*(t.input(a.shape, a.dtype.name) for a in arrays))
        program = t.compile(list(found) if isinstance(found, (list, tuple)) else [found])
    return program.call(list(arrays))


# ---- tensors --------------------------------------------------------------------------------------------------------


def test_operators_follow_python() -> None:
    y = X + 1
    got = run(lambda a, b: [a + b, 2 - a, a * b, a / b, a // b, a % b, a**2, -a, abs(-a), a @ ops.transpose(b)], X, y)
    want = [X + y, 2 - X, X * y, X / y, X // y, X % y, X**2, -X, X, X @ y.T]
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-6)
    got = run(lambda a, b: [a < b, a >= b, a == b, a != b, (a > 1) & (b < 4), (a > 1) | (b < 2), ~(a > 1)], X, y)
    want = [y > X, y <= X, y == X, y != X, (X > 1) & (y < 4), (X > 1) | (y < 2), ~(X > 1)]
    for g, w in zip(got, want, strict=True):
        assert np.array_equal(g, w)


def test_arrays_on_the_left_leave_the_operation_to_the_tensor() -> None:
    (got,) = run(lambda a: X - a * np.float32(2), X)
    assert np.array_equal(got, -X)


def test_a_tensor_unpacks_along_its_first_axis() -> None:
    def build(a: Tensor) -> Tensor:
        first, second = a
        assert len(a) == 2
        return first * second

    assert np.array_equal(run(build, X)[0], X[0] * X[1])


@pytest.mark.parametrize(
    ("misuse", "instead"),
    [
        (lambda x: 1 if x > 0 else 2, "nabi.ops.where"),
        (lambda x: int(x), "nabi.ops.cast"),
        (lambda x: float(x), "nabi.ops.cast"),
        (lambda x: np.asarray(x), "nabi.ops"),
        (lambda x: np.exp(x), ""),
        (lambda x: x.numpy(), "nabi.ops"),
        (lambda x: list(range(x)), "nabi.ops.take"),
        (lambda x: 1 in x, "nabi.ops.any"),
        (lambda x: f"{x:.2f}", "outside"),
    ],
)
def test_a_traced_tensor_has_no_numbers(misuse: Any, instead: str) -> None:
    with Trace() as t, pytest.raises(TypeError) as found:
        misuse(t.input((), "float32"))
    assert instead in str(found.value)
    if instead:
        assert "test_trace.py, line" in str(found.value)  # names the user's line


def test_a_tensor_cannot_leave_its_trace() -> None:
    with Trace() as t:
        kept = t.input((2,), "float32")
    with pytest.raises(TypeError, match="outside of the traced call"):
        ops.exp(kept)
    with Trace(), pytest.raises(TypeError, match="outside of the traced call"):
        ops.exp(kept)


def test_core_errors_name_the_layer() -> None:
    with Trace() as t:
        t.set_layer("stem")
        with pytest.raises(ValueError, match="stem"):
            trace.emit("matmul", t.input((2, 3), "float32"), t.input((2, 3), "float32"))


# ---- variables ------------------------------------------------------------------------------------------------------


def test_variable_surface() -> None:
    v = Variable(X, name="kernel")
    assert (v.name, v.path, v.shape, v.dtype, v.ndim, v.trainable) == ("kernel", "kernel", (2, 3), "float32", 2, True)
    assert np.array_equal(v.numpy(), X) and isinstance(v.value, Array)
    view = np.asarray(v)
    assert not view.flags.writeable
    before = v.version
    v.assign(X + 1)
    assert np.array_equal(view, X + 1) and v.version > before
    v.assign_add(np.ones((2, 3)))
    v.assign_sub(2 * np.ones((2, 3)))
    assert np.array_equal(v.numpy(), X)
    assert np.array_equal(v[0], X[0]) and len(v) == 2
    assert np.array_equal(v + 1, X + 1) and np.array_equal(2 * v, 2 * X)
    assert np.array_equal(v == X, np.ones((2, 3), bool))
    assert "kernel" in repr(v)
    with pytest.raises(ValueError, match=r"must match. variable.shape=\(2, 3\), Received: value.shape=\(3,\)"):
        v.assign(np.ones(3))
    with pytest.raises(TypeError, match="cannot be used as a boolean"):
        bool(v)
    with pytest.raises(TypeError, match="Only scalar arrays"):
        int(v)


def test_variable_from_callables_and_numbers() -> None:
    v = Variable(lambda shape, dtype: np.full(shape, 7), shape=(2,), dtype="int32")
    assert v.dtype == "int32" and v.numpy().tolist() == [7, 7]
    assert Variable(3).dtype == "int32" and Variable(1.5).dtype == "float32" and Variable(True).dtype == "bool"
    assert Variable(np.zeros(2)).dtype == "float32" and Variable(np.zeros(2), dtype="float64").dtype == "float64"
    assert int(Variable(3)) == 3 and float(Variable(1.5)) == 1.5
    with pytest.raises(ValueError, match="`shape` argument should be specified"):
        Variable(lambda shape, dtype: np.zeros(shape))
    with pytest.raises(ValueError, match="must be fully-defined"):
        Variable(lambda shape, dtype: np.zeros(shape), shape=(None, 2))
    with pytest.raises(ValueError, match="cannot contain character `/`"):
        Variable(1.0, name="a/b")
    with pytest.raises(NotImplementedError, match="float16"):
        Variable(1.0, dtype="float16")
    with pytest.raises(ValueError, match="callable"):
        v.regularizer = 3  # type: ignore[assignment]


def test_variable_paths_follow_name_scopes() -> None:
    with nabi.name_scope("model"), nabi.name_scope("dense"):
        v = Variable(1.0, name="bias")
    assert v.path == "model/dense/bias"


def test_variables_copy_and_pickle() -> None:
    v = Variable(X, name="w", trainable=False)
    for other in (copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert np.array_equal(other.numpy(), X) and other.name == "w" and not other.trainable
        other.assign(X * 0)
    assert np.array_equal(v.numpy(), X)


def test_inside_a_trace_a_variable_is_a_value() -> None:
    v = Variable(1.0)
    with Trace() as t:
        before = v.value
        v.assign(v + 1)
        v.assign_add(v)  # 4
        after = v * 10
        assert t.was_assigned(v) and [id(x) for x in t.assigned] == [id(v)]
        with pytest.raises(TypeError, match="has no numbers"):
            v.numpy()
        program = t.compile([before, after])
    assert float(v) == 1.0
    assert [float(x) for x in program.call([])] == [1.0, 40.0]
    assert float(v) == 4.0
    assert [float(x) for x in program.call([])] == [4.0, 100.0]


def test_a_variable_made_inside_a_trace_gets_its_value_at_once() -> None:
    with Trace():
        v = Variable(lambda shape, dtype: ops.ones(shape, dtype=dtype) * 3, shape=(2,))
        assert v._core.read().tolist() == [3, 3]
        with trace.suspended():
            assert isinstance(ops.exp(X), Array)


def test_assign_in_a_trace_casts_and_checks() -> None:
    v = Variable(np.zeros(2, np.int32))
    with Trace() as t:
        v.assign(ops.convert_to_tensor([1.7, 2.2]))
        with pytest.raises(ValueError, match="must match"):
            v.assign(ops.zeros((3,)))
        t.compile([]).call([])
    assert v.numpy().tolist() == [1, 2]


# ---- gradients ------------------------------------------------------------------------------------------------------


def test_gradients_of_variables_and_tensors() -> None:
    w = Variable(np.array([2.0, -1.0], np.float32))
    unused = Variable(1.0)
    with Trace() as t:
        x = t.input((2,), "float32")
        loss = ops.sum(ops.square(w * x))
        gw, gx, none = ops.gradients(loss, [w, x, unused])
        assert none is None
        second = ops.gradients(ops.sum(gw), [w])[0]
        program = t.compile([gw, gx, second])
    gw, gx, second = program.call([np.array([3.0, 0.5], np.float32)])
    np.testing.assert_allclose(gw, [36, -0.5])
    np.testing.assert_allclose(gx, [24, 1.0])
    np.testing.assert_allclose(second, [18, 0.5])


def test_gradients_after_an_update_in_the_same_trace() -> None:
    w = Variable(3.0)
    with Trace() as t:
        loss = w * w
        w.assign(w - 1.0)  # the loss still depends on the value before
        (g,) = ops.gradients(loss, [w])
        (later,) = ops.gradients(w * w, [w])
        program = t.compile([g, later])
    assert [float(v) for v in program.call([])] == [6.0, 4.0]


def test_gradients_with_upstream_and_stop_gradient() -> None:
    def build(x: Tensor) -> Any:
        y = ops.exp(x) * ops.stop_gradient(x)
        return ops.gradients(y, x, upstream=ops.ones_like(y) * 2)

    np.testing.assert_allclose(run(build, X)[0], 2 * np.exp(X) * X, rtol=1e-6)
    with Trace() as t, pytest.raises(ValueError, match="requires a scalar"):
        ops.gradients(ops.exp(t.input((2,), "float32")), [])
    with pytest.raises(RuntimeError, match="inside a traced function"):
        ops.gradients(X, [X])


def test_a_loss_of_its_activation_uses_the_logits() -> None:
    def build(x: Tensor) -> list[Tensor]:
        p = ops.softmax(x)
        clipped = ops.categorical_crossentropy(np.eye(3)[[2]], p)
        p._keras_logits = x
        exact = ops.categorical_crossentropy(np.eye(3)[[2]], p)
        sparse = ops.sparse_categorical_crossentropy(np.array([2]), p)
        s = ops.sigmoid(x)
        s._keras_logits = x  # not the activation of this loss
        other = ops.categorical_crossentropy(np.eye(3)[[2]], s)
        binary = ops.binary_crossentropy(np.zeros((1, 3)), s)
        return [clipped, exact, sparse, other, binary]

    x = np.array([[30.0, 0.0, -30.0]], np.float32)
    clipped, exact, sparse, other, binary = run(build, x)
    np.testing.assert_allclose(clipped, [16.118095], rtol=1e-5)
    np.testing.assert_allclose(exact, [60.0], rtol=1e-6)
    np.testing.assert_allclose(sparse, [60.0], rtol=1e-6)
    np.testing.assert_allclose(other, [16.118095], rtol=1e-5)
    np.testing.assert_allclose(binary, [[30.0, np.log(2), 0.0]], rtol=1e-5, atol=1e-7)


# ---- constants and dtypes -------------------------------------------------------------------------------------------


def test_constants() -> None:
    big = 2**40 + 1
    table = np.arange(4)
    with Trace() as t:
        number = t.constant(big, "int64")
        array = t.constant(table)
        assert t.constant(table) is array and array.dtype == "int32"
        rows = trace.to_tensor([[1.0, t.input((), "float32")], [3.0, 4.0]])
        assert t.variables == []
        program = t.compile([number, array, rows])
    got = program.call([np.array(2.0, np.float32)])
    assert int(got[0]) == big and got[1].tolist() == [0, 1, 2, 3] and got[2].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("left", "right", "want"),
    [
        ("float32", 1, "float32"),
        ("int32", 1.0, "float32"),
        ("int32", 1, "int32"),
        ("bool", 1, "int32"),
        ("uint8", 1, "uint8"),
        ("uint8", "int32", "int32"),
        ("int64", "float32", "float32"),
        ("float64", 1.0, "float64"),
        ("float64", "float32", "float64"),
        ("int32", "int64", "int64"),
        ("int32", np.float64(1.0), "float32"),
    ],
)
def test_promotion(left: str, right: Any, want: str) -> None:
    a = ops.ones((2,), dtype=left)
    b = ops.ones((2,), dtype=right) if isinstance(right, str) else right
    assert ops.multiply(a, b).dtype == want
    assert ops.multiply(b, a).dtype == want


def test_64_bit_data_comes_in_as_32_bit_unless_asked_for() -> None:
    assert ops.exp(np.zeros(2)).dtype == np.float32
    assert ops.add(np.arange(3), 1).dtype == np.int32
    assert ops.exp(ops.convert_to_tensor(np.zeros(2), dtype="float64")).dtype == np.float64
    assert ops.add(ops.convert_to_tensor([2**40], dtype="int64"), 1)[0] == 2**40 + 1
    assert ops.convert_to_tensor([1.0, 2]).dtype == np.float32 and ops.convert_to_tensor(3).dtype == np.int32
    for dtype in ("float16", "int8", "int16", "uint16"):
        assert ops.add(np.ones(2, dtype), np.ones(2, dtype)).tolist() == [2, 2]
    with pytest.raises(ValueError, match="do not fit int32"):
        ops.add(np.array([2**40]), 1)
    with pytest.raises(TypeError, match="numbers or booleans"):
        ops.exp(np.array(["a"]))
    with pytest.raises(NotImplementedError, match="a traced tensor cannot be float16"):
        trace.eager(lambda x: ops.cast(x, "float16"))(X)


def test_dtypes_that_only_arrays_have() -> None:
    for dtype in ("float16", "int8", "int16", "uint16", "uint32", "uint64"):
        kept = ops.cast(np.array([1.0, 2.5], "float32"), dtype)
        assert kept.dtype == dtype and isinstance(kept, Array) and kept[0] == 1
        assert ops.convert_to_tensor([3, 4], dtype).dtype == dtype
        assert ops.exp(kept).dtype == np.float32
    assert ops.cast(nabi.Input((2,)), "float32").dtype == "float32"
    with pytest.raises(NotImplementedError, match="float8"):
        ops.cast(X, "float8_e4m3fn")


def test_bfloat16_arrays() -> None:
    try:
        import ml_dtypes
    except ImportError:
        with pytest.raises(NotImplementedError, match="requires the package ml_dtypes"):
            ops.cast(X, "bfloat16")
    else:
        assert ops.cast(X, "bfloat16").dtype == ml_dtypes.bfloat16


def test_floatx_retraces() -> None:
    assert ops.zeros((1,)).dtype == np.float32
    nabi.config.set_floatx("float64")
    try:
        assert ops.zeros((1,)).dtype == np.float64
        assert ops.exp(np.zeros(1)).dtype == np.float64
    finally:
        nabi.config.set_floatx("float32")
    assert ops.zeros((1,)).dtype == np.float32


# ---- eager ----------------------------------------------------------------------------------------------------------


def test_an_eager_call_traces_once() -> None:
    calls = []

    def fn(x: Tensor, y: Tensor, scale: float = 1.0) -> dict[str, Any]:
        calls.append(x.shape)
        return {"sum": x + y * scale, "shape": x.shape, "pair": (x, None)}

    cached = Cached(fn, size=2)
    for _ in range(3):
        got = cached(X, X.astype(np.float64), scale=2.0)
        assert np.array_equal(got["sum"], X * 3) and got["shape"] == (2, 3) and got["pair"][1] is None
        assert isinstance(got["sum"], Array) and type(got["sum"].numpy()) is np.ndarray
    assert calls == [(2, 3)]
    cached(X, X, scale=3.0)
    cached(X[:1], X[:1])
    cached(X, X, scale=3.0)
    assert len(calls) == 3  # two are kept
    cached(X, X.astype(np.float64), scale=2.0)
    assert len(calls) == 4  # the least recently used one was dropped


def test_eager_inputs_of_any_layout() -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    for x in (base.T, base[::2, ::-1], np.asfortranarray(base), base.astype(">f4"), base[:, 1:3]):
        assert np.array_equal(ops.add(x, 1), x + 1)


def test_nested_arguments_and_variables_are_inputs() -> None:
    v = Variable(X)
    cached = Cached(lambda parts: parts["a"][0] + parts["a"][1] * parts["b"])
    assert np.array_equal(cached({"b": 2.0, "a": [X, v]}), X * 3)
    v.assign(X + 1)
    assert np.array_equal(cached({"b": 2.0, "a": [X, v]}), X + 2 * (X + 1))
    assert len(cached._entries) == 1


def test_static_arguments_differ_by_type() -> None:
    assert ops.multiply(np.ones(2, np.int32), 1).dtype == np.int32
    assert ops.multiply(np.ones(2, np.int32), 1.0).dtype == np.float32
    assert ops.multiply(np.ones(2, np.int32), True).dtype == np.int32
    with pytest.raises(TypeError):
        Cached(lambda x, y: x)(X, {1, 2})


def test_eager_functions_change_variables() -> None:
    v = Variable(0.0)

    @trace.eager
    def step(x: Tensor) -> Tensor:
        v.assign_add(ops.sum(x))
        return v.value

    assert float(step(X)) == 15.0 and float(step(X)) == 30.0 and float(v) == 30.0


def test_results_are_not_views_of_working_memory() -> None:
    first = ops.add(X, 1)
    ops.add(X, 2)
    assert np.array_equal(first, X + 1)


def test_eager_calls_from_several_threads() -> None:
    wrong = []

    def work(k: int) -> None:
        for _ in range(50):
            if not np.array_equal(ops.multiply(ops.add(X, k), 2.0), (X + k) * 2):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_an_error_leaves_no_trace_open() -> None:
    with pytest.raises(ValueError, match="matmul"):
        ops.matmul(X, X)
    assert trace.current_trace() is None
    with pytest.raises(ValueError, match="Cannot reshape a tensor of shape"):
        ops.reshape(X, (4, -1))


# ---- symbolic -------------------------------------------------------------------------------------------------------


def test_symbolic_operators_infer_shapes() -> None:
    x = KerasTensor((None, 3), name="x")
    y = ops.concatenate([x, x * 2.0], axis=0)
    assert y.shape == (None, 3) and y.dtype == "float32"
    assert ops.sum(x, axis=0).shape == (3,)
    assert (x > 0).dtype == "bool"
    assert x[:, 1].shape == (None,)
    assert ops.reshape(x, (-1, 1)).shape == (None, 1)
    assert ops.shape(x) == (None, 3)
    assert ops.matmul(x, np.ones((3, 5), np.float32)).shape == (None, 5)
    assert (np.ones(3, np.float32) + x).shape == (None, 3)
    mean, variance = ops.moments(x, axes=[0])
    assert mean.shape == variance.shape == (3,)
    assert KerasTensor((2, None), "int32").dtype == "int32"
    assert ops.cast(x, "int32").dtype == "int32"


def test_symbolic_tensors_have_no_numbers() -> None:
    x = KerasTensor((None, 3))
    for misuse in (int, float, np.asarray):
        with pytest.raises(ValueError, match="A KerasTensor is symbolic"):
            misuse(x)
    with pytest.raises(TypeError, match="cannot be used as a boolean"):
        bool(x)
    with pytest.raises(NotImplementedError, match="Iterating"):
        iter(x)
    with pytest.raises(AttributeError, match="immutable"):
        x.shape = (2,)
    with Trace() as t, pytest.raises(TypeError, match="symbolic"):
        t.input((3,), "float32") + x._keras_mask if x._keras_mask else trace.to_tensor(_recorded(x))


def _recorded(x: KerasTensor) -> KerasTensor:
    ops.exp(x)
    return x


def test_calls_are_recorded() -> None:
    x = KerasTensor((None, 3))
    y = ops.add(x, 1.0)
    z = ops.multiply(y, x)
    history = z._keras_history
    node = history.operation._inbound_nodes[history.node_index]
    assert history.tensor_index == 0 and isinstance(node, Node)
    assert [id(t) for t in node.input_tensors] == [id(y), id(x)]
    assert [n.operation.name for n in node.parent_nodes] == [y._keras_history.operation.name]
    assert type(history.operation).__name__ == "Multiply" and history.operation.name.startswith("multiply")
    args, kwargs = node.arguments.fill_in({id(y): X + 1, id(x): X})
    assert np.array_equal(history.operation(*args, **kwargs), (X + 1) * X)
    assert not node.is_input and node.outputs[0] is z
    assert y._keras_history.operation._outbound_nodes == [node]
    assert history.operation.output is z


def test_operations() -> None:
    class Twice(Operation):
        def call(self, x: Any, shift: float = 0.0) -> Any:
            return x * 2 + shift

    twice = Twice(name="twice")
    x = KerasTensor((None, 4), "int32")
    y = twice(x, shift=1)
    assert y.shape == (None, 4) and y.dtype == "int32"
    assert twice.input is x and twice.output is y
    with pytest.raises(ValueError, match="cannot contain"):
        Twice(name="a/b")
    with pytest.raises(AttributeError, match="never been called"):
        Twice().output  # noqa: B018


def test_inference_assigns_nothing_and_passes_masks() -> None:
    v = Variable(1.0)

    def fn(x: Tensor) -> Tensor:
        assert trace.current_trace() is not None and trace.current_trace().scratch
        v.assign_add(1.0)
        out = x * v
        out._keras_mask = x._keras_mask
        return out

    x = KerasTensor((None, 5))
    x._keras_mask = KerasTensor((None,), "bool")
    y = trace.infer_output(fn, x)
    assert y.shape == (None, 5) and float(v) == 1.0
    assert y._keras_mask.shape == (None,) and y._keras_mask.dtype == "bool"


# ---- trees, names, dtypes -------------------------------------------------------------------------------------------


def test_trees() -> None:
    nest = {"b": [1, (2, 3)], "a": None}
    assert tree.flatten(nest) == [None, 1, 2, 3]
    assert tree.map_structure(lambda x: x and x * 2, nest) == {"b": [2, (4, 6)], "a": None}
    assert tree.pack_sequence_as(nest, "wxyz") == {"b": ["x", ("y", "z")], "a": "w"}
    assert tree.flatten_with_path([{"k": 5}]) == [((0, "k"), 5)]
    assert tree.map_structure_up_to([0, 0], lambda x, n: (x, n), [[1, 2], 3], ["a", "b"]) == [([1, 2], "a"), (3, "b")]
    assert tree.traverse(lambda x: sum(x) if isinstance(x, list) else None, {"a": [1, 2], "b": 3}) == {"a": 3, "b": 3}
    assert tree.lists_to_tuples([1, [2]]) == (1, (2,))
    with pytest.raises(ValueError, match="same form"):
        tree.map_structure_up_to([0, 0], lambda x: x, [1])
    with pytest.raises(ValueError, match="same structure"):
        tree.assert_same_structure([1, 2], [1, (2,)])
    with pytest.raises(ValueError, match="elements"):
        tree.pack_sequence_as([1, 2], [1])


def test_names() -> None:
    from nabi import names

    for given, want in {
        "Dense": "dense",
        "MaxPooling2D": "max_pooling2d",
        "RMSprop": "rm_sprop",
        "PReLU": "p_re_lu",
        "GlobalAveragePooling2D": "global_average_pooling2d",
    }.items():
        assert names.to_snake_case(given) == want
    names.clear_session()
    assert [names.auto_name("Dense") for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    nabi.backend.clear_session()
    assert names.auto_name("Dense") == "dense"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ((), "float32"),
        (("int32", float), "float32"),
        (("int32", "uint8"), "int32"),
        (("bool", int), "int32"),
        (("int64", "int32"), "int32"),
        (("float16", "bfloat16"), "float32"),
        (("float16", "int32"), "float16"),
        (("int8", "uint8"), "int16"),
        (("float64", "float32"), "float32"),
        ((int,), "int32"),
        ((None, "int32"), "float32"),
    ],
)
def test_result_type(given: tuple[Any, ...], want: str) -> None:
    assert nabi.backend.result_type(*given) == want


def test_standardize_dtype() -> None:
    from nabi.dtypes import standardize_dtype

    assert [standardize_dtype(d) for d in (None, "int", int, float, bool, np.float64, np.dtype("uint8"))] == [
        "float32", "int32", "int32", "float32", "bool", "float64", "uint8"]  # fmt: skip
    with pytest.raises(ValueError, match="Invalid dtype: foo"):
        standardize_dtype("foo")


def test_importing_nabi_loads_only_what_is_used() -> None:
    import subprocess
    import sys

    code = "import sys, nabi; print([m for m in ('h5py', 'nabi.layers', 'nabi.models') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        nabi.nonsense  # noqa: B018
