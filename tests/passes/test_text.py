"""Graph text: written, read back, and refused with the line where it is wrong."""

from __future__ import annotations

import pytest

from nabi import _core

FLAGS = "bias=false, bias_grad=false, mask=false, relu=false, transpose_a=false, transpose_b=false"

TEXT = f"""\
%0 = input{{dtype="float32", index=0, shape=[4,3]}}() : float32[4,3]  // x
%1 = variable{{dtype="float32", shape=[3,2], slot=0}}() : float32[3,2]
%2 = matmul{{{FLAGS}}}(%0, %1) : float32[4,2]  // dense
%3 = constant{{dtype="float32", value=0.1}}() : float32[]
%4 = multiply(%1, %3) : float32[3,2]
update 0 = %4
return %2
"""


def test_text_reads_back():
    assert _core.Graph.parse(TEXT).text() == TEXT


def test_equal_nodes_are_shared():
    graph = _core.Graph()
    x = graph.input(0, "float32", (2,))
    assert graph.add("exp", [x]) == graph.add("exp", [x])
    y = graph.add("negative", [x])[0]
    assert graph.add("add", [x, y]) == graph.add("add", [y, x])
    assert graph.add("subtract", [x, y]) != graph.add("subtract", [y, x])
    assert len(graph) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%1 = exp(%0) : float32[2]", "line 1: value %0 is used before it is made"),
        ('%0 = input{dtype="float32", index=0, shape=[2]}()\n%1 = expo(%0)', "no op named 'expo'"),
        ('%0 = input{dtype="float32", index=0, shape=[2]}() : float32[3]', r"makes float32\[2\], not"),
        ('%0 = input{dtype="float32, index=0}()', "line 1"),
        ('%0 = input{dtype="float32", index=0, shape=[2]}() and more', "line 1: unexpected 'and more'"),
        ("return %0", "used before"),
    ],
)
def test_bad_text_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        _core.Graph.parse(text)


def test_attributes_are_checked():
    graph = _core.Graph()
    x = graph.input(0, "float32", (2, 2))
    with pytest.raises(ValueError, match="leaky_relu: has no attribute slope"):
        graph.add("leaky_relu", [x], {"slope": 0.1})
    with pytest.raises(TypeError, match='leaky_relu: requires attribute alpha to be a number, got "a"'):
        graph.add("leaky_relu", [x], {"alpha": "a"})
    with pytest.raises(ValueError, match="transpose: requires attribute perm"):
        graph.add("transpose", [x])
    with pytest.raises(ValueError, match="pointwise: is made by the engine's own passes only"):
        graph.add("pointwise", [x], {"code": ""})
    with pytest.raises(ValueError, match="add: requires 2 inputs, got 1"):
        graph.add("add", [x])
    with pytest.raises(ValueError, match="graph: has no value 9"):
        graph.add("exp", [9])


def test_messages_name_the_layer():
    graph = _core.Graph()
    graph.set_layer("head")
    a, b = graph.input(0, "float32", (2, 3)), graph.input(1, "float32", (4, 5))
    with pytest.raises(ValueError, match=r'matmul: requires equal inner dimensions, got 3 and 4 .*\(layer "head"\)'):
        graph.add("matmul", [a, b])
