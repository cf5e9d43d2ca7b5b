// csrc/cpu/winograd.cpp -- 3x3 convolution by F(4x4, 3x3): a quarter of the multiplications, in blocks of tiles
//
// A task takes a block of tiles through all stages: it transforms their windows into 36 small matrices (point by point
// [tiles, channels]), multiplies each by the filter's matrix of that point, and transforms the products into 4x4
// outputs. What it makes on the way stays in the L2 cache. Tiles are numbered through all images; where a window
// leaves the image its pixels are zeros, and outputs beyond the image are dropped.
//
// The transforms add and subtract neighbours, so a NaN or an infinity in one pixel makes every output of the tiles
// that read it NaN (the direct kernel: only the outputs that read it), and inputs above some 1e36 may overflow.
#include "cpu/winograd.h"

#include "cpu/kernels.h"
#include "cpu/tile.h"
#include "cpu/winograd_transforms.h"

namespace nabi::cpu::NABI_ISA {
namespace {

template <class T>
NABI_INLINE T* operand(const Args& args, int32_t i) {
  return i < 0 ? nullptr : reinterpret_cast<T*>(args.ptr[i]);
}

/// Columns of one group: f0 and how many, and the vectors of a panel of the products.
struct Group {
  int64_t first, columns;
  int panel;
};

NABI_INLINE Group group_of(int64_t columns, int64_t g) {
  const int64_t vecs = (columns + kLanes - 1) / kLanes, groups = winograd_groups(columns);
  Group out;
  out.first = part(vecs, groups, g) * kLanes;
  const int64_t end = part(vecs, groups, g + 1) * kLanes;
  out.columns = (end < columns ? end : columns) - out.first;
  out.panel = panel_width(kMaxRows, out.columns, false);
  if (out.panel > kMaxVecs) out.panel = kMaxVecs;
  return out;
}

/// Where group g of the transformed filters begins.
NABI_INLINE int64_t group_at(int64_t depth, const Group& group, int64_t g) {
  return kWinogradPoints * (depth * group.first + 32 * g);
}

// In the transforms below a pointer that moves on is hidden from the compiler, which else would compute and spill the
// addresses of all 36 points beforehand: a third of the time.
template <class T>
NABI_INLINE void move(T*& p, int64_t by) {
  p += by;
  asm("" : "+r"(p));
}

/// B^T d B of one window, for kTransformLanes channels; rows and columns of d are `row` and `column` floats apart.
template <int kGroup, bool kFull>
NABI_INLINE void input_rows(const float* d, int64_t row, int64_t column, float*& to, int64_t pitch, int width) {
  constexpr int kCount = kGroup == 0 || kGroup == 3 ? 1 : 2;
  Lanes half[2][6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j, move(d, column)) {
    Lanes in[6], out[2];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) in[i] = load_lanes<kFull>(d + i * row, width);
    data_rows<kGroup>(in, out);
    half[0][j] = out[0];
    if (kCount == 2) half[1][j] = out[1];
  }
#pragma GCC unroll 2
  for (int i = 0; i < kCount; ++i) {
    Lanes out[6];
    data_transform(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j, move(to, pitch)) store_lanes<kFull>(to, out[j], width);
  }
}

template <bool kFull>
NABI_INLINE void input_tile(const float* d, int64_t row, int64_t column, float* to, int64_t pitch, int width) {
  input_rows<0, kFull>(d, row, column, to, pitch, width);
  input_rows<1, kFull>(d, row, column, to, pitch, width);
  input_rows<2, kFull>(d, row, column, to, pitch, width);
  input_rows<3, kFull>(d, row, column, to, pitch, width);
}

/// Where a tile lies.
struct Place {
  int64_t image, y, x;  // in tiles
};

NABI_INLINE Place place_of(int64_t tile, int64_t high, int64_t wide) {
  return {tile / (high * wide), tile / wide % high, tile % wide};
}

NABI_INLINE void advance(Place& p, int64_t high, int64_t wide) {
  if (++p.x < wide) return;
  p.x = 0;
  if (++p.y < high) return;
  p.y = 0;
  ++p.image;
}

/// Transforms the windows of `count` tiles: to[point][tile][channel].
NABI_NOINLINE void transform_input(const float* source, const WinogradShape& s, Place at, int64_t count, float* to,
                                   int64_t pitch) {
  const int64_t high = winograd_tiles(s.oh), wide = winograd_tiles(s.ow), row = s.w * s.c;
  for (int64_t t = 0; t < count; ++t, advance(at, high, wide), to += s.c) {
    const int64_t y = at.y * kWinogradTile - s.pad_h, x = at.x * kWinogradTile - s.pad_w;
    const float* from = source + ((at.image * s.h + y) * s.w + x) * s.c;
    const bool inside = y >= 0 && x >= 0 && y + kWinogradWindow <= s.h && x + kWinogradWindow <= s.w;
    for (int64_t c = 0; c < s.c; c += kTransformLanes) {
      const int width = s.c - c < kTransformLanes ? static_cast<int>(s.c - c) : kTransformLanes;
      const float* d = from + c;
      int64_t d_row = row, d_column = s.c;
      alignas(64) float window[kWinogradPoints * kTransformLanes];
      if (!inside) {
        float* p = window;
        for (int i = 0; i < kWinogradWindow; ++i) {
          for (int j = 0; j < kWinogradWindow; ++j, p += kTransformLanes) {
            const bool in = y + i >= 0 && y + i < s.h && x + j >= 0 && x + j < s.w;
            store_lanes(p, in ? load_lanes(d + i * row + j * s.c, width) : lanes(0));
          }
        }
        d = window;
        d_row = kWinogradWindow * kTransformLanes;
        d_column = kTransformLanes;
      }
      width == kTransformLanes ? input_tile<true>(d, d_row, d_column, to + c, pitch, width)
                               : input_tile<false>(d, d_row, d_column, to + c, pitch, width);
    }
  }
}

/// What happens to an output on its way to memory.
struct Epilogue {
  const float* bias;
  const float* mask;  // laid out like the output
  bool relu;
};

/// A^T m A of one tile and kTransformLanes channels. kWhole: all outputs and lanes are stored, else rows x columns
/// outputs of `width` lanes.
template <bool kWhole>
NABI_INLINE void output_tile(const float* m, int64_t pitch, float* to, int64_t row, int64_t column, int rows,
                             int columns, const Epilogue& e, int width) {
  Lanes half[4][6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j, move(m, pitch)) {
    Lanes in[6], out[4];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) in[i] = load_lanes<kWhole>(m + i * 6 * pitch, width);
    output_transform(in, out);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) half[i][j] = out[i];
  }
  const Lanes bias = e.bias != nullptr ? load_lanes<kWhole>(e.bias, width) : lanes(0);
  const int64_t mask = e.mask != nullptr ? e.mask - to : 0;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i, move(to, row)) {
    if (!kWhole && i >= rows) break;
    Lanes out[4];
    output_transform(half[i], out);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) out[j] = out[j] + bias;
    if (e.relu) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) out[j] = positive(out[j]);
    }
    if (e.mask != nullptr) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        if (kWhole || j < columns) out[j] = keep(load_lanes<kWhole>(to + mask + j * column, width), out[j]);
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      if (kWhole || j < columns) store_lanes<kWhole>(to + j * column, out[j], width);
    }
  }
}

