// csrc/cpu/softmax.cpp -- softmax, the cross-entropies from logits, and their gradients
#include "cpu/softmax.h"

#include <stdint.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/math.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

NABI_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// Every lane of a vector.
struct Whole {
  NABI_INLINE Vec load(const float* p) const { return NABI_ISA::load(p); }
  NABI_INLINE void store(float* p, Vec v) const { NABI_ISA::store(p, v); }
};

/// The first n lanes.
struct Part {
  int n;
  NABI_INLINE Vec load(const float* p) const { return NABI_ISA::load(p, n); }
  NABI_INLINE void store(float* p, Vec v) const { NABI_ISA::store(p, v, n); }
};

/// f(first, lanes) for each vector of [begin, end).
template <class F>
NABI_INLINE void over_lanes(int64_t begin, int64_t end, F f) {
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) f(i, Whole{});
  if (i < end) f(i, Part{static_cast<int>(end - i)});
}

template <class S>
NABI_INLINE S* operand(const Args& args, int i) {
  return reinterpret_cast<S*>(args.ptr[i]);
}

NABI_INLINE float lane0(Vec v) {
  float out;
  memcpy(&out, &v, sizeof out);
  return out;
}

NABI_INLINE Vec lowest() { return splat(-__builtin_inff()); }

NABI_INLINE const SoftmaxParams& softmax_params(const Args& args) {
  return *static_cast<const SoftmaxParams*>(args.params);
}

/// f(row) over the rows of a run of tasks.
template <class F>
NABI_INLINE void over_rows(const Args& args, int64_t first, int64_t last, F f) {
  const SoftmaxParams& p = softmax_params(args);
  const int64_t end = least(p.rows, last * p.task_rows);
  for (int64_t r = first * p.task_rows; r < end; ++r) f(p, r);
}

/// The row's label, or -1 once it has been reported as out of range.
NABI_INLINE int64_t label_of(const Args& args, const SoftmaxParams& p, int64_t r) {
  const int64_t label = p.wide_labels ? operand<const int64_t>(args, 1)[r] : operand<const int32_t>(args, 1)[r];
  if (label >= 0 && label < p.c) return label;
  report(args.fault, label, p.c);
  return -1;
}

// Short rows: sixteen at a time, a row in each lane -------------------------------------------------------------------

constexpr int64_t kShort = 12;

/// Sixteen short rows, column by column; rows beyond the last are zeros.
struct Columns {
  alignas(64) float at[kShort * kLanes];

  NABI_INLINE Columns(const float* x, int64_t rows, int64_t c) {
    if (rows < kLanes) memset(at, 0, sizeof at);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < c; ++j) at[j * kLanes + r] = x[r * c + j];
    }
  }
  NABI_INLINE Vec get(int64_t j) const { return load(at + j * kLanes); }
  NABI_INLINE void set(int64_t j, Vec v) { store(at + j * kLanes, v); }
  NABI_INLINE void write(float* y, int64_t rows, int64_t c) const {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < c; ++j) y[r * c + j] = at[j * kLanes + r];
    }
  }
  NABI_INLINE Vec top(int64_t c) const {
    Vec out = get(0);
    for (int64_t j = 1; j < c; ++j) out = maximum(out, get(j));
    return out;
  }
  /// The log of the rows' sums of exp(x - top).
  NABI_INLINE Vec log_sum(int64_t c, Vec top) const {
    Vec sum = exp(get(0) - top);
    for (int64_t j = 1; j < c; ++j) sum = sum + exp(get(j) - top);
    return log(sum);
  }
};

NABI_INLINE bool is_short(const Args& args) {
  const SoftmaxParams& p = softmax_params(args);
  return p.c > 0 && p.c <= kShort;
}

/// f(first row, rows) for each sixteen rows of a run of tasks.
template <class F>
NABI_INLINE void over_blocks(const Args& args, int64_t first, int64_t last, F f) {
  const SoftmaxParams& p = softmax_params(args);
  const int64_t end = least(p.rows, last * p.task_rows);
  for (int64_t r = first * p.task_rows; r < end; r += kLanes) f(p, r, least(kLanes, end - r));
}

