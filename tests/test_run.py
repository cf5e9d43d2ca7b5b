"""Program.run: batches gathered from any array, state written in place, faults that change nothing, threads, fork."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from nabi import _core


def build(make, arena=None):
    """A program from a function on a graph that returns (outputs, updates, variables)."""
    graph = _core.Graph()
    outputs, updates, variables = make(graph)
    graph.set_outputs(outputs)
    for slot, value in updates.items():
        graph.set_update(slot, value)
    return _core.Program(graph, variables, arena)


def doubling(rows, shape=(3,), dtype="float32"):
    def make(graph):
        x = graph.input(0, dtype, (rows, *shape))
        two = graph.constant(2, dtype)
        return graph.add("multiply", [x, two]), {}, []

    return build(make)


def counter(rows):
    """Adds the sum of each batch to a variable."""
    total = _core.Variable("float32", ())

    def make(graph):
        x = graph.input(0, "float32", (rows,))
        v = graph.variable(0, "float32", ())
        s = graph.add("reduce_sum", [x], {"axes": [0]})[0]
        return [], {0: graph.add("add", [v, s])[0]}, [total]

    return build(make), total


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed", "broadcast"])
def test_feeds_of_any_dtype_and_layout(dtype, layout):
    base = (np.arange(6 * 4 * 5) % 2 if dtype == "?" else np.arange(6 * 4 * 5) % 100).reshape(6, 4, 5).astype(dtype)
    x = {
        "C": lambda: base,
        "F": lambda: np.asfortranarray(base),
        "strided": lambda: np.repeat(np.repeat(base, 2, 0), 2, 2)[::2, :, ::2],
        "reversed": lambda: base[::-1, :, ::-1],
        "broadcast": lambda: np.broadcast_to(base[:, :1], (6, 4, 5)),
    }[layout]()
    program = doubling(2, (4, 5))
    index = np.array([5, 0, 3, 3, 1, 2])
    for order in (None, index):
        out = np.full((6, 4, 5), np.nan, "float32")
        assert program.run([x], order, 2, [out], 0, 3) == 3
        np.testing.assert_array_equal(out, (x if order is None else x[order]).astype("float32") * 2)


def test_integers_bools_and_large_values_keep_their_dtype():
    program = doubling(1, (2,), "int64")
    x = np.array([[2**40, -(2**41)]])
    out = np.empty_like(x)
    program.run([x], None, 1, [out], 0, 1)
    np.testing.assert_array_equal(out, x * 2)


def test_a_memory_map_is_read_batch_by_batch(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(12, dtype="float64").reshape(6, 2))
    x = np.load(path, mmap_mode="r")
    out = np.empty((6, 2), "float32")
    doubling(3, (2,)).run([x], None, 3, [out], 0, 2)
    np.testing.assert_array_equal(out, np.asarray(x, "float32") * 2)


def test_steps_continue_where_a_run_stopped():
    x = np.arange(40, dtype="float32")
    program, total = counter(4)
    assert program.run([x], None, 4, [], 0, 3) == 3
    assert program.run([x], None, 4, [], 3, 10) == 10
    assert total.read() == x.sum()
    assert total.version >= 2


def test_a_time_limit_stops_after_a_step():
    x = np.zeros(1_000_000, "float32")
    program, _ = counter(1)
    stopped = program.run([x], None, 1, [], 0, 1_000_000, 1e-4)
    assert 1 <= stopped < 1_000_000


def test_variables_swap():
    a, b = _core.Variable("float32", (2,)), _core.Variable("float32", (2,))
    a.write(np.float32([1, 2]))
    b.write(np.float32([3, 4]))

    def make(graph):
        return [], {0: graph.variable(1, "float32", (2,)), 1: graph.variable(0, "float32", (2,))}, [a, b]

    program = build(make)
    program.call([])
    assert a.read().tolist() == [3, 4] and b.read().tolist() == [1, 2]


def test_an_old_value_is_read_before_the_new_one_is_written():
    v = _core.Variable("float32", (3,))
    v.write(np.float32([1, 2, 3]))

    def make(graph):
        old = graph.variable(0, "float32", (3,))
        new = graph.add("multiply", [old, graph.constant(10, "float32")])[0]
        return [graph.add("add", [old, new])[0], graph.add("reshape", [old], {"shape": [3, 1]})[0]], {0: new}, [v]

    both, old = build(make).call([])
    assert both.tolist() == [11, 22, 33] and old.ravel().tolist() == [1, 2, 3] and v.read().tolist() == [10, 20, 30]


def test_bad_data_changes_nothing():
    w = _core.Variable("float32", (2,))
    w.write(np.float32([1, 1]))

    def make(graph):
        labels = graph.input(0, "int32", (2,))
        early = graph.add("multiply", [graph.variable(0, "float32", (2,)), graph.constant(5, "float32")])[0]
        logits = graph.add("broadcast_to", [early], {"shape": [2, 2]})[0]
        loss = graph.add("sparse_softmax_cross_entropy", [logits, labels])[0]
        slope = graph.gradients([loss], [logits])[0]  # made by a node that checks the labels again
        both = graph.add("add", [loss, graph.add("reduce_sum", [slope], {"axes": [1]})[0]])[0]
        return [loss], {0: graph.add("add", [early, both])[0]}, [w]

    program = build(make)
    y = np.array([0, 1, 1, 7, 0, 0])
    with pytest.raises(ValueError, match="sparse_softmax_cross_entropy: requires labels from 0 to 1, got 7 in step 1"):
        program.run([y], None, 2, [], 0, 3)
    after_one = w.read()
    assert np.all(after_one > 5)
    program.run([np.array([0, 1])], None, 2, [], 0, 1)  # usable after
    assert np.all(w.read() != after_one)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([np.zeros((4, 2), "f4")], None, 2, [], 0, 2), ValueError, r"requires rows of shape \(2, 3\)"),
        (([np.zeros((4, 3), "f4")], None, 2, [], 0, 3), ValueError, "requires 6 rows, got 4"),
        (([np.zeros((4, 3), "f4")], None, 3, [], 0, 1), ValueError, "requires programs whose inputs have 3 rows"),
        (([np.zeros((4, 3), "f4")], np.array([0, 4]), 2, [], 0, 1), ValueError, "row numbers from 0 to 3, got 4"),
        (([np.zeros((4, 3), "f4")], np.array([-1, 0]), 2, [], 0, 1), ValueError, "row numbers from 0 to 3, got -1"),
        (([np.zeros((4, 3), "f4")], np.array([0]), 2, [], 0, 1), ValueError, "requires 2 row numbers, got 1"),
        (([np.zeros((4, 3), "c8")], None, 2, [], 0, 1), TypeError, "arrays of numbers, got dtype complex64"),
        (([np.zeros((4, 3), ">f4")], None, 2, [], 0, 1), TypeError, "native byte order"),
        (([np.zeros((4, 3), object)], None, 2, [], 0, 1), TypeError, "arrays of numbers, got dtype object"),
        (([], None, 2, [], 0, 1), ValueError, "requires 1 arrays, got 0"),
        (([np.zeros((4, 3), "f4")], None, 2, [np.zeros((4, 2), "f4")], 0, 1), ValueError, "result: requires shape"),
        (
            ([np.zeros((4, 3), "f4")], None, 2, [np.zeros((4, 3), "f8")], 0, 1),
            TypeError,
            "result: requires dtype float32",
        ),
        (
            ([np.zeros((4, 3), "f4")], None, 2, [np.zeros((1, 3), "f4")], 0, 1),
            ValueError,
            "result arrays of 2 rows, got 1",
        ),
        (([np.zeros((4, 3), "f4")], None, 0, [], 0, 1), ValueError, "requires rows >= 1"),
        (([np.zeros((4, 3), "f4")], None, 2, [], 2, 1), ValueError, "requires 0 <= first <= last"),
    ],
)
def test_wrong_requests_are_refused(arguments, error, message):
    program = doubling(2)
    with pytest.raises(error, match=message):
        program.run(*arguments)
    out = np.empty((4, 3), "float32")
    program.run([np.ones((4, 3), "f4")], None, 2, [out], 0, 2)  # usable after
    assert np.all(out == 2)


def big_step(rows=64, width=512):
    weights = _core.Variable("float32", (width, width))
    weights.write(np.random.default_rng(0).normal(size=(width, width)).astype("float32") / width**0.5)

    def make(graph):
        x = graph.input(0, "float32", (rows, width))
        w = graph.variable(0, "float32", (width, width))
        for _ in range(4):
            x = graph.add("tanh", graph.add("matmul", [x, w]))[0]
        return [x], {}, [weights]

    return build(make)


def test_eight_threads_share_one_program():
    program = big_step()
    x = np.random.default_rng(1).normal(size=(64, 512)).astype("float32")
    expected = program.call([x])[0]
    wrong = []

    def work():
        for _ in range(20):
            if not np.array_equal(program.call([x])[0], expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)


def test_a_step_given_up_is_run_again_when_the_handler_does_not_raise():
    """Also in another thread, where Python's handler never runs."""
    program = big_step(rows=16384)  # some 35 GFLOP: long enough to be watched
    x = np.random.default_rng(1).normal(size=(16384, 512)).astype("float32")
    expected = program.call([x])[0]
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        found = []
        thread = threading.Thread(target=lambda: found.extend(program.call([x])[0] for _ in range(3)))
        timers = [threading.Timer(0.02 + 0.05 * i, lambda: os.kill(os.getpid(), signal.SIGINT)) for i in range(8)]
        for timer in timers:
            timer.start()
        found.extend(program.call([x])[0] for _ in range(3))
        thread.start()
        thread.join()
        for timer in timers:
            timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen and len(found) == 6
    assert all(np.array_equal(each, expected) for each in found)


