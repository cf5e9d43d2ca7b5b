// csrc/cpu/tile.h -- the register-blocked micro-kernel under every matrix product and convolution
//
// One tile is MR rows by NV vectors of C. Each output is one FMA chain over k, started from zero, the bias or C itself,
// so the bits depend neither on the tile's size nor on the instruction set. A's rows are given by address, and the
// element of row r at step k of segment (i, j) lies at a[r] + i * s1 + j * s2 + k * ks: with ks = 1 this is a plain
// product or a convolution read in place (a segment is a contiguous run of the input), with ks = lda it is a sum of
// rank-1 updates (weight gradients). B's rows lie ldb apart within a segment, whose first lies at b + i * b1 + j * b2.
#pragma once

#include <stdint.h>
#include <string.h>

#include "cpu/vec.h"

#define NABI_NOINLINE __attribute__((noinline))

namespace nabi::cpu::NABI_ISA {

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
constexpr int kMaxVecs = 1;
constexpr int kRows[] = {0, 4};
#elif defined(__AVX512F__)
constexpr int kMaxVecs = 4;
// The tallest tile of 1, 2, 3, 4 vectors. 28 accumulators fit beside B's vectors, but from ten rows on their addresses
// do not, and a tile of one vector has no time to load them again: nine rows keep the multipliers as busy.
constexpr int kRows[] = {0, 9, 14, 9, 7};
#else
constexpr int kMaxVecs = 1;
constexpr int kRows[] = {0, 6};  // a Vec is two registers of 16
#endif
// A panel is read once for each tile of rows: from the level-1 cache, where its rows lie side by side.
#if defined(__AVX2__) && !defined(__AVX512F__)
constexpr bool kPacksPanels = true;
#else
constexpr bool kPacksPanels = false;
#endif
constexpr int kMaxRows = 14;

/// Where a tile's accumulators start.
enum class Start : int32_t { kZero, kBias, kC };

/// Everything a tile reads. Strides and distances are in elements.
struct Tile {
  const float* a[kMaxRows];  // element (r, 0) of A
  float* c[kMaxRows];        // column 0 of row r of C
  const float* b;            // element (0, col) of B
  int64_t ldb;
  int64_t ks, k;       // step along k within a segment, and a segment's length
  int64_t n1, s1, b1;  // outer segments, and their distances in A and B
  int64_t n2, s2, b2;  // inner segments
  int64_t col;         // first column of the tile in C, bias and mask
  int32_t tail;        // columns in the last vector, 1..16
  Start start;
  const float* bias;  // of column 0
  int64_t mask;       // distance from C to the mask laid out like it
  bool relu, masked;
  float* panel;  // where the first tile of a panel leaves B's vectors for the others, or null
};

/// Computes rows x (NV * 16 - 16 + tail) outputs. kFull: the tail is 16; kWhole: B's rows have all lanes of the last
/// vector; kPack: B's vectors go to the panel as they are met, which costs nothing beside the multiply-adds.
template <int MR, int NV, bool kFull, bool kWhole, bool kPack>
NABI_NOINLINE void tile(const Tile& t) {
  Vec acc[MR][NV];
  [[maybe_unused]] const int tail = kFull ? kLanes : t.tail;
  const auto fetch = [&](const float* p, int v) __attribute__((always_inline)) {
    return v < NV - 1 || kFull ? load(p + v * kLanes) : load(p + v * kLanes, tail);
  };
  const auto fetch_b = [&](const float* p, int v) __attribute__((always_inline)) {
    return v < NV - 1 || kWhole ? load(p + v * kLanes) : load(p + v * kLanes, tail);
  };
  if (t.start == Start::kZero) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[r][v] = zero();
    }
  } else if (t.start == Start::kBias) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      const Vec x = fetch(t.bias + t.col, v);
#pragma GCC unroll 16
      for (int r = 0; r < MR; ++r) acc[r][v] = x;
    }
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[r][v] = fetch(t.c[r] + t.col, v);
    }
  }

  const char* a[MR];
