// csrc/graph/attrs.cpp -- attribute lists and their text
#include "graph/attrs.h"

#include <algorithm>
#include <cstdio>

#include "error.h"

namespace nabi {

Attrs::Attrs(std::initializer_list<std::pair<std::string, AttrValue>> items) {
  for (const auto& [name, value] : items) set(name, value);
}

void Attrs::set(std::string_view name, AttrValue value) {
  auto at = std::lower_bound(items_.begin(), items_.end(), name,
                             [](const auto& item, std::string_view key) { return item.first < key; });
  if (at != items_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    items_.insert(at, {std::string(name), std::move(value)});
  }
}

const AttrValue* Attrs::find(std::string_view name) const {
  for (const auto& item : items_) {
    if (item.first == name) return &item.second;
  }
  return nullptr;
}

const AttrValue& Attrs::at(std::string_view name) const {
  const AttrValue* value = find(name);
  check<InternalError>(value != nullptr, "no attribute ", name);
  return *value;
}

namespace {

/// Keeps every digit, and always shows that this is a float.
std::string float_text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  for (int digits = 1; digits < 17; ++digits) {  // the shortest form that reads back exactly
    char shorter[32];
    std::snprintf(shorter, sizeof shorter, "%.*g", digits, value);
    double back = 0;
    if (std::sscanf(shorter, "%lf", &back) == 1 && back == value) {
      std::snprintf(buffer, sizeof buffer, "%s", shorter);
      break;
    }
  }
  std::string out = buffer;
  return out.find_first_of(".einf") == std::string::npos ? out + ".0" : out;
}

struct Writer {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return float_text(value); }
  std::string operator()(const std::string& value) const { return '"' + value + '"'; }
  std::string operator()(const std::vector<std::int64_t>& value) const {
    std::string out = "[";
    for (std::size_t i = 0; i < value.size(); ++i) out += (i ? "," : "") + std::to_string(value[i]);
    return out + "]";
  }
};

}  // namespace

std::string to_string(const AttrValue& value) { return std::visit(Writer{}, value); }

std::string to_string(const Attrs& attrs) {
  std::string out;
  for (const auto& [name, value] : attrs.items()) out += (out.empty() ? "" : ", ") + name + "=" + to_string(value);
  return out;
}

}  // namespace nabi
