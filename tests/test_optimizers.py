"""Optimizers over several steps against float64 restatements of Keras's formulas, every option, every error."""

import inspect
import pickle
import re

import numpy as np
import pytest

import nabi
from nabi import constraints, ops, optimizers
from nabi.optimizers import schedules
from nabi.optimizers.optimizer import clip_by_global_norm, global_norm
from nabi.trace import Trace
from optimizer_reference import Adadelta, Adagrad, Adam, Adamax, Ftrl, Lamb, Lion, Nadam, RmsProp, Sgd

RNG = np.random.default_rng(3)
STEPS = 6
SHAPES = [(3, 4), (5,), ()]


ROWS = [
    ("SGD", Sgd, {}),
    ("SGD", Sgd, {"momentum": 0.9}),
    ("SGD", Sgd, {"momentum": 0.9, "nesterov": True}),
    ("Adam", Adam, {}),
    ("Adam", Adam, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    ("Adam", Adam, {"beta_1": 0.0}),
    ("Adam", Adam, {"amsgrad": True}),
    ("RMSprop", RmsProp, {}),
    ("RMSprop", RmsProp, {"rho": 0.5, "epsilon": 1e-3}),
    ("RMSprop", RmsProp, {"momentum": 0.6}),
    ("RMSprop", RmsProp, {"centered": True}),
    ("RMSprop", RmsProp, {"centered": True, "momentum": 0.6}),
    ("Adamax", Adamax, {}),
    ("Adamax", Adamax, {"beta_1": 0.5, "beta_2": 0.9}),
    ("Nadam", Nadam, {}),
    ("Nadam", Nadam, {"beta_1": 0.5, "beta_2": 0.9}),
    ("Lamb", Lamb, {}),
    ("Lion", Lion, {}),
    ("Lion", Lion, {"beta_1": 0.5, "beta_2": 0.5}),
    ("Adagrad", Adagrad, {}),
    ("Adagrad", Adagrad, {"initial_accumulator_value": 0.5, "epsilon": 1e-3}),
    ("Adadelta", Adadelta, {}),
    ("Adadelta", Adadelta, {"rho": 0.5, "epsilon": 1e-3}),
    ("Ftrl", Ftrl, {}),
    (
        "Ftrl",
        Ftrl,
        {
            "learning_rate_power": -0.3,
            "initial_accumulator_value": 0.2,
            "l1_regularization_strength": 0.05,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.2,
            "beta": 0.3,
        },
    ),
]
IDS = [f"{name}-{'-'.join(settings)}" for name, _, settings in ROWS]
NAMES = sorted({name for name, _, _ in ROWS} | {"AdamW"})


def start():
    return [RNG.normal(size=shape) for shape in SHAPES]


def gradients(steps=STEPS):
    return [[RNG.normal(size=shape).astype("float32") for shape in SHAPES] for _ in range(steps)]


def make(values, dtype="float32"):
    return [nabi.Variable(v.astype(dtype), dtype=dtype, name=f"w{i}") for i, v in enumerate(values)]


def step_program(optimizer, variables):
    """One training step as `fit` traces it: gradients come out of the graph."""
    optimizer.build(variables)
    with Trace() as trace:
        grads = [trace.input(v.shape, "float32") for v in variables]
        loss = sum(ops.sum(ops.convert_to_tensor(v) * g) for v, g in zip(variables, grads, strict=True))
        optimizer.apply(trace.gradients(loss, variables), variables)
        return trace.compile([]), trace.graph.text()


@pytest.mark.parametrize(("name", "reference", "settings"), ROWS, ids=IDS)
@pytest.mark.parametrize("way", ["eager", "program"])
def test_update(name, reference, settings, way):
    values, steps = start(), gradients()
    expected = reference(values, 0.1, **settings)
    variables, optimizer = make(values), getattr(optimizers, name)(0.1, **settings)
    program = step_program(optimizer, variables)[0] if way == "program" else None
    for grads in steps:
        expected.step(grads)
        if program is not None:
            program.call(grads)
        else:
            optimizer.apply_gradients(zip(grads, variables, strict=True))
        for variable, want in zip(variables, expected.w, strict=True):
            np.testing.assert_allclose(variable.numpy(), want, rtol=2e-4, atol=2e-6)
    assert optimizer.iterations.numpy() == STEPS
    assert optimizer.iterations.dtype == "int32"


@pytest.mark.parametrize(("name", "reference", "settings"), ROWS, ids=IDS)
def test_update_in_float64(name, reference, settings):
    values, steps = start(), gradients()
    expected = reference(values, 0.1, **settings)
    variables, optimizer = make(values, "float64"), getattr(optimizers, name)(0.1, **settings)
    for grads in steps:
        expected.step(grads)
        optimizer.apply_gradients(zip(grads, variables, strict=True))
    for variable, want in zip(variables, expected.w, strict=True):
        assert variable.dtype == "float64"
        np.testing.assert_allclose(variable.numpy(), want, rtol=1e-6, atol=1e-7)  # 0.1 itself is float32


@pytest.mark.parametrize(
    ("optimizer", "op"),
    [
        (lambda: optimizers.SGD(), "sgd_update"),
        (lambda: optimizers.SGD(momentum=0.9), "sgd_momentum_update"),
        (lambda: optimizers.Adam(), "adam_update"),
        (lambda: optimizers.AdamW(), "adam_update"),
        (lambda: optimizers.Adam(clipnorm=1.0), "adam_update"),
        (lambda: optimizers.RMSprop(), "rmsprop_update"),
        (lambda: optimizers.Adam(amsgrad=True), None),
        (lambda: optimizers.RMSprop(centered=True), None),
        (lambda: optimizers.RMSprop(momentum=0.5), None),
    ],
)
def test_fused_update_ops(optimizer, op):
    _, text = step_program(optimizer(), make(start()))
    found = re.findall(r"\w+_update\b", text)
    assert found == ([op] * len(SHAPES) if op else [])


def test_learning_rate_set_does_not_trace_again():
    variables = make([np.ones(3)])
    optimizer = optimizers.SGD(0.5)
    program, _ = step_program(optimizer, variables)
    program.call([np.ones(3, "float32")])
    np.testing.assert_allclose(variables[0].numpy(), 0.5)
    optimizer.learning_rate = 0.25
    program.call([np.ones(3, "float32")])
    np.testing.assert_allclose(variables[0].numpy(), 0.25)
    version = optimizer._version
    optimizer.learning_rate.assign(0.125)
    optimizer.learning_rate = 1
    assert float(optimizer.learning_rate) == 1.0
    assert optimizer._version == version


def test_a_changed_setting_takes_effect():
    variables = make([np.ones(3)])
    optimizer = optimizers.SGD(0.5)
    optimizer.apply([np.full(3, 4.0)], variables)
    np.testing.assert_allclose(variables[0].numpy(), -1.0)
    version = optimizer._version
    optimizer.clipvalue = 1.0
    assert optimizer._version > version
    optimizer.apply([np.full(3, 4.0)], variables)
    np.testing.assert_allclose(variables[0].numpy(), -1.5)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Nadam"])
def test_schedule_as_learning_rate(name):
    reference = {"SGD": Sgd, "Adam": Adam, "RMSprop": RmsProp, "Nadam": Nadam}[name]
    values, steps = start(), gradients()
    expected = reference(values, lambda step: 0.1 * 0.5 ** (step / 2))
    variables, optimizer = make(values), getattr(optimizers, name)(schedules.ExponentialDecay(0.1, 2, 0.5))
    assert len(optimizer.variables) == 1
    program, _ = step_program(optimizer, variables)
    for grads in steps:
        expected.step(grads)
        program.call(grads)
    for variable, want in zip(variables, expected.w, strict=True):
        np.testing.assert_allclose(variable.numpy(), want, rtol=2e-4, atol=2e-6)
    np.testing.assert_allclose(optimizer.learning_rate, 0.1 * 0.5**3, rtol=1e-6)


def test_callable_learning_rate():
    variables = make([np.ones(2)])
    optimizer = optimizers.SGD(lambda: 0.25)
    optimizer.apply([np.ones(2)], variables)
    np.testing.assert_allclose(variables[0].numpy(), 0.75)
    assert optimizer.learning_rate == 0.25


def test_learning_rate_replaced_by_a_schedule():
    optimizer = optimizers.SGD(0.5)
    variables = make([np.ones(2)])
    optimizer.apply([np.ones(2)], variables)
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([1], [0.25, 0.125])
    assert [v.name for v in optimizer.variables] == ["iteration"]
    optimizer.apply([np.ones(2)], variables)
    np.testing.assert_allclose(variables[0].numpy(), 0.25)
    with pytest.raises(TypeError, match="This optimizer was created with a `LearningRateSchedule` object"):
        optimizer.learning_rate = 0.1


# Options


def run(optimizer, values, steps):
    variables = make(values)
    for grads in steps:
        optimizer.apply(grads, variables)
    return [v.numpy() for v in variables]


def test_clipnorm():
    values, steps = start(), gradients()
    got = run(optimizers.SGD(0.1, clipnorm=0.7), values, steps)
    expected = Sgd(values, 0.1)
    for grads in steps:
        expected.step([g * 0.7 / max(np.sqrt((g.astype("float64") ** 2).sum()), 0.7) for g in grads])
    for a, b in zip(got, expected.w, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert run(optimizers.SGD(0.1, clipnorm=0.7), [np.ones(3)], [[np.zeros(3)]])[0].tolist() == [1, 1, 1]


def test_clipvalue():
    values, steps = start(), gradients()
    got = run(optimizers.SGD(0.1, clipvalue=0.3), values, steps)
    expected = Sgd(values, 0.1)
    for grads in steps:
        expected.step([np.clip(g, -0.3, 0.3) for g in grads])
    for a, b in zip(got, expected.w, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("limit", [0.7, 100.0])
def test_global_clipnorm(limit):
    values, steps = start(), gradients()
    got = run(optimizers.SGD(0.1, global_clipnorm=limit), values, steps)
    expected = Sgd(values, 0.1)
    for grads in steps:
        norm = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in grads))
        expected.step([g * limit / max(norm, limit) for g in grads])
    for a, b in zip(got, expected.w, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_global_norm_of_a_gradient_that_is_not_finite():
    np.testing.assert_allclose(global_norm([np.array([3.0]), np.array([[4.0]])]), 5.0)
    assert all(np.isnan(g).all() for g in clip_by_global_norm([np.array([np.inf]), np.array([1.0])], 1.0))
    got = run(optimizers.SGD(0.1, global_clipnorm=1.0), [np.ones(1), np.ones(2)], [[np.array([np.inf]), np.ones(2)]])
    assert all(np.isnan(w).all() for w in got)


def test_weight_decay_comes_before_the_update():
    values, steps = start(), gradients()
    got = run(optimizers.Adam(0.1, weight_decay=0.2), values, steps)
    expected = Adam(values, 0.1)
    for grads in steps:
        expected.w = [w - w * 0.2 * 0.1 for w in expected.w]
        expected.step(grads)
    for a, b in zip(got, expected.w, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)
    got = run(optimizers.AdamW(0.1, weight_decay=0.2), values, steps)
    for a, b in zip(got, expected.w, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)


def test_exclude_from_weight_decay():
    def decayed(**kwargs):
        variables = [nabi.Variable(2.0, name=name) for name in ("kernel", "bias", "gamma")]
        optimizer = optimizers.SGD(1.0, weight_decay=0.5)
        if kwargs.pop("first", False):
            kwargs["var_list"] = variables[:1]
        optimizer.exclude_from_weight_decay(**kwargs)
        optimizer.apply([np.zeros(())] * 3, variables)
        return [float(v.numpy()) for v in variables]

    assert decayed() == [1, 1, 1]
    assert decayed(var_names=["bias", "gam+a"]) == [1, 2, 2]
    assert decayed(first=True) == [2, 1, 1]
    assert decayed(first=True, var_names=["bias"]) == [2, 2, 1]
    optimizer = optimizers.SGD()
    optimizer.build([nabi.Variable(1.0)])
    with pytest.raises(ValueError, match="can only be configured before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["a"])


def test_ema():
    values, steps = start(), gradients()
    variables, optimizer = make(values), optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8)
    expected, average = Sgd(values, 0.1), None
    for grads in steps:
        expected.step(grads)
        optimizer.apply(grads, variables)
        average = list(expected.w) if average is None else [0.8 * a + 0.2 * w for a, w in zip(average, expected.w)]
    for variable, slot, w, a in zip(
        variables, optimizer._model_variables_moving_average, expected.w, average, strict=True
    ):
        np.testing.assert_allclose(variable.numpy(), w, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(slot.numpy(), a, rtol=1e-5, atol=1e-6)
    optimizer.finalize_variable_values(variables)
    for variable, a in zip(variables, average, strict=True):
        np.testing.assert_allclose(variable.numpy(), a, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"The length of model variables \(1\) to override does not match"):
        optimizer.finalize_variable_values(variables[:1])
    optimizers.SGD().finalize_variable_values(variables)


def test_ema_overwrite_frequency():
    variables = make([np.zeros(1)])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    seen = []
    for _ in range(4):
        optimizer.apply([-np.ones(1)], variables)
        seen.append(float(variables[0].numpy()[0]))
    assert seen == [1.0, 1.5, 2.5, 2.75]  # 2 averaged with 1; 2.5; 3.5 averaged with (1.5, 2.5) = 2


def test_loss_scale_factor():
    optimizer = optimizers.SGD(1.0, loss_scale_factor=4.0)
    assert optimizer.scale_loss(2.0) == 8.0
    assert optimizers.SGD().scale_loss(2.0) == 2.0
    assert run(optimizer, [np.zeros(2)], [[np.full(2, 8.0)]])[0].tolist() == [-2, -2]


@pytest.mark.parametrize(("name", "reference"), [("SGD", Sgd), ("Adam", Adam), ("RMSprop", RmsProp)])
def test_gradient_accumulation(name, reference):
    values, steps = start(), gradients(7)
    variables = make(values)
    optimizer = getattr(optimizers, name)(0.1, gradient_accumulation_steps=3, weight_decay=0.1)
    expected = reference(values, 0.1)
    for i, grads in enumerate(steps, 1):
        optimizer.apply(grads, variables)
        if i % 3 == 0:
            expected.w = [w - w * 0.1 * 0.1 for w in expected.w]
            expected.step([sum(g) / 3 for g in zip(*steps[i - 3 : i])])
        for variable, want in zip(variables, expected.w, strict=True):
            np.testing.assert_allclose(variable.numpy(), want, rtol=2e-4, atol=2e-6)
        assert optimizer.iterations == i // 3
    for slot, g in zip(optimizer._accumulated_gradients, steps[-1], strict=True):
        np.testing.assert_allclose(slot.numpy(), g)


def test_constraints_come_last():
    variable = nabi.Variable(np.array([1.0, -1.0]))
    variable.constraint = constraints.NonNeg()
    optimizers.SGD(1.0).apply([np.array([2.0, -2.0])], [variable])
    assert variable.numpy().tolist() == [0, 1]


@pytest.mark.parametrize("steps", [None, 2])
def test_overwrite_with_gradient(steps):
    kept, other = nabi.Variable(np.array([1.0, 2.0])), nabi.Variable(np.array([1.0]))
    kept.overwrite_with_gradient = True
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=steps)
    optimizer.apply([np.array([5.0, 6.0]), np.array([1.0])], [kept, other])
    if steps:
        assert (kept.numpy().tolist(), other.numpy().tolist()) == ([1, 2], [1])
        optimizer.apply([np.array([7.0, 3.0]), np.array([3.0])], [kept, other])
        assert (kept.numpy().tolist(), other.numpy().tolist()) == ([7, 6], [-1])
    else:
        assert (kept.numpy().tolist(), other.numpy().tolist()) == ([5, 6], [0])


# Variables and saving


def paths(optimizer):
    return [v.path for v in optimizer.variables]


def test_order_and_names_of_variables():
    variables = [nabi.Variable(np.ones(2), name="a"), nabi.Variable(np.ones(3), name="b")]
    optimizer = optimizers.Adam(name="adam", amsgrad=True, use_ema=True, gradient_accumulation_steps=2)
    assert paths(optimizer) == ["adam/iteration", "adam/learning_rate"]
    optimizer.build(variables)
    assert paths(optimizer) == [
        "adam/iteration",
        "adam/learning_rate",
        "adam/a_average",
        "adam/b_average",
        "adam/a_gradient_accumulator",
        "adam/b_gradient_accumulator",
        "adam/a_momentum",
        "adam/a_velocity",
        "adam/b_momentum",
        "adam/b_velocity",
        "adam/a_velocity_hat",
        "adam/b_velocity_hat",
    ]
    optimizer.build(variables)
    assert len(optimizer.variables) == 12
    assert not any(v.trainable for v in optimizer.variables)
    for cls, slots in (
        (lambda: optimizers.SGD(name="s"), []),
        (lambda: optimizers.SGD(name="s", momentum=0.5), ["momentum"]),
        (
            lambda: optimizers.RMSprop(name="s", momentum=0.5, centered=True),
            ["velocity", "momentum", "average_gradient"],
        ),
        (lambda: optimizers.Adagrad(name="s"), ["accumulator"]),
        (lambda: optimizers.Adadelta(name="s"), ["accumulated_grad", "accumulated_delta_var"]),
        (lambda: optimizers.Ftrl(name="s"), ["accumulator", "linear"]),
        (lambda: optimizers.Lion(name="s"), ["momentum"]),
    ):
        optimizer = cls()
        optimizer.build(variables[:1])
        assert paths(optimizer)[2:] == [f"s/a_{slot}" for slot in slots]
    optimizer = optimizers.Nadam(name="n")
    optimizer.build([])
    assert len(optimizer.variables) == 3


def test_path_of_a_slot_holds_the_path_of_its_variable():
    with nabi.name_scope("model"), nabi.name_scope("dense"):
        variable = nabi.Variable(np.ones(2), name="kernel")
    optimizer = optimizers.SGD(momentum=0.5, name="sgd")
    optimizer.build([variable])
    assert paths(optimizer)[-1] == "sgd/model_dense_kernel_momentum"


def test_names():
    nabi.utils.clear_session()
    assert [optimizers.RMSprop().name, optimizers.RMSprop().name, optimizers.AdamW().name] == [
        "rm_sprop",
        "rm_sprop_1",
        "adam_w",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_state_is_saved_and_restored(name):
    values, steps = start(), gradients(4)
    variables, optimizer = make(values), getattr(optimizers, name)(0.1)
    for grads in steps[:2]:
        optimizer.apply(grads, variables)
    store = {}
    optimizer.save_own_variables(store)
    other_variables = make([v.numpy() for v in variables])
    other, third = getattr(optimizers, name)(0.3), getattr(optimizers, name)(0.3)
    third_variables = make([v.numpy() for v in variables])
    other.build(other_variables)
    other.load_own_variables(store)
    third.build(third_variables)
    third.set_weights([v.numpy() for v in optimizer.variables])
    for grads in steps[2:]:
        for o, v in ((optimizer, variables), (other, other_variables), (third, third_variables)):
            o.apply(grads, v)
    for a, b, c in zip(variables, other_variables, third_variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        np.testing.assert_array_equal(a.numpy(), c.numpy())


def test_loading_another_number_of_variables_warns():
    optimizer = optimizers.SGD()
    with pytest.warns(UserWarning, match="because it has 2 variables whereas the saved optimizer has 1 variables"):
        optimizer.load_own_variables({"0": np.zeros(())})


def test_set_weights_errors():
    optimizer = optimizers.SGD()
    with pytest.raises(ValueError, match="on an optimizer that has not yet been built"):
        optimizer.set_weights([])
    optimizer.build([nabi.Variable(1.0)])
    with pytest.raises(ValueError, match="The optimizer has 2 variables. Received: 1 weights"):
        optimizer.set_weights([1])
    with pytest.raises(ValueError, match="not compatible with provided weight shape"):
        optimizer.set_weights([np.zeros(3), 1.0])


@pytest.mark.parametrize("name", NAMES)
def test_config(name):
    settings = next((s for n, _, s in reversed(ROWS) if n == name), {})
    optimizer = getattr(optimizers, name)(0.25, **settings, weight_decay=0.5, clipnorm=2.0, use_ema=True)
    config = optimizer.get_config()
    assert config["learning_rate"] == 0.25
    assert all(config[key] == value for key, value in settings.items())
    again = type(optimizer).from_config(config)
    assert again.get_config() == config
    serialized = optimizers.serialize(optimizer)
    assert serialized == {
        "module": "keras.optimizers",
        "class_name": name,
        "config": config,
        "registered_name": None,
    }
    assert optimizers.deserialize(serialized).get_config() == config


def test_config_holds_the_learning_rate_of_now():
    optimizer = optimizers.Adam()
    assert optimizer.get_config()["learning_rate"] == 0.0010000000474974513
    optimizer.learning_rate = 0.5
    assert optimizer.get_config()["learning_rate"] == 0.5
    scheduled = optimizers.Adam(schedules.CosineDecay(0.1, 3))
    config = scheduled.get_config()
    assert config["learning_rate"]["class_name"] == "CosineDecay"
    assert isinstance(optimizers.Adam.from_config(config)._learning_rate, schedules.CosineDecay)


def test_pickle_and_copy():
    variables, optimizer = make(start()), optimizers.Adam(0.1)
    optimizer.apply(gradients(1)[0], variables)
    again = pickle.loads(pickle.dumps(optimizer.get_config()))
    assert again == optimizer.get_config()


def test_user_optimizer():
    class Signed(optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, **kwargs):
            super().__init__(learning_rate, **kwargs)
            self.scale = nabi.Variable(2.0, name="scale", trainable=False)

        def build(self, variables):
            super().build(variables)
            self.last = self.add_optimizer_variables(variables, "last", initializer="ones")

        def update_step(self, gradient, variable, learning_rate):
            last = self.last[self._get_variable_index(variable)]
            self.assign(last, gradient)
            self.assign_sub(variable, learning_rate * ops.sign(last) * self.scale)
            self.assign_add(variable, ops.zeros_like(gradient))

    variables, optimizer = make([np.zeros(3)]), Signed()
    iterations = optimizer.apply_gradients([(np.array([1.0, -2.0, 0.0]), variables[0])])
    np.testing.assert_allclose(variables[0].numpy(), [-0.2, 0.2, 0.0])
    assert iterations is optimizer.iterations
    assert [v.name for v in optimizer.variables] == ["iteration", "learning_rate", "scale", "w0_last"]
    assert optimizer.last[0].numpy().tolist() == [1, -2, 0]


# Errors of applying


def test_apply_without_variables():
    variables = make(start())
    optimizer = optimizers.SGD(1.0)
    with pytest.raises(ValueError, match="the optimizer must already be built on a list of variables"):
        optimizer.apply(gradients(1)[0])
    optimizer.build(variables)
    optimizer.apply(gradients(1)[0])
    assert optimizer.iterations.numpy() == 1
    with pytest.raises(ValueError, match="Received a list of 1 gradients, but the optimizer is tracking 3 trainable"):
        optimizer.apply([np.zeros(3)])
    optimizer.apply([])
    assert optimizer.iterations.numpy() == 1


def test_apply_errors():
    variables = make(start())
    optimizer = optimizers.SGD(1.0)
    optimizer.build(variables)
    with pytest.raises(ValueError, match="Unknown variable: <Variable path=other.*recreate a new optimizer instance"):
        optimizer.apply([np.ones(())], [nabi.Variable(1.0, name="other")])
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.apply([None, None, None], variables)
    with pytest.raises(ValueError, match="one gradient for each variable. Received 1 gradients and 3 variables"):
        optimizer.apply([np.ones((3, 4))], variables)
    with pytest.raises(ValueError, match=r"must have the variable's shape \(3, 4\). Received: shape \(4, 3\)"):
        optimizer.apply([np.ones((4, 3)), np.ones(5), np.ones(())], variables)
    with pytest.raises(NotImplementedError, match="Optimizer 'Optimizer' must override `update_step`"):
        optimizers.Optimizer(0.1).apply([np.ones(())], [nabi.Variable(1.0)])
    assert optimizer.iterations.numpy() == 0


def test_missing_gradients_warn_and_leave_the_variable_alone():
    variables = make([np.ones(2), np.ones(3)])
    optimizer = optimizers.SGD(1.0, momentum=0.5)
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['w1'\] when minimizing the loss"):
        optimizer.apply([np.ones(2), None], variables)
    assert (variables[0].numpy().tolist(), variables[1].numpy().tolist()) == ([0, 0], [1, 1, 1])
    optimizer.apply([np.zeros(2), np.ones(3)], variables)
    assert (variables[0].numpy().tolist(), variables[1].numpy().tolist()) == ([-0.5, -0.5], [0, 0, 0])


# Constructor checks


@pytest.mark.parametrize("rate", [1, np.float32(0.1), "0.1", None])
def test_learning_rate_must_be_float(rate):
    with pytest.raises(ValueError, match="Argument `learning_rate` should be float, or an instance of Lea"):
        optimizers.SGD(rate)
    assert float(optimizers.SGD(np.float64(0.5)).learning_rate) == 0.5


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"lr": 0.1}, r"Argument\(s\) not recognized: \{'lr': 0.1\}"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set"),
        (
            {"use_ema": True, "ema_momentum": 1.5},
            r"`ema_momentum` must be in the range \[0, 1\]. Received",
        ),
        (
            {"use_ema": True, "ema_overwrite_frequency": 0.5},
            "`ema_overwrite_frequency` must be an integer >= 1 or None",
        ),
        ({"gradient_accumulation_steps": 1}, "`gradient_accumulation_steps` must be an integer >= 2"),
    ],
)
def test_constructor_errors(kwargs, message):
    with pytest.raises(ValueError, match=message):
        optimizers.Adam(**kwargs)


def test_decay_is_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="Argument `decay` is no longer supported and will be ignored."):
        optimizers.Adam(decay=0.1)
    optimizers.Adam(decay=None)


