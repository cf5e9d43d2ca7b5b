"""3x3 convolutions by Winograd's algorithm: how exact, which shapes, what becomes of NaNs, and the switch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nabi
import op_check as check
from nabi import _core, layers
from op_draw import Array

CONV_OPS = ("conv2d", "conv2d_grad_input", "conv2d_grad_filter")


@pytest.fixture(autouse=True)
def default() -> Iterator[None]:
    """Every test starts and ends with the default choice."""
    nabi.config.exact_convolution(False)
    yield
    nabi.config.exact_convolution(False)


def case(
    op: str, images: int, size: Sequence[int], c: int, f: int, padding: Sequence[int]
) -> tuple[list[Array], dict[str, Any]]:
    """Inputs in float64 and attributes: normal images, filters of He's size."""
    rng = np.random.default_rng([images, *size, c, f, *padding])
    x = rng.normal(size=(images, *size, c))
    w = rng.normal(size=(3, 3, c, f)) * math.sqrt(2 / (9 * c))
    dy = rng.normal(size=(images, *(size[d] + padding[2 * d] + padding[2 * d + 1] - 2 for d in (0, 1)), f))
    attrs: dict[str, Any] = {"strides": [1, 1], "padding": list(padding)}
    if op == "conv2d":
        return [x, w], attrs
    if op == "conv2d_grad_filter":
        return [x, dy], {**attrs, "filter_shape": list(w.shape)}
    return [dy, w], {**attrs, "input_shape": list(x.shape)}


def singles(arrays: Sequence[Array]) -> list[Array]:
    return [x.astype(np.float32) for x in arrays]


def both(op: str, arrays: Sequence[Array], attrs: dict[str, Any]) -> tuple[Array, Array]:
    """The op in float32, by default and exactly."""
    build = check.op_build(op, attrs)
    fast = check.call(build, arrays)[0]
    _core.set_exact_convolution(True)
    exact = check.call(build, arrays)[0]
    _core.set_exact_convolution(False)
    return fast, exact


def error(got: Array, expected: Array) -> float:
    """Root of the mean square of the errors, relative to that of the values."""
    return float(np.sqrt(np.square(got - expected).mean() / np.square(expected).mean()))


@pytest.mark.parametrize("op", CONV_OPS)
@pytest.mark.parametrize(("c", "f", "bound"), [(16, 16, 1.5e-6), (32, 64, 2e-6), (64, 32, 2.5e-6), (128, 128, 4e-6)])
def test_error(op, c, f, bound):
    """Twice what the project's prototypes had, against float64."""
    arrays, attrs = case(op, 3, (16, 13), c, f, (1, 1, 1, 1))
    (expected,) = check.call(check.op_build(op, attrs), arrays)
    fast, exact = both(op, singles(arrays), attrs)
    assert fast.tobytes() != exact.tobytes()
    assert error(fast, expected) < bound
    assert error(exact, expected) < 1.5e-6
    assert np.abs(fast - expected).max() < 20 * bound * np.abs(expected).max()


@pytest.mark.parametrize("op", CONV_OPS)
@given(data=st.data())
def test_shapes(op, data):
    """Odd sizes, uneven paddings and channel counts: close to float64, the same bits everywhere."""
    size = [data.draw(st.integers(3, 14)) for _ in range(2)]
    padding = [data.draw(st.integers(0, 2)) for _ in range(4)]
    c, f = (data.draw(st.sampled_from((16, 17, 24, 33, 48, 65, 100))) for _ in range(2))
    arrays, attrs = case(op, data.draw(st.integers(1, 3)), size, c, f, padding)
    build = check.op_build(op, attrs)
    (expected,) = check.call(build, arrays)
    (got,) = check.everywhere(build, singles(arrays))
    # The largest error of F(4x4, 3x3) in float32 is 1.1e-5 to 2.6e-5 of the largest result (Lavin and Gray's points).
    check.close(got, expected, 2e-5 * float(np.abs(expected).max()), op)


@pytest.mark.parametrize("op", CONV_OPS)
def test_choice(op):
    """Which layers change their bits when exactness is asked for."""

    def changes(size: int, c: int, f: int, **more: Any) -> bool:
        arrays, attrs = case(op, 2, (size, size), c, f, (1, 1, 1, 1))
        fast, exact = both(op, singles(arrays), {**attrs, **more})
        return fast.tobytes() != exact.tobytes()

    assert changes(28, 32, 32) and changes(7, 64, 64) and changes(8, 16, 24)
    assert not changes(28, 3, 32) and not changes(28, 32, 3)  # too few channels
    assert not changes(2, 64, 64) and not changes(5, 32, 32)  # most of a tile would be waste
    arrays, attrs = case(op, 2, (8, 8), 32, 32, (1, 1, 1, 1))
    build = check.op_build(op, attrs)
    (wide,) = check.call(build, arrays)
    _core.set_exact_convolution(True)
    assert wide.tobytes() == check.call(build, arrays)[0].tobytes()  # float64 is exact anyway


def test_an_image_does_not_depend_on_its_batch():
    arrays, attrs = case("conv2d", 5, (9, 10), 32, 48, (1, 1, 1, 1))
    build = check.op_build("conv2d", attrs)
    x, w = singles(arrays)
    (together,) = check.call(build, [x, w])
    for i in range(5):
        assert check.call(build, [x[i : i + 1], w])[0].tobytes() == together[i].tobytes()


