// csrc/cpu/reduce_others.h -- reductions of float64, integers and bools, one output after the other; part of reduce.cpp
#pragma once

namespace nabi::cpu::NABI_ISA {
namespace {

template <class T>
constexpr bool kFloating = static_cast<T>(0.5) != 0;

/// Integers are added and multiplied as unsigned numbers, so that overflow wraps.
template <class T>
NABI_INLINE T join(ReduceOp op, T a, T b) {
  switch (op) {
    case ReduceOp::kSum:
      if constexpr (kFloating<T>)
        return a + b;
      else
        return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    case ReduceOp::kProd:
      if constexpr (kFloating<T>)
        return a * b;
      else
        return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    case ReduceOp::kMax:
      return b > a || b != b ? b : a;
    case ReduceOp::kMin:
      return b < a || b != b ? b : a;
    case ReduceOp::kAny:
      return static_cast<T>(a != 0 || b != 0);
    case ReduceOp::kAll:
      return static_cast<T>(a != 0 && b != 0);
  }
  return a;
}

/// Calls f on every element of the range that belongs to the output at x.
template <class T, class F>
NABI_INLINE void each_element(const ReduceParams& p, const T* x, const Range& range, F f) {
  Odometer at(p.lines, range.line);
  for (int64_t l = range.line; l < range.line_end; ++l, at.next()) {
    for (int64_t i = range.from; i < range.to; ++i) f(x[at.offset + i * p.stride]);
  }
}

template <class T, ReduceOp op>
T reduce_one(const ReduceParams& p, const T* x, const Range& range) {
  // An empty sum is 0, an empty product or conjunction 1; extrema are never empty and start from their first element.
  constexpr bool extremum = op == ReduceOp::kMax || op == ReduceOp::kMin;
  T out = op == ReduceOp::kProd || op == ReduceOp::kAll ? 1 : 0;
  if (extremum) out = x[Odometer(p.lines, range.line).offset + range.from * p.stride];
  each_element(p, x, range, [&](T v) { out = join<T>(op, out, v); });
  return out;
}

template <class T>
T reduce_one(const ReduceParams& p, const T* x, const Range& range) {
  switch (p.op) {
    case ReduceOp::kSum:
      return reduce_one<T, ReduceOp::kSum>(p, x, range);
    case ReduceOp::kMax:
      return reduce_one<T, ReduceOp::kMax>(p, x, range);
    case ReduceOp::kMin:
      return reduce_one<T, ReduceOp::kMin>(p, x, range);
    case ReduceOp::kProd:
      return reduce_one<T, ReduceOp::kProd>(p, x, range);
    case ReduceOp::kAny:
      return reduce_one<T, ReduceOp::kAny>(p, x, range);
    case ReduceOp::kAll:
      return reduce_one<T, ReduceOp::kAll>(p, x, range);
  }
  return 0;
}

/// Calls f(output index, offset of its input) for the outputs of a group of units.
template <class F>
NABI_INLINE void each_output(const ReduceParams& p, int64_t first, int64_t end, F f) {
  each_unit(p, first, end, [&](int64_t strip, int64_t to, int64_t from) {
    const int64_t left = p.inner - strip * kReduceStrip;
    const int64_t width = left < kReduceStrip ? left : kReduceStrip;
    for (int64_t c = 0; c < width; ++c) f(to + c, from + c);
  });
}

template <class T>
void reduce_other(const Args& args, const ReduceParams& p, int64_t first, int64_t last) {
  const T* x = reinterpret_cast<const T*>(args.ptr[0]);
  const int64_t groups = (p.units + p.units_per_task - 1) / p.units_per_task;
  for (int64_t t = first; t < last; ++t) {
    const int64_t chunk = t / groups, begin = t % groups * p.units_per_task;
    const int64_t end = begin + p.units_per_task < p.units ? begin + p.units_per_task : p.units;
    T* out = reinterpret_cast<T*>(args.ptr[p.chunks == 1 ? 1 : 2]) + chunk * p.outputs;
    const Range range(p, chunk);
    each_output(p, begin, end, [&](int64_t to, int64_t from) {
      const T y = reduce_one<T>(p, x + from, range);
      out[to] = p.chunks == 1 && p.divisor != 1 ? static_cast<T>(static_cast<double>(y) / p.divisor) : y;
      if (kFloating<T> && p.chunks == 1 && p.divisor == 0) out[to] = static_cast<T>(__builtin_nan(""));
    });
  }
}

template <class T>
void combine_other(const Args& args, const ReduceCombineParams& p, int64_t first, int64_t last, char* scratch) {
  const T* parts = reinterpret_cast<const T*>(args.ptr[2]);
  T* out = reinterpret_cast<T*>(args.ptr[1]);
  T* cell = reinterpret_cast<T*>(scratch);
  const int64_t stop = last * p.outputs_per_task < p.outputs ? last * p.outputs_per_task : p.outputs;
  for (int64_t o = first * p.outputs_per_task; o < stop; ++o) {
    for (int64_t c = 0; c < p.chunks; ++c) cell[c] = parts[c * p.outputs + o];
    for (int64_t n = p.chunks; n > 1; n = (n + 1) / 2) {
      for (int64_t i = 0; i + 1 < n; i += 2) cell[i / 2] = join<T>(p.op, cell[i], cell[i + 1]);
      if (n & 1) cell[n / 2] = cell[n - 1];
    }
    out[o] = p.divisor == 1 ? cell[0] : static_cast<T>(static_cast<double>(cell[0]) / p.divisor);
  }
}

void reduce_others(const Args& args, int64_t first, int64_t last, char*) {
  const ReduceParams& p = *static_cast<const ReduceParams*>(args.params);
  switch (p.dtype) {
    case DType::f64:
      return reduce_other<double>(args, p, first, last);
    case DType::i32:
      return reduce_other<int32_t>(args, p, first, last);
    case DType::i64:
      return reduce_other<int64_t>(args, p, first, last);
    default:
      return reduce_other<uint8_t>(args, p, first, last);
  }
}

void reduce_combine_others(const Args& args, int64_t first, int64_t last, char* scratch) {
  const ReduceCombineParams& p = *static_cast<const ReduceCombineParams*>(args.params);
  switch (p.dtype) {
    case DType::f64:
      return combine_other<double>(args, p, first, last, scratch);
    case DType::i32:
      return combine_other<int32_t>(args, p, first, last, scratch);
    case DType::i64:
      return combine_other<int64_t>(args, p, first, last, scratch);
    default:
      return combine_other<uint8_t>(args, p, first, last, scratch);
  }
}

void logsumexp_f64(const Args& args, int64_t first, int64_t last, char*) {
  const ReduceParams& p = *static_cast<const ReduceParams*>(args.params);
  const double* x = reinterpret_cast<const double*>(args.ptr[0]);
  double* out = reinterpret_cast<double*>(args.ptr[1]);
  const Range range(p, 0);
  const int64_t stop = last * p.units_per_task < p.units ? last * p.units_per_task : p.units;
  each_output(p, first * p.units_per_task, stop, [&](int64_t to, int64_t from) {
    const double most = reduce_one<double, ReduceOp::kMax>(p, x + from, range);
    const double shift = __builtin_fabs(most) < __builtin_inf() ? most : 0.0;
    double sum = 0;
    each_element(p, x + from, range, [&](double v) { sum += __builtin_exp(v - shift); });
    out[to] = __builtin_log(sum) + shift;
  });
}

template <class T>
void arg_other(const Args& args, const ArgParams& p, int64_t first, int64_t last) {
  const T* x = reinterpret_cast<const T*>(args.ptr[0]);
  int32_t* out = reinterpret_cast<int32_t*>(args.ptr[1]);
  const int64_t stop = last * p.per_task < p.outer ? last * p.per_task : p.outer;
  for (int64_t o = first * p.per_task; o < stop; ++o) {
    for (int64_t c = 0; c < p.inner; ++c) {
      const T* at = x + o * p.length * p.inner + c;
      int64_t best = 0;
      for (int64_t i = 1; i < p.length && at[best * p.inner] == at[best * p.inner]; ++i) {  // a NaN ends the search
        const T v = at[i * p.inner], b = at[best * p.inner];
        if ((p.smallest ? v < b : v > b) || v != v) best = i;
      }
      out[o * p.inner + c] = static_cast<int32_t>(best);
    }
  }
}

void arg_others(const Args& args, int64_t first, int64_t last, char*) {
  const ArgParams& p = *static_cast<const ArgParams*>(args.params);
  switch (p.dtype) {
    case DType::f64:
      return arg_other<double>(args, p, first, last);
    case DType::i32:
      return arg_other<int32_t>(args, p, first, last);
    case DType::i64:
      return arg_other<int64_t>(args, p, first, last);
    default:
      return arg_other<uint8_t>(args, p, first, last);
  }
}

}  // namespace
}  // namespace nabi::cpu::NABI_ISA