def wait_for(pid, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_works():
    """libgomp's threads do not exist in the child: it must run on one thread, also when the parent was busy."""
    program = big_step()
    x = np.random.default_rng(1).normal(size=(64, 512)).astype("float32")
    expected = program.call([x])[0]
    running = True

    def busy():
        while running:
            program.call([x])

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                ok = np.array_equal(program.call([x])[0], expected) and _core.get_num_threads() == 1
                os._exit(0 if ok else 1)
            assert wait_for(pid) == 0
    finally:
        running = False
        thread.join()
    assert np.array_equal(program.call([x])[0], expected)


def test_three_workers_each_run_tasks():
    _core.set_num_threads(3)
    _core.force_sharing(True)
    program = big_step(rows=512)
    x = np.random.default_rng(1).normal(size=(512 * 20, 512)).astype("float32")
    most = 0
    for _ in range(20):
        program.run([x], None, 512, [np.empty_like(x)], 0, 20)
        most = max(most, program.sharers)
        if most == 3:
            break
    assert most == 3


def test_several_callers_and_one_team():
    """A caller that finds the team taken works alone; teams of other sizes come between; the bits are the same."""
    x = np.random.default_rng(2).normal(size=(64 * 6, 512)).astype("float32")
    _core.set_num_threads(1)
    expected = np.empty_like(x)
    big_step(rows=64).run([x], None, 64, [expected], 0, 6)
    _core.force_sharing(True)
    wrong = []

    def work(threads):
        program = big_step(rows=64)
        for _ in range(5):
            _core.set_num_threads(threads)
            out = np.empty_like(x)
            program.run([x], None, 64, [out], 0, 6)
            if out.tobytes() != expected.tobytes():
                wrong.append(threads)

    callers = [threading.Thread(target=work, args=(threads,)) for threads in (2, 3, 4, 5)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


def test_memory_error_says_how_much():
    resource = pytest.importorskip("resource")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * 4096
            resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), used + (64 << 20)))
            _core.Variable("float32", (1 << 28,))
        except MemoryError as error:
            code = 0 if "cannot allocate 1.00 GiB for a variable" in str(error) else 2
        os._exit(code)
    assert wait_for(pid) == 0