def test_no_images():
    x, w = np.zeros((0, 8, 8, 32), np.float32), np.zeros((3, 3, 32, 32), np.float32)
    attrs = {"strides": [1, 1], "padding": [1, 1, 1, 1]}
    (y,) = check.call(check.op_build("conv2d", attrs), [x, w])
    assert y.shape == (0, 8, 8, 32)
    build = check.op_build("conv2d_grad_filter", {**attrs, "filter_shape": list(w.shape)})
    (dw,) = check.call(build, [x, y])
    np.testing.assert_array_equal(dw, w)


@pytest.mark.parametrize("relu", [False, True])
def test_bias_and_relu(relu):
    """Both are taken into the kernel."""
    arrays, attrs = case("conv2d", 2, (11, 8), 32, 40, (1, 1, 1, 1))
    arrays.append(np.random.default_rng(1).normal(size=40))

    def build(graph: Any, ids: list[int]) -> list[int]:
        y = graph.add("add", [graph.add("conv2d", ids[:2], attrs)[0], ids[2]])
        return list(graph.add("relu", y)) if relu else list(y)

    assert [step["name"] for step in check.program_of(build, singles(arrays)).steps] == ["conv2d"]
    (expected,) = check.call(build, arrays)
    (got,) = check.everywhere(build, singles(arrays))
    check.close(got, expected, 1e-5 * float(np.abs(expected).max()), "conv2d with bias")


def test_mask():
    """The gradient of the ReLU below is taken into the kernel, and keeps exactly the right elements."""
    arrays, attrs = case("conv2d_grad_input", 2, (9, 10), 40, 32, (1, 1, 1, 1))
    arrays.append(np.random.default_rng(1).normal(size=attrs["input_shape"]))

    def build(graph: Any, ids: list[int]) -> list[int]:
        zero = graph.constant(0.0, graph.type(ids[2])[0])
        (dx,) = graph.add("conv2d_grad_input", ids[:2], attrs)
        return list(graph.add("select", [*graph.add("greater", [ids[2], zero]), dx, zero]))

    assert [step["name"] for step in check.program_of(build, singles(arrays)).steps] == ["conv2d_grad_input"]
    (expected,) = check.call(build, arrays)
    (got,) = check.everywhere(build, singles(arrays))
    check.close(got, expected, 1e-5 * float(np.abs(expected).max()), "masked gradient")
    np.testing.assert_array_equal(got != 0, arrays[2] > 0)


def test_bias_gradient():
    """The sum of the output gradients is taken into the filter gradient's kernel."""
    arrays, attrs = case("conv2d_grad_filter", 40, (9, 10), 33, 40, (1, 1, 1, 1))

    def build(graph: Any, ids: list[int]) -> list[int]:
        dw = graph.add("conv2d_grad_filter", ids, attrs)
        return [*dw, *graph.add("reduce_sum", [ids[1]], {"axes": [0, 1, 2], "keepdims": False})]

    program = check.program_of(build, singles(arrays))
    assert [(step["name"], step["phases"]) for step in program.steps] == [("conv2d_grad_filter", 2)]  # and combine
    for got, expected in zip(check.everywhere(build, singles(arrays)), check.call(build, arrays), strict=True):
        check.close(got, expected, 2e-5 * float(np.abs(expected).max()), "filter and bias gradients")


def test_large_filter_gradient():
    """Several blocks of channels on both sides and many chunks of the batch."""
    arrays, attrs = case("conv2d_grad_filter", 48, (11, 9), 80, 144, (1, 1, 1, 1))
    build = check.op_build("conv2d_grad_filter", attrs)
    (expected,) = check.call(build, arrays)
    (got,) = check.everywhere(build, singles(arrays))
    assert error(got, expected) < 5e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_pixels(bad):
    """What depends on a NaN or an infinity is not finite; tiles that do not read it are as before."""
    arrays, attrs = case("conv2d", 2, (16, 16), 16, 32, (1, 1, 1, 1))
    x, w = singles(arrays)
    build = check.op_build("conv2d", attrs)
    (before,) = check.call(build, [x, w])
    x[0, 6, 6, 3] = bad
    (after,) = check.everywhere(build, [x, w])
    assert not np.isfinite(after[0, 5:8, 5:8]).any()
    assert np.isnan(after[0, 5:8, 5:8]).any() or np.isinf(bad)
    assert after[1].tobytes() == before[1].tobytes()
    clean = np.ones((16, 16), bool)
    clean[4:8, 4:8] = False  # the only tile whose window has the pixel
    assert np.array_equal(after[0][clean], before[0][clean])


def test_switch():
    """Programs made before follow the switch; the bits come back."""
    nabi.utils.set_random_seed(2)
    model = nabi.Sequential([layers.Input((12, 12, 16)), layers.Conv2D(32, 3, padding="same", activation="relu")])
    x = np.random.default_rng(0).normal(size=(4, 12, 12, 16)).astype("float32")
    assert nabi.config.is_exact_convolution_enabled() is False
    fast = model.predict(x, verbose=0)
    nabi.config.exact_convolution(True)
    assert nabi.config.is_exact_convolution_enabled() is True
    exact = model.predict(x, verbose=0)
    assert exact.tobytes() != fast.tobytes()
    np.testing.assert_allclose(exact, fast, atol=5e-5)
    nabi.config.exact_convolution(False)
    assert model.predict(x, verbose=0).tobytes() == fast.tobytes()
    with pytest.raises(ValueError, match="`enabled` must be True or False. Received: enabled=1"):
        nabi.config.exact_convolution(1)
