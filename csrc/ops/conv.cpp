// csrc/ops/conv.cpp -- what a 2D convolution means, and its two gradients: NHWC images, HWIO filters
#include "error.h"
#include "graph/graph.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

using List = std::vector<std::int64_t>;

/// The attributes that the three ops share, checked.
void check_attrs(const std::string& name, const Attrs& attrs) {
  const List &strides = attrs.list("strides"), &dilation = attrs.list("dilation"), &padding = attrs.list("padding");
  check(strides.size() == 2 && strides[0] >= 1 && strides[1] >= 1, name, ": requires two strides of at least 1, got ",
        to_string(strides));
  check(dilation.size() == 2 && dilation[0] >= 1 && dilation[1] >= 1, name,
        ": requires two dilation rates of at least 1, got ", to_string(dilation));
  check(padding.size() == 4, name, ": requires padding (top, bottom, left, right), got ", to_string(padding));
  for (std::int64_t p : padding) check(p >= 0, name, ": requires padding of at least 0, got ", to_string(padding));
  check(attrs.integer("groups") >= 1, name, ": requires at least 1 group, got ", attrs.integer("groups"));
}

/// Shape of conv2d's result for these operands.
Shape result_shape(const std::string& name, const Attrs& attrs, const Shape& x, const Shape& w) {
  check_attrs(name, attrs);
  check(x.size() == 4, name, ": requires images of shape (batch, height, width, channels), got ", to_string(x));
  check(w.size() == 4, name, ": requires a filter of shape (height, width, channels / groups, filters), got ",
        to_string(w));
  check(w[0] >= 1 && w[1] >= 1, name, ": requires a filter of at least 1 x 1, got ", to_string(w));
  const std::int64_t groups = attrs.integer("groups");
  check(x[3] % groups == 0, name, ": requires input channels divisible by groups, got ", x[3], " and ", groups);
  check(w[3] % groups == 0, name, ": requires filters divisible by groups, got ", w[3], " and ", groups);
  check(w[2] == x[3] / groups, name, ": requires filter channels to equal input channels",
        groups > 1 ? " / groups" : "", ", got ", w[2], " and ", x[3] / groups, " (input shape ", to_string(x),
        ", filter shape ", to_string(w), ")");
  const List &strides = attrs.list("strides"), &dilation = attrs.list("dilation"), &padding = attrs.list("padding");
  Shape out{x[0], 0, 0, w[3]};
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t window = (w[d] - 1) * dilation[d] + 1;
    const std::int64_t room = x[1 + d] + padding[2 * d] + padding[2 * d + 1] - window;
    check(room >= 0, name, ": computed output size would be zero or negative; input shape ", to_string(x),
          ", filter shape ", to_string(w), ", dilation ", to_string(dilation), ", padding ", to_string(padding));
    out[1 + d] = room / strides[d] + 1;
  }
  return out;
}

/// Both operands' dtype, which must be one float type.
DType float_dtype(const TypeArgs& args) {
  const DType a = args.inputs[0].dtype, b = args.inputs[1].dtype;
  check<TypeError>(a == b && is_float(a), args.op.name, ": requires operands of one float dtype, got ", name_of(a),
                   " and ", name_of(b));
  return a;
}

/// Checks the number of inputs and that the last has type `extra` when `flag` is set.
void check_fused(const TypeArgs& args, bool flag, const Type& extra) {
  check<InternalError>(args.inputs.size() == 2u + flag, args.op.name, " has ", args.inputs.size(),
                       " inputs, which does not fit its attributes");
  check<InternalError>(!flag || args.inputs[2] == extra, args.op.name, ": fused operand does not fit");
}

void conv_type(const TypeArgs& args) {
  const DType dtype = float_dtype(args);
  const Shape shape = result_shape(args.op.name, args.attrs, args.inputs[0].shape, args.inputs[1].shape);
  check_fused(args, args.attrs.flag("bias"), {dtype, {shape[3]}});
  args.outputs.push_back({dtype, shape});
}

void grad_input_type(const TypeArgs& args) {
  const DType dtype = float_dtype(args);
  const Shape& input = args.attrs.list("input_shape");
  const Shape shape = result_shape(args.op.name, args.attrs, input, args.inputs[1].shape);
  check(args.inputs[0].shape == shape, args.op.name, ": requires a gradient of shape ", to_string(shape),
        " for input shape ", to_string(input), ", got ", to_string(args.inputs[0].shape));
  check_fused(args, args.attrs.flag("mask"), {dtype, input});
  args.outputs.push_back({dtype, input});
}

