// csrc/cpu/conv.cpp -- convolution without im2col: the tiles read runs of the NHWC input in place
//
// Forward and input gradient are one kernel, a correlation of a source with a filter. Its outputs fall into phases
// (one for the forward pass, one for each residue of the stride for the gradient), and within a phase every output is
// reached by the same taps. Where the window leaves the image, a task first copies its part of the source into
// scratch with a halo of zeros. The filter gradient sums rank-1 updates over pixels.
#include "cpu/conv.h"

#include "cpu/conv_narrow.h"
#include "cpu/kernels.h"
#include "cpu/tile.h"

namespace nabi::cpu::NABI_ISA {
namespace {

constexpr int64_t kPanelBytes = 256 << 10;  // of the filter that should stay in the L2 cache while tiles pass

template <class T>
NABI_INLINE T* operand(const Args& args, int32_t i) {
  return i < 0 ? nullptr : reinterpret_cast<T*>(args.ptr[i]);
}

/// Copies rows [row0, row0 + rows) and columns [column0, column0 + columns) of `images` images, zeros outside.
void copy_region(float* to, const float* from, int64_t images, int64_t h, int64_t w, int64_t c, int64_t row0,
                 int64_t rows, int64_t column0, int64_t columns) {
  const int64_t left = column0 < 0 ? (-column0 < columns ? -column0 : columns) : 0;
  int64_t right = column0 + columns > w ? column0 + columns - w : 0;
  if (right > columns - left) right = columns - left;
  const int64_t inside = columns - left - right;
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t y = row0; y < row0 + rows; ++y, to += columns * c) {
      if (y < 0 || y >= h) {
        memset(to, 0, static_cast<size_t>(columns * c) * 4);
        continue;
      }
      if (left > 0) memset(to, 0, static_cast<size_t>(left * c) * 4);
      if (inside > 0) {
        memcpy(to + left * c, from + ((n * h + y) * w + column0 + left) * c, static_cast<size_t>(inside * c) * 4);
      }
      if (right > 0) memset(to + (left + inside) * c, 0, static_cast<size_t>(right * c) * 4);
    }
  }
}

/// Sixteen channels of each output of a pixel row; x and w are strided by pixel, the taps lie in a grid.
NABI_INLINE void depthwise_row(float* y, int64_t y_step, const float* x, int64_t x_step, int64_t x_row, int64_t x_tap,
                               const float* w, int64_t w_row, int64_t w_tap, int64_t rows, int64_t taps, int64_t count,
                               int width, Vec start, bool relu, const float* mask) {
  for (int64_t j = 0; j < count; j += 4) {
    const int64_t left = count - j < 4 ? count - j : 4;
    Vec acc[4] = {start, start, start, start};
    const float* p[4];
    for (int64_t q = 0; q < 4; ++q) p[q] = x + (j + (q < left ? q : left - 1)) * x_step;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t s = 0; s < taps; ++s) {
        const Vec k = load(w + r * w_row + s * w_tap, width);
        const int64_t at = r * x_row + s * x_tap;
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) acc[q] = fma(load(p[q] + at, width), k, acc[q]);
      }
    }
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      if (q >= left) continue;
      if (relu) acc[q] = select(lt(acc[q], zero()), zero(), acc[q]);
      if (mask != nullptr) acc[q] = select(gt(load(mask + (j + q) * y_step, width), zero()), acc[q], zero());
      store(y + (j + q) * y_step, acc[q], width);
    }
  }
}

/// The source a task reads: in place or its haloed copy.
struct View {
  const float* at;        // pixel (row0, column0) of the first image
  int64_t rows, columns;  // of one image
  int64_t row0, column0;
};

