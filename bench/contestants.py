"""One library training the course's models, in a process of its own; bench/peers.py starts it and tells it what to do.

Commands are lines of JSON on standard input, answers lines of JSON on standard output. nabi and Keras run the same
code; PyTorch runs the same models, written for it and told its best settings.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any

LIBRARIES = ("nabi", "torch", "torch-cl", "torch-compile", "keras-tf", "keras-jax")


#: A sample is the quickest of so many passes over its data: others use the machine too.
PIECES = 4

#: What seconds are: the clock's, or with --cpu-time the processor's, which on one thread are the same to a machine that
#: does nothing else, and right on one that does.
CLOCK: Callable[[], float] = time.perf_counter


class Course:
    """What a model of the course is, whatever the library.

    Args:
        shape: of one row.
        classes: of the softmax.
        parameters: trainable ones and others.
        batch: the course's own batch size.
        optimizer: "adam" or "rmsprop", with Keras's default settings.
        rate: learning rate.
        flops: of one row forward, roughly; decides how long a sample is.
        layers: ("conv", filters, kernel, relu), ("norm",), ("pool",), ("drop", rate), ("flat",) and
            ("dense", units, relu).
        l2: penalty on the convolutions' kernels.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        parameters: int,
        batch: int,
        optimizer: str,
        rate: float,
        flops: float,
        layers: list[tuple[Any, ...]],
        l2: float = 0.0,
    ) -> None:
        self.shape, self.classes, self.parameters, self.batch = shape, classes, parameters, batch
        self.optimizer, self.rate, self.flops, self.layers, self.l2 = optimizer, rate, flops, layers, l2

    def steps(self, batch: int, seconds: float) -> int:
        """Steps of an epoch that takes a usual library about so many seconds."""
        step = 0.3e-3 + 3 * batch * self.flops / 1.5e11
        return max(2 if step > 0.1 else 4, min(1000, round(seconds / step)))

    def data(self, rows: int) -> tuple[Array, Array]:
        """Images between 0 and 1 and one-hot labels."""
        rng = np.random.default_rng(1)
        labels = rng.integers(0, self.classes, rows)
        return rng.random((rows, *self.shape), dtype="float32"), np.eye(self.classes, dtype="float32")[labels]

    def weights(self, shapes: list[tuple[int, ...]]) -> list[Array]:
        """The same weights for every library, of these shapes: kernels Glorot-uniform, vectors kept by the caller."""
        rng = np.random.default_rng(2)
        out = []
        for shape in shapes:
            field = math.prod(shape[:-2])
            limit = math.sqrt(6 / (field * (shape[-1] + shape[-2]))) if len(shape) > 1 else 0.0
            out.append(rng.uniform(-limit, limit, shape).astype("float32"))
        return out


def _improved() -> list[tuple[Any, ...]]:
    layers: list[tuple[Any, ...]] = []
    for filters, rate in ((32, 0.2), (64, 0.3), (128, 0.4)):
        layers += [("conv", filters, 3, True), ("norm",)] * 2 + [("pool",), ("drop", rate)]
    return [*layers, ("flat",), ("dense", 10, False)]


COURSE = {
    "blobs": Course((2,), 3, 153, 32, "adam", 1e-3, 250, [("dense", 25, True), ("dense", 3, False)]),
    "mlp": Course(
        (28, 28),
        10,
        669_706,
        128,
        "rmsprop",
        1e-3,
        1.3e6,
        [("flat",), ("dense", 512, True), ("dense", 512, True), ("dense", 10, False)],
    ),
    "mnist_cnn": Course(
        (28, 28, 1),
        10,
        220_234,
        128,
        "rmsprop",
        1e-3,
        8.1e6,
        [
            ("conv", 32, 3, True),
            ("pool",),
            ("conv", 64, 3, True),
            ("pool",),
            ("flat",),
            ("dense", 64, True),
            ("dense", 10, False),
        ],
    ),
    "cifar_cnn": Course(
        (32, 32, 3),
        10,
        528_054,
        32,
        "rmsprop",
        1e-3,
        3.5e6,
        [
            ("conv", 16, 2, True),
            ("pool",),
            ("conv", 32, 2, True),
            ("pool",),
            ("conv", 64, 2, True),
            ("pool",),
            ("flat",),
            ("drop", 0.3),
            ("dense", 500, True),
            ("drop", 0.4),
            ("dense", 10, False),
        ],
    ),
    "cifar_improved": Course((32, 32, 3), 10, 309_290, 128, "adam", 1e-4, 77e6, _improved(), l2=1e-4),
}


