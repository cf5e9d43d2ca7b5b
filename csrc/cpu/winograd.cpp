// csrc/cpu/winograd.cpp -- 3x3 convolution by F(4x4, 3x3): a quarter of the multiplications, in blocks of tiles
//
// A task takes a block of tiles through all stages: it transforms their windows into 36 small matrices (point by point
// [tiles, channels]), multiplies each by the filter's matrix of that point, and transforms the products into 4x4
// outputs. What it makes on the way stays in the L2 cache. Tiles are numbered through all images; where a window
// leaves the image its pixels are zeros, and outputs beyond the image are dropped. The filter gradient is the adjoint:
// windows times transformed output gradients, summed point by point over all tiles of a chunk of the batch.
//
// The transforms add and subtract neighbours, so a NaN or an infinity in one pixel makes every output of the tiles
// that read it NaN (the direct kernel: only the outputs that read it), and inputs above some 1e36 may overflow.
#include "cpu/winograd.h"

#include "cpu/kernels.h"
#include "cpu/tile.h"
#include "cpu/winograd_tiles.h"

namespace nabi::cpu::NABI_ISA {
namespace {

template <class T>
NABI_INLINE T* operand(const Args& args, int32_t i) {
  return i < 0 ? nullptr : reinterpret_cast<T*>(args.ptr[i]);
}

/// Columns of one group of output channels.
struct Group {
  int64_t first, columns;
};

NABI_INLINE Group group_of(int64_t columns, int64_t g) {
  const int64_t vecs = (columns + kLanes - 1) / kLanes, groups = winograd_groups(columns);
  Group out;
  out.first = part(vecs, groups, g) * kLanes;
  const int64_t end = part(vecs, groups, g + 1) * kLanes;
  out.columns = (end < columns ? end : columns) - out.first;
  return out;
}

/// Where group g of the transformed filters begins.
NABI_INLINE int64_t group_at(int64_t depth, const Group& group, int64_t g) {
  return kWinogradPoints * (depth * group.first + 32 * g);
}

/// Panels that the columns of a product are cut into; the filter lies in the same panels.
NABI_INLINE int64_t panels_of(int64_t columns) { return ((columns + kLanes - 1) / kLanes + kMaxVecs - 1) / kMaxVecs; }

/// Where panel p of so many columns begins; the end for p = panels_of(columns).
NABI_INLINE int64_t panel_at(int64_t columns, int64_t p) {
  const int64_t at = part((columns + kLanes - 1) / kLanes, panels_of(columns), p) * kLanes;
  return at < columns ? at : columns;
}

/// Covers m rows by n columns with tiles: panel(column, columns) sets t.b and t.ldb, rows(row, count) t.a and t.c.
template <class Panel, class Rows>
NABI_INLINE void multiply(Tile& t, int64_t m, int64_t n, Panel panel, Rows rows) {
  for (int64_t p = 0; p < panels_of(n); ++p) {
    const int64_t from = panel_at(n, p), columns = panel_at(n, p + 1) - from;
    const int vecs = static_cast<int>((columns + kLanes - 1) / kLanes);
    panel(from, columns);
    t.col = from;
    t.tail = static_cast<int32_t>(columns - (vecs - 1) * kLanes);
    const int64_t tiles = (m + kRows[vecs] - 1) / kRows[vecs];
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t row = part(m, tiles, i), count = part(m, tiles, i + 1) - row;
      rows(row, static_cast<int>(count));
      run(static_cast<int>(count), vecs, t);
    }
  }
}

void winograd_f32(const Args& args, int64_t first, int64_t last, char* scratch) {
  const WinogradParams& q = *static_cast<const WinogradParams*>(args.params);
  const WinogradShape& s = q.shape;
  const float* source = operand<const float>(args, 0);
  const float* filters = operand<const float>(args, q.filter);
  const Epilogue epilogue = {operand<const float>(args, q.bias), operand<const float>(args, q.mask), q.relu != 0};
  float* out = operand<float>(args, q.out);
  const int64_t high = winograd_tiles(s.oh), wide = winograd_tiles(s.ow), tiles = s.images * high * wide;
  const int64_t groups = winograd_groups(s.of);
  float* windows = reinterpret_cast<float*>(scratch);
  float* products = windows + kWinogradPoints * winograd_pitch(q.block, s.c);
  for (int64_t task = first; task < last; ++task) {
    const int64_t range = task % q.tile_ranges, t0 = part(tiles, q.tile_ranges, range);
    const int64_t all = part(tiles, q.tile_ranges, range + 1) - t0, blocks = (all + q.block - 1) / q.block;
    const int64_t g0 = part(groups, q.group_ranges, task / q.tile_ranges);
    const int64_t g1 = part(groups, q.group_ranges, task / q.tile_ranges + 1), steps = (g1 - g0) * kWinogradPoints;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t from = part(all, blocks, block), count = part(all, blocks, block + 1) - from;
      const int64_t next = block + 1 < blocks ? part(all, blocks, block + 2) - from - count : 0;
      const Place at = place_of(t0 + from, high, wide);
      Place ahead = place_of(t0 + from + count, high, wide);
      const int64_t pitch = winograd_pitch(count, s.c);
      transform_input(source, s, s.c, at, count, windows, pitch);
      for (int64_t g = g0; g < g1; ++g) {
        const Group group = group_of(s.of, g);
        const int64_t product_pitch = winograd_pitch(count, group.columns);
        const int64_t filter_pitch = s.c * group.columns + 32;
        const float* filter = filters + group_at(s.c, group, g);
        Place stored = at;
        for (int64_t p = 0; p < kWinogradPoints; ++p) {
          // The products leave the memory idle: meanwhile it brings what the transforms will touch.
          const int64_t step = (g - g0) * kWinogradPoints + p;
          fetch_input(source, s, s.c, ahead, high, wide, part(next, steps, step + 1) - part(next, steps, step));
          fetch_output(out + group.first, s, group.columns, stored, high, wide,
                       part(count, kWinogradPoints, p + 1) - part(count, kWinogradPoints, p));
          Tile t = {};
          t.ks = 1;
          t.k = s.c;
          t.n1 = t.n2 = 1;
          t.start = Start::kZero;
          const float* a = windows + p * pitch;
          const float* b = filter + p * filter_pitch;
          float* c = products + p * product_pitch;
          multiply(
              t, count, group.columns,
              [&](int64_t from, int64_t columns) __attribute__((always_inline)) {
                t.b = b + from * s.c;
                t.ldb = columns;
              },
              [&](int64_t row, int rows) __attribute__((always_inline)) {
                for (int r = 0; r < rows; ++r) {
                  t.a[r] = a + (row + r) * s.c;
                  t.c[r] = c + (row + r) * group.columns;
                }
              });
        }
        const Epilogue e = {epilogue.bias != nullptr ? epilogue.bias + group.first : nullptr,
                            epilogue.mask != nullptr ? epilogue.mask + group.first : nullptr, epilogue.relu};
        transform_output(products, product_pitch, group.columns, s, at, count, out + group.first, e);
      }
    }
  }
}

