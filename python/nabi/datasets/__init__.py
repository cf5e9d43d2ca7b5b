"""Data sets for teaching and measuring, fetched once and kept: each module has ``load_data()``."""

from nabi.datasets import cifar10, fashion_mnist, mnist

__all__ = ["cifar10", "fashion_mnist", "mnist"]