/// The row's largest element in every lane.
NABI_INLINE Vec row_max(const float* x, int64_t c) {
  if (c <= kLanes) {
    const int n = static_cast<int>(c);
    return splat(reduce_max(select(mask_first(n), load(x, n), lowest())));
  }
  Vec top[4] = {load(x), lowest(), lowest(), lowest()};
  int64_t i = kLanes;
  for (; i + 4 * kLanes <= c; i += 4 * kLanes) {
    for (int k = 0; k < 4; ++k) top[k] = maximum(top[k], load(x + i + k * kLanes));
  }
  for (; i + kLanes <= c; i += kLanes) top[0] = maximum(top[0], load(x + i));
  if (i < c) {
    const int n = static_cast<int>(c - i);
    top[0] = maximum(top[0], select(mask_first(n), load(x + i, n), lowest()));
  }
  return splat(reduce_max(maximum(maximum(top[0], top[1]), maximum(top[2], top[3]))));
}

/// The sum of a row's f(element, lanes), lane by lane and then by the tree; lanes beyond the row count as 0.
template <class F>
NABI_INLINE float row_sum(int64_t c, F f) {
  Vec sum = zero();
  int64_t i = 0;
  for (; i + kLanes <= c; i += kLanes) sum = sum + f(i, Whole{});
  if (i < c) {
    const int n = static_cast<int>(c - i);
    sum = sum + select(mask_first(n), f(i, Part{n}), zero());
  }
  return reduce_add(sum);
}

/// The row's sum of exp(x - top).
NABI_INLINE float row_exp_sum(const float* x, int64_t c, Vec top) {
  return row_sum(c, [&](int64_t i, auto lanes) __attribute__((always_inline)) { return exp(lanes.load(x + i) - top); });
}

void softmax_f32(const Args& args, int64_t first, int64_t last, char*) {
  if (is_short(args)) {
    return over_blocks(
        args, first, last, [&](const SoftmaxParams& p, int64_t r, int64_t rows) __attribute__((always_inline)) {
          Columns x(operand<const float>(args, 0) + r * p.c, rows, p.c);
          const Vec top = x.top(p.c);
          Vec sum = exp(x.get(0) - top);
          x.set(0, sum);
          for (int64_t j = 1; j < p.c; ++j) {
            const Vec e = exp(x.get(j) - top);
            x.set(j, e);
            sum = sum + e;
          }
          for (int64_t j = 0; j < p.c; ++j) x.set(j, x.get(j) / sum);
          x.write(operand<float>(args, 1) + r * p.c, rows, p.c);
        });
  }
  over_rows(
      args, first, last, [&](const SoftmaxParams& p, int64_t r) __attribute__((always_inline)) {
        const float* x = operand<const float>(args, 0) + r * p.c;
        float* y = operand<float>(args, 1) + r * p.c;
        const Vec top = row_max(x, p.c);
        if (p.c <= kLanes) {
          const int n = static_cast<int>(p.c);
          const Vec e = select(mask_first(n), exp(load(x, n) - top), zero());
          return store(y, e / splat(reduce_add(e)), n);
        }
        const float sum = row_sum(
            p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              const Vec e = exp(lanes.load(x + i) - top);
              lanes.store(y + i, e);
              return e;
            });
        const Vec inverse = splat(1.0f / sum);
        over_lanes(
            0, p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              lanes.store(y + i, lanes.load(y + i) * inverse);
            });
      });
}

void log_softmax_f32(const Args& args, int64_t first, int64_t last, char*) {
  over_rows(
      args, first, last, [&](const SoftmaxParams& p, int64_t r) __attribute__((always_inline)) {
        const float* x = operand<const float>(args, 0) + r * p.c;
        float* y = operand<float>(args, 1) + r * p.c;
        const Vec top = row_max(x, p.c);
        const Vec total = log(splat(row_exp_sum(x, p.c, top)));
        over_lanes(
            0, p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              lanes.store(y + i, lanes.load(x + i) - top - total);
            });
      });
}

void softmax_cross_entropy_f32(const Args& args, int64_t first, int64_t last, char*) {
  if (is_short(args)) {
    return over_blocks(
        args, first, last, [&](const SoftmaxParams& p, int64_t r, int64_t rows) __attribute__((always_inline)) {
          const Columns x(operand<const float>(args, 0) + r * p.c, rows, p.c);
          const Columns t(operand<const float>(args, 1) + r * p.c, rows, p.c);
          const Vec top = x.top(p.c), total = x.log_sum(p.c, top);
          Vec loss = zero();
          for (int64_t j = 0; j < p.c; ++j) loss = loss + t.get(j) * (total - (x.get(j) - top));
          store(operand<float>(args, 2) + r, loss, static_cast<int>(rows));
        });
  }
  over_rows(
      args, first, last, [&](const SoftmaxParams& p, int64_t r) __attribute__((always_inline)) {
        const float* x = operand<const float>(args, 0) + r * p.c;
        const float* t = operand<const float>(args, 1) + r * p.c;
        const Vec top = row_max(x, p.c);
        const Vec total = log(splat(row_exp_sum(x, p.c, top)));
        operand<float>(args, 2)[r] = row_sum(
            p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              return lanes.load(t + i) * (total - (lanes.load(x + i) - top));
            });
      });
}

