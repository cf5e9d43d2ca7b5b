// csrc/passes/fuse_epilogues.cpp -- bias, ReLU, masks and bias gradients move into the kernels that have the data at
// hand
#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "error.h"
#include "passes/fuse.h"
#include "passes/rewrite.h"

namespace nabi::passes {
namespace {

/// What will be added to a node, and where the merged node stands.
struct Epilogue {
  ValueId bias = kNone;
  bool relu = false;
  ValueId mask = kNone;      // keeps the result where this is above zero
  ValueId beta = kNone;      // of the batch normalisation whose ReLU masks the incoming gradient
  ValueId upstream = kNone;  // that gradient before its mask, in place of the first operand
  ValueId bias_sum = kNone;  // the value (a sum over rows) that becomes output 1
  ValueId result = kNone;    // the value that the merged node's output 0 replaces
  int at = 0;                // index of the node in whose place the merged one is added
};

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph), users_(graph.values().size()), live_(live_nodes(graph)) {
    for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
      if (!live_[n]) continue;
      for (ValueId id : graph.nodes()[n].inputs) users_[id].push_back(static_cast<int>(n));
    }
    for (ValueId id : graph.outputs()) users_[id].push_back(kEnd);
    for (const auto& update : graph.updates()) users_[update.second].push_back(kEnd);
  }

  Graph run() {
    for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
      if (live_[n]) match(static_cast<int>(n));
    }
    Rewriter out(graph_);
    for (int n = 0; n < static_cast<int>(graph_.nodes().size()); ++n) {
      if (!live_[n] || absorbed_.count(n) != 0) continue;
      const auto merged = merged_.find(n);
      if (merged != merged_.end()) {
        emit(out, merged->second);
      } else {
        out.copy(graph_.nodes()[n]);
      }
    }
    return out.finish();
  }

 private:
  static constexpr int kEnd = -1;

  const Node& node(int n) const { return graph_.nodes()[n]; }

  /// The only reader of a value, or null.
  const Node* only_user(ValueId id) const {
    return users_[id].size() == 1 && users_[id][0] != kEnd ? &node(users_[id][0]) : nullptr;
  }

  int index_of(const Node& n) const { return graph_.values()[n.first].node; }

  bool is_zero(ValueId id) const {
    const Node& n = graph_.producer(id);
    return n.op->name == "constant" && n.attrs.number("value") == 0;
  }

  static bool takes(const Node& n, std::string_view attr) {
    return n.attrs.find(attr) != nullptr && !n.attrs.flag(attr);
  }

  void match(int n) {
    const Node& producer = node(n);
    if (!is_float(graph_.type(producer.first).dtype)) return;  // integer products have no epilogues
    Epilogue epilogue;
    epilogue.result = producer.first;
    epilogue.at = n;
    bool changed = false;
    if (takes(producer, "bias") && !producer.attrs.flag("relu")) changed |= match_bias(producer, epilogue);
    const bool norm_grad = producer.op->name == "batch_norm_grad";
    if (takes(producer, "relu") && !norm_grad) changed |= match_relu(epilogue);
    if (takes(producer, "mask") && !changed) changed |= match_mask(producer, epilogue);
    if (takes(producer, "bias_grad") && !changed) changed |= match_bias_sum(n, producer, epilogue);
    if (norm_grad) changed |= match_upstream(producer, epilogue);
    if (!changed) return;
    if (producer.op->family == "normalize" && epilogue.at != n) {
      absorbed_.insert(epilogue.at);  // it has further results, perhaps read before that place, and no new operands
      epilogue.at = n;
    }
    // The merged node stands where the last absorbed one stood, so that all its operands exist by then.
    if (epilogue.at != n) absorbed_.insert(n);
    merged_[epilogue.at] = {n, epilogue};
  }

  bool match_bias(const Node& producer, Epilogue& epilogue) const {
    const Node* user = only_user(epilogue.result);
    if (user == nullptr || user->op->name != "add") return false;
    const ValueId other = user->inputs[0] == epilogue.result ? user->inputs[1] : user->inputs[0];
    const Type& type = graph_.type(producer.first);
    if (type.shape.empty() || graph_.type(other) != Type{type.dtype, {type.shape.back()}}) return false;
    if (graph_.type(user->first) != type) return false;
    epilogue.bias = other;
    epilogue.result = user->first;
    epilogue.at = index_of(*user);
    return true;
  }

  bool match_relu(Epilogue& epilogue) {
    const Node* user = only_user(epilogue.result);
    if (user == nullptr || user->op->name != "relu") return false;
    if (epilogue.bias != kNone) absorbed_.insert(epilogue.at);
    epilogue.relu = true;
    epilogue.result = user->first;
    epilogue.at = index_of(*user);
    return true;
  }

  /// The y of select(y > 0, _, 0), the gradient of the ReLU that made y; kNone for any other node.
  ValueId relu_of(const Node& select) const {
    if (select.op->name != "select" || !is_zero(select.inputs[2])) return kNone;
    const Node& condition = graph_.producer(select.inputs[0]);
    if (condition.op->name != "greater" || !is_zero(condition.inputs[1])) return kNone;
    return graph_.type(condition.inputs[0]) == graph_.type(select.inputs[1]) ? condition.inputs[0] : kNone;
  }

  /// The batch normalisation that made the input of the ReLU whose gradient this node is, when only the gradient of
  /// that batch normalisation reads it: what was positive is then computed again there, from data at hand.
  const Node* recomputed(const Node& select) const {
    const ValueId y = relu_of(select);
    const Node* user = only_user(select.first);
    if (y == kNone || user == nullptr || user->op->name != "batch_norm_grad" || user->inputs[0] != select.first ||
        graph_.producer(y).op->name != "relu") {
      return nullptr;
    }
    const ValueId value = graph_.producer(y).inputs[0];
    const Node& norm = graph_.producer(value);
    const bool same = norm.op->name == "batch_norm" && value == norm.first && norm.inputs[0] == user->inputs[1] &&
                      norm.inputs[1] == user->inputs[2] && norm.first + 1 == user->inputs[3] &&
                      norm.first + 2 == user->inputs[4] &&
                      norm.attrs.number("epsilon") == user->attrs.number("epsilon");
    return same ? &norm : nullptr;
  }

  /// Takes in the mask of the gradient that comes in.
  bool match_upstream(const Node& producer, Epilogue& epilogue) {
    const Node& select = graph_.producer(producer.inputs[0]);
    const Node* norm = recomputed(select);
    if (norm == nullptr) return false;
    absorbed_.insert(index_of(select));
    epilogue.upstream = select.inputs[1];
    epilogue.beta = norm->inputs[2];
    return true;
  }

  /// select(y > 0, result, 0), perhaps after a reshape.
  bool match_mask(const Node& producer, Epilogue& epilogue) {
    const Node* user = only_user(epilogue.result);
    if (user == nullptr) return false;
    ValueId value = epilogue.result;
    int reshape = -1;
    if (user->op->name == "reshape") {
      reshape = index_of(*user);
      value = user->first;
      user = only_user(value);
    }
    if (user == nullptr || relu_of(*user) == kNone || user->inputs[1] != value || recomputed(*user) != nullptr)
      return false;
    const ValueId mask = relu_of(*user);
    if (producer.op->name == "batch_norm_grad" && mask != producer.inputs[1]) return false;
    if (producer.op->name == "max_pool2d_grad" && maxima_of(producer, mask) == kNone) return false;
    if (reshape >= 0) absorbed_.insert(reshape);
    epilogue.mask = mask;
    epilogue.result = user->first;
    epilogue.at = index_of(*user);
    return true;
  }

  /// The maxima of the pooling of `image` whose gradient this node is; kNone where it is another's.
  ValueId maxima_of(const Node& gradient, ValueId image) const {
    const Node& pool = graph_.producer(gradient.inputs[1]);
    const bool own = pool.op->name == "max_pool2d" && pool.inputs[0] == image && gradient.inputs[1] == pool.first + 1;
    return own ? pool.first : kNone;
  }

  /// The sum of the second operand over all axes but the last: a bias gradient beside the weights' one.
  bool match_bias_sum(int n, const Node& producer, Epilogue& epilogue) {
    if (producer.op->name == "matmul" && (!producer.attrs.flag("transpose_a") || producer.attrs.flag("transpose_b") ||
                                          graph_.type(producer.inputs[1]).shape.size() != 2)) {
      return false;
    }
    const ValueId dy = producer.inputs[1];
    const Node& dy_node = graph_.producer(dy);
    const ValueId source = dy_node.op->name == "reshape" ? dy_node.inputs[0] : dy;  // a Dense on rank 3 flattens dy
    for (ValueId candidate : {dy, source}) {
      for (int m : users_[candidate]) {
        const bool taken = absorbed_.count(m) != 0 || merged_.count(m) != 0;  // by another product of the same dy
        if (m == kEnd || taken || !sums_rows(node(m))) continue;
        epilogue.bias_sum = node(m).first;
        epilogue.at = std::min(n, m);
        for (ValueId id : producer.inputs) {
          if (graph_.values()[id].node >= epilogue.at) return false;
        }
        absorbed_.insert(std::max(n, m));
        return true;
      }
    }
    return false;
  }

  bool sums_rows(const Node& n) const {
    if (n.op->name != "reduce_sum" || n.attrs.flag("keepdims")) return false;
    const Shape& shape = graph_.type(n.inputs[0]).shape;
    if (shape.size() < 2 || shape.back() != count(graph_.type(n.first).shape)) return false;
    return n.attrs.list("axes").size() == shape.size() - 1 &&
           n.attrs.list("axes").back() == static_cast<int>(shape.size()) - 2;
  }

  void emit(Rewriter& out, const std::pair<int, Epilogue>& merged) const {
    const Node& producer = node(merged.first);
    const Epilogue& epilogue = merged.second;
    out.graph.set_layer(producer.layer);
    std::vector<ValueId> inputs = out.mapped(producer.inputs);  // kNone where an absorbed mask was
    Attrs attrs = producer.attrs;
    if (epilogue.bias != kNone) {
      attrs.set("bias", true);
      inputs.push_back(out[epilogue.bias]);
    }
    if (epilogue.relu) attrs.set("relu", true);
    if (epilogue.mask != kNone) {
      attrs.set("mask", true);
      if (producer.op->name == "max_pool2d_grad") {
        inputs.push_back(out[maxima_of(producer, epilogue.mask)]);  // they say it all
      } else if (producer.op->name != "batch_norm_grad") {          // whose x is the mask
        const Shape& shape = graph_.type(producer.first).shape;
        const bool same = graph_.type(epilogue.mask).shape == shape;
        inputs.push_back(same ? out[epilogue.mask]
                              : out.graph.add1("reshape", {out[epilogue.mask]}, {{"shape", shape}}));
      }
    }
    if (epilogue.upstream != kNone) {
      attrs.set("relu", true);
      inputs[0] = out[epilogue.upstream];
      inputs.push_back(out[epilogue.beta]);
    }
    if (epilogue.bias_sum != kNone) attrs.set("bias_grad", true);
    const std::vector<ValueId> made = out.graph.add(*producer.op, inputs, attrs);
    const Shape& wanted = graph_.type(epilogue.result).shape;
    const bool same = out.graph.type(made[0]).shape == wanted;
    out.set(epilogue.result, same ? made[0] : out.graph.add1("reshape", {made[0]}, {{"shape", wanted}}));
    if (epilogue.bias_sum != kNone) out.set(epilogue.bias_sum, made[1]);
    for (int i = 1; i < producer.outputs; ++i) out.set(producer.first + i, made[i]);
  }

  const Graph& graph_;
  std::vector<std::vector<int>> users_;
  std::vector<bool> live_;
  std::map<int, std::pair<int, Epilogue>> merged_;  // place -> (producer, epilogue)
  std::set<int> absorbed_;
};

}  // namespace

Graph fuse_epilogues(const Graph& graph) { return Fuser(graph).run(); }

}  // namespace nabi::passes
