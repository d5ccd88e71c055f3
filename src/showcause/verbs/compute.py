"""One method, one artifact, no store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from showcause.adapters.dataset import dataset, finite
from showcause.adapters.frame import Frame
from showcause.adapters.model import Model, Task, adapt, one_thread, ordered
from showcause.core.artifact import Artifact
from showcause.core.errors import DataError, ModelError, ParameterError, ShowcauseError
from showcause.methods import named
from showcause.methods.method import Decision, Job, Method, run

EVALUATIONS = 1_000_000  # of what a method uses and nobody asked for by name


def compute(
    method: str,
    model: Any,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    background: Any = None,
    context: Any = None,
    segments: Sequence[str] = (),
    protected: Sequence[str] = (),
    threshold: float | None = None,
    favourable: Any = None,
    actionable: Sequence[str] | None = None,
    immutable: Sequence[str] = (),
    constraints: Sequence[str] = (),
    one_hot: Sequence[Sequence[str]] = (),
    features: Mapping[str, Mapping[str, Any]] | Sequence[str] | None = None,
    task: Task | None = None,
    seed: int = 0,
    **params: Any,
) -> Artifact:
    """Run one explanation method on every row of X, in their order; first what it uses, with its default parameters.
    What is estimated on the way asks a black box about a million rows at most, and explains as many rows of X as that
    affords: `spec["rows"]` says how many. Asked for by its own name it has no such limit.

    model       a fitted model, or any callable with `task` ("classification": probabilities, "regression")
    X, y        rows to explain (n × p: pandas, polars, pyarrow or numpy) and their labels
    train       (X_train, y_train) or X_train; background: the reference rows (default: from train, else from X)
    context     columns beside X that the model never sees; segments and protected attributes may name them
    actionable, immutable, constraints, one_hot   what recourse may change, as in [data] of a policy
    features    name → its entry as in [features.NAME] of a policy (label, …, monotone, range); a list of names is the
                method's own parameter `features`
    params      the method's own parameters, see `showcause.methods()`

    Raises InputError (DataError, ModelError, ParameterError, NotApplicable) for what cannot be used.
    """
    wanted = named(method)
    if features is not None and not isinstance(features, Mapping):
        params["features"] = features
    adapted, frame = read_model(model, X, task=task, y=y)
    recourse = {"actionable": actionable, "immutable": immutable, "constraints": constraints, "one_hot": one_hot}
    data = dataset(
        adapted,
        frame,
        y,
        train=train,
        context=context,
        segments=segments,
        protected=protected,
        features=features if isinstance(features, Mapping) else None,
        seed=seed,
        recourse=recourse,
    )
    reference = read_background(adapted, background)
    job = Job(adapted, data, decide(adapted, threshold, favourable), seed, reference)
    wanted.resolve(params)
    with one_thread():
        return run(wanted, _fed(wanted, job), params)


def _fed(method: Method, job: Job) -> Job:
    """The job with every artifact that the method uses, computed with default parameters but within a budget: nobody
    asked for it by name, and of a black box its own defaults may take hours."""
    found: dict[str, Artifact] = dict(job.uses)
    for alternatives in method.uses:
        options = [named(name) for name in alternatives.split("|")]
        usable = [m for m in options if m.applies(job.model, job.data) is None] or options[-1:]
        if usable[0].name not in found:
            fed = _fed(usable[0], job)
            found |= fed.uses
            budget = {"evaluations": EVALUATIONS} if "evaluations" in usable[0].in_snapshot else {}
            found[usable[0].name] = run(usable[0], fed, budget)
    return replace(job, uses=found)


def read_model(
    model: Any, X: Any, *, task: Task | None, y: Any = None, version: str | None = None
) -> tuple[Model, Frame]:
    """The adapted model and X in its columns. An array gets the names that the model was trained with."""
    raw = Frame.of(X)
    if not len(raw):
        raise DataError("X has no rows; there is nothing to explain")
    with one_thread():
        adapted = adapt(model, raw, task=task, version=version, y=y)
        frame = Frame.of(X, names=adapted.features) if raw.is_array and adapted.features else raw
        frame = finite(ordered(adapted, frame), "X")
        _try(adapted, frame)
    return adapted, frame


def _try(model: Model, frame: Frame) -> None:
    """One prediction now, so that what the model cannot read is an error before any work, in the model's own words."""
    try:
        model.predict(frame.take(np.arange(1)))
    except ShowcauseError:
        raise
    except Exception as error:
        raise ModelError(f"the model cannot predict the first row of X: {type(error).__name__}: {error}") from error


def read_background(model: Model, background: Any) -> Frame | None:
    if background is None:
        return None
    frame = finite(ordered(model, Frame.of(background, what="background", names=model.features)), "background")
    if not len(frame):
        raise DataError("background has no rows")
    return frame


def decide(model: Model, threshold: float | None, favourable: Any) -> Decision:
    """The decision that examples, fairness and reasons refer to. Raises ParameterError."""
    if not model.classes:
        if threshold is not None or favourable is not None:
            raise ParameterError("a regression model decides nothing: leave out threshold and favourable")
        return Decision()
    wanted = None if favourable is None else str(favourable)
    if wanted is not None and wanted not in model.classes:
        raise ParameterError(f"favourable={wanted!r} is not one of the classes {list(model.classes)}")
    if not model.binary or model.space != "probability":
        if threshold is not None:
            raise ParameterError("a threshold needs a binary model that gives probabilities")
        return Decision(None, wanted, "the class with the largest output")
    if threshold is not None and not 0 < threshold < 1:
        raise ParameterError(f"threshold must lie between 0 and 1, got {threshold}")
    chosen = wanted or model.classes[1]
    if threshold is not None:
        return Decision(float(threshold), chosen, "given")
    if model.threshold is not None:
        return Decision(model.threshold, chosen, "read from the model")
    return Decision(0.5, chosen, "0.5 by default")