#pragma GCC unroll 16
  for (int r = 0; r < MR; ++r) a[r] = reinterpret_cast<const char*>(t.a[r]);
  const int64_t ldb = t.ldb * 4, step = t.ks * 4;
  [[maybe_unused]] float* panel = t.panel;
  int64_t at_outer = 0;
  const float* b_outer = t.b;
  for (int64_t i = t.n1; i > 0; --i, at_outer += t.s1 * 4, b_outer += t.b1) {
    int64_t at_inner = at_outer;
    const float* b_inner = b_outer;
    for (int64_t j = t.n2; j > 0; --j, at_inner += t.s2 * 4, b_inner += t.b2) {
      int64_t at = at_inner;
      const char* b = reinterpret_cast<const char*>(b_inner);
      for (int64_t k = t.k; k > 0; --k) {
        // Hides that `at` is an induction variable: one index register serves all rows, not one pointer each.
        asm("" : "+r"(at));
        Vec x[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) x[v] = fetch_b(reinterpret_cast<const float*>(b), v);
        if constexpr (kPack) {
          __builtin_prefetch(b + NV * kLanes * 4, 0, 2);  // of the next panel
#pragma GCC unroll 4
          for (int v = 0; v < NV; ++v) store(panel + v * kLanes, x[v]);
          panel += NV * kLanes;
        }
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) {
          const Vec y = splat(*reinterpret_cast<const float*>(a[r] + at));
#pragma GCC unroll 4
          for (int v = 0; v < NV; ++v) acc[r][v] = fma(y, x[v], acc[r][v]);
        }
        at += step;
        b += ldb;
      }
    }
  }

  if (t.relu) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[r][v] = select(lt(acc[r][v], zero()), zero(), acc[r][v]);
    }
  }
  if (t.masked) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        acc[r][v] = select(gt(fetch(t.c[r] + t.col + t.mask, v), zero()), acc[r][v], zero());
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < MR; ++r) {
    float* c = t.c[r] + t.col;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      if (v < NV - 1 || kFull) {
        store(c + v * kLanes, acc[r][v]);
      } else {
        store(c + v * kLanes, acc[r][v], tail);
      }
    }
  }
}

template <int MR, int NV, bool kPack>
NABI_INLINE void run_tile(const Tile& t) {
  if constexpr (MR <= kRows[NV]) {
#if defined(__AVX512F__)
    tile<MR, NV, false, false, kPack>(t);  // a masked load costs nothing
#else
    if (t.tail == kLanes) return tile<MR, NV, true, true, kPack>(t);
    if constexpr (kPacksPanels && !kPack) {
      if (t.b == t.panel) return tile<MR, NV, false, true, false>(t);
    }
    tile<MR, NV, false, false, kPack>(t);
#endif
  }
}

template <int NV, bool kPack>
NABI_INLINE void run_rows(int rows, const Tile& t) {
  switch (rows) {
    case 1:
      return run_tile<1, NV, kPack>(t);
    case 2:
      return run_tile<2, NV, kPack>(t);
    case 3:
      return run_tile<3, NV, kPack>(t);
    case 4:
      return run_tile<4, NV, kPack>(t);
    case 5:
      return run_tile<5, NV, kPack>(t);
    case 6:
      return run_tile<6, NV, kPack>(t);
    case 7:
      return run_tile<7, NV, kPack>(t);
    case 8:
      return run_tile<8, NV, kPack>(t);
    case 9:
      return run_tile<9, NV, kPack>(t);
    case 10:
      return run_tile<10, NV, kPack>(t);
    case 11:
      return run_tile<11, NV, kPack>(t);
    case 12:
      return run_tile<12, NV, kPack>(t);
    case 13:
      return run_tile<13, NV, kPack>(t);
    case 14:
      return run_tile<14, NV, kPack>(t);
  }
}

/// Runs the tile of `rows` rows and `vecs` vectors.
template <bool kPack = false>
NABI_INLINE void run(int rows, int vecs, const Tile& t) {
  if (vecs == 1) return run_rows<1, kPack>(rows, t);
  if constexpr (kMaxVecs > 1) {
    if (vecs == 2) return run_rows<2, kPack>(rows, t);
    if (vecs == 3) return run_rows<3, kPack>(rows, t);
    return run_rows<4, kPack>(rows, t);
  }
}

/// Part `i` of `parts` nearly equal parts of n starts here; part `parts` starts at n. Larger and smaller parts take
/// turns, so that the first half of them is half of n.
NABI_INLINE int64_t part(int64_t n, int64_t parts, int64_t i) { return n * i / parts; }