void correlate_f32(const Args& args, int64_t first, int64_t last, char* scratch) {
  const CorrelateParams& q = *static_cast<const CorrelateParams*>(args.params);
  const ConvShape& s = q.shape;
  const bool back = q.backward;
  const int64_t sh = back ? s.h.out : s.h.in, sw = back ? s.w.out : s.w.in, sc = back ? s.f : s.c;
  const int64_t oh = back ? s.h.in : s.h.out, ow = back ? s.w.in : s.w.out, of = back ? s.c : s.f;
  const int64_t cg = sc / s.groups, fg = of / s.groups;  // depth of a tap, columns of a group
  const int64_t step = back ? s.h.stride : 1;            // row blocks are in units of this many output rows
  const int64_t units = (oh + step - 1) / step;
  const float* source = operand<const float>(args, 0);
  const float* filter = operand<const float>(args, q.filter);
  const float* bias = operand<const float>(args, q.bias);
  const float* mask = operand<const float>(args, q.mask);
  float* out = operand<float>(args, q.out);

  for (int64_t task = first; task < last; ++task) {
    const int64_t rb = task % q.row_blocks, ib = task / q.row_blocks % q.image_blocks;
    const int64_t cb = task / q.row_blocks / q.image_blocks;
    const int64_t n0 = part(s.images, q.image_blocks, ib), images = part(s.images, q.image_blocks, ib + 1) - n0;
    const int64_t u0 = part(units, q.row_blocks, rb), u1 = part(units, q.row_blocks, rb + 1);
    const int64_t vecs = (fg + kLanes - 1) / kLanes;
    const int64_t f0 = part(vecs, q.column_blocks, cb) * kLanes;
    int64_t f1 = part(vecs, q.column_blocks, cb + 1) * kLanes;
    if (f1 > fg) f1 = fg;
    if (images == 0 || u0 == u1 || ow == 0) continue;

    const int64_t advance = back ? 1 : s.h.stride;
    View view = {source + n0 * sh * sw * sc, sh, sw, 0, 0};
    Planes planes = {};
    if (q.copy) {
      const int64_t wide = (ow + (back ? s.w.stride : 1) - 1) / (back ? s.w.stride : 1);
      view.row0 = q.low_h + u0 * advance;
      view.rows = q.high_h - q.low_h + (u1 - u0 - 1) * advance + 1;
      view.column0 = q.low_w;
      view.columns = q.high_w - q.low_w + (wide - 1) * (back ? 1 : s.w.stride) + 1;
      float* to = reinterpret_cast<float*>(scratch);
      if (q.narrow) {
        planes = {
            to,          narrow_plane(images * view.rows * view.columns), images, view.rows, view.columns, view.row0,
            view.column0};
        copy_planes(planes, view.at, sh, sw, sc);
      } else {
        copy_region(to, view.at, images, sh, sw, sc, view.row0, view.rows, view.column0, view.columns);
      }
      view.at = to;
    }

    int64_t taps_before_h = 0;
    for (int64_t ph = 0; ph < conv_phases(s.h, back); ++ph) {
      const ConvPhase y = conv_phase(s.h, back, ph);
      const int64_t i1 = u1 < y.count ? u1 : y.count, rows = i1 - u0;
      int64_t taps_before_w = 0;
      for (int64_t pw = 0; pw < conv_phases(s.w, back); ++pw) {
        const ConvPhase x = conv_phase(s.w, back, pw);
        const int64_t taps_before = taps_before_h * s.w.kernel + y.taps * taps_before_w;
        taps_before_w += x.taps;
        if (rows <= 0 || x.count == 0) continue;
        const int64_t row_step = view.columns * sc;  // of the source, in elements
        int64_t pixel = (y.base + u0 * y.advance - view.row0) * view.columns + x.base - view.column0;
        if (y.taps == 0 || x.taps == 0) pixel = 0;
        const float* at = view.at + pixel * sc;
        float* to = out + ((n0 * oh + y.first + u0 * y.step) * ow + x.first) * of;
        const float* weights = filter + (taps_before * cg) * of;

        if (q.narrow) {
          const NarrowOutput result = {to,           of,
                                       oh * ow * of, y.step * ow * of,
                                       bias,         mask != nullptr ? mask - out : 0,
                                       q.relu != 0,  mask != nullptr};
          correlate_narrow(planes, planes.at + pixel, sc, weights, y, x, rows, result, planes.at + sc * planes.plane);
          continue;
        }
        if (q.depthwise) {
          for (int64_t c = 0; c < of; c += kLanes) {
            const int width = of - c < kLanes ? static_cast<int>(of - c) : kLanes;
            const Vec start = bias != nullptr ? load(bias + c, width) : zero();
            for (int64_t n = 0; n < images; ++n) {
              for (int64_t i = 0; i < rows; ++i) {
                float* row = to + ((n * oh + i * y.step) * ow) * of + c;
                depthwise_row(row, x.step * of, at + (n * view.rows + i * y.advance) * row_step + c, x.advance * sc,
                              y.spread * row_step, x.spread * sc, weights + c, x.taps * of, of, y.taps, x.taps, x.count,
                              width, start, q.relu, mask != nullptr ? mask + (row - out) : nullptr);
              }
            }
          }
          continue;
        }

        Tile t = {};
        t.ks = 1;
        t.ldb = of;
        t.s1 = y.spread * row_step;
        if (cg == sc && (x.spread == 1 || x.taps == 1)) {
          t.n2 = 1;
          t.k = x.taps * sc;  // a whole row of the window lies together
        } else {
          t.n2 = x.taps;
          t.s2 = x.spread * sc;
          t.k = cg;
        }
        t.b2 = t.k * of;
        const int64_t pixels = images * rows * x.count, depth = t.n2 * t.k;
        t.b1 = depth * of;
        // Rows of the window between two visits of the outputs.
        int64_t rounds = y.taps * depth * kMaxVecs * kLanes * 4 / kPanelBytes;
        rounds = rounds < 1 ? 1 : rounds > y.taps ? y.taps : rounds;
        if (rounds < 1) rounds = 1;
        for (int64_t g = 0; g < s.groups; ++g) {
          for (int64_t round = 0; round < rounds; ++round) {
            const int64_t tap0 = part(y.taps, rounds, round);
            t.n1 = part(y.taps, rounds, round + 1) - tap0;
            t.start = round > 0 ? Start::kC : bias != nullptr ? Start::kBias : Start::kZero;
            t.bias = bias != nullptr ? bias + g * fg + f0 : nullptr;
            t.relu = q.relu && round == rounds - 1;
            t.masked = mask != nullptr && round == rounds - 1;
            t.mask = t.masked ? mask - out : 0;
            const float* b = weights + tap0 * depth * of + g * fg + f0;
            const float* a = at + tap0 * t.s1 + g * cg;
            float* c = to + g * fg + f0;
            int64_t n = 0, i = 0, j = 0;  // the next pixel
            sweep(
                t, pixels, f1 - f0,
                [&](int64_t from, int64_t, int) __attribute__((always_inline)) {
                  t.b = b + from;
                  n = i = j = 0;
                },
                [&](int64_t, int count) __attribute__((always_inline)) {
                  const float* from = a + (n * view.rows + i * y.advance) * row_step;
                  float* result = c + (n * oh + i * y.step) * ow * of;
                  for (int r = 0; r < count; ++r) {
                    t.a[r] = from + j * x.advance * sc;
                    t.c[r] = result + j * x.step * of;
                    if (++j < x.count) continue;
                    j = 0;
                    if (++i == rows) {
                      i = 0;
                      ++n;
                    }
                    from = a + (n * view.rows + i * y.advance) * row_step;
                    result = c + (n * oh + i * y.step) * ow * of;
                  }
                });
          }
        }
      }
      taps_before_h += y.taps;
    }
  }
}

