"""CatBoost: symmetric, depthwise and lossguide trees over numbers; read from the model's JSON export.

Covers are the weights of the leaves and their sums. A symmetric tree's root is its last split, as in CatBoost's own
contributions. Where training saw no missing value of a column, CatBoost lets a missing one pass every border's test
as false: it goes left.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from showcause.kernels.trees.forest import Forest, NotAForest, Tree, pack

LOGISTIC = {"Logloss", "CrossEntropy", "Focal"}
LOG_ODDS_PER_CLASS = {"MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy"}
EXP = {"Poisson", "Tweedie"}


def read(model: Any) -> Forest:
    if not (hasattr(model, "is_fitted") and model.is_fitted()):
        raise NotAForest(f"{type(model).__qualname__} is not a fitted CatBoost model")
    content = _export(model)
    info = content["features_info"]
    found = content["oblivious_trees"] if "oblivious_trees" in content else content["trees"]
    if any(kind in json.dumps(found) for kind in ('"OneHotFeature"', '"OnlineCtr"')):
        raise NotAForest(
            "CatBoost splits on categorical features test hashes and target statistics that are no function of one "
            "column's code; encode the categories before training, or explain the model as a black box"
        )
    for kind in ("text_features", "embedding_features"):
        if info.get(kind):
            raise NotAForest(f"CatBoost {kind.replace('_', ' ')} are computed from the raw input, not from a column")
    columns = {f["feature_index"]: f["flat_feature_index"] for f in info["float_features"]}
    missing_right = {f["feature_index"]: f["nan_value_treatment"] == "AsTrue" for f in info["float_features"]}
    scale, bias = content["scale_and_bias"]
    n_outputs = len(bias) if isinstance(bias, list) else 1
    reader = _symmetric if "oblivious_trees" in content else _other
    trees = [reader(tree, columns, missing_right, float(scale), n_outputs) for tree in found]
    space, link = _space(loss_name(model), n_outputs if hasattr(model, "predict_proba") else 0)
    return pack(
        trees,
        base=bias,
        n_features=len(info["float_features"]) + len(info.get("categorical_features", [])),
        space=space,
        link=link,
        dtype="float32",
    )


def _export(model: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            model.save_model(str(path), format="json")
        except Exception as error:
            raise NotAForest(f"CatBoost does not export this model as JSON: {error}") from error
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content


def loss_name(model: Any) -> str:
    """The loss without its parameters; '' where the model tells none. A sum of models has no parameters of its own."""
    told = model.get_metadata()
    if "params" in told:
        return str(json.loads(told["params"])["loss_function"]["type"])
    return str(json.loads(told["loss_function"])["type"]) if "loss_function" in told else ""


def _space(loss: str, classified: int) -> tuple[Any, Any]:
    """`classified`: a classifier's outputs, whose links are the usual ones also for a loss of one's own; else 0."""
    if loss in LOGISTIC | LOG_ODDS_PER_CLASS or (loss != "MultiClass" and classified == 1):
        return "log-odds", "logistic"
    if loss == "MultiClass" or classified > 1:
        return "softmax-margin", "softmax"
    if loss in EXP:
        return "raw", "exp"
    return "raw", "identity"


def _symmetric(
    tree: dict[str, Any], columns: dict[int, int], missing_right: dict[int, bool], scale: float, n_outputs: int
) -> Tree:
    """All nodes of a level share one split; the leaf's number holds the split's answers, the root's the highest."""
    splits = tree["splits"] or []
    depth = len(splits)
    value = np.array(tree["leaf_values"], np.float64).reshape(1 << depth, n_outputs) * scale
    cover = [np.array(tree.get("leaf_weights") or np.zeros(1 << depth), np.float64)]
    while len(cover[0]) > 1:
        cover.insert(0, cover[0].reshape(-1, 2).sum(axis=1))
    n_inner = (1 << depth) - 1
    node = np.arange(2 * n_inner + 1)  # heap order: the children of i are 2i + 1 and 2i + 2
    level = np.concatenate([np.full(1 << d, depth - 1 - d) for d in range(depth)] + [np.zeros(0, int)]).astype(int)

    def inner(answers: list[Any], fill: Any) -> Any:
        return np.concatenate([np.array(answers)[level], np.full(n_inner + 1, fill)]) if depth else np.array([fill])

    features = [split["float_feature_index"] for split in splits]
    return Tree(
        feature=inner([columns[f] for f in features], -1),
        threshold=inner([split["border"] for split in splits], 0.0),
        left=np.where(node < n_inner, 2 * node + 1, -1),
        right=np.where(node < n_inner, 2 * node + 2, -1),
        cover=np.concatenate(cover),
        value=np.concatenate([np.zeros((n_inner, n_outputs)), value]),
        default_left=inner([not missing_right[f] for f in features], False),
    )


def _other(
    tree: dict[str, Any], columns: dict[int, int], missing_right: dict[int, bool], scale: float, n_outputs: int
) -> Tree:
    nodes: list[dict[str, Any]] = []
    left, right, pending = [], [], [tree]
    while pending:  # breadth first, so that a child's place is known when its parent is read
        node = pending.pop(0)
        nodes.append(node)
        inner = "split" in node
        left.append(len(nodes) + len(pending) if inner else -1)
        right.append(left[-1] + 1 if inner else -1)
        if inner:
            pending += [node["left"], node["right"]]
    cover = np.array([float(node.get("weight", 0.0)) for node in nodes])
    value = np.zeros((len(nodes), n_outputs))
    for i in reversed(range(len(nodes))):
        if left[i] >= 0:
            cover[i] = cover[left[i]] + cover[right[i]]
        else:
            value[i] = scale * np.array(nodes[i]["value"], np.float64)
    split = [node.get("split") for node in nodes]
    return Tree(
        feature=np.array([columns[s["float_feature_index"]] if s else -1 for s in split]),
        threshold=np.array([s["border"] if s else 0.0 for s in split]),
        left=np.array(left),
        right=np.array(right),
        cover=cover,
        value=value,
        default_left=np.array([not missing_right[s["float_feature_index"]] if s else False for s in split]),
    )
