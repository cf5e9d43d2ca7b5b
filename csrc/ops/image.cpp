// csrc/ops/image.cpp -- images taken at other places: rotations, shifts, zooms and shears
#include <string>

#include "error.h"
#include "graph/graph.h"
#include "ops/register.h"

namespace nabi::ops {
namespace {

void affine_type(const TypeArgs& args) {
  const Type& x = args.inputs[0];
  const Type& m = args.inputs[1];
  check<TypeError>(x.dtype == DType::f32, args.op.name, ": requires float32 images, got ", name_of(x.dtype));
  check<TypeError>(is_float(m.dtype), args.op.name, ": requires float matrices, got ", name_of(m.dtype));
  check(x.shape.size() == 4, args.op.name, ": requires images (batch, height, width, channels), got shape ",
        to_string(x.shape));
  check(x.shape[1] >= 1 && x.shape[2] >= 1, args.op.name, ": requires images of at least one pixel, got shape ",
        to_string(x.shape));
  const Shape expected{x.shape[0], 2, 3};
  check(m.shape == expected, args.op.name, ": requires one 2x3 matrix for each image, shape ", to_string(expected),
        ", got ", to_string(m.shape));
  const std::vector<std::int64_t>& size = args.attrs.list("size");
  check(size.size() == 2 && size[0] >= 0 && size[1] >= 0, args.op.name,
        ": requires an output size of two numbers of at least 0, got ", to_string(size));
  const std::string& interpolation = args.attrs.text("interpolation");
  check(interpolation == "nearest" || interpolation == "bilinear", args.op.name,
        ": requires interpolation 'nearest' or 'bilinear', got '", interpolation, "'");
  const std::string& fill = args.attrs.text("fill");
  bool known = false;
  for (const char* mode : {"constant", "grid-constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap"}) {
    known = known || fill == mode;
  }
  check(known, args.op.name,
        ": requires fill 'constant', 'grid-constant', 'nearest', 'reflect', 'mirror', 'wrap' or 'grid-wrap', got '",
        fill, "'");
  args.outputs.push_back({x.dtype, {x.shape[0], size[0], size[1], x.shape[3]}});
}

}  // namespace

void register_image(std::vector<OpDef>& table) {
  const std::vector<AttrDef> attrs{{"size", std::vector<std::int64_t>{}, true},
                                   {"interpolation", std::string("bilinear"), false},
                                   {"fill", std::string("nearest"), false},
                                   {"value", 0.0, false}};
  table.push_back({"image_affine", "image", 2, 2, 0, attrs, affine_type, nullptr, {}});
}

}  // namespace nabi::ops
