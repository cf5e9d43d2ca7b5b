"""Keras 3 as of 2024: functional model, own layer, own training step, ops, .keras files."""

import os

os.environ["KERAS_BACKEND"] = "jax"  # whatever it says, Nabi computes

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits

keras.utils.set_random_seed(812)
digits = load_digits()
x = (digits.images / 16.0).astype("float32")[..., None]
y = digits.target
x_train, x_test, y_train, y_test = x[:1500], x[1500:], y[:1500], y[1500:]


@keras.saving.register_keras_serializable(package="years")
class Squeeze(layers.Layer):
    """Channels weighed by what they hold on the whole picture (Hu et al. 2018)."""

    def __init__(self, ratio=4, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape):
        channels = input_shape[-1]
        self.down = self.add_weight(shape=(channels, channels // self.ratio), initializer="he_normal", name="down")
        self.up = self.add_weight(shape=(channels // self.ratio, channels), initializer="glorot_uniform", name="up")

    def call(self, x):
        s = ops.mean(x, axis=(1, 2))
        s = ops.sigmoid(ops.matmul(ops.relu(ops.matmul(s, self.down)), self.up))
        return x * s[:, None, None, :]

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}


inputs = keras.Input(shape=(8, 8, 1))
h = layers.Conv2D(32, 3, padding="same", activation="gelu")(inputs)
h = Squeeze()(h)
h = layers.MaxPooling2D()(h)
h = layers.Conv2D(32, 3, padding="same", activation="silu")(h)
h = layers.GlobalAveragePooling2D()(h)
outputs = layers.Dense(10)(h)
model = keras.Model(inputs, outputs, name="digits")
schedule = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=12 * 47)
model.compile(
    optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc"), keras.metrics.SparseTopKCategoricalAccuracy(k=3)],
)
model.summary()
model.fit(x_train, y_train, batch_size=32, epochs=12, validation_split=0.1, verbose=2)
results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
print({k: round(v, 3) for k, v in results.items()})
model.save("digits_2024.keras")
again = keras.saving.load_model("digits_2024.keras")
print("same:", np.array_equal(again.predict(x_test, verbose=0), model.predict(x_test, verbose=0)))
features = keras.Model(again.input, again.layers[-2].output)
print("features:", features.predict(x_test[:4], verbose=0).shape)
