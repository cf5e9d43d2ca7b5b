// csrc/cpu/vec_generic.h -- vec.h for any machine: four GCC vectors of four lanes, FMA from the C library
#pragma once

namespace nabi::cpu::NABI_ISA {

typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));
typedef uint32_t Uint4 __attribute__((vector_size(16)));

struct Vec {
  Float4 v[4];
};
struct IVec {
  Int4 v[4];
};
struct Mask {
  Int4 v[4];
};

/// A result made of four equal statements on i.
#define NABI_FOUR(Type, expression)                      \
  {                                                      \
    Type out;                                            \
    for (int i = 0; i < 4; ++i) out.v[i] = (expression); \
    return out;                                          \
  }
/// A result made lane by lane; i is the quarter, j the lane in it.
#define NABI_SIXTEEN(Type, expression)                        \
  {                                                           \
    Type out;                                                 \
    for (int i = 0; i < 4; ++i)                               \
      for (int j = 0; j < 4; ++j) out.v[i][j] = (expression); \
    return out;                                               \
  }

NABI_INLINE Mask mask_first(int n) NABI_SIXTEEN(Mask, 4 * i + j < n ? -1 : 0) NABI_INLINE Mask operator&(Mask a, Mask b)
    NABI_FOUR(Mask, a.v[i] & b.v[i]) NABI_INLINE Mask operator|(Mask a, Mask b)
        NABI_FOUR(Mask, a.v[i] | b.v[i]) NABI_INLINE Mask operator^(Mask a, Mask b)
            NABI_FOUR(Mask, a.v[i] ^ b.v[i]) NABI_INLINE Mask operator~(Mask a)
                NABI_FOUR(Mask, ~a.v[i]) NABI_INLINE uint32_t bits(Mask a) {
  uint32_t out = 0;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) out |= (static_cast<uint32_t>(a.v[i][j]) & 1u) << (4 * i + j);
  return out;
}
NABI_INLINE bool any(Mask a) { return bits(a) != 0; }
NABI_INLINE bool all(Mask a) { return bits(a) == 0xffff; }

NABI_INLINE Vec load(const float* p) {
  Vec out;
  memcpy(&out, p, sizeof out);
  return out;
}
NABI_INLINE Vec load(const float* p, int n) NABI_SIXTEEN(Vec, 4 * i + j < n ? p[4 * i + j] : 0.0f) NABI_INLINE
    void store(float* p, Vec a) {
  memcpy(p, &a, sizeof a);
}
NABI_INLINE void store(float* p, Vec a, int n) {
  for (int k = 0; k < n; ++k) p[k] = a.v[k >> 2][k & 3];
}
NABI_INLINE IVec iload(const int32_t* p) {
  IVec out;
  memcpy(&out, p, sizeof out);
  return out;
}
NABI_INLINE IVec iload(const int32_t* p, int n) NABI_SIXTEEN(IVec, 4 * i + j < n ? p[4 * i + j] : 0) NABI_INLINE
    void istore(int32_t* p, IVec a) {
  memcpy(p, &a, sizeof a);
}
NABI_INLINE void istore(int32_t* p, IVec a, int n) {
  for (int k = 0; k < n; ++k) p[k] = a.v[k >> 2][k & 3];
}
NABI_INLINE Vec splat(float x) NABI_FOUR(Vec, (Float4{x, x, x, x})) NABI_INLINE IVec isplat(int32_t x)
    NABI_FOUR(IVec, (Int4{x, x, x, x})) NABI_INLINE Vec zero() {
  return splat(0.0f);
}

NABI_INLINE Vec operator+(Vec a, Vec b) NABI_FOUR(Vec, a.v[i] + b.v[i]) NABI_INLINE Vec operator-(Vec a, Vec b)
    NABI_FOUR(Vec, a.v[i] - b.v[i]) NABI_INLINE Vec operator*(Vec a, Vec b)
        NABI_FOUR(Vec, a.v[i] * b.v[i]) NABI_INLINE Vec operator/(Vec a, Vec b) NABI_FOUR(Vec, a.v[i] / b.v[i])
