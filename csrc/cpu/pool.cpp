// csrc/cpu/pool.cpp -- max and average pooling, and their gradients as gathers that write every element once
#include "cpu/pool.h"

#include <stdint.h>

#include "cpu/kernels.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

NABI_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
NABI_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/// Indices [first, last).
struct Span {
  int64_t first, last;
  NABI_INLINE int64_t size() const { return last - first; }
};

/// Cells of the window that starts at `start` which lie inside an axis of `limit` elements.
NABI_INLINE Span inside(int64_t start, int64_t size, int64_t limit) {
  return {most(0, -start), least(size, limit - start)};
}

/// Windows that cover `place`, counted from the padded edge.
NABI_INLINE Span covering(int64_t place, int64_t size, int64_t stride, int64_t windows) {
  return {place < size ? 0 : (place - size) / stride + 1, least(windows, place / stride + 1)};
}

/// Every lane of a vector.
struct Whole {
  NABI_INLINE Vec load(const float* p) const { return NABI_ISA::load(p); }
  NABI_INLINE void store(float* p, Vec v) const { NABI_ISA::store(p, v); }
  NABI_INLINE IVec index(const uint8_t* p) const { return load_u8(p, kLanes); }
  NABI_INLINE IVec index(const int32_t* p) const { return iload(p); }
  NABI_INLINE void store(uint8_t* p, IVec v) const { store_u8(p, v, kLanes); }
  NABI_INLINE void store(int32_t* p, IVec v) const { istore(p, v); }
};

/// The first n lanes.
struct Part {
  int n;
  NABI_INLINE Vec load(const float* p) const { return NABI_ISA::load(p, n); }
  NABI_INLINE void store(float* p, Vec v) const { NABI_ISA::store(p, v, n); }
  NABI_INLINE IVec index(const uint8_t* p) const { return load_u8(p, n); }
  NABI_INLINE IVec index(const int32_t* p) const { return iload(p, n); }
  NABI_INLINE void store(uint8_t* p, IVec v) const { store_u8(p, v, n); }
  NABI_INLINE void store(int32_t* p, IVec v) const { istore(p, v, n); }
};

/// f(first channel, lanes) for each vector of channels.
template <class F>
NABI_INLINE void over_channels(int64_t c, F f) {
  int64_t i = 0;
  for (; i + kLanes <= c; i += kLanes) f(i, Whole{});
  if (i < c) f(i, Part{static_cast<int>(c - i)});
}

/// x where the mask is positive.
template <class Lanes>
NABI_INLINE Vec masked(Lanes lanes, Vec x, const float* mask) {
  return mask == nullptr ? x : select(gt(lanes.load(mask), zero()), x, zero());
}

/// Maximum of one window, whose first cell inside the image is at x; the first largest cell wins, a NaN above all.
/// KH and KW are the window where it is known at compile time and lies inside as a whole, else 0.
template <int KH, int KW, class Index>
NABI_INLINE void max_window(const PoolParams& p, const float* x, Span ky, Span kx, float* y, Index* index) {
  const int64_t rows = KH > 0 ? KH : ky.size();
  const int64_t cols = KW > 0 ? KW : kx.size();
  const int32_t origin = static_cast<int32_t>(ky.first * p.kw + kx.first);
  over_channels(
      p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const float* from = x + i;
        const auto scan = [&](auto better) __attribute__((always_inline)) {
          Vec best = lanes.load(from);
          IVec where = isplat(origin);
          for (int64_t dy = 0; dy < rows; ++dy) {
            for (int64_t dx = 0; dx < cols; ++dx) {
              if (dy == 0 && dx == 0) continue;
              const Vec v = lanes.load(from + (dy * p.w + dx) * p.c);
              const Mask wins = better(v, best);
              best = select(wins, v, best);
              where = select(wins, isplat(origin + static_cast<int32_t>(dy * p.kw + dx)), where);
            }
          }
          lanes.store(y + i, best);
          lanes.store(index + i, where);
        };
        // The comparison alone misses a NaN after the first cell; looking for one beside it keeps the chain short.
        Mask nans = mask_first(0);
        scan([&](Vec v, Vec best) __attribute__((always_inline)) {
          nans = nans | is_nan(v);
          return gt(v, best);
        });
        if (any(nans)) {
          scan([&](Vec v, Vec best) __attribute__((always_inline)) { return ~le(v, best) & eq(best, best); });
        }
      });
}

