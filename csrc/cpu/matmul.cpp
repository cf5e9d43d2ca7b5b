// csrc/cpu/matmul.cpp -- matrix products: blocks of tiles, transposed panels, column sums, the tree over chunks of k
#include "cpu/matmul.h"

#include "cpu/kernels.h"
#include "cpu/tile.h"

namespace nabi::cpu::NABI_ISA {
namespace {

/// What a task covers.
struct Block {
  int64_t chunk, product0, product1, column0, column1, row0, row1, k0, k1;
  bool sums;  // column sums of B only
};

NABI_INLINE Block block_of(const MatmulParams& q, int64_t task) {
  Block out = {};
  const int64_t tiles = q.chunks * q.product_blocks * q.column_blocks * q.row_blocks;
  if (task >= tiles) {
    task -= tiles;
    const int64_t blocks = (q.n + kMatmulSumColumns - 1) / kMatmulSumColumns;
    out.sums = true;
    out.chunk = task / blocks;
    out.column0 = task % blocks * kMatmulSumColumns;
    out.column1 = out.column0 + kMatmulSumColumns < q.n ? out.column0 + kMatmulSumColumns : q.n;
  } else {
    const int64_t r = task % q.row_blocks;
    task /= q.row_blocks;
    const int64_t c = task % q.column_blocks;
    task /= q.column_blocks;
    const int64_t p = task % q.product_blocks;
    out.chunk = task / q.product_blocks;
    const int64_t vecs = (q.n + 15) / 16;
    out.column0 = part(vecs, q.column_blocks, c) * 16;
    out.column1 = part(vecs, q.column_blocks, c + 1) * 16;
    if (out.column1 > q.n) out.column1 = q.n;
    out.row0 = part(q.m, q.row_blocks, r);
    out.row1 = part(q.m, q.row_blocks, r + 1);
    out.product0 = part(q.products, q.product_blocks, p);
    out.product1 = part(q.products, q.product_blocks, p + 1);
  }
  out.k0 = part(q.k, q.chunks, out.chunk);
  out.k1 = part(q.k, q.chunks, out.chunk + 1);
  return out;
}

/// Where product p of the batch starts in A and B.
NABI_INLINE void jump(const MatmulParams& q, int64_t p, int64_t* a, int64_t* b) {
  *a = *b = 0;
  for (int64_t d = q.dims - 1; d >= 0; --d) {
    const int64_t i = p % q.size[d];
    p /= q.size[d];
    *a += i * q.a_jump[d];
    *b += i * q.b_jump[d];
  }
}

/// The longest run of k while a panel of B waits in the level-1 cache.
constexpr int64_t kPanelDepth = kPacksPanels ? 320 : INT64_MAX;

/// Into how many runs of at most `longest` k is cut; C is visited once for each.
NABI_INLINE int64_t rounds_of(int64_t k, int64_t longest) { return k > longest ? (k + longest - 1) / longest : 1; }

/// C^T = B^T A^T for a block, then C. The tiles' rows are columns of C, so B is read in place whichever way it is
/// stored, and A is when it is stored transposed; else `scratch` gets A^T first (`ready`: it is there already).
NABI_INLINE void swapped_block(const Args& args, const MatmulParams& q, const Block& block, float* scratch,
                               bool* ready) {
  const int64_t b_column = q.transposed ? q.ldb : 1, b_step = q.transposed ? 1 : q.ldb;
  const bool copied = q.a_step == 1;
  const float* a = reinterpret_cast<const float*>(args.ptr[0]) + block.row0 * q.a_row;
  const float* b = reinterpret_cast<const float*>(args.ptr[1]) + block.column0 * b_column;
  const int64_t at = block.row0 * q.n + block.column0;
  float* c = reinterpret_cast<float*>(args.ptr[q.out]) + at;
  const int64_t rows = block.row1 - block.row0, wide = (rows + 15) / 16 * 16, columns = block.column1 - block.column0;
  const int64_t rounds = rounds_of(q.k, q.depth);
  float* result = scratch + (copied ? wide * (q.k < q.depth ? q.k : q.depth) : 0);  // [columns, wide]
  if (q.bias >= 0) {
    const float* bias = reinterpret_cast<const float*>(args.ptr[q.bias]) + block.column0;
    for (int64_t j = 0; j < columns; ++j) {
      for (int64_t i = 0; i < rows; i += kLanes) store(result + j * wide + i, splat(bias[j]));
    }
  }
  Tile t = {};
  t.ks = b_step;
  t.n1 = t.n2 = 1;
  for (int64_t round = 0; round < rounds; ++round) {
    const int64_t k0 = part(q.k, rounds, round);
    t.k = part(q.k, rounds, round + 1) - k0;
    t.start = round > 0 || q.bias >= 0 ? Start::kC : Start::kZero;
    t.relu = q.relu && round == rounds - 1;
    if (copied && !*ready) transpose_into(scratch, wide, a + k0, q.a_row, rows, t.k);
    *ready = rounds == 1 && q.row_blocks == 1;
    sweep(
        t, columns, rows,
        [&](int64_t from, int64_t, int) __attribute__((always_inline)) {
          t.b = copied ? scratch + from : a + k0 * q.a_step + from;
          t.ldb = copied ? wide : q.a_step;
        },
        [&](int64_t row, int count) __attribute__((always_inline)) {
          for (int r = 0; r < count; ++r) {
            t.a[r] = b + (row + r) * b_column + k0 * b_step;
            t.c[r] = result + (row + r) * wide;
          }
        });
  }
  transpose_into(c, q.n, result, wide, columns, rows);
  if (q.mask < 0) return;
  const float* mask = reinterpret_cast<const float*>(args.ptr[q.mask]) + at;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      const int width = columns - j < kLanes ? static_cast<int>(columns - j) : kLanes;
      float* to = c + i * q.n + j;
      store(to, select(gt(load(mask + i * q.n + j, width), zero()), load(to, width), zero()), width);
    }
  }
}

