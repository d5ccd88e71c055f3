"""scikit-learn: trees, forests, extra trees, gradient boosting and histogram gradient boosting.

Classifiers that vote (trees, forests) are forests of probabilities, one output for two classes (that of
``classes_[1]``), one per class for more; boosting is a forest of margins.

Histogram gradient boosting with categorical columns is a forest over the matrix in the columns' own order whose
categorical columns hold the ordinal codes of the model's own encoder: ``matrix(model, X)`` makes it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from showcause.kernels.trees.forest import Forest, NotAForest, Tree, pack

TREES = {"DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"}
FORESTS = {"RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"}
BOOSTING = {"GradientBoostingClassifier", "GradientBoostingRegressor"}
HISTOGRAM = {"HistGradientBoostingClassifier", "HistGradientBoostingRegressor"}
REFUSED = {
    "AdaBoostClassifier": "its trees vote on classes; the sum of votes is no probability and no margin",
    "AdaBoostRegressor": "its prediction is a weighted median of trees, not their sum",
    "IsolationForest": "its score is a power of the average depth, not a sum over leaves",
    "BaggingClassifier": "its members may be any estimator",
    "BaggingRegressor": "its members may be any estimator",
    "RandomTreesEmbedding": "it encodes leaves and predicts nothing",
}


def read(model: Any) -> Forest:
    names = [ancestor.__name__ for ancestor in type(model).__mro__ if ancestor.__module__.startswith("sklearn.")]
    name = next((n for n in names if n in TREES | FORESTS | BOOSTING | HISTOGRAM or n in REFUSED), names[0])
    if name in REFUSED:
        raise NotAForest(f"{name}: {REFUSED[name]}")
    try:
        if name in TREES:
            return _averaged(model, [model.tree_])
        if name in FORESTS:
            return _averaged(model, [member.tree_ for member in model.estimators_])
        if name in BOOSTING:
            return _boosted(model)
        if name in HISTOGRAM:
            return _histogram(model)
    except AttributeError as error:
        raise NotAForest(f"{name} is not fitted, or of a version that is not known: {error}") from error
    raise NotAForest(f"{name} is not a tree ensemble of scikit-learn")


def matrix(model: Any, X: Any) -> NDArray[np.float64]:
    """What the forest of a model takes, from what the model takes: its own encoder applied, columns in order."""
    if getattr(model, "_preprocessor", None) is None:
        return np.asarray(X, np.float64)
    encoded = np.asarray(model._preprocessor.transform(X), np.float64)
    out = np.empty_like(encoded)
    out[:, _original_columns(model)] = encoded
    return out


def _original_columns(model: Any) -> NDArray[np.intp]:
    """Place in the encoder's output (categorical columns first) → column of the data."""
    if getattr(model, "_preprocessor", None) is None:
        return np.arange(model.n_features_in_)
    categorical = np.asarray(model.is_categorical_, np.bool_)
    return np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])


def _tree(tree: Any, value: NDArray[Any], output: int = 0) -> Tree:
    missing = getattr(tree, "missing_go_to_left", None)
    return Tree(
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        cover=tree.weighted_n_node_samples,
        value=value,
        default_left=None if missing is None else np.asarray(missing, np.bool_),
        output=output,
    )


def _averaged(model: Any, members: list[Any]) -> Forest:
    if model.n_outputs_ != 1:
        raise NotAForest(f"the model has {model.n_outputs_} targets; explain one target at a time")
    if not hasattr(model, "classes_"):
        trees = [_tree(tree, tree.value[:, 0, 0] / len(members)) for tree in members]
        return pack(trees, base=0.0, n_features=model.n_features_in_, dtype="float32")
    n_classes = len(model.classes_)
    shown = slice(1, 2) if n_classes == 2 else slice(None)
    trees = []
    for tree in members:
        weight = tree.value[:, 0, :]
        share = weight / weight.sum(axis=1, keepdims=True)
        trees.append(_tree(tree, share[:, shown] / len(members)))
    n_outputs = 1 if n_classes == 2 else n_classes
    return pack(trees, base=np.zeros(n_outputs), n_features=model.n_features_in_, space="probability", dtype="float32")


def _boosted(model: Any) -> Forest:
    prior = model.init_
    constant = isinstance(prior, str) or type(prior).__name__ in {"DummyClassifier", "DummyRegressor"}
    if not constant:
        raise NotAForest(f"init={type(prior).__name__}: the model starts from another estimator's predictions")
    base = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0]
    trees = [
        _tree(member.tree_, member.tree_.value[:, 0, 0] * model.learning_rate, output)
        for stage in model.estimators_
        for output, member in enumerate(stage)
    ]
    space, link = _margin(model, len(base))
    scale = 2.0 if model.loss == "exponential" else 1.0  # its margin is half the log-odds
    return pack(
        trees, base=base, n_features=model.n_features_in_, space=space, link=link, link_scale=scale, dtype="float32"
    )


def _margin(model: Any, n_outputs: int) -> tuple[Any, Any]:
    if hasattr(model, "classes_"):
        return ("softmax-margin", "softmax") if n_outputs > 1 else ("log-odds", "logistic")
    return "raw", "exp" if model.loss in {"poisson", "gamma"} else "identity"


def _histogram(model: Any) -> Forest:
    known, place = model._bin_mapper.make_known_categories_bitsets()
    original = _original_columns(model)
    trees = []
    for stage in model._predictors:
        for output, predictor in enumerate(stage):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"] != 0
            missing_left = nodes["missing_go_to_left"] != 0
            categories = {}
            for node in np.flatnonzero((nodes["is_categorical"] != 0) & ~leaf):
                left = _bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
                seen = _bits(known[place[nodes["feature_idx"][node]]])
                categories[int(node)] = np.where(left | seen, left, missing_left[node])  # unseen counts as missing
            trees.append(
                Tree(
                    feature=np.where(leaf, -1, original[np.where(leaf, 0, nodes["feature_idx"].astype(np.int64))]),
                    threshold=nodes["num_threshold"],
                    left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                    right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                    cover=nodes["count"],
                    value=np.where(leaf, nodes["value"], 0.0),
                    default_left=missing_left,
                    categories=categories,
                    other_left=missing_left,
                    output=output,
                )
            )
    base = np.ravel(model._baseline_prediction)
    space, link = _margin(model, len(base))
    return pack(trees, base=base, n_features=model.n_features_in_, space=space, link=link)


def _bits(words: NDArray[Any]) -> NDArray[np.bool_]:
    bits: NDArray[np.bool_] = ((np.asarray(words, np.uint32)[:, None] >> np.arange(32, dtype=np.uint32)) & 1) != 0
    return bits.ravel()
