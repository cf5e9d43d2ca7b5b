// csrc/cpu/lower_softmax.cpp -- task grids of softmax and the cross-entropies
#include <algorithm>

#include "cpu/lower.h"
#include "cpu/softmax.h"

namespace nabi::cpu {
namespace {

constexpr double kTaskNanoseconds = 16000;

/// A row costs `row` nanoseconds and `element` for each class.
void add_rows(Lowering& low, Kernel f32, Kernel f64, double row, double element) {
  const Shape& shape = low.input(0).shape;
  SoftmaxParams p{};
  p.c = shape.back();
  p.rows = count(Shape(shape.begin(), shape.end() - 1));
  const double cost = row + element * static_cast<double>(p.c);
  p.task_rows = std::max<std::int64_t>(1, static_cast<std::int64_t>(kTaskNanoseconds / cost));
  p.wide_labels = low.node.inputs.size() > 1 && low.input(1).dtype == DType::i64;
  p.one_gradient = low.node.inputs.size() > 2 && low.input(2).shape.empty();
  low.phase(low.input(0).dtype == DType::f32 ? f32 : f64, p, (p.rows + p.task_rows - 1) / p.task_rows, 0,
            cost * static_cast<double>(p.rows));
}

#define NABI_ROWS(op, row, element) \
  void op(Lowering& low) { add_rows(low, low.kernels.op##_f32, low.kernels.op##_f64, row, element); }
NABI_ROWS(softmax, 10, 0.25)
NABI_ROWS(log_softmax, 18, 0.25)
NABI_ROWS(softmax_cross_entropy, 20, 0.3)
NABI_ROWS(softmax_cross_entropy_grad, 3, 0.1)
NABI_ROWS(sparse_softmax_cross_entropy, 18, 0.25)
NABI_ROWS(sparse_softmax_cross_entropy_grad, 2, 0.05)
#undef NABI_ROWS

}  // namespace

void lower_softmax(LowerTable& table) {
  table["softmax"] = softmax;
  table["log_softmax"] = log_softmax;
  table["softmax_cross_entropy"] = softmax_cross_entropy;
  table["softmax_cross_entropy_grad"] = softmax_cross_entropy_grad;
  table["sparse_softmax_cross_entropy"] = sparse_softmax_cross_entropy;
  table["sparse_softmax_cross_entropy_grad"] = sparse_softmax_cross_entropy_grad;
}

}  // namespace nabi::cpu
