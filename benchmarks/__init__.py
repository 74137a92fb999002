"""Measurements, side by side in one run: each prints the figures that the documentation quotes."""