class KerasLike:
    """nabi, or Keras on TensorFlow or JAX: one program for both."""

    def __init__(self, library: str, threads: int) -> None:
        if library == "nabi":
            import nabi as keras

            keras.config.set_num_threads(threads)
        else:
            os.environ["KERAS_BACKEND"] = {"keras-tf": "tensorflow", "keras-jax": "jax"}[library]
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
            if library == "keras-tf":
                import tensorflow

                tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
                tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
            import keras
        self.library, self.keras = library, keras

    def versions(self) -> str:
        keras = self.keras
        if self.library == "nabi":
            return f"nabi {keras.__version__}"
        backend = __import__({"keras-tf": "tensorflow", "keras-jax": "jax"}[self.library])
        return f"Keras {keras.__version__} on {backend.__name__} {backend.__version__}"

    def build(self, name: str, checking: bool = False) -> Any:
        """The compiled model; for checks without dropout, and under plain gradient descent."""
        course, keras = COURSE[name], self.keras
        layers, out = keras.layers, [keras.Input(course.shape)]
        for number, (kind, *rest) in enumerate(course.layers):
            last = number == len(course.layers) - 1
            if kind == "conv":
                penalty = keras.regularizers.L2(course.l2) if course.l2 else None
                if course.l2:  # the course writes the activation as a layer of its own here
                    out.append(layers.Conv2D(rest[0], rest[1], padding="same", kernel_regularizer=penalty))
                    out.append(layers.Activation("relu"))
                else:
                    out.append(layers.Conv2D(rest[0], rest[1], padding="same", activation="relu"))
            elif kind == "dense":
                out.append(layers.Dense(rest[0], activation="softmax" if last else "relu"))
            elif kind == "norm":
                out.append(layers.BatchNormalization())
            elif kind == "pool":
                out.append(layers.MaxPooling2D(2))
            elif kind == "flat":
                out.append(layers.Flatten())
            elif not checking:
                out.append(layers.Dropout(rest[0]))
        model = keras.Sequential(out)
        optimizers = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
        rule = keras.optimizers.SGD(0.01) if checking else optimizers[course.optimizer](course.rate)
        model.compile(rule, "categorical_crossentropy", metrics=["accuracy"])
        kernels = [w for w in model.weights if len(w.shape) > 1]
        for variable, value in zip(kernels, course.weights([tuple(w.shape) for w in kernels]), strict=True):
            variable.assign(value)
        return model

    def parameters(self, name: str) -> int:
        return int(self.build(name).count_params())

    def losses(self, name: str, batch: int, steps: int) -> list[float]:
        """Of the first steps from the weights that all libraries share."""
        model = self.build(name, checking=True)
        x, y = COURSE[name].data(batch)
        out = []
        for _ in range(steps):
            model.reset_metrics()  # train_on_batch answers with the mean since the last reset
            out.append(float(model.train_on_batch(x, y)[0]))
        return out

    def prepare(self, name: str, batch: int, seconds: float) -> None:
        self.forget()
        self.model, self.batch = self.build(name), batch
        # An epoch of Keras begins with tens of milliseconds of its own: there are more steps to bear them.
        self.count = COURSE[name].steps(batch, seconds if self.library == "nabi" else 5 * seconds)
        self.x, self.y = COURSE[name].data(self.count * batch)

    def sample(self) -> float:
        """Seconds a step in the quickest epoch of a fit but its first."""
        times: list[float] = []

        class Clock(self.keras.callbacks.Callback):  # type: ignore[misc, name-defined]
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                times.append(CLOCK())

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                times.append(CLOCK())

        own = {} if self.library == "nabi" else {"shuffle": False}
        self.model.fit(self.x, self.y, batch_size=self.batch, epochs=1 + PIECES, verbose=0, callbacks=[Clock()], **own)
        return min(b - a for a, b in zip(times[2::2], times[3::2], strict=True)) / self.count

    def calls(self, name: str) -> dict[str, Callable[[], Any]]:
        """Ways to predict, and to learn from, a single row."""
        model = self.build(name)
        x, y = COURSE[name].data(1)
        convert = self.keras.ops.convert_to_tensor
        tensor = x if self.library == "nabi" else convert(x)
        finish = np.asarray  # JAX and TensorFlow answer before they are done
        return {
            "predict": lambda: model.predict(x, verbose=0),
            "predict_on_batch": lambda: model.predict_on_batch(x),
            "model(x)": lambda: finish(model(tensor, training=False)),
            "train_on_batch": lambda: model.train_on_batch(x, y),
        }

    def train(self, name: str, batch: int, steps: int) -> Callable[[], None]:
        """A fit that has not begun: its memory is measured."""
        model = self.build(name)
        x, y = COURSE[name].data(batch * steps)
        return lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0) and None

    def forget(self) -> None:
        self.model = self.x = self.y = None
        self.keras.backend.clear_session()
        gc.collect()


