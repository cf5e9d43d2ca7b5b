// csrc/cpu/lower_combine.h -- the phase that adds up partial results, shared by matrix products and convolutions
#pragma once

#include <cstdint>

#include "cpu/lower.h"

namespace nabi::cpu {

/// Appends the phase that adds `parts` (a power of two) arrays of the workspace, `stride` floats apart, as a balanced
/// tree: the first `elements` of the sum into operand `out`, the next `extra` into operand `sums`.
void add_combine(Lowering& low, std::int64_t parts, std::int64_t stride, std::int64_t elements, std::int64_t extra,
                 int workspace, int out, int sums);

}  // namespace nabi::cpu
