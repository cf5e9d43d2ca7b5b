// csrc/cpu/vec_avx2.h -- vec.h for AVX2 with FMA: two ymm registers, masks as lanes of ones
#pragma once

#include <immintrin.h>

namespace nabi::cpu::NABI_ISA {

struct Vec {
  __m256 lo, hi;
};
struct IVec {
  __m256i lo, hi;
};
struct Mask {
  __m256i lo, hi;
};

/// Lanes 0 .. n-1 of eight, n of any sign.
NABI_INLINE __m256i first8(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

NABI_INLINE Mask mask_first(int n) { return {first8(n), first8(n - 8)}; }
NABI_INLINE Mask operator&(Mask a, Mask b) { return {a.lo & b.lo, a.hi & b.hi}; }
NABI_INLINE Mask operator|(Mask a, Mask b) { return {a.lo | b.lo, a.hi | b.hi}; }
NABI_INLINE Mask operator^(Mask a, Mask b) { return {a.lo ^ b.lo, a.hi ^ b.hi}; }
NABI_INLINE Mask operator~(Mask a) { return {~a.lo, ~a.hi}; }
NABI_INLINE uint32_t bits(Mask a) {
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(a.lo))) |
         static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(a.hi))) << 8;
}
NABI_INLINE bool any(Mask a) { return bits(a) != 0; }
NABI_INLINE bool all(Mask a) { return bits(a) == 0xffff; }

NABI_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
NABI_INLINE Vec load(const float* p, int n) {
  return {_mm256_maskload_ps(p, first8(n)), _mm256_maskload_ps(p + 8, first8(n - 8))};
}
NABI_INLINE void store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
NABI_INLINE void store(float* p, Vec a, int n) {
  _mm256_maskstore_ps(p, first8(n), a.lo);
  _mm256_maskstore_ps(p + 8, first8(n - 8), a.hi);
}
NABI_INLINE IVec iload(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
NABI_INLINE IVec iload(const int32_t* p, int n) {
  return {_mm256_maskload_epi32(p, first8(n)), _mm256_maskload_epi32(p + 8, first8(n - 8))};
}
NABI_INLINE void istore(int32_t* p, IVec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), a.hi);
}
NABI_INLINE void istore(int32_t* p, IVec a, int n) {
  _mm256_maskstore_epi32(p, first8(n), a.lo);
  _mm256_maskstore_epi32(p + 8, first8(n - 8), a.hi);
}
NABI_INLINE Vec splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
NABI_INLINE IVec isplat(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
NABI_INLINE Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }

NABI_INLINE Vec operator+(Vec a, Vec b) { return {a.lo + b.lo, a.hi + b.hi}; }
NABI_INLINE Vec operator-(Vec a, Vec b) { return {a.lo - b.lo, a.hi - b.hi}; }
NABI_INLINE Vec operator*(Vec a, Vec b) { return {a.lo * b.lo, a.hi * b.hi}; }
NABI_INLINE Vec operator/(Vec a, Vec b) { return {a.lo / b.lo, a.hi / b.hi}; }
NABI_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
NABI_INLINE Vec fnma(Vec a, Vec b, Vec c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
NABI_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
NABI_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
NABI_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
NABI_INLINE Vec rint(Vec a) { return {_mm256_round_ps(a.lo, 0x08), _mm256_round_ps(a.hi, 0x08)}; }
NABI_INLINE Vec floor(Vec a) { return {_mm256_round_ps(a.lo, 0x09), _mm256_round_ps(a.hi, 0x09)}; }
NABI_INLINE Vec ceil(Vec a) { return {_mm256_round_ps(a.lo, 0x0a), _mm256_round_ps(a.hi, 0x0a)}; }
NABI_INLINE Vec trunc(Vec a) { return {_mm256_round_ps(a.lo, 0x0b), _mm256_round_ps(a.hi, 0x0b)}; }

#define NABI_COMPARE(name, how)                                                                                        \
  NABI_INLINE Mask name(Vec a, Vec b) {                                                                                \
    return {_mm256_castps_si256(_mm256_cmp_ps(a.lo, b.lo, how)), _mm256_castps_si256(_mm256_cmp_ps(a.hi, b.hi, how))}; \
  }
NABI_COMPARE(lt, _CMP_LT_OQ)
NABI_COMPARE(le, _CMP_LE_OQ)
NABI_COMPARE(gt, _CMP_GT_OQ)
NABI_COMPARE(ge, _CMP_GE_OQ)
NABI_COMPARE(eq, _CMP_EQ_OQ)
NABI_COMPARE(ne, _CMP_NEQ_UQ)
#undef NABI_COMPARE

NABI_INLINE IVec as_int(Vec a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
NABI_INLINE Vec as_float(IVec a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }
NABI_INLINE Vec select(Mask m, Vec a, Vec b) {
  return {_mm256_blendv_ps(b.lo, a.lo, _mm256_castsi256_ps(m.lo)),
          _mm256_blendv_ps(b.hi, a.hi, _mm256_castsi256_ps(m.hi))};
}
NABI_INLINE IVec select(Mask m, IVec a, IVec b) { return as_int(select(m, as_float(a), as_float(b))); }
NABI_INLINE IVec to_int(Vec a) { return {_mm256_cvttps_epi32(a.lo), _mm256_cvttps_epi32(a.hi)}; }
NABI_INLINE Vec to_float(IVec a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }

NABI_INLINE IVec operator+(IVec a, IVec b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
NABI_INLINE IVec operator-(IVec a, IVec b) { return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)}; }
NABI_INLINE IVec operator*(IVec a, IVec b) { return {_mm256_mullo_epi32(a.lo, b.lo), _mm256_mullo_epi32(a.hi, b.hi)}; }
NABI_INLINE IVec operator&(IVec a, IVec b) { return {a.lo & b.lo, a.hi & b.hi}; }
NABI_INLINE IVec operator|(IVec a, IVec b) { return {a.lo | b.lo, a.hi | b.hi}; }
NABI_INLINE IVec operator^(IVec a, IVec b) { return {a.lo ^ b.lo, a.hi ^ b.hi}; }
NABI_INLINE IVec operator~(IVec a) { return {~a.lo, ~a.hi}; }
NABI_INLINE IVec operator<<(IVec a, int n) { return {_mm256_slli_epi32(a.lo, n), _mm256_slli_epi32(a.hi, n)}; }
NABI_INLINE IVec operator>>(IVec a, int n) { return {_mm256_srai_epi32(a.lo, n), _mm256_srai_epi32(a.hi, n)}; }
NABI_INLINE IVec srl(IVec a, int n) { return {_mm256_srli_epi32(a.lo, n), _mm256_srli_epi32(a.hi, n)}; }
NABI_INLINE Mask ieq(IVec a, IVec b) { return {_mm256_cmpeq_epi32(a.lo, b.lo), _mm256_cmpeq_epi32(a.hi, b.hi)}; }
NABI_INLINE Mask igt(IVec a, IVec b) { return {_mm256_cmpgt_epi32(a.lo, b.lo), _mm256_cmpgt_epi32(a.hi, b.hi)}; }

/// n bytes, the rest 0.
NABI_INLINE __m128i load_bytes(const uint8_t* p, int n) {
  if (n >= 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  uint8_t buffer[16] = {0};
  for (int i = 0; i < n; ++i) buffer[i] = p[i];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(buffer));
}
NABI_INLINE void store_bytes(uint8_t* p, __m128i a, int n) {
  if (n >= 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a);
    return;
  }
  uint8_t buffer[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(buffer), a);
  for (int i = 0; i < n; ++i) p[i] = buffer[i];
}
/// The low byte of each lane.
NABI_INLINE __m128i narrow(__m256i lo, __m256i hi) {
  const __m256i byte = _mm256_set1_epi32(255);
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(lo & byte, hi & byte), 0xd8);
  return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

NABI_INLINE IVec load_u8(const uint8_t* p, int n) {
  const __m128i x = load_bytes(p, n);
  return {_mm256_cvtepu8_epi32(x), _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(x, x))};
}
NABI_INLINE void store_u8(uint8_t* p, IVec a, int n) { store_bytes(p, narrow(a.lo, a.hi), n); }
NABI_INLINE Mask load_bool(const uint8_t* p, int n) {
  const IVec x = load_u8(p, n);
  return igt(x, isplat(0));
}
NABI_INLINE void store_bool(uint8_t* p, Mask m, int n) {
  const __m256i one = _mm256_set1_epi32(1);
  store_bytes(p, narrow(m.lo & one, m.hi & one), n);
}

NABI_INLINE void mul32wide(IVec a, IVec b, IVec& hi, IVec& lo) {
  const __m256i even0 = _mm256_mul_epu32(a.lo, b.lo), even1 = _mm256_mul_epu32(a.hi, b.hi);
  const __m256i odd0 = _mm256_mul_epu32(_mm256_srli_epi64(a.lo, 32), _mm256_srli_epi64(b.lo, 32));
  const __m256i odd1 = _mm256_mul_epu32(_mm256_srli_epi64(a.hi, 32), _mm256_srli_epi64(b.hi, 32));
  hi = {_mm256_blend_epi32(_mm256_srli_epi64(even0, 32), odd0, 0xaa),
        _mm256_blend_epi32(_mm256_srli_epi64(even1, 32), odd1, 0xaa)};
  lo = {_mm256_blend_epi32(even0, _mm256_slli_epi64(odd0, 32), 0xaa),
        _mm256_blend_epi32(even1, _mm256_slli_epi64(odd1, 32), 0xaa)};
}

/// f of lanes i and i + 8, then +4, +2, +1; lane 0 of the result.
template <class F>
NABI_INLINE float reduce_tree(Vec a, F f) {
  a = f(a, Vec{a.hi, a.hi});
  a = f(a, Vec{_mm256_permute2f128_ps(a.lo, a.lo, 0x11), a.hi});
  a = f(a, Vec{_mm256_permute_ps(a.lo, 0x0e), a.hi});
  a = f(a, Vec{_mm256_permute_ps(a.lo, 0x01), a.hi});
  return _mm256_cvtss_f32(a.lo);
}

}  // namespace nabi::cpu::NABI_ISA