void softmax_cross_entropy_grad_f32(const Args& args, int64_t first, int64_t last, char*) {
  over_rows(
      args, first, last, [&](const SoftmaxParams& p, int64_t r) __attribute__((always_inline)) {
        const float* probs = operand<const float>(args, 0) + r * p.c;
        const float* t = operand<const float>(args, 1) + r * p.c;
        float* out = operand<float>(args, 3) + r * p.c;
        const Vec g = splat(operand<const float>(args, 2)[p.one_gradient ? 0 : r]);
        const Vec mass = splat(
            row_sum(p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) { return lanes.load(t + i); }));
        over_lanes(
            0, p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              lanes.store(out + i, fma(lanes.load(probs + i), mass, -lanes.load(t + i)) * g);
            });
      });
}

void sparse_softmax_cross_entropy_f32(const Args& args, int64_t first, int64_t last, char*) {
  if (is_short(args)) {
    return over_blocks(
        args, first, last, [&](const SoftmaxParams& p, int64_t r, int64_t rows) __attribute__((always_inline)) {
          const float* from = operand<const float>(args, 0) + r * p.c;
          const Columns x(from, rows, p.c);
          const Vec top = x.top(p.c), total = x.log_sum(p.c, top);
          alignas(64) float own[kLanes] = {};
          for (int64_t k = 0; k < rows; ++k) {
            const int64_t label = label_of(args, p, r + k);
            own[k] = label < 0 ? 0 : from[k * p.c + label];  // the step is given up where there is none
          }
          store(operand<float>(args, 2) + r, total - (load(own) - top), static_cast<int>(rows));
        });
  }
  over_rows(
      args, first, last, [&](const SoftmaxParams& p, int64_t r) __attribute__((always_inline)) {
        const int64_t label = label_of(args, p, r);
        float* loss = operand<float>(args, 2) + r;
        *loss = 0;
        if (label < 0) return;
        const float* x = operand<const float>(args, 0) + r * p.c;
        const Vec top = row_max(x, p.c);
        const float total = lane0(log(splat(row_exp_sum(x, p.c, top))));
        *loss = total - (x[label] - lane0(top));
      });
}

void sparse_softmax_cross_entropy_grad_f32(const Args& args, int64_t first, int64_t last, char*) {
  if (is_short(args) && softmax_params(args).one_gradient) {
    const SoftmaxParams& p = softmax_params(args);
    const int64_t begin = first * p.task_rows, end = least(p.rows, last * p.task_rows);
    const float* probs = operand<const float>(args, 0);
    float* out = operand<float>(args, 3);
    const float g = *operand<const float>(args, 2);
    int64_t done = begin;
    float own[64];  // out may lie over probs
    for (int64_t r = begin; r < end; r = done) {
      done = least(end, r + 64);
      for (int64_t k = r; k < done; ++k) {
        const int64_t label = label_of(args, p, k);
        own[k - r] = label < 0 ? 0 : (probs[k * p.c + label] - 1.0f) * g;
      }
      over_lanes(
          r * p.c, done * p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
            lanes.store(out + i, lanes.load(probs + i) * splat(g));
          });
      for (int64_t k = r; k < done; ++k) {
        const int64_t label = label_of(args, p, k);
        if (label >= 0) out[k * p.c + label] = own[k - r];
      }
    }
    return;
  }
  over_rows(
      args, first, last, [&](const SoftmaxParams& p, int64_t r) __attribute__((always_inline)) {
        const int64_t label = label_of(args, p, r);
        if (label < 0) return;
        const float* probs = operand<const float>(args, 0) + r * p.c;
        float* out = operand<float>(args, 3) + r * p.c;
        const float g = operand<const float>(args, 2)[p.one_gradient ? 0 : r];
        const float own = (probs[label] - 1.0f) * g;
        over_lanes(
            0, p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              lanes.store(out + i, lanes.load(probs + i) * splat(g));
            });
        out[label] = own;
      });
}

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC

// float64: plain loops, for gradient checks.

struct RowSum {
  double top, total;  // the largest element, and the log of the sum of exp(x - top)
};