void grad_filter_type(const TypeArgs& args) {
  const DType dtype = float_dtype(args);
  const Shape& filter = args.attrs.list("filter_shape");
  const Shape shape = result_shape(args.op.name, args.attrs, args.inputs[0].shape, filter);
  check(args.inputs[1].shape == shape, args.op.name, ": requires a gradient of shape ", to_string(shape),
        " for filter shape ", to_string(filter), ", got ", to_string(args.inputs[1].shape));
  check_fused(args, false, {});
  args.outputs.push_back({dtype, filter});
  if (args.attrs.flag("bias_grad")) args.outputs.push_back({dtype, {filter[3]}});
}

/// Every pixel of the result meets every element of the filter once for each of its own channels.
double flops(const Shape& result, const Shape& filter) {
  return 2.0 * static_cast<double>(count(result)) * static_cast<double>(count(filter)) / static_cast<double>(filter[3]);
}

double conv_flops(const TypeArgs& args) { return flops(args.outputs[0].shape, args.inputs[1].shape); }
double grad_input_flops(const TypeArgs& args) { return flops(args.inputs[0].shape, args.inputs[1].shape); }
double grad_filter_flops(const TypeArgs& args) { return flops(args.inputs[1].shape, args.outputs[0].shape); }

/// The attributes common to the three ops, for the other two.
Attrs shared(const Attrs& attrs) {
  return {{"strides", attrs.list("strides")},
          {"dilation", attrs.list("dilation")},
          {"padding", attrs.list("padding")},
          {"groups", attrs.integer("groups")}};
}

// The convolution is linear in each operand, so the three ops are each other's gradients.

ValueId convolve(const GradArgs& args, ValueId x, ValueId w) {
  return args.graph.add1("conv2d", {x, w}, shared(args.attrs));
}

ValueId grad_input(const GradArgs& args, ValueId dy, ValueId w, ValueId like) {
  Attrs attrs = shared(args.attrs);
  attrs.set("input_shape", args.graph.type(like).shape);
  return args.graph.add1("conv2d_grad_input", {dy, w}, attrs);
}

ValueId grad_filter(const GradArgs& args, ValueId x, ValueId dy, ValueId like) {
  Attrs attrs = shared(args.attrs);
  attrs.set("filter_shape", args.graph.type(like).shape);
  return args.graph.add1("conv2d_grad_filter", {x, dy}, attrs);
}

void conv_gradient(const GradArgs& args) {
  check<InternalError>(!args.attrs.flag("bias") && !args.attrs.flag("relu"),
                       "conv2d: a fused node is not differentiated");
  const ValueId x = args.inputs[0], w = args.inputs[1], g = args.upstream[0];
  if (g == kNone) return;
  if (args.wanted[0]) args.grads[0] = grad_input(args, g, w, x);
  if (args.wanted[1]) args.grads[1] = grad_filter(args, x, g, w);
}

void grad_input_gradient(const GradArgs& args) {
  check<InternalError>(!args.attrs.flag("mask"), "conv2d_grad_input: a fused node is not differentiated");
  const ValueId dy = args.inputs[0], w = args.inputs[1], g = args.upstream[0];
  if (g == kNone) return;
  if (args.wanted[0]) args.grads[0] = convolve(args, g, w);
  if (args.wanted[1]) args.grads[1] = grad_filter(args, g, dy, w);
}

void grad_filter_gradient(const GradArgs& args) {
  check<InternalError>(!args.attrs.flag("bias_grad"), "conv2d_grad_filter: a fused node is not differentiated");
  const ValueId x = args.inputs[0], dy = args.inputs[1], g = args.upstream[0];
  if (g == kNone) return;
  if (args.wanted[0]) args.grads[0] = grad_input(args, dy, g, x);
  if (args.wanted[1]) args.grads[1] = convolve(args, x, g);
}

OpDef conv_op(const char* name, int max_inputs, std::vector<AttrDef> more, void (*type)(const TypeArgs&),
              void (*gradient)(const GradArgs&), double (*flops)(const TypeArgs&)) {
  OpDef op;
  op.name = name;
  op.family = "conv";
  op.min_inputs = 2;
  op.max_inputs = max_inputs;
  op.attrs = {
      {"strides", List{}, true}, {"dilation", List{1, 1}}, {"padding", List{}, true}, {"groups", std::int64_t{1}}};
  op.attrs.insert(op.attrs.end(), more.begin(), more.end());
  op.type = type;
  op.gradient = gradient;
  op.flops = flops;
  return op;
}

}  // namespace

void register_conv(std::vector<OpDef>& table) {
  table.push_back(conv_op("conv2d", 3, {{"bias", false}, {"relu", false}}, conv_type, conv_gradient, conv_flops));
  table.push_back(conv_op("conv2d_grad_input", 3, {{"input_shape", List{}, true}, {"mask", false}}, grad_input_type,
                          grad_input_gradient, grad_input_flops));
  table.push_back(conv_op("conv2d_grad_filter", 2, {{"filter_shape", List{}, true}, {"bias_grad", false}},
                          grad_filter_type, grad_filter_gradient, grad_filter_flops));
}

}  // namespace nabi::ops
