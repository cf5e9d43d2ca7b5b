// csrc/cpu/winograd_transforms.h -- the small matrices of F(4x4, 3x3), points 0, 1, -1, 2, -2 and infinity
//
// An output tile is A^T [(G g G^T) . (B^T d B)] A (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
// 2016). Each function applies one matrix to a vector of Vecs, sixteen channels at a time; twice makes a tile.
#pragma once

#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {

/// Rows of B^T d that share terms. Group 0: row 0; 1: rows 1 and 2; 2: rows 3 and 4; 3: row 5.
template <int kGroup>
NABI_INLINE void data_rows(const Vec* d, Vec* out) {
  if constexpr (kGroup == 0) {
    out[0] = fma(splat(4), d[0], fma(splat(-5), d[2], d[4]));
  } else if constexpr (kGroup == 1) {
    const Vec even = fma(splat(-4), d[2], d[4]), odd = fma(splat(-4), d[1], d[3]);
    out[0] = even + odd;
    out[1] = even - odd;
  } else if constexpr (kGroup == 2) {
    const Vec even = d[4] - d[2], odd = d[3] - d[1];
    out[0] = fma(splat(2), odd, even);
    out[1] = fma(splat(-2), odd, even);
  } else {
    out[0] = fma(splat(4), d[1], fma(splat(-5), d[3], d[5]));
  }
}

/// B^T d.
NABI_INLINE void data_transform(const Vec* d, Vec* out) {
  data_rows<0>(d, out);
  data_rows<1>(d, out + 1);
  data_rows<2>(d, out + 3);
  data_rows<3>(d, out + 5);
}

/// G g.
NABI_INLINE void filter_transform(const Vec* g, Vec* out) {
  const Vec sum = g[0] + g[2], wide = fma(splat(1.0f / 6), g[2], splat(1.0f / 24) * g[0]);
  out[0] = splat(0.25f) * g[0];
  out[1] = splat(-1.0f / 6) * (sum + g[1]);
  out[2] = splat(-1.0f / 6) * (sum - g[1]);
  out[3] = fma(splat(1.0f / 12), g[1], wide);
  out[4] = fma(splat(-1.0f / 12), g[1], wide);
  out[5] = g[2];
}

/// A^T m.
NABI_INLINE void output_transform(const Vec* m, Vec* out) {
  const Vec near = m[1] + m[2], near_odd = m[1] - m[2], far = m[3] + m[4], far_odd = m[3] - m[4];
  out[0] = (m[0] + near) + far;
  out[1] = fma(splat(2), far_odd, near_odd);
  out[2] = fma(splat(4), far, near);
  out[3] = fma(splat(8), far_odd, near_odd) + m[5];
}

}  // namespace nabi::cpu::NABI_ISA
