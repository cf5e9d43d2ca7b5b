"""Element-by-element functions of `nabi.ops`. Shapes broadcast as in NumPy; dtypes promote as in Keras."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from nabi import dtypes
from nabi.ops._dispatch import Value, broadcast, common, floating, number, op, op_of, to_bool
from nabi.trace import Tensor, emit, to_tensor


def _float_unary(name: str, x: Value) -> Tensor:
    return cast(Tensor, emit(name, floating(x)))


def _keep(name: str, x: Value) -> Tensor:
    tensor = to_tensor(x)
    return cast(Tensor, emit(name, to_tensor(tensor, "int32") if tensor.dtype == "bool" else tensor))


def _binary(name: str, x1: Value, x2: Value, floating: bool = False, booleans: bool = False) -> Tensor:
    a, b = common(x1, x2, floating=floating)
    if a.dtype == "bool" and not booleans:
        a, b = to_tensor(a, "int32"), to_tensor(b, "int32")
    return cast(Tensor, emit(name, a, b))


@op
def absolute(x: Value) -> Value:
    """|x|; booleans and uint8 stay as they are."""
    tensor = to_tensor(x)
    return tensor if tensor.dtype in ("bool", "uint8") else emit("abs", tensor)


@op
def abs(x: Value) -> Value:
    """|x|, the same as `absolute`."""
    return absolute(x)


@op
def negative(x: Value) -> Value:
    """-x."""
    return _keep("negative", x)


@op
def sign(x: Value) -> Value:
    """-1, 0 or 1; NaN for NaN."""
    return _keep("sign", x)


@op
def add(x1: Value, x2: Value) -> Value:
    """x1 + x2; of booleans, their logical or."""
    a, b = common(x1, x2)
    return emit("logical_or" if a.dtype == "bool" else "add", a, b)


@op
def subtract(x1: Value, x2: Value) -> Value:
    """x1 - x2."""
    return _binary("subtract", x1, x2)


@op
def multiply(x1: Value, x2: Value) -> Value:
    """x1 * x2; of booleans, their logical and."""
    a, b = common(x1, x2)
    return emit("logical_and" if a.dtype == "bool" else "multiply", a, b)


@op
def divide(x1: Value, x2: Value) -> Value:
    """x1 / x2, in floats."""
    return _binary("divide", x1, x2, floating=True)


@op
def true_divide(x1: Value, x2: Value) -> Value:
    """x1 / x2, in floats."""
    return divide(x1, x2)


@op
def divide_no_nan(x1: Value, x2: Value) -> Value:
    """x1 / x2 in floats, 0 where x2 is 0."""
    a, b = common(x1, x2, floating=True)
    zero = number(0, b.dtype)
    is_zero = emit("equal", b, zero)
    safe = emit("select", is_zero, number(1, b.dtype), b)
    return emit("select", is_zero, zero, emit("divide", a, safe))


@op
def floor_divide(x1: Value, x2: Value) -> Value:
    """The largest whole number not above x1 / x2."""
    return _binary("floor_divide", x1, x2)


@op
def mod(x1: Value, x2: Value) -> Value:
    """The remainder of `floor_divide`, with the sign of x2."""
    return _binary("mod", x1, x2)


@op
def power(x1: Value, x2: Value) -> Value:
    """x1 to the power x2. Integers give integers; negative exponents need floats."""
    if isinstance(x2, (int, float)) and not isinstance(x2, bool):
        base = to_tensor(x1)
        if x2 == 2 and base.dtype != "bool" and not (isinstance(x2, float) and not dtypes.is_float(base.dtype)):
            return emit("square", base)
        if x2 == 1 and base.dtype != "bool":
            return common(base, x2)[0]
        if x2 == 0.5:
            return emit("sqrt", floating(base))
        if dtypes.is_float(base.dtype) and x2 == -1:
            return emit("reciprocal", base)
    a, b = common(x1, x2)
    if dtypes.is_float(a.dtype):
        return emit("power", a, b)
    wide = emit("power", to_tensor(a, "float64"), to_tensor(b, "float64"))  # exact up to 2**53
    return to_tensor(wide, "int32" if a.dtype == "bool" else a.dtype)


@op
def square(x: Value) -> Value:
    """x * x."""
    return _keep("square", x)


@op
def maximum(x1: Value, x2: Value) -> Value:
    """The larger of both; NaN where either is NaN."""
    a, b = common(x1, x2)
    return emit("logical_or" if a.dtype == "bool" else "maximum", a, b)


@op
def minimum(x1: Value, x2: Value) -> Value:
    """The smaller of both; NaN where either is NaN."""
    a, b = common(x1, x2)
    return emit("logical_and" if a.dtype == "bool" else "minimum", a, b)


@op
def fmax(x1: Value, x2: Value) -> Value:
    """The larger of both; the other one where one is NaN."""
    a, b = common(x1, x2)
    return where(isnan(a), b, where(isnan(b), a, maximum(a, b)))


@op
def fmin(x1: Value, x2: Value) -> Value:
    """The smaller of both; the other one where one is NaN."""
    a, b = common(x1, x2)
    return where(isnan(a), b, where(isnan(b), a, minimum(a, b)))


@op
def clip(x: Value, x_min: Any, x_max: Any) -> Value:
    """x, no smaller than x_min and no larger than x_max."""
    values, low, high = common(x, x_min, x_max)
    if values.dtype == "bool":
        values, low, high = (to_tensor(v, "int32") for v in (values, low, high))
    return emit("minimum", emit("maximum", values, low), high)


@op
def exp(x: Value) -> Value:
    """e to the power x."""
    return _float_unary("exp", x)


@op
def exp2(x: Value) -> Value:
    """2 to the power x."""
    tensor = floating(x)
    return emit("power", number(2, tensor.dtype), tensor)


@op
def expm1(x: Value) -> Value:
    """exp(x) - 1, exact near 0."""
    return _float_unary("expm1", x)


@op
def log(x: Value) -> Value:
    """The natural logarithm."""
    return _float_unary("log", x)


@op
def log1p(x: Value) -> Value:
    """log(1 + x), exact near 0."""
    return _float_unary("log1p", x)


@op
def log2(x: Value) -> Value:
    """The logarithm to base 2."""
    tensor = floating(x)
    return emit("multiply", emit("log", tensor), number(1 / math.log(2), tensor.dtype))


@op
def log10(x: Value) -> Value:
    """The logarithm to base 10."""
    tensor = floating(x)
    return emit("multiply", emit("log", tensor), number(1 / math.log(10), tensor.dtype))


@op
def logaddexp(x1: Value, x2: Value) -> Value:
    """log(exp(x1) + exp(x2)) without overflow."""
    a, b = common(x1, x2, floating=True)
    spread = log1p(exp(negative(absolute(subtract(a, b)))))
    # Equal values, infinite ones among them, share the gradient.
    half = add(multiply(a, 0.5), multiply(b, 0.5))
    return where(equal(a, b), add(half, math.log(2)), add(maximum(a, b), spread))


@op
def logaddexp2(x1: Value, x2: Value) -> Value:
    """log2(2**x1 + 2**x2) without overflow."""
    a, b = common(x1, x2, floating=True)
    scale = math.log(2)
    return divide(logaddexp(multiply(a, scale), multiply(b, scale)), scale)


@op
def sqrt(x: Value) -> Value:
    """The square root."""
    return _float_unary("sqrt", x)


@op_of("math")
def rsqrt(x: Value) -> Value:
    """1 / sqrt(x)."""
    return _float_unary("rsqrt", x)


@op
def reciprocal(x: Value) -> Value:
    """1 / x."""
    return _float_unary("reciprocal", x)


@op
def cbrt(x: Value) -> Value:
    """The cube root, of negative numbers too."""
    tensor = floating(x)
    root = emit("power", emit("abs", tensor), number(1 / 3, tensor.dtype))
    return emit("multiply", emit("sign", tensor), root)


@op
def hypot(x1: Value, x2: Value) -> Value:
    """sqrt(x1**2 + x2**2) without overflow."""
    a, b = (emit("abs", v) for v in common(x1, x2, floating=True))
    large, small = emit("maximum", a, b), emit("minimum", a, b)
    return multiply(large, sqrt(add(1.0, square(divide_no_nan(small, large)))))


@op
def sin(x: Value) -> Value:
    """The sine of x radians."""
    return _float_unary("sin", x)


@op
def cos(x: Value) -> Value:
    """The cosine of x radians."""
    return _float_unary("cos", x)


@op
def tan(x: Value) -> Value:
    """The tangent of x radians."""
    return _float_unary("tan", x)


@op
def sinh(x: Value) -> Value:
    """The hyperbolic sine."""
    tensor = floating(x)
    u = expm1(where(less(absolute(tensor), 1.0), tensor, 0.0))
    near = multiply(0.5, add(u, divide(u, add(u, 1.0))))
    half = where(less(absolute(tensor), 1.0), 0.0, tensor)
    far = subtract(multiply(0.5, exp(half)), multiply(0.5, exp(negative(half))))
    return where(less(absolute(tensor), 1.0), near, far)


@op
def cosh(x: Value) -> Value:
    """The hyperbolic cosine."""
    tensor = floating(x)
    return add(multiply(0.5, exp(tensor)), multiply(0.5, exp(negative(tensor))))


@op
def tanh(x: Value) -> Value:
    """The hyperbolic tangent."""
    return _float_unary("tanh", x)


@op
def arcsinh(x: Value) -> Value:
    """The inverse of `sinh`."""
    tensor = floating(x)
    size = absolute(tensor)
    grown = add(size, divide(square(size), add(1.0, sqrt(add(square(size), 1.0)))))
    return multiply(sign(tensor), log1p(grown))


@op
def arccosh(x: Value) -> Value:
    """The inverse of `cosh`, for x >= 1."""
    tensor = floating(x)
    return log(add(tensor, multiply(sqrt(subtract(tensor, 1.0)), sqrt(add(tensor, 1.0)))))


@op
def arctanh(x: Value) -> Value:
    """The inverse of `tanh`, for |x| < 1."""
    tensor = floating(x)
    return multiply(0.5, log1p(divide(multiply(2.0, tensor), subtract(1.0, tensor))))


@op
def deg2rad(x: Value) -> Value:
    """Degrees to radians."""
    return multiply(floating(x), math.pi / 180)


@op
def rad2deg(x: Value) -> Value:
    """Radians to degrees."""
    return multiply(floating(x), 180 / math.pi)


@op
def sinc(x: Value) -> Value:
    """sin(pi x) / (pi x), 1 at 0."""
    tensor = multiply(floating(x), math.pi)
    is_zero = equal(tensor, 0.0)
    safe = where(is_zero, 1.0, tensor)
    return where(is_zero, 1.0, divide(sin(safe), safe))


@op_of("math")
def erf(x: Value) -> Value:
    """The error function."""
    return _float_unary("erf", x)


@op_of("math")
def erfc(x: Value) -> Value:
    """1 - erf(x)."""
    return subtract(1.0, _float_unary("erf", x))


def _whole(name: str, x: Value) -> Tensor:
    tensor = to_tensor(x)
    if dtypes.is_float(tensor.dtype):
        return cast(Tensor, emit(name, tensor))
    return floating(tensor)


@op
def floor(x: Value) -> Value:
    """The largest whole number not above x, as a float."""
    return _whole("floor", x)


@op
def ceil(x: Value) -> Value:
    """The smallest whole number not below x, as a float."""
    return _whole("ceil", x)


@op
def trunc(x: Value) -> Value:
    """x without its fraction."""
    tensor = to_tensor(x)
    if not dtypes.is_float(tensor.dtype):
        return tensor
    return emit("select", emit("less", tensor, number(0, tensor.dtype)), emit("ceil", tensor), emit("floor", tensor))


@op
def round(x: Value, decimals: int = 0) -> Value:
    """x rounded to `decimals` digits after the point, halves to even."""
    tensor = to_tensor(x)
    if not dtypes.is_float(tensor.dtype):
        if decimals >= 0:
            return to_tensor(tensor, "int32") if tensor.dtype == "bool" else tensor
        unit = 10.0**-decimals
        return to_tensor(multiply(round(divide(tensor, unit)), unit), tensor.dtype)
    if decimals == 0:
        return emit("round", tensor)
    scale = number(10.0 ** math.fabs(decimals), tensor.dtype)
    first, second = ("multiply", "divide") if decimals > 0 else ("divide", "multiply")
    return emit(second, emit("round", emit(first, tensor, scale)), scale)


@op
def isnan(x: Value) -> Value:
    """Where x is NaN."""
    tensor = to_tensor(x)
    if dtypes.is_float(tensor.dtype):
        return emit("isnan", tensor)
    return broadcast(number(0, "bool"), tensor.shape)


@op
def isinf(x: Value) -> Value:
    """Where x is infinite."""
    tensor = to_tensor(x)
    if dtypes.is_float(tensor.dtype):
        return emit("isinf", tensor)
    return broadcast(number(0, "bool"), tensor.shape)


@op
def isfinite(x: Value) -> Value:
    """Where x is neither NaN nor infinite."""
    tensor = to_tensor(x)
    if dtypes.is_float(tensor.dtype):
        return emit("isfinite", tensor)
    return broadcast(number(1, "bool"), tensor.shape)


@op
def isposinf(x: Value) -> Value:
    """Where x is infinite and positive."""
    return logical_and(isinf(x), greater(x, 0))


@op
def isneginf(x: Value) -> Value:
    """Where x is infinite and negative."""
    return logical_and(isinf(x), less(x, 0))


@op
def nan_to_num(x: Value, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Value:
    """x with NaN and infinities replaced by finite numbers (the dtype's largest for None)."""
    tensor = to_tensor(x)
    if not dtypes.is_float(tensor.dtype):
        return tensor
    limit = float(np.finfo(tensor.dtype).max)
    found = where(isnan(tensor), nan, tensor)
    found = where(equal(found, math.inf), limit if posinf is None else posinf, found)
    return where(equal(found, -math.inf), -limit if neginf is None else neginf, found)


def _compare(name: str, x1: Value, x2: Value) -> Tensor:
    a, b = common(x1, x2)
    if a.dtype == "bool" and name not in ("equal", "not_equal"):
        a, b = to_tensor(a, "int32"), to_tensor(b, "int32")
    return cast(Tensor, emit(name, a, b))


@op
def equal(x1: Value, x2: Value) -> Value:
    """x1 == x2, as bool."""
    return _compare("equal", x1, x2)


@op
def not_equal(x1: Value, x2: Value) -> Value:
    """x1 != x2, as bool."""
    return _compare("not_equal", x1, x2)


@op
def less(x1: Value, x2: Value) -> Value:
    """x1 < x2, as bool."""
    return _compare("less", x1, x2)


@op
def less_equal(x1: Value, x2: Value) -> Value:
    """x1 <= x2, as bool."""
    return _compare("less_equal", x1, x2)


@op
def greater(x1: Value, x2: Value) -> Value:
    """x1 > x2, as bool."""
    return _compare("greater", x1, x2)


@op
def greater_equal(x1: Value, x2: Value) -> Value:
    """x1 >= x2, as bool."""
    return _compare("greater_equal", x1, x2)


@op
def isclose(x1: Value, x2: Value, rtol: Value = 1e-5, atol: Value = 1e-8, equal_nan: bool = False) -> Value:
    """|x1 - x2| <= atol + rtol * |x2|, as bool; infinities are close to themselves."""
    a, b = common(x1, x2, floating=True)
    near = less_equal(absolute(subtract(a, b)), add(atol, multiply(rtol, absolute(b))))
    near = logical_or(logical_and(near, isfinite(b)), equal(a, b))
    return logical_or(near, logical_and(isnan(a), isnan(b))) if equal_nan else near


@op
def logical_and(x1: Value, x2: Value) -> Value:
    """Both are not zero, as bool."""
    return emit("logical_and", to_bool(x1), to_bool(x2))


@op
def logical_or(x1: Value, x2: Value) -> Value:
    """One or both are not zero, as bool."""
    return emit("logical_or", to_bool(x1), to_bool(x2))


@op
def logical_xor(x1: Value, x2: Value) -> Value:
    """Exactly one is not zero, as bool."""
    return emit("logical_xor", to_bool(x1), to_bool(x2))


@op
def logical_not(x: Value) -> Value:
    """x is zero, as bool."""
    return emit("logical_not", to_bool(x))


@op
def where(condition: Value, x1: Value = None, x2: Value = None) -> Value:
    """x1 where the condition holds, else x2; all three broadcast.

    Raises:
        ValueError: only one of `x1` and `x2` is given.
        NotImplementedError: neither is, since the shape of the result would depend on the data.
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("`x1` and `x2` either both should be `None` or both should have non-None value.")
    if x1 is None:
        raise NotImplementedError(
            "`where` with a condition only gives a result whose shape depends on the data, which a traced program "
            "cannot have; use `where(condition, x1, x2)`."
        )
    a, b = common(x1, x2)
    return emit("select", to_bool(condition), a, b)


@op
def heaviside(x1: Value, x2: Value) -> Value:
    """0 below 0, 1 above, x2 at 0."""
    a, b = common(x1, x2, floating=True)
    return where(less(a, 0.0), 0.0, where(greater(a, 0.0), 1.0, where(isnan(a), a, b)))


@op
def signbit(x: Value) -> Value:
    """Where x is below 0 or is -0."""
    tensor = to_tensor(x)
    if not dtypes.is_float(tensor.dtype):
        return less(tensor, 0)
    return logical_or(less(tensor, 0), logical_and(equal(tensor, 0), less(reciprocal(tensor), 0)))


@op
def ldexp(x1: Value, x2: Value) -> Value:
    """x1 * 2**x2."""
    a, b = common(x1, x2, floating=True)
    return multiply(a, exp2(b))


@op
def gcd(x1: Value, x2: Value) -> Value:
    """The greatest common divisor of integers of at most 32 bits."""
    a, b = (absolute(v) for v in common(x1, x2))
    for _ in range(47):  # Euclid's steps for 32 bits: Fibonacci numbers are the worst case
        rest = where(equal(b, 0), 0, mod(a, maximum(b, 1)))
        a, b = where(equal(b, 0), a, b), rest
    return a


@op
def lcm(x1: Value, x2: Value) -> Value:
    """The least common multiple of integers of at most 32 bits."""
    a, b = common(x1, x2)
    return absolute(multiply(a, floor_divide(b, maximum(gcd(a, b), 1))))


@op
def real(x: Value) -> Value:
    """x itself: tensors are real."""
    return to_tensor(x)


@op
def conj(x: Value) -> Value:
    """x itself: tensors are real."""
    return to_tensor(x)


@op
def conjugate(x: Value) -> Value:
    """x itself: tensors are real."""
    return to_tensor(x)


@op
def imag(x: Value) -> Value:
    """Zeros: tensors are real."""
    return multiply(to_tensor(x), 0)


@op
def isreal(x: Value) -> Value:
    """True everywhere: tensors are real."""
    tensor = to_tensor(x)
    return logical_or(equal(tensor, tensor), True)


def _bits(name: str, x1: Value, x2: Value) -> Tensor:
    a, b = common(x1, x2)
    if a.dtype != "bool":
        raise NotImplementedError(f"`{name}` of integers is not available; of booleans it is.")
    return cast(Tensor, emit(name.replace("bitwise", "logical"), a, b))


@op
def bitwise_and(x: Value, y: Value) -> Value:
    """Logical and of booleans."""
    return _bits("bitwise_and", x, y)


@op
def bitwise_or(x: Value, y: Value) -> Value:
    """Logical or of booleans."""
    return _bits("bitwise_or", x, y)


@op
def bitwise_xor(x: Value, y: Value) -> Value:
    """Logical exclusive or of booleans."""
    return _bits("bitwise_xor", x, y)


@op
def bitwise_not(x: Value) -> Value:
    """Logical not of booleans, -x - 1 of signed integers."""
    tensor = to_tensor(x)
    if tensor.dtype == "bool":
        return emit("logical_not", tensor)
    return subtract(negative(tensor), 1)


@op
def bitwise_invert(x: Value) -> Value:
    """The same as `bitwise_not`."""
    return bitwise_not(x)
