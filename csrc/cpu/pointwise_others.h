// csrc/cpu/pointwise_others.h -- block functions for float64, integers and bools, casts and fills; part of
// pointwise.cpp
//
// Compiled for the generic instruction set only. float64 uses the C library: its bits are not promised.
#pragma once

namespace nabi::cpu::NABI_ISA {
namespace {

template <class T>
constexpr bool kIsFloat = static_cast<T>(0.5) != 0;

template <class T>
struct Wrapping {
  using type = T;
};
template <>
struct Wrapping<int32_t> {
  using type = uint32_t;
};
template <>
struct Wrapping<int64_t> {
  using type = uint64_t;
};

/// x^y by squaring; integers have no reciprocals, so a negative power of anything but 1 and -1 is 0.
template <class T>
T integer_power(T x, T y) {
  using U = typename Wrapping<T>::type;
  if (y < 0) return x == 1 ? 1 : static_cast<T>(x + 1) == 0 ? static_cast<T>((y & 1) ? x : 1) : 0;
  U base = static_cast<U>(x), out = 1;
  for (; y > 0; y >>= 1) {
    if (y & 1) out = static_cast<U>(out * base);
    base = static_cast<U>(base * base);
  }
  return static_cast<T>(out);
}

/// One number of type T that mixes with plain numbers, so that a row of elementwise.def reads as a formula. Integers
/// wrap around; dividing one by 0 gives 0, as NumPy does.
template <class T>
struct Number {
  using U = typename Wrapping<T>::type;
  T v;

