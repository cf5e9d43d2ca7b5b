// csrc/cpu/lower_pool.cpp -- task grids of the pooling kernels
#include <algorithm>

#include "cpu/lower.h"
#include "cpu/pool.h"

namespace nabi::cpu {
namespace {

constexpr std::int64_t kTaskElements = 65536;    // read by a task
constexpr double kNanosecondsPerElement = 0.08;  // what a core draws from L2 and L3

/// Geometry from the node, x being the unpooled image and y the pooled one.
PoolParams geometry(const Lowering& low, const Shape& x, const Shape& y) {
  const auto& size = low.node.attrs.list("size");
  const auto& strides = low.node.attrs.list("strides");
  const auto& padding = low.node.attrs.list("padding");
  PoolParams p{};
  p.n = x[0], p.h = x[1], p.w = x[2], p.c = x[3], p.oh = y[1], p.ow = y[2];
  p.kh = size[0], p.kw = size[1], p.sh = strides[0], p.sw = strides[1];
  p.top = padding[0], p.left = padding[2];
  p.share = 1.0f / static_cast<float>(size[0] * size[1]);
  p.wide = size[0] * size[1] > 256;
  return p;
}

/// One phase over `rows` image rows, each of which reads `pixels` vectors of channels.
void add(Lowering& low, Kernel kernel, PoolParams p, std::int64_t rows, std::int64_t pixels) {
  if (p.c == 0) rows = 0;
  const std::int64_t work = pixels * ((p.c + 15) / 16 * 16);  // a part of a vector costs a whole one
  p.rows = std::max<std::int64_t>(1, kTaskElements / std::max<std::int64_t>(1, work));
  const std::int64_t tasks = (rows + p.rows - 1) / p.rows;
  low.phase(kernel, p, tasks, 0, kNanosecondsPerElement * static_cast<double>(rows) * static_cast<double>(work));
}

void forward(Lowering& low, Kernel f32, Kernel f64) {
  const PoolParams p = geometry(low, low.input(0).shape, low.output().shape);
  add(low, low.input(0).dtype == DType::f32 ? f32 : f64, p, p.n * p.oh, p.ow * p.kh * p.kw);
}

/// `mask` is how many vectors a pixel takes from the mask, where there is one.
void backward(Lowering& low, Kernel f32, Kernel f64, std::int64_t mask) {
  PoolParams p = geometry(low, low.output().shape, low.input(0).shape);
  p.mask = low.node.attrs.flag("mask");
  const std::int64_t windows = ((p.kh + p.sh - 1) / p.sh) * ((p.kw + p.sw - 1) / p.sw);
  add(low, low.input(0).dtype == DType::f32 ? f32 : f64, p, p.n * p.h, p.w * (windows + p.mask * mask));
}

void max_pool(Lowering& low) { forward(low, low.kernels.max_pool2d_f32, low.kernels.max_pool2d_f64); }
void avg_pool(Lowering& low) { forward(low, low.kernels.avg_pool2d_f32, low.kernels.avg_pool2d_f64); }
void max_pool_grad(Lowering& low) {
  backward(low, low.kernels.max_pool2d_grad_f32, low.kernels.max_pool2d_grad_f64, 0);
}
void avg_pool_grad(Lowering& low) {
  backward(low, low.kernels.avg_pool2d_grad_f32, low.kernels.avg_pool2d_grad_f64, 1);
}

}  // namespace

void lower_pool(LowerTable& table) {
  table["max_pool2d"] = max_pool;
  table["max_pool2d_grad"] = max_pool_grad;
  table["avg_pool2d"] = avg_pool;
  table["avg_pool2d_grad"] = avg_pool_grad;
}

}  // namespace nabi::cpu