/// x / cells; by a power of two a product gives the same bits.
NABI_INLINE Vec divided(Vec x, int64_t cells) {
  const float divisor = static_cast<float>(cells);
  return (cells & (cells - 1)) == 0 ? x * splat(1.0f / divisor) : x / splat(divisor);
}

/// Sum of one window over its number of cells inside the image.
template <int KH, int KW>
NABI_INLINE void mean_window(const PoolParams& p, const float* x, Span ky, Span kx, float* y) {
  const int64_t rows = KH > 0 ? KH : ky.size();
  const int64_t cols = KW > 0 ? KW : kx.size();
  over_channels(
      p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        Vec sum = lanes.load(x + i);
        for (int64_t dy = 0; dy < rows; ++dy) {
          for (int64_t dx = 0; dx < cols; ++dx) {
            if (dy == 0 && dx == 0) continue;
            sum = sum + lanes.load(x + (dy * p.w + dx) * p.c + i);
          }
        }
        lanes.store(y + i, divided(sum, rows * cols));
      });
}

/// f(offset of the window's first cell inside the image, cells of it inside, output pixel, whether all are inside).
template <class F>
NABI_INLINE void over_windows(const PoolParams& p, int64_t first, int64_t last, F f) {
  for (int64_t r = first; r < last; ++r) {
    const int64_t n = r / p.oh;
    const int64_t y0 = (r - n * p.oh) * p.sh - p.top;
    const Span ky = inside(y0, p.kh, p.h);
    for (int64_t ox = 0; ox < p.ow; ++ox) {
      const int64_t x0 = ox * p.sw - p.left;
      const Span kx = inside(x0, p.kw, p.w);
      f(((n * p.h + y0 + ky.first) * p.w + x0 + kx.first) * p.c, ky, kx, (r * p.ow + ox) * p.c,
        ky.size() == p.kh && kx.size() == p.kw);
    }
  }
}

template <int KH, int KW, class Index>
void max_rows(const PoolParams& p, const float* x, float* y, Index* index, int64_t first, int64_t last) {
  over_windows(
      p, first, last, [&](int64_t from, Span ky, Span kx, int64_t to, bool whole) __attribute__((always_inline)) {
        if (KH > 0 && whole) {
          max_window<KH, KW>(p, x + from, ky, kx, y + to, index + to);
        } else {
          max_window<0, 0>(p, x + from, ky, kx, y + to, index + to);
        }
      });
}

template <int KH, int KW>
void mean_rows(const PoolParams& p, const float* x, float* y, int64_t first, int64_t last) {
  over_windows(
      p, first, last, [&](int64_t from, Span ky, Span kx, int64_t to, bool whole) __attribute__((always_inline)) {
        if (KH > 0 && whole) {
          mean_window<KH, KW>(p, x + from, ky, kx, y + to);
        } else {
          mean_window<0, 0>(p, x + from, ky, kx, y + to);
        }
      });
}

/// Rows of all images that a run of tasks covers.
NABI_INLINE Span rows_of(const PoolParams& p, int64_t height, int64_t first, int64_t last) {
  return {first * p.rows, least(last * p.rows, p.n * height)};
}

void max_pool2d_f32(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  const Span rows = rows_of(p, p.oh, first, last);
  const float* x = reinterpret_cast<const float*>(args.ptr[0]);
  float* y = reinterpret_cast<float*>(args.ptr[1]);
  uint8_t* index = reinterpret_cast<uint8_t*>(args.ptr[2]);
  if (p.wide) {
    max_rows<0, 0>(p, x, y, reinterpret_cast<int32_t*>(args.ptr[2]), rows.first, rows.last);
  } else if (p.kh == 2 && p.kw == 2) {
    max_rows<2, 2>(p, x, y, index, rows.first, rows.last);
  } else if (p.kh == 3 && p.kw == 3) {
    max_rows<3, 3>(p, x, y, index, rows.first, rows.last);
  } else {
    max_rows<0, 0>(p, x, y, index, rows.first, rows.last);
  }
}