// Where the machine lacks these instructions each lane is a call, and a loop out of line saves a lot of code.
#if defined(__FP_FAST_FMAF)
            NABI_INLINE Vec fma(Vec a, Vec b, Vec c) NABI_SIXTEEN(Vec, __builtin_fmaf(a.v[i][j], b.v[i][j], c.v[i][j]))
#else
            [[maybe_unused]] static __attribute__((noinline)) void fma_lanes(const float* a, const float* b, float* c) {
  for (int i = 0; i < kLanes; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
}
NABI_INLINE Vec fma(Vec a, Vec b, Vec c) {
  fma_lanes(reinterpret_cast<const float*>(&a), reinterpret_cast<const float*>(&b), reinterpret_cast<float*>(&c));
  return c;
}
#endif
                NABI_INLINE Vec fnma(Vec a, Vec b, Vec c) {
  for (Float4& quarter : a.v) quarter = -quarter;
  return fma(a, b, c);
}
NABI_INLINE Vec sqrt(Vec a) NABI_SIXTEEN(Vec, __builtin_sqrtf(a.v[i][j]))
#define NABI_LANES(name, function)                                                \
  [[maybe_unused]] static __attribute__((noinline)) void name##_lanes(float* a) { \
    for (int i = 0; i < kLanes; ++i) a[i] = function(a[i]);                       \
  }                                                                               \
  NABI_INLINE Vec name(Vec a) {                                                   \
    name##_lanes(reinterpret_cast<float*>(&a));                                   \
    return a;                                                                     \
  }
    NABI_LANES(rint, __builtin_rintf) NABI_LANES(floor, __builtin_floorf) NABI_LANES(ceil, __builtin_ceilf)
        NABI_LANES(trunc, __builtin_truncf)
#undef NABI_LANES

            NABI_INLINE Mask lt(Vec a, Vec b) NABI_FOUR(Mask, a.v[i] < b.v[i]) NABI_INLINE Mask
    le(Vec a, Vec b) NABI_FOUR(Mask, a.v[i] <= b.v[i]) NABI_INLINE Mask gt(Vec a, Vec b)
        NABI_FOUR(Mask, a.v[i] > b.v[i]) NABI_INLINE Mask ge(Vec a, Vec b)
            NABI_FOUR(Mask, a.v[i] >= b.v[i]) NABI_INLINE Mask eq(Vec a, Vec b)
                NABI_FOUR(Mask, a.v[i] == b.v[i]) NABI_INLINE Mask ne(Vec a, Vec b) NABI_FOUR(Mask, a.v[i] != b.v[i])

                    NABI_INLINE IVec as_int(Vec a) NABI_FOUR(IVec, reinterpret_cast<Int4>(a.v[i])) NABI_INLINE Vec
    as_float(IVec a) NABI_FOUR(Vec, reinterpret_cast<Float4>(a.v[i])) NABI_INLINE IVec select(Mask m, IVec a, IVec b)
        NABI_FOUR(IVec, (m.v[i] & a.v[i]) | (~m.v[i] & b.v[i])) NABI_INLINE Vec select(Mask m, Vec a, Vec b) {
  return as_float(select(m, as_int(a), as_int(b)));
}
NABI_INLINE Vec min(Vec a, Vec b) { return select(lt(a, b), a, b); }
NABI_INLINE Vec max(Vec a, Vec b) { return select(gt(a, b), a, b); }

/// What cvttps gives: a conversion that does not fit in C is undefined.
NABI_INLINE int32_t to_int_lane(float x) {
  return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<int32_t>(x) : INT32_MIN;
}
NABI_INLINE IVec to_int(Vec a) NABI_SIXTEEN(IVec, to_int_lane(a.v[i][j])) NABI_INLINE Vec to_float(IVec a)
    NABI_SIXTEEN(Vec, static_cast<float>(a.v[i][j]))
