"""XGBoost: gbtree and dart, one tree per output; read from the model's own document.

A scikit-learn wrapper that stopped early predicts with its best iteration, and so does the forest; a ``Booster``
predicts with all of its trees. Categorical columns are the codes that the model was trained on; a code that no split
names goes left, as the library has it, and so does a missing one where the split says so.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showcause.adapters.forests import ubjson
from showcause.kernels.trees.forest import Forest, NotAForest, Tree, pack

LOGISTIC = {"binary:logistic", "reg:logistic"}
LOG_ODDS = {"binary:logitraw"}
EXP = {"count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"}
SOFTMAX = {"multi:softprob", "multi:softmax"}
IDENTITY = {
    "reg:squarederror",
    "reg:linear",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "binary:hinge",
    "rank:ndcg",
    "rank:map",
    "rank:pairwise",
}


def read(model: Any) -> Forest:
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    if not hasattr(booster, "save_raw"):
        raise NotAForest(f"{type(model).__qualname__} is not a fitted XGBoost model")
    learner = ubjson.loads(bytes(booster.save_raw("ubj")))["learner"]
    boosting = learner["gradient_booster"]
    if boosting["name"] == "gblinear":
        raise NotAForest("booster gblinear is a linear model")
    drop = boosting.get("weight_drop")  # dart: the weight of each tree
    gbtree = boosting["gbtree"]["model"] if "gbtree" in boosting else boosting["model"]

    param = learner["learner_model_param"]
    n_outputs = max(1, int(param["num_class"]), int(param.get("num_target", 1)))
    n_trees = _trees_used(model, gbtree, learner)
    trees = [
        _tree(tree, output, 1.0 if drop is None else float(drop[t]))
        for t, (tree, output) in enumerate(zip(gbtree["trees"][:n_trees], gbtree["tree_info"][:n_trees], strict=True))
    ]
    objective = learner["objective"]["name"]
    space, link = _space(objective)
    return pack(
        trees,
        base=_base(param["base_score"], objective, n_outputs),
        n_features=int(param["num_feature"]),
        space=space,
        link=link,
        dtype="float32",
    )


def _space(objective: str) -> tuple[Any, Any]:
    if objective in LOGISTIC:
        return "log-odds", "logistic"
    if objective in LOG_ODDS:
        return "log-odds", "identity"
    if objective in SOFTMAX:
        return "softmax-margin", "softmax"
    if objective in EXP:
        return "raw", "exp"
    if objective in IDENTITY:
        return "raw", "identity"
    raise NotAForest(f"objective {objective!r}: how it turns its base score into a margin is not known")


def _base(text: str, objective: str, n_outputs: int) -> NDArray[np.float64]:
    """The base score is stored on the scale of predictions (one, or one per output), rounded to float32."""
    scores = np.array([float(part) for part in text.strip("[]").split(",")])
    if objective in LOGISTIC:
        scores = np.array([-math.log(1.0 / score - 1.0) for score in scores])
    elif objective in EXP:
        scores = np.log(scores)
    return np.broadcast_to(scores, (n_outputs,)).copy()


def _trees_used(model: Any, gbtree: dict[str, Any], learner: dict[str, Any]) -> int:
    trees = len(gbtree["trees"])
    best = learner["attributes"].get("best_iteration")
    if model is not None and hasattr(model, "get_booster") and best is not None:
        return int(gbtree["iteration_indptr"][int(best) + 1]) if "iteration_indptr" in gbtree else trees
    return trees


def _tree(tree: dict[str, Any], output: int, weight: float) -> Tree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotAForest("multi_strategy='multi_output_tree': its leaves are vectors; train one tree per output")
    left, condition = tree["left_children"], tree["split_conditions"]
    leaf = left < 0
    with np.errstate(over="ignore"):
        below = np.nextafter(condition, np.float32(-np.inf))  # x < t is x <= the float32 before t
    categories = {}
    segments = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    for node, start, size in segments:
        goes_right = tree["categories"][start : start + size]
        goes_left = np.ones(goes_right.max(initial=-1) + 1, np.bool_)
        goes_left[goes_right] = False
        categories[int(node)] = goes_left
    return Tree(
        feature=np.where(leaf, -1, tree["split_indices"]),
        threshold=below.astype(np.float64),
        left=left,
        right=tree["right_children"],
        cover=tree["sum_hessian"],
        value=np.where(leaf, condition.astype(np.float64) * weight, 0.0),
        default_left=tree["default_left"],
        categories=categories,
        other_left=np.ones(len(left), np.bool_),
        output=int(output),
    )
