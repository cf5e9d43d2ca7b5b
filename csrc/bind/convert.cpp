// csrc/bind/convert.cpp -- attribute and array conversions
#include "bind/convert.h"

#include <algorithm>
#include <iterator>

#include "error.h"

namespace nabi::bind {

Attrs to_attrs(const py::dict& attrs) {
  Attrs out;
  for (const auto& [key, value] : attrs) {
    const std::string name = py::cast<std::string>(key);
    if (py::isinstance<py::bool_>(value)) {
      out.set(name, py::cast<bool>(value));
    } else if (py::isinstance<py::str>(value)) {
      out.set(name, py::cast<std::string>(value));
    } else if (py::isinstance<py::float_>(value)) {
      out.set(name, py::cast<double>(value));
    } else if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
      std::vector<std::int64_t> list;
      for (py::handle item : py::reinterpret_borrow<py::sequence>(value)) list.push_back(py::cast<std::int64_t>(item));
      out.set(name, std::move(list));
    } else if (PyIndex_Check(value.ptr()) != 0) {
      out.set(name,
              static_cast<std::int64_t>(py::int_(py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr())))));
    } else {
      throw TypeError(concat("attribute ", name, ": requires bool, int, float, str or a list of ints, got ",
                             std::string(py::str(py::type::handle_of(value).attr("__name__")))));
    }
  }
  return out;
}

py::object to_python(const AttrValue& value) {
  return std::visit(
      [](const auto& item) -> py::object {
        using T = std::decay_t<decltype(item)>;
        if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          py::list list;
          for (std::int64_t i : item) list.append(i);
          return list;
        } else {
          return py::cast(item);
        }
      },
      value);
}

py::tuple to_python(const Shape& shape) {
  py::tuple out(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) out[i] = shape[i];
  return out;
}

py::dtype numpy_dtype(DType dtype) {
  static constexpr int kNumbers[kDTypes] = {py::detail::npy_api::NPY_FLOAT_, py::detail::npy_api::NPY_DOUBLE_,
                                            py::detail::npy_api::NPY_INT32_, py::detail::npy_api::NPY_INT64_,
                                            py::detail::npy_api::NPY_BOOL_,  py::detail::npy_api::NPY_UBYTE_};
  return py::dtype(kNumbers[static_cast<int>(dtype)]);
}

Feed to_feed(const py::array& array) {
  static constexpr Element kSigned[] = {Element::i8, Element::i16, Element::i32, Element::i64};
  static constexpr Element kUnsigned[] = {Element::u8, Element::u16, Element::u32, Element::u64};
  static constexpr Element kFloat[] = {Element::f16, Element::f16, Element::f32, Element::f64};
  const py::dtype dtype = array.dtype();
  const int log_size = dtype.itemsize() == 1 ? 0 : dtype.itemsize() == 2 ? 1 : dtype.itemsize() == 4 ? 2 : 3;
  const bool sized = dtype.itemsize() == (1 << log_size);
  const char order = dtype.byteorder();
  Feed feed;
  switch (dtype.kind()) {
    case 'i':
      feed.element = kSigned[log_size];
      break;
    case 'u':
      feed.element = kUnsigned[log_size];
      break;
    case 'f':
      feed.element = kFloat[log_size];
      break;
    case 'b':
      feed.element = Element::boolean;
      break;
    default:
      feed.data = nullptr;
      throw TypeError(concat("run: requires arrays of numbers, got dtype ", std::string(py::str(dtype))));
  }
  if (!sized || (order != '=' && order != '|')) {  // the text of a dtype is made by Python: not for every call
    throw TypeError(concat("run: requires arrays in native byte order of at most 64 bits, got dtype ",
                           std::string(py::str(dtype))));
  }
  feed.data = static_cast<const char*>(array.data());
  feed.shape.assign(array.shape(), array.shape() + array.ndim());
  feed.strides.assign(array.strides(), array.strides() + array.ndim());
  return feed;
}

py::array new_array(const Type& type, py::handle kind) {
  auto& api = py::detail::npy_api::get();
  Py_intptr_t shape[32];  // NumPy's own limit on axes, and the core's
  check(type.shape.size() <= std::size(shape), "an array has at most 32 axes, got ", type.shape.size());
  std::copy(type.shape.begin(), type.shape.end(), shape);
  auto* subtype = kind.is_none() ? api.PyArray_Type_ : reinterpret_cast<PyTypeObject*>(kind.ptr());
  PyObject* made = api.PyArray_NewFromDescr_(subtype, numpy_dtype(type.dtype).release().ptr(),
                                             static_cast<int>(type.shape.size()), shape, nullptr, nullptr, 0, nullptr);
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::array>(made);
}

void check_array(const py::array& array, const Type& type, std::size_t from, const char* what) {
  const py::dtype wanted = numpy_dtype(type.dtype);
  if (!array.dtype().is(wanted) && !array.dtype().equal(wanted)) {
    throw TypeError(
        concat(what, ": requires dtype ", name_of(type.dtype), ", got ", std::string(py::str(array.dtype()))));
  }
  const Shape shape(array.shape(), array.shape() + array.ndim());
  const auto skipped = static_cast<std::ptrdiff_t>(std::min(from, shape.size()));
  if (shape.size() != type.shape.size() ||
      !std::equal(shape.begin() + skipped, shape.end(), type.shape.begin() + skipped)) {
    throw ValueError(concat(what, ": requires shape ", to_string(type.shape), from == 0 ? "" : " behind the first axis",
                            ", got ", to_string(shape)));
  }
  check((array.flags() & py::array::c_style) != 0, what, ": requires a C-contiguous array");
}

}  // namespace nabi::bind
