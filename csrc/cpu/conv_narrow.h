// csrc/cpu/conv_narrow.h -- convolutions with few outputs: the vectors lie along pixels or taps instead
//
// Where one to a dozen channels come out (the last layer of a decoder, the input gradient of a first layer), a vector
// of output channels is nearly empty. Here a tile's rows are those channels and its vectors run along the pixels of a
// source copied plane by plane, or, for the filter gradient, along a row of the window. Each output is still the same
// chain of multiply-adds over the taps.
#pragma once

#include "cpu/conv.h"
#include "cpu/tile.h"

namespace nabi::cpu::NABI_ISA {
namespace {

/// The source as planes [channel][image, row, column] with its zero halo, pixel (row0, column0) of image 0 first.
struct Planes {
  float* at;
  int64_t plane;                  // from channel to channel
  int64_t images, rows, columns;  // of the copy
  int64_t row0, column0;
};

/// Fills the planes from images [h, w, c]; what lies outside of them is zero.
NABI_NOINLINE static void copy_planes(const Planes& p, const float* from, int64_t h, int64_t w, int64_t c) {
  const int64_t left = p.column0 < 0 ? (-p.column0 < p.columns ? -p.column0 : p.columns) : 0;
  int64_t right = p.column0 + p.columns > w ? p.column0 + p.columns - w : 0;
  if (right > p.columns - left) right = p.columns - left;
  const int64_t inside = p.columns - left - right;
  float* to = p.at;
  for (int64_t n = 0; n < p.images; ++n) {
    for (int64_t y = p.row0; y < p.row0 + p.rows; ++y, to += p.columns) {
      const bool outside = y < 0 || y >= h;
      for (int64_t k = 0; k < c; ++k) {
        float* row = to + k * p.plane;
        for (int64_t j = 0; j < (outside ? p.columns : left); ++j) row[j] = 0;
        for (int64_t j = left + inside; j < p.columns; ++j) row[j] = 0;
      }
      if (outside || inside <= 0) continue;
      const float* pixels = from + ((n * h + y) * w + p.column0 + left) * c;
      if (c >= 8) {
        transpose_into(to + left, p.plane, pixels, c, inside, c);
        continue;
      }
      for (int64_t k = 0; k < c; ++k) {
        float* row = to + k * p.plane + left;
        for (int64_t j = 0; j < inside; ++j) row[j] = pixels[j * c + k];
      }
    }
  }
}

/// The outputs of one phase: `rows` x x.count pixels of each image, `depth` channels each.
struct NarrowOutput {
  float* at;  // the first pixel
  int64_t depth;
  int64_t image, row;  // distances
  const float* bias;
  int64_t mask;  // distance to the mask, laid out like the output
  bool relu, masked;
};

/// One phase of a correlation. `source` is what the first tap of the first output reads in plane 0; filter rows are
/// [y.taps][x.taps][channels][depth]. Every pixel of the copy between the first and the last output is computed, those
/// of the halo too; result [depth, p.plane] is scratch.
NABI_NOINLINE static void correlate_narrow(const Planes& p, const float* source, int64_t channels, const float* filter,
                                           const ConvPhase& y, const ConvPhase& x, int64_t rows,
                                           const NarrowOutput& out, float* result) {
  const int64_t image = p.rows * p.columns;
  const int64_t pixels = (p.images - 1) * image + (rows - 1) * p.columns + x.count;
  if (out.bias != nullptr) {
    for (int64_t f = 0; f < out.depth; ++f) {
      for (int64_t i = 0; i < pixels; ++i) result[f * p.plane + i] = out.bias[f];
    }
  }
  Tile t = {};
  t.ks = out.depth;
  t.k = channels;
  t.n2 = x.taps;
  t.s2 = channels * out.depth;
  t.n1 = y.taps;
  t.s1 = x.taps * t.s2;
  t.ldb = p.plane;
  t.b2 = x.spread;
  t.b1 = y.spread * p.columns;
  t.start = out.bias != nullptr ? Start::kC : Start::kZero;
  t.relu = out.relu;
  sweep(
      t, out.depth, pixels, [&](int64_t from, int64_t, int) __attribute__((always_inline)) { t.b = source + from; },
      [&](int64_t row, int count) __attribute__((always_inline)) {
        for (int r = 0; r < count; ++r) {
          t.a[r] = filter + row + r;
          t.c[r] = result + (row + r) * p.plane;
        }
      });
  for (int64_t n = 0; n < p.images; ++n) {
    for (int64_t i = 0; i < rows; ++i) {
      const float* from = result + n * image + i * p.columns;
      float* to = out.at + n * out.image + i * out.row;
      const int64_t step = x.step * out.depth;
      if (step == 1) {
        memcpy(to, from, static_cast<size_t>(x.count) * sizeof(float));
      } else {
        transpose_into(to, step, from, p.plane, out.depth, x.count);
      }
      if (!out.masked) continue;
      const bool dense = x.step == 1;
      const int64_t runs = dense ? 1 : x.count, length = dense ? x.count * out.depth : out.depth;
      for (int64_t j = 0; j < runs; ++j) {
        float* values = to + j * step;
        for (int64_t e = 0; e < length; ++e) values[e] = values[out.mask + e] > 0 ? values[e] : 0;
      }
    }
  }
}

/// What a filter gradient sums over: rows of a window of x, and dy.
struct NarrowPixels {
  const float *x, *dy;  // x: the window's first element for the first output
  int64_t images, x_image, dy_image;
  int64_t rows, x_row, dy_row;
  int64_t columns, x_step, filters;
};

/// Adds dy^T x over the pixels into result [filters, lines, run]: line k of the window lies k * line elements further
/// and is `run` elements long.
NABI_NOINLINE static void filter_grad_narrow(const NarrowPixels& p, int64_t lines, int64_t line, int64_t run,
                                             float* result, bool fresh) {
  Tile t = {};
  t.ks = p.filters;
  t.k = p.columns;
  t.n2 = p.rows;
  t.s2 = p.dy_row;
  t.n1 = p.images;
  t.s1 = p.dy_image;
  t.ldb = p.x_step;
  t.b2 = p.x_row;
  t.b1 = p.x_image;
  t.start = fresh ? Start::kZero : Start::kC;
  for (int64_t k = 0; k < lines; ++k) {
    sweep(
        t, p.filters,
        run, [&](int64_t from, int64_t, int) __attribute__((always_inline)) { t.b = p.x + k * line + from; },
        [&](int64_t row, int count) __attribute__((always_inline)) {
          for (int r = 0; r < count; ++r) {
            t.a[r] = p.dy + row + r;
            t.c[r] = result + ((row + r) * lines + k) * run;
          }
        });
  }
}

}  // namespace
}  // namespace nabi::cpu::NABI_ISA
