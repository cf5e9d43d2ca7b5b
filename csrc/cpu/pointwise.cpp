// csrc/cpu/pointwise.cpp -- elementwise ops: one function per op over a block in the first cache, and their interpreter
#include "cpu/pointwise.h"

#include "cpu/kernels.h"
#include "cpu/math.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

constexpr float infinity = kInfinity;

/// Sixteen floats that mix with plain numbers, so that a row of elementwise.def reads as a formula.
struct Floats {
  Vec v;
  NABI_INLINE Floats(Vec x) : v(x) {}
  NABI_INLINE Floats(float x) : v(splat(x)) {}
  NABI_INLINE Floats(double x) : v(splat(static_cast<float>(x))) {}
  NABI_INLINE Floats(int x) : v(splat(static_cast<float>(x))) {}
};

#define NABI_OPERATOR(Result, op, expression) \
  NABI_INLINE Result operator op(Floats a, Floats b) { return expression; }
NABI_OPERATOR(Floats, +, a.v + b.v)
NABI_OPERATOR(Floats, -, a.v - b.v)
NABI_OPERATOR(Floats, *, a.v* b.v)
NABI_OPERATOR(Floats, /, a.v / b.v)
NABI_OPERATOR(Mask, <, lt(a.v, b.v))
NABI_OPERATOR(Mask, <=, le(a.v, b.v))
NABI_OPERATOR(Mask, >, gt(a.v, b.v))
NABI_OPERATOR(Mask, >=, ge(a.v, b.v))
NABI_OPERATOR(Mask, ==, eq(a.v, b.v))
NABI_OPERATOR(Mask, !=, ne(a.v, b.v))
#undef NABI_OPERATOR
NABI_INLINE Floats operator-(Floats a) { return -a.v; }
NABI_INLINE Floats select(Mask m, Floats a, Floats b) { return select(m, a.v, b.v); }

#define NABI_FUNCTION(name)                               \
  NABI_INLINE Floats name(Floats a) { return name(a.v); } \
  static_assert(true)
NABI_FUNCTION(abs);
NABI_FUNCTION(sqrt);
NABI_FUNCTION(floor);
NABI_FUNCTION(ceil);
NABI_FUNCTION(rint);
NABI_FUNCTION(exp);
NABI_FUNCTION(expm1);
NABI_FUNCTION(log);
NABI_FUNCTION(log1p);
NABI_FUNCTION(tanh);
NABI_FUNCTION(erf);
NABI_FUNCTION(sigmoid);
NABI_FUNCTION(softplus);
NABI_FUNCTION(sin);
NABI_FUNCTION(cos);
NABI_FUNCTION(tan);
#undef NABI_FUNCTION
NABI_INLINE Floats max(Floats a, Floats b) { return max(a.v, b.v); }
NABI_INLINE Floats maximum(Floats a, Floats b) { return maximum(a.v, b.v); }
NABI_INLINE Floats minimum(Floats a, Floats b) { return minimum(a.v, b.v); }
NABI_INLINE Floats pow(Floats a, Floats b) { return pow(a.v, b.v); }
/// floor(a / b); the remainder tells when the quotient was rounded up to an integer.
NABI_INLINE Floats floor_divide(Floats a, Floats b) {
  const Vec q = floor(a.v / b.v), rest = fnma(q, b.v, a.v);
  const Mask over = ne(rest, zero()) & (lt(rest, zero()) ^ lt(b.v, zero())) & ~is_nan(rest);
  return select(over, q - splat(1.0f), q);
}

/// Python's remainder: the sign of b. fmod is exact, so every C library gives the same.
NABI_INLINE float mod(float a, float b) {
  const float r = __builtin_fmodf(a, b);
  if (r == 0) return __builtin_copysignf(0.0f, b);
  return (r < 0) != (b < 0) ? r + b : r;
}
NABI_INLINE Floats mod(Floats a, Floats b) {
  float x[kLanes], y[kLanes];
  store(x, a.v);
  store(y, b.v);
  for (int i = 0; i < kLanes; ++i) x[i] = mod(x[i], y[i]);
  return load(x);
}

const float* floats(const char* p) { return reinterpret_cast<const float*>(p); }

/// Where results go: floats as they are, masks as bytes of 0 and 1.
NABI_INLINE void put(char* out, int64_t i, Floats x) { store(reinterpret_cast<float*>(out) + i, x.v); }
NABI_INLINE void put(char* out, int64_t i, Floats x, int n) { store(reinterpret_cast<float*>(out) + i, x.v, n); }
NABI_INLINE void put(char* out, int64_t i, Mask x, int n = kLanes) {
  store_bool(reinterpret_cast<uint8_t*>(out) + i, x, n);
}

/// Runs f over a block. f(i) is given the index of the first of sixteen lanes, f(i, n) of the last few.
template <class F>
NABI_INLINE void sweep(int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i);
  if (i < n) f(i, static_cast<int>(n - i));
}

