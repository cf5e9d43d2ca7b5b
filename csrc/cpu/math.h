// csrc/cpu/math.h -- exp, log and their relatives on sixteen lanes, with the same bits on every instruction set
//
// Polynomials are minimax fits made for these ranges (Lawson iteration in long double), evaluated by Horner's rule with
// FMA. Worst errors found over all floats, in units in the last place: exp 1.0, expm1 1.4, log 0.8, log1p 1.4,
// tanh 2.4, erf 1.0, sigmoid 2.4, softplus 1.6, sin and cos 1.6, tan 3.6, pow 1.7. Results below FLT_MIN may be 0 and
// inputs below it count as 0, as in the engine's threads, which flush denormals anyway.
#pragma once

#include "cpu/vec.h"

// Generic code is long; there these functions are not repeated at every call.
#if defined(NABI_ISA_GENERIC) && NABI_ISA_GENERIC
#define NABI_MATH [[maybe_unused]] static __attribute__((noinline))
#else
#define NABI_MATH NABI_INLINE
#endif

namespace nabi::cpu::NABI_ISA {

constexpr float kInfinity = __builtin_inff();
constexpr float kLog2e = 0x1.715476p+0f;
// ln 2 in two parts for use with FMA, and with a product that is exact for |n| < 2^14 (Cephes).
constexpr float kLn2 = 0x1.62e43p-1f, kLn2Low = -0x1.05c61p-29f;
constexpr float kLn2Short = 0.693359375f, kLn2ShortLow = -2.12194440e-4f;
constexpr float kFloatMin = 0x1p-126f;

/// x = n ln2 + r with |r| <= ln2 / 2. `bits` holds n in its low bits, above them rubbish.
NABI_INLINE Vec reduce_ln2(Vec x, Vec& n, IVec& bits) {
  const Vec shift = splat(0x1.8p+23f);  // adding it rounds to an integer
  const Vec t = fma(x, splat(kLog2e), shift);
  bits = as_int(t);
  n = t - shift;
  return fnma(n, splat(kLn2Low), fnma(n, splat(kLn2), x));
}

/// (exp(r) - 1 - r) / r^2 for |r| <= ln2 / 2; relative error of the exp below 2^-28.
NABI_INLINE Vec exp_tail(Vec r) {
  Vec q = fma(splat(0x1.6a23cep-10f), r, splat(0x1.123a2p-7f));
  q = fma(q, r, splat(0x1.5558f2p-5f));
  q = fma(q, r, splat(0x1.555492p-3f));
  return fma(q, r, splat(0x1.fffffcp-2f));
}

/// e^x where the result is a normal float; any other x, NaN included, gives rubbish.
NABI_INLINE Vec exp_core(Vec x) {
  Vec n;
  IVec bits;
  const Vec r = reduce_ln2(x, n, bits);
  const Vec p = fma(exp_tail(r), r * r, r) + splat(1.0f);  // in [0.7, 1.42]: n = 128 does not overflow by itself
  return as_float(as_int(p) + (bits << 23));
}

/// e^x.
NABI_MATH Vec exp(Vec x) {
  const Vec y = select(le(x, splat(88.72283f)), exp_core(x), x + splat(kInfinity));
  return select(lt(x, splat(-87.33654f)), zero(), y);
}

/// y, but x itself where x is 0: odd functions keep the sign of a zero.
NABI_INLINE Vec keep_zero(Vec x, Vec y) { return select(eq(x, zero()), x, y); }

/// e^x - 1 without cancellation near 0.
NABI_MATH Vec expm1(Vec x) {
  const Vec bounded = max(splat(-20.0f), x);
  Vec n;
  IVec bits;
  const Vec r = reduce_ln2(bounded, n, bits);
  const Vec p = fma(exp_tail(r), r * r, r);
  const Vec half = as_float((bits << 23) + isplat(126 << 23));  // 2^(n-1), so that n = 128 fits
  const Vec y = fma(p, half, half - splat(0.5f));
  return keep_zero(x, select(le(x, splat(88.72283f)), y + y, x + splat(kInfinity)));
}

/// log(1 + f) + e ln2 for 1 + f in [sqrt(1/2), sqrt(2)].
NABI_INLINE Vec log_core(Vec f, Vec e) {
  Vec p = fma(splat(-0x1.38b4e2p-4f), f, splat(0x1.056580p-3f));
  p = fma(p, f, splat(-0x1.0d8a08p-3f));
  p = fma(p, f, splat(0x1.22d918p-3f));
  p = fma(p, f, splat(-0x1.5471b6p-3f));
  p = fma(p, f, splat(0x1.99a00ep-3f));
  p = fma(p, f, splat(-0x1.000228p-2f));
  p = fma(p, f, splat(0x1.555554p-2f));
  const Vec square = f * f;
  Vec y = p * f * square;
  y = fma(e, splat(kLn2ShortLow), y);
  y = fnma(splat(0.5f), square, y);
  return fma(e, splat(kLn2Short), f + y);
}

/// x = m 2^e with m in [sqrt(1/2), sqrt(2)), for positive normal x. Returns m; the exponent as 2^23 e.
NABI_INLINE Vec split(Vec x, IVec& exponent) {
  const IVec root = isplat(0x3f3504f3);  // sqrt(1/2)
  exponent = (as_int(x) - root) & isplat(static_cast<int32_t>(0xff800000u));
  return as_float(as_int(x) - exponent);
}

/// The ends of log: -inf at 0, NaN below, inf and NaN as they are.
NABI_INLINE Vec log_ends(Vec x, Vec y) {
  y = select(lt(x, splat(kInfinity)), y, x);
  y = select(lt(x, splat(kFloatMin)), splat(-kInfinity), y);
  return select(le(x, splat(-kFloatMin)), splat(__builtin_nanf("")), y);
}

/// Natural logarithm.
NABI_MATH Vec log(Vec x) {
  IVec exponent;
  const Vec m = split(x, exponent);
  return log_ends(x, log_core(m - splat(1.0f), to_float(exponent >> 23)));
}

/// log(1 + x) without cancellation near 0.
NABI_MATH Vec log1p(Vec x) {
  const Vec one = splat(1.0f);
  const Vec u = x + one;
  IVec exponent;
  const Vec m = split(u, exponent);
  // 1 + f = (1 + x) 2^-e, rounded once; beyond 2^30, where 2^-e might not exist, the 1 does not count anyway.
  const Vec scale = as_float(isplat(127 << 23) - exponent);
  const Vec f = select(lt(x, splat(0x1p+30f)), fma(x, scale, scale - one), m - one);
  return keep_zero(x, log_ends(u, log_core(f, to_float(exponent >> 23))));
}

/// 1 / (1 + e^-x).
NABI_MATH Vec sigmoid(Vec x) {
  const Vec bounded = max(splat(-88.0f), min(splat(87.0f), x));
  const Vec y = splat(1.0f) / (splat(1.0f) + exp_core(-bounded));
  return select(ge(x, splat(-87.33654f)), y, max(zero(), x));  // the max keeps a NaN
}

/// log(1 + e^x).
NABI_MATH Vec softplus(Vec x) { return max(zero(), x) + log1p(exp(-abs(x))); }

/// Hyperbolic tangent: t / (t + 2) with t = e^(2|x|) - 1.
NABI_MATH Vec tanh(Vec x) {
  const Vec size = min(splat(10.0f), abs(x));  // tanh(9.02) rounds to 1; NaN stays
  Vec n;
  IVec bits;
  const Vec r = reduce_ln2(size + size, n, bits);
  const Vec p = fma(exp_tail(r), r * r, r);
  const Vec scale = as_float((bits << 23) + isplat(127 << 23));
  const Vec t = fma(p, scale, scale - splat(1.0f));
  return copysign(t / (t + splat(2.0f)), x);
}

/// Error function: a polynomial below 0.93, above it 1 - exp(polynomial). Coefficients by N. Juffa, "my_erff",
/// stackoverflow.com/a/35148199 (error below 1 ulp).
NABI_MATH Vec erf(Vec x) {
  const Vec t = abs(x), s = x * x;
  Vec a = fma(splat(-1.72853470e-5f), t, splat(3.83197126e-4f));
  const Vec u = fma(splat(-3.88396438e-3f), t, splat(2.42546219e-2f));
  a = fma(a, s, u);
  a = fma(a, t, splat(-1.06777877e-1f));
  a = fma(a, t, splat(-6.34846687e-1f));
  a = fma(a, t, splat(-1.28717512e-1f));
  a = fma(a, t, -t);
  const Vec large = copysign(splat(1.0f) - exp_core(max(splat(-80.0f), a)), x);
  Vec b = fma(splat(-5.96761703e-4f), s, splat(4.99119423e-3f));
  b = fma(b, s, splat(-2.67681349e-2f));
  b = fma(b, s, splat(1.12819925e-1f));
  b = fma(b, s, splat(-3.76125336e-1f));
  b = fma(b, s, splat(1.28379166e-1f));
  b = fma(b, x, x);
  return select(gt(t, splat(4.0f)), copysign(splat(1.0f), x), select(gt(t, splat(0.927734375f)), large, b));
}

/// x mod pi/2 in double from the bits of 4/pi, for finite |x| >= 2; the quadrant modulo 4 (Payne and Hanek, 1983, in
/// the 96-bit integer form of ARM's optimized-routines).
static __attribute__((noinline)) double reduce_huge(float x, int32_t* quadrant) {
  // 4/pi, 32 bits from every eighth.
  static const uint32_t kFourOverPi[24] = {0xa2,       0xa2f9,     0xa2f983,   0xa2f9836e, 0xf9836e4e, 0x836e4e44,
                                           0x6e4e4415, 0x4e441529, 0x441529fc, 0x1529fc27, 0x29fc2757, 0xfc2757d1,
                                           0x2757d1f5, 0x57d1f534, 0xd1f534dd, 0xf534ddc0, 0x34ddc0db, 0xddc0db62,
                                           0xc0db6295, 0xdb629599, 0x6295993c, 0x95993c43, 0x993c4390, 0x3c439041};
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t* part = &kFourOverPi[(bits >> 26) & 15];
  const uint32_t m = ((bits & 0xffffffu) | 0x800000u) << ((bits >> 23) & 7);
  uint64_t product = static_cast<uint64_t>(m * part[0]) << 32;
  product |= (static_cast<uint64_t>(m) * part[8]) >> 32;
  product += static_cast<uint64_t>(m) * part[4];
  const uint64_t n = (product + (uint64_t{1} << 61)) >> 62;
  product -= n << 62;
  const double r = static_cast<double>(static_cast<int64_t>(product)) * 0x1.921fb54442d18p-62;
  *quadrant = static_cast<int32_t>(bits >> 31 ? 0 - n : n) & 3;
  return bits >> 31 ? -r : r;
}

/// Replaces the reduction of the lanes that are too large for reduce_quadrant.
static __attribute__((noinline)) void reduce_far(const float* x, float* r, int32_t* quadrant) {
  for (int i = 0; i < kLanes; ++i) {
    if (!(__builtin_fabsf(x[i]) > 30000.0f)) continue;
    if (__builtin_fabsf(x[i]) < kInfinity) {
      r[i] = static_cast<float>(reduce_huge(x[i], &quadrant[i]));
    } else {
      r[i] = x[i] - x[i];  // NaN
    }
  }
}

/// x = quadrant pi/2 + r with |r| <= pi/4 (a little more for large x).
NABI_INLINE Vec reduce_quadrant(Vec x, IVec& quadrant) {
  const Vec shift = splat(0x1.8p+23f);
  const Vec t = fma(x, splat(0x1.45f306p-1f), shift);
  const Vec n = t - shift;
  quadrant = as_int(t);
  Vec r = fma(n, splat(-0x1.921fb0p+00f), x);  // pi/2 in three parts
  r = fma(n, splat(-0x1.5110b4p-22f), r);
  r = fma(n, splat(-0x1.846988p-48f), r);
  if (__builtin_expect(any(gt(abs(x), splat(30000.0f))), 0)) {
    float in[kLanes], out[kLanes];
    int32_t q[kLanes];
    store(in, x);
    store(out, r);
    istore(q, quadrant);
    reduce_far(in, out, q);
    r = load(out);
    quadrant = iload(q);
  }
  return r;
}

NABI_INLINE Vec sin_core(Vec r) {
  const Vec s = r * r;
  Vec p = fma(splat(-0x1.994222p-13f), s, splat(0x1.110736p-7f));
  p = fma(p, s, splat(-0x1.555546p-3f));
  return fma(p, s * r, r);
}
NABI_INLINE Vec cos_core(Vec r) {
  const Vec s = r * r;
  Vec p = fma(splat(0x1.99ea04p-16f), s, splat(-0x1.6c0c2ep-10f));
  p = fma(p, s, splat(0x1.55554ap-5f));
  return fma(p, s * s, fma(splat(-0.5f), s, splat(1.0f)));
}

/// sin of r shifted by `quadrant` quarter turns.
NABI_INLINE Vec sin_quadrant(Vec r, IVec quadrant) {
  const Mask odd = igt(quadrant & isplat(1), isplat(0));
  const Vec y = select(odd, cos_core(r), sin_core(r));
  return as_float(as_int(y) ^ ((quadrant & isplat(2)) << 30));
}

NABI_MATH Vec sin(Vec x) {
  IVec quadrant;
  const Vec r = reduce_quadrant(x, quadrant);
  return keep_zero(x, sin_quadrant(r, quadrant));
}
NABI_MATH Vec cos(Vec x) {
  IVec quadrant;
  const Vec r = reduce_quadrant(x, quadrant);
  return sin_quadrant(r, quadrant + isplat(1));
}
NABI_MATH Vec tan(Vec x) {
  IVec quadrant;
  const Vec r = reduce_quadrant(x, quadrant);
  const Vec s = sin_core(r), c = cos_core(r);
  const Mask odd = igt(quadrant & isplat(1), isplat(0));
  return keep_zero(x, select(odd, -c, s) / select(odd, s, c));
}

/// log(x) as high + low for positive normal x: 2 atanh((m-1)/(m+1)) + e ln2 in double-float arithmetic (after N. Juffa,
/// "my_powf", stackoverflow.com/a/40519989).
NABI_INLINE Vec log_pair(Vec x, Vec& low) {
  IVec exponent;
  const Vec m = split(x, exponent);
  const Vec e = to_float(exponent >> 23);
  const Vec num = m - splat(1.0f), inverse = splat(1.0f) / (m + splat(1.0f));
  const Vec q = inverse * num;
  const Vec q_low = inverse * fnma(q, num, fma(q, splat(-2.0f), num));
  Vec s = q * q;
  Vec c = fma(splat(0.1293334961f), s, splat(0.1419928074f));
  c = fma(c, s, splat(0.2000148296f));
  c = fma(c, s, splat(0.3333332539f));
  Vec t = fma(q, q_low + q_low, fma(q, q, -s));
  const Vec cube = s * q;
  t = fma(s, q_low, fma(t, q, fma(s, q, -cube)));
  s = fma(c, cube, fma(c, t, q_low));
  const Vec twice = q + q;
  const Vec sum = fma(splat(kLn2), e, twice);
  const Vec back = fnma(splat(kLn2), e, sum);
  const Vec rest = fma(splat(kLn2Low), e, fma(splat(2.0f), s, twice - back));
  const Vec high = sum + rest;
  low = (sum - high) + rest;
  return high;
}

/// x^y with C's special cases (IEEE 754 pow).
NABI_MATH Vec pow(Vec x, Vec y) {
  const Vec one = splat(1.0f), infinity = splat(kInfinity), size = abs(x);
  const Mask none = lt(size, splat(kFloatMin)), endless = eq(size, infinity);
  Vec low;
  const Vec high = log_pair(select(none | endless, one, size), low);
  const Vec product = high * y;
  const Vec rest = fma(low, y, fma(high, y, -product));
  Vec out = exp(product);
  out = select(gt(out, zero()) & lt(out, infinity), fma(out, rest, out), out);
  // 0 and infinity to a power; an infinite power of anything but 1.
  const Mask up = gt(y, zero());
  out = select(none, select(up, zero(), infinity), out);
  out = select(endless, select(up, infinity, zero()), out);
  const Mask far = eq(abs(y), infinity);
  const Vec limit = select(eq(size, one), one, select(gt(size, one) ^ up, zero(), infinity));
  out = select(far, limit, out);
  // Negative x: the sign of an odd power, NaN for a broken one.
  const Vec half = y * splat(0.5f);
  const Mask whole = eq(rint(y), y), odd = whole & ne(rint(half), half) & lt(abs(y), splat(0x1p+24f));
  const Mask negative = igt(isplat(0), as_int(x));
  out = select(negative & odd, -out, out);
  out = select(negative & ~whole & ~none & ~endless & ~far, splat(__builtin_nanf("")), out);
  out = select(is_nan(x) | is_nan(y), x + y, out);
  return select(eq(y, zero()) | eq(x, one), one, out);
}

}  // namespace nabi::cpu::NABI_ISA
