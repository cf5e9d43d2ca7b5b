// csrc/cpu/winograd_tiles.h -- Winograd's transforms of whole tiles, between images and [point][tile][channel]
#pragma once

#include "cpu/tile.h"
#include "cpu/winograd.h"
#include "cpu/winograd_transforms.h"

namespace nabi::cpu::NABI_ISA {

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

/// Transforms the windows of `count` tiles: to[point][tile][channel] for so many channels from `source` on.
NABI_NOINLINE static void transform_input(const float* source, const WinogradShape& s, int64_t channels, Place at,
                                          int64_t count, float* to, int64_t pitch) {
  const int64_t high = winograd_tiles(s.oh), wide = winograd_tiles(s.ow), row = s.w * s.c;
  for (int64_t t = 0; t < count; ++t, advance(at, high, wide), to += channels) {
    const int64_t y = at.y * kWinogradTile - s.pad_h, x = at.x * kWinogradTile - s.pad_w;
    const float* from = source + ((at.image * s.h + y) * s.w + x) * s.c;
    const bool inside = y >= 0 && x >= 0 && y + kWinogradWindow <= s.h && x + kWinogradWindow <= s.w;
    for (int64_t c = 0; c < channels; c += kTransformLanes) {
      const int width = channels - c < kTransformLanes ? static_cast<int>(channels - c) : kTransformLanes;
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

/// What happens to an output on its way to memory. Pointers are those of channel 0 of the first pixel.
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

/// Transforms products[point][tile][channel] into outputs of `count` tiles, so many channels from `out` on.
NABI_NOINLINE static void transform_output(const float* products, int64_t pitch, int64_t channels,
                                           const WinogradShape& s, Place at, int64_t count, float* out,
                                           const Epilogue& all) {
  const int64_t high = winograd_tiles(s.oh), wide = winograd_tiles(s.ow), row = s.ow * s.of;
  for (int64_t t = 0; t < count; ++t, advance(at, high, wide), products += channels) {
    const int64_t y = at.y * kWinogradTile, x = at.x * kWinogradTile;
    const int rows = s.oh - y < kWinogradTile ? static_cast<int>(s.oh - y) : kWinogradTile;
    const int columns = s.ow - x < kWinogradTile ? static_cast<int>(s.ow - x) : kWinogradTile;
    for (int64_t f = 0; f < channels; f += kTransformLanes) {
      const int64_t left = channels - f, to = ((at.image * s.oh + y) * s.ow + x) * s.of + f;
      const int width = left < kTransformLanes ? static_cast<int>(left) : kTransformLanes;
      const Epilogue e = {all.bias != nullptr ? all.bias + f : nullptr, all.mask != nullptr ? all.mask + to : nullptr,
                          all.relu};
      rows == kWinogradTile&& columns == kWinogradTile&& width == kTransformLanes
          ? output_tile<true>(products + f, pitch, out + to, row, s.of, rows, columns, e, width)
          : output_tile<false>(products + f, pitch, out + to, row, s.of, rows, columns, e, width);
    }
  }
}

/// A dy A^T of one tile, the gradient's side of a weight gradient; rows and columns of d are so many floats apart.
template <int kGroup, bool kFull>
NABI_INLINE void gradient_part(const float* d, int64_t row, int64_t column, float*& to, int64_t pitch, int width) {
  constexpr int kCount = kGroup == 0 || kGroup == 3 ? 1 : 2;
  Lanes half[2][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j, move(d, column)) {
    Lanes in[4], out[2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) in[i] = load_lanes<kFull>(d + i * row, width);
    gradient_rows<kGroup>(in, out);
    half[0][j] = out[0];
    if (kCount == 2) half[1][j] = out[1];
  }
#pragma GCC unroll 2
  for (int i = 0; i < kCount; ++i) {
    Lanes out[6];
    gradient_transform(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j, move(to, pitch)) store_lanes<kFull>(to, out[j], width);
  }
}

template <bool kFull>
NABI_INLINE void gradient_tile(const float* d, int64_t row, int64_t column, float* to, int64_t pitch, int width) {
  gradient_part<0, kFull>(d, row, column, to, pitch, width);
  gradient_part<1, kFull>(d, row, column, to, pitch, width);
  gradient_part<2, kFull>(d, row, column, to, pitch, width);
  gradient_part<3, kFull>(d, row, column, to, pitch, width);
}

/// Transforms the output gradients of `count` tiles: to[point][tile][channel] for so many channels from `dy` on.
NABI_NOINLINE static void transform_gradient(const float* dy, const WinogradShape& s, int64_t channels, Place at,
                                             int64_t count, float* to, int64_t pitch) {
  const int64_t high = winograd_tiles(s.oh), wide = winograd_tiles(s.ow), row = s.ow * s.of;
  for (int64_t t = 0; t < count; ++t, advance(at, high, wide), to += channels) {
    const int64_t y = at.y * kWinogradTile, x = at.x * kWinogradTile;
    const float* from = dy + ((at.image * s.oh + y) * s.ow + x) * s.of;
    const bool whole = y + kWinogradTile <= s.oh && x + kWinogradTile <= s.ow;
    for (int64_t f = 0; f < channels; f += kTransformLanes) {
      const int width = channels - f < kTransformLanes ? static_cast<int>(channels - f) : kTransformLanes;
      const float* d = from + f;
      int64_t d_row = row, d_column = s.of;
      alignas(64) float window[kWinogradTile * kWinogradTile * kTransformLanes];
      if (!whole) {
        float* p = window;
        for (int i = 0; i < kWinogradTile; ++i) {
          for (int j = 0; j < kWinogradTile; ++j, p += kTransformLanes) {
            const bool in = y + i < s.oh && x + j < s.ow;
            store_lanes(p, in ? load_lanes(d + i * row + j * s.of, width) : lanes(0));
          }
        }
        d = window;
        d_row = kWinogradTile * kTransformLanes;
        d_column = kTransformLanes;
      }
      width == kTransformLanes ? gradient_tile<true>(d, d_row, d_column, to + f, pitch, width)
                               : gradient_tile<false>(d, d_row, d_column, to + f, pitch, width);
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

/// G^T s G: the gradient of kTransformLanes filters, taps `tap` floats apart, from their sums over all tiles.
NABI_INLINE void filter_gradient_tile(const float* s, int64_t pitch, float* to, int64_t tap, int width) {
  Lanes half[3][6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j, move(s, pitch)) {
    Lanes in[6], out[3];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) in[i] = load_lanes(s + i * 6 * pitch, width);
    filter_gradient_transform(in, out);
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    Lanes out[3];
    filter_gradient_transform(half[i], out);
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j, move(to, tap)) store_lanes(to, out[j], width);
  }
}

/// Asks for the lines of n floats to be brought into the L2 cache.
NABI_INLINE void fetch(const float* p, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(p + i, 0, 2);
}

/// Fetches channels of the windows of `count` tiles, bar the columns that the tile before has too.
NABI_INLINE void fetch_input(const float* source, const WinogradShape& s, int64_t channels, Place& at, int64_t high,
                             int64_t wide, int64_t count) {
  for (; count > 0; --count, advance(at, high, wide)) {
    const int64_t y = at.y * kWinogradTile - s.pad_h, x = at.x * kWinogradTile - s.pad_w;
    for (int64_t i = y < 0 ? 0 : y; i < y + kWinogradWindow && i < s.h; ++i) {
      int64_t j = at.x > 0 ? x + 2 : x;
      for (j = j < 0 ? 0 : j; j < x + kWinogradWindow && j < s.w; ++j) {
        fetch(source + ((at.image * s.h + i) * s.w + j) * s.c, channels);
      }
    }
  }
}

/// Fetches channels of the outputs of `count` tiles.
NABI_INLINE void fetch_output(const float* out, const WinogradShape& s, int64_t channels, Place& at, int64_t high,
                              int64_t wide, int64_t count) {
  for (; count > 0; --count, advance(at, high, wide)) {
    for (int64_t i = at.y * kWinogradTile; i < (at.y + 1) * kWinogradTile && i < s.oh; ++i) {
      for (int64_t j = at.x * kWinogradTile; j < (at.x + 1) * kWinogradTile && j < s.ow; ++j) {
        fetch(out + ((at.image * s.oh + i) * s.ow + j) * s.of, channels);
      }
    }
  }
}

}  // namespace nabi::cpu::NABI_ISA
