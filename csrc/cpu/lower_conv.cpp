// csrc/cpu/lower_conv.cpp -- turns convolutions into tasks; every choice here depends on shapes alone
#include <algorithm>

#include "cpu/conv.h"
#include "cpu/lower.h"
#include "cpu/lower_combine.h"

namespace nabi::cpu {
namespace {

constexpr double kTaskFlops = 3e6;                // of a task: 12 to 60 microseconds
constexpr double kFlopsPerNs = 100;               // of one worker, for the cost model only
constexpr std::int64_t kRegionBytes = 256 << 10;  // of a haloed copy, to stay in the L2 cache
constexpr std::int64_t kFilterBytes = 512 << 10;  // of the filter columns one task walks
constexpr std::int64_t kPartialBytes = 8 << 20;   // of all partial filter gradients together

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Collects the geometry; x, w, y are the forward pass's input, filter and output.
ConvShape shape_of(const Attrs& attrs, const Shape& x, const Shape& w, const Shape& y) {
  const auto& strides = attrs.list("strides");
  const auto& dilation = attrs.list("dilation");
  const auto& padding = attrs.list("padding");
  return {x[0],
          x[3],
          w[3],
          attrs.integer("groups"),
          {x[1], y[1], w[0], strides[0], dilation[0], padding[0]},
          {x[2], y[2], w[1], strides[1], dilation[1], padding[2]}};
}

double flops_of(const ConvShape& s) {
  return 2.0 * s.images * s.h.out * s.w.out * s.h.kernel * s.w.kernel * (s.c / s.groups) * s.f;
}

/// What outputs 0 of all phases reach in the source: the extremes. True when some output reaches beyond it.
bool reach(const ConvDim& d, bool backward, std::int64_t* low, std::int64_t* high) {
  const std::int64_t source = backward ? d.out : d.in;
  bool found = false, beyond = false;
  *low = *high = 0;
  for (std::int64_t p = 0; p < conv_phases(d, backward); ++p) {
    const ConvPhase phase = conv_phase(d, backward, p);
    if (phase.taps == 0 || phase.count == 0) continue;
    const std::int64_t last = phase.base + (phase.taps - 1) * phase.spread;
    *low = found ? std::min(*low, phase.base) : phase.base;
    *high = found ? std::max(*high, last) : last;
    beyond = beyond || phase.base < 0 || last + (phase.count - 1) * phase.advance >= source;
    found = true;
  }
  return beyond;
}

/// Adds the correlation phase of a forward pass or an input gradient.
void add_correlate(Lowering& low, CorrelateParams q) {
  const ConvShape& s = q.shape;
  const bool back = q.backward;
  const bool beyond_h = reach(s.h, back, &q.low_h, &q.high_h), beyond_w = reach(s.w, back, &q.low_w, &q.high_w);
  q.copy = beyond_h || beyond_w;
  q.depthwise = s.c == s.groups && s.f == s.groups;
  const DType dtype = low.output().dtype;
  const double flops = flops_of(s);
  const double bytes = 4.0 * (count(low.input(0).shape) + count(low.input(1).shape) + count(low.output().shape));
  q.image_blocks = q.row_blocks = q.column_blocks = 1;
  if (dtype != DType::f32) {
    low.phase(low.kernels.correlate_f64, q, count(low.output().shape) == 0 ? 0 : s.images, 0, 100 + flops);
    return;
  }

  const std::int64_t depth = s.h.kernel * s.w.kernel * (back ? s.f : s.c) / s.groups;
  const std::int64_t columns = (back ? s.c : s.f) / s.groups, vecs = ceil_div(columns, 16);
  const std::int64_t step_h = back ? s.h.stride : 1, step_w = back ? s.w.stride : 1;
  const std::int64_t units = std::max<std::int64_t>(1, ceil_div(back ? s.h.in : s.h.out, step_h));
  const std::int64_t wide = std::max<std::int64_t>(1, ceil_div(back ? s.w.in : s.w.out, step_w));
  const std::int64_t advance_h = back ? 1 : s.h.stride, advance_w = back ? 1 : s.w.stride;
  const std::int64_t source_c = back ? s.f : s.c;
  const std::int64_t region_columns = q.high_w - q.low_w + (wide - 1) * advance_w + 1;
  if (s.groups == 1 && advance_h == 1 && advance_w == 1) {
    // Multiply-adds of a vector for each element of the source: with the outputs in it, and with the pixels in it, when
    // those of the halo are computed too and source and result are transposed.
    const double taps = static_cast<double>(s.h.kernel * s.w.kernel) / static_cast<double>(step_h * step_w);
    const double halo = static_cast<double>(region_columns) / static_cast<double>(wide);
    const double outputs = static_cast<double>(columns);
    const double transposed = 0.6 + 0.5 * outputs / static_cast<double>(std::max<std::int64_t>(1, source_c));
    q.narrow = taps * static_cast<double>(vecs) > 1.3 * (taps * outputs / 16 * halo + transposed);
    q.copy = q.copy || q.narrow;
  }
  if (!q.depthwise) {
    while (ceil_div(vecs, q.column_blocks) > 2 && ceil_div(vecs, q.column_blocks) * 16 * depth * 4 > kFilterBytes) {
      ++q.column_blocks;
    }
  }
  // Memory counts as much as arithmetic where the window is small.
  const double work = flops + bytes * 4;
  const std::int64_t tasks =
      even_tasks(std::clamp<std::int64_t>(static_cast<std::int64_t>(work / kTaskFlops) / q.column_blocks, 1, 512));
  const auto pixels = [&](std::int64_t rows) {  // of the haloed copy of that many row units of one image
    return (q.high_h - q.low_h + (rows - 1) * advance_h + 1) * region_columns;
  };
  const std::int64_t planes = source_c + (q.narrow ? columns : 0);  // the narrow form keeps its result beside the copy
  const auto region = [&](std::int64_t rows) { return pixels(rows) * planes * 4; };
  const std::int64_t images = std::max<std::int64_t>(1, s.images);
  q.image_blocks = std::min(images, tasks);
  if (q.copy) {
    const std::int64_t together = std::max<std::int64_t>(1, kRegionBytes / std::max<std::int64_t>(1, region(units)));
    q.image_blocks = std::max(q.image_blocks, std::min(images, even_tasks(ceil_div(images, together))));
  }
  if (q.image_blocks == images) {
    q.row_blocks = std::clamp<std::int64_t>(tasks / images, 1, ceil_div(units, 2));
    while (q.copy && q.row_blocks < units && region(ceil_div(units, q.row_blocks)) > kRegionBytes) ++q.row_blocks;
  }
  std::size_t scratch = 0;
  if (q.copy) {
    const std::int64_t all = ceil_div(images, q.image_blocks) * pixels(ceil_div(units, q.row_blocks));
    scratch = static_cast<std::size_t>((q.narrow ? narrow_plane(all) : all) * planes) * sizeof(float);
  }
  const std::int64_t grid = q.image_blocks * q.row_blocks * q.column_blocks;
  low.phase(low.kernels.correlate_f32, q, count(low.output().shape) == 0 ? 0 : grid, scratch,
            100 + flops / kFlopsPerNs + bytes / 30);
}

void lower_forward(Lowering& low) {
  const Attrs& attrs = low.node.attrs;
  CorrelateParams q = {};
  q.shape = shape_of(attrs, low.input(0).shape, low.input(1).shape, low.output().shape);
  q.filter = 1;
  q.bias = attrs.flag("bias") ? 2 : -1;
  q.mask = -1;
  q.relu = attrs.flag("relu");
  q.out = static_cast<int>(low.node.inputs.size());
  add_correlate(low, q);
}

void lower_grad_input(Lowering& low) {
  const Attrs& attrs = low.node.attrs;
  const int inputs = static_cast<int>(low.node.inputs.size());
  CorrelateParams q = {};
  q.shape = shape_of(attrs, low.output().shape, low.input(1).shape, low.input(0).shape);
  q.backward = 1;
  q.bias = -1;
  q.mask = attrs.flag("mask") ? 2 : -1;
  q.out = inputs;
  q.filter = 1;
  if (low.output().dtype == DType::f32) {
    q.filter = inputs + 1;
    FlipParams flip = {};
    flip.shape = q.shape;
    flip.filter = 1;
    flip.workspace = inputs + 1;
    const std::int64_t elements = count(low.input(1).shape), taps = q.shape.h.kernel * q.shape.w.kernel;
    low.workspace = static_cast<std::size_t>(elements) * sizeof(float);
    low.phase(low.kernels.conv_flip_f32, flip, elements == 0 ? 0 : taps, 0, 100 + static_cast<double>(elements) * 0.4);
  }
  add_correlate(low, q);
}

void lower_grad_filter(Lowering& low) {
  const Attrs& attrs = low.node.attrs;
  FilterParams q = {};
  q.shape = shape_of(attrs, low.input(0).shape, low.output().shape, low.input(1).shape);
  const ConvShape& s = q.shape;
  const bool sums = attrs.flag("bias_grad");
  q.out = 2;
  q.sums = sums ? 3 : -1;
  q.workspace = 2 + low.node.outputs;
  q.chunks = q.row_blocks = q.column_blocks = q.group_images = q.group_rows = 1;
  const std::int64_t elements = count(low.output().shape), taps = s.h.kernel * s.w.kernel;
  const double flops = flops_of(s);
  const double bytes = 4.0 * (count(low.input(0).shape) + count(low.input(1).shape));
  if (low.output().dtype != DType::f32) {
    low.phase(low.kernels.filter_grad_f64, q, taps, 0, 100 + flops);
    return;
  }

  q.depthwise = s.c == s.groups && s.f == s.groups;
  const std::int64_t run = s.w.kernel * s.c;
  if (s.groups == 1 && s.w.dilation == 1) {
    // Multiply-adds of a vector for each pixel, with the filters or with a row of the window in it; fewer than two rows
    // cannot keep up with their loads.
    const double rows = std::max(1.5, static_cast<double>(s.f));
    const double along_run = static_cast<double>(s.h.kernel * ceil_div(run, 16)) * rows;
    q.narrow = static_cast<double>(s.h.kernel * run * ceil_div(s.f, 16)) > 1.3 * along_run;
  }
  const double work = flops + bytes * 4;
  const std::int64_t tasks = std::clamp<std::int64_t>(static_cast<std::int64_t>(work / kTaskFlops), 1, 256);
  const std::int64_t all = elements + (sums ? s.f : 0);
  while (q.chunks < 32 && 2 * q.chunks <= s.images && 2 * q.chunks <= tasks &&
         2 * q.chunks * all * 4 <= kPartialBytes) {
    q.chunks *= 2;
  }
  if (q.chunks < 32 && tasks > q.chunks) {
    const std::int64_t split = ceil_div(std::min<std::int64_t>(tasks, 64), q.chunks);
    const std::int64_t depth = taps * (s.c / s.groups);
    if (q.narrow) {
      q.row_blocks = std::min(split, s.h.kernel);
    } else if (q.depthwise) {
      q.row_blocks = std::min(split, taps);
    } else {
      q.column_blocks = std::min(split, std::max<std::int64_t>(1, s.f / s.groups / 32));
      q.row_blocks = std::clamp<std::int64_t>(split / q.column_blocks, 1, ceil_div(depth, 42));
    }
  }
  // Images (or rows of one) taken together: their x and dy should stay in the L2 cache while the tiles pass.
  std::int64_t low_h = 0, high_h = 0, low_w = 0, high_w = 0;
  const bool beyond_h = reach(s.h, false, &low_h, &high_h), beyond_w = reach(s.w, false, &low_w, &high_w);
  q.copy = beyond_h || beyond_w;
  const std::int64_t region_columns = (s.w.out - 1) * s.w.stride + (s.w.kernel - 1) * s.w.dilation + 1;
  const auto region = [&](std::int64_t rows) {
    return ((rows - 1) * s.h.stride + (s.h.kernel - 1) * s.h.dilation + 1) * region_columns * s.c * 4;
  };
  const auto footprint = [&](std::int64_t rows) { return region(rows) + rows * s.w.out * s.f * 4; };
  const std::int64_t rows = std::max<std::int64_t>(1, s.h.out);
  q.group_images = std::clamp<std::int64_t>(kRegionBytes / std::max<std::int64_t>(1, footprint(rows)), 1,
                                            ceil_div(std::max<std::int64_t>(1, s.images), q.chunks));
  q.group_rows = rows;
  while (q.group_rows > 1 && footprint(q.group_rows) > 2 * kRegionBytes) q.group_rows = ceil_div(q.group_rows, 2);
  std::size_t scratch = q.copy ? static_cast<std::size_t>(q.group_images * region(q.group_rows)) : 0;
  if (q.narrow) {
    q.result = ceil_div(static_cast<std::int64_t>(scratch), 64) * 16;
    scratch = static_cast<std::size_t>(q.result + ceil_div(s.h.kernel, q.row_blocks) * run * s.f) * sizeof(float);
  }
  if (q.chunks > 1) {
    q.chunk_stride = ceil_div(all, 16) * 16;
    low.workspace = static_cast<std::size_t>(q.chunks * q.chunk_stride) * sizeof(float);
  }
  low.phase(low.kernels.filter_grad_f32, q, q.chunks * q.row_blocks * q.column_blocks, scratch,
            100 + flops / kFlopsPerNs + bytes / 30);
  if (q.chunks > 1) {
    add_combine(low, q.chunks, q.chunk_stride, elements, sums ? s.f : 0, q.workspace, q.out, q.sums);
  }
}

}  // namespace

void lower_conv(LowerTable& table) {
  table.insert({"conv2d", lower_forward});
  table.insert({"conv2d_grad_input", lower_grad_input});
  table.insert({"conv2d_grad_filter", lower_grad_filter});
}

}  // namespace nabi::cpu
