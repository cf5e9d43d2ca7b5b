// csrc/cpu/measure.h -- what this core can do, measured: the yardstick of nabi bench
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// Rounds of the multiply-add kernel; each has kMeasureFlops of work.
struct MeasureParams {
  int64_t rounds;
};

/// That many chains of 16 lanes, a multiplication and an addition each, 16 times a round.
constexpr int kMeasureChains = 6;  // enough to fill the multipliers, few enough for AVX2's sixteen registers
constexpr int64_t kMeasureFlops = kMeasureChains * 16 * 2 * 16;

}  // namespace nabi::cpu
