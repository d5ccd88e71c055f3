"""model/tree: see `compute`.

Formula: The nodes of the tree as they are, no number is computed.

Assumes: The model is one decision tree, also in a Pipeline.

Misleads:
    - The first question is not the most important one for every row; another sample may give another tree.
    - A column that is not asked for may know as much as one that is.

Cost: Read off the model.
"""

from __future__ import annotations

from functools import partial

from showcause.adapters.dataset import Dataset
from showcause.adapters.model import Model
from showcause.adapters.questions import ENCODED, nodes, raw_question
from showcause.adapters.readable import NotReadable, single_tree
from showcause.methods.method import Job, Result, method


def _reason(model: Model, data: Dataset) -> str | None:
    try:
        single_tree(model, data.X)
    except NotReadable as error:
        return str(error)
    return None


@method("model/tree", kind="tree", applies=_reason)
def compute(job: Job) -> Result:
    """Which questions does this decision tree ask, and what does it answer?

    One row a node (with more than two classes one a node and `target`), node 0 the root, parents before children. An
    inner node asks "`feature` ≤ `threshold`" or "is `feature` one of `categories`" (joined by " or "); `branch` is the
    answer ("yes" or "no") of the parent that leads here. `value` is the model's output at the node, `count` the
    training rows that reached it. Questions are put in raw columns where that parts the rows explained exactly as the
    tree does (a scaled column unscaled, a one-hot column as its category); else in the encoded column, with a note.
    Source: the model itself, held to its predictions.
    """
    found = single_tree(job.model, job.data.X)
    Z = found.encoded.matrix(job.data.X)
    ask = partial(raw_question, found.encoded, job.data.X, Z)
    columns = nodes(found.tree, found.values, job.target_names, ask)
    kept = any(note and ENCODED in note for note in columns["note"])
    spec = {
        "terms": "raw columns, but for nodes whose note names an encoded column" if kept else "raw columns",
        "estimator": type(found.encoded.last).__name__,
        "seen_through": list(found.encoded.through),
        "depth": int(found.tree.max_depth),
        "leaves": int(found.tree.n_leaves),
        "notes": [],
    }
    return Result(columns, spec)
