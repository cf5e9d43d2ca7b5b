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

/// The learning rate, the operand behind those of all variables, `taken` of each.
NABI_INLINE double rate(const Args& args, const UpdateParams& p, int taken) {
  const char* at = args.ptr[p.segments * taken];
  return p.wide_rate ? *reinterpret_cast<const double*>(at) : static_cast<double>(*reinterpret_cast<const float*>(at));
}

/// Operands of one variable: the variable, its gradient and kSlots slots; then where variable and slots go.
template <class T, int kSlots>
struct Streams {
  const typename T::Scalar *var, *g, *slot[2];
  typename T::Scalar *out, *out_slot[2];
  typename T::Value l2;
  bool penalised;

  NABI_INLINE Streams(const Args& args, const UpdateParams& p, int64_t segment)
      : slot{}, out_slot{}, l2(T::spread(p.l2)), penalised(p.l2 != 0) {
    constexpr int kTaken = 2 + kSlots, kMade = 1 + kSlots;
    char* const* in = args.ptr + segment * kTaken;
    char* const* made = args.ptr + p.segments * kTaken + 1 + segment * kMade;
    var = reinterpret_cast<const typename T::Scalar*>(in[0]);
    g = reinterpret_cast<const typename T::Scalar*>(in[1]);
    out = reinterpret_cast<typename T::Scalar*>(made[0]);
    for (int k = 0; k < kSlots; ++k) {
      slot[k] = reinterpret_cast<const typename T::Scalar*>(in[2 + k]);
      out_slot[k] = reinterpret_cast<typename T::Scalar*>(made[1 + k]);
    }
  }

  NABI_INLINE auto gradient(int64_t i, int n) const {
    const auto own = T::load(g + i, n);
    return penalised ? own + l2 * T::load(var + i, n) : own;
  }
};

/// body(streams, element, lanes) over the elements of a run of tasks.
template <class T, int kSlots, class F>
NABI_INLINE void over(const Args& args, const UpdateParams& p, int64_t first, int64_t last, F body) {
  const auto* segments = reinterpret_cast<const UpdateSegment*>(&p + 1);
  const int64_t begin = first * p.chunk, end = last * p.chunk < p.total ? last * p.chunk : p.total;
  int64_t low = 0, high = p.segments;  // the last segment that begins no later
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (segments[middle].begin <= begin ? low : high) = middle;
  }
  for (int64_t s = low; s < p.segments && segments[s].begin < end; ++s) {
    const Streams<T, kSlots> streams(args, p, s);
    const int64_t size = segments[s].size;
    int64_t i = begin > segments[s].begin ? begin - segments[s].begin : 0;
    const int64_t stop = end - segments[s].begin < size ? end - segments[s].begin : size;
    for (; i + T::kStep <= stop; i += T::kStep) body(streams, i, T::kStep);
    if (i < stop) body(streams, i, static_cast<int>(stop - i));
  }
}

NABI_INLINE const UpdateParams& params(const Args& args) { return *static_cast<const UpdateParams*>(args.params); }

/// var - lr * g
template <class T>
void sgd_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = params(args);
  const auto lr = T::spread(rate(args, p, 2));
  over<T, 0>(
      args, p, first, last, [&](const auto& s, int64_t i, int n) __attribute__((always_inline)) {
        T::store(s.out + i, fnma(lr, s.gradient(i, n), T::load(s.var + i, n)), n);
      });
}

/// m = momentum * m - lr * g; var + m, or with Nesterov var + momentum * m - lr * g
template <class T>
void sgd_momentum_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = params(args);
  const auto lr = T::spread(rate(args, p, 3)), momentum = T::spread(p.a);
  const bool nesterov = p.nesterov != 0;
  over<T, 1>(
      args, p, first, last, [&](const auto& s, int64_t i, int n) __attribute__((always_inline)) {
        const auto step = lr * s.gradient(i, n);
        const auto next = fma(momentum, T::load(s.slot[0] + i, n), -step);
        T::store(s.out + i, T::load(s.var + i, n) + (nesterov ? fma(momentum, next, -step) : next), n);
        T::store(s.out_slot[0] + i, next, n);
      });
}

/// m += (g - m)(1 - beta_1); v += (g * g - v)(1 - beta_2); var - alpha * m / (sqrt(v) + epsilon)
template <class T>
void adam_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = params(args);
  const auto alpha = T::spread(rate(args, p, 4)), epsilon = T::spread(p.epsilon);
  const auto a = T::spread(p.a), b = T::spread(p.b);
  over<T, 2>(
      args, p, first, last, [&](const auto& s, int64_t i, int n) __attribute__((always_inline)) {
        const auto grad = s.gradient(i, n);
        const auto old_m = T::load(s.slot[0] + i, n), old_v = T::load(s.slot[1] + i, n);
        const auto next_m = fma(grad - old_m, a, old_m);
        const auto next_v = fma(fma(grad, grad, -old_v), b, old_v);
        T::store(s.out + i, T::load(s.var + i, n) - alpha * next_m / (root(next_v) + epsilon), n);
        T::store(s.out_slot[0] + i, next_m, n);
        T::store(s.out_slot[1] + i, next_v, n);
      });
}

/// v = rho * v + (1 - rho) * g * g; var - lr * g / sqrt(v + epsilon)
template <class T>
void rmsprop_update(const Args& args, int64_t first, int64_t last, char*) {
  const UpdateParams& p = params(args);
  const auto lr = T::spread(rate(args, p, 3)), epsilon = T::spread(p.epsilon);
  const auto a = T::spread(p.a), b = T::spread(p.b);
  over<T, 1>(
      args, p, first, last, [&](const auto& s, int64_t i, int n) __attribute__((always_inline)) {
        const auto grad = s.gradient(i, n);
        const auto next = fma(a, T::load(s.slot[0] + i, n), b * (grad * grad));
        T::store(s.out + i, T::load(s.var + i, n) - lr * grad / root(next + epsilon), n);
        T::store(s.out_slot[0] + i, next, n);
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
