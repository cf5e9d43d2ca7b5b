"""Image augmentation with fit_generator and callbacks, as in a Keras 2.2 notebook of 2018."""

import keras
import numpy as np
from keras import backend as K
from keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from keras.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    add,
)
from keras.layers.advanced_activations import LeakyReLU
from keras.models import Model, load_model
from keras.optimizers import Adam
from keras.preprocessing.image import ImageDataGenerator
from keras.utils import to_categorical
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

np.random.seed(7)
digits = load_digits()
x = digits.images[..., None].astype(K.floatx()) / 16.0
y = to_categorical(digits.target, num_classes=10)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)

inputs = Input(shape=(8, 8, 1))
h = Conv2D(16, (3, 3), padding="same", kernel_initializer="he_normal")(inputs)
h = BatchNormalization(axis=-1)(h)
h = LeakyReLU(alpha=0.1)(h)
shortcut = h
h = Conv2D(16, (3, 3), padding="same", kernel_initializer="he_normal")(h)
h = Activation("relu")(h)
h = add([h, shortcut])
h = MaxPooling2D((2, 2))(h)
h = Dropout(0.2)(h)
h = Flatten()(h)
outputs = Dense(10, activation="softmax")(h)
model = Model(inputs=inputs, outputs=outputs)
model.compile(loss=keras.losses.categorical_crossentropy, optimizer=Adam(lr=0.003), metrics=["acc"])

datagen = ImageDataGenerator(rotation_range=10, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.1)
datagen.fit(x_train)
callbacks = [
    ModelCheckpoint("best_2018.h5", monitor="val_acc", save_best_only=True, mode="max", verbose=0),
    EarlyStopping(monitor="val_loss", patience=10),
    ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=3, epsilon=1e-4),
]
history = model.fit_generator(
    datagen.flow(x_train, y_train, batch_size=32, seed=1),
    steps_per_epoch=len(x_train) // 32,
    epochs=12,
    verbose=2,
    validation_data=(x_test, y_test),
    callbacks=callbacks,
    workers=1,
)
print("best val_acc: %.3f" % max(history.history["val_acc"]))
print("learning rates:", sorted(set(np.round(history.history["lr"], 5)), reverse=True))
best = load_model("best_2018.h5")
loss, acc = best.evaluate(x_test, y_test, verbose=0)
print("Test accuracy: %.3f" % acc)
hidden = K.function([best.layers[0].input], [best.layers[-2].output])([x_test[:3]])[0]
print("features:", hidden.shape)