/// to[i, 0 .. columns) = from[i, 0 .. columns)
NABI_INLINE void copy_rows(float* to, int64_t ld_to, const float* from, int64_t ld_from, int64_t rows,
                           int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) {
    memcpy(to + i * ld_to, from + i * ld_from, static_cast<size_t>(columns) * sizeof(float));
  }
}

/// Where a block of A lies: element (row, p) of it at `at` + row * `row` + p * `step`, or, where `tile` > 0, that of
/// row r of tile i at `at` + i * `tile` + r + p * `step`.
struct Rows {
  const float* at;
  int64_t row, step, tile;
};

#if defined(__AVX2__) && !defined(__AVX512F__)

/// A^T as a tile of AVX2 likes it: each gets k runs of eight elements, its own and zeros.
NABI_NOINLINE Rows rows_of(const MatmulParams& q, const float* a, int64_t m, int64_t n, int64_t k, float* copy) {
  if (q.a_row != 1 || q.a_step == 1 || n < 8 * kLanes) return {a, q.a_row, q.a_step, 0};
  constexpr int64_t kWide = 8, kRun = 16;  // kRun rows of A^T stay near until all tiles have taken theirs
  const int64_t tiles = (m + kRows[1] - 1) / kRows[1];
  for (int64_t p0 = 0; p0 < k; p0 += kRun) {
    const int64_t p1 = p0 + kRun < k ? p0 + kRun : k;
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t row = part(m, tiles, i);
      const __m256i mask = first8(static_cast<int>(part(m, tiles, i + 1) - row));
      float* to = copy + (i * k + p0) * kWide;
      for (int64_t p = p0; p < p1; ++p, to += kWide) {
        _mm256_storeu_ps(to, _mm256_maskload_ps(a + p * q.a_step + row, mask));
      }
    }
  }
  return {copy, 1, kWide, k * kWide};
}

#else

/// A in place, or a copy of A^T whose rows lie side by side.
NABI_INLINE Rows rows_of(const MatmulParams& q, const float* a, int64_t m, int64_t, int64_t k, float* copy) {
  if (!q.packed_a) return {a, q.a_row, q.a_step, 0};
  copy_rows(copy, m, a, q.a_step, k, m);
  return {copy, 1, m, 0};
}

#endif

