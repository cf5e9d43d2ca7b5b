// csrc/ops/expr.h -- lets gradient rules be written as formulas
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "graph/graph.h"

namespace nabi::ops {

/// A formula over graph values that adds its nodes only when asked for a value, operands from left to right, so that
/// the order of the nodes never depends on the compiler's order of evaluation.
class Expr {
 public:
  /// A value of the graph; naming the graph tells an id from a plain number.
  Expr(Graph&, ValueId id) : make_([id](Graph&, DType) { return id; }) {}

  /// A plain number takes the dtype of the value beside it.
  Expr(double number) : make_([number](Graph& graph, DType like) { return graph.constant(number, like); }) {}
  Expr(int number) : Expr(static_cast<double>(number)) {}

  /// Adds the formula's nodes; `like` is the dtype that bare numbers get.
  ValueId emit(Graph& graph, DType like) const { return make_(graph, like); }

  /// An op applied to formulas.
  template <class... E>
  static Expr apply(std::string_view op, Attrs attrs, const E&... args) {
    Expr out(0.0);
    out.make_ = [op, attrs, list = std::vector<Expr>{args...}](Graph& graph, DType like) {
      std::vector<ValueId> ids;
      for (const Expr& arg : list) ids.push_back(arg.emit(graph, like));
      return graph.add1(op, ids, attrs);
    };
    return out;
  }

 private:
  std::function<ValueId(Graph&, DType)> make_;
};

inline Expr operator+(const Expr& a, const Expr& b) { return Expr::apply("add", {}, a, b); }
inline Expr operator-(const Expr& a, const Expr& b) { return Expr::apply("subtract", {}, a, b); }
inline Expr operator*(const Expr& a, const Expr& b) { return Expr::apply("multiply", {}, a, b); }
inline Expr operator/(const Expr& a, const Expr& b) { return Expr::apply("divide", {}, a, b); }
inline Expr operator-(const Expr& a) { return Expr::apply("negative", {}, a); }
inline Expr operator>(const Expr& a, const Expr& b) { return Expr::apply("greater", {}, a, b); }
inline Expr operator>=(const Expr& a, const Expr& b) { return Expr::apply("greater_equal", {}, a, b); }
inline Expr operator<(const Expr& a, const Expr& b) { return Expr::apply("less", {}, a, b); }
inline Expr operator<=(const Expr& a, const Expr& b) { return Expr::apply("less_equal", {}, a, b); }
inline Expr operator==(const Expr& a, const Expr& b) { return Expr::apply("equal", {}, a, b); }

}  // namespace nabi::ops
