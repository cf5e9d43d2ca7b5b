// csrc/cpu/reduce.cpp -- reductions over any axes, with an order of operations that depends on shapes alone
//
// float32: in a line, vector i goes to accumulator i mod 4 (rows) or element i to accumulator i mod 4 (columns); the
// four are combined as (0, 1), (2, 3), rows then fold their sixteen lanes by a tree; chunks are combined by a binary
// tree.
#include "cpu/reduce.h"

#include "cpu/kernels.h"
#include "cpu/math.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

struct Sum {
  static NABI_INLINE Vec start() { return zero(); }
  static NABI_INLINE Vec pad() { return zero(); }
  NABI_INLINE Vec take(Vec sum, Vec x) const { return sum + x; }
  static NABI_INLINE Vec join(Vec a, Vec b) { return a + b; }
};
struct Prod {
  static NABI_INLINE Vec start() { return splat(1.0f); }
  static NABI_INLINE Vec pad() { return splat(1.0f); }
  NABI_INLINE Vec take(Vec product, Vec x) const { return product * x; }
  static NABI_INLINE Vec join(Vec a, Vec b) { return a * b; }
};
struct Max {
  static NABI_INLINE Vec start() { return splat(-kInfinity); }
  static NABI_INLINE Vec pad() { return splat(-kInfinity); }
  NABI_INLINE Vec take(Vec best, Vec x) const { return maximum(best, x); }
  static NABI_INLINE Vec join(Vec a, Vec b) { return maximum(a, b); }
};
struct Min {
  static NABI_INLINE Vec start() { return splat(kInfinity); }
  static NABI_INLINE Vec pad() { return splat(kInfinity); }
  NABI_INLINE Vec take(Vec best, Vec x) const { return minimum(best, x); }
  static NABI_INLINE Vec join(Vec a, Vec b) { return minimum(a, b); }
};
/// Sum of exp(x - shift).
struct ExpSum {
  Vec shift;
  static NABI_INLINE Vec start() { return zero(); }
  static NABI_INLINE Vec pad() { return splat(-kInfinity); }
  NABI_INLINE Vec take(Vec sum, Vec x) const { return sum + exp(x - shift); }
  static NABI_INLINE Vec join(Vec a, Vec b) { return a + b; }
};

/// Folds the lanes of a vector: i and i + 8, then +4, +2, +1.
template <class Op>
NABI_INLINE float fold(Vec a) {
  return reduce_tree(a, [](Vec x, Vec y) __attribute__((always_inline)) { return Op::join(x, y); });
}

/// A place in several dimensions and its offset.
struct Odometer {
  const ReduceDims& dims;
  int64_t index[kReduceRank];
  int64_t offset = 0;

  Odometer(const ReduceDims& d, int64_t at) : dims(d) {
    for (int64_t i = d.rank - 1; i >= 0; --i) {
      index[i] = at % d.dims[i];
      at /= d.dims[i];
      offset += index[i] * d.strides[i];
    }
  }
  NABI_INLINE void next() {
    for (int64_t i = dims.rank - 1; i >= 0; --i) {
      offset += dims.strides[i];
      if (++index[i] < dims.dims[i]) return;
      offset -= dims.dims[i] * dims.strides[i];
      index[i] = 0;
    }
  }
};

/// The part of the reduction that a chunk reads: lines [line, line_end), elements [from, to) of each.
struct Range {
  int64_t line, line_end, from, to;

  Range(const ReduceParams& p, int64_t chunk) : line(0), line_end(p.line_count), from(0), to(p.length) {
    if (p.chunks == 1) return;
    int64_t& begin = p.line_count == 1 ? from : line;
    int64_t& end = p.line_count == 1 ? to : line_end;
    begin = chunk * p.per_chunk;
    end = begin + p.per_chunk < end ? begin + p.per_chunk : end;
  }
};

/// Reduces contiguous lines to sixteen lanes.
template <class Op>
NABI_INLINE Vec reduce_rows(const ReduceParams& p, const float* x, const Range& range, Op op) {
  Vec acc[4] = {op.start(), op.start(), op.start(), op.start()};
  Odometer at(p.lines, range.line);
  for (int64_t l = range.line; l < range.line_end; ++l, at.next()) {
    const float* line = x + at.offset;
    int64_t i = range.from;
    for (; i + 4 * kLanes <= range.to; i += 4 * kLanes) {
      for (int k = 0; k < 4; ++k) acc[k] = op.take(acc[k], load(line + i + k * kLanes));
    }
    for (int k = 0; k < 4 && i < range.to; ++k, i += kLanes) {
      const int64_t rest = range.to - i;
      if (rest >= kLanes) {
        acc[k] = op.take(acc[k], load(line + i));
      } else {
        const int n = static_cast<int>(rest);
        acc[k] = op.take(acc[k], select(mask_first(n), load(line + i, n), op.pad()));
      }
    }
  }
  return op.join(op.join(acc[0], acc[1]), op.join(acc[2], acc[3]));
}