void matmul_f32(const Args& args, int64_t first, int64_t last, char* scratch) {
  const MatmulParams& q = *static_cast<const MatmulParams*>(args.params);
  const float* a = reinterpret_cast<const float*>(args.ptr[0]);
  const float* b = reinterpret_cast<const float*>(args.ptr[1]);
  float* panel = reinterpret_cast<float*>(scratch);
  bool ready = false;                                              // A^T of the swapped form is in scratch
  int64_t packed_product = -1, packed_column = -1, packed_k = -1;  // what the panel holds
  for (int64_t task = first; task < last; ++task) {
    const Block block = block_of(q, task);
    float* c = reinterpret_cast<float*>(args.ptr[q.out]);
    if (q.chunks > 1) c = reinterpret_cast<float*>(args.ptr[q.workspace]) + block.chunk * q.chunk_stride;
    if (block.sums) {
      float* to = q.chunks > 1 ? c + q.m * q.n : reinterpret_cast<float*>(args.ptr[q.sums]);
      column_sums(to + block.column0, b + block.k0 * q.ldb + block.column0, q.ldb, block.k1 - block.k0,
                  block.column1 - block.column0, false);
      continue;
    }
    if (q.swapped) {
      swapped_block(args, q, block, panel, &ready);
      continue;
    }
    const int64_t columns = block.column1 - block.column0, wide = (columns + 15) / 16 * 16;
    for (int64_t product = block.product0; product < block.product1; ++product) {
      int64_t a_at, b_at;
      jump(q, product, &a_at, &b_at);
      const float* a0 = a + a_at + block.row0 * q.a_row;
      const float* b0 = b + b_at;
      float* c0 = c + (product * q.m + block.row0) * q.n + block.column0;
      const int64_t depth = block.k1 - block.k0;
      Tile t = {};
      t.n1 = t.n2 = 1;
      const int64_t longest = q.depth < kPanelDepth || q.transposed ? q.depth : kPanelDepth;
      const int64_t rounds = rounds_of(depth, longest), rows = block.row1 - block.row0;
      const bool copied = q.transposed || (q.packed && !kPacksPanels);
      if (kPacksPanels && !copied) t.panel = panel;
      float* copy_of_a = panel + (copied ? wide : kLanes) * (depth < longest ? depth : longest);
      for (int64_t round = 0; round < rounds; ++round) {
        const int64_t k0 = block.k0 + part(depth, rounds, round);
        t.k = block.k0 + part(depth, rounds, round + 1) - k0;
        if (copied && (packed_product != product || packed_column != block.column0 || packed_k != k0)) {
          if (q.transposed) {
            transpose_into(panel, wide, b0 + block.column0 * q.ldb + k0, q.ldb, columns, t.k);
          } else {
            copy_rows(panel, wide, b0 + k0 * q.ldb + block.column0, q.ldb, t.k, columns);
          }
          packed_product = product;
          packed_column = block.column0;
          packed_k = k0;
        }
        t.start = round > 0 ? Start::kC : q.bias >= 0 ? Start::kBias : Start::kZero;
        if (q.bias >= 0) t.bias = reinterpret_cast<const float*>(args.ptr[q.bias]) + block.column0;
        t.relu = q.relu && round == rounds - 1;
        t.masked = q.mask >= 0 && round == rounds - 1;
        if (q.mask >= 0) {
          t.mask = (args.ptr[q.mask] - args.ptr[q.out]) / static_cast<int64_t>(sizeof(float));
        }
        const Rows from_a = rows_of(q, a0 + k0 * q.a_step, rows, columns, t.k, copy_of_a);
        t.ks = from_a.step;
        int64_t tile = 0;
        sweep(
            t, rows, columns,
            [&](int64_t from, int64_t, int) __attribute__((always_inline)) {
              t.b = copied ? panel + from : b0 + k0 * q.ldb + block.column0 + from;
              t.ldb = copied ? wide : q.ldb;
              tile = 0;
            },
            [&](int64_t row, int count) __attribute__((always_inline)) {
              const float* at = from_a.at + (from_a.tile > 0 ? tile++ * from_a.tile : row * from_a.row);
              float* to = c0 + row * q.n;
              for (int r = 0; r < count; ++r) {
                t.a[r] = at + r * from_a.row;
                t.c[r] = to + r * q.n;
              }
            });
      }
    }
  }
}

