// csrc/cpu/vec_avx512.h -- vec.h for x86-64-v4: one zmm register, native masks
#pragma once

#include <immintrin.h>

namespace nabi::cpu::NABI_ISA {

struct Vec {
  __m512 v;
};
struct IVec {
  __m512i v;
};
struct Mask {
  __mmask16 v;
};

NABI_INLINE Mask mask_first(int n) { return {static_cast<__mmask16>(_bzhi_u32(0xffffu, static_cast<unsigned>(n)))}; }
NABI_INLINE Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
NABI_INLINE Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.v | b.v)}; }
NABI_INLINE Mask operator^(Mask a, Mask b) { return {static_cast<__mmask16>(a.v ^ b.v)}; }
NABI_INLINE Mask operator~(Mask a) { return {static_cast<__mmask16>(~a.v)}; }
NABI_INLINE bool any(Mask a) { return a.v != 0; }
NABI_INLINE bool all(Mask a) { return a.v == 0xffff; }
NABI_INLINE uint32_t bits(Mask a) { return a.v; }

NABI_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
NABI_INLINE Vec load(const float* p, int n) { return {_mm512_maskz_loadu_ps(mask_first(n).v, p)}; }
NABI_INLINE void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
NABI_INLINE void store(float* p, Vec a, int n) { _mm512_mask_storeu_ps(p, mask_first(n).v, a.v); }
NABI_INLINE IVec iload(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
NABI_INLINE IVec iload(const int32_t* p, int n) { return {_mm512_maskz_loadu_epi32(mask_first(n).v, p)}; }
NABI_INLINE void istore(int32_t* p, IVec a) { _mm512_storeu_si512(p, a.v); }
NABI_INLINE void istore(int32_t* p, IVec a, int n) { _mm512_mask_storeu_epi32(p, mask_first(n).v, a.v); }
NABI_INLINE Vec splat(float x) { return {_mm512_set1_ps(x)}; }
NABI_INLINE IVec isplat(int32_t x) { return {_mm512_set1_epi32(x)}; }
NABI_INLINE Vec zero() { return {_mm512_setzero_ps()}; }

NABI_INLINE Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
NABI_INLINE Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
NABI_INLINE Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
NABI_INLINE Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
NABI_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
NABI_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
NABI_INLINE Vec min(Vec a, Vec b) { return {_mm512_maskz_min_ps(0xffff, a.v, b.v)}; }
NABI_INLINE Vec max(Vec a, Vec b) { return {_mm512_maskz_max_ps(0xffff, a.v, b.v)}; }
NABI_INLINE Vec sqrt(Vec a) { return {_mm512_maskz_sqrt_ps(0xffff, a.v)}; }
NABI_INLINE Vec rint(Vec a) { return {_mm512_maskz_roundscale_ps(0xffff, a.v, 0x08)}; }
NABI_INLINE Vec floor(Vec a) { return {_mm512_maskz_roundscale_ps(0xffff, a.v, 0x09)}; }
NABI_INLINE Vec ceil(Vec a) { return {_mm512_maskz_roundscale_ps(0xffff, a.v, 0x0a)}; }
NABI_INLINE Vec trunc(Vec a) { return {_mm512_maskz_roundscale_ps(0xffff, a.v, 0x0b)}; }

NABI_INLINE Mask lt(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
NABI_INLINE Mask le(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
NABI_INLINE Mask gt(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
NABI_INLINE Mask ge(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
NABI_INLINE Mask eq(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
NABI_INLINE Mask ne(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
NABI_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }
NABI_INLINE IVec select(Mask m, IVec a, IVec b) { return {_mm512_mask_blend_epi32(m.v, b.v, a.v)}; }

NABI_INLINE IVec to_int(Vec a) { return {_mm512_maskz_cvttps_epi32(0xffff, a.v)}; }
NABI_INLINE Vec to_float(IVec a) { return {_mm512_maskz_cvtepi32_ps(0xffff, a.v)}; }
NABI_INLINE IVec as_int(Vec a) { return {_mm512_castps_si512(a.v)}; }
NABI_INLINE Vec as_float(IVec a) { return {_mm512_castsi512_ps(a.v)}; }

NABI_INLINE IVec operator+(IVec a, IVec b) { return {_mm512_add_epi32(a.v, b.v)}; }
NABI_INLINE IVec operator-(IVec a, IVec b) { return {_mm512_sub_epi32(a.v, b.v)}; }
NABI_INLINE IVec operator*(IVec a, IVec b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
NABI_INLINE IVec operator&(IVec a, IVec b) { return {_mm512_and_si512(a.v, b.v)}; }
NABI_INLINE IVec operator|(IVec a, IVec b) { return {_mm512_or_si512(a.v, b.v)}; }
NABI_INLINE IVec operator^(IVec a, IVec b) { return {_mm512_xor_si512(a.v, b.v)}; }
NABI_INLINE IVec operator~(IVec a) { return a ^ isplat(-1); }
NABI_INLINE IVec operator<<(IVec a, int n) { return {_mm512_maskz_slli_epi32(0xffff, a.v, static_cast<unsigned>(n))}; }
NABI_INLINE IVec operator>>(IVec a, int n) { return {_mm512_maskz_srai_epi32(0xffff, a.v, static_cast<unsigned>(n))}; }
NABI_INLINE IVec srl(IVec a, int n) { return {_mm512_maskz_srli_epi32(0xffff, a.v, static_cast<unsigned>(n))}; }
NABI_INLINE Mask ieq(IVec a, IVec b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
NABI_INLINE Mask igt(IVec a, IVec b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }

/// n bytes, the rest 0. Whole vectors go without a mask: masked byte stores are slow on AMD.
NABI_INLINE __m128i load_bytes(const uint8_t* p, int n) {
  if (n >= kLanes) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm_maskz_loadu_epi8(mask_first(n).v, p);
}
NABI_INLINE void store_bytes(uint8_t* p, __m128i a, int n) {
  if (n >= kLanes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a);
  } else {
    _mm_mask_storeu_epi8(p, mask_first(n).v, a);
  }
}
NABI_INLINE Mask load_bool(const uint8_t* p, int n) {
  const __m128i x = load_bytes(p, n);
  return {_mm_test_epi8_mask(x, x)};
}
NABI_INLINE void store_bool(uint8_t* p, Mask m, int n) { store_bytes(p, _mm_maskz_set1_epi8(m.v, 1), n); }
NABI_INLINE IVec load_u8(const uint8_t* p, int n) { return {_mm512_maskz_cvtepu8_epi32(0xffff, load_bytes(p, n))}; }
NABI_INLINE void store_u8(uint8_t* p, IVec a, int n) { store_bytes(p, _mm512_maskz_cvtepi32_epi8(0xffff, a.v), n); }

NABI_INLINE void mul32wide(IVec a, IVec b, IVec& hi, IVec& lo) {
  const __m512i even = _mm512_maskz_mul_epu32(0xff, a.v, b.v);
  const __m512i odd =
      _mm512_maskz_mul_epu32(0xff, _mm512_maskz_srli_epi64(0xff, a.v, 32), _mm512_maskz_srli_epi64(0xff, b.v, 32));
  hi.v = _mm512_mask_blend_epi32(0xaaaa, _mm512_maskz_srli_epi64(0xff, even, 32), odd);
  lo.v = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_maskz_slli_epi64(0xff, odd, 32));
}

/// f of lanes i and i + 8, then +4, +2, +1; lane 0 of the result.
template <class F>
NABI_INLINE float reduce_tree(Vec a, F f) {
  a = f(a, Vec{_mm512_maskz_shuffle_f32x4(0xffff, a.v, a.v, 0x0e)});
  a = f(a, Vec{_mm512_maskz_shuffle_f32x4(0xffff, a.v, a.v, 0x01)});
  a = f(a, Vec{_mm512_maskz_permute_ps(0xffff, a.v, 0x0e)});
  a = f(a, Vec{_mm512_maskz_permute_ps(0xffff, a.v, 0x01)});
  return _mm512_cvtss_f32(a.v);
}

}  // namespace nabi::cpu::NABI_ISA
