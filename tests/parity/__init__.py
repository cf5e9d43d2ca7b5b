"""Nabi beside real Keras: the same models, the same numbers. Skipped where Keras is not installed."""