/// Prepares the filter: G g G^T in the order in which the products read it.
void winograd_filter_f32(const Args& args, int64_t first, int64_t last, char* scratch) {
  const WinogradFilterParams& q = *static_cast<const WinogradFilterParams*>(args.params);
  const float* filter = operand<const float>(args, q.filter);
  const int64_t blocks = (q.depth + kLanes - 1) / kLanes;
  for (int64_t task = first; task < last; ++task) {
    const int64_t g = task / blocks, k0 = task % blocks * kLanes;
    const int64_t rows = q.depth - k0 < kLanes ? q.depth - k0 : kLanes;
    const Group group = group_of(q.columns, g);
    float* to = operand<float>(args, q.to) + group_at(q.depth, group, g);
    const int64_t pitch = q.depth * group.columns + 32;
    const float* from = filter + k0 * q.columns + group.first;  // row k0, column 0 of the group
    int64_t step = q.columns, tap = q.depth * q.columns;
    if (q.backward) {  // [tap][C][F] to [8 - tap][F][C]
      float* turned = reinterpret_cast<float*>(scratch);
      for (int64_t i = 0; i < 9; ++i) {
        transpose_into(turned + (8 - i) * kLanes * group.columns, group.columns,
                       filter + (i * q.columns + group.first) * q.depth + k0, q.depth, group.columns, rows);
      }
      from = turned;
      step = group.columns;
      tap = kLanes * group.columns;
    }
    for (int64_t p = 0; p < panels_of(group.columns); ++p) {
      const int64_t f0 = panel_at(group.columns, p), columns = panel_at(group.columns, p + 1) - f0;
      for (int64_t k = 0; k < rows; ++k) {
        for (int64_t f = 0; f < columns; f += kTransformLanes) {
          const int width = columns - f < kTransformLanes ? static_cast<int>(columns - f) : kTransformLanes;
          filter_tile(from + k * step + f0 + f, tap, to + f0 * q.depth + (k0 + k) * columns + f, pitch, width);
        }
      }
    }
  }
}