/// Reduces kVecs * 16 neighbouring columns (the last n of them when kVecs is 1); f(v) gives the op of vector v.
template <int kVecs, class F>
NABI_INLINE void reduce_columns(const ReduceParams& p, const float* x, const Range& range, int n, Vec* out, F f) {
  using Op = decltype(f(0));
  Vec acc[4][kVecs];
  for (int c = 0; c < 4; ++c)
    for (int v = 0; v < kVecs; ++v) acc[c][v] = Op::start();
  Odometer at(p.lines, range.line);
  for (int64_t l = range.line; l < range.line_end; ++l, at.next()) {
    const float* line = x + at.offset + range.from * p.stride;
    int64_t i = range.from;
    for (; i + 4 <= range.to; i += 4, line += 4 * p.stride) {
      for (int c = 0; c < 4; ++c) {
        for (int v = 0; v < kVecs; ++v) {
          const float* at_v = line + c * p.stride + v * kLanes;
          acc[c][v] = f(v).take(acc[c][v], n == kLanes ? load(at_v) : load(at_v, n));
        }
      }
    }
    for (int c = 0; i < range.to; ++i, ++c, line += p.stride) {
      for (int v = 0; v < kVecs; ++v) {
        const Vec y = n == kLanes ? load(line + v * kLanes) : load(line + v * kLanes, n);
        switch (c) {  // constant indices keep the accumulators in registers
          case 0:
            acc[0][v] = f(v).take(acc[0][v], y);
            break;
          case 1:
            acc[1][v] = f(v).take(acc[1][v], y);
            break;
          default:
            acc[2][v] = f(v).take(acc[2][v], y);
        }
      }
    }
  }
  for (int v = 0; v < kVecs; ++v) out[v] = Op::join(Op::join(acc[0][v], acc[1][v]), Op::join(acc[2][v], acc[3][v]));
}

#if defined(__AVX512F__)
constexpr int kWide = 4;  // vectors side by side: sixteen accumulators of thirty-two registers
#else
constexpr int kWide = 1;
#endif

/// Calls f(unit, first output, input of that output) for the units of a task; a unit is a row or a strip of columns.
template <class F>
NABI_INLINE void each_unit(const ReduceParams& p, int64_t first, int64_t end, F f) {
  for (int64_t u = first; u < end; ++u) {
    const int64_t row = u / p.strips, strip = u % p.strips;
    const Odometer at(p.kept, row);
    f(strip, row * p.inner + strip * kReduceStrip, at.offset + strip * kReduceStrip);
  }
}

/// Sixteen short rows as columns, so that a row is a lane.
struct ShortRows {
  static constexpr int64_t kMost = 10;
  alignas(64) float at[kMost * kLanes] = {};

  NABI_INLINE void set(int lane, const float* row, int64_t length) {
    for (int64_t i = 0; i < length; ++i) at[i * kLanes + lane] = row[i];
  }
  NABI_INLINE Vec column(int64_t i) const { return load(at + i * kLanes); }
};

/// Reduces rows of a few elements, sixteen rows at once.
template <class Op>
NABI_INLINE void reduce_short(const ReduceParams& p, const float* x, float* out, int64_t first, int64_t end,
                              float divisor) {
  const Op op;
  Odometer at(p.kept, first);
  for (int64_t u = first; u < end; u += kLanes) {
    const int rows = static_cast<int>(end - u < kLanes ? end - u : kLanes);
    ShortRows columns;
    for (int r = 0; r < rows; ++r, at.next()) columns.set(r, x + at.offset, p.length);
    Vec y = op.start();
    for (int64_t i = 0; i < p.length; ++i) y = op.take(y, columns.column(i));
    store(out + u, divisor != 1 ? y / splat(divisor) : y, rows);
  }
}

template <class Op>
void reduce(const ReduceParams& p, const float* x, float* out, int64_t chunk, int64_t first, int64_t end) {
  const Range range(p, chunk);
  const bool final = p.chunks == 1 && p.divisor != 1;
  const float divisor = static_cast<float>(p.divisor);
  if (p.inner == 1 && p.line_count == 1 && p.chunks == 1 && p.units > 1 && p.length <= ShortRows::kMost) {
    return reduce_short<Op>(p, x, out, first, end, divisor);
  }
  if (p.inner == 1) {
    Odometer at(p.kept, first);
    for (int64_t u = first; u < end; ++u, at.next()) {
      const float y = fold<Op>(reduce_rows(p, x + at.offset, range, Op{}));
      out[u] = final ? y / divisor : y;
    }
    return;
  }
  const auto op = [](int) { return Op{}; };
  each_unit(p, first, end, [&](int64_t strip, int64_t to, int64_t from) {
    const int64_t columns = p.inner - strip * kReduceStrip;
    const int64_t width = columns < kReduceStrip ? columns : kReduceStrip;
    Vec y[kWide];
    int64_t c = 0;
    for (; c + kWide * kLanes <= width; c += kWide * kLanes) {
      reduce_columns<kWide>(p, x + from + c, range, kLanes, y, op);
      for (int v = 0; v < kWide; ++v) store(out + to + c + v * kLanes, final ? y[v] / splat(divisor) : y[v]);
    }
    for (; c < width; c += kLanes) {
      const int n = static_cast<int>(width - c < kLanes ? width - c : kLanes);
      reduce_columns<1>(p, x + from + c, range, n, y, op);
      store(out + to + c, final ? y[0] / splat(divisor) : y[0], n);
    }
  });
}

