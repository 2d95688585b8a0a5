"""Cardiac MRI Zoo: generators of cardiac short-axis MRI, trained on real hearts and judged under one protocol."""

__version__ = "0.1.0"
