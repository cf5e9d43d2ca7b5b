"""The TensorFlow 2 quickstart style of 2020: tensorflow.keras, tf.data, callbacks, subclassing."""

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.models import Sequential

tf.random.set_seed(0)
np.random.seed(0)
print(len(tf.config.list_physical_devices("GPU")), "GPUs")

digits = load_digits()
images = (digits.images / 16.0).astype("float32")[..., np.newaxis]
labels = digits.target.astype("int64")
train = (
    tf.data.Dataset.from_tensor_slices((images[:1500], labels[:1500]))
    .shuffle(1500)
    .batch(32)
    .prefetch(tf.data.AUTOTUNE)
)
test = tf.data.Dataset.from_tensor_slices((images[1500:], labels[1500:])).batch(64)

model = Sequential(
    [
        layers.Conv2D(16, 3, activation="relu", padding="same", input_shape=(8, 8, 1)),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu", padding="same"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(64, activation=tf.nn.relu),
        layers.Dense(10),
    ]
)
model.compile(
    optimizer=tf.keras.optimizers.Adam(learning_rate=3e-3),
    loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(
    train,
    validation_data=test,
    epochs=10,
    verbose=2,
    callbacks=[keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)],
)
test_loss, test_acc = model.evaluate(test, verbose=0)
print("Test accuracy:", test_acc)
probability_model = tf.keras.Sequential([model, tf.keras.layers.Softmax()])
predictions = probability_model.predict(images[1500:1505], verbose=0)
print(np.argmax(predictions, axis=1), labels[1500:1505])


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten = layers.Flatten()
        self.hidden = layers.Dense(64, activation="relu")
        self.dropout = layers.Dropout(0.2)
        self.out = layers.Dense(10, activation="softmax")

    def call(self, inputs, training=False):
        x = self.hidden(self.flatten(inputs))
        return self.out(self.dropout(x, training=training))


own = Own()
own.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
own.fit(images[:1500], labels[:1500], epochs=15, batch_size=32, verbose=0)
print("Own model: %.3f" % own.evaluate(images[1500:], labels[1500:], verbose=0)[1])
own.save_weights("own_2020.h5")
