// csrc/cpu/normalize.cpp -- batch normalisation and its gradient
#include "cpu/normalize.h"

#include <stdint.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC

// What vec.h offers for a Vec, for one float64; beside the originals, so that neither hides the other.
static NABI_INLINE double fma(double a, double b, double c) { return a * b + c; }
static NABI_INLINE double sqrt(double x) { return __builtin_sqrt(x); }
static NABI_INLINE double maximum(double a, double b) { return b > a || b != b ? b : a; }
static NABI_INLINE double max(double a, double b) { return a > b ? a : b; }
static NABI_INLINE bool gt(double a, double b) { return a > b; }
static NABI_INLINE double select(bool m, double a, double b) { return m ? a : b; }
static NABI_INLINE double load(const double* p) { return *p; }
static NABI_INLINE double load(const double* p, int) { return *p; }
static NABI_INLINE void store(double* p, double v) { *p = v; }
static NABI_INLINE void store(double* p, double v, int) { *p = v; }

#endif

namespace {

NABI_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Batch normalisation is written once for a vector of float32 and for one float64: V is what is computed with.

template <class S>
struct Kind;

template <>
struct Kind<float> {
  using V = Vec;
  static constexpr int kStep = kLanes;
};

NABI_INLINE Vec spread(double x, float) { return splat(static_cast<float>(x)); }

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC

template <>
struct Kind<double> {
  using V = double;
  static constexpr int kStep = 1;
};

NABI_INLINE double spread(double x, double) { return x; }

#endif

/// Every lane of a vector.
struct Whole {
  template <class S>
  NABI_INLINE auto load(const S* p) const {
    return NABI_ISA::load(p);
  }
  template <class S, class V>
  NABI_INLINE void store(S* p, V v) const {
    NABI_ISA::store(p, v);
  }
};

/// The first n lanes.
struct Part {
  int n;
  template <class S>
  NABI_INLINE auto load(const S* p) const {
    return NABI_ISA::load(p, n);
  }
  template <class S, class V>
  NABI_INLINE void store(S* p, V v) const {
    NABI_ISA::store(p, v, n);
  }
};

/// f(first, lanes) for each vector of [begin, end).
template <class S, class F>
NABI_INLINE void over_lanes(int64_t begin, int64_t end, F f) {
  int64_t i = begin;
  for (; i + Kind<S>::kStep <= end; i += Kind<S>::kStep) f(i, Whole{});
  if (i < end) f(i, Part{static_cast<int>(end - i)});
}

// Sums by chunk ------------------------------------------------------------------------------------------------------

/// Rows that are added up before they join the chunk's sums: keeps long float32 sums exact to a few ulp.
constexpr int64_t kBlock = 256;

/// Adds `rows` rows of G vectors of channels to two sums, each by K chains of rows; K depends on the shape alone, G may
/// depend on the instruction set. term(row, vector, first, second) adds an element to a chain.
template <int G, int K, class V, class F>
NABI_INLINE void sum_rows(int64_t rows, V zeros, V* first, V* second, F term) {
  for (int g = 0; g < G; ++g) first[g] = second[g] = zeros;
  for (int64_t begin = 0; begin < rows; begin += kBlock) {
    const int64_t end = least(rows, begin + kBlock);
    V a[G][K], b[G][K];
    for (int g = 0; g < G; ++g) {
      for (int k = 0; k < K; ++k) a[g][k] = b[g][k] = zeros;
    }
    int64_t r = begin;
    for (; r + K <= end; r += K) {
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k) {
#pragma GCC unroll 4
        for (int g = 0; g < G; ++g) term(r + k, g, a[g][k], b[g][k]);
      }
    }
#pragma GCC unroll 4
    for (int k = 0; k + 1 < K; ++k) {
      if (r + k < end) {
        for (int g = 0; g < G; ++g) term(r + k, g, a[g][k], b[g][k]);
      }
    }
    for (int g = 0; g < G; ++g) {
      for (int width = 1; width < K; width *= 2) {
        for (int k = 0; k < K; k += 2 * width) {
          a[g][k] = a[g][k] + a[g][k + width];
          b[g][k] = b[g][k] + b[g][k + width];
        }
      }
      first[g] = first[g] + a[g][0];
      second[g] = second[g] + b[g][0];
    }
  }
}

