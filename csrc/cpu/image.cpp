// csrc/cpu/image.cpp -- images taken at places that a matrix gives, in double precision as in scipy.ndimage
#include "cpu/image.h"

#include <stdint.h>

#include "cpu/kernels.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

/// The whole part of x, rounded down; x is within the range of 64 bits (see `settle`).
NABI_INLINE int64_t whole(double x) {
  const int64_t t = static_cast<int64_t>(x);
  return t - (static_cast<double>(t) > x);
}

/// Brings a coordinate to where pixels can be counted; false where only the fill value is to be had.
NABI_INLINE bool settle(double& x, int64_t size, Fill fill) {
  const double last = static_cast<double>(size - 1);
  if (!(x > -1e9 && x < 1e9)) return false;  // NaN, or too far to matter
  if (fill == Fill::kConstant) return x >= 0 && x <= last;
  if (fill == Fill::kNearest) x = x < 0 ? 0 : x > last ? last : x;
  if (fill == Fill::kWrap && (x < 0 || x > last)) {
    // ni_interpolation.c of SciPy 1.14: a period of size - 1, the first and the last pixel being one
    if (size <= 1) {
      x = 0;
    } else if (x < 0) {
      x += last * (static_cast<double>(static_cast<int64_t>(-x / last)) + 1);
    } else {
      x -= last * static_cast<double>(static_cast<int64_t>(x / last));
    }
  }
  return true;
}

/// The pixel that stands for one beyond the edge; -1 for the fill value.
NABI_INLINE int64_t inside(int64_t i, int64_t size, Fill fill) {
  if (i >= 0 && i < size) return i;
  if (size == 1 && fill != Fill::kConstant && fill != Fill::kGridConstant) return 0;
  switch (fill) {
    case Fill::kConstant:
    case Fill::kGridConstant:
      return -1;
    case Fill::kReflect: {
      const int64_t period = 2 * size;
      i = ((i % period) + period) % period;
      return i < size ? i : period - 1 - i;
    }
    case Fill::kMirror: {
      const int64_t period = 2 * size - 2;
      i = ((i % period) + period) % period;
      return i < size ? i : period - i;
    }
    case Fill::kGridWrap:
      return ((i % size) + size) % size;
    default:  // nearest, and wrap's last step
      return i < 0 ? 0 : size - 1;
  }
}

/// A coordinate's two neighbours and the weight of the second.
struct Place {
  int64_t low, high;
  double weight;
};

NABI_INLINE Place place(double x, int64_t size, Fill fill, bool bilinear) {
  if (!bilinear) {
    const int64_t i = inside(whole(x + 0.5), size, fill);
    return {i, i, 0};
  }
  const int64_t i = whole(x);
  const double weight = x - static_cast<double>(i);
  // A whole coordinate has one neighbour: the other, of weight 0, may be a fill value or infinite.
  const int64_t low = inside(i, size, fill);
  return {low, weight == 0 ? low : inside(i + 1, size, fill), weight};
}

void affine(const Args& args, int64_t first, int64_t last, char*) {
  const AffineParams& p = *static_cast<const AffineParams*>(args.params);
  const float* x = reinterpret_cast<const float*>(args.ptr[0]);
  float* out = reinterpret_cast<float*>(args.ptr[2]);
  const int64_t end = last * p.task_rows < p.images * p.rows ? last * p.task_rows : p.images * p.rows;
  for (int64_t row = first * p.task_rows; row < end; ++row) {
    const int64_t image = row / p.rows;
    double m[6];
    for (int k = 0; k < 6; ++k) {
      m[k] = p.wide ? reinterpret_cast<const double*>(args.ptr[1])[image * 6 + k]
                    : static_cast<double>(reinterpret_cast<const float*>(args.ptr[1])[image * 6 + k]);
    }
    const double i = static_cast<double>(row % p.rows);
    const float* source = x + image * p.height * p.width * p.channels;
    float* target = out + row * p.columns * p.channels;
    const auto pixel = [&](int64_t a, int64_t b) {
      return a < 0 || b < 0 ? nullptr : source + (a * p.width + b) * p.channels;
    };
    for (int64_t column = 0; column < p.columns; ++column, target += p.channels) {
      const double j = static_cast<double>(column);
      double a = m[0] * i + m[1] * j + m[2], b = m[3] * i + m[4] * j + m[5];
      if (!settle(a, p.height, p.fill) || !settle(b, p.width, p.fill)) {
        for (int64_t c = 0; c < p.channels; ++c) target[c] = p.value;
        continue;
      }
      const Place v = place(a, p.height, p.fill, p.bilinear), h = place(b, p.width, p.fill, p.bilinear);
      const float* corner[4] = {pixel(v.low, h.low), pixel(v.low, h.high), pixel(v.high, h.low), pixel(v.high, h.high)};
      if (v.weight == 0 && h.weight == 0) {
        for (int64_t c = 0; c < p.channels; ++c) target[c] = corner[0] ? corner[0][c] : p.value;
        continue;
      }
      const double weight[4] = {(1 - v.weight) * (1 - h.weight), (1 - v.weight) * h.weight, v.weight * (1 - h.weight),
                                v.weight * h.weight};
      for (int64_t c = 0; c < p.channels; ++c) {
        double sum = 0;
        for (int k = 0; k < 4; ++k) sum += weight[k] * static_cast<double>(corner[k] ? corner[k][c] : p.value);
        target[c] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace

void fill_image(KernelTable& table) { table.image_affine = affine; }

}  // namespace nabi::cpu::NABI_ISA