/// Tasks are chunks times groups of units.
void reduce_f32(const Args& args, int64_t first, int64_t last, char*) {
  const ReduceParams& p = *static_cast<const ReduceParams*>(args.params);
  const float* x = reinterpret_cast<const float*>(args.ptr[0]);
  const int64_t groups = (p.units + p.units_per_task - 1) / p.units_per_task;
  for (int64_t t = first; t < last; ++t) {
    const int64_t chunk = t / groups, begin = t % groups * p.units_per_task;
    const int64_t end = begin + p.units_per_task < p.units ? begin + p.units_per_task : p.units;
    float* out = reinterpret_cast<float*>(args.ptr[p.chunks == 1 ? 1 : 2]) + chunk * p.outputs;
    switch (p.op) {
      case ReduceOp::kMax:
        reduce<Max>(p, x, out, chunk, begin, end);
        break;
      case ReduceOp::kMin:
        reduce<Min>(p, x, out, chunk, begin, end);
        break;
      case ReduceOp::kProd:
        reduce<Prod>(p, x, out, chunk, begin, end);
        break;
      default:
        reduce<Sum>(p, x, out, chunk, begin, end);
    }
  }
}

template <class Op>
NABI_INLINE Vec combine(float* cell, int64_t n) {
  while (n > 1) {  // neighbours first; an odd one out waits
    for (int64_t i = 0; i + 1 < n; i += 2)
      store(cell + i / 2 * kLanes, Op::join(load(cell + i * kLanes), load(cell + (i + 1) * kLanes)));
    if (n & 1) store(cell + n / 2 * kLanes, load(cell + (n - 1) * kLanes));
    n = (n + 1) / 2;
  }
  return load(cell);
}

/// Tasks are ranges of outputs; scratch holds sixteen outputs of every chunk.
void reduce_combine_f32(const Args& args, int64_t first, int64_t last, char* scratch) {
  const ReduceCombineParams& p = *static_cast<const ReduceCombineParams*>(args.params);
  const float* parts = reinterpret_cast<const float*>(args.ptr[2]);
  float* out = reinterpret_cast<float*>(args.ptr[1]);
  float* cell = reinterpret_cast<float*>(scratch);
  const int64_t stop = last * p.outputs_per_task < p.outputs ? last * p.outputs_per_task : p.outputs;
  for (int64_t o = first * p.outputs_per_task; o < stop; o += kLanes) {
    const int n = static_cast<int>(stop - o < kLanes ? stop - o : kLanes);
    for (int64_t c = 0; c < p.chunks; ++c) store(cell + c * kLanes, load(parts + c * p.outputs + o, n));
    Vec y;
    switch (p.op) {
      case ReduceOp::kMax:
        y = combine<Max>(cell, p.chunks);
        break;
      case ReduceOp::kMin:
        y = combine<Min>(cell, p.chunks);
        break;
      case ReduceOp::kProd:
        y = combine<Prod>(cell, p.chunks);
        break;
      default:
        y = combine<Sum>(cell, p.chunks);
    }
    store(out + o, p.divisor == 1 ? y : y / splat(static_cast<float>(p.divisor)), n);
  }
}

/// What is subtracted before exp: the largest, unless that is infinite or NaN.
NABI_INLINE Vec finite_or_zero(Vec x) { return select(lt(abs(x), splat(kInfinity)), x, zero()); }