/// body<G, K>(channel, lanes) over the channels: four vectors of one chain, two of two, one of four. Sums are two
/// registers a chain, so narrow instruction sets take the four vectors two by two.
template <class S, class F>
NABI_INLINE void over_groups(int64_t c, F body) {
  constexpr int64_t kStep = Kind<S>::kStep;
#if defined(__AVX512F__)
  constexpr int kWide = 4;
#else
  constexpr int kWide = 2;
#endif
  int64_t i = 0;
  for (; i + 4 * kStep <= c; i += 4 * kStep) {
    for (int g = 0; g < 4; g += kWide) body.template run<kWide, 1>(i + g * kStep, Whole{});
  }
  if (i + 2 * kStep <= c) {
    body.template run<2, 2>(i, Whole{});
    i += 2 * kStep;
  }
  if (i + kStep <= c) {
    body.template run<1, 4>(i, Whole{});
    i += kStep;
  }
  if (i < c) body.template run<1, 4>(i, Part{static_cast<int>(c - i)});
}

/// Mean and sum of squared deviations of a chunk, from sums shifted by the mean of its first eight rows: one row alone
/// may lie far out, and the digits lost are those of its distance.
template <class S>
struct Moments {
  using V = typename Kind<S>::V;
  const S* x;
  int64_t rows, c;
  S *mean, *m2;

  template <int G, int K, class Lanes>
  NABI_INLINE void run(int64_t i, Lanes lanes) const {
    constexpr int kStep = Kind<S>::kStep;
    const S* from = x + i;
    const int64_t row = c;
    V shift[G], sum[G], square[G];
    for (int g = 0; g < G; ++g) {
      const auto at = [&](int64_t r) __attribute__((always_inline)) { return lanes.load(from + r * row + g * kStep); };
      shift[g] = rows < 8
                     ? at(0)
                     : (((at(0) + at(1)) + (at(2) + at(3))) + ((at(4) + at(5)) + (at(6) + at(7)))) * spread(0.125, S());
    }
    sum_rows<G, K>(
        rows, spread(0, S()), sum, square, [&](int64_t r, int g, V& a, V& b) __attribute__((always_inline)) {
          const V d = lanes.load(from + r * row + g * kStep) - shift[g];
          a = a + d;
          b = fma(d, d, b);
        });
    const V n = spread(static_cast<double>(rows), S());
    for (int g = 0; g < G; ++g) {
      const V off = sum[g] / n;
      lanes.store(mean + i + g * kStep, shift[g] + off);
      lanes.store(m2 + i + g * kStep, maximum(fma(-sum[g], off, square[g]), spread(0, S())));
    }
  }
};

template <class S>
NABI_INLINE S* operand(const Args& args, int i) {
  return reinterpret_cast<S*>(args.ptr[i]);
}

NABI_INLINE const BatchNormParams& batch_norm(const Args& args) {
  return *static_cast<const BatchNormParams*>(args.params);
}

template <class S>
void batch_norm_sums(const Args& args, int64_t first, int64_t last, char*) {
  const BatchNormParams& p = batch_norm(args);
  for (int64_t chunk = first; chunk < last; ++chunk) {
    const int64_t row = chunk * p.chunk_rows;
    S* out = operand<S>(args, 6) + 2 * chunk * p.stride;
    over_groups<S>(p.c, Moments<S>{operand<const S>(args, 0) + row * p.c, least(p.chunk_rows, p.rows - row), p.c, out,
                                   out + p.stride});
  }
}

/// What turns x into the normalised value.
template <class V>
struct Line {
  V scale, shift;
  NABI_INLINE V at(V x) const { return fma(x, scale, shift); }
};

/// The line of a vector of channels; forward and back compute it alike, so that both see the same value positive.
template <class V, class S>
NABI_INLINE Line<V> line(const BatchNormParams& p, V gamma, V beta, V mean, V variance, S) {
  const V scale = gamma * (spread(1, S()) / sqrt(variance + spread(p.epsilon, S())));
  return {scale, fma(-mean, scale, beta)};
}

/// Sums of g and of g * (x - mean) over a chunk. With kRelu g counts only where the normalised value is positive.
template <class S, bool kRelu>
struct Products {
  using V = typename Kind<S>::V;
  const BatchNormParams& p;
  const S *g, *x, *gamma, *mean, *variance, *beta;
  int64_t rows, c;
  S *sum_g, *sum_gx;

