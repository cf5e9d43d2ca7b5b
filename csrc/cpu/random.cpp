// csrc/cpu/random.cpp -- Philox4x32-10 in sixteen lanes, and the distributions made from it
#include "cpu/random.h"

#include <stdint.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/math.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

/// Four vectors of 32 random bits a lane.
struct Words {
  IVec w[4];
};

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the seed
/// state[0] as key. Lane l has the counter (16 * draw + l, state[1]), low halves first.
NABI_INLINE Words philox(const int64_t* state, int64_t draw) {
  uint32_t key0 = static_cast<uint32_t>(state[0]);
  uint32_t key1 = static_cast<uint32_t>(static_cast<uint64_t>(state[0]) >> 32);
  const uint64_t block = static_cast<uint64_t>(draw) * kLanes;
  static const int32_t kLane[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  IVec c0 = iload(kLane) + isplat(static_cast<int32_t>(block));  // no carry: block is a multiple of 16
  IVec c1 = isplat(static_cast<int32_t>(block >> 32));
  IVec c2 = isplat(static_cast<int32_t>(state[1]));
  IVec c3 = isplat(static_cast<int32_t>(static_cast<uint64_t>(state[1]) >> 32));
  const IVec m0 = isplat(static_cast<int32_t>(0xD2511F53u));
  const IVec m1 = isplat(static_cast<int32_t>(0xCD9E8D57u));
  for (int round = 0; round < 10; ++round) {
    IVec high0, low0, high1, low1;
    mul32wide(m0, c0, high0, low0);
    mul32wide(m1, c2, high1, low1);
    c0 = high1 ^ c1 ^ isplat(static_cast<int32_t>(key0));
    c1 = low1;
    c2 = high0 ^ c3 ^ isplat(static_cast<int32_t>(key1));
    c3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// How many of a vector's lanes are wanted when n elements are left.
NABI_INLINE int lanes(int64_t n) { return n <= 0 ? 0 : n < kLanes ? static_cast<int>(n) : kLanes; }

/// Uniform on [b, limit]: 24 bits, a step of 2^-24 of the width.
struct Uniform {
  Vec a, b, limit;
  NABI_INLINE explicit Uniform(const RandomParams& p) : a(splat(p.a)), b(splat(p.b)), limit(splat(p.limit)) {}
  NABI_INLINE Vec operator()(IVec bits) const {
    return min(fma(to_float(srl(bits, 8)) * splat(0x1p-24f), a, b), limit);
  }
};

/// The inverse of erf on (-1, 1), relative error below 4e-7: M. Giles, "Approximating the erfinv function", GPU
/// Computing Gems 2 (2011), single precision.
NABI_INLINE Vec erfinv(Vec x) {
  const Vec one = splat(1.0f);
  const Vec w = -log((one - x) * (one + x));
  const Vec s = w - splat(2.5f);  // the middle
  Vec mid = splat(2.81022636e-08f);
  mid = fma(mid, s, splat(3.43273939e-07f));
  mid = fma(mid, s, splat(-3.5233877e-06f));
  mid = fma(mid, s, splat(-4.39150654e-06f));
  mid = fma(mid, s, splat(0.00021858087f));
  mid = fma(mid, s, splat(-0.00125372503f));
  mid = fma(mid, s, splat(-0.00417768164f));
  mid = fma(mid, s, splat(0.246640727f));
  mid = fma(mid, s, splat(1.50140941f));
  const Mask far = ge(w, splat(5.0f));
  if (!any(far)) return mid * x;
  const Vec t = sqrt(w) - splat(3.0f);  // the tails
  Vec tail = splat(-0.000200214257f);
  tail = fma(tail, t, splat(0.000100950558f));
  tail = fma(tail, t, splat(0.00134934322f));
  tail = fma(tail, t, splat(-0.00367342844f));
  tail = fma(tail, t, splat(0.00573950773f));
  tail = fma(tail, t, splat(-0.0076224613f));
  tail = fma(tail, t, splat(0.00943887047f));
  tail = fma(tail, t, splat(1.00167406f));
  tail = fma(tail, t, splat(2.83297682f));
  return select(far, tail, mid) * x;
}

/// Normal, or normal between two limits: the inverse of its distribution at the middle of one of 2^24 cells.
struct Normal {
  Vec scale, a, b, limit;
  NABI_INLINE explicit Normal(const RandomParams& p)
      : scale(splat(p.edge * 0x1p-24f)), a(splat(p.a)), b(splat(p.b)), limit(splat(p.limit)) {}
  NABI_INLINE Vec operator()(IVec bits) const {
    const IVec odd = (srl(bits, 7) | isplat(1)) - isplat(1 << 24);  // odd numbers between -2^24 and 2^24: exact
    const Vec z = splat(1.41421356f) * erfinv(to_float(odd) * scale);
    return fma(max(min(z, limit), -limit), a, b);
  }
};

/// Fills an output of floats. A float64 output gets the float32 numbers.
template <class Distribution>
void draw_floats(const Args& args, int64_t first, int64_t last, char*) {
  const RandomParams& p = *static_cast<const RandomParams*>(args.params);
  const int64_t* state = reinterpret_cast<const int64_t*>(args.ptr[0]);
  const Distribution distribution(p);
  for (int64_t draw = first * kDrawsPerTask; draw < last * kDrawsPerTask; ++draw) {
    const int64_t begin = draw * kDrawWords;
    if (begin >= p.total) break;
    const Words words = philox(state, draw);
    for (int w = 0; w < 4; ++w) {
      const int64_t at = begin + w * kLanes;
      const int n = lanes(p.total - at);
      if (n == 0) break;
      const Vec made = distribution(words.w[w]);
      if (static_cast<DType>(p.dtype) == DType::f32) {
        float* to = reinterpret_cast<float*>(args.ptr[1]) + at;
        if (n == kLanes) {
          store(to, made);
        } else {
          store(to, made, n);
        }
      } else {
        float part[kLanes];
        store(part, made);
        double* to = reinterpret_cast<double*>(args.ptr[1]) + at;
        for (int i = 0; i < n; ++i) to[i] = part[i];
      }
    }
  }
}

template <class T>
NABI_INLINE void put_bits(char* out, int64_t at, uint32_t ones, int n) {
  T* to = reinterpret_cast<T*>(out) + at;
  for (int i = 0; i < n; ++i) to[i] = static_cast<T>(ones >> i & 1u);
}

void random_bernoulli(const Args& args, int64_t first, int64_t last, char*) {
  const RandomParams& p = *static_cast<const RandomParams*>(args.params);
  const int64_t* state = reinterpret_cast<const int64_t*>(args.ptr[0]);
  for (int64_t draw = first * kDrawsPerTask; draw < last * kDrawsPerTask; ++draw) {
    const int64_t begin = draw * kDrawWords;
    if (begin >= p.total) break;
    const Words words = philox(state, draw);
    for (int w = 0; w < 4; ++w) {
      const int64_t at = begin + w * kLanes;
      const int n = lanes(p.total - at);
      const uint32_t ones = bits(lt(to_float(srl(words.w[w], 8)) * splat(0x1p-24f), splat(p.a)));
      switch (static_cast<DType>(p.dtype)) {
        case DType::f32:
          put_bits<float>(args.ptr[1], at, ones, n);
          break;
        case DType::f64:
          put_bits<double>(args.ptr[1], at, ones, n);
          break;
        case DType::i32:
          put_bits<int32_t>(args.ptr[1], at, ones, n);
          break;
        case DType::i64:
          put_bits<int64_t>(args.ptr[1], at, ones, n);
          break;
        default:
          put_bits<uint8_t>(args.ptr[1], at, ones, n);
          break;
      }
    }
  }
}

/// low + floor(bits * span / 2^32): Lemire's multiplication, without his rejection of the last few values, so that a
/// number is off its share by at most span / 2^32.
void random_int(const Args& args, int64_t first, int64_t last, char*) {
  const RandomParams& p = *static_cast<const RandomParams*>(args.params);
  const int64_t* state = reinterpret_cast<const int64_t*>(args.ptr[0]);
  const IVec span = isplat(static_cast<int32_t>(p.span));
  for (int64_t draw = first * kDrawsPerTask; draw < last * kDrawsPerTask; ++draw) {
    const int64_t begin = draw * kDrawWords;
    if (begin >= p.total) break;
    const Words words = philox(state, draw);
    for (int w = 0; w < 4; ++w) {
      const int64_t at = begin + w * kLanes;
      const int n = lanes(p.total - at);
      IVec high, low;
      mul32wide(words.w[w], span, high, low);
      int32_t part[kLanes];
      istore(part, high);
      if (static_cast<DType>(p.dtype) == DType::i32) {
        int32_t* to = reinterpret_cast<int32_t*>(args.ptr[1]) + at;
        for (int i = 0; i < n; ++i) to[i] = static_cast<int32_t>(p.low + static_cast<uint32_t>(part[i]));
      } else {
        int64_t* to = reinterpret_cast<int64_t*>(args.ptr[1]) + at;
        for (int i = 0; i < n; ++i) to[i] = p.low + static_cast<uint32_t>(part[i]);
      }
    }
  }
}

/// Sixteen lanes of x / (1 - rate) where kept.
NABI_INLINE void drop(const float* from, float* to, Mask kept, double scale, int n) {
  const Vec s = splat(static_cast<float>(scale));
  if (n == kLanes) {
    store(to, select(kept, load(from) * s, zero()));
  } else {
    store(to, select(kept, load(from, n) * s, zero()), n);
  }
}

NABI_INLINE void drop(const double* from, double* to, Mask kept, double scale, int n) {
  const uint32_t keep = bits(kept);
  for (int i = 0; i < n; ++i) to[i] = (keep >> i & 1u) != 0 ? from[i] * scale : 0.0;
}

template <class T>
void dropout(const Args& args, int64_t first, int64_t last, char*) {
  const DropoutParams& p = *static_cast<const DropoutParams*>(args.params);
  const T* from = reinterpret_cast<const T*>(args.ptr[0]);
  const int64_t* state = reinterpret_cast<const int64_t*>(args.ptr[1]);
  T* to = reinterpret_cast<T*>(args.ptr[2]);
  const IVec last_dropped = isplat(p.threshold - 1);
  for (int64_t draw = first * kDrawsPerTask; draw < last * kDrawsPerTask; ++draw) {
    const int64_t begin = draw * kDropElements;
    if (begin >= p.total) break;
    const Words words = philox(state, draw);
    for (int w = 0; w < 4; ++w) {
      const int64_t at = begin + 2 * w * kLanes;
      const int n = lanes(p.total - at);
      if (n == 0) break;
      drop(from + at, to + at, igt(words.w[w] & isplat(0xffff), last_dropped), p.scale, n);
      const int more = lanes(p.total - at - kLanes);
      if (more == 0) break;
      drop(from + at + kLanes, to + at + kLanes, igt(srl(words.w[w], 16), last_dropped), p.scale, more);
    }
  }
}

}  // namespace

void fill_random(KernelTable& table) {
  table.random_uniform = draw_floats<Uniform>;
  table.random_normal = draw_floats<Normal>;
  table.random_bernoulli = random_bernoulli;
  table.random_int = random_int;
  table.dropout_f32 = dropout<float>;
  table.dropout_f64 = dropout<double>;
}

}  // namespace nabi::cpu::NABI_ISA