void avg_pool2d_f32(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  const Span rows = rows_of(p, p.oh, first, last);
  const float* x = reinterpret_cast<const float*>(args.ptr[0]);
  float* y = reinterpret_cast<float*>(args.ptr[1]);
  if (p.kh == 2 && p.kw == 2) {
    mean_rows<2, 2>(p, x, y, rows.first, rows.last);
  } else {
    mean_rows<0, 0>(p, x, y, rows.first, rows.last);
  }
}

/// What flows back through a maximum: all of the gradient to the cell that won, or none where the maximum is not
/// positive and the image is what a ReLU made: the cell that won is the maximum, so its mask need not be read.
template <class Index>
struct MaxBack {
  const Index* index;
  const float* maxima;  // null: no ReLU

  struct At {
    Vec g;
    IVec where;
    NABI_INLINE Vec cell(int64_t place) const {
      return select(ieq(where, isplat(static_cast<int32_t>(place))), g, zero());
    }
  };

  NABI_INLINE float factor(const PoolParams&, int64_t, int64_t) const { return 1; }

  template <class Lanes>
  NABI_INLINE At at(Lanes lanes, const float* g, int64_t offset, float) const {
    return {masked(lanes, lanes.load(g + offset), maxima == nullptr ? nullptr : maxima + offset),
            lanes.index(index + offset)};
  }
};

/// What flows back through a mean: an equal share to every cell inside the image.
struct MeanBack {
  struct At {
    Vec share;
    NABI_INLINE Vec cell(int64_t) const { return share; }
  };

  NABI_INLINE float factor(const PoolParams& p, int64_t oy, int64_t ox) const {
    const int64_t cells = inside(oy * p.sh - p.top, p.kh, p.h).size() * inside(ox * p.sw - p.left, p.kw, p.w).size();
    return 1.0f / static_cast<float>(cells);
  }

  template <class Lanes>
  NABI_INLINE At at(Lanes lanes, const float* g, int64_t offset, float factor) const {
    return {lanes.load(g + offset) * splat(factor)};
  }
};

/// Whether all of the windows lie inside the axis.
NABI_INLINE bool all_inside(Span windows, int64_t size, int64_t stride, int64_t pad, int64_t limit) {
  return windows.first * stride >= pad && (windows.last - 1) * stride - pad + size <= limit;
}

NABI_INLINE void clear(float* out, int64_t count) {
  over_channels(count, [&](int64_t i, auto lanes) __attribute__((always_inline)) { lanes.store(out + i, zero()); });
}

/// Windows that neither overlap nor leave gaps, from the image's corner: each gradient is read once a row and spread.
template <int KW, class Back>
NABI_INLINE void spread_row(const PoolParams& p, const Back& back, const float* g, const float* mask, float* out,
                            int64_t n, int64_t iy) {
  const int64_t oy = iy / p.kh;
  const int64_t base = (n * p.h + iy) * p.w * p.c;
  if (oy >= p.oh) return clear(out + base, p.w * p.c);
  const int64_t cell = (iy - oy * p.kh) * p.kw;
  for (int64_t ox = 0; ox < p.ow; ++ox) {
    const int64_t from = ((n * p.oh + oy) * p.ow + ox) * p.c;
    const int64_t to = base + ox * p.kw * p.c;
    const int64_t cols = least(p.kw, p.w - ox * p.kw);
    const float factor = back.factor(p, oy, ox);
    over_channels(
        p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
          const auto at = back.at(lanes, g, from + i, factor);
          if (KW > 0 && cols == KW) {
            for (int64_t dx = 0; dx < KW; ++dx) {
              const int64_t o = to + dx * p.c + i;
              lanes.store(out + o, masked(lanes, at.cell(cell + dx), mask == nullptr ? nullptr : mask + o));
            }
          } else {
            for (int64_t dx = 0; dx < cols; ++dx) {
              const int64_t o = to + dx * p.c + i;
              lanes.store(out + o, masked(lanes, at.cell(cell + dx), mask == nullptr ? nullptr : mask + o));
            }
          }
        });
  }
  const int64_t done = least(p.w, p.ow * p.kw);
  clear(out + base + done * p.c, (p.w - done) * p.c);
}

