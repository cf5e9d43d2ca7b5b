"""What the passes make of small graphs: text in, text out."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nabi import _core


def ops_of(graph):
    return [
        m.group(1) for m in re.finditer(r"= (\w+)", graph.text()) if m.group(1) not in ("input", "variable", "constant")
    ]


def flags(graph, op):
    """The flags that are on, for each node of this op."""
    lines = [line for line in graph.text().splitlines() if f"= {op}{{" in line]
    return [sorted(re.findall(r"(\w+)=true", line)) for line in lines]


def dense(graph, x, slot, fan_in, units, activation=None):
    w = graph.variable(slot, "float32", (fan_in, units))
    b = graph.variable(slot + 1, "float32", (units,))
    y = graph.add("add", [graph.add("matmul", [x, w])[0], b])[0]
    return (graph.add(activation, [y])[0] if activation else y), [w, b]


def test_bias_and_relu_move_into_the_product():
    graph = _core.Graph()
    y, _ = dense(graph, graph.input(0, "float32", (4, 3)), 0, 3, 2, "relu")
    graph.set_outputs([y])
    fused = graph.simplified().fused()
    assert ops_of(fused) == ["matmul"]
    assert flags(fused, "matmul") == [["bias", "relu"]]


def test_another_activation_stays_a_pointwise_node():
    graph = _core.Graph()
    y, _ = dense(graph, graph.input(0, "float32", (4, 3)), 0, 3, 2, "tanh")
    graph.set_outputs([y])
    fused = graph.simplified().fused()
    assert ops_of(fused) == ["matmul", "pointwise"]
    assert flags(fused, "matmul") == [["bias"]]


def test_a_product_read_twice_keeps_its_own_value():
    graph = _core.Graph()
    x = graph.input(0, "float32", (4, 3))
    y, _ = dense(graph, x, 0, 3, 2, "relu")
    product = graph.add("matmul", [x, graph.variable(0, "float32", (3, 2))])[0]
    graph.set_outputs([y, product])
    fused = graph.simplified().fused()
    assert flags(fused, "matmul") == [[]]
    assert ops_of(fused) == ["matmul", "pointwise"]


def test_the_backward_pass_of_dense_layers_has_no_step_of_its_own_for_bias_or_relu():
    graph = _core.Graph()
    h, first = dense(graph, graph.input(0, "float32", (4, 3)), 0, 3, 5, "relu")
    z, second = dense(graph, h, 2, 5, 2)
    labels = graph.input(1, "int32", (4,))
    loss = graph.add("reduce_sum", [graph.add("sparse_softmax_cross_entropy", [z, labels])[0]], {"axes": [0]})[0]
    grads = graph.gradients([loss], first + second)
    lr = graph.constant(0.1, "float32")
    for slot, (v, g) in enumerate(zip(first + second, grads, strict=True)):
        graph.set_update(slot, graph.add("sgd_update", [v, g, lr])[0])
    graph.set_outputs([loss])
    fused = graph.simplified().fused()
    assert flags(fused, "matmul") == [
        ["bias", "relu"],
        ["bias"],
        ["bias_grad", "transpose_a"],
        ["mask", "transpose_b"],
        ["bias_grad", "transpose_a"],
    ]
    assert "pointwise" not in ops_of(fused)
    assert ops_of(fused).count("reduce_sum") == 1  # the loss's own


def test_convolution_pooling_and_their_masks():
    graph = _core.Graph()
    x = graph.input(0, "float32", (2, 8, 8, 3))
    w1, b1 = graph.variable(0, "float32", (3, 3, 3, 4)), graph.variable(1, "float32", (4,))
    w2, b2 = graph.variable(2, "float32", (3, 3, 4, 5)), graph.variable(3, "float32", (5,))
    same = {"strides": [1, 1], "padding": [1, 1, 1, 1]}
    pool = {"size": [2, 2], "strides": [2, 2], "padding": [0, 0, 0, 0]}

    def layer(x, w, b):
        y = graph.add("relu", graph.add("add", [graph.add("conv2d", [x, w], same)[0], b]))[0]
        return graph.add("max_pool2d", [y], pool)[0]

    y = layer(layer(x, w1, b1), w2, b2)
    loss = graph.add("reduce_sum", [y], {"axes": [0, 1, 2, 3]})[0]
    grads = graph.gradients([loss], [w1, b1, w2, b2])
    graph.set_outputs(grads)
    fused = graph.simplified().fused()
    assert "pointwise" not in ops_of(fused)
    assert flags(fused, "conv2d") == [["bias", "relu"]] * 2
    assert flags(fused, "max_pool2d_grad") == [["mask"]] * 2
    assert flags(fused, "conv2d_grad_filter") == [["bias_grad"]] * 2
    assert flags(fused, "conv2d_grad_input") == [[]]  # the first layer needs no gradient of its input


@pytest.mark.parametrize("after", [False, True])
def test_batch_normalisation_takes_the_relu_before_or_after_it(after):
    graph = _core.Graph()
    x, w = graph.input(0, "float32", (2, 8, 8, 3)), graph.variable(0, "float32", (3, 3, 3, 4))
    gamma, beta = graph.variable(1, "float32", (4,)), graph.variable(2, "float32", (4,))
    conv = {"strides": [1, 1], "padding": [1, 1, 1, 1]}
    pool = {"size": [2, 2], "strides": [2, 2], "padding": [0, 0, 0, 0]}
    y = graph.add("conv2d", [x, w], conv)[0]
    if after:
        y = graph.add("relu", [y])[0]
    y, mean, _ = graph.add("batch_norm", [y, gamma, beta], {"epsilon": 1e-3})
    graph.set_update(3, graph.add("negative", [mean])[0])  # read before the ReLU stands
    if not after:
        y = graph.add("relu", [y])[0]
    loss = graph.add("reduce_sum", [graph.add("max_pool2d", [y], pool)[0]], {"axes": [0, 1, 2, 3]})[0]
    graph.set_outputs(graph.gradients([loss], [w, gamma, beta]))
    fused = graph.simplified().fused()
    assert flags(fused, "conv2d") == [["relu"] if after else []]
    assert flags(fused, "batch_norm") == [[] if after else ["relu"]]
    assert flags(fused, "batch_norm_grad") == [["mask"] if after else ["relu"]]
    assert flags(fused, "max_pool2d_grad") == [[]]
    assert ops_of(fused).count("pointwise") == 1  # the moving average's own


def test_the_mask_of_a_maximum_is_read_from_the_maxima():
    graph = _core.Graph()
    x = graph.input(0, "float32", (2, 8, 8, 3))
    pool = {"size": [2, 2], "strides": [2, 2], "padding": [0, 0, 0, 0]}
    image = graph.add("relu", [x])[0]
    maxima = graph.add("max_pool2d", [image], pool)[0]
    graph.set_outputs([graph.gradients([graph.add("reduce_sum", [maxima], {"axes": [0, 1, 2, 3]})[0]], [x])[0]])
    fused = graph.simplified().fused()
    line = next(line for line in fused.text().splitlines() if "= max_pool2d_grad{" in line)
    made = next(line for line in fused.text().splitlines() if "= max_pool2d{" in line).split(",")[0]
    assert "mask=true" in line
    assert re.search(rf"{made}\)", line)


def test_a_chain_becomes_one_node_and_side_values_become_outputs():
    graph = _core.Graph()
    x, v = graph.input(0, "float32", (10,)), graph.variable(0, "float32", (10,))
    moved = graph.add("add", [graph.add("multiply", [v, graph.constant(0.9, "float32")])[0], x])[0]
    out = graph.add("exp", [graph.add("negative", [moved])[0]])[0]
    graph.set_update(0, moved)
    graph.set_outputs([out])
    fused = graph.simplified().fused()
    assert ops_of(fused) == ["pointwise"]
    assert re.search(r"%\d+, %\d+ = pointwise", fused.text())


def test_a_value_used_by_an_earlier_structured_node_is_not_dragged_behind_it():
    graph = _core.Graph()
    x = graph.input(0, "float32", (3, 3))
    a = graph.add("exp", [x])[0]
    m = graph.add("matmul", [a, a])[0]
    graph.set_outputs([graph.add("add", [a, m])[0]])
    assert ops_of(graph.simplified().fused()) == ["pointwise", "matmul", "pointwise"]


def test_simplify_drops_what_does_nothing():
    graph = _core.Graph()
    x = graph.input(0, "float32", (2, 3))
    y = graph.add("multiply", [x, graph.constant(1, "float32")])[0]
    y = graph.add("reshape", [graph.add("reshape", [y], {"shape": [6]})[0]], {"shape": [2, 3]})[0]
    y = graph.add("transpose", [y], {"perm": [0, 1]})[0]
    y = graph.add("cast", [y], {"dtype": "float32"})[0]
    y = graph.add("negative", [graph.add("negative", [y])[0]])[0]
    y = graph.add("stop_gradient", [y])[0]
    graph.add("exp", [y])  # needed by nothing
    graph.set_outputs([y])
    simple = graph.simplified().simplified()
    assert ops_of(simple) in ([], ["reshape"])  # x itself, perhaps under its own shape


def test_memory_reuses_room_and_updates_in_place():
    graph = _core.Graph()
    x = graph.input(0, "float32", (64, 16))
    for slot in range(4):
        x = graph.add("matmul", [x, graph.variable(slot, "float32", (16, 16))])[0]
    graph.set_outputs([x])
    arena = int(re.search(r"arena: (\d+) bytes", graph.memory()).group(1))
    assert arena == 2 * 64 * 16 * 4  # two values are alive at a time

    graph = _core.Graph()
    v, g = graph.variable(0, "float32", (8,)), graph.input(0, "float32", (8,))
    graph.set_update(0, graph.add("sgd_update", [v, g, graph.constant(0.1, "float32")])[0])
    assert "%3: variable 0" in graph.memory() and "copy" not in graph.memory()


def test_memory_copies_when_the_old_value_is_still_read():
    graph = _core.Graph()
    v, g = graph.variable(0, "float32", (8,)), graph.input(0, "float32", (8,))
    graph.set_update(0, graph.add("sgd_update", [v, g, graph.constant(0.1, "float32")])[0])
    graph.set_outputs([v])
    assert "copy 0 <- %3" in graph.memory()


def test_gradients_of_gradients():
    graph = _core.Graph()
    x = graph.input(0, "float64", (3,))
    y = graph.add("multiply", [graph.add("multiply", [x, x])[0], x])[0]
    first = graph.gradients([y], [x])[0]
    second = graph.gradients([first], [x])[0]
    graph.set_outputs([first, second])
    one, two = _core.Program(graph, []).call([np.array([1.0, 2.0, 3.0])])
    assert one.tolist() == [3, 12, 27] and two.tolist() == [6, 12, 18]


def test_no_path_gives_no_gradient():
    graph = _core.Graph()
    x, y = graph.input(0, "float32", (3,)), graph.input(1, "float32", (3,))
    cut = graph.add("stop_gradient", [x])[0]
    assert graph.gradients([graph.add("exp", [y])[0]], [x]) == [-1]
    assert graph.gradients([graph.add("exp", [cut])[0]], [x]) == [-1]


def test_upstream_must_fit():
    graph = _core.Graph()
    x, u = graph.input(0, "float32", (3,)), graph.input(1, "float32", (2,))
    y = graph.add("exp", [x])[0]
    with pytest.raises(ValueError, match=r"requires upstream 0 to be float32\[3\], got float32\[2\]"):
        graph.gradients([y], [x], [u])
    with pytest.raises(ValueError, match="requires one upstream gradient per y, got 2 for 1"):
        graph.gradients([y], [x], [u, u])
    with pytest.raises(TypeError, match="requires floating-point variables, got int32"):
        graph.gradients([y], [graph.input(2, "int32", (2,))])


def test_one_bias_gradient_beside_two_weight_gradients():
    """x1 @ w1 + x2 @ w2 + b: one of two weight gradients with the same dy brings the bias's along."""
    graph = _core.Graph()
    x1, x2 = graph.input(0, "float32", (4, 3)), graph.input(1, "float32", (4, 2))
    w1, w2 = graph.variable(0, "float32", (3, 5)), graph.variable(1, "float32", (2, 5))
    b = graph.variable(2, "float32", (5,))
    y = graph.add("add", [graph.add("matmul", [x1, w1])[0], graph.add("matmul", [x2, w2])[0]])[0]
    y = graph.add("tanh", [graph.add("add", [y, b])[0]])[0]
    graph.set_outputs(graph.gradients([graph.add("reduce_sum", [y], {"axes": [0, 1]})[0]], [w1, w2, b]))
    fused = graph.simplified().fused()
    assert sorted(flags(fused, "matmul"))[-2:] == [["bias_grad", "transpose_a"], ["transpose_a"]]
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype("float32") for s in ((3, 5), (2, 5), (5,), (4, 3), (4, 2))]
    variables = [_core.Variable("float32", a.shape) for a in arrays[:3]]
    for variable, array in zip(variables, arrays[:3], strict=True):
        variable.write(array)
    d1, d2, db = _core.Program(graph, variables).call(arrays[3:])
    dy = 1 - np.tanh(arrays[3] @ arrays[0] + arrays[4] @ arrays[1] + arrays[2]) ** 2
    np.testing.assert_allclose(d1, arrays[3].T @ dy, rtol=1e-5)
    np.testing.assert_allclose(d2, arrays[4].T @ dy, rtol=1e-5)
    np.testing.assert_allclose(db, dy.sum(0), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_products_of_other_dtypes_with_bias_and_relu(dtype):
    graph = _core.Graph()
    x, w, b = (graph.input(i, dtype, s) for i, s in enumerate([(4, 3), (3, 2), (2,)]))
    y = graph.add("relu", [graph.add("add", [graph.add("matmul", [x, w])[0], b])[0]])[0]
    graph.set_outputs([y])
    arrays = [np.arange(-6, 6).reshape(4, 3).astype(dtype), np.ones((3, 2), dtype), np.array([1, -1], dtype)]
    assert np.array_equal(_core.Program(graph, []).call(arrays)[0], np.maximum(arrays[0] @ arrays[1] + arrays[2], 0))


def updating(graph, shapes, rule="sgd_momentum_update", l2=0.0, first=0):
    """One momentum update a variable; the updated values."""
    rate = graph.constant(0.1, "float32")
    made = []
    for i, shape in enumerate(shapes):
        slot = first + 2 * i
        v, m = graph.variable(slot, "float32", shape), graph.variable(slot + 1, "float32", shape)
        g = graph.input(first // 2 + i, "float32", shape)
        if l2:
            factor = graph.add("broadcast_to", [graph.constant(l2, "float32")], {"shape": list(shape)})[0]
            g = graph.add("add", [g, graph.add("multiply", [v, factor])[0]])[0]
        new_v, new_m = graph.add(rule, [v, g, m, rate], {"momentum": 0.9})
        graph.set_update(slot, new_v)
        graph.set_update(slot + 1, new_m)
        made.append(new_v)
    return made


SHAPES = [(3,), (70, 33), (16,), (), (0, 4), (129, 128), (1,)]


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_updates_of_many_variables_are_one_step_with_the_bits_of_many(l2):
    rng = np.random.default_rng(0)
    starts = [[rng.normal(size=s).astype("float32") for s in SHAPES] for _ in range(3)]

    def run(shapes, at):
        graph = _core.Graph()
        updating(graph, shapes, l2=l2)
        variables = [_core.Variable("float32", s) for s in shapes for _ in range(2)]
        for i in range(len(shapes)):
            variables[2 * i].write(starts[0][at + i])
            variables[2 * i + 1].write(starts[1][at + i])
        program = _core.Program(graph, variables)
        program.call(starts[2][at : at + len(shapes)])
        return graph.simplified().fused(), [v.read() for v in variables]

    joined, together = run(SHAPES, 0)
    assert ops_of(joined) == ["sgd_momentum_update"]
    alone = [value for i, s in enumerate(SHAPES) for value in run([s], i)[1]]
    for a, b in zip(together, alone, strict=True):
        assert a.tobytes() == b.tobytes()
    g = starts[2][1] + np.float32(l2) * starts[0][1]
    np.testing.assert_allclose(together[3], 0.9 * starts[1][1] - np.float32(0.1) * g, rtol=1e-5, atol=1e-6)


def test_an_update_that_another_reads_is_not_joined_with_it():
    graph = _core.Graph()
    (first,) = updating(graph, [(4,)])
    m, g = graph.variable(2, "float32", (4,)), graph.input(1, "float32", (4,))
    second = graph.add("sgd_momentum_update", [first, g, m, graph.constant(0.1, "float32")], {"momentum": 0.9})[0]
    graph.set_update(0, second)
    assert ops_of(graph.simplified().fused()) == ["sgd_momentum_update"] * 2


def test_steps_of_one_number_each_are_one_step_unless_something_between_reads_one():
    graph = _core.Graph()
    rows = graph.input(0, "float32", (32,))
    read = graph.add("sqrt", [graph.variable(2, "float32", ())])[0]
    row = graph.add("softmax", [graph.add("reshape", [read], {"shape": [1]})[0]])[0]
    graph.set_update(2, graph.add("reduce_max", [graph.add("add", [rows, row])[0]], {"axes": [0]})[0])
    total = graph.add("reduce_sum", [rows], {"axes": [0]})[0]
    graph.set_update(0, graph.add("add", [graph.variable(0, "float32", ()), total])[0])
    graph.set_update(1, graph.add("add", [graph.variable(1, "float32", ()), graph.constant(32, "float32")])[0])
    fused = graph.simplified().fused()
    assert ops_of(fused).count("pointwise") == 3  # the root, the row, and two sums together
    assert "add(r0, r1); add(r2, #32) -> r3, r4" in fused.text()


def test_numbers_are_computed_once_and_spread_by_their_reader():
    graph = _core.Graph()
    x = graph.input(0, "float32", (4, 3))
    third = graph.add("divide", [graph.constant(1, "float32"), graph.constant(3, "float32")])[0]
    spread = graph.add("broadcast_to", [third], {"shape": [4, 3]})[0]
    twice = graph.add("multiply", [spread, graph.constant(2, "float32")])[0]
    graph.set_outputs([graph.add("multiply", [x, twice])[0], graph.add("divide", [x, graph.constant(0, "float32")])[0]])
    simple = graph.simplified()
    assert ops_of(simple) == ["multiply", "divide"]
    a = np.arange(12, dtype="float32").reshape(4, 3) + 1
    product, quotient = _core.Program(graph, []).call([a])
    assert np.array_equal(product, a * (np.float32(1) / np.float32(3) * np.float32(2)))
    assert np.isinf(quotient).all()


@pytest.mark.parametrize("classes", [3, 12, 13, 40])
@pytest.mark.parametrize("op", ["softmax_cross_entropy", "sparse_softmax_cross_entropy"])
def test_one_gradient_for_all_rows_is_not_spread(op, classes):
    graph = _core.Graph()
    x = graph.input(0, "float32", (70, classes))
    t = graph.input(1, *(("int64", (70,)) if op.startswith("sparse") else ("float32", (70, classes))))
    loss = graph.add("reduce_mean", [graph.add(op, [x, t])[0]], {"axes": [0]})[0]
    graph.set_outputs([loss, *graph.gradients([loss], [x])])
    assert "broadcast_to" not in ops_of(graph.simplified())
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(70, classes)).astype("float32"), rng.integers(0, classes, 70)
    one_hot = np.eye(classes, dtype="float32")[labels]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    value, gradient = _core.Program(graph, []).call([logits, labels if op.startswith("sparse") else one_hot])
    np.testing.assert_allclose(value, -np.log(p[np.arange(70), labels]).mean(), rtol=1e-5)
    np.testing.assert_allclose(gradient, (p - one_hot) / 70, rtol=1e-4, atol=1e-8)
