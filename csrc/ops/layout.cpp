// csrc/ops/layout.cpp -- ops that move elements without computing: reshape, transpose, slice, pad, concat, gather ...
#include <algorithm>
#include <limits>
#include <utility>

#include "error.h"
#include "graph/graph.h"
#include "ops/register.h"
#include "ops/rules.h"

namespace nabi::ops {
namespace {

using List = std::vector<std::int64_t>;

std::int64_t rank_of(const Type& type) { return static_cast<std::int64_t>(type.shape.size()); }

/// A list attribute that must have one entry per dimension.
const List& per_axis(const TypeArgs& args, const char* name, std::int64_t rank) {
  const List& list = args.attrs.list(name);
  check(static_cast<std::int64_t>(list.size()) == rank, args.op.name, ": requires ", name,
        " to have one entry per dimension, got ", to_string(list), " for ", to_string(args.inputs[0].shape));
  return list;
}

/// A list attribute that may be left empty, which stands for `fill` everywhere.
List per_axis_or(const Attrs& attrs, const char* name, std::size_t rank, std::int64_t fill) {
  const List& list = attrs.list(name);
  return list.empty() ? List(rank, fill) : list;
}

void check_shape(const TypeArgs& args, const Shape& shape) {
  for (std::int64_t d : shape) {
    check(d >= 0, args.op.name, ": requires dimensions of at least 0, got ", to_string(shape));
  }
}

std::int64_t check_axis(const TypeArgs& args, std::int64_t rank) {
  const std::int64_t axis = args.attrs.integer("axis");
  check(axis >= 0 && axis < rank, args.op.name, ": requires axis to be in [0, ", rank, "), got ", axis);
  return axis;
}

void check_index(const TypeArgs& args, const Type& type) {
  const bool ok = type.dtype == DType::i32 || type.dtype == DType::i64 || type.dtype == DType::u8;
  check<TypeError>(ok, args.op.name, ": requires integer indices, got ", name_of(type.dtype));
}

// reshape

void reshape_type(const TypeArgs& args) {
  const Shape& shape = args.attrs.list("shape");
  check_shape(args, shape);
  check(count(shape) == count(args.inputs[0].shape), args.op.name, ": requires as many elements as before, got ",
        to_string(args.inputs[0].shape), " to ", to_string(shape));
  args.outputs.push_back({args.inputs[0].dtype, shape});
}

void reshape_gradient(const GradArgs& args) {
  const Shape shape = args.graph.type(args.inputs[0]).shape;
  args.grads[0] = args.graph.add1("reshape", {args.upstream[0]}, {{"shape", shape}});
}

// transpose

void transpose_type(const TypeArgs& args) {
  const Type& x = args.inputs[0];
  const List& perm = per_axis(args, "perm", rank_of(x));
  Shape shape;
  std::vector<bool> seen(perm.size());
  for (std::int64_t axis : perm) {
    const bool fresh = axis >= 0 && axis < rank_of(x) && !seen[static_cast<std::size_t>(axis)];
    check(fresh, args.op.name, ": requires perm to be a permutation of the ", rank_of(x), " axes, got ",
          to_string(perm));
    seen[static_cast<std::size_t>(axis)] = true;
    shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
  }
  args.outputs.push_back({x.dtype, shape});
}

void transpose_gradient(const GradArgs& args) {
  const List& perm = args.attrs.list("perm");
  List inverse(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) inverse[static_cast<std::size_t>(perm[i])] = static_cast<int>(i);
  args.grads[0] = args.graph.add1("transpose", {args.upstream[0]}, {{"perm", inverse}});
}

// slice: begin, end and stride of each axis as Python's slice.indices() gives them, so that with a negative stride an
// end of -1 (or, as a user may write it, -n - 1) is the place before element 0.

/// Elements a slice of one axis takes.
std::int64_t slice_count(std::int64_t begin, std::int64_t end, std::int64_t stride) {
  const std::int64_t span = stride > 0 ? end - begin : begin - end;
  const std::int64_t step = stride > 0 ? stride : -stride;
  return span <= 0 ? 0 : (span + step - 1) / step;
}

void slice_type(const TypeArgs& args) {
  const Type& x = args.inputs[0];
  const List& begin = per_axis(args, "begin", rank_of(x));
  const List& end = per_axis(args, "end", rank_of(x));
  if (!args.attrs.list("strides").empty()) per_axis(args, "strides", rank_of(x));
  const List strides = per_axis_or(args.attrs, "strides", x.shape.size(), 1);
  Shape shape;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    const std::int64_t n = x.shape[i];
    check(strides[i] != 0 && strides[i] != std::numeric_limits<std::int64_t>::min(), args.op.name,
          ": requires strides other than 0, got ", to_string(strides));
    const bool forward = strides[i] > 0;
    const bool inside = forward ? begin[i] >= 0 && begin[i] <= n && end[i] >= 0 && end[i] <= n
                                : begin[i] >= -1 && begin[i] < n && (end[i] == -n - 1 || (end[i] >= -1 && end[i] < n));
    check(inside, args.op.name, ": requires begin and end inside axis ", i, " of size ", n, ", got ", begin[i], " and ",
          end[i]);
    shape.push_back(slice_count(begin[i], std::max<std::int64_t>(end[i], -1), strides[i]));
  }
  args.outputs.push_back({x.dtype, shape});
}

void slice_gradient(const GradArgs& args) {
  const Shape shape = args.graph.type(args.inputs[0]).shape;
  const Shape taken = args.graph.type(args.outputs[0]).shape;
  const List& begin = args.attrs.list("begin");
  const List strides = per_axis_or(args.attrs, "strides", shape.size(), 1);
  const std::size_t rank = shape.size();
  ValueId g = args.upstream[0];

  List low(rank), high(rank), interior(rank), back_begin(rank), back_end(rank), back_stride(rank, 1);
  bool backward = false;
  for (std::size_t i = 0; i < rank; ++i) {
    back_end[i] = taken[i];
    if (taken[i] == 0) {  // nothing to put back: the padding makes the whole axis
      low[i] = shape[i];
      continue;
    }
    if (strides[i] < 0) {
      backward = true;
      back_begin[i] = taken[i] - 1;
      back_end[i] = -1;
      back_stride[i] = -1;
    }
    const std::int64_t step = strides[i] > 0 ? strides[i] : -strides[i];
    const std::int64_t last = begin[i] + (taken[i] - 1) * strides[i];
    low[i] = std::min(begin[i], last);
    high[i] = shape[i] - 1 - std::max(begin[i], last);
    interior[i] = taken[i] > 1 ? step - 1 : 0;
  }
  if (backward) {
    g = args.graph.add1("slice", {g}, {{"begin", back_begin}, {"end", back_end}, {"strides", back_stride}});
  }
  args.grads[0] = args.graph.add1("pad", {g}, {{"low", low}, {"high", high}, {"interior", interior}});
}

// pad: low and high elements of `value` around each axis, `interior` ones between its elements

void pad_type(const TypeArgs& args) {
  const Type& x = args.inputs[0];
  const List& low = per_axis(args, "low", rank_of(x));
  const List& high = per_axis(args, "high", rank_of(x));
  if (!args.attrs.list("interior").empty()) per_axis(args, "interior", rank_of(x));
  const List interior = per_axis_or(args.attrs, "interior", x.shape.size(), 0);
  Shape shape;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    check(low[i] >= 0 && high[i] >= 0 && interior[i] >= 0, args.op.name, ": requires padding of at least 0, got ",
          low[i], ", ", high[i], " and interior ", interior[i], " for axis ", i);
    shape.push_back(low[i] + high[i] + x.shape[i] + interior[i] * std::max<std::int64_t>(x.shape[i] - 1, 0));
  }
  args.outputs.push_back({x.dtype, shape});
}

