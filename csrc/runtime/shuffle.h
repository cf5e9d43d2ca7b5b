// csrc/runtime/shuffle.h -- the order of an epoch
#pragma once

#include <cstdint>

namespace nabi {

/// Fills order[0..n) with a permutation of 0..n-1 that depends on n, seed, fit and epoch alone: a Fisher-Yates shuffle
/// driven by Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011).
void shuffle(std::int64_t n, std::uint64_t seed, std::uint32_t fit, std::uint32_t epoch, std::int64_t* order);

}  // namespace nabi
