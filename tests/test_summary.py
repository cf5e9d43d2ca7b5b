"""Tables of `model.summary()`, exactly as Keras 3.15 prints them."""

import numpy as np
import pytest

from nabi import layers, names
from nabi.models import Model, Sequential
from nabi.utils.summary import layer_index_range, readable_memory_size, render_table

CNN = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ conv2d (Conv2D)                 │ (None, 26, 26, 8)      │            80 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ max_pooling2d (MaxPooling2D)    │ (None, 13, 13, 8)      │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ batch_normalization             │ (None, 13, 13, 8)      │            32 │
│ (BatchNormalization)            │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ flatten (Flatten)               │ (None, 1352)           │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dropout (Dropout)               │ (None, 1352)           │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ out (Dense)                     │ (None, 10)             │        13,530 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 13,642 (53.29 KB)
 Trainable params: 13,626 (53.23 KB)
 Non-trainable params: 16 (64.00 B)
"""

CNN_TRAINED = CNN.replace(" Total params: 13,642 (53.29 KB)", " Total params: 40,896 (159.75 KB)") + (
    " Optimizer params: 27,254 (106.46 KB)\n"
)

GRAPH = """\
Model: "fun"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩
│ a (InputLayer)      │ (None, 4)         │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ dense (Dense)       │ (None, 8)         │         40 │ a[0][0]           │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ b (InputLayer)      │ (None, 3)         │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ concatenate         │ (None, 11)        │          0 │ dense[0][0],      │
│ (Concatenate)       │                   │            │ b[0][0]           │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ dense_1 (Dense)     │ (None, 2)         │         24 │ concatenate[0][0] │
└─────────────────────┴───────────────────┴────────────┴───────────────────┘
 Total params: 64 (256.00 B)
 Trainable params: 64 (256.00 B)
 Non-trainable params: 0 (0.00 B)
"""

UNBUILT = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ ?                      │   0 (unbuilt) │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
"""


@pytest.fixture(autouse=True)
def _fresh_names(monkeypatch):
    names.reset_uids()
    monkeypatch.setenv("COLUMNS", "80")


def cnn():
    return Sequential(
        [
            layers.Input(shape=(28, 28, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax", name="out"),
        ]
    )


def text_of(model, **kwargs):
    texts = []
    model.summary(print_fn=texts.append, **kwargs)
    assert len(texts) == 1
    return texts[0]


def test_sequential(capsys):
    model = cnn()
    model.summary()
    assert capsys.readouterr().out == CNN
    assert text_of(model) == CNN


def test_with_optimizer():
    model = cnn()
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    assert text_of(model) == CNN
    model.optimizer.build(model.trainable_variables)
    assert text_of(model) == CNN_TRAINED


def test_functional_graph():
    a = layers.Input(shape=(4,), name="a")
    b = layers.Input(shape=(3,), name="b")
    joined = layers.Concatenate()([layers.Dense(8)(a), b])
    assert text_of(Model([a, b], layers.Dense(2)(joined), name="fun")) == GRAPH


def test_functional_chain_shows_its_input():
    x = layers.Input(shape=(4,))
    text = text_of(Model(x, layers.Dense(2)(x)))
    assert "input_layer (InputLayer)" in text
    assert "Connected to" not in text


def test_unbuilt():
    assert text_of(Sequential([layers.Dense(3)])) == UNBUILT


def test_nested_and_trainable():
    inner = Sequential([layers.Input(shape=(4,)), layers.Dense(3)], name="inner")
    inner.trainable = False
    model = Sequential([layers.Input(shape=(4,)), inner, layers.Dense(2)], name="outer")
    lines = text_of(model, expand_nested=True, show_trainable=True).splitlines()
    assert lines[2] == "┃ Layer (type)                ┃ Output Shape          ┃    Param # ┃ Trai… ┃"
    assert lines[4] == "│ inner (Sequential)          │ (None, 3)             │         15 │   N   │"
    assert lines[6] == "│    └ dense (Dense)          │ (None, 3)             │         15 │   N   │"
    assert lines[8] == "│ dense_1 (Dense)             │ (None, 2)             │          8 │   Y   │"


def test_line_length_and_long_names():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3, name="a_name_that_is_much_too_long_for_its_column")])
    lines = text_of(model, line_length=60).splitlines()
    assert all(len(line) == 60 for line in lines[1:7])
    assert lines[4].startswith("│ a_name_that_is_much_too… │")


def test_layer_range():
    model = cnn()
    text = text_of(model, layer_range=["max_pooling2d", "flatten"])
    assert "conv2d (Conv2D)" not in text
    assert "flatten (Flatten)" in text
    with pytest.raises(ValueError, match="Passed layer_names do not match the layer names"):
        text_of(model, layer_range=["nothing", "flatten"])
    with pytest.raises(ValueError, match="layer_range must be a list or tuple of length 2"):
        layer_index_range(model.layers, ["flatten"])
    with pytest.raises(ValueError, match="layer_range should contain string type only"):
        layer_index_range(model.layers, [1, 2])


def test_too_narrow():
    with pytest.raises(ValueError, match="Insufficient console width to print summary"):
        text_of(cnn(), line_length=9)


def test_subclass_shows_layers():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    net = Net()
    assert "0 (unbuilt)" in text_of(net)
    net(np.zeros((1, 3), "float32"))
    assert 'Model: "net"' in text_of(net)
    assert "│             8 │" in text_of(net)


def test_memory_sizes():
    assert [readable_memory_size(n) for n in (0, 1023, 1024, 54504, 3 << 20)] == [
        "0.00 B", "1023.00 B", "1.00 KB", "53.23 KB", "3.00 MB",
    ]  # fmt: skip


def test_wide_characters_and_colors():
    text = render_table(["나비"], [[[("나비", "1")]]], [8], ["left"], 10, colors=True)
    lines = text.splitlines()
    assert lines[1] == "┃ \x1b[1m나비  \x1b[0m ┃"
    assert lines[3] == "│ \x1b[1m나비\x1b[0m   │"


def test_ascii():
    text = render_table(["a", "b"], [[[("1", "")], [("2", "")]]] * 2, [1, 1], ["left", "right"], 9, unicode=False)
    assert text == "+-------+\n| a | b |\n|---+---|\n| 1 | 2 |\n|---+---|\n| 1 | 2 |\n+-------+\n"


def test_too_few_positions():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"`positions` requires an entry for each of the 3 columns.*got 2"):
        model.summary(positions=[0.5, 1.0])