  template <int G, int K, class Lanes>
  NABI_INLINE void run(int64_t i, Lanes lanes) const {
    constexpr int kStep = Kind<S>::kStep;
    const S *from_g = g + i, *from_x = x + i;
    const int64_t row = c;
    V shift[G], first[G], second[G];
    Line<V> lines[G];
    for (int j = 0; j < G; ++j) {
      const int64_t at = i + j * kStep;
      shift[j] = lanes.load(mean + at);
      if (kRelu) {
        lines[j] = line(p, lanes.load(gamma + at), lanes.load(beta + at), shift[j], lanes.load(variance + at), S());
      }
    }
    sum_rows<G, K>(
        rows, spread(0, S()), first, second, [&](int64_t r, int j, V& a, V& b) __attribute__((always_inline)) {
          const V value = lanes.load(from_x + r * row + j * kStep);
          V grad = lanes.load(from_g + r * row + j * kStep);
          if (kRelu) grad = select(gt(lines[j].at(value), spread(0, S())), grad, spread(0, S()));
          a = a + grad;
          b = fma(grad, value - shift[j], b);
        });
    for (int j = 0; j < G; ++j) {
      lanes.store(sum_g + i + j * kStep, first[j]);
      lanes.store(sum_gx + i + j * kStep, second[j]);
    }
  }
};

template <class S, bool kRelu>
NABI_INLINE void grad_sums(const Args& args, int64_t first, int64_t last) {
  const BatchNormParams& p = batch_norm(args);
  const S* beta = kRelu ? operand<const S>(args, 5) : nullptr;
  for (int64_t chunk = first; chunk < last; ++chunk) {
    const int64_t row = chunk * p.chunk_rows;
    S* out = operand<S>(args, 8 + kRelu) + 2 * chunk * p.stride;
    over_groups<S>(
        p.c, Products<S, kRelu>{p, operand<const S>(args, 0) + row * p.c, operand<const S>(args, 1) + row * p.c,
                                operand<const S>(args, 2), operand<const S>(args, 3), operand<const S>(args, 4), beta,
                                least(p.chunk_rows, p.rows - row), p.c, out, out + p.stride});
  }
}

template <class S>
void batch_norm_grad_sums(const Args& args, int64_t first, int64_t last, char*) {
  batch_norm(args).relu ? grad_sums<S, true>(args, first, last) : grad_sums<S, false>(args, first, last);
}

// Merge of the chunks ------------------------------------------------------------------------------------------------

/// combine(left sums, right sums, rows on the left, rows on the right) over a pairwise tree of chunks.
template <class F>
NABI_INLINE void over_tree(const BatchNormParams& p, F combine) {
  for (int64_t width = 1; width < p.chunks; width *= 2) {
    for (int64_t i = 0; i + width < p.chunks; i += 2 * width) {
      const int64_t middle = (i + width) * p.chunk_rows;
      const int64_t end = least(p.rows, middle + width * p.chunk_rows);
      combine(2 * i * p.stride, 2 * (i + width) * p.stride, static_cast<double>(middle - i * p.chunk_rows),
              static_cast<double>(end - middle));
    }
  }
}

/// Repeats the first c of every coefficient up to the period, for the channels of this task.
template <class S>
NABI_INLINE void repeat(const BatchNormParams& p, S* coefficients, int number, int64_t begin, int64_t end) {
  for (int k = 0; k < number; ++k) {
    S* row = coefficients + k * p.spacing;
    for (int64_t at = p.c; at < p.period; at += p.c) {
      memcpy(row + at + begin, row + begin, static_cast<size_t>(end - begin) * sizeof(S));
    }
  }
}