@pytest.mark.parametrize("momentum", [-1.0, 2.0, 0, 1])
def test_sgd_momentum_range(momentum):
    with pytest.raises(ValueError, match=r"`momentum` must be a float between \[0, 1\]."):
        optimizers.SGD(momentum=momentum)


def test_other_constructor_errors():
    with pytest.raises(ValueError, match="Argument `weight_decay` must be a float. Received: weight_decay=None"):
        optimizers.AdamW(weight_decay=None)
    for beta in (0.0, 1.5):
        with pytest.raises(ValueError, match=r"Argument `beta_1` must be in the \[0, 1\] range"):
            optimizers.Lion(beta_1=beta)
    with pytest.raises(ValueError, match="`learning_rate_power` needs to be negative or zero"):
        optimizers.Ftrl(learning_rate_power=0.5)
    for argument in (
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
    ):
        with pytest.raises(ValueError, match=f"`{argument}` needs to be positive or zero. Received: {argument}=-0.1"):
            optimizers.Ftrl(**{argument: -0.1})


def test_super_must_be_called():
    class Forgetful(optimizers.Optimizer):
        def __init__(self):
            self.a = 1

    with pytest.raises(RuntimeError, match="In optimizer 'Forgetful', you forgot to call `super"):
        Forgetful()


