// csrc/cpu/conv.h -- parameters shared by the convolution kernels and their lowering
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// One spatial dimension of a convolution: in = input of the forward pass, out = its output.
struct ConvDim {
  int64_t in, out, kernel, stride, dilation, pad;
};

/// A convolution, whichever of its three products is computed. Tensors are NHWC, filters HWIO.
struct ConvShape {
  int64_t images, c, f, groups;
  ConvDim h, w;
};

/// The outputs of one dimension that the same taps reach: output first + step * i, for i < count, is the sum over
/// tap j < taps of source base + advance * i + spread * j.
struct ConvPhase {
  int64_t first, step, count, base, advance, taps, spread;
  int64_t tap0, tap_step;  // tap j is row tap0 + tap_step * j of the filter
};

/// Forward (one phase) or input gradient (a phase for each residue of the stride; source = dy, filter = the flipped
/// one). Tasks: block of columns, then block of images, then block of rows, the last fastest.
struct CorrelateParams {
  ConvShape shape;
  int64_t image_blocks, row_blocks, column_blocks;
  int64_t low_h, high_h, low_w, high_w;  // source reached from output 0: the extremes over all phases
  int32_t backward, copy, depthwise;     // copy: the source needs a zero halo
  int32_t narrow;  // few outputs: the vectors lie along the pixels, the source is copied as planes
  int32_t filter, bias, mask, out, relu;
};

/// Filter gradient. Tasks: chunk of the batch, then block of filter rows, then block of columns.
struct FilterParams {
  ConvShape shape;
  int64_t chunks, chunk_stride, row_blocks, column_blocks;
  int64_t group_images, group_rows;  // images, or else output rows of one image, taken at a time
  int64_t result;                    // narrow: where in the scratch, in floats, the transposed result is summed
  int32_t copy, depthwise, narrow;   // narrow: few filters, the vectors lie along a row of the window
  int32_t out, sums, workspace;
};

/// Reorders a filter for the input gradient: [phase][tap][F / groups][C], taps in the order the phases read them.
struct FlipParams {
  ConvShape shape;
  int32_t filter, workspace;
};

/// Phase `p` of a dimension, p < phases.
static inline __attribute__((always_inline)) ConvPhase conv_phase(const ConvDim& d, bool backward, int64_t p) {
  if (!backward) return {0, 1, d.out, -d.pad, d.stride, d.kernel, d.dilation, 0, 1};
  ConvPhase out = {p, d.stride, p < d.in ? (d.in - p + d.stride - 1) / d.stride : 0, 0, 1, 0, 1, 0, 0};
  int64_t a = d.stride, b = d.dilation;
  while (b != 0) {
    const int64_t r = a % b;
    a = b;
    b = r;
  }
  const int64_t period = d.stride / a;  // a is gcd(stride, dilation)
  int64_t tap = 0;
  while (tap < d.kernel && tap < period && (p + d.pad - tap * d.dilation) % d.stride != 0) ++tap;
  if (tap >= d.kernel || tap >= period) return out;  // no tap reaches these outputs
  out.taps = (d.kernel - 1 - tap) / period + 1;
  out.spread = d.dilation / a;
  out.base = (p + d.pad - tap * d.dilation) / d.stride - (out.taps - 1) * out.spread;
  out.tap0 = tap + (out.taps - 1) * period;
  out.tap_step = -period;
  return out;
}

/// The distance between planes of that many pixels: whole vectors, and no two planes in one set of a cache.
static inline __attribute__((always_inline)) int64_t narrow_plane(int64_t pixels) {
  const int64_t out = (pixels + 15) / 16 * 16;
  return out % 256 == 0 ? out + 16 : out;
}

static inline __attribute__((always_inline)) int64_t conv_phases(const ConvDim& d, bool backward) {
  return backward ? d.stride : 1;
}

}  // namespace nabi::cpu
