// csrc/cpu/lower.h -- turns a node into phases: kernel + parameters + task grid
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "cpu/kernels.h"
#include "graph/graph.h"

namespace nabi::cpu {

/// A kernel over a grid of tasks. Phases of a step run one after the other; tasks of a phase in any order.
struct Phase {
  Kernel kernel = nullptr;
  std::vector<char> params;
  std::int64_t tasks = 1;
  std::size_t scratch = 0;  // bytes per worker
  double cost = 0;          // nanoseconds on one worker, roughly; decides whether the phase is shared
};

/// What a family's lowering sees and fills.
class Lowering {
 public:
  Lowering(const Graph& graph, const Node& node, const KernelTable& kernels)
      : graph(graph), node(node), kernels(kernels) {}

  const Graph& graph;
  const Node& node;
  const KernelTable& kernels;

  const Type& input(std::size_t i) const { return graph.type(node.inputs[i]); }
  const Type& output(std::size_t i = 0) const { return graph.type(node.first + static_cast<ValueId>(i)); }

  /// Appends a phase. Params is a plain struct that the kernel reads through Args::params.
  template <class Params>
  void phase(Kernel kernel, const Params& params, std::int64_t tasks, std::size_t scratch, double cost) {
    static_assert(std::is_trivially_copyable_v<Params>);
    Phase out{kernel, std::vector<char>(sizeof(Params)), tasks, scratch, cost};
    std::memcpy(out.params.data(), &params, sizeof(Params));
    phases.push_back(std::move(out));
  }

  std::vector<Phase> phases;
  std::size_t workspace = 0;  // bytes shared by the phases; operand number inputs + outputs
};

/// A number of tasks that workers share evenly, at least n: the tasks of a phase are few, and one too many is waited
/// for.
inline std::int64_t even_tasks(std::int64_t n) { return n <= 2 ? n : (n + 3) / 4 * 4; }

using LowerRule = void (*)(Lowering&);
using LowerTable = std::unordered_map<std::string_view, LowerRule>;

/// The rules of each family, in csrc/cpu/lower_<family>.cpp.
#define NABI_FAMILY(family) void lower_##family(LowerTable& table);
#include "cpu/families.def"
#undef NABI_FAMILY

/// The rule of an op; throws NotImplemented when the CPU has none.
LowerRule lower_rule(const OpDef& op);

}  // namespace nabi::cpu
