// csrc/bind/convert.h -- between Python objects and the core's
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "graph/graph.h"
#include "runtime/feed.h"

namespace nabi::bind {

namespace py = pybind11;

/// A Python attribute dict; lists and tuples must hold integers.
Attrs to_attrs(const py::dict& attrs);

/// An attribute as bool, int, float, str or list of int.
py::object to_python(const AttrValue& value);

/// (3, 4)
py::tuple to_python(const Shape& shape);

/// The NumPy dtype of an element type.
py::dtype numpy_dtype(DType dtype);

/// A view of a user's array; the array must outlive it. Throws TypeError for dtypes that hold no numbers.
Feed to_feed(const py::array& array);

/// A new C-contiguous array, of ndarray's subclass `kind` unless that is None.
py::array new_array(const Type& type, py::handle kind = py::none());

/// Throws unless the array is C-contiguous with this dtype and, from axis `from` on, this shape.
void check_array(const py::array& array, const Type& type, std::size_t from, const char* what);

}  // namespace nabi::bind