template <class S>
void batch_norm_merge(const Args& args, int64_t first, int64_t last, char*) {
  using V = typename Kind<S>::V;
  const BatchNormParams& p = batch_norm(args);
  const int64_t begin = first * p.merge_channels, end = least(p.c, last * p.merge_channels);
  const S *gamma = operand<const S>(args, 1), *beta = operand<const S>(args, 2);
  S *mean = operand<S>(args, 4), *variance = operand<S>(args, 5), *sums = operand<S>(args, 6);
  S* scale = sums + 2 * p.chunks * p.stride;
  S* shift = scale + p.spacing;
  over_tree(
      p, [&](int64_t left, int64_t right, double n_left, double n_right) __attribute__((always_inline)) {
        const V share = spread(n_right / (n_left + n_right), S());
        const V weight = spread(n_left * n_right / (n_left + n_right), S());
        over_lanes<S>(
            begin, end, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              S *a = sums + left + i, *b = sums + right + i;
              const V mean_a = lanes.load(a);
              const V delta = lanes.load(b) - mean_a;
              lanes.store(a, fma(delta, share, mean_a));
              lanes.store(a + p.stride,
                          fma(delta * delta, weight, lanes.load(a + p.stride) + lanes.load(b + p.stride)));
            });
      });
  const V rows = spread(static_cast<double>(p.rows), S());
  over_lanes<S>(
      begin, end, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        // No rows: 0 / 0 is the NaN that NumPy gives for an empty mean.
        const V m = p.chunks > 0 ? lanes.load(sums + i) : spread(0, S()) / rows;
        const V v = (p.chunks > 0 ? lanes.load(sums + p.stride + i) : spread(0, S())) / rows;
        const Line<V> to = line(p, lanes.load(gamma + i), lanes.load(beta + i), m, v, S());
        lanes.store(mean + i, m);
        lanes.store(variance + i, v);
        lanes.store(scale + i, to.scale);
        lanes.store(shift + i, to.shift);
      });
  repeat(p, scale, 2, begin, end);
}

template <class S>
void batch_norm_grad_merge(const Args& args, int64_t first, int64_t last, char*) {
  using V = typename Kind<S>::V;
  const BatchNormParams& p = batch_norm(args);
  const int64_t begin = first * p.merge_channels, end = least(p.c, last * p.merge_channels);
  const S *gamma = operand<const S>(args, 2), *mean = operand<const S>(args, 3), *variance = operand<const S>(args, 4);
  const int out = 5 + p.relu;
  S *dgamma = operand<S>(args, out + 1), *dbeta = operand<S>(args, out + 2), *sums = operand<S>(args, out + 3);
  S* coefficients = sums + 2 * p.chunks * p.stride;
  over_tree(
      p, [&](int64_t left, int64_t right, double, double) __attribute__((always_inline)) {
        over_lanes<S>(
            begin, end, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              S *a = sums + left + i, *b = sums + right + i;
              lanes.store(a, lanes.load(a) + lanes.load(b));
              lanes.store(a + p.stride, lanes.load(a + p.stride) + lanes.load(b + p.stride));
            });
      });
  const V rows = spread(static_cast<double>(p.rows), S()), one = spread(1, S()), epsilon = spread(p.epsilon, S());
  // dx = gamma / std * (g - mean of g - xhat * mean of g * xhat) = a * g + (b * x + c)
  over_lanes<S>(
      begin, end, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const V sum_g = p.chunks > 0 ? lanes.load(sums + i) : spread(0, S());
        const V sum_gx = p.chunks > 0 ? lanes.load(sums + p.stride + i) : spread(0, S());
        const V inverse = one / sqrt(lanes.load(variance + i) + epsilon);
        const V product = sum_gx * inverse;
        const V a = lanes.load(gamma + i) * inverse;
        const V share = a / rows;
        const V b = -(share * inverse * product);
        lanes.store(dgamma + i, p.chunks > 0 ? product : spread(0, S()));
        lanes.store(dbeta + i, sum_g);
        lanes.store(coefficients + i, a);
        lanes.store(coefficients + p.spacing + i, b);
        lanes.store(coefficients + 2 * p.spacing + i, -fma(b, lanes.load(mean + i), share * sum_g));
        if (p.relu) {
          const Line<V> to = line(p, lanes.load(gamma + i), lanes.load(operand<const S>(args, 5) + i),
                                  lanes.load(mean + i), lanes.load(variance + i), S());
          lanes.store(coefficients + 3 * p.spacing + i, to.scale);
          lanes.store(coefficients + 4 * p.spacing + i, to.shift);
        }
      });
  repeat(p, coefficients, p.relu ? 5 : 3, begin, end);
}

// The pass that writes -----------------------------------------------------------------------------------------------

