// csrc/cpu/yardstick.h -- what this machine can do, measured now: what figures of kernels are put beside
#pragma once

#include <cstddef>

namespace nabi::cpu {

/// What one core does at best under the instruction set in use.
struct Yardstick {
  double clock = 0;  // cycles a second; 0 where it cannot be measured
  double flops = 0;  // float32 multiplications and additions a second, in registers
};

/// Takes about ten milliseconds. Threads and frequency change: measure again beside each figure.
Yardstick measure();

/// Cycles a second from a chain of dependent additions, in about a tenth of a millisecond.
double measure_clock();

/// Bytes read and written a second by a copy whose source and target together take `bytes`, shared by the team.
double measure_copy(std::size_t bytes);

/// Seconds in which a cache line that one worker has written reaches another, the best of several; 0 with one worker.
double measure_hop();

}  // namespace nabi::cpu
