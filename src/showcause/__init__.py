"""Explanations as first-class outputs of training."""