void pad_gradient(const GradArgs& args) {
  const Shape shape = args.graph.type(args.inputs[0]).shape;
  const List& low = args.attrs.list("low");
  const List interior = per_axis_or(args.attrs, "interior", shape.size(), 0);
  List end(shape.size()), strides(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    strides[i] = interior[i] + 1;
    end[i] = shape[i] == 0 ? low[i] : low[i] + (shape[i] - 1) * strides[i] + 1;
  }
  args.grads[0] = args.graph.add1("slice", {args.upstream[0]}, {{"begin", low}, {"end", end}, {"strides", strides}});
}

// concat

void concat_type(const TypeArgs& args) {
  const Type& first = args.inputs[0];
  const std::size_t axis = static_cast<std::size_t>(check_axis(args, rank_of(first)));
  Shape shape = first.shape;
  shape[axis] = 0;
  for (const Type& x : args.inputs) {
    check<TypeError>(x.dtype == first.dtype, args.op.name, ": requires inputs of one dtype, got ", name_of(first.dtype),
                     " and ", name_of(x.dtype));
    Shape other = x.shape;
    if (other.size() == shape.size()) other[axis] = first.shape[axis];
    check(other == first.shape, args.op.name, ": requires shapes that agree except on axis ", axis, ", got ",
          to_string(first.shape), " and ", to_string(x.shape));
    shape[axis] += x.shape[axis];
  }
  args.outputs.push_back({first.dtype, shape});
}

