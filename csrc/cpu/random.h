// csrc/cpu/random.h -- parameters of the random kernels, shared by the kernels and their lowering
#pragma once

#include <stdint.h>

namespace nabi::cpu {

/// Words that one round of sixteen lanes draws: the unit in which an output is cut. Element e of an output gets word
/// (e % 64) / 16 of the Philox block (e / 64) * 16 + e % 16.
inline constexpr int kDrawWords = 64;

/// Elements a draw serves in dropout, which takes 16 bits for each: of word w, the low half goes to element
/// 32 w + lane of the 128, the high half to element 32 w + 16 + lane.
inline constexpr int kDropElements = 2 * kDrawWords;

/// Draws that make a task.
inline constexpr int kDrawsPerTask = 64;

/// Numbers of a distribution: a * x + b of a basic one, at most `limit`.
struct RandomParams {
  int64_t total;
  int32_t dtype;  // DType of the output
  float a, b, limit;
  float edge;     // normal: the basic uniform covers (-edge, edge); 1 for all of the line
  uint32_t span;  // integers: how many there are
  int64_t low;    // integers: the smallest
};

struct DropoutParams {
  int64_t total;
  int32_t threshold;  // drop where 16 random bits are less
  double scale;       // of what is kept
};

}  // namespace nabi::cpu