def test_settings_are_checked():
    with pytest.raises(ValueError, match="set_num_threads: requires 1 to 1024 threads, got 0"):
        _core.set_num_threads(0)
    with pytest.raises(ValueError, match="unknown instruction set 'sse9'"):
        _core.set_isa("sse9")
    with pytest.raises(NotImplementedError, match="no CUDA backend"):
        _core.Program(_core.Graph(), [], None, "cuda")
    with pytest.raises(ValueError, match="requires device 'cpu' or 'cuda', got 'tpu'"):
        _core.Program(_core.Graph(), [], None, "tpu")


def test_permutation_is_fixed_by_its_arguments():
    a = _core.permutation(1000, 7, 0, 3)
    assert np.array_equal(a, _core.permutation(1000, 7, 0, 3))
    assert sorted(a) == list(range(1000))
    for other in ((8, 0, 3), (7, 1, 3), (7, 0, 4)):
        assert not np.array_equal(a, _core.permutation(1000, *other))
    assert _core.permutation(0, 1, 1, 1).shape == (0,)
    counts = np.zeros((5, 5))
    for seed in range(2000):
        counts[np.arange(5), _core.permutation(5, seed, 0, 0)] += 1
    assert np.all(np.abs(counts - 400) < 100)


def probe(code, **environment):
    """What a fresh interpreter prints."""
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "NABI_ISA", "NABI_DEBUG")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**env, **environment})
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