/// Any windows: each image element gathers from those that cover it, top to bottom, left to right.
template <class Back>
NABI_INLINE void gather_row(const PoolParams& p, const Back& back, const float* g, const float* mask, float* out,
                            int64_t n, int64_t iy) {
  const Span ys = covering(iy + p.top, p.kh, p.sh, p.oh);
  const bool whole_rows = all_inside(ys, p.kh, p.sh, p.top, p.h);
  for (int64_t ix = 0; ix < p.w; ++ix) {
    const Span xs = covering(ix + p.left, p.kw, p.sw, p.ow);
    const int64_t to = ((n * p.h + iy) * p.w + ix) * p.c;
    const bool whole = whole_rows && all_inside(xs, p.kw, p.sw, p.left, p.w);
    const int64_t corner = ((n * p.oh + ys.first) * p.ow + xs.first) * p.c;
    const int64_t corner_place = (iy + p.top - ys.first * p.sh) * p.kw + (ix + p.left - xs.first * p.sw);
    over_channels(
        p.c, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
          Vec sum = zero();
          int64_t row = corner + i, row_place = corner_place;
          for (int64_t oy = ys.first; oy < ys.last; ++oy, row += p.ow * p.c, row_place -= p.sh * p.kw) {
            int64_t from = row, place = row_place;
            for (int64_t ox = xs.first; ox < xs.last; ++ox, from += p.c, place -= p.sw) {
              sum = sum + back.at(lanes, g, from, whole ? p.share : back.factor(p, oy, ox)).cell(place);
            }
          }
          lanes.store(out + to + i, masked(lanes, sum, mask == nullptr ? nullptr : mask + to + i));
        });
  }
}

template <class Back>
NABI_INLINE void back_rows(const PoolParams& p, const Back& back, const float* g, const float* mask, float* out,
                           Span rows) {
  const bool tiles = p.kh == p.sh && p.kw == p.sw && p.top == 0 && p.left == 0;
  for (int64_t r = rows.first; r < rows.last; ++r) {
    const int64_t n = r / p.h;
    if (tiles && p.kw == 2) {
      spread_row<2>(p, back, g, mask, out, n, r - n * p.h);
    } else if (tiles) {
      spread_row<0>(p, back, g, mask, out, n, r - n * p.h);
    } else {
      gather_row(p, back, g, mask, out, n, r - n * p.h);
    }
  }
}

void max_pool2d_grad_f32(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  const float* g = reinterpret_cast<const float*>(args.ptr[0]);
  const float* maxima = p.mask ? reinterpret_cast<const float*>(args.ptr[2]) : nullptr;
  float* out = reinterpret_cast<float*>(args.ptr[2 + p.mask]);
  const Span rows = rows_of(p, p.h, first, last);
  if (p.wide) {
    back_rows(p, MaxBack<int32_t>{reinterpret_cast<const int32_t*>(args.ptr[1]), maxima}, g, nullptr, out, rows);
  } else {
    back_rows(p, MaxBack<uint8_t>{reinterpret_cast<const uint8_t*>(args.ptr[1]), maxima}, g, nullptr, out, rows);
  }
}

void avg_pool2d_grad_f32(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  const float* g = reinterpret_cast<const float*>(args.ptr[0]);
  const float* mask = p.mask ? reinterpret_cast<const float*>(args.ptr[1]) : nullptr;
  float* out = reinterpret_cast<float*>(args.ptr[1 + p.mask]);
  back_rows(p, MeanBack{}, g, mask, out, rows_of(p, p.h, first, last));
}

#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC

// float64: plain loops, for gradient checks.

NABI_INLINE int32_t index_at(const PoolParams& p, const char* index, int64_t i) {
  return p.wide ? reinterpret_cast<const int32_t*>(index)[i] : reinterpret_cast<const uint8_t*>(index)[i];
}

void max_pool2d_f64(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  const double* x = reinterpret_cast<const double*>(args.ptr[0]);
  double* y = reinterpret_cast<double*>(args.ptr[1]);
  const Span rows = rows_of(p, p.oh, first, last);
  over_windows(p, rows.first, rows.last, [&](int64_t from, Span ky, Span kx, int64_t to, bool) {
    for (int64_t i = 0; i < p.c; ++i) {
      double best = x[from + i];
      int64_t where = 0;
      for (int64_t dy = 0; dy < ky.size(); ++dy) {
        for (int64_t dx = 0; dx < kx.size(); ++dx) {
          const double v = x[from + (dy * p.w + dx) * p.c + i];
          if (best == best && !(v <= best)) best = v, where = dy * p.kw + dx;
        }
      }
      where += ky.first * p.kw + kx.first;
      y[to + i] = best;
      if (p.wide) {
        reinterpret_cast<int32_t*>(args.ptr[2])[to + i] = static_cast<int32_t>(where);
      } else {
        reinterpret_cast<uint8_t*>(args.ptr[2])[to + i] = static_cast<uint8_t>(where);
      }
    }
  });
}

