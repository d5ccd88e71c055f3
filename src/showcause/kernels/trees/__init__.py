"""The tree engine: one flat forest form, and exact explanations of it."""

from .forest import Forest, ForestMismatch, NotAForest, Tree, check, pack
from .shap import interventional, path_dependent

__all__ = ["Forest", "ForestMismatch", "NotAForest", "Tree", "check", "interventional", "pack", "path_dependent"]
