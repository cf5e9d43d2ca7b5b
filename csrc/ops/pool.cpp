// csrc/ops/pool.cpp -- max and average pooling over NHWC images
#include <string>

#include "error.h"
#include "graph/graph.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

using List = std::vector<std::int64_t>;

/// Checks size, strides and padding.
void check_window(const OpDef& op, const Attrs& attrs) {
  const List& size = attrs.list("size");
  const List& strides = attrs.list("strides");
  const List& padding = attrs.list("padding");
  check(size.size() == 2 && size[0] >= 1 && size[1] >= 1, op.name,
        ": requires a window of two sizes of at least 1, got ", to_string(size));
  check(strides.size() == 2 && strides[0] >= 1 && strides[1] >= 1, op.name,
        ": requires two strides of at least 1, got ", to_string(strides));
  check(padding.size() == 4, op.name, ": requires padding (top, bottom, left, right), got ", to_string(padding));
  for (int side = 0; side < 4; ++side) {
    // A window that holds padding alone would have no maximum and no mean.
    check(padding[side] >= 0 && padding[side] < size[side / 2], op.name,
          ": requires padding of at least 0 and less than the window ", to_string(size), ", got ", to_string(padding));
  }
}

/// Shape of the pooled image.
Shape pooled(const OpDef& op, const Shape& x, const Attrs& attrs) {
  check_window(op, attrs);
  check(x.size() == 4, op.name, ": requires images (batch, height, width, channels), got shape ", to_string(x));
  const List& size = attrs.list("size");
  const List& strides = attrs.list("strides");
  const List& padding = attrs.list("padding");
  Shape out = x;
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t padded = x[1 + axis] + padding[2 * axis] + padding[2 * axis + 1];
    check(x[1 + axis] >= 1 && padded >= size[axis], op.name, ": requires the window ", to_string(size),
          " to fit in the padded image, got images ", to_string(x), " with padding ", to_string(padding));
    out[1 + axis] = (padded - size[axis]) / strides[axis] + 1;
  }
  return out;
}

void check_float(const OpDef& op, const Type& type) {
  check<TypeError>(is_float(type.dtype), op.name, ": requires a float tensor, got ", name_of(type.dtype));
}

/// Windows of up to 256 cells have their maximum's place in a byte.
DType index_dtype(const Attrs& attrs) {
  const List& size = attrs.list("size");
  return size[0] * size[1] <= 256 ? DType::u8 : DType::i32;
}

void max_pool_type(const TypeArgs& args) {
  check_float(args.op, args.inputs[0]);
  const Shape shape = pooled(args.op, args.inputs[0].shape, args.attrs);
  args.outputs.push_back({args.inputs[0].dtype, shape});
  args.outputs.push_back({index_dtype(args.attrs), shape});
}

void avg_pool_type(const TypeArgs& args) {
  check_float(args.op, args.inputs[0]);
  args.outputs.push_back({args.inputs[0].dtype, pooled(args.op, args.inputs[0].shape, args.attrs)});
}

/// Shared by both gradients; the mask, where there is one, is input number `mask` and has the gradient's type where the
/// maxima tell what a mask of the image would, else the image's.
void check_grad(const TypeArgs& args, std::size_t mask, bool maxima) {
  check_float(args.op, args.inputs[0]);
  const Shape expected = pooled(args.op, args.attrs.list("input_shape"), args.attrs);
  check(args.inputs[0].shape == expected, args.op.name, ": requires a gradient of shape ", to_string(expected),
        ", got ", to_string(args.inputs[0].shape));
  const Type out{args.inputs[0].dtype, args.attrs.list("input_shape")};
  check(args.inputs.size() == mask + args.attrs.flag("mask"), args.op.name, ": requires ",
        mask + args.attrs.flag("mask"), " inputs, got ", args.inputs.size());
  if (args.attrs.flag("mask")) {
    const Type& kept = maxima ? args.inputs[0] : out;
    check(args.inputs[mask] == kept, args.op.name, ": requires a mask of type ", to_string(kept), ", got ",
          to_string(args.inputs[mask]));
  }
  args.outputs.push_back(out);
}

void max_pool_grad_type(const TypeArgs& args) {
  check_grad(args, 2, true);
  const Type index{index_dtype(args.attrs), args.inputs[0].shape};
  check(args.inputs[1] == index, args.op.name, ": requires an index of type ", to_string(index), ", got ",
        to_string(args.inputs[1]));
}

void avg_pool_grad_type(const TypeArgs& args) { check_grad(args, 1, false); }

/// The window's attributes with the shape that the gradient has.
Attrs grad_attrs(const GradArgs& args) {
  return {{"size", args.attrs.list("size")},
          {"strides", args.attrs.list("strides")},
          {"padding", args.attrs.list("padding")},
          {"input_shape", args.graph.type(args.inputs[0]).shape}};
}

void max_pool_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone) return;
  args.grads[0] = args.graph.add1("max_pool2d_grad", {args.upstream[0], args.outputs[1]}, grad_attrs(args));
}

void avg_pool_gradient(const GradArgs& args) {
  if (args.upstream[0] == kNone) return;
  args.grads[0] = args.graph.add1("avg_pool2d_grad", {args.upstream[0]}, grad_attrs(args));
}

/// avg_pool2d_grad is linear and avg_pool2d is its adjoint.
void avg_pool_grad_gradient(const GradArgs& args) {
  check<NotImplemented>(!args.attrs.flag("mask"), "avg_pool2d_grad: has no gradient once a mask is fused into it");
  args.grads[0] = args.graph.add1("avg_pool2d", {args.upstream[0]},
                                  {{"size", args.attrs.list("size")},
                                   {"strides", args.attrs.list("strides")},
                                   {"padding", args.attrs.list("padding")}});
}

}  // namespace

void register_pool(std::vector<OpDef>& table) {
  const auto list = [](const char* name) { return AttrDef{name, List{}, true}; };
  const std::vector<AttrDef> window{list("size"), list("strides"), list("padding")};
  std::vector<AttrDef> backward = window;
  backward.push_back(list("input_shape"));
  backward.push_back({"mask", false});
  table.push_back({"max_pool2d", "pool", 1, 1, 0, window, max_pool_type, max_pool_gradient});
  // The mask of max_pool2d_grad are the maxima themselves: where the image is what a ReLU made, only their sign counts.
  table.push_back({"max_pool2d_grad", "pool", 2, 3, 0, backward, max_pool_grad_type});
  table.push_back({"avg_pool2d", "pool", 1, 1, 0, window, avg_pool_type, avg_pool_gradient});
  table.push_back({"avg_pool2d_grad", "pool", 1, 2, 0, backward, avg_pool_grad_type, avg_pool_grad_gradient});
}

}  // namespace nabi::ops
