// csrc/runtime/program.cpp -- from graph to bound phases
#include "runtime/program.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "error.h"
#include "runtime/run.h"

namespace nabi {
namespace {

/// NABI_DEBUG=graph,passes,memory,steps,times prints stages to standard error.
bool debug(const char* stage) {
  const char* wanted = std::getenv("NABI_DEBUG");
  return wanted != nullptr &&
         ("," + std::string(wanted) + ",").find("," + std::string(stage) + ",") != std::string::npos;
}

void show(const char* stage, const std::string& title, const std::string& text) {
  if (debug(stage)) std::cerr << "-- " << title << "\n" << text << std::flush;
}

template <class T>
void store(char* to, double value) {
  const T element = static_cast<T>(value);
  std::memcpy(to, &element, sizeof element);
}

void store(DType dtype, char* to, double value) {
  switch (dtype) {
    case DType::f32:
      return store<float>(to, value);
    case DType::f64:
      return store<double>(to, value);
    case DType::i32:
      return store<std::int32_t>(to, value);
    case DType::i64:
      return store<std::int64_t>(to, value);
    case DType::boolean:
      return store<std::uint8_t>(to, value != 0 ? 1 : 0);
    case DType::u8:
      return store<std::uint8_t>(to, value);
  }
}

}  // namespace

Program::Program(const Graph& graph, std::vector<std::shared_ptr<Variable>> variables, std::shared_ptr<Arena> arena,
                 const Backend& backend)
    : variables_(std::move(variables)), arena_(std::move(arena)) {
  show("graph", "graph as traced", graph.text());
  graph_ = passes::simplify(graph);
  passes::verify(graph_);
  show("passes", "after simplify", graph_.text());
  graph_ = passes::fuse(graph_);
  passes::verify(graph_);
  show("passes", "after fuse", graph_.text());
  for (const Node& node : graph_.nodes()) {
    if (node.op->name != "variable") continue;
    const std::int64_t slot = node.attrs.integer("slot");
    check(slot >= 0 && slot < static_cast<std::int64_t>(variables_.size()), "program: has no variable for slot ", slot);
    check(variables_[slot]->type() == graph_.type(node.first), "program: requires slot ", slot, " to be ",
          to_string(graph_.type(node.first)), ", got ", to_string(variables_[slot]->type()));
  }
  for (const auto& [slot, id] : graph_.updates()) {
    check(slot >= 0 && slot < static_cast<std::int64_t>(variables_.size()), "program: has no variable for slot ", slot);
    check(variables_[slot]->type() == graph_.type(id), "program: requires slot ", slot, " to be updated with ",
          to_string(variables_[slot]->type()), ", got ", to_string(graph_.type(id)));
  }
  lower(backend);
  place_constants();
  show("memory", "memory", passes::to_string(graph_, plan_));
  show("steps", "steps", text());
  if (debug("times")) times_ = time_phases();
}

void Program::lower(const Backend& backend) {
  std::vector<std::size_t> workspace(graph_.nodes().size(), 0);
  for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
    const Node& node = graph_.nodes()[n];
    if (node.op->name == "input") {
      const std::size_t index = static_cast<std::size_t>(node.attrs.integer("index"));
      if (inputs_.size() <= index) inputs_.resize(index + 1, kNone);
      inputs_[index] = node.first;
    }
    if (node.op->has(kSource) || node.op->has(kAlias)) continue;
    Lowered lowered = backend.lower(graph_, node);
    workspace[n] = lowered.workspace;
    StepInfo info{node.op->name, node.layer, static_cast<int>(lowered.phases.size()), 0, 0};
    for (const cpu::Phase& phase : lowered.phases) {
      info.tasks = std::max(info.tasks, phase.tasks);
      info.cost += phase.cost;
      scratch_ = std::max(scratch_, phase.scratch);
    }
    if (node.op->flops != nullptr) {
      std::vector<Type> inputs, outputs;
      for (ValueId id : node.inputs) inputs.push_back(graph_.type(id));
      for (int i = 0; i < node.outputs; ++i) outputs.push_back(graph_.type(node.first + i));
      info.flops = node.op->flops({*node.op, inputs, node.attrs, outputs});
    }
    steps_.push_back(std::move(info));
    step_nodes_.push_back(static_cast<int>(n));
    lowered_.push_back(std::move(lowered.phases));
  }
  scratch_ = (scratch_ + 4095) / 4096 * 4096;  // workers never share a page
  feeds_.resize(inputs_.size(), nullptr);
  plan_ = passes::plan_memory(graph_, workspace);
}

void Program::place_constants() {
  constant_offsets_.assign(graph_.values().size(), -1);
  std::size_t size = 0;
  for (const Node& node : graph_.nodes()) {
    if (node.op->name != "constant") continue;
    constant_offsets_[node.first] = static_cast<std::int64_t>(size);
    size += 64;
  }
  constants_ = Buffer(size, "constants");
  for (const Node& node : graph_.nodes()) {
    if (node.op->name != "constant") continue;
    store(graph_.type(node.first).dtype, constants_.data() + constant_offsets_[node.first], node.attrs.number("value"));
  }
}