void concat_gradient(const GradArgs& args) {
  const std::size_t axis = static_cast<std::size_t>(args.attrs.integer("axis"));
  std::int64_t at = 0;
  for (std::size_t i = 0; i < args.inputs.size(); ++i) {
    List end = args.graph.type(args.inputs[i]).shape;
    List begin(end.size());
    begin[axis] = at;
    at += end[axis];
    end[axis] = at;
    if (args.wanted[i]) args.grads[i] = args.graph.add1("slice", {args.upstream[0]}, {{"begin", begin}, {"end", end}});
  }
}

// broadcast_to

void broadcast_to_type(const TypeArgs& args) {
  const Shape& from = args.inputs[0].shape;
  const Shape& to = args.attrs.list("shape");
  check_shape(args, to);
  bool ok = from.size() <= to.size();
  for (std::size_t i = 0; ok && i < from.size(); ++i) {
    const std::int64_t d = from[from.size() - 1 - i];
    ok = d == 1 || d == to[to.size() - 1 - i];
  }
  check(ok, args.op.name, ": requires a shape that the input broadcasts to, got ", to_string(from), " to ",
        to_string(to));
  args.outputs.push_back({args.inputs[0].dtype, to});
}

void broadcast_to_gradient(const GradArgs& args) {
  const Shape shape = args.graph.type(args.inputs[0]).shape;
  args.grads[0] = sum_to(args.graph, args.upstream[0], shape);
}

// gather, scatter_add

