// csrc/cpu/yardstick.h -- the peak of one core under the instruction set in use, measured now
#pragma once

namespace nabi::cpu {

/// What one core does at best.
struct Yardstick {
  double clock = 0;  // cycles a second; 0 where it cannot be measured
  double flops = 0;  // float32 multiplications and additions a second, in registers
};

/// Takes about ten milliseconds. Threads and frequency change: measure again beside each figure.
Yardstick measure();

}  // namespace nabi::cpu
