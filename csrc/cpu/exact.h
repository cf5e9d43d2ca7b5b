// csrc/cpu/exact.h -- whether convolutions may be computed by Winograd's algorithm
#pragma once

namespace nabi::cpu {

/// From the next program on: every convolution is a sum of products in order (true), or Winograd where it pays.
void set_exact_convolution(bool on);

/// What was set; false at first.
bool exact_convolution();

}  // namespace nabi::cpu
