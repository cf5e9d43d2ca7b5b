// csrc/cpu/isa.h -- which instruction sets this build and this machine have, and which one is in use
#pragma once

#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace nabi::cpu {

/// Instruction sets that can be used here, slowest first; always begins with "generic".
std::vector<std::string> isas();

/// The one in use: set_isa, else the environment's NABI_ISA, else the fastest.
std::string isa();

/// Uses another one from the next program on; "" returns to the default. Throws ValueError where the machine lacks it.
void set_isa(const std::string& name);

/// The kernels of isa().
const KernelTable& kernels();

}  // namespace nabi::cpu