/// Transforms products[point][tile][column of the group] into the outputs of `count` tiles.
NABI_NOINLINE void transform_output(const float* products, int64_t pitch, const Group& group, const WinogradShape& s,
                                    Place at, int64_t count, float* out, const Epilogue& all) {
  const int64_t high = winograd_tiles(s.oh), wide = winograd_tiles(s.ow), row = s.ow * s.of;
  for (int64_t t = 0; t < count; ++t, advance(at, high, wide), products += group.columns) {
    const int64_t y = at.y * kWinogradTile, x = at.x * kWinogradTile;
    const int rows = s.oh - y < kWinogradTile ? static_cast<int>(s.oh - y) : kWinogradTile;
    const int columns = s.ow - x < kWinogradTile ? static_cast<int>(s.ow - x) : kWinogradTile;
    for (int64_t f = 0; f < group.columns; f += kTransformLanes) {
      const int64_t left = group.columns - f, to = ((at.image * s.oh + y) * s.ow + x) * s.of + group.first + f;
      const int width = left < kTransformLanes ? static_cast<int>(left) : kTransformLanes;
      const Epilogue e = {all.bias != nullptr ? all.bias + group.first + f : nullptr,
                          all.mask != nullptr ? all.mask + to : nullptr, all.relu};
      rows == kWinogradTile&& columns == kWinogradTile&& width == kTransformLanes
          ? output_tile<true>(products + f, pitch, out + to, row, s.of, rows, columns, e, width)
          : output_tile<false>(products + f, pitch, out + to, row, s.of, rows, columns, e, width);
    }
  }
}