/// log(sum(exp(x))) in two passes over each row or strip; tasks are groups of units.
void logsumexp_f32(const Args& args, int64_t first, int64_t last, char*) {
  const ReduceParams& p = *static_cast<const ReduceParams*>(args.params);
  const float* x = reinterpret_cast<const float*>(args.ptr[0]);
  float* out = reinterpret_cast<float*>(args.ptr[1]);
  const Range range(p, 0);
  const int64_t stop = last * p.units_per_task < p.units ? last * p.units_per_task : p.units;
  each_unit(p, first * p.units_per_task, stop, [&](int64_t strip, int64_t to, int64_t from) {
    if (p.inner == 1) {
      const Vec shift = finite_or_zero(splat(fold<Max>(reduce_rows(p, x + from, range, Max{}))));
      const float sum = fold<ExpSum>(reduce_rows(p, x + from, range, ExpSum{shift}));
      store(out + to, log(splat(sum)) + shift, 1);
      return;
    }
    const int64_t columns = p.inner - strip * kReduceStrip;
    const int64_t width = columns < kReduceStrip ? columns : kReduceStrip;
    for (int64_t c = 0; c < width; c += kLanes) {
      const int n = static_cast<int>(width - c < kLanes ? width - c : kLanes);
      Vec most, sum;
      reduce_columns<1>(p, x + from + c, range, n, &most, [](int) { return Max{}; });
      const Vec shift = finite_or_zero(most);
      reduce_columns<1>(p, x + from + c, range, n, &sum, [=](int) { return ExpSum{shift}; });
      store(out + to + c, log(sum) + shift, n);
    }
  });
}

/// The first of the largest (or smallest) of a contiguous row; the first NaN where there is one.
template <class Op>
NABI_INLINE int32_t arg_row(const float* x, int64_t n) {
  Vec best = Op::start();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) best = Op::join(best, load(x + i));
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    best = Op::join(best, select(mask_first(rest), load(x + i, rest), Op::pad()));
  }
  const Vec y = splat(fold<Op>(best));
  const Mask want_nan = is_nan(y);
  for (i = 0; i < n; i += kLanes) {
    const int rest = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const Vec v = rest == kLanes ? load(x + i) : load(x + i, rest);
    const uint32_t hits = bits((eq(v, y) | (want_nan & is_nan(v))) & mask_first(rest));
    if (hits != 0) return static_cast<int32_t>(i + __builtin_ctz(hits));
  }
  return 0;
}

/// The same for n <= 16 neighbouring columns.
template <bool smallest>
NABI_INLINE void arg_columns(const float* x, int64_t length, int64_t stride, int n, int32_t* out) {
  Vec best = load(x, n);
  IVec where = isplat(0);
  for (int64_t i = 1; i < length; ++i) {
    const Vec v = load(x + i * stride, n);
    const Mask better = (smallest ? lt(v, best) : gt(v, best)) | (is_nan(v) & ~is_nan(best));
    const Mask take = better & ~is_nan(best);
    best = select(take, v, best);
    where = select(take, isplat(static_cast<int32_t>(i)), where);
  }
  istore(out, where, n);
}

void arg_f32(const Args& args, int64_t first, int64_t last, char*) {
  const ArgParams& p = *static_cast<const ArgParams*>(args.params);
  const float* x = reinterpret_cast<const float*>(args.ptr[0]);
  int32_t* out = reinterpret_cast<int32_t*>(args.ptr[1]);
  const int64_t stop = last * p.per_task < p.outer ? last * p.per_task : p.outer;
  if (p.inner == 1 && p.outer > 1 && p.length <= ShortRows::kMost) {
    for (int64_t o = first * p.per_task; o < stop; o += kLanes) {
      const int rows = static_cast<int>(stop - o < kLanes ? stop - o : kLanes);
      ShortRows columns;
      for (int r = 0; r < rows; ++r) columns.set(r, x + (o + r) * p.length, p.length);
      (p.smallest ? arg_columns<true> : arg_columns<false>)(columns.at, p.length, kLanes, rows, out + o);
    }
    return;
  }
  for (int64_t o = first * p.per_task; o < stop; ++o) {
    if (p.inner == 1) {
      out[o] = p.smallest ? arg_row<Min>(x + o * p.length, p.length) : arg_row<Max>(x + o * p.length, p.length);
      continue;
    }
    for (int64_t c = 0; c < p.inner; c += kLanes) {
      const int n = static_cast<int>(p.inner - c < kLanes ? p.inner - c : kLanes);
      const float* at = x + o * p.length * p.inner + c;
      (p.smallest ? arg_columns<true> : arg_columns<false>)(at, p.length, p.inner, n, out + o * p.inner + c);
    }
  }
}

#if NABI_ISA_GENERIC
}  // namespace
}  // namespace nabi::cpu::NABI_ISA

#include "cpu/reduce_others.h"

namespace nabi::cpu::NABI_ISA {
namespace {
#endif

}  // namespace

void fill_reduce(KernelTable& table) {
  table.reduce_f32 = reduce_f32;
  table.reduce_combine_f32 = reduce_combine_f32;
  table.logsumexp_f32 = logsumexp_f32;
  table.arg_f32 = arg_f32;
#if NABI_ISA_GENERIC
  table.reduce_others = reduce_others;
  table.reduce_combine_others = reduce_combine_others;
  table.logsumexp_f64 = logsumexp_f64;
  table.arg_others = arg_others;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
