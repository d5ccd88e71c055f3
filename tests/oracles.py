"""Slow, obvious answers to hold the methods to. Nothing here shares code with the package."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd


def coalition_values(predict, row, background):
    """{frozenset of columns: mean prediction with these columns taken from `row` (a one-row frame)}."""
    names = list(background.columns)
    frames, keys = [], []
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            frame = background.copy()
            for name in chosen:
                frame[name] = pd.Series([row[name].iloc[0]] * len(background), index=background.index).astype(
                    background[name].dtype
                )
            frames.append(frame)
            keys.append(frozenset(chosen))
    outputs = np.asarray(predict(pd.concat(frames, ignore_index=True)))
    return dict(zip(keys, outputs.reshape(len(keys), len(background), -1).mean(axis=1), strict=True))


def shapley(predict, row, background):
    """{column: (outputs,)} by enumerating all coalitions of columns: Shapley 1953, interventional game."""
    value, names = coalition_values(predict, row, background), list(background.columns)
    found = {}
    for name in names:
        rest = [n for n in names if n != name]
        total = 0.0
        for size in range(len(names)):
            weight = factorial(size) * factorial(len(names) - size - 1) / factorial(len(names))
            for chosen in combinations(rest, size):
                total = total + weight * (value[frozenset(chosen) | {name}] - value[frozenset(chosen)])
        found[name] = total
    return found


def partial_dependence(predict, frame, name, level):
    """Mean prediction with column `name` set to `level` in every row."""
    changed = frame.copy()
    changed[name] = pd.Series([level] * len(frame), index=frame.index).astype(frame[name].dtype)
    return np.asarray(predict(changed)).mean(axis=0)


def log_loss_rows(probability, y):
    """(rows,) of a binary model; y in {0, 1}."""
    chosen = np.where(np.asarray(y) == 1, probability, 1 - probability)
    return -np.log(np.clip(chosen, 1e-15, 1))
