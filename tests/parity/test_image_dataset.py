"""The order of files and labels of `image_dataset_from_directory`, and its messages, equal Keras's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.pair import nabi

pytest.importorskip("PIL", reason="reads images: pip install pillow")


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("labels", ["inferred", None, [3, 1, 2, 3, 1, 1, 2, 2, 2]])
def test_order(labels: Any, shuffle: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from keras.src.utils import dataset_utils

    given = list(labels) if isinstance(labels, list) else labels  # Keras shuffles the list it is given

    for name, count in (("b", 4), ("a", 5)):
        (tmp_path / name).mkdir()
        for i in range(count):
            nabi.utils.save_img(tmp_path / name / f"{i}.png", np.full((4, 4, 3), 20 * i), scale=False)
    files, numbers, names = dataset_utils.index_directory(
        str(tmp_path), given, formats=(".png",), shuffle=shuffle, seed=11
    )
    theirs = capsys.readouterr().out
    data = nabi.utils.image_dataset_from_directory(tmp_path, labels=labels, shuffle=shuffle, seed=11, image_size=4)
    assert capsys.readouterr().out == theirs
    assert data.file_paths == files and data.class_names == names
    if numbers is not None:
        by_file = dict(zip(files, numbers, strict=True))
        images, found = next(iter(data))
        pixels = {int(Path(f).stem) * 20 + 1000 * by_file[f] for f in files}
        assert {int(i[0, 0, 0]) + 1000 * int(n) for i, n in zip(images, found, strict=True)} == pixels