void gather_type(const TypeArgs& args) {
  const Type& x = args.inputs[0];
  const Type& index = args.inputs[1];
  const auto axis = static_cast<Shape::difference_type>(check_axis(args, rank_of(x)));
  check_index(args, index);
  Shape shape(x.shape.begin(), x.shape.begin() + axis);
  shape.insert(shape.end(), index.shape.begin(), index.shape.end());
  shape.insert(shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  check(x.shape[static_cast<std::size_t>(axis)] > 0 || count(index.shape) == 0, args.op.name,
        ": requires an axis with elements to take from, got ", to_string(x.shape), " and axis ", axis);
  args.outputs.push_back({x.dtype, shape});
}

void gather_gradient(const GradArgs& args) {
  if (!args.wanted[0]) return;
  const std::int64_t axis = args.attrs.integer("axis");
  const std::int64_t dim = args.graph.type(args.inputs[0]).shape[static_cast<std::size_t>(axis)];
  args.grads[0] = args.graph.add1("scatter_add", {args.inputs[1], args.upstream[0]}, {{"axis", axis}, {"dim", dim}});
}

void scatter_add_type(const TypeArgs& args) {
  const Type& index = args.inputs[0];
  const Type& updates = args.inputs[1];
  check_index(args, index);
  const bool adds = updates.dtype != DType::boolean && updates.dtype != DType::u8;
  check<TypeError>(adds, args.op.name, ": requires updates of a number type, got ", name_of(updates.dtype));
  check(rank_of(updates) >= rank_of(index), args.op.name,
        ": requires updates to have at least the rank of indices, got ", to_string(updates.shape), " and ",
        to_string(index.shape));
  const auto axis = static_cast<Shape::difference_type>(check_axis(args, rank_of(updates) - rank_of(index) + 1));
  const auto first = updates.shape.begin() + axis;
  check(std::equal(index.shape.begin(), index.shape.end(), first), args.op.name,
        ": requires updates to have the shape of indices at axis ", axis, ", got ", to_string(updates.shape), " and ",
        to_string(index.shape));
  const std::int64_t dim = args.attrs.integer("dim");
  check(dim >= 0, args.op.name, ": requires dim to be at least 0, got ", dim);
  check(dim > 0 || count(index.shape) == 0, args.op.name, ": requires an axis with elements to add to, got dim 0");
  Shape shape(updates.shape.begin(), first);
  shape.push_back(dim);
  shape.insert(shape.end(), first + static_cast<Shape::difference_type>(index.shape.size()), updates.shape.end());
  args.outputs.push_back({updates.dtype, shape});
}

void scatter_add_gradient(const GradArgs& args) {
  if (!args.wanted[1]) return;
  args.grads[1] = args.graph.add1("gather", {args.upstream[0], args.inputs[0]}, {{"axis", args.attrs.integer("axis")}});
}

// one_hot, iota

void one_hot_type(const TypeArgs& args) {
  check_index(args, args.inputs[0]);
  const std::int64_t depth = args.attrs.integer("depth");
  check(depth >= 0, args.op.name, ": requires depth to be at least 0, got ", depth);
  Shape shape = args.inputs[0].shape;
  shape.push_back(depth);
  args.outputs.push_back({dtype_of(args.attrs.text("dtype")), shape});
}

void iota_type(const TypeArgs& args) {
  const Shape& shape = args.attrs.list("shape");
  check_shape(args, shape);
  check_axis(args, static_cast<std::int64_t>(shape.size()));
  const DType dtype = dtype_of(args.attrs.text("dtype"));
  check<TypeError>(dtype != DType::boolean && dtype != DType::u8, args.op.name,
                   ": requires float32, float64, int32 or int64, got ", name_of(dtype));
  args.outputs.push_back({dtype, shape});
}

}  // namespace

void register_layout(std::vector<OpDef>& table) {
  const auto list = [](const char* name, bool required = true) { return AttrDef{name, List{}, required}; };
  const auto integer = [](const char* name) { return AttrDef{name, std::int64_t{0}, true}; };
  const auto row = [&table](const char* name, int least, int most, unsigned traits, std::vector<AttrDef> attrs,
                            void (*type)(const TypeArgs&), void (*gradient)(const GradArgs&)) {
    table.push_back({name, "layout", least, most, traits, std::move(attrs), type, gradient, {}});
  };
  const AttrDef axis{"axis", std::int64_t{0}, false}, value{"value", 0.0, false};
  const AttrDef floats{"dtype", std::string("float32"), false}, ints{"dtype", std::string("int32"), false};

  row("reshape", 1, 1, kAlias, {list("shape")}, reshape_type, reshape_gradient);
  row("transpose", 1, 1, 0, {list("perm")}, transpose_type, transpose_gradient);
  row("slice", 1, 1, 0, {list("begin"), list("end"), list("strides", false)}, slice_type, slice_gradient);
  row("pad", 1, 1, 0, {list("low"), list("high"), list("interior", false), value}, pad_type, pad_gradient);
  row("concat", 1, -1, 0, {integer("axis")}, concat_type, concat_gradient);
  row("broadcast_to", 1, 1, 0, {list("shape")}, broadcast_to_type, broadcast_to_gradient);
  row("gather", 2, 2, kFaults, {integer("axis")}, gather_type, gather_gradient);
  row("scatter_add", 2, 2, kFaults, {integer("axis"), integer("dim")}, scatter_add_type, scatter_add_gradient);
  row("one_hot", 1, 1, 0, {integer("depth"), floats}, one_hot_type, nullptr);
  row("iota", 0, 0, 0, {list("shape"), axis, ints}, iota_type, nullptr);
}

}  // namespace nabi::ops
