// csrc/cpu/winograd.h -- parameters shared by the Winograd kernels and their lowering
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// Rows and columns of the outputs of a tile, and of the pixels it reads.
constexpr int kWinogradTile = 4;
constexpr int kWinogradWindow = 6;
constexpr int kWinogradPoints = kWinogradWindow * kWinogradWindow;

/// Most 16-lane vectors of output channels that are computed and transformed together.
constexpr int64_t kWinogradGroup = 4;

/// A 3x3 correlation of stride 1: out[y, x] = sum of source[y + i - pad_h, x + j - pad_w] times tap (i, j).
struct WinogradShape {
  int64_t images;
  int64_t h, w, c;     // of the source; c is also the depth of the filter
  int64_t oh, ow, of;  // of the output
  int64_t pad_h, pad_w;
};

/// Filter [3][3][C][F] to [group of columns][point][panel][depth][columns of the panel]. Backward: the taps are turned
/// round and depth is F. Tasks: group, then block of 16 rows of the depth.
struct WinogradFilterParams {
  int64_t depth, columns;
  int32_t backward;
  int32_t filter, to;
};

/// Forward or input gradient (source = dy). Tasks: range of column groups, then range of tiles, the last fastest.
struct WinogradParams {
  WinogradShape shape;
  int64_t tile_ranges, group_ranges;
  int64_t block;  // most tiles that go through all stages together
  int32_t filter, bias, mask, out, relu;
};

/// Filter gradient. Tasks: chunk of the batch, then block of the source's channels, then of the output's.
struct WinogradGradParams {
  WinogradShape shape;
  int64_t chunks, chunk_stride, c_blocks, f_blocks;
  int64_t block;  // most tiles that go through all stages together
  int32_t out, sums, workspace;
};

static inline __attribute__((always_inline)) int64_t winograd_tiles(int64_t pixels) {
  return (pixels + kWinogradTile - 1) / kWinogradTile;
}

/// Groups that so many output channels are cut into.
static inline __attribute__((always_inline)) int64_t winograd_groups(int64_t columns) {
  return ((columns + 15) / 16 + kWinogradGroup - 1) / kWinogradGroup;
}

/// Floats between the points of a block of rows x columns; off the powers of two, which crowd few cache sets.
static inline __attribute__((always_inline)) int64_t winograd_pitch(int64_t rows, int64_t columns) {
  return (rows * columns + 15) / 16 * 16 + 16;
}

/// Floats of all transformed filters.
static inline __attribute__((always_inline)) int64_t winograd_filter_size(int64_t depth, int64_t columns) {
  return kWinogradPoints * (depth * ((columns + 15) / 16 * 16) + 32 * winograd_groups(columns));
}

}  // namespace nabi::cpu
