// csrc/cpu/winograd_transforms.h -- the small matrices of F(4x4, 3x3), points 0, 1, -1, 2, -2 and infinity
//
// An output tile is A^T [(G g G^T) . (B^T d B)] A (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
// 2016). Each function applies one matrix to six (or three) values of many channels; twice makes a tile.
#pragma once

#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {

// Channels that are transformed together: sixteen, but eight on AVX2, whose registers hold no more of a tile.
#if defined(__AVX2__) && !defined(__AVX512F__) && !(defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC)
constexpr int kTransformLanes = 8;
struct Lanes {
  __m256 v;
};
NABI_INLINE Lanes lanes(float x) { return {_mm256_set1_ps(x)}; }
NABI_INLINE Lanes load_lanes(const float* p) { return {_mm256_loadu_ps(p)}; }
NABI_INLINE Lanes load_lanes(const float* p, int n) { return {_mm256_maskload_ps(p, first8(n))}; }
NABI_INLINE void store_lanes(float* p, Lanes a) { _mm256_storeu_ps(p, a.v); }
NABI_INLINE void store_lanes(float* p, Lanes a, int n) { _mm256_maskstore_ps(p, first8(n), a.v); }
NABI_INLINE Lanes operator+(Lanes a, Lanes b) { return {a.v + b.v}; }
NABI_INLINE Lanes operator-(Lanes a, Lanes b) { return {a.v - b.v}; }
NABI_INLINE Lanes operator*(Lanes a, Lanes b) { return {a.v * b.v}; }
NABI_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
/// 0 where a is below zero.
NABI_INLINE Lanes positive(Lanes a) {
  return {_mm256_andnot_ps(_mm256_cmp_ps(a.v, _mm256_setzero_ps(), _CMP_LT_OQ), a.v)};
}
/// a where m is above zero, else 0.
NABI_INLINE Lanes keep(Lanes m, Lanes a) {
  return {_mm256_and_ps(_mm256_cmp_ps(m.v, _mm256_setzero_ps(), _CMP_GT_OQ), a.v)};
}
#else
constexpr int kTransformLanes = kLanes;
using Lanes = Vec;
NABI_INLINE Lanes lanes(float x) { return splat(x); }
NABI_INLINE Lanes load_lanes(const float* p) { return load(p); }
NABI_INLINE Lanes load_lanes(const float* p, int n) { return load(p, n); }
NABI_INLINE void store_lanes(float* p, Lanes a) { store(p, a); }
NABI_INLINE void store_lanes(float* p, Lanes a, int n) { store(p, a, n); }
NABI_INLINE Lanes positive(Lanes a) { return select(lt(a, zero()), zero(), a); }
NABI_INLINE Lanes keep(Lanes m, Lanes a) { return select(gt(m, zero()), a, zero()); }
#endif

template <bool kFull>
NABI_INLINE Lanes load_lanes(const float* p, int n) {
  return kFull ? load_lanes(p) : load_lanes(p, n);
}
template <bool kFull>
NABI_INLINE void store_lanes(float* p, Lanes a, int n) {
  kFull ? store_lanes(p, a) : store_lanes(p, a, n);
}

/// Rows of B^T d that share terms. Group 0: row 0; 1: rows 1 and 2; 2: rows 3 and 4; 3: row 5.
template <int kGroup>
NABI_INLINE void data_rows(const Lanes* d, Lanes* out) {
  if constexpr (kGroup == 0) {
    out[0] = fma(lanes(4), d[0], fma(lanes(-5), d[2], d[4]));
  } else if constexpr (kGroup == 1) {
    const Lanes even = fma(lanes(-4), d[2], d[4]), odd = fma(lanes(-4), d[1], d[3]);
    out[0] = even + odd;
    out[1] = even - odd;
  } else if constexpr (kGroup == 2) {
    const Lanes even = d[4] - d[2], odd = d[3] - d[1];
    out[0] = fma(lanes(2), odd, even);
    out[1] = fma(lanes(-2), odd, even);
  } else {
    out[0] = fma(lanes(4), d[1], fma(lanes(-5), d[3], d[5]));
  }
}

/// B^T d.
NABI_INLINE void data_transform(const Lanes* d, Lanes* out) {
  data_rows<0>(d, out);
  data_rows<1>(d, out + 1);
  data_rows<2>(d, out + 3);
  data_rows<3>(d, out + 5);
}

/// G g.
NABI_INLINE void filter_transform(const Lanes* g, Lanes* out) {
  const Lanes sum = g[0] + g[2], wide = fma(lanes(1.0f / 6), g[2], lanes(1.0f / 24) * g[0]);
  out[0] = lanes(0.25f) * g[0];
  out[1] = lanes(-1.0f / 6) * (sum + g[1]);
  out[2] = lanes(-1.0f / 6) * (sum - g[1]);
  out[3] = fma(lanes(1.0f / 12), g[1], wide);
  out[4] = fma(lanes(-1.0f / 12), g[1], wide);
  out[5] = g[2];
}

/// A^T m.
NABI_INLINE void output_transform(const Lanes* m, Lanes* out) {
  const Lanes near = m[1] + m[2], near_odd = m[1] - m[2], far = m[3] + m[4], far_odd = m[3] - m[4];
  out[0] = (m[0] + near) + far;
  out[1] = fma(lanes(2), far_odd, near_odd);
  out[2] = fma(lanes(4), far, near);
  out[3] = fma(lanes(8), far_odd, near_odd) + m[5];
}

/// Rows of A y that share terms, grouped like data_rows.
template <int kGroup>
NABI_INLINE void gradient_rows(const Lanes* y, Lanes* out) {
  if constexpr (kGroup == 0) {
    out[0] = y[0];
  } else if constexpr (kGroup == 1) {
    const Lanes even = y[0] + y[2], odd = y[1] + y[3];
    out[0] = even + odd;
    out[1] = even - odd;
  } else if constexpr (kGroup == 2) {
    const Lanes even = fma(lanes(4), y[2], y[0]), odd = fma(lanes(4), y[3], y[1]);
    out[0] = fma(lanes(2), odd, even);
    out[1] = fma(lanes(-2), odd, even);
  } else {
    out[0] = y[3];
  }
}

/// A y.
NABI_INLINE void gradient_transform(const Lanes* y, Lanes* out) {
  gradient_rows<0>(y, out);
  gradient_rows<1>(y, out + 1);
  gradient_rows<2>(y, out + 3);
  gradient_rows<3>(y, out + 5);
}

/// G^T s.
NABI_INLINE void filter_gradient_transform(const Lanes* s, Lanes* out) {
  const Lanes near = s[1] + s[2], far = s[3] + s[4];
  out[0] = fma(lanes(1.0f / 24), far, fma(lanes(-1.0f / 6), near, lanes(0.25f) * s[0]));
  out[1] = fma(lanes(1.0f / 12), s[3] - s[4], lanes(1.0f / 6) * (s[2] - s[1]));
  out[2] = fma(lanes(1.0f / 6), far - near, s[5]);
}

}  // namespace nabi::cpu::NABI_ISA
