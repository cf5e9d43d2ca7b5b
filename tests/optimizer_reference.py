"""The updates of Keras 3.15's optimizers, restated in NumPy and float64."""

import math

import numpy as np


class Reference:
    """The part of an update that is the same everywhere: one float64 array per variable, slots by name."""

    def __init__(self, values, lr, **settings):
        self.w = [v.astype("float64") for v in values]
        self.lr = lr
        self.t = 0
        self.s = settings
        self.slots = [{} for _ in values]

    def step(self, grads):
        self.t += 1
        lr = self.lr(self.t - 1) if callable(self.lr) else self.lr
        for i, g in enumerate(grads):
            if g is not None:
                self.w[i] = self.update(self.w[i], g.astype("float64"), self.slots[i], lr)

    def slot(self, slots, name, like, start=0.0):
        return slots.setdefault(name, np.full_like(like, start))


class Sgd(Reference):
    def update(self, w, g, slots, lr):
        momentum, nesterov = self.s.get("momentum", 0.0), self.s.get("nesterov", False)
        if momentum == 0:
            return w - lr * g
        slots["m"] = m = momentum * self.slot(slots, "m", w) - lr * g
        return w + momentum * m - lr * g if nesterov else w + m


class Adam(Reference):
    def update(self, w, g, slots, lr):
        b1, b2, eps = (self.s.get(k, d) for k, d in (("beta_1", 0.9), ("beta_2", 0.999), ("epsilon", 1e-7)))
        slots["m"] = m = self.slot(slots, "m", w) + (g - self.slot(slots, "m", w)) * (1 - b1)
        slots["v"] = v = self.slot(slots, "v", w) + (g * g - self.slot(slots, "v", w)) * (1 - b2)
        if self.s.get("amsgrad"):
            slots["h"] = v = np.maximum(self.slot(slots, "h", w), v)
        alpha = lr * math.sqrt(1 - b2**self.t) / (1 - b1**self.t)
        return w - m * alpha / (np.sqrt(v) + eps)


class Adamax(Reference):
    def update(self, w, g, slots, lr):
        b1, b2, eps = (self.s.get(k, d) for k, d in (("beta_1", 0.9), ("beta_2", 0.999), ("epsilon", 1e-7)))
        slots["m"] = m = self.slot(slots, "m", w) + (g - self.slot(slots, "m", w)) * (1 - b1)
        slots["u"] = u = np.maximum(b2 * self.slot(slots, "u", w), np.abs(g))
        return w - lr * m / ((1 - b1**self.t) * (u + eps))


class Nadam(Reference):
    product = 1.0

    def step(self, grads):
        self.product *= self.u(self.t + 1)
        super().step(grads)

    def u(self, t):
        return self.s.get("beta_1", 0.9) * (1 - 0.5 * 0.96**t)

    def update(self, w, g, slots, lr):
        b1, b2, eps = (self.s.get(k, d) for k, d in (("beta_1", 0.9), ("beta_2", 0.999), ("epsilon", 1e-7)))
        slots["m"] = m = self.slot(slots, "m", w) + (g - self.slot(slots, "m", w)) * (1 - b1)
        slots["v"] = v = self.slot(slots, "v", w) + (g * g - self.slot(slots, "v", w)) * (1 - b2)
        u, after = self.u(self.t), self.u(self.t + 1)
        m_hat = after * m / (1 - self.product * after) + (1 - u) * g / (1 - self.product)
        return w - m_hat * lr / (np.sqrt(v / (1 - b2**self.t)) + eps)


class Lamb(Reference):
    def update(self, w, g, slots, lr):
        b1, b2, eps = (self.s.get(k, d) for k, d in (("beta_1", 0.9), ("beta_2", 0.999), ("epsilon", 1e-7)))
        slots["m"] = m = self.slot(slots, "m", w) + (g - self.slot(slots, "m", w)) * (1 - b1)
        slots["v"] = v = self.slot(slots, "v", w) + (g * g - self.slot(slots, "v", w)) * (1 - b2)
        update = m / (1 - b1**self.t) / (np.sqrt(v / (1 - b2**self.t)) + eps)
        size, norm = np.sqrt((w * w).sum()), np.sqrt((update * update).sum())
        return w - (size / norm if size > 0 and norm > 0 else 1.0) * lr * update


class Lion(Reference):
    def update(self, w, g, slots, lr):
        b1, b2 = self.s.get("beta_1", 0.9), self.s.get("beta_2", 0.99)
        m = self.slot(slots, "m", w)
        slots["m"] = m * b2 + g * (1 - b2)
        return w - lr * np.sign(m * b1 + g * (1 - b1))


class RmsProp(Reference):
    def update(self, w, g, slots, lr):
        rho, momentum, eps = self.s.get("rho", 0.9), self.s.get("momentum", 0.0), self.s.get("epsilon", 1e-7)
        slots["v"] = v = rho * self.slot(slots, "v", w) + (1 - rho) * g * g
        if self.s.get("centered"):
            slots["a"] = a = rho * self.slot(slots, "a", w) + (1 - rho) * g
            v = v - a * a
        step = lr * g / np.sqrt(v + eps)
        if momentum > 0:
            slots["m"] = step = momentum * self.slot(slots, "m", w) + step
        return w - step


class Adagrad(Reference):
    def update(self, w, g, slots, lr):
        slots["a"] = a = self.slot(slots, "a", w, self.s.get("initial_accumulator_value", 0.1)) + g * g
        return w - lr * g / np.sqrt(a + self.s.get("epsilon", 1e-7))


class Adadelta(Reference):
    def update(self, w, g, slots, lr):
        rho, eps = self.s.get("rho", 0.95), self.s.get("epsilon", 1e-7)
        slots["g"] = a = rho * self.slot(slots, "g", w) + (1 - rho) * g * g
        d = self.slot(slots, "d", w)
        delta = -np.sqrt(d + eps) * g / np.sqrt(a + eps)
        slots["d"] = rho * d + (1 - rho) * delta * delta
        return w + lr * delta


class Ftrl(Reference):
    def update(self, w, g, slots, lr):
        get = self.s.get
        power, l1 = -get("learning_rate_power", -0.5), get("l1_regularization_strength", 0.0)
        l2 = get("l2_regularization_strength", 0.0) + get("beta", 0.0) / (2 * lr)
        a = self.slot(slots, "a", w, get("initial_accumulator_value", 0.1))
        new = a + g * g
        shrunk = g + 2 * get("l2_shrinkage_regularization_strength", 0.0) * w
        slots["l"] = linear = self.slot(slots, "l", w) + shrunk - (new**power - a**power) / lr * w
        slots["a"] = new
        return (np.clip(linear, -l1, l1) - linear) / (new**power / lr + 2 * l2)
