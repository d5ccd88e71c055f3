"""LightGBM: gbdt, dart, goss and rf; read from the model's text, which keeps all digits.

Like the library's predictions, the forest uses the best iteration where training stopped early. The average that the
model boosts from is inside the leaves of the first trees. Covers are counts of rows, as in LightGBM's contributions.
Categorical columns are the codes that the model was trained on; missing and unseen ones go right. A random forest's
margin is the mean of its trees, which is what its predictions are made of (``raw_score`` returns the sum).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from showcause.kernels.trees.forest import Forest, NotAForest, Tree, pack

CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of decision_type; bits 2 and 3 hold the missing type
MISSING_NONE, MISSING_ZERO = 0, 1

EXP = {"poisson", "gamma", "tweedie"}
IDENTITY = {
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "lambdarank",
    "rank_xendcg",
    "custom",
    "none",
}


def read(model: Any) -> Forest:
    booster = getattr(model, "booster_", model)
    if not hasattr(booster, "model_to_string"):
        raise NotAForest(f"{type(model).__qualname__} is not a fitted LightGBM model")
    text = booster.model_to_string(importance_type="split")
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    header = dict(line.partition("=")[::2] for line in head.splitlines())
    n_outputs = int(header["num_tree_per_iteration"])
    n_features = int(header["max_feature_idx"]) + 1
    n_iterations = max(1, len(blocks) // n_outputs)
    weight = 1.0 / n_iterations if "average_output" in header else 1.0

    fields = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]
    zero_missing = _zero_missing(fields, n_features)
    trees = [_tree(tree, t % n_outputs, weight) for t, tree in enumerate(fields)]
    space, link, scale = _space(header.get("objective", "none"))
    return pack(
        trees,
        base=np.zeros(n_outputs),
        n_features=n_features,
        space=space,
        link=link,
        link_scale=scale,
        zero_missing=zero_missing,
    )


def _space(objective: str) -> tuple[Any, Any, float]:
    """Objective line, such as ``binary sigmoid:1`` → space, link, scale inside the link."""
    name, *rest = objective.split()
    options = dict(part.partition(":")[::2] for part in rest)
    if name == "binary" or name == "multiclassova":
        return "log-odds", "logistic", float(options["sigmoid"])
    if name == "cross_entropy":
        return "log-odds", "logistic", 1.0
    if name == "multiclass":
        return "softmax-margin", "softmax", 1.0
    if name in EXP:
        return "raw", "exp", 1.0
    if name in IDENTITY and "sqrt" not in rest:
        return "raw", "identity", 1.0
    raise NotAForest(f"objective {objective!r}: its predictions are not a known function of the margin")


def _numbers(tree: dict[str, str], key: str, dtype: Any = np.float64) -> NDArray[Any]:
    return np.array(tree.get(key, "").split(), dtype=dtype)


def _missing_type(tree: dict[str, str]) -> NDArray[Any]:
    return (_numbers(tree, "decision_type", np.int64) >> 2) & 3


def _zero_missing(fields: list[dict[str, str]], n_features: int) -> NDArray[np.bool_]:
    """(f,) columns whose zeros count as missing; one column is read one way by all numeric splits."""
    seen = np.zeros((2, n_features), np.bool_)
    for tree in fields:
        if int(tree["num_leaves"]) > 1:
            numeric = (_numbers(tree, "decision_type", np.int64) & CATEGORICAL) == 0
            feature = _numbers(tree, "split_feature", np.int64)[numeric]
            zero = _missing_type(tree)[numeric] == MISSING_ZERO
            seen[0, feature[~zero]] = True
            seen[1, feature[zero]] = True
    mixed = np.flatnonzero(seen.all(axis=0))
    if len(mixed):
        raise NotAForest(f"column {mixed[0]}: zero is missing in some splits and a number in others")
    return np.asarray(seen[1])


def _tree(tree: dict[str, str], output: int, weight: float) -> Tree:
    if tree.get("is_linear", "0") != "0":
        raise NotAForest("linear_tree=True: leaves hold linear models, not constants")
    leaf_value = _numbers(tree, "leaf_value") * weight
    n_inner, n_leaves = int(tree["num_leaves"]) - 1, int(tree["num_leaves"])
    if n_inner == 0:
        stump = np.array([-1])
        return Tree(stump, np.zeros(1), stump, stump, np.ones(1), leaf_value, output=output)

    def child(key: str) -> NDArray[np.int64]:  # inner nodes come first, leaf k is stored as -(k + 1)
        node = _numbers(tree, key, np.int64)
        return np.concatenate([np.where(node >= 0, node, n_inner - node - 1), np.full(n_leaves, -1)])

    def inner(values: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([values, np.zeros(n_leaves, values.dtype)])

    decision, threshold = _numbers(tree, "decision_type", np.int64), _numbers(tree, "threshold")
    categorical = (decision & CATEGORICAL) != 0
    default_left = (decision & DEFAULT_LEFT) != 0
    default_left = np.where(_missing_type(tree) == MISSING_NONE, threshold >= 0.0, default_left)  # missing is zero
    return Tree(
        feature=inner(_numbers(tree, "split_feature", np.int64)),
        threshold=inner(threshold),
        left=child("left_child"),
        right=child("right_child"),
        cover=np.concatenate([_numbers(tree, "internal_count"), _numbers(tree, "leaf_count")]),
        value=np.concatenate([np.zeros(n_inner), leaf_value]),
        default_left=inner(default_left & ~categorical),
        categories=_categories(tree, np.flatnonzero(categorical), threshold),
        output=output,
    )


def _categories(tree: dict[str, str], nodes: NDArray[Any], threshold: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """A categorical split's threshold is the number of its bitset, of 32 categories to the word."""
    if len(nodes) == 0:
        return {}
    start, words = _numbers(tree, "cat_boundaries", np.int64), _numbers(tree, "cat_threshold", np.int64)
    bits = (words[:, None] >> np.arange(32)) & 1
    return {
        int(node): bits[start[int(threshold[node])] : start[int(threshold[node]) + 1]].ravel() != 0 for node in nodes
    }
