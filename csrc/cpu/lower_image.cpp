// csrc/cpu/lower_image.cpp -- task grids of the image ops
#include <algorithm>
#include <string>

#include "cpu/image.h"
#include "cpu/lower.h"

namespace nabi::cpu {
namespace {

Fill fill_of(const std::string& name) {
  if (name == "constant") return Fill::kConstant;
  if (name == "grid-constant") return Fill::kGridConstant;
  if (name == "nearest") return Fill::kNearest;
  if (name == "reflect") return Fill::kReflect;
  if (name == "mirror") return Fill::kMirror;
  if (name == "wrap") return Fill::kWrap;
  return Fill::kGridWrap;
}

void affine(Lowering& low) {
  constexpr std::int64_t kTaskPixels = 4096;
  constexpr double kNanosecondsPerPixel = 12, kNanosecondsPerElement = 2;
  const Shape& x = low.input(0).shape;
  const Shape& out = low.output().shape;
  AffineParams p{};
  p.images = x[0];
  p.height = x[1];
  p.width = x[2];
  p.channels = x[3];
  p.rows = out[1];
  p.columns = out[2];
  p.task_rows = std::max<std::int64_t>(1, kTaskPixels / std::max<std::int64_t>(1, p.columns));
  p.fill = fill_of(low.node.attrs.text("fill"));
  p.bilinear = low.node.attrs.text("interpolation") == "bilinear";
  p.wide = low.input(1).dtype == DType::f64;
  p.value = static_cast<float>(low.node.attrs.number("value"));
  if (count(out) == 0) return;
  const double pixels = static_cast<double>(p.images * p.rows * p.columns);
  low.phase(low.kernels.image_affine, p, (p.images * p.rows + p.task_rows - 1) / p.task_rows, 0,
            pixels * (kNanosecondsPerPixel + kNanosecondsPerElement * static_cast<double>(p.channels)));
}

}  // namespace

void lower_image(LowerTable& table) { table["image_affine"] = affine; }

}  // namespace nabi::cpu