THREADS = "from nabi import _core; print(_core.get_num_threads())"
ISA = "from nabi import _core; print(_core.isa())"


def test_the_environment_decides_threads_and_instruction_set():
    assert probe(THREADS, OMP_NUM_THREADS="5") == "5"  # obeyed above the number of CPUs too
    assert probe(THREADS, OMP_NUM_THREADS="2,4") == "2"
    automatic = probe(THREADS)
    assert 1 <= int(automatic) <= os.cpu_count()
    assert probe(THREADS, OMP_NUM_THREADS="many") == automatic
    for isa in _core.isas():
        assert probe(ISA, NABI_ISA=isa) == isa
    assert probe(ISA, NABI_ISA="") == _core.isas()[-1]
    assert "NABI_ISA: unknown instruction set 'sse9'; this machine has generic" in probe(ISA, NABI_ISA="sse9")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity masks")
def test_affinity_bounds_the_threads():
    assert probe("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" + THREADS) == "1"


DEBUG = """
from nabi import _core
graph = _core.Graph()
graph.set_outputs(graph.add("exp", [graph.input(0, "float32", (2,))]))
_core.Program(graph, [])
"""


TIMES = """
import numpy as np
from nabi import _core
_core.set_num_threads(2)
_core.force_sharing(True)
graph = _core.Graph()
x, w = graph.input(0, "float32", (64, 784)), graph.variable(0, "float32", (784, 512))
graph.set_outputs(graph.add("matmul", [x, w]))
program = _core.Program(graph, [_core.Variable("float32", (784, 512))])
rows = np.zeros((640, 784))  # float64: gathered, not read in place
program.run([rows], None, 64, [], 0, 10)
print(_core.times())
program.run([rows], None, 64, [], 0, 7)
"""


def test_debug_times_the_phases():
    env = {**os.environ, "NABI_DEBUG": "times"}
    done = subprocess.run([sys.executable, "-c", TIMES], capture_output=True, text=True, env=env, check=True)
    for text, steps in ((done.stdout, 10), (done.stderr, 7)):  # asked for, and what came after it when the process ends
        assert f"-- times: {steps} steps, " in text
        product, feed = (line for line in text.splitlines() if "matmul" in line or "gather 0" in line)
        median, mean, share, _, _, rate, threads, tasks = product.split()[:8]
        assert 0 < float(median) < 1e6
        assert 0 < float(mean) < 1e6
        assert 0 < float(share.rstrip("%")) < 100
        assert float(rate) > 0
        assert threads == "2"
        assert int(tasks) >= 2
        assert product.endswith("matmul float32[64,512]")
        assert float(feed.split()[0]) > 0
    assert _core.times() == ""  # nothing is timed without the flag


def test_debug_prints_the_stages():
    env = {**os.environ, "NABI_DEBUG": "graph,passes,memory,steps"}
    shown = subprocess.run([sys.executable, "-c", DEBUG], capture_output=True, text=True, env=env).stderr
    for part in ("graph as traced", "after simplify", "after fuse", "memory", "steps"):
        assert f"-- {part}\n" in shown
    assert "step 0: pointwise" in shown