template <class Op>
void unary(char* out, const char* const* in, int64_t n, const PointwiseStep& self) {
  const Floats alpha(static_cast<float>(self.alpha));
  const float* x = floats(in[0]);
  struct Body {
    char* out;
    const float* x;
    Floats alpha;
    NABI_INLINE void operator()(int64_t i) const { put(out, i, Op::value(load(x + i), alpha)); }
    NABI_INLINE void operator()(int64_t i, int rest) const { put(out, i, Op::value(load(x + i, rest), alpha), rest); }
  };
  sweep(n, Body{out, x, alpha});
}

template <class Op, int scalars>
void binary(char* out, const char* const* in, int64_t n, const PointwiseStep&) {
  struct Body {
    char* out;
    const float* a;
    const float* b;
    Vec one;  // the operand that is a scalar
    NABI_INLINE void operator()(int64_t i) const {
      put(out, i, Op::value(scalars == 2 ? one : load(a + i), scalars == 1 ? one : load(b + i)));
    }
    NABI_INLINE void operator()(int64_t i, int rest) const {
      put(out, i, Op::value(scalars == 2 ? one : load(a + i, rest), scalars == 1 ? one : load(b + i, rest)), rest);
    }
  };
  sweep(n, Body{out, floats(in[0]), floats(in[1]), splat(scalars == 2 ? floats(in[0])[0] : floats(in[1])[0])});
}

template <int scalars>
void choose(char* out, const char* const* in, int64_t n, const PointwiseStep&) {
  struct Body {
    char* out;
    const uint8_t* condition;
    const float* a;
    const float* b;
    Vec one_a, one_b;
    NABI_INLINE void operator()(int64_t i) const {
      const Mask m = load_bool(condition + i, kLanes);
      put(out, i, Floats(select(m, scalars & 2 ? one_a : load(a + i), scalars & 1 ? one_b : load(b + i))));
    }
    NABI_INLINE void operator()(int64_t i, int rest) const {
      const Mask m = load_bool(condition + i, rest);
      put(out, i, Floats(select(m, scalars & 2 ? one_a : load(a + i, rest), scalars & 1 ? one_b : load(b + i, rest))),
          rest);
    }
  };
  const float *a = floats(in[1]), *b = floats(in[2]);
  sweep(n, Body{out, reinterpret_cast<const uint8_t*>(in[0]), a, b, splat(a[0]), splat(b[0])});
}

// The rows as types.
#define NABI_ROW1(name, expression)                                                               \
  struct row_##name {                                                                             \
    static NABI_INLINE auto value(Floats x, [[maybe_unused]] Floats alpha) { return expression; } \
  };
#define NABI_ROW2(name, expression)                                          \
  struct row_##name {                                                        \
    static NABI_INLINE auto value(Floats a, Floats b) { return expression; } \
  };
#define NABI_UNARY(name, dtypes, cost, value, gradient) NABI_ROW1(name, value)
#define NABI_STEP(name, dtypes, cost, value) NABI_ROW1(name, value)
#define NABI_ALPHA(name, initial, cost, value, gradient) NABI_ROW1(name, value)
#define NABI_TEST(name, value) NABI_ROW1(name, value)
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) NABI_ROW2(name, value)
#define NABI_BINARY_STEP(name, dtypes, cost, value) NABI_ROW2(name, value)
#define NABI_COMPARE(name, traits, value) NABI_ROW2(name, value)
#include "ops/elementwise.def"
#undef NABI_ROW1
#undef NABI_ROW2

#define NABI_RUN1(name) {unary<row_##name>, nullptr, nullptr, nullptr},
#define NABI_RUN2(name) {binary<row_##name, 0>, binary<row_##name, 1>, binary<row_##name, 2>, nullptr},
constexpr PointwiseFloats kFloatBlocks = {{
#define NABI_UNARY(name, dtypes, cost, value, gradient) NABI_RUN1(name)
#define NABI_STEP(name, dtypes, cost, value) NABI_RUN1(name)
#define NABI_ALPHA(name, initial, cost, value, gradient) NABI_RUN1(name)
#define NABI_TEST(name, value) NABI_RUN1(name)
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) NABI_RUN2(name)
#define NABI_BINARY_STEP(name, dtypes, cost, value) NABI_RUN2(name)
#define NABI_COMPARE(name, traits, value) NABI_RUN2(name)
#define NABI_LOGICAL(name, value) {nullptr, nullptr, nullptr, nullptr},
#include "ops/elementwise.def"
    {nullptr, nullptr, nullptr, nullptr},  // logical_not
    {choose<0>, choose<1>, choose<2>, choose<3>},
}};
#undef NABI_RUN1
#undef NABI_RUN2

/// Not a step: hands the table above to the lowering, which puts its functions into programs.
void pointwise_floats(const Args& args, int64_t, int64_t, char*) {
  const PointwiseFloats* table = &kFloatBlocks;
  memcpy(args.ptr[0], &table, sizeof table);
}

#if NABI_ISA_GENERIC
}  // namespace
}  // namespace nabi::cpu::NABI_ISA

#include "cpu/pointwise_others.h"