class Torch:
    """PyTorch: eager, eager in channels_last, or compiled (convolutions in channels_last)."""

    def __init__(self, library: str, threads: int) -> None:
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
        import torch

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.library, self.torch = library, torch
        self.last = library != "torch"

    def versions(self) -> str:
        return f"PyTorch {self.torch.__version__}"

    def build(self, name: str, checking: bool = False) -> tuple[Any, Any]:
        """The network, up to the logits, and its optimizer; see KerasLike.build."""
        torch, course = self.torch, COURSE[name]
        nn = torch.nn
        out: list[Any] = []
        shape = course.shape
        for kind, *rest in course.layers:
            if kind == "conv":
                filters, kernel, relu = rest
                if kernel % 2 == 0:
                    out.append(nn.ZeroPad2d((0, kernel - 1, 0, kernel - 1)))  # what "same" means for even kernels
                out.append(nn.Conv2d(shape[2], filters, kernel, padding=kernel // 2 if kernel % 2 else 0))
                shape = (shape[0], shape[1], filters)
                if relu:
                    out.append(nn.ReLU(inplace=True))
            elif kind == "norm":
                out.append(nn.BatchNorm2d(shape[2], eps=1e-3, momentum=0.01))
            elif kind == "pool":
                out.append(nn.MaxPool2d(2))
                shape = (shape[0] // 2, shape[1] // 2, shape[2])
            elif kind == "flat":
                out.append(nn.Flatten())
                shape = (math.prod(shape),)
            elif kind == "dense":
                out.append(nn.Linear(shape[0], rest[0]))
                shape = (rest[0],)
                if rest[1]:
                    out.append(nn.ReLU(inplace=True))
            elif not checking:
                out.append(nn.Dropout(rest[0]))
        net = nn.Sequential(*out)
        self._set_weights(net, course)
        if self.last and len(course.shape) == 3:
            net = net.to(memory_format=torch.channels_last)
        kernels = [p for p in net.parameters() if p.dim() == 4]
        others = [p for p in net.parameters() if p.dim() != 4]
        # Keras's penalty is l2 * w^2, whose gradient is twice what weight_decay adds.
        groups = [{"params": others}, {"params": kernels, "weight_decay": 2 * course.l2}] if kernels else others
        if checking:  # PyTorch's RMSprop adds epsilon outside the root, so its first steps are others
            rule = torch.optim.SGD(groups, lr=0.01)
        elif course.optimizer == "adam":
            rule = torch.optim.Adam(groups, lr=course.rate, eps=1e-7, fused=True)
        else:  # has no fused form
            rule = torch.optim.RMSprop(groups, lr=course.rate, alpha=0.9, eps=1e-7, foreach=True)
        return net, rule

    def _set_weights(self, net: Any, course: Course) -> None:
        """Keras's layouts: filters (height, width, in, out), dense (in, out) on images flattened with channels last."""
        torch, nn = self.torch, self.torch.nn
        modules = [m for m in net if isinstance(m, nn.Conv2d | nn.Linear)]
        shapes = []
        for m in modules:
            out, into, *field = m.weight.shape
            shapes.append((*field, into, out))
        channels, image = 0, None
        for m, value in zip(modules, course.weights(shapes), strict=True):
            if isinstance(m, nn.Conv2d):
                channels = m.out_channels
                value = value.transpose(3, 2, 0, 1)
                image = True
            else:
                if image:
                    side = math.isqrt(value.shape[0] // channels)
                    value = value.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(value.shape)
                    image = None
                value = value.T
            with torch.no_grad():
                m.weight.copy_(torch.from_numpy(value.copy()))
                m.bias.zero_()

    def tensors(self, name: str, rows: int) -> tuple[Any, Any]:
        torch = self.torch
        x, y = COURSE[name].data(rows)
        images = torch.from_numpy(x)
        if x.ndim == 4:
            images = images.permute(0, 3, 1, 2)
            images = images.contiguous(memory_format=torch.channels_last) if self.last else images.contiguous()
        return images, torch.from_numpy(y.argmax(1))

    def parameters(self, name: str) -> int:
        net, _ = self.build(name)
        moving = sum(2 * m.num_features for m in net if isinstance(m, self.torch.nn.BatchNorm2d))
        return sum(p.numel() for p in net.parameters()) + moving

    def step(self, net: Any, rule: Any) -> Callable[[Any, Any], Any]:
        """One training step without metrics; returns the loss as a tensor."""
        functional = self.torch.nn.functional

        def loss_of(x: Any, y: Any) -> Any:
            return functional.cross_entropy(net(x), y)

        update = rule.step
        if self.library == "torch-compile":
            self.torch._dynamo.reset()
            loss_of = self.torch.compile(loss_of, dynamic=False)
            if not rule.defaults.get("fused"):
                update = self.torch.compile(rule.step, dynamic=False)

        def step(x: Any, y: Any) -> Any:
            rule.zero_grad(set_to_none=True)
            loss = loss_of(x, y)
            loss.backward()
            update()
            return loss

        return step

    def losses(self, name: str, batch: int, steps: int) -> list[float]:
        net, rule = self.build(name, checking=True)
        step = self.step(net.train(), rule)
        x, y = self.tensors(name, batch)
        out = []
        for _ in range(steps):
            penalty = sum(float((p.detach() ** 2).sum()) for p in net.parameters() if p.dim() == 4)
            out.append(float(step(x, y).detach()) + COURSE[name].l2 * penalty)
        return out

    def prepare(self, name: str, batch: int, seconds: float) -> None:
        self.forget()
        net, rule = self.build(name)
        self.batch, self.count = batch, COURSE[name].steps(batch, seconds)
        self.x, self.y = self.tensors(name, self.count * batch)
        self.run = self.step(net.train(), rule)

    def sample(self) -> float:
        x, y, size, run = self.x, self.y, self.batch, self.run
        for i in range(min(10, self.count)):  # the threads wake up
            run(x[i * size : (i + 1) * size], y[i * size : (i + 1) * size])
        times = []
        for _ in range(PIECES):
            start = CLOCK()
            for i in range(self.count):
                run(x[i * size : (i + 1) * size], y[i * size : (i + 1) * size])
            times.append(CLOCK() - start)
        return min(times) / self.count

    def calls(self, name: str) -> dict[str, Callable[[], Any]]:
        torch = self.torch
        net, rule = self.build(name)
        step = self.step(net, rule)
        x, y = self.tensors(name, 1)
        frozen, _ = self.build(name)
        frozen.eval()
        forward = torch.compile(frozen, dynamic=False) if self.library == "torch-compile" else frozen

        def infer() -> Any:
            with torch.inference_mode():
                return forward(x)

        return {"model(x)": infer, "train_on_batch": lambda: step(x, y).item()}

    def train(self, name: str, batch: int, steps: int) -> Callable[[], None]:
        self.prepare(name, batch, 0.0)
        self.count = steps
        self.x, self.y = self.tensors(name, batch * steps)
        return lambda: self.sample() and None

    def forget(self) -> None:
        self.x = self.y = self.run = None
        gc.collect()


def memory(field: str) -> int:
    """A line of /proc/self/status in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field + ":"))


def memory_rise(library: Any, name: str, batch: int) -> int:
    """Bytes by which training lifts the process above what it held just before, at its peak."""
    train = library.train(name, batch, 10)
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
    before = memory("VmRSS")
    train()
    return memory("VmHWM") - before


def time_calls(call: Callable[[], Any], count: int) -> list[float]:
    out = []
    for _ in range(count):
        start = CLOCK()
        call()
        out.append(CLOCK() - start)
    return out


def answer(library: Any, state: dict[str, Any], command: dict[str, Any]) -> Any:
    """What a command returns."""
    kind, name = command["do"], command.get("model", "")
    if kind == "versions":
        return library.versions()
    if kind == "parameters":
        return library.parameters(name)
    if kind == "losses":
        return library.losses(name, command["batch"], command["steps"])
    if kind == "prepare":
        library.prepare(name, command["batch"], command["seconds"])
        return [library.sample() for _ in range(2)]
    if kind == "sample":
        return library.sample()
    if kind == "calls":
        state["calls"] = library.calls(name)
        return {way: min(time_calls(call, 5)) for way, call in state["calls"].items()}
    if kind == "time":
        return time_calls(state["calls"][command["way"]], command["count"])
    if kind == "memory":
        return memory_rise(library, name, command["batch"])
    raise ValueError(f"contestants: unknown command {kind!r}")


def make(library: str, threads: int) -> Any:
    return (Torch if library.startswith("torch") else KerasLike)(library, threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--cpu-time", action="store_true")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # libraries without a setting of their own look at this
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    if args.cpu_time:
        global CLOCK
        CLOCK = time.process_time
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    library = make(args.library, args.threads)
    state: dict[str, Any] = {}
    for line in sys.stdin:
        try:
            out = {"answer": answer(library, state, json.loads(line))}
        except Exception as error:
            out = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(out), file=answers, flush=True)


if __name__ == "__main__":
    main()
