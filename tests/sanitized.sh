#!/usr/bin/env bash
# Builds a sanitizer preset and runs the op, pass and run tests on it: tests/sanitized.sh asan|tsan [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?asan or tsan}
shift
cmake --preset "$preset" -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" -DPython_EXECUTABLE="$(command -v python)"
cmake --build --preset "$preset" -j "$(nproc)"

# A copy of the package beside the sanitized module; the interpreter itself is not instrumented, so the library is preloaded.
package=$(mktemp -d)
cp -r python/nabi "$package/nabi"
rm -f "$package"/nabi/_core*.so
cp build/"$preset"/_core*.so "$package/nabi/"
case $preset in
  asan) library=libasan.so; stdcxx=$(g++ -print-file-name=libstdc++.so.6) ;;
  tsan) library=libtsan.so; stdcxx= ;;
esac
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1 TSAN_OPTIONS=halt_on_error=1
LD_PRELOAD="$(g++ -print-file-name=$library) $stdcxx" PYTHONPATH="$package" \
  python -m pytest "${@:-tests/test_ops.py tests/passes tests/test_run.py}"
