// csrc/cpu/lower_measure.cpp -- runs the yardstick kernel; the family has no ops
#include <algorithm>
#include <chrono>

#include "cpu/isa.h"
#include "cpu/lower.h"
#include "cpu/measure.h"
#include "cpu/yardstick.h"

namespace nabi::cpu {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Cycles a second from a chain of dependent additions, one a cycle on every core we know.
double measure_clock() {
#if defined(__x86_64__) || defined(__aarch64__)
  constexpr std::int64_t kRounds = 20000;
  std::uint64_t x = 1;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < kRounds; ++i) {
    for (int j = 0; j < 4; ++j) {
#if defined(__x86_64__)
      asm volatile("add %0, %0\n add %0, %0\n add %0, %0\n add %0, %0" : "+r"(x));
#else
      asm volatile("add %0, %0, %0\n add %0, %0, %0\n add %0, %0, %0\n add %0, %0, %0" : "+r"(x));
#endif
    }
  }
  return static_cast<double>(kRounds * 16) / seconds_since(start);
#else
  return 0;
#endif
}

}  // namespace

void lower_measure(LowerTable&) {}

Yardstick measure() {
  alignas(64) float sums[8 * 16];
  char* const pointers[1] = {reinterpret_cast<char*>(sums)};
  const MeasureParams params{2000};
  Yardstick best;
  for (int repeat = 0; repeat < 5; ++repeat) {
    best.clock = std::max(best.clock, measure_clock());
    const auto start = std::chrono::steady_clock::now();
    kernels().measure_fma(Args{pointers, &params, nullptr}, 0, 1, nullptr);
    best.flops = std::max(best.flops, static_cast<double>(params.rounds * kMeasureFlops) / seconds_since(start));
  }
  return best;
}

}  // namespace nabi::cpu