/// One task per filter row of the output, [phase][tap][F / groups][C] <- [tap][C / groups][F].
void flip_f32(const Args& args, int64_t first, int64_t last, char*) {
  const FlipParams& q = *static_cast<const FlipParams*>(args.params);
  const ConvShape& s = q.shape;
  const int64_t cg = s.c / s.groups, fg = s.f / s.groups;
  const float* from = operand<const float>(args, q.filter);
  float* to = operand<float>(args, q.workspace);
  for (int64_t task = first; task < last; ++task) {
    int64_t before = 0;  // tap of the packed filter
    for (int64_t ph = 0; ph < s.h.stride; ++ph) {
      const ConvPhase y = conv_phase(s.h, true, ph);
      for (int64_t pw = 0; pw < s.w.stride; ++pw) {
        const ConvPhase x = conv_phase(s.w, true, pw);
        for (int64_t i = 0; i < y.taps; ++i) {
          for (int64_t j = 0; j < x.taps; ++j, ++before) {
            if (before != task) continue;
            const int64_t tap = (y.tap0 + i * y.tap_step) * s.w.kernel + x.tap0 + j * x.tap_step;
            for (int64_t g = 0; g < s.groups; ++g) {
              transpose_into(to + before * fg * s.c + g * cg, s.c, from + tap * cg * s.f + g * fg, s.f, cg, fg);
            }
          }
        }
      }
    }
  }
}

