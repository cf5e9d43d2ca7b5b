// csrc/cpu/update.cpp -- optimizer steps, one pass over memory, in place or not
#include "cpu/update.h"

#include <stdint.h>

#include "cpu/kernels.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

/// What an update works on: a vector of float32, of which the last one of a variable is loaded and stored in part.
struct F32 {
  using Scalar = float;
  using Value = Vec;
  static constexpr int kStep = kLanes;
  static NABI_INLINE Vec load(const float* p, int n) { return n == kLanes ? NABI_ISA::load(p) : NABI_ISA::load(p, n); }
  static NABI_INLINE void store(float* p, Vec v, int n) {
    n == kLanes ? NABI_ISA::store(p, v) : NABI_ISA::store(p, v, n);
  }
  static NABI_INLINE Vec spread(double x) { return splat(static_cast<float>(x)); }
};

NABI_INLINE Vec root(Vec x) { return sqrt(x); }

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC

/// One float64.
struct F64 {
  using Scalar = double;
  using Value = double;
  static constexpr int kStep = 1;
  static NABI_INLINE double load(const double* p, int) { return *p; }
  static NABI_INLINE void store(double* p, double v, int) { *p = v; }
  static NABI_INLINE double spread(double x) { return x; }
};

NABI_INLINE double root(double x) { return __builtin_sqrt(x); }
NABI_INLINE double fma(double a, double b, double c) { return a * b + c; }
NABI_INLINE double fnma(double a, double b, double c) { return c - a * b; }

#endif

/// The learning rate, operand number `operand`.
NABI_INLINE double rate(const Args& args, const UpdateParams& p, int operand) {
  return p.wide_rate ? *reinterpret_cast<const double*>(args.ptr[operand])
                     : static_cast<double>(*reinterpret_cast<const float*>(args.ptr[operand]));
}

/// body(element, lanes) over the elements of a run of tasks.
template <class T, class F>
NABI_INLINE void over(const UpdateParams& p, int64_t first, int64_t last, F body) {
  const int64_t end = last * p.chunk < p.total ? last * p.chunk : p.total;
  int64_t i = first * p.chunk;
  for (; i + T::kStep <= end; i += T::kStep) body(i, T::kStep);
  if (i < end) body(i, static_cast<int>(end - i));
}

template <class T>
NABI_INLINE typename T::Scalar* operand(const Args& args, int i) {
  return reinterpret_cast<typename T::Scalar*>(args.ptr[i]);
}

/// var - lr * g
template <class T>
void sgd_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = *static_cast<const UpdateParams*>(args.params);
  const auto lr = T::spread(rate(args, p, 2));
  const auto *var = operand<T>(args, 0), *g = operand<T>(args, 1);
  auto* out = operand<T>(args, 3);
  over<T>(
      p, first, last, [&](int64_t i, int n) __attribute__((always_inline)) {
        T::store(out + i, fnma(lr, T::load(g + i, n), T::load(var + i, n)), n);
      });
}

/// m = momentum * m - lr * g; var + m, or with Nesterov var + momentum * m - lr * g
template <class T>
void sgd_momentum_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = *static_cast<const UpdateParams*>(args.params);
  const auto lr = T::spread(rate(args, p, 3)), momentum = T::spread(p.a);
  const auto *var = operand<T>(args, 0), *g = operand<T>(args, 1), *m = operand<T>(args, 2);
  auto *out = operand<T>(args, 4), *out_m = operand<T>(args, 5);
  const bool nesterov = p.nesterov != 0;
  over<T>(
      p, first, last, [&](int64_t i, int n) __attribute__((always_inline)) {
        const auto step = lr * T::load(g + i, n);
        const auto next = fma(momentum, T::load(m + i, n), -step);
        T::store(out + i, T::load(var + i, n) + (nesterov ? fma(momentum, next, -step) : next), n);
        T::store(out_m + i, next, n);
      });
}

/// m += (g - m)(1 - beta_1); v += (g * g - v)(1 - beta_2); var - alpha * m / (sqrt(v) + epsilon)
template <class T>
void adam_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = *static_cast<const UpdateParams*>(args.params);
  const auto alpha = T::spread(rate(args, p, 4)), epsilon = T::spread(p.epsilon);
  const auto a = T::spread(p.a), b = T::spread(p.b);
  const auto *var = operand<T>(args, 0), *g = operand<T>(args, 1), *m = operand<T>(args, 2), *v = operand<T>(args, 3);
  auto *out = operand<T>(args, 5), *out_m = operand<T>(args, 6), *out_v = operand<T>(args, 7);
  over<T>(
      p, first, last, [&](int64_t i, int n) __attribute__((always_inline)) {
        const auto grad = T::load(g + i, n);
        const auto old_m = T::load(m + i, n), old_v = T::load(v + i, n);
        const auto next_m = fma(grad - old_m, a, old_m);
        const auto next_v = fma(fma(grad, grad, -old_v), b, old_v);
        T::store(out + i, T::load(var + i, n) - alpha * next_m / (root(next_v) + epsilon), n);
        T::store(out_m + i, next_m, n);
        T::store(out_v + i, next_v, n);
      });
}

/// v = rho * v + (1 - rho) * g * g; var - lr * g / sqrt(v + epsilon)
template <class T>
void rmsprop_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = *static_cast<const UpdateParams*>(args.params);
  const auto lr = T::spread(rate(args, p, 3)), epsilon = T::spread(p.epsilon);
  const auto a = T::spread(p.a), b = T::spread(p.b);
  const auto *var = operand<T>(args, 0), *g = operand<T>(args, 1), *v = operand<T>(args, 2);
  auto *out = operand<T>(args, 4), *out_v = operand<T>(args, 5);
  over<T>(
      p, first, last, [&](int64_t i, int n) __attribute__((always_inline)) {
        const auto grad = T::load(g + i, n);
        const auto next = fma(a, T::load(v + i, n), b * (grad * grad));
        T::store(out + i, T::load(var + i, n) - lr * grad / root(next + epsilon), n);
        T::store(out_v + i, next, n);
      });
}

}  // namespace

void fill_update(KernelTable& table) {
  table.sgd_update_f32 = sgd_update<F32>;
  table.sgd_momentum_update_f32 = sgd_momentum_update<F32>;
  table.adam_update_f32 = adam_update<F32>;
  table.rmsprop_update_f32 = rmsprop_update<F32>;
#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
  table.sgd_update_f64 = sgd_update<F64>;
  table.sgd_momentum_update_f64 = sgd_momentum_update<F64>;
  table.adam_update_f64 = adam_update<F64>;
  table.rmsprop_update_f64 = rmsprop_update<F64>;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
