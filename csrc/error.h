// csrc/error.h -- the exceptions of the core and check(), the only place that formats their messages
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace nabi {

/// A value or shape the user gave is wrong: ValueError in Python.
struct ValueError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A dtype or kind of object is wrong: TypeError in Python.
struct TypeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the core cannot do yet: NotImplementedError in Python.
struct NotImplemented : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Memory ran out; the message says how much was asked for: MemoryError in Python.
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A bug of ours: RuntimeError beginning "internal error:" in Python.
struct InternalError : std::logic_error {
  explicit InternalError(const std::string& what) : std::logic_error("internal error: " + what) {}
};

/// Joins parts as an output stream would write them.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws Error with the joined parts unless the condition holds: check<ValueError>(ok, "matmul: requires ...").
template <class Error = ValueError, class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) throw Error(concat(parts...));
}

}  // namespace nabi