/// Covers m rows by n columns with tiles. prepare(column, columns, vecs) sets t.b and t.ldb of a panel of columns;
/// rows(row, count) sets t.a and t.c. Panels are as wide as the columns allow: the fewer loads beside the
/// multiply-adds, the less a tile waits for them.
template <class Prepare, class Rows>
NABI_INLINE void sweep(Tile& t, int64_t m, int64_t n, Prepare prepare, Rows rows) {
  const int64_t all = (n + kLanes - 1) / kLanes, panels = (all + kMaxVecs - 1) / kMaxVecs;
  for (int64_t p = 0; p < panels; ++p) {
    const int64_t from = part(all, panels, p) * kLanes;
    const int wide = static_cast<int>(part(all, panels, p + 1) - from / kLanes);
    const int64_t columns = n - from < wide * kLanes ? n - from : wide * kLanes;
    prepare(from, columns, wide);
    t.col = from;
    t.tail = static_cast<int32_t>(columns - (wide - 1) * kLanes);
    const int64_t tall = kRows[wide], tiles = (m + tall - 1) / tall;
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t row = part(m, tiles, i), count = part(m, tiles, i + 1) - row;
      rows(row, static_cast<int>(count));
      if constexpr (kPacksPanels) {
        if (i == 0 && tiles > 1 && t.panel != nullptr) {
          run<true>(static_cast<int>(count), wide, t);
          t.b = t.panel;
          t.ldb = wide * kLanes;
          continue;
        }
      }
      run(static_cast<int>(count), wide, t);
    }
  }
}

/// to[j * ld_to + i] = from[i * ld_from + j] for i < rows, j < columns; columns of `to` beyond rows are left alone.
NABI_NOINLINE static void transpose_into(float* to, int64_t ld_to, const float* from, int64_t ld_from, int64_t rows,
                                         int64_t columns) {
  int64_t i = 0;
#if defined(__AVX512F__) && !(defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC)
  // The full masks keep GCC 12 from warning of the undefined operand behind the plain intrinsics.
  for (; i < rows; i += 16) {
    const int tall = rows - i < 16 ? static_cast<int>(rows - i) : 16;
    int64_t j = 0;
    for (; j < columns; j += 16) {
      const int left = columns - j < 16 ? static_cast<int>(columns - j) : 16;
      const __mmask16 m = mask_first(left).v;
      __m512 r[16], s[16];
      const float* p = from + i * ld_from + j;
#pragma GCC unroll 16
      for (int q = 0; q < 16; ++q) {
        r[q] = _mm512_setzero_ps();
        if (q < tall) r[q] = _mm512_maskz_loadu_ps(m, p + q * ld_from);
      }
#pragma GCC unroll 8
      for (int q = 0; q < 8; ++q) {
        s[2 * q] = _mm512_maskz_unpacklo_ps(0xffff, r[2 * q], r[2 * q + 1]);
        s[2 * q + 1] = _mm512_maskz_unpackhi_ps(0xffff, r[2 * q], r[2 * q + 1]);
      }
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) {
        const __m512d x0 = _mm512_castps_pd(s[4 * q]), x1 = _mm512_castps_pd(s[4 * q + 1]);
        const __m512d x2 = _mm512_castps_pd(s[4 * q + 2]), x3 = _mm512_castps_pd(s[4 * q + 3]);
        r[4 * q] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, x0, x2));
        r[4 * q + 1] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, x0, x2));
        r[4 * q + 2] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, x1, x3));
        r[4 * q + 3] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, x1, x3));
      }
      // r[4 q + c] lane group g holds rows 4q..4q+3 of column 4 g + c.
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const __m512 lo01 = _mm512_maskz_shuffle_f32x4(0xffff, r[c], r[4 + c], 0x44);
        const __m512 hi01 = _mm512_maskz_shuffle_f32x4(0xffff, r[c], r[4 + c], 0xee);
        const __m512 lo23 = _mm512_maskz_shuffle_f32x4(0xffff, r[8 + c], r[12 + c], 0x44);
        const __m512 hi23 = _mm512_maskz_shuffle_f32x4(0xffff, r[8 + c], r[12 + c], 0xee);
        s[c] = _mm512_maskz_shuffle_f32x4(0xffff, lo01, lo23, 0x88);
        s[4 + c] = _mm512_maskz_shuffle_f32x4(0xffff, lo01, lo23, 0xdd);
        s[8 + c] = _mm512_maskz_shuffle_f32x4(0xffff, hi01, hi23, 0x88);
        s[12 + c] = _mm512_maskz_shuffle_f32x4(0xffff, hi01, hi23, 0xdd);
      }
      float* out = to + j * ld_to + i;