char* Program::address(ValueId id) const {
  const passes::Place& place = plan_.values[id];
  switch (place.kind) {
    case passes::Place::kArena:
      return base_ + place.offset;
    case passes::Place::kVariable:
      return variables_[place.at]->data();
    case passes::Place::kConstant:
      return constants_.data() + constant_offsets_[place.at];
    case passes::Place::kFeed:
      return feeds_[place.at];
    case passes::Place::kNowhere:
      break;
  }
  throw InternalError(concat("value %", id, " has no place"));
}

void Program::bind(char* base) {
  base_ = base;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    feeds_[i] = inputs_[i] == kNone ? nullptr : base + plan_.values[inputs_[i]].offset;
  }
  pointers_.assign(steps_.size(), {});
  faults_.assign(steps_.size(), cpu::Fault{});
  phases_.clear();
  feed_uses_.clear();
  bool checked = plan_.first_write == 0;
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const Node& node = graph_.nodes()[step_nodes_[s]];
    std::vector<char*>& pointers = pointers_[s];
    pointers.reserve(node.inputs.size() + static_cast<std::size_t>(node.outputs) + 1);
    for (ValueId id : node.inputs) {
      pointers.push_back(address(id));
      const passes::Place& place = plan_.values[id];
      if (place.kind == passes::Place::kFeed) feed_uses_.emplace_back(place.at, &pointers.back());
    }
    for (int i = 0; i < node.outputs; ++i) pointers.push_back(address(node.first + i));
    const std::int64_t workspace = plan_.workspaces[step_nodes_[s]];
    pointers.push_back(workspace < 0 ? nullptr : base + workspace);
    for (const cpu::Phase& phase : lowered_[s]) {
      BoundPhase bound;
      bound.kernel = phase.kernel;
      bound.args = {pointers.data(), phase.params.data(), &faults_[s]};
      bound.tasks = phase.tasks;
      bound.cost = phase.cost;
      bound.checks = !checked && step_nodes_[s] >= plan_.first_write;
      bound.writes = !graph_.updates().empty() && step_nodes_[s] >= plan_.first_write;
      checked = checked || bound.checks;
      phases_.push_back(bound);
    }
  }
}

std::int64_t Program::run(const RunRequest& request) { return Run(*this, request).go(); }

void Program::report(std::int64_t step) {
  const auto first =
      std::find_if(faults_.begin(), faults_.end(), [](const cpu::Fault& fault) { return fault.claimed != 0; });
  check<InternalError>(first != faults_.end(), "a run stopped without a fault");
  const cpu::Fault fault = *first;
  const auto at = static_cast<std::size_t>(first - faults_.begin());
  const StepInfo& info = steps_[at];
  const char* checked = graph_.nodes()[step_nodes_[at]].op->checked;
  std::fill(faults_.begin(), faults_.end(), cpu::Fault{});  // several steps may have found the same bad data
  throw ValueError(concat(info.name, ": requires ", checked, " from 0 to ", fault.bound - 1, ", got ", fault.value,
                          " in step ", step, info.layer.empty() ? "" : " (layer \"" + info.layer + "\")"));
}

/// One row a phase, in the order in which bind() lays them out.
std::shared_ptr<Times> Program::time_phases() const {
  std::vector<TimedPhase> rows;
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const Node& node = graph_.nodes()[step_nodes_[s]];
    double total = 0;
    for (const cpu::Phase& phase : lowered_[s]) total += phase.cost;
    for (std::size_t p = 0; p < lowered_[s].size(); ++p) {
      const cpu::Phase& phase = lowered_[s][p];
      std::string name = steps_[s].name;
      if (lowered_[s].size() > 1) name += concat(" ", p + 1, "/", lowered_[s].size());
      const double share = total > 0 ? phase.cost / total : 0;
      rows.push_back({std::move(name), to_string(graph_.type(node.first)), steps_[s].layer, phase.tasks, phase.cost,
                      steps_[s].flops * share});
    }
  }
  return Times::make(std::move(rows), inputs_.size());
}

std::string Program::text() const {
  std::string out = graph_.text();
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const StepInfo& step = steps_[s];
    out += concat("step ", s, ": ", step.name, ", ", step.phases, step.phases == 1 ? " phase, " : " phases, ",
                  step.tasks, step.tasks == 1 ? " task, about " : " tasks, about ",
                  static_cast<std::int64_t>(step.cost), " ns", step.layer.empty() ? "" : "  // " + step.layer, "\n");
  }
  out += concat("arena: ", plan_.arena_bytes, " bytes; scratch: ", scratch_,
                " bytes per thread; copies: ", plan_.copies.size(), "\n");
  return out;
}

}  // namespace nabi
