// csrc/runtime/backend.h -- the seam between programs and devices
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu/lower.h"
#include "graph/graph.h"

namespace nabi {

/// What a device makes of one node: phases that run one after the other over shared operands.
struct Lowered {
  std::vector<cpu::Phase> phases;
  std::size_t workspace = 0;
};

/// A device: turns nodes into phases. The program owns addresses, threads and order.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  virtual Lowered lower(const Graph& graph, const Node& node) const = 0;
};

/// The CPU with the kernels of the instruction set in use now.
const Backend& cpu_backend();

/// The CUDA device; throws NotImplemented in a build without it.
const Backend& cuda_backend();

}  // namespace nabi
