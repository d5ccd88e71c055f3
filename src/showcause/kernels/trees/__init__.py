"""The tree engine: one flat forest form, and exact explanations of it.

``forest`` the form and its prediction · ``patterns`` leaves in groups, one key per row and group · ``games`` what a
leaf's pattern is worth in each game · ``tables`` the sweep over groups and rows · ``folds`` several backgrounds side by
side · ``masks`` small trees, a word of leaves for each code · ``curves``, ``walks`` rows with columns from elsewhere ·
``counts`` partial dependence · ``shap``, ``interactions`` and ``dependence`` what callers use.
"""

from .dependence import (
    every_ice,
    every_level,
    every_partial_dependence,
    ice,
    joint_partial_dependence,
    partial_dependence,
    replaced,
)
from .forest import Forest, ForestMismatch, NotAForest, Tree, check, pack
from .interactions import interactions
from .shap import against, interventional, path_dependent

__all__ = [
    "Forest",
    "ForestMismatch",
    "NotAForest",
    "Tree",
    "against",
    "check",
    "every_ice",
    "every_level",
    "every_partial_dependence",
    "ice",
    "interactions",
    "interventional",
    "joint_partial_dependence",
    "pack",
    "partial_dependence",
    "path_dependent",
    "replaced",
]