/// Asks for the lines of n floats to be brought into the L2 cache.
NABI_INLINE void fetch(const float* p, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(p + i, 0, 2);
  if (n > 0) __builtin_prefetch(p + n - 1, 0, 2);
}

/// Fetches the windows of `count` tiles, bar the columns that the tile before has too.
NABI_INLINE void fetch_input(const float* source, const WinogradShape& s, Place& at, int64_t high, int64_t wide,
                             int64_t count) {
  for (; count > 0; --count, advance(at, high, wide)) {
    const int64_t y = at.y * kWinogradTile - s.pad_h, x = at.x * kWinogradTile - s.pad_w + (at.x > 0 ? 2 : 0);
    const int64_t x0 = x < 0 ? 0 : x, end = at.x * kWinogradTile - s.pad_w + kWinogradWindow;
    const int64_t x1 = end < s.w ? end : s.w;
    for (int64_t i = y < 0 ? 0 : y; i < y + kWinogradWindow && i < s.h; ++i) {
      fetch(source + ((at.image * s.h + i) * s.w + x0) * s.c, (x1 - x0) * s.c);
    }
  }
}

/// Fetches a group's columns of the outputs of `count` tiles.
NABI_INLINE void fetch_output(const float* out, const WinogradShape& s, const Group& group, Place& at, int64_t high,
                              int64_t wide, int64_t count) {
  for (; count > 0; --count, advance(at, high, wide)) {
    for (int64_t i = at.y * kWinogradTile; i < (at.y + 1) * kWinogradTile && i < s.oh; ++i) {
      for (int64_t j = at.x * kWinogradTile; j < (at.x + 1) * kWinogradTile && j < s.ow; ++j) {
        fetch(out + ((at.image * s.oh + i) * s.ow + j) * s.of + group.first, group.columns);
      }
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
      transform_input(source, s, at, count, windows, pitch);
      for (int64_t g = g0; g < g1; ++g) {
        const Group group = group_of(s.of, g);
        const int64_t product_pitch = winograd_pitch(count, group.columns);
        const int64_t filter_pitch = s.c * group.columns + 32;
        const float* filter = filters + group_at(s.c, group, g);
        Place stored = at;
        for (int64_t p = 0; p < kWinogradPoints; ++p) {
          // The products leave the memory idle: meanwhile it brings what the transforms will touch.
          const int64_t step = (g - g0) * kWinogradPoints + p;
          fetch_input(source, s, ahead, high, wide, part(next, steps, step + 1) - part(next, steps, step));
          fetch_output(out, s, group, stored, high, wide,
                       part(count, kWinogradPoints, p + 1) - part(count, kWinogradPoints, p));
          Tile t = {};
          t.ks = 1;
          t.k = s.c;
          t.n1 = t.n2 = 1;
          t.start = Start::kZero;
          const float* a = windows + p * pitch;
          const float* b = filter + p * filter_pitch;
          float* c = products + p * product_pitch;
          sweep(
              t, count, group.columns, group.panel,
              [&](int64_t from, int64_t columns, int) __attribute__((always_inline)) {
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
        transform_output(products, product_pitch, group, s, at, count, out, epilogue);
      }
    }
  }
}

/// G g G^T of kTransformLanes filters whose taps are `tap` floats apart.
NABI_INLINE void filter_tile(const float* g, int64_t tap, float* to, int64_t pitch, int width) {
  Lanes half[6][3];
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j, move(g, tap)) {
    Lanes in[3], out[6];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) in[i] = load_lanes(g + 3 * i * tap, width);
    filter_transform(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    Lanes out[6];
    filter_transform(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j, move(to, pitch)) store_lanes(to, out[j], width);
  }
}

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
    const int64_t all = (group.columns + kLanes - 1) / kLanes, panels = (all + group.panel - 1) / group.panel;
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t f0 = part(all, panels, p) * kLanes, f1 = part(all, panels, p + 1) * kLanes;
      const int64_t columns = (f1 < group.columns ? f1 : group.columns) - f0;
      for (int64_t k = 0; k < rows; ++k) {
        for (int64_t f = 0; f < columns; f += kTransformLanes) {
          const int width = columns - f < kTransformLanes ? static_cast<int>(columns - f) : kTransformLanes;
          filter_tile(from + k * step + f0 + f, tap, to + f0 * q.depth + (k0 + k) * columns + f, pitch, width);
        }
      }
    }
  }
}

}  // namespace

void fill_winograd(KernelTable& table) {
  table.winograd_f32 = winograd_f32;
  table.winograd_filter_f32 = winograd_filter_f32;
}

}  // namespace nabi::cpu::NABI_ISA