#pragma GCC unroll 16
      for (int q = 0; q < 16; ++q) {
        if (q < left) store(out + q * ld_to, Vec{s[q]}, tall);
      }
    }
  }
#elif defined(__AVX2__)
  for (; i + 8 <= rows; i += 8) {
    int64_t j = 0;
    for (; j + 8 <= columns; j += 8) {
      __m256 r[8], s[8];
      const float* p = from + i * ld_from + j;
#pragma GCC unroll 8
      for (int q = 0; q < 8; ++q) r[q] = _mm256_loadu_ps(p + q * ld_from);
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) {
        s[2 * q] = _mm256_unpacklo_ps(r[2 * q], r[2 * q + 1]);
        s[2 * q + 1] = _mm256_unpackhi_ps(r[2 * q], r[2 * q + 1]);
      }
#pragma GCC unroll 2
      for (int q = 0; q < 2; ++q) {
        r[4 * q] = _mm256_shuffle_ps(s[4 * q], s[4 * q + 2], 0x44);
        r[4 * q + 1] = _mm256_shuffle_ps(s[4 * q], s[4 * q + 2], 0xee);
        r[4 * q + 2] = _mm256_shuffle_ps(s[4 * q + 1], s[4 * q + 3], 0x44);
        r[4 * q + 3] = _mm256_shuffle_ps(s[4 * q + 1], s[4 * q + 3], 0xee);
      }
      float* out = to + j * ld_to + i;
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) {
        _mm256_storeu_ps(out + q * ld_to, _mm256_permute2f128_ps(r[q], r[4 + q], 0x20));
        _mm256_storeu_ps(out + (4 + q) * ld_to, _mm256_permute2f128_ps(r[q], r[4 + q], 0x31));
      }
    }
    for (; j < columns; ++j) {
      for (int q = 0; q < 8; ++q) to[j * ld_to + i + q] = from[(i + q) * ld_from + j];
    }
  }
#endif
  for (; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) to[j * ld_to + i] = from[i * ld_from + j];
  }
}

/// to[0 .. n) (+)= the sums of `rows` rows of n columns, row stride ld. Rows are added in four interleaved chains.
NABI_INLINE void column_sums(float* to, const float* from, int64_t ld, int64_t rows, int64_t n, bool add) {
  for (int64_t j = 0; j < n; j += kLanes) {
    const int width = n - j < kLanes ? static_cast<int>(n - j) : kLanes;
    Vec s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
    const float* p = from + j;
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4, p += 4 * ld) {
      s0 = s0 + load(p, width);
      s1 = s1 + load(p + ld, width);
      s2 = s2 + load(p + 2 * ld, width);
      s3 = s3 + load(p + 3 * ld, width);
    }
    for (; i < rows; ++i, p += ld) s0 = s0 + load(p, width);
    Vec sum = (s0 + s1) + (s2 + s3);
    if (add) sum = load(to + j, width) + sum;
    store(to + j, sum, width);
  }
}

/// Adds `parts` (a power of two) arrays that lie `stride` apart, as a balanced tree, for elements [first, last).
NABI_INLINE void combine(const float* parts_at, int64_t parts, int64_t stride, int64_t first, int64_t last, float* to) {
  for (int64_t e = first; e < last; e += kLanes) {
    const int width = last - e < kLanes ? static_cast<int>(last - e) : kLanes;
    Vec level[8];  // level[d]: the sum of a finished group of 2^d parts; parts is at most 128
    for (int64_t p = 0; p < parts; ++p) {
      Vec x = load(parts_at + p * stride + e, width);
      int d = 0;
      for (int64_t q = p; q & 1; q >>= 1) x = level[d++] + x;
      level[d] = x;
    }
    int top = 0;
    while ((int64_t{1} << top) < parts) ++top;
    store(to + (e - first), level[top], width);
  }
}

}  // namespace nabi::cpu::NABI_ISA
