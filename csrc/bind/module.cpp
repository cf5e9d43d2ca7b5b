// csrc/bind/module.cpp -- the Python module nabi._core: graphs, programs, variables; no code of any single op
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>

#include "bind/convert.h"
#include "cpu/exact.h"
#include "cpu/isa.h"
#include "cpu/yardstick.h"
#include "error.h"
#include "parallel.h"
#include "passes/passes.h"
#include "platform.h"
#include "runtime/program.h"
#include "runtime/shuffle.h"

namespace nabi::bind {
namespace {

std::atomic<std::int64_t> entry_count{0};

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const ValueError& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const TypeError& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
  } catch (const NotImplemented& error) {
    PyErr_SetString(PyExc_NotImplementedError, error.what());
  } catch (const OutOfMemory& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
  } catch (const InternalError& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

py::list op_table_list() {
  static constexpr std::pair<Trait, const char*> kTraits[] = {
      {kElementwise, "elementwise"}, {kAlias, "alias"},   {kSource, "source"}, {kFaults, "faults"},
      {kCommutative, "commutative"}, {kUpdate, "update"}, {kOpaque, "opaque"}};
  py::list out;
  for (const OpDef& op : op_table()) {
    py::list traits;
    for (const auto& [trait, name] : kTraits) {
      if (op.has(trait)) traits.append(name);
    }
    py::dict attrs;
    for (const AttrDef& def : op.attrs) attrs[py::str(def.name)] = def.required ? py::none() : to_python(def.kind);
    py::dict row;
    row["name"] = op.name;
    row["family"] = op.family;
    row["min_inputs"] = op.min_inputs;
    row["max_inputs"] = op.max_inputs;
    row["traits"] = traits;
    row["attrs"] = attrs;
    row["differentiable"] = op.gradient != nullptr;
    out.append(row);
  }
  return out;
}

/// Runs without the interpreter. A run that was given up in its first step because of an interrupt has done nothing:
/// once Python has handled the signal it is begun again, unless the handler raised.
std::int64_t run_released(Program& program, const RunRequest& request) {
  ++entry_count;
  for (;;) {
    std::int64_t stopped;
    {
      py::gil_scoped_release released;
      stopped = program.run(request);
    }
    if (stopped > request.first || request.first == request.last) return stopped;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

/// One step on whole arrays. This is what a call with one row waits for, so nothing here looks anything up.
py::list call(Program& program, const py::list& inputs, py::handle kind) {
  RunRequest request;
  request.feeds.reserve(inputs.size());
  for (py::handle input : inputs) {
    check<TypeError>(py::isinstance<py::array>(input), "call: requires arrays, got ", Py_TYPE(input.ptr())->tp_name);
    request.feeds.push_back(to_feed(py::reinterpret_borrow<py::array>(input)));
  }
  const Graph& graph = program.graph();
  for (std::size_t i = 0; i < program.inputs().size(); ++i) {
    if (program.inputs()[i] == kNone) continue;
    check(i < request.feeds.size(), "call: requires an array for input ", i, ", got ", request.feeds.size(), " arrays");
    const Shape& shape = graph.type(program.inputs()[i]).shape;
    if (request.feeds[i].shape == shape) continue;
    throw ValueError(concat("call: requires input ", i, " to have shape ", to_string(shape), ", got ",
                            to_string(request.feeds[i].shape)));
  }
  py::list outputs(graph.outputs().size());
  request.results.reserve(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    py::array made = new_array(graph.type(graph.outputs()[i]), kind);
    request.results.push_back({static_cast<char*>(made.mutable_data()), 0});
    outputs[i] = std::move(made);
  }
  run_released(program, request);
  return outputs;
}

/// The quotient of two scalar variables in their own precision, as NumPy would give it; 0 over 0.
double ratio(const Variable& total, const Variable& count) {
  const auto read = [](const Variable& variable) -> double {
    if (!variable.type().shape.empty() || !is_float(variable.type().dtype))
      throw ValueError(concat("ratio: requires float scalars, got ", to_string(variable.type())));
    return variable.type().dtype == DType::f32 ? *reinterpret_cast<const float*>(variable.data())
                                               : *reinterpret_cast<const double*>(variable.data());
  };
  const double dividend = read(total);
  const double divisor = read(count);
  if (divisor == 0) return 0;
  // A quotient of two floats rounded to double first is rounded to float correctly all the same: 53 >= 2 * 24 + 2.
  return total.type().dtype == DType::f32 ? static_cast<float>(dividend / divisor) : dividend / divisor;
}

std::int64_t run(Program& program, const std::vector<py::array>& feeds,
                 const std::optional<py::array_t<std::int64_t>>& index, std::int64_t rows,
                 std::vector<py::array> results, std::int64_t first, std::int64_t last, double seconds) {
  RunRequest request;
  check(rows >= 1, "run: requires rows >= 1, got ", rows);
  check(first >= 0 && first <= last, "run: requires 0 <= first <= last, got ", first, " and ", last);
  for (const py::array& array : feeds) {
    check(array.ndim() >= 1, "run: requires arrays with a first axis of rows, got a scalar");
    request.feeds.push_back(to_feed(array));
  }
  const Graph& graph = program.graph();
  for (const ValueId id : program.inputs()) {
    if (id == kNone) continue;
    const Shape& shape = graph.type(id).shape;
    check(!shape.empty() && shape[0] == rows, "run: requires programs whose inputs have ", rows, " rows, got ",
          to_string(shape));
  }
  if (index.has_value()) {
    check(index->ndim() == 1 && (index->flags() & py::array::c_style) != 0,
          "run: requires index to be one contiguous axis");
    check(last * rows <= index->size(), "run: requires ", last * rows, " row numbers, got ", index->size());
    request.index = index->data();
    std::int64_t low = 0;
    std::int64_t high = -1;
    for (std::int64_t i = first * rows; i < last * rows; ++i) {
      low = std::min(low, request.index[i]);
      high = std::max(high, request.index[i]);
    }
    for (const Feed& feed : request.feeds) {
      check(low >= 0 && high < feed.shape[0], "run: requires row numbers from 0 to ", feed.shape[0] - 1, ", got ",
            low < 0 ? low : high);
    }
  } else {
    for (const Feed& feed : request.feeds) {
      check(last * rows <= feed.shape[0], "run: requires ", last * rows, " rows, got ", feed.shape[0]);
    }
  }
  if (!results.empty()) {
    check(results.size() == graph.outputs().size(), "run: requires ", graph.outputs().size(), " result arrays, got ",
          results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Type& type = graph.type(graph.outputs()[i]);
      check(!type.shape.empty() && type.shape[0] == rows, "run: requires outputs of ", rows, " rows, got ",
            to_string(type.shape));
      check_array(results[i], type, 1, "run: result");
      check(results[i].shape(0) >= last * rows, "run: requires result arrays of ", last * rows, " rows, got ",
            results[i].shape(0));
      request.results.push_back(
          {static_cast<char*>(results[i].mutable_data()), bytes(type) / static_cast<std::size_t>(rows)});
    }
  }
  request.rows = rows;
  request.first = first;
  request.last = last;
  request.seconds = seconds;
  return run_released(program, request);
}

py::list steps(const Program& program) {
  py::list out;
  for (const StepInfo& step : program.steps()) {
    py::dict row;
    row["name"] = step.name;
    row["layer"] = step.layer;
    row["phases"] = step.phases;
    row["tasks"] = step.tasks;
    row["cost"] = step.cost;
    row["flops"] = step.flops;
    out.append(row);
  }
  return out;
}

py::dict build_info() {
  py::dict info;
  info["version"] = NABI_VERSION;
#if defined(__clang__)
  info["compiler"] = "Clang " __clang_version__;
#else
  info["compiler"] = "GCC " __VERSION__;
#endif
  info["flags"] = NABI_FLAGS;
  info["openmp"] = NABI_OPENMP;
  info["cuda"] = false;
  return info;
}

void bind_graph(py::module_& m) {
  py::class_<Graph>(m, "Graph", "A static graph of typed values; ids count from 0 in execution order.")
      .def(py::init<>())
      .def(
          "add",
          [](Graph& graph, const std::string& op, std::vector<ValueId> inputs, const py::dict& attrs) {
            const OpDef& def = op_of(op);
            check(!def.has(kOpaque), op, ": is made by the engine's own passes only");
            return graph.add(def, std::move(inputs), to_attrs(attrs));
          },
          py::arg("op"), py::arg("inputs"), py::arg("attrs") = py::dict(),
          "Adds a node; returns the ids of its outputs.")
      .def(
          "constant",
          [](Graph& graph, double value, const std::string& dtype) { return graph.constant(value, dtype_of(dtype)); },
          py::arg("value"), py::arg("dtype"))
      .def(
          "input",
          [](Graph& graph, std::int64_t index, const std::string& dtype, Shape shape) {
            return graph.add1("input", {}, {{"index", index}, {"dtype", dtype}, {"shape", std::move(shape)}});
          },
          py::arg("index"), py::arg("dtype"), py::arg("shape"))
      .def(
          "variable",
          [](Graph& graph, std::int64_t slot, const std::string& dtype, Shape shape) {
            return graph.add1("variable", {}, {{"slot", slot}, {"dtype", dtype}, {"shape", std::move(shape)}});
          },
          py::arg("slot"), py::arg("dtype"), py::arg("shape"))
      .def(
          "type",
          [](const Graph& graph, ValueId id) {
            const Type& type = graph.type(id);
            return py::make_tuple(name_of(type.dtype), to_python(type.shape));
          },
          py::arg("id"), "(dtype, shape) of a value.")
      .def(
          "gradients",
          [](Graph& graph, const std::vector<ValueId>& ys, const std::vector<ValueId>& xs,
             const std::optional<std::vector<ValueId>>& upstream) {
            return passes::gradients(graph, ys, xs, upstream.value_or(std::vector<ValueId>{}));
          },
          py::arg("ys"), py::arg("xs"), py::arg("upstream") = py::none(),
          "Gradients of sum(ys) with respect to xs; -1 where there is none.")
      .def("set_layer", &Graph::set_layer, py::arg("name"))
      .def("set_outputs", &Graph::set_outputs, py::arg("ids"))
      .def("set_update", &Graph::set_update, py::arg("slot"), py::arg("id"))
      .def("text", &Graph::text)
      .def(
          "simplified", [](const Graph& graph) { return passes::simplify(graph); },
          "The graph after the simplify pass.")
      .def(
          "fused", [](const Graph& graph) { return passes::fuse(graph); }, "The graph after the fuse pass.")
      .def(
          "memory",
          [](const Graph& graph) {
            return passes::to_string(graph,
                                     passes::plan_memory(graph, std::vector<std::size_t>(graph.nodes().size(), 0)));
          },
          "The places that the memory pass gives to the values, as text.")
      .def_static(
          "parse", [](const std::string& text) { return Graph::parse(text); }, py::arg("text"))
      .def("__len__", [](const Graph& graph) { return graph.nodes().size(); });
}

void bind_storage(py::module_& m) {
  py::class_<Variable, std::shared_ptr<Variable>>(m, "Variable",
                                                  "A tensor that outlives programs; its address never changes.")
      .def(py::init([](const std::string& dtype, Shape shape) {
             return std::make_shared<Variable>(Type{dtype_of(dtype), std::move(shape)});
           }),
           py::arg("dtype"), py::arg("shape"))
      .def(
          "write",
          [](Variable& variable, const py::array& array) {
            check_array(array, variable.type(), 0, "write");
            std::memcpy(variable.data(), array.data(), variable.size());
            variable.touch();
          },
          py::arg("array"))
      .def(
          "clear",
          [](Variable& variable) {
            std::memset(variable.data(), 0, variable.size());
            variable.touch();
          },
          "Sets all elements to zero.")
      .def("read",
           [](const Variable& variable) {
             py::array out = new_array(variable.type());
             std::memcpy(out.mutable_data(), variable.data(), variable.size());
             return out;
           })
      .def(
          "view",
          [](const std::shared_ptr<Variable>& variable) {
            const Shape& shape = variable->type().shape;
            py::array out(numpy_dtype(variable->type().dtype), std::vector<py::ssize_t>(shape.begin(), shape.end()),
                          variable->data(), py::cast(variable));
            out.attr("flags").attr("writeable") = false;
            return out;
          },
          "A read-only array over the variable's own memory.")
      .def_property_readonly("dtype", [](const Variable& variable) { return name_of(variable.type().dtype); })
      .def_property_readonly("shape", [](const Variable& variable) { return to_python(variable.type().shape); })
      .def_property_readonly("version", &Variable::version);
  py::class_<Arena, std::shared_ptr<Arena>>(m, "Arena",
                                            "Scratch memory that the programs of one model take turns with.")
      .def(py::init<>())
      .def_property_readonly("bytes", &Arena::size);
}

void bind_program(py::module_& m) {
  py::class_<Program>(m, "Program", "A graph compiled for a device and bound to variables.")
      .def(py::init([](const Graph& graph, std::vector<std::shared_ptr<Variable>> variables,
                       std::shared_ptr<Arena> arena, const std::string& device) {
             check(device == "cpu" || device == "cuda", "program: requires device 'cpu' or 'cuda', got '", device, "'");
             const Backend& backend = device == "cpu" ? cpu_backend() : cuda_backend();
             if (arena == nullptr) arena = std::make_shared<Arena>();
             return std::make_unique<Program>(graph, std::move(variables), std::move(arena), backend);
           }),
           py::arg("graph"), py::arg("variables"), py::arg("arena") = nullptr, py::arg("device") = "cpu")
      .def("call", &call, py::arg("inputs"), py::arg("kind") = py::none(),
           "One step on exactly these arrays; returns the outputs, of ndarray's subclass `kind` if given.")
      .def("run", &run, py::arg("feeds"), py::arg("index"), py::arg("rows"), py::arg("results"), py::arg("first"),
           py::arg("last"), py::arg("seconds") = 0.0,
           "Steps first..last-1; returns the step it stopped before when the seconds had passed.")
      .def("text", &Program::text)
      .def_property_readonly("arena_bytes", &Program::arena_bytes)
      .def_property_readonly("sharers", &Program::sharers, "Workers that ran shared tasks in the last run.")
      .def_property_readonly("steps", &steps);
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "The engine of nabi: graphs, programs and variables.";
  py::register_exception_translator(&translate);
  bind_graph(m);
  bind_storage(m);
  bind_program(m);
  m.def("ratio", &ratio, py::arg("total"), py::arg("count"),
        "total / count of two scalar variables; 0 where count is 0.");
  m.def("op_table", &op_table_list, "Every op: name, family, inputs, traits and attributes with their defaults.");
  m.def(
      "permutation",
      [](std::int64_t n, std::uint64_t seed, std::uint32_t fit, std::uint32_t epoch) {
        check(n >= 0, "permutation: requires n >= 0, got ", n);
        py::array_t<std::int64_t> out(n);
        shuffle(n, seed, fit, epoch, out.mutable_data());
        return out;
      },
      py::arg("n"), py::arg("seed"), py::arg("fit"), py::arg("epoch"),
      "A permutation of 0..n-1 fixed by its arguments.");
  m.def(
      "set_num_threads",
      [](std::optional<int> threads) {
        check(!threads.has_value() || (*threads >= 1 && *threads <= kMostThreads), "set_num_threads: requires 1 to ",
              kMostThreads, " threads, got ", threads.value_or(0));
        set_num_threads(threads.value_or(0));
      },
      py::arg("threads"));
  m.def("get_num_threads", &num_threads);
  m.def("set_isa", [](const std::optional<std::string>& name) { cpu::set_isa(name.value_or("")); }, py::arg("name"));
  m.def("isa", &cpu::isa, "The instruction set whose kernels new programs use.");
  m.def("set_exact_convolution", &cpu::set_exact_convolution, py::arg("on"),
        "New programs compute every convolution directly, none by Winograd's algorithm.");
  m.def("exact_convolution", &cpu::exact_convolution);
  m.def("isas", &cpu::isas, "Instruction sets usable here, slowest first.");
  m.def("force_sharing", &force_sharing, py::arg("on"), "Tests only: shares every phase with two or more tasks.");
  m.def("entries", [] { return entry_count.load(); }, "Runs entered since the module was loaded.");
  m.def("build_info", &build_info);
  m.def("times", &Times::text, "Measured times of the programs built under NABI_DEBUG=times, as text; starts anew.");
  m.def(
      "measure",
      [] {
        const cpu::Yardstick found = cpu::measure();
        py::dict out;
        out["clock"] = found.clock;
        out["flops"] = found.flops;
        return out;
      },
      "One core's clock and float32 peak under the instruction set in use, in cycles and operations a second.");
  m.def("measure_clock", &cpu::measure_clock, "One core's clock in cycles a second; 0 where it cannot be measured.");
  m.def("measure_copy", &cpu::measure_copy, py::arg("bytes"), py::call_guard<py::gil_scoped_release>(),
        "Bytes read and written a second by the team's copy, source and target together of this size.");
  m.def("measure_hop", &cpu::measure_hop, py::call_guard<py::gil_scoped_release>(),
        "Seconds in which a cache line goes from one worker to another.");
}

}  // namespace nabi::bind