  Number() = default;
  template <class N>
  NABI_INLINE Number(N x) : v(static_cast<T>(x)) {}

#define NABI_WRAP(op) \
  friend NABI_INLINE Number operator op(Number a, Number b) { return static_cast<U>(a.v) op static_cast<U>(b.v); }
  NABI_WRAP(+)
  NABI_WRAP(-)
  NABI_WRAP(*)
#undef NABI_WRAP
#define NABI_TEST_OPERATOR(op) \
  friend NABI_INLINE bool operator op(Number a, Number b) { return a.v op b.v; }
  NABI_TEST_OPERATOR(<)
  NABI_TEST_OPERATOR(<=)
  NABI_TEST_OPERATOR(>)
  NABI_TEST_OPERATOR(>=)
  NABI_TEST_OPERATOR(==)
  NABI_TEST_OPERATOR(!=)
#undef NABI_TEST_OPERATOR
  friend NABI_INLINE Number operator-(Number a) {
    if constexpr (kIsFloat<T>) {
      return -a.v;
    } else {
      return static_cast<U>(0) - static_cast<U>(a.v);
    }
  }
  friend NABI_INLINE Number operator/(Number a, Number b) { return a.v / b.v; }
  friend NABI_INLINE Number operator&(Number a, Number b) { return a.v & b.v; }
  friend NABI_INLINE Number operator|(Number a, Number b) { return a.v | b.v; }
  friend NABI_INLINE Number operator^(Number a, Number b) { return a.v ^ b.v; }
  friend NABI_INLINE Number select(bool m, Number a, Number b) { return m ? a : b; }
  friend NABI_INLINE Number max(Number a, Number b) { return a.v > b.v ? a : b; }
  friend NABI_INLINE Number maximum(Number a, Number b) { return b.v > a.v || b.v != b.v ? b : a; }
  friend NABI_INLINE Number minimum(Number a, Number b) { return b.v < a.v || b.v != b.v ? b : a; }
  friend NABI_INLINE Number abs(Number a) {
    if constexpr (kIsFloat<T>) {
      return __builtin_fabs(a.v);
    } else {
      return a < 0 ? -a : a;
    }
  }
  friend NABI_INLINE Number pow(Number a, Number b) {
    if constexpr (kIsFloat<T>) {
      return __builtin_pow(a.v, b.v);
    } else {
      return integer_power<T>(a.v, b.v);
    }
  }
  friend NABI_INLINE Number mod(Number a, Number b) {
    if constexpr (kIsFloat<T>) {
      const T r = __builtin_fmod(a.v, b.v);
      if (r == 0) return __builtin_copysign(0.0, b.v);
      return (r < 0) != (b.v < 0) ? r + b.v : r;
    } else {
      if (b.v == 0 || static_cast<T>(b.v + 1) == 0) return 0;  // INT_MIN % -1 traps
      const T r = static_cast<T>(a.v % b.v);
      return r != 0 && (r < 0) != (b.v < 0) ? static_cast<T>(r + b.v) : r;
    }
  }
  friend NABI_INLINE Number floor_divide(Number a, Number b) {
    if constexpr (kIsFloat<T>) {
      const T q = __builtin_floor(a.v / b.v), rest = __builtin_fma(-q, b.v, a.v);
      return rest == rest && rest != 0 && (rest < 0) != (b.v < 0) ? q - 1 : q;
    } else {
      if (b.v == 0) return 0;
      if (b.v < 0 && static_cast<T>(b.v + 1) == 0) return -a;
      const T q = static_cast<T>(a.v / b.v);
      return a.v % b.v != 0 && (a.v < 0) != (b.v < 0) ? static_cast<T>(q - 1) : q;
    }
  }
};

#define NABI_FUNCTION(name)                                                           \
  NABI_INLINE Number<double> name(Number<double> a) { return __builtin_##name(a.v); } \
  static_assert(true)
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
NABI_FUNCTION(sin);
NABI_FUNCTION(cos);
NABI_FUNCTION(tan);
#undef NABI_FUNCTION
NABI_INLINE Number<double> sigmoid(Number<double> a) { return 1.0 / (1.0 + __builtin_exp(-a.v)); }
NABI_INLINE Number<double> softplus(Number<double> a) {
  return (a.v < 0 ? 0.0 : a.v) + __builtin_log1p(__builtin_exp(-__builtin_fabs(a.v)));
}

/// How results lie in memory: comparisons as bytes.
template <class T>
NABI_INLINE T plain(Number<T> x) {
  return x.v;
}
NABI_INLINE uint8_t plain(bool x) { return x; }

template <class T>
const T* as(const char* p) {
  return reinterpret_cast<const T*>(p);
}

template <class T, class Row>
void other1(char* out, const char* const* in, int64_t n, const PointwiseStep& self) {
  using R = decltype(plain(Row::value(Number<T>(0), Number<T>(0))));
  const T* x = as<T>(in[0]);
  for (int64_t i = 0; i < n; ++i)
    reinterpret_cast<R*>(out)[i] = plain(Row::value(Number<T>(x[i]), Number<T>(self.alpha)));
}

template <class T, class Row>
void other2(char* out, const char* const* in, int64_t n, const PointwiseStep& self) {
  using R = decltype(plain(Row::value(Number<T>(0), Number<T>(0))));
  const T *a = as<T>(in[0]), *b = as<T>(in[1]);
  const int64_t step_a = self.step[0], step_b = self.step[1];
  for (int64_t i = 0; i < n; ++i) {
    reinterpret_cast<R*>(out)[i] = plain(Row::value(Number<T>(a[i * step_a]), Number<T>(b[i * step_b])));
  }
}

template <class T>
void other_choose(char* out, const char* const* in, int64_t n, const PointwiseStep& self) {
  const uint8_t* condition = as<uint8_t>(in[0]);
  const T *a = as<T>(in[1]), *b = as<T>(in[2]);
  const int64_t step_a = self.step[1], step_b = self.step[2];
  for (int64_t i = 0; i < n; ++i) reinterpret_cast<T*>(out)[i] = condition[i] ? a[i * step_a] : b[i * step_b];
}

void other_not(char* out, const char* const* in, int64_t n, const PointwiseStep&) {
  for (int64_t i = 0; i < n; ++i) reinterpret_cast<uint8_t*>(out)[i] = in[0][i] == 0;
}

template <class T>
void other_fill(char* out, const char* const* in, int64_t n, const PointwiseStep&) {
  const T x = *as<T>(in[0]);
  for (int64_t i = 0; i < n; ++i) reinterpret_cast<T*>(out)[i] = x;
}

struct Bool {
  uint8_t v;
};

/// Truncates; what does not fit becomes the smallest number, as the machine's conversion does.
template <class To, class From>
NABI_INLINE To convert(From x) {
  if constexpr (kIsFloat<From> && !kIsFloat<To>) {
    if constexpr (sizeof(To) == 4) {
      return x > static_cast<From>(-2147483649.0) && x < static_cast<From>(2147483648.0) ? static_cast<To>(x)
                                                                                         : INT32_MIN;
    } else {
      const bool fits = x >= static_cast<From>(-9223372036854775808.0) && x < static_cast<From>(9223372036854775808.0);
      return static_cast<To>(fits ? static_cast<int64_t>(x) : INT64_MIN);
    }
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
struct Cast {
  static void run(char* out, const char* const* in, int64_t n, const PointwiseStep&) {
    for (int64_t i = 0; i < n; ++i) reinterpret_cast<To*>(out)[i] = convert<To>(as<From>(in[0])[i]);
  }
};
template <class From>
struct Cast<From, Bool> {
  static void run(char* out, const char* const* in, int64_t n, const PointwiseStep&) {
    for (int64_t i = 0; i < n; ++i) reinterpret_cast<uint8_t*>(out)[i] = as<From>(in[0])[i] != 0;
  }
};

// The rows as types, for any T that they take.
#define NABI_ROW1(name, expression)                                                                     \
  template <class T>                                                                                    \
  struct other_##name {                                                                                 \
    static NABI_INLINE auto value(Number<T> x, [[maybe_unused]] Number<T> alpha) { return expression; } \
  };
#define NABI_ROW2(name, expression)                                                \
  template <class T>                                                               \
  struct other_##name {                                                            \
    static NABI_INLINE auto value(Number<T> a, Number<T> b) { return expression; } \
  };
#define NABI_UNARY(name, dtypes, cost, value, gradient) NABI_ROW1(name, value)
#define NABI_STEP(name, dtypes, cost, value) NABI_ROW1(name, value)
#define NABI_ALPHA(name, initial, cost, value, gradient) NABI_ROW1(name, value)
#define NABI_TEST(name, value) NABI_ROW1(name, value)
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) NABI_ROW2(name, value)
#define NABI_BINARY_STEP(name, dtypes, cost, value) NABI_ROW2(name, value)
#define NABI_COMPARE(name, traits, value) NABI_ROW2(name, value)
#define NABI_LOGICAL(name, value) NABI_ROW2(name, value)
#include "ops/elementwise.def"
#undef NABI_ROW1
#undef NABI_ROW2

// Which of f64, integers and bool a row takes (f32 has its own table).
enum : unsigned { kFloats = 1, kNumbers = 3, kAny = 7, kBools = 4 };

template <template <class> class Row, class T, bool one, bool taken>
constexpr PointwiseBlock other() {
  if constexpr (!taken) {
    return nullptr;
  } else if constexpr (one) {
    return other1<T, Row<T>>;
  } else {
    return other2<T, Row<T>>;
  }
}

#define NABI_RUN(name, one, dtypes)                                      \
  {nullptr,                                                   /* f32 */  \
   other<other_##name, double, one, ((dtypes) & 1) != 0>(),   /* f64 */  \
   other<other_##name, int32_t, one, ((dtypes) & 2) != 0>(),  /* i32 */  \
   other<other_##name, int64_t, one, ((dtypes) & 2) != 0>(),  /* i64 */  \
   other<other_##name, uint8_t, one, ((dtypes) & 4) != 0>(),  /* bool */ \
   other<other_##name, uint8_t, one, ((dtypes) & 2) != 0>()}, /* u8 */

#define NABI_CAST(From)                                                         \
  {Cast<From, float>::run,   Cast<From, double>::run, Cast<From, int32_t>::run, \
   Cast<From, int64_t>::run, Cast<From, Bool>::run,   Cast<From, uint8_t>::run},

constexpr PointwiseOthers kOtherBlocks = {
    {
#define NABI_UNARY(name, dtypes, cost, value, gradient) NABI_RUN(name, true, dtypes)
#define NABI_STEP(name, dtypes, cost, value) NABI_RUN(name, true, dtypes)
#define NABI_ALPHA(name, initial, cost, value, gradient) NABI_RUN(name, true, kFloats)
#define NABI_TEST(name, value) NABI_RUN(name, true, kFloats)
#define NABI_BINARY(name, dtypes, cost, traits, value, gradient_a, gradient_b) NABI_RUN(name, false, dtypes)
#define NABI_BINARY_STEP(name, dtypes, cost, value) NABI_RUN(name, false, dtypes)
#define NABI_COMPARE(name, traits, value) NABI_RUN(name, false, kAny)
#define NABI_LOGICAL(name, value) NABI_RUN(name, false, kBools)
#include "ops/elementwise.def"
        {nullptr, nullptr, nullptr, nullptr, other_not, nullptr},
        {nullptr, other_choose<double>, other_choose<int32_t>, other_choose<int64_t>, other_choose<uint8_t>,
         other_choose<uint8_t>},
    },
    {NABI_CAST(float) NABI_CAST(double) NABI_CAST(int32_t) NABI_CAST(int64_t) NABI_CAST(uint8_t) NABI_CAST(uint8_t)},
    {nullptr, other_fill<uint8_t>, nullptr, nullptr, other_fill<uint32_t>, nullptr, nullptr, nullptr,
     other_fill<uint64_t>},
};
#undef NABI_RUN
#undef NABI_CAST

}  // namespace
}  // namespace nabi::cpu::NABI_ISA
