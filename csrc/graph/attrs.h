// csrc/graph/attrs.h -- named constants of a node, with a text form that reads back exactly
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nabi {

/// A constant of a node. Lists hold integers; dtypes are written as their Keras name.
using AttrValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;

/// An attribute list sorted by name.
class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string, AttrValue>> items);

  /// Adds or replaces one attribute.
  void set(std::string_view name, AttrValue value);

  /// The attribute, or null.
  const AttrValue* find(std::string_view name) const;

  /// The attribute as T; it must be there with that kind (the op table has checked it).
  template <class T>
  const T& get(std::string_view name) const {
    return std::get<T>(at(name));
  }

  bool flag(std::string_view name) const { return get<bool>(name); }
  std::int64_t integer(std::string_view name) const { return get<std::int64_t>(name); }
  double number(std::string_view name) const { return get<double>(name); }
  const std::string& text(std::string_view name) const { return get<std::string>(name); }
  const std::vector<std::int64_t>& list(std::string_view name) const { return get<std::vector<std::int64_t>>(name); }

  const std::vector<std::pair<std::string, AttrValue>>& items() const { return items_; }
  bool operator==(const Attrs& other) const { return items_ == other.items_; }

 private:
  const AttrValue& at(std::string_view name) const;

  std::vector<std::pair<std::string, AttrValue>> items_;
};

/// "axes=[0,1], keepdims=false"; doubles keep all their digits.
std::string to_string(const Attrs& attrs);

/// One value in the form to_string writes.
std::string to_string(const AttrValue& value);

}  // namespace nabi