/// f(element, place of its coefficients, lanes) over rows [begin, end); begin is a multiple of 16.
template <class S, class F>
NABI_INLINE void over_elements(const BatchNormParams& p, int64_t begin, int64_t end, F f) {
  if (p.period == 0) {
    for (int64_t r = begin; r < end; ++r) {
      over_lanes<S>(0, p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) { f(r * p.c + i, i, lanes); });
    }
    return;
  }
  const int64_t stop = end * p.c;
  for (int64_t e = begin * p.c; e < stop; e += p.period) {
    over_lanes<S>(
        0,
        least(p.period, stop - e), [&](int64_t i, auto lanes) __attribute__((always_inline)) { f(e + i, i, lanes); });
  }
}

template <class S, bool kRelu>
NABI_INLINE void apply(const Args& args, int64_t first, int64_t last) {
  const BatchNormParams& p = batch_norm(args);
  const S* x = operand<const S>(args, 0);
  S* y = operand<S>(args, 3);
  const S* scale = operand<const S>(args, 6) + 2 * p.chunks * p.stride;
  const S* shift = scale + p.spacing;
  over_elements<S>(
      p, first * p.apply_rows,
      least(p.rows, last * p.apply_rows), [&](int64_t e, int64_t i, auto lanes) __attribute__((always_inline)) {
        const auto v = fma(lanes.load(x + e), lanes.load(scale + i), lanes.load(shift + i));
        lanes.store(y + e, kRelu ? max(spread(0, S()), v) : v);
      });
}

template <class S>
void batch_norm_apply(const Args& args, int64_t first, int64_t last, char*) {
  batch_norm(args).relu ? apply<S, true>(args, first, last) : apply<S, false>(args, first, last);
}

template <class S, bool kRelu, bool kMask>
NABI_INLINE void grad_apply(const Args& args, int64_t first, int64_t last) {
  const BatchNormParams& p = batch_norm(args);
  const S *g = operand<const S>(args, 0), *x = operand<const S>(args, 1);
  S* dx = operand<S>(args, 5 + kRelu);
  const S* a = operand<const S>(args, 8 + kRelu) + 2 * p.chunks * p.stride;
  const S *b = a + p.spacing, *c = b + p.spacing, *scale = c + p.spacing, *shift = scale + p.spacing;
  const auto zeros = spread(0, S());
  over_elements<S>(
      p, first * p.apply_rows,
      least(p.rows, last * p.apply_rows), [&](int64_t e, int64_t i, auto lanes) __attribute__((always_inline)) {
        const auto value = lanes.load(x + e);
        auto grad = lanes.load(g + e);
        if (kRelu) grad = select(gt(fma(value, lanes.load(scale + i), lanes.load(shift + i)), zeros), grad, zeros);
        auto out = fma(lanes.load(a + i), grad, fma(lanes.load(b + i), value, lanes.load(c + i)));
        if (kMask) out = select(gt(value, zeros), out, zeros);
        lanes.store(dx + e, out);
      });
}

template <class S>
void batch_norm_grad_apply(const Args& args, int64_t first, int64_t last, char*) {
  const BatchNormParams& p = batch_norm(args);
  if (p.mask) {
    p.relu ? grad_apply<S, true, true>(args, first, last) : grad_apply<S, false, true>(args, first, last);
  } else {
    p.relu ? grad_apply<S, true, false>(args, first, last) : grad_apply<S, false, false>(args, first, last);
  }
}

}  // namespace

void fill_normalize(KernelTable& table) {
#define NABI_FILL(name) table.name##_f32 = name<float>;
  NABI_FILL(batch_norm_sums)
  NABI_FILL(batch_norm_merge)
  NABI_FILL(batch_norm_apply)
  NABI_FILL(batch_norm_grad_sums)
  NABI_FILL(batch_norm_grad_merge)
  NABI_FILL(batch_norm_grad_apply)
#undef NABI_FILL
#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
#define NABI_FILL(name) table.name##_f64 = name<double>;
  NABI_FILL(batch_norm_sums)
  NABI_FILL(batch_norm_merge)
  NABI_FILL(batch_norm_apply)
  NABI_FILL(batch_norm_grad_sums)
  NABI_FILL(batch_norm_grad_merge)
  NABI_FILL(batch_norm_grad_apply)
#undef NABI_FILL
#endif
}

}  // namespace nabi::cpu::NABI_ISA