RowSum row_log_sum(const double* x, int64_t c) {
  double top = -__builtin_inf(), sum = 0;
  for (int64_t i = 0; i < c; ++i) top = x[i] > top || x[i] != x[i] ? x[i] : top;
  for (int64_t i = 0; i < c; ++i) sum += __builtin_exp(x[i] - top);
  return {top, __builtin_log(sum)};
}

void log_softmax_f64(const Args& args, int64_t first, int64_t last, char*) {
  over_rows(args, first, last, [&](const SoftmaxParams& p, int64_t r) {
    const double* x = operand<const double>(args, 0) + r * p.c;
    double* y = operand<double>(args, 1) + r * p.c;
    const RowSum s = row_log_sum(x, p.c);
    for (int64_t i = 0; i < p.c; ++i) y[i] = x[i] - s.top - s.total;
  });
}

void softmax_f64(const Args& args, int64_t first, int64_t last, char* scratch) {
  log_softmax_f64(args, first, last, scratch);
  over_rows(args, first, last, [&](const SoftmaxParams& p, int64_t r) {
    double* y = operand<double>(args, 1) + r * p.c;
    for (int64_t i = 0; i < p.c; ++i) y[i] = __builtin_exp(y[i]);
  });
}

void softmax_cross_entropy_f64(const Args& args, int64_t first, int64_t last, char*) {
  over_rows(args, first, last, [&](const SoftmaxParams& p, int64_t r) {
    const double *x = operand<const double>(args, 0) + r * p.c, *t = operand<const double>(args, 1) + r * p.c;
    const RowSum s = row_log_sum(x, p.c);
    double loss = 0;
    for (int64_t i = 0; i < p.c; ++i) loss += t[i] * (s.total - (x[i] - s.top));
    operand<double>(args, 2)[r] = loss;
  });
}

void softmax_cross_entropy_grad_f64(const Args& args, int64_t first, int64_t last, char*) {
  over_rows(args, first, last, [&](const SoftmaxParams& p, int64_t r) {
    const double *probs = operand<const double>(args, 0) + r * p.c, *t = operand<const double>(args, 1) + r * p.c;
    const double g = operand<const double>(args, 2)[p.one_gradient ? 0 : r];
    double* out = operand<double>(args, 3) + r * p.c;
    double mass = 0;
    for (int64_t i = 0; i < p.c; ++i) mass += t[i];
    for (int64_t i = 0; i < p.c; ++i) out[i] = (probs[i] * mass - t[i]) * g;
  });
}

void sparse_softmax_cross_entropy_f64(const Args& args, int64_t first, int64_t last, char*) {
  over_rows(args, first, last, [&](const SoftmaxParams& p, int64_t r) {
    const int64_t label = label_of(args, p, r);
    const double* x = operand<const double>(args, 0) + r * p.c;
    const RowSum s = row_log_sum(x, p.c);
    operand<double>(args, 2)[r] = label < 0 ? 0 : s.total - (x[label] - s.top);
  });
}

void sparse_softmax_cross_entropy_grad_f64(const Args& args, int64_t first, int64_t last, char*) {
  over_rows(args, first, last, [&](const SoftmaxParams& p, int64_t r) {
    const int64_t label = label_of(args, p, r);
    const double* probs = operand<const double>(args, 0) + r * p.c;
    const double g = operand<const double>(args, 2)[p.one_gradient ? 0 : r];
    double* out = operand<double>(args, 3) + r * p.c;
    for (int64_t i = 0; i < p.c; ++i) out[i] = (probs[i] - (i == label ? 1 : 0)) * g;
  });
}

#endif

}  // namespace

void fill_softmax(KernelTable& table) {
  table.softmax_f32 = softmax_f32;
  table.log_softmax_f32 = log_softmax_f32;
  table.softmax_cross_entropy_f32 = softmax_cross_entropy_f32;
  table.softmax_cross_entropy_grad_f32 = softmax_cross_entropy_grad_f32;
  table.sparse_softmax_cross_entropy_f32 = sparse_softmax_cross_entropy_f32;
  table.sparse_softmax_cross_entropy_grad_f32 = sparse_softmax_cross_entropy_grad_f32;
#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
  table.softmax_f64 = softmax_f64;
  table.log_softmax_f64 = log_softmax_f64;
  table.softmax_cross_entropy_f64 = softmax_cross_entropy_f64;
  table.softmax_cross_entropy_grad_f64 = softmax_cross_entropy_grad_f64;
  table.sparse_softmax_cross_entropy_f64 = sparse_softmax_cross_entropy_f64;
  table.sparse_softmax_cross_entropy_grad_f64 = sparse_softmax_cross_entropy_grad_f64;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