// Unsigned, so that overflow wraps.
#define NABI_WRAP(op) reinterpret_cast<Int4>(reinterpret_cast<Uint4>(a.v[i]) op reinterpret_cast<Uint4>(b.v[i]))
        NABI_INLINE IVec operator+(IVec a, IVec b)
            NABI_FOUR(IVec, NABI_WRAP(+)) NABI_INLINE IVec operator-(IVec a, IVec b)
                NABI_FOUR(IVec, NABI_WRAP(-)) NABI_INLINE IVec operator*(IVec a, IVec b) NABI_FOUR(IVec, NABI_WRAP(*))
#undef NABI_WRAP
                    NABI_INLINE IVec operator&(IVec a, IVec b)
                        NABI_FOUR(IVec, a.v[i] & b.v[i]) NABI_INLINE IVec operator|(IVec a, IVec b)
                            NABI_FOUR(IVec, a.v[i] | b.v[i]) NABI_INLINE IVec operator^(IVec a, IVec b)
                                NABI_FOUR(IVec, a.v[i] ^ b.v[i]) NABI_INLINE IVec operator~(IVec a)
                                    NABI_FOUR(IVec, ~a.v[i]) NABI_INLINE IVec operator<<(IVec a, int n)
                                        NABI_FOUR(IVec, reinterpret_cast<Int4>(reinterpret_cast<Uint4>(a.v[i]) << n))
                                            NABI_INLINE IVec operator>>(IVec a, int n)
                                                NABI_FOUR(IVec, a.v[i] >> n) NABI_INLINE IVec
    srl(IVec a, int n) NABI_FOUR(IVec, reinterpret_cast<Int4>(reinterpret_cast<Uint4>(a.v[i]) >> n)) NABI_INLINE Mask
    ieq(IVec a, IVec b) NABI_FOUR(Mask, a.v[i] == b.v[i]) NABI_INLINE Mask
    igt(IVec a, IVec b) NABI_FOUR(Mask, a.v[i] > b.v[i])

        NABI_INLINE IVec load_u8(const uint8_t* p, int n)
            NABI_SIXTEEN(IVec, 4 * i + j < n ? p[4 * i + j] : 0) NABI_INLINE void store_u8(uint8_t* p, IVec a, int n) {
  for (int k = 0; k < n; ++k) p[k] = static_cast<uint8_t>(a.v[k >> 2][k & 3]);
}
NABI_INLINE Mask load_bool(const uint8_t* p, int n) { return igt(load_u8(p, n), isplat(0)); }
NABI_INLINE void store_bool(uint8_t* p, Mask m, int n) {
  for (int k = 0; k < n; ++k) p[k] = static_cast<uint8_t>(m.v[k >> 2][k & 3] & 1);
}

NABI_INLINE void mul32wide(IVec a, IVec b, IVec& hi, IVec& lo) {
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      const uint64_t product =
          static_cast<uint64_t>(static_cast<uint32_t>(a.v[i][j])) * static_cast<uint32_t>(b.v[i][j]);
      hi.v[i][j] = static_cast<int32_t>(product >> 32);
      lo.v[i][j] = static_cast<int32_t>(product);
    }
}

/// f of lanes i and i + 8, then +4, +2, +1; lane 0 of the result.
template <class F>
NABI_INLINE float reduce_tree(Vec a, F f) {
  a = f(a, Vec{{a.v[2], a.v[3], a.v[2], a.v[3]}});
  a = f(a, Vec{{a.v[1], a.v[1], a.v[1], a.v[1]}});
  const Float4 x = a.v[0];
  a = f(a, Vec{{Float4{x[2], x[3], x[2], x[3]}, a.v[1], a.v[2], a.v[3]}});
  const Float4 y = a.v[0];
  a = f(a, Vec{{Float4{y[1], y[1], y[1], y[1]}, a.v[1], a.v[2], a.v[3]}});
  return a.v[0][0];
}

#undef NABI_FOUR
#undef NABI_SIXTEEN

}  // namespace nabi::cpu::NABI_ISA