def test_names_and_initializers_must_match():
    optimizer = optimizers.SGD()
    with pytest.raises(ValueError, match="number of provided names must match the number of provided initializers"):
        optimizer.add_optimizer_variables([], ["a", "b"], initializer=["zeros"])
    assert optimizer.add_variable((2,), name="x").numpy().tolist() == [0, 0]


# Names


def test_get():
    assert optimizers.get(None) is None
    for name in NAMES:
        for spelling in (name, name.lower(), name.upper()):
            assert type(optimizers.get(spelling)) is getattr(optimizers, name)
    optimizer = optimizers.SGD()
    assert optimizers.get(optimizer) is optimizer
    assert float(optimizers.get({"class_name": "Adam", "config": {"learning_rate": 0.5}}).learning_rate) == 0.5


@pytest.mark.parametrize("identifier", ["nope", 3, optimizers.SGD])
def test_get_refuses(identifier):
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier: "):
        optimizers.get(identifier)


def test_user_schedule():
    class Halving(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5 / ops.cast(step + 1, "float32")

        def get_config(self):
            return {}

    variables = make([np.zeros(1)])
    optimizer = optimizers.SGD(Halving())
    for expected in (-0.5, -0.75, -0.75 - 0.5 / 3):
        optimizer.apply([np.ones(1)], variables)
        np.testing.assert_allclose(variables[0].numpy(), expected, rtol=1e-6)


NUMBERS = [
    (kind, name)
    for kind in (
        optimizers.SGD,
        optimizers.Adam,
        optimizers.AdamW,
        optimizers.Adamax,
        optimizers.Nadam,
        optimizers.Lamb,
    )
    + (optimizers.Lion, optimizers.RMSprop, optimizers.Adagrad, optimizers.Adadelta, optimizers.Ftrl)
    for name, parameter in inspect.signature(kind).parameters.items()
    if str(parameter.annotation).startswith(("float", "int", "bool"))
]


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda v: getattr(v, "__name__", v))
def test_arguments_must_be_numbers(kind, name):
    for value in ("a", [1.0], {}, np.ones(2)):
        with pytest.raises(ValueError, match=f"`{name}`.* must be"):
            kind(**{name: value})


def test_numbers_of_any_kind_are_taken():
    made = optimizers.Adam(beta_1=np.float32(0.5), epsilon=1, clipnorm=np.array(1.0), use_ema=np.bool_(True))
    assert made.clipnorm == 1 and made.use_ema
    assert optimizers.SGD(momentum=0.5, weight_decay=None).weight_decay is None
    assert list(inspect.signature(optimizers.Adam).parameters)[:3] == ["learning_rate", "beta_1", "beta_2"]