void avg_pool2d_f64(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  const double* x = reinterpret_cast<const double*>(args.ptr[0]);
  double* y = reinterpret_cast<double*>(args.ptr[1]);
  const Span rows = rows_of(p, p.oh, first, last);
  over_windows(p, rows.first, rows.last, [&](int64_t from, Span ky, Span kx, int64_t to, bool) {
    for (int64_t i = 0; i < p.c; ++i) {
      double sum = 0;
      for (int64_t dy = 0; dy < ky.size(); ++dy) {
        for (int64_t dx = 0; dx < kx.size(); ++dx) sum += x[from + (dy * p.w + dx) * p.c + i];
      }
      y[to + i] = sum / static_cast<double>(ky.size() * kx.size());
    }
  });
}

/// index is null for the mean; the mask is the image for the mean, the maxima for the maximum.
void back_rows_f64(const PoolParams& p, const double* g, const char* index, const double* mask, double* out,
                   Span rows) {
  for (int64_t r = rows.first; r < rows.last; ++r) {
    const int64_t n = r / p.h, iy = r - n * p.h;
    const Span ys = covering(iy + p.top, p.kh, p.sh, p.oh);
    for (int64_t e = 0; e < p.w * p.c; ++e) {
      const int64_t ix = e / p.c, i = e - ix * p.c;
      const Span xs = covering(ix + p.left, p.kw, p.sw, p.ow);
      double sum = 0;
      for (int64_t oy = ys.first; oy < ys.last; ++oy) {
        const int64_t high = inside(oy * p.sh - p.top, p.kh, p.h).size();
        for (int64_t ox = xs.first; ox < xs.last; ++ox) {
          const int64_t from = ((n * p.oh + oy) * p.ow + ox) * p.c + i;
          const int64_t place = (iy + p.top - oy * p.sh) * p.kw + (ix + p.left - ox * p.sw);
          if (index == nullptr) {
            sum += g[from] / static_cast<double>(high * inside(ox * p.sw - p.left, p.kw, p.w).size());
          } else if (index_at(p, index, from) == place && (mask == nullptr || mask[from] > 0)) {
            sum += g[from];
          }
        }
      }
      const int64_t to = r * p.w * p.c + e;
      out[to] = mask == nullptr || index != nullptr || mask[to] > 0 ? sum : 0;
    }
  }
}

void max_pool2d_grad_f64(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  back_rows_f64(p, reinterpret_cast<const double*>(args.ptr[0]), args.ptr[1],
                p.mask ? reinterpret_cast<const double*>(args.ptr[2]) : nullptr,
                reinterpret_cast<double*>(args.ptr[2 + p.mask]), rows_of(p, p.h, first, last));
}

void avg_pool2d_grad_f64(const Args& args, int64_t first, int64_t last, char*) {
  const PoolParams& p = *static_cast<const PoolParams*>(args.params);
  back_rows_f64(p, reinterpret_cast<const double*>(args.ptr[0]), nullptr,
                p.mask ? reinterpret_cast<const double*>(args.ptr[1]) : nullptr,
                reinterpret_cast<double*>(args.ptr[1 + p.mask]), rows_of(p, p.h, first, last));
}

#endif

}  // namespace

void fill_pool(KernelTable& table) {
  table.max_pool2d_f32 = max_pool2d_f32;
  table.avg_pool2d_f32 = avg_pool2d_f32;
  table.max_pool2d_grad_f32 = max_pool2d_grad_f32;
  table.avg_pool2d_grad_f32 = avg_pool2d_grad_f32;
#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
  table.max_pool2d_f64 = max_pool2d_f64;
  table.avg_pool2d_f64 = avg_pool2d_f64;
  table.max_pool2d_grad_f64 = max_pool2d_grad_f64;
  table.avg_pool2d_grad_f64 = avg_pool2d_grad_f64;
#endif
}

}  // namespace nabi::cpu::NABI_ISA
