"""Tabular data with scikit-learn's tools around a Keras 2.8 model, as on a blog of 2022."""

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.preprocessing import StandardScaler
from tensorflow.keras.callbacks import LearningRateScheduler
from tensorflow.keras.layers import BatchNormalization, Dense, Dropout, Input
from tensorflow.keras.metrics import AUC, Precision, Recall
from tensorflow.keras.models import Model
from tensorflow.keras.regularizers import l1_l2
from tensorflow.keras.wrappers.scikit_learn import KerasClassifier

tf.keras.utils.set_random_seed(42)
x, y = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
scaler = StandardScaler().fit(x_train)
x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)


def build(units=16, dropout=0.2):
    inputs = Input(shape=(30,))
    h = Dense(units, activation="relu", kernel_regularizer=l1_l2(1e-5, 1e-4))(inputs)
    h = BatchNormalization()(h)
    h = Dropout(dropout)(h)
    outputs = Dense(1, activation="sigmoid")(h)
    model = Model(inputs, outputs)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(learning_rate=1e-2), loss="binary_crossentropy", metrics=["accuracy"]
    )
    return model


model = build()
model.compile("adam", "binary_crossentropy", metrics=["accuracy", AUC(name="auc"), Precision(), Recall()])
decay = LearningRateScheduler(lambda epoch, lr: lr * 0.95)
history = model.fit(
    x_train,
    y_train,
    epochs=30,
    batch_size=32,
    verbose=0,
    validation_split=0.2,
    class_weight={0: 1.5, 1: 1.0},
    callbacks=[decay],
)
results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
print({name: round(value, 3) for name, value in sorted(results.items())})
predicted = (model.predict(x_test, verbose=0) > 0.5).astype("int32")
print("confusion:", np.histogram2d(y_test, predicted.ravel(), bins=2)[0].astype(int).tolist())

estimator = KerasClassifier(build_fn=build, epochs=15, batch_size=32, verbose=0)
folds = StratifiedKFold(n_splits=3, shuffle=True, random_state=0)
print("cross validation: %.3f" % cross_val_score(estimator, x_train, y_train, cv=folds).mean())
search = GridSearchCV(estimator, {"units": [8, 16], "dropout": [0.1]}, cv=folds).fit(x_train, y_train)
print("best: %.3f" % search.best_score_, search.best_params_["units"] in (8, 16))
