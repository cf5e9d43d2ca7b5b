"""A convolutional network on digits, as one wrote it for Keras 1 on Theano or TensorFlow in 2016."""

import numpy as np

np.random.seed(1337)  # for reproducibility

from keras import backend as K
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.layers.core import Activation, Dense, Dropout, Flatten
from keras.models import Sequential
from keras.optimizers import SGD
from keras.regularizers import l2
from keras.utils import np_utils
from sklearn.datasets import load_digits

batch_size = 32
nb_classes = 10
nb_epoch = 12
nb_filters = 16

K.set_image_dim_ordering("tf")
digits = load_digits()
X = digits.images.reshape(-1, 8, 8, 1).astype("float32") / 16
order = np.random.permutation(len(X))
X, y = X[order], digits.target[order]
X_train, X_test = X[:1500], X[1500:]
Y_train = np_utils.to_categorical(y[:1500], nb_classes)
Y_test = np_utils.to_categorical(y[1500:], nb_classes)

model = Sequential()
model.add(Convolution2D(nb_filters, 3, 3, border_mode="same", input_shape=(8, 8, 1), init="he_normal"))
model.add(Activation("relu"))
model.add(Convolution2D(nb_filters, 3, 3, W_regularizer=l2(1e-4)))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2), border_mode="valid", dim_ordering="tf"))
model.add(Dropout(p=0.25))
model.add(Flatten())
model.add(Dense(output_dim=64, init="glorot_uniform", activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(nb_classes))
model.add(Activation("softmax"))

sgd = SGD(lr=0.1, decay=1e-4, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
model.fit(X_train, Y_train, batch_size=batch_size, nb_epoch=nb_epoch, verbose=2, validation_data=(X_test, Y_test))
score = model.evaluate(X_test, Y_test, verbose=0)
print("Test score:", score[0])
print("Test accuracy:", score[1])
classes = model.predict_classes(X_test, verbose=0)
print("Wrong:", np.sum(classes != y[1500:]), "of", len(classes))
