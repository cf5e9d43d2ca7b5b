// csrc/cpu/measure.cpp -- independent multiply-add chains in registers: the peak a kernel is compared with
#include "cpu/measure.h"

#include "cpu/kernels.h"
#include "cpu/vec.h"

namespace nabi::cpu::NABI_ISA {
namespace {

// ptr[0]: a place for the sums, so that they are not optimised away.
void measure_fma(const Args& args, int64_t, int64_t, char*) {
  const MeasureParams& params = *static_cast<const MeasureParams*>(args.params);
  float* out = reinterpret_cast<float*>(args.ptr[0]);
  Vec sums[kMeasureChains];
  for (int i = 0; i < kMeasureChains; ++i) sums[i] = splat(static_cast<float>(i));
  Vec factor = splat(0.999f);
  Vec term = splat(1e-3f);
  for (int64_t round = 0; round < params.rounds; ++round) {
#pragma GCC unroll 16
    for (int repeat = 0; repeat < 16; ++repeat) {
#pragma GCC unroll 8
      for (int i = 0; i < kMeasureChains; ++i) sums[i] = fma(sums[i], factor, term);
    }
  }
  for (int i = 0; i < kMeasureChains; ++i) store(out + 16 * i, sums[i]);
}

}  // namespace

void fill_measure(KernelTable& table) { table.measure_fma = measure_fma; }

}  // namespace nabi::cpu::NABI_ISA