namespace nabi::cpu::NABI_ISA {
namespace {

void pointwise_others(const Args& args, int64_t, int64_t, char*) {
  const PointwiseOthers* table = &kOtherBlocks;
  memcpy(args.ptr[0], &table, sizeof table);
}

/// Copies elements [start, start + n) of the iteration space of a broadcast operand.
template <class T>
void expand(const PointwiseExpand& e, const char* from, char* to, int64_t start, int64_t n) {
  const T* source = reinterpret_cast<const T*>(from);
  T* out = reinterpret_cast<T*>(to);
  const int last = e.rank - 1;
  int64_t index[kPointwiseRank];
  int64_t offset = 0;
  for (int d = last; d >= 0; --d) {
    index[d] = start % e.dims[d];
    start /= e.dims[d];
    offset += index[d] * e.strides[d];
  }
  while (n > 0) {
    int64_t run = e.dims[last] - index[last];
    if (run > n) run = n;
    if (e.strides[last] == 0) {
      const T x = source[offset];
      for (int64_t i = 0; i < run; ++i) out[i] = x;
    } else {
      for (int64_t i = 0; i < run; ++i) out[i] = source[offset + i];
    }
    out += run;
    n -= run;
    offset -= index[last] * e.strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      offset += e.strides[d];
      if (++index[d] < e.dims[d]) break;
      offset -= e.dims[d] * e.strides[d];
      index[d] = 0;
    }
  }
}

void expand(const PointwiseExpand& e, const char* from, char* to, int64_t start, int64_t n) {
  if (e.size == 4) return expand<uint32_t>(e, from, to, start, n);
  if (e.size == 8) return expand<uint64_t>(e, from, to, start, n);
  expand<uint8_t>(e, from, to, start, n);
}

NABI_INLINE void run_step(const PointwiseStep& step, char* const* at, int64_t n) {
  const char* in[3] = {at[step.in[0]], at[step.in[1]], at[step.in[2]]};
  step.run(at[step.out], in, n, step);
}

/// Tasks are ranges of blocks of the output index.
void pointwise(const Args& args, int64_t first, int64_t last, char* scratch) {
  const char* params = static_cast<const char*>(args.params);
  const PointwiseParams& p = *reinterpret_cast<const PointwiseParams*>(params);
  const PointwiseSlot* slots = reinterpret_cast<const PointwiseSlot*>(params + p.slots_at);
  const PointwiseExpand* expands = reinterpret_cast<const PointwiseExpand*>(params + p.expands_at);
  const PointwiseStep* prologue = reinterpret_cast<const PointwiseStep*>(params + p.steps_at);
  const PointwiseStep* steps = prologue + p.prologue;
  const PointwiseCopy* copies = reinterpret_cast<const PointwiseCopy*>(params + p.copies_at);
  char** at = reinterpret_cast<char**>(scratch);

  for (int s = 0; s < p.slots; ++s) {
    const PointwiseSlot& slot = slots[s];
    switch (slot.place) {
      case PointwisePlace::kStream:
        break;
      case PointwisePlace::kPeriod: {
        char* to = scratch + slot.offset;
        const int64_t bytes = slot.period * slot.size;
        const int64_t end = (slot.period + (p.block < p.count ? p.block : p.count)) * slot.size;
        for (int64_t i = 0; i < end; i += bytes) {
          memcpy(to + i, args.ptr[slot.at], static_cast<size_t>(bytes < end - i ? bytes : end - i));
        }
        break;
      }
      case PointwisePlace::kScratch:
        at[s] = scratch + slot.offset;
        break;
      case PointwisePlace::kOperand:
        at[s] = args.ptr[slot.at];
        break;
      case PointwisePlace::kNumber:
        at[s] = const_cast<char*>(params) + slot.offset;
        break;
    }
  }
  for (int i = 0; i < p.prologue; ++i) run_step(prologue[i], at, prologue[i].n);

  const int64_t end = last * p.blocks_per_task * p.block;
  const int64_t stop = end < p.count ? end : p.count;
  for (int64_t start = first * p.blocks_per_task * p.block; start < stop; start += p.block) {
    const int64_t n = stop - start < p.block ? stop - start : p.block;
    for (int s = 0; s < p.moving; ++s) {
      const PointwiseSlot& slot = slots[s];
      at[s] = slot.place == PointwisePlace::kStream ? args.ptr[slot.at] + start * slot.size
                                                    : scratch + slot.offset + start % slot.period * slot.size;
    }
    for (int i = 0; i < p.expands; ++i) {
      expand(expands[i], args.ptr[expands[i].from], at[expands[i].to], start, n);
    }
    for (int i = 0; i < p.steps; ++i) run_step(steps[i], at, n);
    for (int i = 0; i < p.copies; ++i) {
      memcpy(args.ptr[copies[i].to] + start * copies[i].size, at[copies[i].from],
             static_cast<size_t>(n * copies[i].size));
    }
  }
}
#endif

}  // namespace

void fill_pointwise(KernelTable& table) {
  table.pointwise_floats = pointwise_floats;
#if NABI_ISA_GENERIC
  table.pointwise_others = pointwise_others;
  table.pointwise = pointwise;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
