// csrc/cpu/vec.h -- sixteen float lanes, whatever the instruction set: the type that every kernel is written in
//
// The three bodies (vec_avx512.h, vec_avx2.h, vec_generic.h) give the same bits for the same call; only the bits of a
// NaN may differ. All of it is force-inlined into namespace nabi::cpu::NABI_ISA.
//
//   Vec (16 float), IVec (16 int32), Mask (16 lanes), kLanes
//   load(p) load(p, n) store(p, v) store(p, v, n)     n in [0, 16]: memory beyond n is not touched, lanes beyond are 0
//   iload(..) istore(..)                              the same for int32
//   splat isplat zero   + - * /   fma(a,b,c)=a*b+c   fnma(a,b,c)=-(a*b)+c     (one rounding)
//   min(a,b) = a<b?a:b   max(a,b) = a>b?a:b           a NaN on either side gives b
//   minimum maximum                                   a NaN on either side gives NaN; equal gives a (NumPy)
//   sqrt abs floor ceil rint (to even) trunc copysign
//   lt le gt ge eq ne -> Mask   select(m, a, b)   & | ^ ~   any all bits mask_first(n) is_nan
//   to_int (towards zero; INT32_MIN where it does not fit) to_float as_int as_float
//   IVec: + - * & | ^ ~ << >> srl(v, n) ieq igt
//   load_bool store_bool load_u8 store_u8             bytes, n lanes
//   reduce_add reduce_max reduce_min                  tree: lanes i and i+8, then +4, +2, +1
//   mul32wide(a, b, hi, lo)                           unsigned 32 x 32 -> 64
#pragma once

#include <stdint.h>
#include <string.h>

#define NABI_INLINE inline __attribute__((always_inline))

namespace nabi::cpu::NABI_ISA {

/// Lanes of a Vec in every instruction set.
constexpr int kLanes = 16;

}  // namespace nabi::cpu::NABI_ISA

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
#include "cpu/vec_generic.h"
#elif defined(__AVX512F__)
#include "cpu/vec_avx512.h"
#elif defined(__AVX2__)
#include "cpu/vec_avx2.h"
#else
#include "cpu/vec_generic.h"
#endif

namespace nabi::cpu::NABI_ISA {

NABI_INLINE Mask is_nan(Vec a) { return ne(a, a); }

/// NumPy's maximum: a NaN on either side wins, then the larger, then a.
NABI_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(b), b, max(b, a)); }

/// NumPy's minimum: a NaN on either side wins, then the smaller, then a.
NABI_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(b), b, min(b, a)); }

NABI_INLINE Vec operator-(Vec a) { return as_float(as_int(a) ^ isplat(INT32_MIN)); }
NABI_INLINE Vec abs(Vec a) { return as_float(as_int(a) & isplat(INT32_MAX)); }
NABI_INLINE Vec copysign(Vec size, Vec sign) {
  return as_float((as_int(size) & isplat(INT32_MAX)) | (as_int(sign) & isplat(INT32_MIN)));
}

/// The sum of the lanes.
NABI_INLINE float reduce_add(Vec a) {
  return reduce_tree(a, [](Vec x, Vec y) __attribute__((always_inline)) { return x + y; });
}
/// The largest lane; a NaN lane wins.
NABI_INLINE float reduce_max(Vec a) {
  return reduce_tree(a, [](Vec x, Vec y) __attribute__((always_inline)) { return maximum(x, y); });
}
/// The smallest lane; a NaN lane wins.
NABI_INLINE float reduce_min(Vec a) {
  return reduce_tree(a, [](Vec x, Vec y) __attribute__((always_inline)) { return minimum(x, y); });
}

}  // namespace nabi::cpu::NABI_ISA