void combine_f32(const Args& args, int64_t first, int64_t last, char*) {
  const CombineParams& q = *static_cast<const CombineParams*>(args.params);
  const float* from = reinterpret_cast<const float*>(args.ptr[q.workspace]);
  for (int64_t task = first; task < last; ++task) {
    const int64_t e0 = task * q.block, all = q.elements + q.extra;
    const int64_t e1 = e0 + q.block < all ? e0 + q.block : all;
    if (e0 < q.elements) {
      combine(from, q.parts, q.stride, e0, e1 < q.elements ? e1 : q.elements,
              reinterpret_cast<float*>(args.ptr[q.out]) + e0);
    }
    if (e1 > q.elements) {
      const int64_t x0 = e0 > q.elements ? e0 : q.elements;
      combine(from, q.parts, q.stride, x0, e1, reinterpret_cast<float*>(args.ptr[q.sums]) + (x0 - q.elements));
    }
  }
}

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC

/// The plain loops for the types that only tests and indices use.
template <class T>
NABI_INLINE void plain(const Args& args, int64_t first, int64_t last) {
  const MatmulParams& q = *static_cast<const MatmulParams*>(args.params);
  const T* a = reinterpret_cast<const T*>(args.ptr[0]);
  const T* b = reinterpret_cast<const T*>(args.ptr[1]);
  const T* bias = q.bias >= 0 ? reinterpret_cast<const T*>(args.ptr[q.bias]) : nullptr;
  const T* mask = q.mask >= 0 ? reinterpret_cast<const T*>(args.ptr[q.mask]) : nullptr;
  T* c = reinterpret_cast<T*>(args.ptr[q.out]);
  const int64_t p_row = q.transposed ? 1 : q.ldb, p_column = q.transposed ? q.ldb : 1;
  for (int64_t task = first; task < last; ++task) {
    const Block block = block_of(q, task);
    if (block.sums) {
      T* to = reinterpret_cast<T*>(args.ptr[q.sums]);
      for (int64_t j = block.column0; j < block.column1; ++j) to[j] = 0;
      for (int64_t p = 0; p < q.k; ++p) {
        for (int64_t j = block.column0; j < block.column1; ++j) to[j] += b[p * q.ldb + j];
      }
      continue;
    }
    for (int64_t product = block.product0; product < block.product1; ++product) {
      int64_t a_at, b_at;
      jump(q, product, &a_at, &b_at);
      for (int64_t i = block.row0; i < block.row1; ++i) {
        const int64_t at = (product * q.m + i) * q.n;
        for (int64_t j = block.column0; j < block.column1; ++j) c[at + j] = bias ? bias[j] : T(0);
        for (int64_t p = 0; p < q.k; ++p) {
          const T x = a[a_at + i * q.a_row + p * q.a_step];
          const T* y = b + b_at + p * p_row;
          for (int64_t j = block.column0; j < block.column1; ++j) c[at + j] += x * y[j * p_column];
        }
        for (int64_t j = block.column0; j < block.column1; ++j) {
          if (q.relu && c[at + j] < T(0)) c[at + j] = 0;
          if (mask && !(mask[at + j] > T(0))) c[at + j] = 0;
        }
      }
    }
  }
}

void matmul_f64(const Args& args, int64_t first, int64_t last, char*) { plain<double>(args, first, last); }
void matmul_i32(const Args& args, int64_t first, int64_t last, char*) { plain<uint32_t>(args, first, last); }
void matmul_i64(const Args& args, int64_t first, int64_t last, char*) { plain<uint64_t>(args, first, last); }

#endif

}  // namespace

void fill_matmul(KernelTable& table) {
  table.packs_panels = kPacksPanels;
  table.matmul_f32 = matmul_f32;
  table.combine_f32 = combine_f32;
#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
  table.matmul_f64 = matmul_f64;
  table.matmul_i32 = matmul_i32;
  table.matmul_i64 = matmul_i64;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
