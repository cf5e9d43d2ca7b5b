// csrc/runtime/program.h -- a graph ready to run: a flat list of steps and the addresses they use
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "passes/passes.h"
#include "runtime/backend.h"
#include "runtime/feed.h"
#include "runtime/storage.h"
#include "runtime/times.h"

namespace nabi {

/// Rows of a user's result array that a run fills.
struct Result {
  char* data = nullptr;
  std::size_t row_bytes = 0;
};

/// What one run does.
struct RunRequest {
  std::vector<Feed> feeds;              // by input index
  const std::int64_t* index = nullptr;  // row numbers in order of use; null: 0, 1, 2, ...
  std::int64_t rows = 0;                // rows a step takes
  std::vector<Result> results;          // by output; empty: outputs are dropped
  std::int64_t first = 0;               // steps [first, last)
  std::int64_t last = 1;
  double seconds = 0;  // return after the step in which this time has passed; 0: no limit
};

/// One node as listed in text(): its name and what it costs.
struct StepInfo {
  std::string name;
  std::string layer;
  int phases = 0;
  std::int64_t tasks = 0;  // of its largest phase
  double cost = 0;         // nanoseconds on one worker, estimated
  double flops = 0;        // multiplications and additions, where the op is a product
};

/// A compiled graph bound to variables. Runs are serialised by the arena's lock.
class Program {
 public:
  /// Runs the passes and lowers every node. `variables` are by slot; programs of one model share an arena.
  Program(const Graph& graph, std::vector<std::shared_ptr<Variable>> variables, std::shared_ptr<Arena> arena,
          const Backend& backend);

  /// Runs training or inference steps; returns the number of the step it stopped before. Throws ValueError when a
  /// kernel found bad data; that step has changed nothing.
  std::int64_t run(const RunRequest& request);

  const Graph& graph() const { return graph_; }

  /// By input index: the value it becomes, kNone where the graph does not use it.
  const std::vector<ValueId>& inputs() const { return inputs_; }

  std::size_t arena_bytes() const { return plan_.arena_bytes; }
  const std::vector<StepInfo>& steps() const { return steps_; }

  /// How many workers ran tasks of shared phases in the last run; what the tests of sharing look at.
  int sharers() const { return __builtin_popcountll(sharers_.load()); }

  /// The fused graph and the list of steps.
  std::string text() const;

 private:
  friend class Run;

  /// A phase with its operands' addresses.
  struct BoundPhase {
    cpu::Kernel kernel = nullptr;
    cpu::Args args{};
    std::int64_t tasks = 1;
    double cost = 0;
    bool checks = false;  // bad data found before this phase ends the step here
    bool writes = false;  // from here on variables may have changed: the step must be finished
  };

  void lower(const Backend& backend);
  void place_constants();
  void bind(char* base);
  char* address(ValueId id) const;
  void report(std::int64_t step);
  std::shared_ptr<Times> time_phases() const;

  Graph graph_;
  std::vector<std::shared_ptr<Variable>> variables_;
  std::shared_ptr<Arena> arena_;
  passes::Plan plan_;
  std::vector<StepInfo> steps_;
  std::vector<int> step_nodes_;                   // by step: its node
  std::vector<std::vector<cpu::Phase>> lowered_;  // by step
  std::vector<std::vector<char*>> pointers_;      // by step: inputs, outputs, workspace
  std::vector<cpu::Fault> faults_;                // by step
  std::vector<BoundPhase> phases_;
  std::vector<ValueId> inputs_;                            // by input index, kNone where the graph does not use it
  std::vector<char*> feeds_;                               // by input index: where this step's rows lie
  std::vector<std::pair<std::size_t, char**>> feed_uses_;  // input index -> operand that reads it
  Buffer constants_;
  std::vector<std::int64_t> constant_offsets_;  // by value id
  std::size_t scratch_ = 0;                     // bytes per worker
  char* base_ = nullptr;                        // arena address the pointers are for
  std::atomic<std::uint64_t> sharers_{0};       // a bit per worker
  std::shared_ptr<Times> times_;                // null: not wanted
};

}  // namespace nabi