/// The pixels of a group of images in x and dy: counts and strides.
struct Pixels {
  int64_t images, x_image, dy_image;
  int64_t rows, x_row, dy_row;
  int64_t columns, x_step, dy_step;
};

/// Adds x * dy over the pixels for sixteen channels of T taps.
template <int T>
NABI_INLINE void depthwise_taps(float* const* to, const float* const* x, const float* dy, const Pixels& p, int width,
                                bool fresh) {
  Vec acc[T];
#pragma GCC unroll 4
  for (int k = 0; k < T; ++k) acc[k] = fresh ? zero() : load(to[k], width);
  for (int64_t n = 0; n < p.images; ++n) {
    for (int64_t i = 0; i < p.rows; ++i) {
      int64_t at = n * p.x_image + i * p.x_row;
      const float* g = dy + n * p.dy_image + i * p.dy_row;
      for (int64_t j = 0; j < p.columns; ++j, at += p.x_step, g += p.dy_step) {
        const Vec y = load(g, width);
#pragma GCC unroll 4
        for (int k = 0; k < T; ++k) acc[k] = fma(load(x[k] + at, width), y, acc[k]);
      }
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < T; ++k) store(to[k], acc[k], width);
}

void filter_grad_f32(const Args& args, int64_t first, int64_t last, char* scratch) {
  const FilterParams& q = *static_cast<const FilterParams*>(args.params);
  const ConvShape& s = q.shape;
  const int64_t cg = s.c / s.groups, fg = s.f / s.groups, taps = s.h.kernel * s.w.kernel;
  const float* x = operand<const float>(args, 0);
  const float* dy = operand<const float>(args, 1);
  const int64_t oh = s.h.out, ow = s.w.out;
  for (int64_t task = first; task < last; ++task) {
    const int64_t cb = task % q.column_blocks, rb = task / q.column_blocks % q.row_blocks;
    const int64_t chunk = task / q.column_blocks / q.row_blocks;
    const int64_t vecs = (fg + kLanes - 1) / kLanes;
    const int64_t f0 = part(vecs, q.column_blocks, cb) * kLanes;
    int64_t f1 = part(vecs, q.column_blocks, cb + 1) * kLanes;
    if (f1 > fg) f1 = fg;
    const int64_t filter_rows = q.narrow ? s.h.kernel : taps * cg;
    const int64_t r0 = part(filter_rows, q.row_blocks, rb), r1 = part(filter_rows, q.row_blocks, rb + 1);
    float* result = reinterpret_cast<float*>(scratch) + q.result;  // of the narrow form
    const int64_t run = s.w.kernel * s.c;                          // a row of the window
    const int64_t first_image = part(s.images, q.chunks, chunk), end_image = part(s.images, q.chunks, chunk + 1);
    float* out = operand<float>(args, q.out);
    float* sums = operand<float>(args, q.sums);
    if (q.chunks > 1) {
      out = operand<float>(args, q.workspace) + chunk * q.chunk_stride;
      if (sums != nullptr) sums = out + taps * cg * s.f;
    }
    if (sums != nullptr && cb == 0 && rb == 0) {
      column_sums(sums, dy + first_image * oh * ow * s.f, s.f, (end_image - first_image) * oh * ow, s.f, false);
    }
    bool fresh = true;  // nothing has been stored yet
    int64_t n0 = first_image;
    do {
      const int64_t n1 = n0 + q.group_images < end_image ? n0 + q.group_images : end_image;
      int64_t i0 = 0;
      do {
        const int64_t i1 = i0 + q.group_rows < oh ? i0 + q.group_rows : oh;
        View view = {x + n0 * s.h.in * s.w.in * s.c, s.h.in, s.w.in, 0, 0};
        if (q.copy && n1 > n0) {
          view.row0 = i0 * s.h.stride - s.h.pad;
          view.rows = (i1 - i0 - 1) * s.h.stride + (s.h.kernel - 1) * s.h.dilation + 1;
          view.column0 = -s.w.pad;
          view.columns = (ow - 1) * s.w.stride + (s.w.kernel - 1) * s.w.dilation + 1;
          copy_region(reinterpret_cast<float*>(scratch), view.at, n1 - n0, s.h.in, s.w.in, s.c, view.row0, view.rows,
                      view.column0, view.columns);
          view.at = reinterpret_cast<float*>(scratch);
        }
        const int64_t row_step = view.columns * s.c, image_step = view.rows * row_step;
        const float* a =
            view.at + ((i0 * s.h.stride - s.h.pad - view.row0) * view.columns - s.w.pad - view.column0) * s.c;
        const float* b = dy + (n0 * oh + i0) * ow * s.f;
        if (q.narrow) {
          const int64_t line = s.h.dilation * row_step;
          const NarrowPixels pixels = {
              a + r0 * line, b,  n1 - n0,          image_step, oh * ow * s.f, i1 - i0, s.h.stride * row_step,
              ow * s.f,      ow, s.w.stride * s.c, s.f};
          filter_grad_narrow(pixels, r1 - r0, line, run, result, fresh);
        } else if (q.depthwise) {
          const Pixels pixels = {n1 - n0,  image_step, oh * ow * s.c,    i1 - i0, s.h.stride * row_step,
                                 ow * s.c, ow,         s.w.stride * s.c, s.c};
          for (int64_t c = 0; c < s.c; c += kLanes) {
            const int width = s.c - c < kLanes ? static_cast<int>(s.c - c) : kLanes;
            for (int64_t tap = r0; tap < r1; tap += 4) {
              const int64_t taken = r1 - tap < 4 ? r1 - tap : 4;
              const float* from[4];
              float* to[4];
              for (int64_t k = 0; k < taken; ++k) {
                from[k] = a + (tap + k) / s.w.kernel * s.h.dilation * row_step +
                          (tap + k) % s.w.kernel * s.w.dilation * s.c + c;
                to[k] = out + (tap + k) * s.c + c;
              }
              switch (taken) {
                case 4:
                  depthwise_taps<4>(to, from, b + c, pixels, width, fresh);
                  break;
                case 3:
                  depthwise_taps<3>(to, from, b + c, pixels, width, fresh);
                  break;
                case 2:
                  depthwise_taps<2>(to, from, b + c, pixels, width, fresh);
                  break;
                default:
                  depthwise_taps<1>(to, from, b + c, pixels, width, fresh);
              }
            }
          }
        } else {
          Tile t = {};
          t.ks = s.w.stride * s.c;
          t.k = ow;
          t.n2 = i1 - i0;
          t.s2 = s.h.stride * row_step;
          t.n1 = n1 - n0;
          t.s1 = image_step;
          t.ldb = s.f;
          if (t.n2 == 0 || t.s2 == t.k * t.ks) {  // pixels of all rows lie evenly
            t.k *= t.n2;
            t.n2 = 1;
            if (t.n1 > 1 && t.s1 == t.k * t.ks) {
              t.k *= t.n1;
              t.n1 = 1;
            }
          }
          t.b2 = t.k * s.f;
          t.b1 = t.n2 * t.b2;
          t.start = fresh ? Start::kZero : Start::kC;
          for (int64_t g = 0; g < s.groups; ++g) {
            int64_t tap = 0, c = 0;  // of the next filter row
            sweep(
                t, r1 - r0, f1 - f0,
                [&](int64_t from, int64_t, int) __attribute__((always_inline)) {
                  t.b = b + g * fg + f0 + from;
                  tap = r0 / cg;
                  c = r0 % cg;
                },
                [&](int64_t row, int count) __attribute__((always_inline)) {
                  for (int r = 0; r < count; ++r) {
                    t.a[r] = a + tap / s.w.kernel * s.h.dilation * row_step + tap % s.w.kernel * s.w.dilation * s.c +
                             g * cg + c;
                    t.c[r] = out + (r0 + row + r) * s.f + g * fg + f0;
                    if (++c == cg) {
                      c = 0;
                      ++tap;
                    }
                  }
                });
          }
        }
        fresh = false;
        i0 = i1;
      } while (i0 < oh);
      n0 = n1;
    } while (n0 < end_image);
    if (q.narrow) transpose_into(out + r0 * run * s.f, s.f, result, (r1 - r0) * run, s.f, (r1 - r0) * run);
  }
}

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC

/// The plain loops in float64, for gradient tests. One task per image.
void correlate_f64(const Args& args, int64_t first, int64_t last, char*) {
  const CorrelateParams& q = *static_cast<const CorrelateParams*>(args.params);
  const ConvShape& s = q.shape;
  const int64_t cg = s.c / s.groups, fg = s.f / s.groups;
  const double* source = operand<const double>(args, 0);
  const double* filter = operand<const double>(args, q.filter);
  const double* bias = operand<const double>(args, q.bias);
  const double* mask = operand<const double>(args, q.mask);
  double* out = operand<double>(args, q.out);
  const int64_t size = q.backward ? s.h.in * s.w.in * s.c : s.h.out * s.w.out * s.f, depth = q.backward ? s.c : s.f;
  for (int64_t n = first; n < last; ++n) {
    double* result = out + n * size;
    for (int64_t e = 0; e < size; ++e) result[e] = bias != nullptr ? bias[e % depth] : 0;
    for (int64_t i = 0; i < s.h.out; ++i) {
      for (int64_t j = 0; j < s.w.out; ++j) {
        for (int64_t y = 0; y < s.h.kernel; ++y) {
          const int64_t row = i * s.h.stride + y * s.h.dilation - s.h.pad;
          if (row < 0 || row >= s.h.in) continue;
          for (int64_t x = 0; x < s.w.kernel; ++x) {
            const int64_t column = j * s.w.stride + x * s.w.dilation - s.w.pad;
            if (column < 0 || column >= s.w.in) continue;
            const int64_t in = ((q.backward ? 0 : n) * s.h.in + row) * s.w.in * s.c + column * s.c;
            const int64_t outer = (((q.backward ? n : 0) * s.h.out + i) * s.w.out + j) * s.f;
            for (int64_t g = 0; g < s.groups; ++g) {
              for (int64_t c = 0; c < cg; ++c) {
                const double* w = filter + ((y * s.w.kernel + x) * cg + c) * s.f + g * fg;
                for (int64_t f = 0; f < fg; ++f) {
                  if (q.backward) {
                    result[in + g * cg + c] += source[outer + g * fg + f] * w[f];
                  } else {
                    result[outer + g * fg + f] += source[in + g * cg + c] * w[f];
                  }
                }
              }
            }
          }
        }
      }
    }
    for (int64_t e = 0; e < size; ++e) {
      if (q.relu && result[e] < 0) result[e] = 0;
      if (mask != nullptr && !(mask[n * size + e] > 0)) result[e] = 0;
    }
  }
}

/// One task per tap.
void filter_grad_f64(const Args& args, int64_t first, int64_t last, char*) {
  const FilterParams& q = *static_cast<const FilterParams*>(args.params);
  const ConvShape& s = q.shape;
  const int64_t cg = s.c / s.groups, fg = s.f / s.groups;
  const double* x = operand<const double>(args, 0);
  const double* dy = operand<const double>(args, 1);
  double* sums = operand<double>(args, q.sums);
  for (int64_t tap = first; tap < last; ++tap) {
    double* out = operand<double>(args, q.out) + tap * cg * s.f;
    for (int64_t e = 0; e < cg * s.f; ++e) out[e] = 0;
    if (tap == 0 && sums != nullptr) {
      for (int64_t f = 0; f < s.f; ++f) sums[f] = 0;
    }
    for (int64_t n = 0; n < s.images; ++n) {
      for (int64_t i = 0; i < s.h.out; ++i) {
        for (int64_t j = 0; j < s.w.out; ++j) {
          const double* g = dy + ((n * s.h.out + i) * s.w.out + j) * s.f;
          if (tap == 0 && sums != nullptr) {
            for (int64_t f = 0; f < s.f; ++f) sums[f] += g[f];
          }
          const int64_t row = i * s.h.stride + tap / s.w.kernel * s.h.dilation - s.h.pad;
          const int64_t column = j * s.w.stride + tap % s.w.kernel * s.w.dilation - s.w.pad;
          if (row < 0 || row >= s.h.in || column < 0 || column >= s.w.in) continue;
          const double* p = x + ((n * s.h.in + row) * s.w.in + column) * s.c;
          for (int64_t c = 0; c < cg; ++c) {
            for (int64_t f = 0; f < s.f; ++f) out[c * s.f + f] += p[f / fg * cg + c] * g[f];
          }
        }
      }
    }
  }
}

#endif

}  // namespace

void fill_conv(KernelTable& table) {
  table.correlate_f32 = correlate_f32;
  table.conv_flip_f32 = flip_f32;
  table.filter_grad_f32 = filter_grad_f32;
#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
  table.correlate_f64 = correlate_f64;
  table.filter_grad_f64 = filter_grad_f64;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
