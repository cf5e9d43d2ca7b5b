"""Text and sequences as Keras 2 prepared them; expected values follow its documentation."""

from __future__ import annotations

import numpy as np
import pytest

import nabi
from nabi.legacy.preprocessing.sequence import TimeseriesGenerator, make_sampling_table, pad_sequences, skipgrams
from nabi.legacy.preprocessing.text import (
    Tokenizer,
    hashing_trick,
    one_hot,
    text_to_word_sequence,
    tokenizer_from_json,
)

TEXTS = ["The cat sat on the mat.", "The dog sat on the log.", "Dogs and cats!"]


def test_tokenizer_numbers_words_by_frequency():
    t = Tokenizer(num_words=5, oov_token=None)
    t.fit_on_texts(TEXTS)
    assert t.word_index["the"] == 1
    assert t.word_index["sat"] == 2
    assert t.word_counts["the"] == 4
    assert t.document_count == 3
    assert t.texts_to_sequences(["the cat on the moon"]) == [[1, 4, 3, 1]]
    assert t.sequences_to_texts([[1, 2]]) == ["the sat"]
    t = Tokenizer(num_words=4, oov_token="?")
    t.fit_on_texts(TEXTS)
    assert t.texts_to_sequences(["the cat on"]) == [[2, 1, 1]]
    assert Tokenizer(char_level=True)._words("Ab") == ["a", "b"]


def test_tokenizer_matrices():
    t = Tokenizer()
    t.fit_on_texts(TEXTS)
    counts = t.texts_to_matrix(["the the cat"], mode="count")
    assert counts[0, 1] == 2
    assert t.texts_to_matrix(["the the cat"], mode="binary")[0, 1] == 1
    np.testing.assert_allclose(t.texts_to_matrix(["the the cat"], mode="freq")[0, 1], 2 / 3)
    tfidf = t.texts_to_matrix(["the the cat"], mode="tfidf")[0, 1]
    np.testing.assert_allclose(tfidf, (1 + np.log(2)) * np.log(1 + 3 / (1 + 2)))
    with pytest.raises(ValueError, match="Unknown vectorization mode"):
        t.texts_to_matrix(["a"], mode="x")
    with pytest.raises(ValueError, match="fit on some text data"):
        Tokenizer().texts_to_matrix(["a"])


def test_tokenizer_through_json():
    t = Tokenizer(num_words=6)
    t.fit_on_texts(TEXTS)
    again = tokenizer_from_json(t.to_json())
    assert again.texts_to_sequences(TEXTS) == t.texts_to_sequences(TEXTS)
    assert again.index_word == t.index_word


def test_words_and_hashes():
    assert text_to_word_sequence("Hello, World\tagain") == ["hello", "world", "again"]
    assert all(1 <= i < 10 for i in one_hot("a few words here", 10))
    assert hashing_trick("a b a", 100, "md5") == [
        hashing_trick("a", 100, "md5")[0],
        hashing_trick("b", 100, "md5")[0],
    ] + [hashing_trick("a", 100, "md5")[0]]


def test_padding():
    rows = [[1], [2, 3], [4, 5, 6]]
    assert pad_sequences(rows).tolist() == [[0, 0, 1], [0, 2, 3], [4, 5, 6]]
    assert pad_sequences(rows, padding="post", value=-1).tolist() == [[1, -1, -1], [2, 3, -1], [4, 5, 6]]
    assert pad_sequences(rows, maxlen=2).tolist() == [[0, 1], [2, 3], [5, 6]]
    assert pad_sequences(rows, maxlen=2, truncating="post").tolist() == [[0, 1], [2, 3], [4, 5]]
    assert pad_sequences([[[1, 2]], [[3, 4], [5, 6]]]).shape == (2, 2, 2)
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences([[], [1]]).tolist() == [[0], [1]]
    with pytest.raises(ValueError, match="`padding` must be"):
        pad_sequences(rows, padding="left")
    with pytest.raises(ValueError, match="non-iterable"):
        pad_sequences([1, 2])


def test_windows_over_a_series():
    data = np.arange(50).reshape(-1, 1)
    g = TimeseriesGenerator(data, data, length=10, sampling_rate=2, batch_size=2)
    assert len(g) == 20
    x, y = g[0]
    assert x.tolist() == [[[0], [2], [4], [6], [8]], [[1], [3], [5], [7], [9]]]
    assert y.tolist() == [[10], [11]]
    assert sum(len(g[i][1]) for i in range(len(g))) == 40
    assert TimeseriesGenerator(data, data, 10, reverse=True)[0][0][0, 0, 0] == 9
    with pytest.raises(ValueError, match="same length"):
        TimeseriesGenerator(data, data[:3], 2)
    with pytest.raises(ValueError, match="disallowed"):
        TimeseriesGenerator(data, data, 50)
    with pytest.raises(IndexError):
        g[20]


def test_skipgrams():
    couples, labels = skipgrams([1, 2, 0, 3], vocabulary_size=9, window_size=1, seed=1, shuffle=False)
    positive = [c for c, label in zip(couples, labels, strict=True) if label]
    assert positive == [[1, 2], [2, 1]]
    assert len(couples) == 4
    table = make_sampling_table(100)
    assert table.shape == (100,)
    assert np.all(np.diff(table[1:]) > 0)


def test_scikit_learn_wrappers():
    pytest.importorskip("sklearn")
    from keras.layers import Dense
    from keras.models import Sequential
    from keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor
    from sklearn.model_selection import GridSearchCV, cross_val_score

    nabi.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    x = (np.eye(3)[y] * 3 + rng.normal(size=(90, 3)) * 0.1).astype("float32")
    names = np.array(["a", "b", "c"])[y]

    def build(units=8, optimizer="adam"):
        model = Sequential([Dense(units, input_dim=3, activation="relu"), Dense(3, activation="softmax")])
        model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
        return model

    estimator = KerasClassifier(build_fn=build, nb_epoch=60, batch_size=8, verbose=0)
    assert cross_val_score(estimator, x, names, cv=3).mean() > 0.9
    search = GridSearchCV(estimator, {"units": [4, 8], "optimizer": ["adam", "rmsprop"]}, cv=2).fit(x, names)
    assert search.best_score_ > 0.9
    assert set(search.predict(x)) <= set(names)
    fitted = estimator.fit(x, names)
    assert fitted.predict_proba(x).shape == (90, 3)
    with pytest.raises(ValueError, match="nonsense is not a legal parameter"):
        KerasClassifier(build_fn=build, nonsense=1)

    def regression():
        model = Sequential([Dense(1, input_dim=3)])
        model.compile(nabi.optimizers.SGD(0.05), "mse")
        return model

    target = x @ np.array([1.0, 2.0, 3.0])
    regressor = KerasRegressor(build_fn=regression, epochs=60, verbose=0).fit(x, target)
    assert regressor.predict(x).shape == (90,)
    assert regressor.score(x, target) > -target.var()
