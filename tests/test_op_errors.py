"""Every mistake that a type rule finds, and the bad data that kernels find, end in an error that names the op."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import op_check as check
from nabi import _core
from op_draw import Array

F = "float32"
CONV: dict[str, Any] = {"strides": [1, 1], "padding": [0, 0, 0, 0]}
POOL: dict[str, Any] = {"size": [2, 2], "strides": [2, 2], "padding": [0, 0, 0, 0]}
UPDATE: dict[str, Any] = {"momentum": 0.9}
SHAPED: dict[str, Any] = {"shape": [2]}
STATE = ("int64", (2,))

# op, input types, attributes, exception, what the message says after the op's name
MISTAKES: list[tuple[str, list[tuple[str, tuple[int, ...]]], dict[str, Any], type[Exception], str]] = [
    # the table
    ("no_such_op", [], {}, ValueError, "there is no op named 'no_such_op'"),
    ("relu", [], {}, ValueError, "requires 1 inputs, got 0"),
    ("add", [(F, (2,))], {}, ValueError, "requires 2 inputs, got 1"),
    ("relu", [(F, (2,))], {"alpha": 1.0}, ValueError, "has no attribute alpha"),
    ("transpose", [(F, (2,))], {}, ValueError, "requires attribute perm"),
    ("transpose", [(F, (2,))], {"perm": 0}, TypeError, "requires attribute perm to be a list of integers, got 0"),
    ("concat", [(F, (2,))], {"axis": "x"}, TypeError, "requires attribute axis to be an integer"),
    ("dropout", [(F, (2,)), STATE], {"rate": "half"}, TypeError, "requires attribute rate to be a number"),
    # elementwise
    ("add", [(F, (2,)), (F, (3,))], {}, ValueError, r"requires shapes that broadcast, got \(2,\) and \(3,\)"),
    ("add", [(F, (2, 3)), (F, (2, 1, 2))], {}, ValueError, "requires shapes that broadcast"),
    ("multiply", [(F, (2,)), ("int32", (2,))], {}, TypeError, "requires operands of one dtype, got float32 and int32"),
    ("exp", [("int32", (2,))], {}, TypeError, "requires floating-point input, got int32"),
    ("divide", [("int64", (2,)), ("int64", (2,))], {}, TypeError, "requires floating-point input, got int64"),
    ("negative", [("bool", (2,))], {}, TypeError, "requires numeric input, got bool"),
    ("logical_and", [(F, (2,)), (F, (2,))], {}, TypeError, "requires bool input, got float32"),
    ("logical_not", [("int32", (2,))], {}, TypeError, "requires bool input, got int32"),
    ("isnan", [("int32", (2,))], {}, TypeError, "requires floating-point input"),
    ("select", [(F, (2,)), (F, (2,)), (F, (2,))], {}, TypeError, "requires bool input, got float32"),
    ("select", [("bool", (2,)), (F, (2,)), ("float64", (2,))], {}, TypeError, "requires operands of one dtype"),
    ("select", [("bool", (3,)), (F, (2,)), (F, (2,))], {}, ValueError, "requires shapes that broadcast"),
    ("cast", [(F, (2,))], {"dtype": "complex64"}, TypeError, "dtype 'complex64' is not supported"),
    # reduce
    ("reduce_sum", [(F, (2, 3))], {"axes": [2], "keepdims": False}, ValueError, "requires increasing axes"),
    ("reduce_sum", [(F, (2, 3))], {"axes": [-1], "keepdims": False}, ValueError, "requires increasing axes"),
    ("reduce_sum", [(F, (2, 3))], {"axes": [1, 0], "keepdims": False}, ValueError, "requires increasing axes"),
    ("reduce_sum", [(F, (2, 3))], {"axes": [1, 1], "keepdims": False}, ValueError, "requires increasing axes"),
    ("reduce_sum", [("bool", (2,))], {"axes": [0], "keepdims": False}, TypeError, "requires .*got bool"),
    ("reduce_mean", [("int32", (2,))], {"axes": [0], "keepdims": False}, TypeError, "requires .*got int32"),
    ("reduce_max", [(F, (0, 3))], {"axes": [0], "keepdims": False}, ValueError, "requires at least one el"),
    ("reduce_min", [(F, (2, 0))], {"axes": [1], "keepdims": False}, ValueError, "requires at least one el"),
    ("reduce_any", [(F, (2,))], {"axes": [0], "keepdims": False}, TypeError, "requires .*bool.*got float32"),
    ("reduce_all", [("int32", (2,))], {"axes": [0], "keepdims": False}, TypeError, "requires .*bool.*got int32"),
    ("logsumexp", [("int32", (2,))], {"axes": [0], "keepdims": False}, TypeError, "requires .*got int32"),
    ("argmax", [(F, (2, 3))], {"axis": 2}, ValueError, r"requires axis to be in \[0, 2\), got 2"),
    ("argmax", [(F, (2, 0))], {"axis": 1}, ValueError, "requires at least one element"),
    ("argmin", [(F, ())], {"axis": 0}, ValueError, "requires axis to be in"),
    # matmul
    ("matmul", [(F, (2, 3)), (F, (2, 3))], {}, ValueError, "requires equal inner dimensions, got 3 and 2"),
    ("matmul", [(F, (2, 3)), (F, (3, 2))], {"transpose_a": True}, ValueError, "requires equal inner dimensions"),
    ("matmul", [(F, (3,)), (F, (3, 2))], {}, ValueError, r"requires operands of rank at least 2, got shapes \(3,\)"),
    ("matmul", [(F, (2, 4, 3)), (F, (3, 3, 2))], {}, ValueError, "requires shapes that broadcast"),
    ("matmul", [(F, (2, 3)), ("float64", (3, 2))], {}, TypeError, "requires operands of one dtype"),
    ("matmul", [("bool", (2, 3)), ("bool", (3, 2))], {}, TypeError, "requires float32, float64, int32 or int64"),
    # conv
    ("conv2d", [(F, (1, 5, 5, 4)), (F, (3, 3, 3, 2))], CONV, ValueError, "requires filter channels to equal input"),
    ("conv2d", [(F, (1, 5, 5)), (F, (3, 3, 3, 2))], CONV, ValueError, "requires images of shape"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 3))], CONV, ValueError, "requires a filter of shape"),
    ("conv2d", [(F, (1, 2, 5, 3)), (F, (3, 3, 3, 2))], CONV, ValueError, "computed output size would be zero or neg"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (0, 3, 3, 2))], CONV, ValueError, "requires a filter of at least 1 x 1"),
    ("conv2d", [(F, (1, 5, 5, 3)), ("float64", (3, 3, 3, 2))], CONV, TypeError, "requires operands of one float"),
    ("conv2d", [("int32", (1, 5, 5, 3)), ("int32", (3, 3, 3, 2))], CONV, TypeError, "requires operands of one float"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 1, 2))], CONV | {"groups": 3}, ValueError, "requires filters divisible"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 1, 2))], CONV | {"groups": 2}, ValueError, "requires input channels div"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 3, 2))], CONV | {"groups": 0}, ValueError, "requires at least 1 group"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 3, 2))], CONV | {"strides": [0, 1]}, ValueError, "requires two strides"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 3, 2))], CONV | {"dilation": [1]}, ValueError, "requires two dilation"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 3, 2))], CONV | {"padding": [1, 1]}, ValueError, "requires padding"),
    ("conv2d", [(F, (1, 5, 5, 3)), (F, (3, 3, 3, 2))], CONV | {"padding": [0, 0, -1, 0]}, ValueError, "requires padd"),
    (
        "conv2d_grad_input",
        [(F, (1, 4, 3, 2)), (F, (3, 3, 3, 2))],
        CONV | {"input_shape": [1, 5, 5, 3]},
        ValueError,
        "requires a gradient of shape",
    ),
    (
        "conv2d_grad_filter",
        [(F, (1, 5, 5, 3)), (F, (1, 4, 3, 2))],
        CONV | {"filter_shape": [3, 3, 3, 2]},
        ValueError,
        "requires a gradient of shape",
    ),
    # pool
    ("max_pool2d", [(F, (1, 4, 4))], POOL, ValueError, "requires images"),
    ("max_pool2d", [("int32", (1, 4, 4, 1))], POOL, TypeError, "requires a float tensor, got int32"),
    ("max_pool2d", [(F, (1, 4, 4, 1))], POOL | {"size": [2]}, ValueError, "requires a window of two sizes"),
    ("max_pool2d", [(F, (1, 4, 4, 1))], POOL | {"strides": [2, 0]}, ValueError, "requires two strides of at least 1"),
    ("avg_pool2d", [(F, (1, 4, 4, 1))], POOL | {"padding": [0, 0]}, ValueError, "requires padding"),
    ("avg_pool2d", [(F, (1, 4, 4, 1))], POOL | {"padding": [2, 0, 0, 0]}, ValueError, "requires padding of at least 0"),
    ("avg_pool2d", [(F, (1, 1, 4, 1))], POOL, ValueError, "requires the window"),
    (
        "max_pool2d_grad",
        [(F, (1, 2, 2, 1)), ("int32", (1, 2, 2, 1))],
        POOL | {"input_shape": [1, 4, 4, 1]},
        ValueError,
        "requires an index of type uint8",
    ),
    (
        "avg_pool2d_grad",
        [(F, (1, 2, 3, 1))],
        POOL | {"input_shape": [1, 4, 4, 1]},
        ValueError,
        "requires a gradient of shape",
    ),
    # normalize
    ("batch_norm", [(F, (4, 3)), (F, (2,)), (F, (3,))], {"epsilon": 1e-3}, ValueError, r"requires gamma of shape \(3,"),
    ("batch_norm", [(F, (4, 3)), (F, (3,)), (F, (3, 1))], {"epsilon": 1e-3}, ValueError, "requires beta of shape"),
    ("batch_norm", [("int32", (4, 3)), (F, (3,)), (F, (3,))], {"epsilon": 1e-3}, TypeError, "requires a float tensor"),
    ("batch_norm", [(F, ()), (F, (3,)), (F, (3,))], {"epsilon": 1e-3}, ValueError, "requires at least one axis"),
    ("batch_norm", [(F, (4, 3)), (F, (3,)), (F, (3,))], {}, ValueError, "requires attribute epsilon"),
    ("softmax", [("int32", (2,))], {}, TypeError, "requires a float tensor, got int32"),
    ("log_softmax", [(F, ())], {}, ValueError, "requires at least one axis, got a scalar"),
    ("softmax_cross_entropy", [(F, (2, 3)), (F, (2, 4))], {}, ValueError, "requires a target of shape"),
    ("softmax_cross_entropy", [(F, (2, 3)), ("float64", (2, 3))], {}, TypeError, "requires a target of dtype"),
    ("softmax_cross_entropy_grad", [(F, (2, 3)), (F, (2, 3)), (F, (3,))], {}, ValueError, "requires a gradient of sha"),
    ("sparse_softmax_cross_entropy", [(F, (2, 3)), (F, (2,))], {}, TypeError, "requires int32 or int64 labels, got fl"),
    ("sparse_softmax_cross_entropy", [(F, (2, 3)), ("int32", (3,))], {}, ValueError, "requires labels of shape"),
    # layout
    ("reshape", [(F, (2, 3))], {"shape": [5]}, ValueError, r"requires as many elements as before, got \(2, 3\) to \(5"),
    ("reshape", [(F, (2, 3))], {"shape": [-1]}, ValueError, "requires dimensions of at least 0"),
    ("transpose", [(F, (2, 3))], {"perm": [0]}, ValueError, "requires perm to have one entry per dimension"),
    ("transpose", [(F, (2, 3))], {"perm": [0, 0]}, ValueError, "requires perm to be a permutation of the 2 axes"),
    ("transpose", [(F, (2, 3))], {"perm": [0, 2]}, ValueError, "requires perm to be a permutation"),
    ("slice", [(F, (3,))], {"begin": [0], "end": [4]}, ValueError, "requires begin and end inside axis 0 of size 3"),
    ("slice", [(F, (3,))], {"begin": [-1], "end": [3]}, ValueError, "requires begin and end inside axis 0"),
    ("slice", [(F, (3,))], {"begin": [0, 0], "end": [3]}, ValueError, "requires begin to have one entry per dimension"),
    ("slice", [(F, (3,))], {"begin": [0], "end": []}, ValueError, "requires end to have one entry per dimension"),
    ("slice", [(F, (3,))], {"begin": [0], "end": [3], "strides": [0]}, ValueError, "requires strides other than 0"),
    ("slice", [(F, (3,))], {"begin": [3], "end": [-1], "strides": [-1]}, ValueError, "requires begin and end inside"),
    ("slice", [(F, (3,))], {"begin": [2], "end": [-2], "strides": [-1]}, ValueError, "requires begin and end inside"),
    ("slice", [(F, (3,))], {"begin": [0], "end": [3], "strides": [1, 1]}, ValueError, "requires strides to have one"),
    ("pad", [(F, (3,))], {"low": [-1], "high": [0]}, ValueError, "requires padding of at least 0"),
    ("pad", [(F, (3,))], {"low": [0], "high": [0, 1]}, ValueError, "requires high to have one entry per dimension"),
    ("pad", [(F, (3,))], {"low": [0], "high": [0], "interior": [-1]}, ValueError, "requires padding of at least 0"),
    ("concat", [], {"axis": 0}, ValueError, "requires 1"),
    ("concat", [(F, (2, 3)), (F, (3, 3))], {"axis": 1}, ValueError, "requires shapes that agree except on axis 1"),
    ("concat", [(F, (2, 3)), (F, (2,))], {"axis": 0}, ValueError, "requires shapes that agree except on axis 0"),
    ("concat", [(F, (2,)), (F, (2,))], {"axis": 1}, ValueError, r"requires axis to be in \[0, 1\), got 1"),
    ("concat", [(F, (2,)), ("int32", (2,))], {"axis": 0}, TypeError, "requires inputs of one dtype, got float32 and"),
    ("concat", [(F, ()), (F, ())], {"axis": 0}, ValueError, "requires axis"),
    ("broadcast_to", [(F, (3,))], {"shape": [2, 4]}, ValueError, "requires a shape that the input broadcasts to"),
    ("broadcast_to", [(F, (2, 3))], {"shape": [3]}, ValueError, "requires a shape that the input broadcasts to"),
    ("broadcast_to", [(F, (1,))], {"shape": [-1]}, ValueError, "requires dimensions of at least 0"),
    ("gather", [(F, (3,)), (F, (2,))], {"axis": 0}, TypeError, "requires integer indices, got float32"),
    ("gather", [(F, (3,)), ("int32", (2,))], {"axis": 1}, ValueError, r"requires axis to be in \[0, 1\), got 1"),
    ("gather", [(F, (3,)), ("int32", (2,))], {"axis": -1}, ValueError, r"requires axis to be in \[0, 1\), got -1"),
    ("gather", [(F, (0, 2)), ("int32", (2,))], {"axis": 0}, ValueError, "requires an axis with elements to take from"),
    ("scatter_add", [(F, (2,)), (F, (2,))], {"axis": 0, "dim": 3}, TypeError, "requires integer indices"),
    ("scatter_add", [("int32", (2,)), ("bool", (2,))], {"axis": 0, "dim": 3}, TypeError, "requires updates of a numb"),
    ("scatter_add", [("int32", (2,)), (F, (3,))], {"axis": 0, "dim": 3}, ValueError, "requires updates to have the sh"),
    ("scatter_add", [("int32", (2, 2)), (F, (2,))], {"axis": 0, "dim": 3}, ValueError, "requires updates to have at l"),
    ("scatter_add", [("int32", (2,)), (F, (2,))], {"axis": 1, "dim": 3}, ValueError, "requires axis to be in"),
    ("scatter_add", [("int32", (2,)), (F, (2,))], {"axis": 0, "dim": -1}, ValueError, "requires dim to be at least 0"),
    ("scatter_add", [("int32", (2,)), (F, (2,))], {"axis": 0, "dim": 0}, ValueError, "requires an axis with elem"),
    ("one_hot", [(F, (2,))], {"depth": 3}, TypeError, "requires integer indices, got float32"),
    ("one_hot", [("int32", (2,))], {"depth": -1}, ValueError, "requires depth to be at least 0, got -1"),
    ("one_hot", [("int32", (2,))], {"depth": 3, "dtype": "half"}, TypeError, "dtype 'half' is not supported"),
    ("iota", [], {"shape": [-1]}, ValueError, "requires dimensions of at least 0"),
    ("iota", [], {"shape": [2], "axis": 1}, ValueError, "requires axis to be in"),
    ("iota", [], {"shape": []}, ValueError, "requires axis to be in"),
    ("iota", [], {"shape": [2], "dtype": "bool"}, TypeError, "requires float32, float64, int32 or int64, got bool"),
    # random
    ("random_uniform", [("int32", (2,))], SHAPED, TypeError, "requires an int64 state, got int32"),
    ("random_uniform", [("int64", (3,))], SHAPED, ValueError, r"requires a state of shape \(2,\), got \(3,\)"),
    ("random_uniform", [STATE], {"shape": [-2]}, ValueError, "requires dimensions of at least 0"),
    ("random_uniform", [STATE], SHAPED | {"dtype": "int32"}, TypeError, "requires float32 or float64, got int32"),
    ("random_uniform", [STATE], SHAPED | {"low": 2.0}, ValueError, "requires low to be at most high"),
    ("random_uniform", [STATE], SHAPED | {"low": -3e38, "high": 3e38}, ValueError, "in the range of float32"),
    ("random_uniform", [STATE], SHAPED | {"low": float("nan")}, ValueError, "requires low to be at most high"),
    ("random_normal", [STATE], SHAPED | {"stddev": -1.0}, ValueError, "requires stddev to be at least 0, got -1"),
    ("truncated_normal", [STATE], SHAPED | {"dtype": "bool"}, TypeError, "requires float32 or float64, got bool"),
    ("random_bernoulli", [STATE], SHAPED | {"p": 1.5}, ValueError, r"requires p to be in \[0, 1\], got 1.5"),
    ("random_int", [STATE], SHAPED | {"low": 3, "high": 3}, ValueError, "requires low to be less than high, got 3"),
    ("random_int", [STATE], SHAPED | {"low": 0, "high": 2**32}, ValueError, "requires high - low to be less than"),
    ("random_int", [STATE], SHAPED | {"low": 0, "high": 2**31 + 1}, ValueError, "requires numbers that fit int32"),
    ("random_int", [STATE], SHAPED | {"low": 0, "high": 9, "dtype": F}, TypeError, "requires int32 or int64"),
    ("dropout", [(F, (2,)), STATE], {"rate": -0.1}, ValueError, r"requires rate to be in \[0, 1\], got -0.1"),
    ("dropout", [("int32", (2,)), STATE], {"rate": 0.5}, TypeError, "requires float32 or float64, got int32"),
    ("dropout", [(F, (2,)), (F, (2,))], {"rate": 0.5}, TypeError, "requires an int64 state"),
    # update
    ("sgd_update", [(F, (2,)), (F, (3,)), (F, ())], {}, ValueError, "requires a gradient and slots of the variable's"),
    ("sgd_update", [(F, (2,)), (F, (2,)), (F, (1,))], {}, ValueError, "requires a scalar learning rate"),
    ("sgd_update", [(F, (2,)), (F, (2,)), ("int32", ())], {}, TypeError, "requires a float32 learning rate"),
    ("sgd_update", [("int32", (2,)), ("int32", (2,)), (F, ())], {}, TypeError, "requires a float variable"),
    ("sgd_momentum_update", [(F, (2,)), (F, (2,)), ("float64", (2,)), (F, ())], UPDATE, ValueError, "requires a gradi"),
]


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "error", "message"), MISTAKES, ids=[f"{i}-{m[0]}" for i, m in enumerate(MISTAKES)]
)
def test_mistake(
    op: str, inputs: list[tuple[str, tuple[int, ...]]], attrs: dict[str, Any], error: type[Exception], message: str
) -> None:
    graph = _core.Graph()
    ids = [graph.input(i, dtype, shape) for i, (dtype, shape) in enumerate(inputs)]
    with pytest.raises(error, match=message) as caught:
        graph.add(op, ids, attrs)
    # An unknown op or dtype is reported by the table, which does not say for whom it looked.
    if "is not supported" not in message and op != "no_such_op":
        assert str(caught.value).startswith(f"{op}: "), caught.value


def test_the_layer_is_named() -> None:
    graph = _core.Graph()
    graph.set_layer("stem")
    a, b = graph.input(0, F, (2,)), graph.input(1, F, (3,))
    with pytest.raises(ValueError, match=r'got \(2,\) and \(3,\) \(layer "stem"\)$'):
        graph.add("add", [a, b])
    with pytest.raises(TypeError, match=r'\(layer "stem"\)$'):
        graph.add("logical_not", [a])


def test_values_of_another_graph() -> None:
    graph = _core.Graph()
    with pytest.raises(ValueError, match="graph: has no value 7"):
        graph.add("relu", [7])
    with pytest.raises(ValueError, match="graph: has no value -1"):
        graph.set_outputs([-1])


def _run(op: str, arrays: list[Array], attrs: dict[str, Any]) -> list[Array]:
    return check.call(check.op_build(op, attrs), arrays)


LOGITS = np.zeros((4, 3), np.float32)
FAULTS: list[tuple[str, list[Array], dict[str, Any], int]] = [
    ("gather", [np.arange(6.0).astype(F), np.array([0, 6], "int32")], {"axis": 0}, 6),
    ("gather", [np.arange(6.0).astype(F), np.array([-7, 1], "int64")], {"axis": 0}, -7),
    ("gather", [np.zeros((2, 3), F), np.array([[1], [3]], "int32")], {"axis": 1}, 3),
    ("gather", [np.zeros((3, 0), F), np.array([5], "int32")], {"axis": 0}, 5),
    ("scatter_add", [np.array([0, 9], "int32"), np.ones(2, F)], {"axis": 0, "dim": 9}, 9),
    ("scatter_add", [np.array([-10, 2], "int64"), np.ones((2, 2), F)], {"axis": 0, "dim": 9}, -10),
    ("sparse_softmax_cross_entropy", [LOGITS, np.array([0, 1, 2, 3], "int32")], {}, 3),
    ("sparse_softmax_cross_entropy", [LOGITS, np.array([0, -1, 2, 0], "int64")], {}, -1),
    ("sparse_softmax_cross_entropy_grad", [LOGITS, np.array([0, 1, 2, 3], "int32"), np.ones(4, F)], {}, 3),
]


@pytest.mark.parametrize(("op", "arrays", "attrs", "value"), FAULTS, ids=[f"{i}-{f[0]}" for i, f in enumerate(FAULTS)])
@pytest.mark.parametrize("threads", [1, 3])
def test_fault(op: str, arrays: list[Array], attrs: dict[str, Any], value: int, threads: int) -> None:
    """Bad data found while running: the error names the op and the value, and the next run is not affected."""
    _core.set_num_threads(threads)
    _core.force_sharing(True)
    program = check.program_of(check.op_build(op, attrs), arrays)
    with pytest.raises(ValueError, match=rf"{op}.*(?<!\d){re.escape(str(value))}(?!\d)"):
        program.call(arrays)
    good = [np.zeros_like(x) if x.dtype.kind == "i" else x for x in arrays]
    for x in program.call(good):
        assert np.isfinite(x).all()


def test_labels_of_the_whole_range() -> None:
    for label in range(3):
        _run("sparse_softmax_cross_entropy", [LOGITS, np.full(4, label, "int32")], {})


def test_one_hot_has_no_faults() -> None:
    """An index out of range gives a row of zeros, as in Keras."""
    (got,) = _run("one_hot", [np.array([-1, 3, 1], "int32")], {"depth": 3, "dtype": F})
    np.testing.assert_array_equal(got, [[0, 0, 0], [0, 0, 0], [0, 1, 0]])
