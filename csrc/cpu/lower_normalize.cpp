// csrc/cpu/lower_normalize.cpp -- chunk and task grids of batch normalisation
#include <algorithm>

#include "cpu/lower.h"
#include "cpu/normalize.h"

namespace nabi::cpu {
namespace {

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kTaskElements = 32768;
constexpr double kNanosecondsPerByte = 0.015;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

/// Chunks of about kTaskElements, at most 64 of them: more would make the merge the longer part.
BatchNormParams batch_norm_grid(const Shape& shape, double epsilon) {
  BatchNormParams p{};
  p.c = shape.back();
  p.rows = count(Shape(shape.begin(), shape.end() - 1));
  p.stride = round_up(p.c, kLanes);
  const std::int64_t row = std::max<std::int64_t>(1, p.c);
  const std::int64_t wanted = std::clamp<std::int64_t>(p.rows * row / kTaskElements, 1, 64);
  p.chunk_rows = std::max<std::int64_t>(16, round_up(divide_up(p.rows, wanted), 4));
  p.chunks = divide_up(p.rows, p.chunk_rows);
  p.merge_channels = 128;
  p.apply_rows = std::max(kLanes, kTaskElements / row / kLanes * kLanes);
  if (p.c % kLanes == 0) {
    p.period = p.c;
  } else if (p.c < 128 && p.rows >= 4 * kLanes) {
    p.period = kLanes * p.c;  // sixteen rows are whole vectors
  }
  p.spacing = std::max(p.period, p.stride);
  p.epsilon = epsilon;
  return p;
}

struct BatchNormKernels {
  Kernel sums, merge, apply;
};

/// Sums by chunk, their merge, and the pass that writes; `streams` is what that pass moves, `coefficients` what it
/// uses.
void add_batch_norm(Lowering& low, const BatchNormKernels& kernels, const BatchNormParams& p, DType dtype, int reads,
                    int streams, int coefficients) {
  const double size = static_cast<double>(size_of(dtype)), elements = static_cast<double>(p.rows * p.c);
  low.workspace = static_cast<std::size_t>(2 * p.chunks * p.stride + coefficients * p.spacing) * size_of(dtype);
  low.phase(kernels.sums, p, p.c == 0 ? 0 : p.chunks, 0, kNanosecondsPerByte * size * elements * reads);
  low.phase(kernels.merge, p, divide_up(p.c, p.merge_channels), 0,
            static_cast<double>(p.c) * (static_cast<double>(p.chunks) + 4));
  low.phase(kernels.apply, p, p.c == 0 ? 0 : divide_up(p.rows, p.apply_rows), 0,
            kNanosecondsPerByte * size * elements * streams);
}

void batch_norm(Lowering& low) {
  const KernelTable& k = low.kernels;
  const DType dtype = low.input(0).dtype;
  const BatchNormKernels kernels =
      dtype == DType::f32 ? BatchNormKernels{k.batch_norm_sums_f32, k.batch_norm_merge_f32, k.batch_norm_apply_f32}
                          : BatchNormKernels{k.batch_norm_sums_f64, k.batch_norm_merge_f64, k.batch_norm_apply_f64};
  BatchNormParams p = batch_norm_grid(low.input(0).shape, low.node.attrs.number("epsilon"));
  p.relu = low.node.attrs.flag("relu");
  add_batch_norm(low, kernels, p, dtype, 1, 2, 2);
}

void batch_norm_grad(Lowering& low) {
  const KernelTable& k = low.kernels;
  const DType dtype = low.input(0).dtype;
  const BatchNormKernels kernels =
      dtype == DType::f32
          ? BatchNormKernels{k.batch_norm_grad_sums_f32, k.batch_norm_grad_merge_f32, k.batch_norm_grad_apply_f32}
          : BatchNormKernels{k.batch_norm_grad_sums_f64, k.batch_norm_grad_merge_f64, k.batch_norm_grad_apply_f64};
  BatchNormParams p = batch_norm_grid(low.input(0).shape, low.node.attrs.number("epsilon"));
  p.relu = low.node.attrs.flag("relu");
  p.mask = low.node.attrs.flag("mask");
  add_batch_norm(low, kernels, p, dtype, 2, 3, p.relu ? 5 : 3);
}

}  // namespace

void lower_normalize(LowerTable& table) {
  table["batch_norm"] = batch_norm;
  table["batch_norm_grad"] = batch_norm_grad;
}

}  // namespace nabi::cpu
