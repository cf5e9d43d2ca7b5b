// csrc/cuda/none.cpp -- stands in for the CUDA backend in a build without it
#include "error.h"
#include "runtime/backend.h"

namespace nabi {

const Backend& cuda_backend() {
  throw NotImplemented("device 'cuda': this build of nabi has no CUDA backend; use device 'cpu'");
}

}  // namespace nabi
