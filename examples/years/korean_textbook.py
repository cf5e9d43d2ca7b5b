# 한국 딥러닝 교과서의 예제 방식: 당뇨병 예측, 그래프, 최적 모델 저장
import os

import matplotlib.pyplot as plt
import numpy
import tensorflow as tf
from keras.callbacks import EarlyStopping, ModelCheckpoint
from keras.layers import Dense
from keras.models import Sequential, load_model
from sklearn.datasets import load_wine
from sklearn.preprocessing import LabelEncoder, StandardScaler
from tensorflow.keras.utils import to_categorical

# seed 값 설정
seed = 0
numpy.random.seed(seed)
tf.random.set_seed(seed)

# 데이터 입력
wine = load_wine()
X = StandardScaler().fit_transform(wine.data)
e = LabelEncoder()
e.fit(wine.target)
Y = to_categorical(e.transform(wine.target))

# 모델의 설정
model = Sequential()
model.add(Dense(30, input_dim=13, activation="relu"))
model.add(Dense(12, activation="relu"))
model.add(Dense(3, activation="softmax"))

# 모델 컴파일
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

# 모델 저장 폴더 만들기
MODEL_DIR = "./model/"
if not os.path.exists(MODEL_DIR):
    os.mkdir(MODEL_DIR)
modelpath = "./model/{epoch:02d}-{val_loss:.4f}.hdf5"

# 모델 업데이트 및 저장, 학습 자동 중단
checkpointer = ModelCheckpoint(filepath=modelpath, monitor="val_loss", verbose=0, save_best_only=True)
early_stopping_callback = EarlyStopping(monitor="val_loss", patience=20)

# 모델 실행
order = numpy.random.permutation(len(X))
history = model.fit(
    X[order],
    Y[order],
    validation_split=0.2,
    epochs=200,
    batch_size=50,
    verbose=0,
    callbacks=[early_stopping_callback, checkpointer],
)

y_vloss = history.history["val_loss"]
y_acc = history.history["acc"]
x_len = numpy.arange(len(y_acc))
plt.plot(x_len, y_vloss, "o", c="red", markersize=3)
plt.plot(x_len, y_acc, "o", c="blue", markersize=3)
plt.xlabel("epoch")
plt.savefig("korean_textbook.png")

best = load_model(MODEL_DIR + sorted(os.listdir(MODEL_DIR))[-1])
print("\n 정확도: %.4f" % (best.evaluate(X, Y, verbose=0)[1]))
