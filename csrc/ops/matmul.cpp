// csrc/ops/matmul.cpp -- what a matrix product means: broadcast batches, transposes, fused bias, ReLU and mask
#include <algorithm>

#include "error.h"
#include "graph/graph.h"
#include "ops/register.h"
#include "ops/rules.h"

namespace nabi::ops {
namespace {

/// Shape without its last two dimensions.
Shape batch_of(const Shape& shape) { return Shape(shape.begin(), shape.end() - 2); }

void matmul_type(const TypeArgs& args) {
  const Type& a = args.inputs[0];
  const Type& b = args.inputs[1];
  const std::string& name = args.op.name;
  check<TypeError>(a.dtype == b.dtype, name, ": requires operands of one dtype, got ", name_of(a.dtype), " and ",
                   name_of(b.dtype));
  check<TypeError>(is_float(a.dtype) || a.dtype == DType::i32 || a.dtype == DType::i64, name,
                   ": requires float32, float64, int32 or int64 operands, got ", name_of(a.dtype));
  check(a.shape.size() >= 2 && b.shape.size() >= 2, name, ": requires operands of rank at least 2, got shapes ",
        to_string(a.shape), " and ", to_string(b.shape));
  const bool ta = args.attrs.flag("transpose_a"), tb = args.attrs.flag("transpose_b");
  const std::size_t ra = a.shape.size(), rb = b.shape.size();
  const std::int64_t m = a.shape[ta ? ra - 1 : ra - 2], ka = a.shape[ta ? ra - 2 : ra - 1];
  const std::int64_t kb = b.shape[tb ? rb - 1 : rb - 2], n = b.shape[tb ? rb - 2 : rb - 1];
  check(ka == kb, name, ": requires equal inner dimensions, got ", ka, " and ", kb, " (shapes ", to_string(a.shape),
        ta ? " transposed" : "", " and ", to_string(b.shape), tb ? " transposed" : "", ")");
  Shape shape = broadcast(batch_of(a.shape), batch_of(b.shape), name);
  shape.push_back(m);
  shape.push_back(n);

  const bool bias = args.attrs.flag("bias"), relu = args.attrs.flag("relu"), mask = args.attrs.flag("mask");
  const bool bias_grad = args.attrs.flag("bias_grad");
  check<InternalError>(args.inputs.size() == 2u + bias + mask, name, " has ", args.inputs.size(),
                       " inputs, which does not fit its attributes");
  check<InternalError>(!(bias || relu || mask || bias_grad) || is_float(a.dtype), name, ": fused forms are for floats");
  std::size_t next = 2;
  if (bias) {
    check<InternalError>(args.inputs[next] == Type{a.dtype, {n}}, name, ": bias does not fit");
    ++next;
  }
  if (mask) check<InternalError>(args.inputs[next] == Type{a.dtype, shape}, name, ": mask does not fit");
  args.outputs.push_back({a.dtype, shape});
  if (bias_grad) {
    check<InternalError>(ta && !tb && ra == 2 && rb == 2, name, ": bias_grad is for weight gradients of rank 2");
    args.outputs.push_back({a.dtype, {n}});
  }
}

double matmul_flops(const TypeArgs& args) {
  const Shape& a = args.inputs[0].shape;
  const std::int64_t k = a[a.size() - (args.attrs.flag("transpose_a") ? 2 : 1)];
  return 2.0 * static_cast<double>(count(args.outputs[0].shape)) * static_cast<double>(k);
}

ValueId product(Graph& graph, ValueId a, ValueId b, bool transpose_a, bool transpose_b) {
  return graph.add1("matmul", {a, b}, {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}});
}

/// Merges all dimensions but the last.
ValueId flatten(Graph& graph, ValueId x) {
  const Shape& shape = graph.type(x).shape;
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return graph.add1("reshape", {x}, {{"shape", Shape{rows, shape.back()}}});
}

void matmul_gradient(const GradArgs& args) {
  for (const char* fused : {"bias", "relu", "mask", "bias_grad"}) {
    check<InternalError>(!args.attrs.flag(fused), "matmul: a fused node is not differentiated");
  }
  if (args.upstream[0] == kNone) return;
  Graph& graph = args.graph;
  const ValueId a = args.inputs[0], b = args.inputs[1], g = args.upstream[0];
  const bool ta = args.attrs.flag("transpose_a"), tb = args.attrs.flag("transpose_b");
  const Shape a_shape = graph.type(a).shape, b_shape = graph.type(b).shape;
  if (args.wanted[0]) {
    const ValueId da = ta ? product(graph, b, g, tb, true) : product(graph, g, b, false, !tb);
    args.grads[0] = sum_to(graph, da, a_shape);
  }
  if (args.wanted[1]) {
    if (b_shape.size() == 2 && a_shape.size() > 2 && !ta) {
      // One long product instead of a batch of products and their sum.
      const ValueId rows = flatten(graph, a), up = flatten(graph, g);
      args.grads[1] = tb ? product(graph, up, rows, true, false) : product(graph, rows, up, true, false);
    } else {
      const ValueId db = tb ? product(graph, g, a, true, ta) : product(graph, a, g, !ta, false);
      args.grads[1] = sum_to(graph, db, b_shape);
    }
  }
}

}  // namespace

void register_matmul(std::vector<OpDef>& table) {
  OpDef op;
  op.name = "matmul";
  op.family = "matmul";
  op.min_inputs = 2;
  op.max_inputs = 4;
  for (const char* flag : {"transpose_a", "transpose_b", "bias", "relu", "mask", "bias_grad"}) {
    op.attrs.push_back({flag, false});
  }
  op.type = matmul_type;
  op.gradient = matmul_gradient;
  op.flops = matmul_flops;
  table.push_back(op);
}

}  // namespace nabi::ops
