// csrc/cpu/kernels.h -- the contract between steps and the kernels compiled once per instruction set
#pragma once

#include <stdint.h>

#include "dtype.h"

namespace nabi::cpu {

/// Bad data found while a step runs. The first worker to claim it fills it; the runtime reports it.
struct Fault {
  int32_t claimed;  // 0 until a worker sets it with an atomic exchange
  int64_t value;    // what was found
  int64_t bound;    // valid values are 0 <= value < bound
};

/// What a kernel gets: operand addresses (inputs, outputs, then the workspace if there is one) and its own parameters.
struct Args {
  char* const* ptr;
  const void* params;
  Fault* fault;
};

/// Runs tasks [first, last) of a phase. Knows nothing of threads; scratch is private to the call and 64-byte aligned.
using Kernel = void (*)(const Args& args, int64_t first, int64_t last, char* scratch);

/// One kernel per row of kernels.def. A table starts as generic and is overridden row by row.
struct KernelTable {
  const char* isa;
  bool packs_panels;  // a task of matmul_f32 copies what it reads of B, and should have many rows to use it for
#define NABI_KERNEL(name) Kernel name;
#include "cpu/kernels.def"
#undef NABI_KERNEL
};

// Each kernel file is compiled once per instruction set inside a namespace of that name, NABI_ISA, and exports one
// function: fill_<family>, which sets the rows it has.
#define NABI_FAMILY(family)               \
  namespace generic {                     \
  void fill_##family(KernelTable& table); \
  }                                       \
  namespace avx2 {                        \
  void fill_##family(KernelTable& table); \
  }                                       \
  namespace avx512 {                      \
  void fill_##family(KernelTable& table); \
  }
#include "cpu/families.def"
#undef NABI_FAMILY

/// Called by a kernel that found bad data; keeps the first.
inline __attribute__((always_inline)) void report(Fault* fault, int64_t value, int64_t bound) {
  if (__atomic_exchange_n(&fault->claimed, 1, __ATOMIC_ACQ_REL) == 0) {
    fault->value = value;
    fault->bound = bound;
  }
}

}  // namespace nabi::cpu
