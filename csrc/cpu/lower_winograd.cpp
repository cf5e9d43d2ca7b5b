// csrc/cpu/lower_winograd.cpp -- which convolutions are computed by Winograd's F(4x4, 3x3), and their tasks
//
// The choice depends on the shape of one image and on set_exact_convolution() alone, so what becomes of an image does
// not depend on the batch it is in.
#include <algorithm>
#include <atomic>
#include <utility>

#include "cpu/conv.h"
#include "cpu/exact.h"
#include "cpu/lower.h"
#include "cpu/lower_combine.h"
#include "cpu/winograd.h"

namespace nabi::cpu {
namespace {

constexpr std::int64_t kBlockBytes = 480 << 10;          // of a block's windows and products, to stay in the L2 cache
constexpr std::int64_t kFilterBytes = 16 << 20;          // of transformed filters: beyond, tiles wait for them
constexpr std::int64_t kFewTiles = 12, kMostTiles = 96;  // of a block
constexpr double kTaskNs = 40000;                        // of a task: one to a few blocks
constexpr double kShareNs = 20000;                       // of a phase from which it has two tasks
constexpr std::int64_t kMostTasks = 128;
constexpr double kChunkNs = 150000;  // of a task of a filter gradient
constexpr std::int64_t kMostChunks = 32, kChunkTiles = 64;
constexpr std::int64_t kPartialBytes = 8 << 20;  // of all partial filter gradients together
constexpr std::int64_t kGradVecs = 4;            // 16-lane vectors of channels of a task, on either side
constexpr std::int64_t kGradTiles = 48;          // of a block
constexpr std::int64_t kLeastChannels = 16;
constexpr double kImages = 4;  // over which the choice spreads the filters' transform

std::atomic<bool> exact{false};
LowerRule direct_forward, direct_grad_input, direct_grad_filter;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
double vecs(std::int64_t channels) { return static_cast<double>(ceil_div(channels, 16)); }

/// True for a 3x3 window that moves by single pixels over float32 images.
bool plain(const Lowering& low, const Shape& filter) {
  const Attrs& attrs = low.node.attrs;
  const std::vector<std::int64_t> ones{1, 1};
  return !exact.load() && low.output().dtype == DType::f32 && filter[0] == 3 && filter[1] == 3 &&
         attrs.list("strides") == ones && attrs.list("dilation") == ones && attrs.integer("groups") == 1;
}

/// Cycles of a core that one image takes, roughly: a multiply-add of 16 lanes is one.
double cycles(const WinogradShape& s, double images) {
  const double tiles = static_cast<double>(winograd_tiles(s.oh) * winograd_tiles(s.ow));
  const double products = kWinogradPoints * static_cast<double>(s.c) * vecs(s.of);
  return tiles * (products * 1.15 + 180 * vecs(s.c) + 150 * vecs(s.of)) + products * 5 / images;
}

double direct_cycles(const WinogradShape& s) { return 1.1 * 9 * static_cast<double>(s.oh * s.ow * s.c) * vecs(s.of); }

bool pays(const WinogradShape& s) {
  return s.c >= kLeastChannels && s.of >= kLeastChannels && winograd_filter_size(s.c, s.of) * 4 <= kFilterBytes &&
         cycles(s, kImages) < 0.8 * direct_cycles(s);
}

void add_phases(Lowering& low, WinogradParams q, bool backward) {
  const WinogradShape& s = q.shape;
  const std::int64_t tiles = s.images * winograd_tiles(s.oh) * winograd_tiles(s.ow);
  const std::int64_t groups = winograd_groups(s.of);
  const std::int64_t columns = std::min(s.of, ceil_div(ceil_div(s.of, 16), groups) * 16);

  WinogradFilterParams filter = {};
  filter.depth = s.c;
  filter.columns = s.of;
  filter.backward = backward;
  filter.filter = 1;
  filter.to = q.filter = static_cast<int>(low.node.inputs.size()) + low.node.outputs;
  low.workspace = static_cast<std::size_t>(winograd_filter_size(s.c, s.of)) * sizeof(float);
  low.phase(low.kernels.winograd_filter_f32, filter, tiles == 0 ? 0 : groups * ceil_div(s.c, 16),
            backward ? static_cast<std::size_t>(9 * 16 * columns) * sizeof(float) : 0,
            100 + kWinogradPoints * static_cast<double>(s.c) * vecs(s.of));

  const std::int64_t bytes = kWinogradPoints * (s.c + columns) * 4;  // of a tile
  q.block = std::clamp(kBlockBytes / bytes / 12 * 12, kFewTiles, kMostTiles);
  const double cost = static_cast<double>(s.images) * cycles(s, 1e9) / 3.5;
  // One image is two tasks as soon as a second worker can gain from it.
  const std::int64_t least = cost > kShareNs ? 2 : 1;
  const auto tasks = even_tasks(std::clamp<std::int64_t>(static_cast<std::int64_t>(cost / kTaskNs), least, kMostTasks));
  q.tile_ranges = std::clamp<std::int64_t>(tasks, 1, std::max<std::int64_t>(1, ceil_div(tiles, kFewTiles)));
  q.group_ranges = std::clamp<std::int64_t>(tasks / q.tile_ranges, 1, groups);
  q.block = std::min(q.block, std::max<std::int64_t>(1, ceil_div(tiles, q.tile_ranges)));
  const std::int64_t scratch = kWinogradPoints * (winograd_pitch(q.block, s.c) + winograd_pitch(q.block, columns)) * 4;
  low.phase(low.kernels.winograd_f32, q, tiles == 0 ? 0 : q.tile_ranges * q.group_ranges,
            static_cast<std::size_t>(scratch), 100 + cost);
}

void lower_forward(Lowering& low) {
  const Attrs& attrs = low.node.attrs;
  const Shape &x = low.input(0).shape, &w = low.input(1).shape, &y = low.output().shape;
  if (!plain(low, w)) return direct_forward(low);
  WinogradParams q = {};
  const auto& padding = attrs.list("padding");
  q.shape = {x[0], x[1], x[2], x[3], y[1], y[2], y[3], padding[0], padding[2]};
  if (!pays(q.shape)) return direct_forward(low);
  q.bias = attrs.flag("bias") ? 2 : -1;
  q.mask = -1;
  q.relu = attrs.flag("relu");
  q.out = static_cast<int>(low.node.inputs.size());
  add_phases(low, q, false);
}

void lower_grad_input(Lowering& low) {
  const Attrs& attrs = low.node.attrs;
  const Shape &dy = low.input(0).shape, &w = low.input(1).shape, &x = low.output().shape;
  if (!plain(low, w)) return direct_grad_input(low);
  WinogradParams q = {};
  const auto& padding = attrs.list("padding");
  q.shape = {x[0], dy[1], dy[2], dy[3], x[1], x[2], x[3], 2 - padding[0], 2 - padding[2]};
  if (!pays(q.shape)) return direct_grad_input(low);
  q.bias = -1;
  q.mask = attrs.flag("mask") ? 2 : -1;
  q.out = static_cast<int>(low.node.inputs.size());
  add_phases(low, q, true);
}

void lower_grad_filter(Lowering& low) {
  const Attrs& attrs = low.node.attrs;
  const Shape &x = low.input(0).shape, &dy = low.input(1).shape, &w = low.output().shape;
  if (!plain(low, w)) return direct_grad_filter(low);
  WinogradGradParams q = {};
  const auto& padding = attrs.list("padding");
  q.shape = {x[0], x[1], x[2], x[3], dy[1], dy[2], dy[3], padding[0], padding[2]};
  const WinogradShape& s = q.shape;
  if (!pays(s)) return direct_grad_filter(low);
  const bool sums = attrs.flag("bias_grad");
  q.out = 2;
  q.sums = sums ? 3 : -1;
  q.workspace = 2 + low.node.outputs;
  q.c_blocks = ceil_div(ceil_div(s.c, 16), kGradVecs);
  q.f_blocks = ceil_div(ceil_div(s.of, 16), kGradVecs);
  const std::int64_t tiles = s.images * winograd_tiles(s.oh) * winograd_tiles(s.ow), elements = count(w);
  const double transforms =
      200 * vecs(s.c) * static_cast<double>(q.f_blocks) + 150 * vecs(s.of) * static_cast<double>(q.c_blocks);
  const double cost =
      static_cast<double>(tiles) * (kWinogradPoints * static_cast<double>(s.c) * vecs(s.of) * 1.2 + transforms) / 3.5;
  const std::int64_t all = elements + (sums ? s.of : 0);
  q.chunks = 1;
  while (2 * q.chunks <= std::min(kMostChunks, s.images) && 2 * q.chunks * kChunkTiles <= tiles &&
         2 * static_cast<double>(q.chunks * q.c_blocks * q.f_blocks) * kChunkNs <= cost &&
         2 * q.chunks * all * 4 <= kPartialBytes) {
    q.chunks *= 2;
  }
  if (q.chunks > 1) {
    q.chunk_stride = ceil_div(all, 16) * 16;
    low.workspace = static_cast<std::size_t>(q.chunks * q.chunk_stride) * sizeof(float);
  }
  const std::int64_t c = std::min(s.c, ceil_div(ceil_div(s.c, 16), q.c_blocks) * 16);
  const std::int64_t f = std::min(s.of, ceil_div(ceil_div(s.of, 16), q.f_blocks) * 16);
  q.block = std::clamp<std::int64_t>(ceil_div(tiles, q.chunks), 1, kGradTiles);
  const std::int64_t scratch =
      kWinogradPoints * (winograd_pitch(c, f) + winograd_pitch(q.block, c) + winograd_pitch(q.block, f)) * 4;
  low.phase(low.kernels.winograd_grad_f32, q, q.chunks * q.c_blocks * q.f_blocks, static_cast<std::size_t>(scratch),
            100 + cost);
  if (q.chunks > 1) {
    add_combine(low, q.chunks, q.chunk_stride, elements, sums ? s.of : 0, q.workspace, q.out, q.sums);
  }
}

/// Puts a rule before the one that is there, which it falls back on.
LowerRule replace(LowerTable& table, std::string_view op, LowerRule rule) { return std::exchange(table.at(op), rule); }

}  // namespace

void set_exact_convolution(bool on) { exact.store(on); }
bool exact_convolution() { return exact.load(); }

void lower_winograd(LowerTable& table) {
  direct_forward = replace(table, "conv2d", lower_forward);
  direct_grad_input = replace(table, "conv2d_grad_input", lower_grad_input);
  direct_grad_filter = replace(table, "conv2d_grad_filter", lower_grad_filter);
}

}  // namespace nabi::cpu