/// Filter gradient: the sums over tiles of the products of transformed windows and transformed output gradients.
void winograd_grad_f32(const Args& args, int64_t first, int64_t last, char* scratch) {
  const WinogradGradParams& q = *static_cast<const WinogradGradParams*>(args.params);
  const WinogradShape& s = q.shape;
  const int64_t high = winograd_tiles(s.oh), wide = winograd_tiles(s.ow);
  const int64_t c_vecs = (s.c + kLanes - 1) / kLanes, f_vecs = (s.of + kLanes - 1) / kLanes;
  for (int64_t task = first; task < last; ++task) {
    const int64_t fb = task % q.f_blocks, cb = task / q.f_blocks % q.c_blocks, chunk = task / q.f_blocks / q.c_blocks;
    const int64_t c0 = part(c_vecs, q.c_blocks, cb) * kLanes, c1 = part(c_vecs, q.c_blocks, cb + 1) * kLanes;
    const int64_t f0 = part(f_vecs, q.f_blocks, fb) * kLanes, f1 = part(f_vecs, q.f_blocks, fb + 1) * kLanes;
    const int64_t c = (c1 < s.c ? c1 : s.c) - c0, f = (f1 < s.of ? f1 : s.of) - f0;
    const int64_t n0 = part(s.images, q.chunks, chunk), images = part(s.images, q.chunks, chunk + 1) - n0;
    const float* x = operand<const float>(args, 0) + n0 * s.h * s.w * s.c + c0;
    const float* dy = operand<const float>(args, 1) + n0 * s.oh * s.ow * s.of + f0;
    float* out = operand<float>(args, q.out);
    float* bias = operand<float>(args, q.sums);
    if (q.chunks > 1) {
      out = operand<float>(args, q.workspace) + chunk * q.chunk_stride;
      if (bias != nullptr) bias = out + 9 * s.c * s.of;
    }

    const int64_t sum_pitch = winograd_pitch(c, f);
    float* sums = reinterpret_cast<float*>(scratch);
    float* windows = sums + kWinogradPoints * sum_pitch;
    float* gradients = windows + kWinogradPoints * winograd_pitch(q.block, c);
    const int64_t tiles = images * high * wide, blocks = (tiles + q.block - 1) / q.block;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t from = part(tiles, blocks, block), count = part(tiles, blocks, block + 1) - from;
      const int64_t next = block + 1 < blocks ? part(tiles, blocks, block + 2) - from - count : 0;
      const Place at = place_of(from, high, wide);
      Place ahead_x = place_of(from + count, high, wide), ahead_dy = ahead_x;
      const int64_t x_pitch = winograd_pitch(count, c), dy_pitch = winograd_pitch(count, f);
      transform_input(x, s, c, at, count, windows, x_pitch);
      transform_gradient(dy, s, f, at, count, gradients, dy_pitch);
      if (bias != nullptr && cb == 0) {  // point (1, 1) holds the sum of each tile
        column_sums(bias + f0, gradients + (kWinogradWindow + 1) * dy_pitch, f, count, f, block > 0);
      }
      for (int64_t p = 0; p < kWinogradPoints; ++p) {
        const int64_t fetched = part(next, kWinogradPoints, p + 1) - part(next, kWinogradPoints, p);
        fetch_input(x, s, c, ahead_x, high, wide, fetched);
        fetch_output(dy, s, f, ahead_dy, high, wide, fetched);
        Tile t = {};
        t.ks = c;
        t.k = count;
        t.n1 = t.n2 = 1;
        t.ldb = f;
        t.start = block == 0 ? Start::kZero : Start::kC;
        const float* a = windows + p * x_pitch;
        const float* b = gradients + p * dy_pitch;
        float* to = sums + p * sum_pitch;
        multiply(
            t, c, f, [&](int64_t column, int64_t) __attribute__((always_inline)) { t.b = b + column; },
            [&](int64_t row, int rows) __attribute__((always_inline)) {
              for (int r = 0; r < rows; ++r) {
                t.a[r] = a + row + r;
                t.c[r] = to + (row + r) * f;
              }
            });
      }
    }
    if (blocks == 0) {
      memset(sums, 0, static_cast<size_t>(kWinogradPoints * sum_pitch) * sizeof(float));
      if (bias != nullptr && cb == 0) memset(bias + f0, 0, static_cast<size_t>(f) * sizeof(float));
    }
    for (int64_t i = 0; i < c; ++i) {
      for (int64_t j = 0; j < f; j += kTransformLanes) {
        const int width = f - j < kTransformLanes ? static_cast<int>(f - j) : kTransformLanes;
        filter_gradient_tile(sums + i * f + j, sum_pitch, out + (c0 + i) * s.of + f0 + j, s.c * s.of, width);
      }
    }
  }
}

}  // namespace

void fill_winograd(KernelTable& table) {
  table.winograd_f32 = winograd_f32;
  table.winograd_filter_f32 = winograd_filter_f32;
  table.winograd_grad_f32 = winograd_grad_f32;
}

}  // namespace nabi::cpu::NABI_ISA
