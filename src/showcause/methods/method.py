"""What a method is: one function under `@method`, found by walking this folder.

    @method("dependence/ale", kind="curve")
    def compute(job: Job, *, bins: int = 32) -> Result:
        '''First sentence: the question it answers. …'''

Its keyword-only signature is its one schema, for the library, the policy file, the command line and the reference page.
`needs` names inputs and properties without which it does not apply; `uses` names artifacts it is handed ("a|b": the
first that applies), computed before it; `after` names artifacts it is handed only where they happen to exist.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from showcause.adapters.dataset import Dataset, frame_digest
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model
from showcause.adapters.others import Others
from showcause.adapters.wanted import Answered, voted
from showcause.core.artifact import Artifact
from showcause.core.errors import NotApplicable, ParameterError, choices
from showcause.core.kinds import build
from showcause.core.kinds import kind as known_kind

if TYPE_CHECKING:
    from showcause.methods.panel import Panel

BACKGROUND_ROWS = 1_000
NO_PANEL = "the model was not trained again; ask for it by refits=8, or give a panel="
FIT_ROWS = 20_000
FIT_CELLS = 2_000_000  # of a wide table; then fewer rows, but not below 2,000
FEW_ROWS = 60  # without training rows, below this many nothing is held out

Population = tuple[Frame, Rows]  # rows and the model's outputs for them


@dataclass(frozen=True)
class Decision:
    """`threshold` on the probability of classes_[1] (binary only); `favourable`: the class a person hopes for."""

    threshold: float | None = None
    favourable: str | None = None
    source: str = ""

    @property
    def document(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "favourable": self.favourable, "source": self.source}

    def classes(self, outputs: Rows) -> Rows:
        """(rows,) positions of the classes decided for, from a classifier's `outputs` (rows, outputs).

        Binary: classes_[1] from the threshold on, as scikit-learn's threshold classifiers decide; at the default of
        0.5 only above it, as `predict` does, and scores above zero. Otherwise the class with the largest output.
        """
        if outputs.shape[1] > 1:
            return np.asarray(outputs.argmax(axis=1))
        at = 0.0 if self.threshold is None else self.threshold
        above = outputs[:, 0] >= at if self.source in ("given", "read from the model") else outputs[:, 0] > at
        return above.astype(np.int64)

    def shown(self, outputs: Rows) -> Rows:
        """(rows,) the one output that speaks of a row: of classes_[1] (binary), of the class decided for, or the value
        predicted."""
        if outputs.shape[1] == 1:
            return np.asarray(outputs[:, 0])
        return np.asarray(outputs[np.arange(len(outputs)), self.classes(outputs)])

    @property
    def rule(self) -> str:
        """`classes` in words, for specs."""
        if self.threshold is None:
            return "the class with the largest output"
        comparison = "at least" if self.source in ("given", "read from the model") else "above"
        return f"the second class where its probability is {comparison} {self.threshold:g} ({self.source})"


@dataclass(frozen=True)
class Result:
    """A method's table as columns of its kind, and what else the spec must say. NaN in a number becomes null."""

    columns: dict[str, Any]
    spec: dict[str, Any] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """All that a method is given. `memory` lives for one explain: predictions and capabilities are kept there."""

    model: Model
    data: Dataset
    decision: Decision = field(default_factory=Decision)
    seed: int = 0
    given_background: Frame | None = None
    uses: Mapping[str, Artifact] = field(default_factory=dict)
    tick: Callable[[float], None] = lambda share: None
    memory: dict[str, Any] = field(default_factory=dict)
    panel: Panel | None = None

    @property
    def retrained(self) -> Panel:
        """The panel of retrainings. Raises NotApplicable where there is none."""
        if self.panel is None:
            raise NotApplicable(NO_PANEL)
        return self.panel

    def asked_again(self, answered: Sequence[Answered]) -> tuple[list[Answered], dict[str, Any]]:
        """Counterfactuals with what each member of the panel says of them, and what the spec says of it: without a
        panel, why nothing is said."""
        if self.panel is None:
            return list(answered), {"refits": NO_PANEL}
        cases = [(found.frame, one.wanted.reached) for one in answered for found in one.found]
        try:
            votes, facts = self.panel.votes(self, cases)
        except NotApplicable as error:
            return list(answered), {"refits": str(error)}
        return voted(answered, votes), {"refits": "each member of the panel was asked about every alternative", **facts}

    def rng(self, *key: str | int) -> np.random.Generator:
        """A fresh generator that depends on the seed and the key alone: never share one between two purposes."""
        words = [k if isinstance(k, int) else zlib.crc32(k.encode()) for k in key]
        return np.random.default_rng([self.seed, *words])

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self.memory:
            self.memory[key] = make()
        return self.memory[key]

    @property
    def outputs(self) -> Rows:
        """(rows, outputs): the model's predictions of the rows explained."""
        return np.asarray(self.once("outputs", lambda: self.model.predict(self.data.X)))

    @property
    def train_outputs(self) -> Rows:
        """The model's predictions of the training rows; the data must have them."""
        return np.asarray(self.once("train_outputs", lambda: self.model.predict(self.data.train or self.data.X)))

    def background(self, limit: int | None = BACKGROUND_ROWS) -> Frame:
        """The reference rows: those given, whole, else a seeded sample of the training rows, else of X."""
        if self.given_background is not None:
            return self.given_background
        pool = self.data.X if self.data.train is None else self.data.train
        if limit is None or len(pool) <= limit:
            return pool
        rows = np.sort(self.rng("background").choice(len(pool), limit, replace=False))
        return self.once(f"background {limit}", lambda: pool.take(rows))

    @property
    def background_source(self) -> str:
        given = self.given_background is not None
        return "given" if given else "train" if self.data.train is not None else "X"

    def sample(self, limit: int | None, include: Sequence[int] | Rows = ()) -> Rows:
        """At most `limit` row numbers in ascending order, those of `include` among them; all where limit is None."""
        if limit is None or len(self.data) <= limit:
            return np.arange(len(self.data))
        fixed = np.unique(np.asarray(include, dtype=np.int64))[:limit]
        rest = np.setdiff1d(np.arange(len(self.data)), fixed)
        extra = self.rng("sample").choice(rest, limit - len(fixed), replace=False)
        return np.sort(np.concatenate([fixed, extra]))

    def of_rows(self, limit: int | None) -> Job:
        """The same job over `sample(limit)` alone, whose choice depends on the seed and the number of rows only."""
        rows = self.sample(limit)
        if len(rows) == len(self.data):
            return self
        return replace(self, data=self.data.take(rows), memory=self.once(f"rows {limit}", dict))

    def populations(self) -> tuple[Population, Population | None, list[str]]:
        """What an imitation of the model is fitted to and what is held out, each with the model's outputs, and notes.

        Fitted to the training rows (at most 20,000, fewer in wide tables), held out on X; without training rows two
        thirds of X and the rest.
        """
        fit, held, notes = self.once("populations", self._populations)
        return fit, held, list(notes)

    def _populations(self) -> tuple[Population, Population | None, list[str]]:
        data, whole = self.data, (self.data.X, self.outputs)
        limit = min(FIT_ROWS, max(2_000, FIT_CELLS // len(data.X.names)))
        if data.train is not None:
            if len(data.train) <= limit:
                return (data.train, self.train_outputs), whole, []
            rows = np.sort(self.rng("surrogate").choice(len(data.train), limit, replace=False))
            sample = data.train.take(rows)
            outputs = self.train_outputs[rows] if data.train_y is not None else self.model.predict(sample)
            return (sample, outputs), whole, [f"Fitted on {limit:,} of {len(data.train):,} training rows."]
        if len(data) < FEW_ROWS:
            return whole, None, [f"There are {len(data)} rows and no training rows: fidelity could not be held out."]
        order = self.rng("surrogate").permutation(len(data))
        cut = min(2 * len(data) // 3, limit)
        fit, held = np.sort(order[:cut]), np.sort(order[cut:])
        sizes = f"fitted on {cut:,} of the rows explained, held out on the other {len(held):,}"
        note = f"No training rows were given: {sizes}."
        return (data.X.take(fit), self.outputs[fit]), (data.X.take(held), self.outputs[held]), [note]

    @property
    def example_rows(self) -> Rows:
        """Row numbers of the representative examples where they were handed over; none without them."""
        chosen = self.uses.get("examples/representative")
        positions = [] if chosen is None else sorted(set(chosen.table["example"].to_pylist()))
        return self.row_of(np.asarray(positions, dtype=np.int64))

    def asked(self, examples: Sequence[int] | None) -> Rows:
        """Row numbers of the positions asked for, else of the representative examples.

        Raises ParameterError for a position that is not among the rows explained.
        """
        if examples is None:
            return self.example_rows
        wanted = np.asarray(list(examples), dtype=np.int64)
        if not len(wanted) or len(np.unique(wanted)) < len(wanted):
            raise ParameterError(f"examples must name one or more rows, each once; got {list(examples)}")
        if unknown := np.setdiff1d(wanted, self.data.positions).tolist():
            raise ParameterError(f"examples: no row {unknown[:8]} among the {len(self.data)} rows explained")
        return self.row_of(wanted)

    def outcomes(self, among: Others, places: Rows) -> dict[str, Any]:
        """Of these neighbours: what came out (`label`, `actual`), `prediction` and `decision`."""
        outputs = among.outputs[places]
        found: dict[str, Any] = {"prediction": self.decision.shown(outputs)}
        if self.model.classes:
            found["decision"] = [self.model.classes[c] for c in self.decision.classes(outputs)]
        if among.labels is not None and self.model.classes:
            found["label"] = [self.model.classes[c] for c in among.labels[places]]
        elif among.labels is not None:
            found["actual"] = among.labels[places]
        return found

    def row_of(self, positions: Rows) -> Rows:
        """Row numbers in this dataset of the user's positions (the `example` column)."""
        return np.searchsorted(self.data.positions, positions)

    def rows_spec(self, rows: Rows | None = None) -> dict[str, Any]:
        """count and digest of the rows explained, for the spec: `{"rows": …}`; sampled says out of how many."""
        frame = self.data.X if rows is None or len(rows) == len(self.data) else self.data.X.take(rows)
        spec: dict[str, Any] = {"count": len(frame), "digest": self.digest_of(frame)}
        return {"rows": spec if len(frame) == self.data.given else {**spec, "sampled_from": self.data.given}}

    def background_spec(self, background: Frame) -> dict[str, Any]:
        """count, digest and source of the background actually used, for the spec: `{"background": …}`."""
        facts = {"count": len(background), "digest": self.digest_of(background), "source": self.background_source}
        return {"background": facts}

    def digest_of(self, frame: Frame) -> str:
        kept = self.once("digests", dict)  # id → (frame, digest); the frame is kept so that its id stays its own
        if id(frame) not in kept:
            kept[id(frame)] = (frame, frame_digest(frame))
        return str(kept[id(frame)][1])

    def top_features(self, limit: int | None) -> list[str]:
        """The features that matter most, by importance/shap or else importance/permutation where one was handed over;
        in the model's order without either. At most `limit`."""
        names = list(self.data.X.names)
        for source in ("importance/shap", "importance/permutation"):
            if source in self.uses:
                names = _ranked(self.uses[source], names)
                break
        return names if limit is None else names[:limit]

    def chosen(self, features: Sequence[str] | None, limit: int | None) -> tuple[list[str], dict[str, Any]]:
        """The features asked for, else the top `limit`, and what the spec says where the limit bites: `{"cap": …}`.

        Raises ParameterError for names that are unknown or given twice, and for a limit below one.
        """
        names = self.data.X.names
        positive(limit=limit)
        if features is None:
            top = self.top_features(limit)
            return top, {} if len(top) == len(names) else {"cap": {"features": len(top), "of": len(names)}}
        for name in features:
            if name not in names:
                raise ParameterError(f"no such feature: {choices(name, names)}")
        if not features or len(set(features)) < len(features):
            raise ParameterError(f"features must name one or more columns, each once; got {list(features)}")
        return list(features), {}

    @property
    def target_names(self) -> tuple[str | None, ...]:
        """One name an output, None for regression: the `target` column."""
        return self.model.targets or (None,)

    @property
    def space(self) -> dict[str, Any]:
        """The output space of `model.predict`, for the spec: `{"space": …}`."""
        return {"space": self.model.space}


def _ranked(artifact: Artifact, names: list[str]) -> list[str]:
    table = artifact.table
    totals = dict.fromkeys(names, 0.0)
    segments = table["segment"].to_pylist() if "segment" in table.column_names else [None] * len(table)
    groups = table["group"].to_pylist() if "group" in table.column_names else [None] * len(table)
    rows = zip(table["feature"].to_pylist(), table["value"].to_pylist(), segments, groups, strict=True)
    for feature, value, segment, group in rows:
        if feature in totals and segment in (None, "all") and group is None:
            totals[feature] += abs(value or 0.0)
    return sorted(names, key=lambda name: (-totals[name], names.index(name)))


Compute = Callable[..., Result]
Applies = Callable[[Model, Dataset], str | None]


@dataclass(frozen=True)
class Method:
    name: str
    kind: str
    version: int
    compute: Compute
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    after: tuple[str, ...]
    custom: Applies | None
    in_snapshot: Mapping[str, Any]
    panel: bool | Literal["where given"] = False

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        signature = inspect.signature(self.compute, eval_str=True)
        return {p.name: p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: parameter.default for name, parameter in self.parameters.items()}

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.compute) or "").split("\n")[0]

    def applies(self, model: Model, data: Dataset) -> str | None:
        """None, or the reason why this method has nothing to say about this model and data."""
        for need in self.needs:
            if reason := NEEDS[need](model, data):
                return reason
        return self.custom(model, data) if self.custom else None

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters with defaults filled in. Raises ParameterError for unknown names and wrong types."""
        for name, value in given.items():
            if name not in self.parameters:
                raise ParameterError(f"{self.name} has no parameter {name!r}: {choices(name, self.parameters)}")
            _check_type(self.name, name, value, self.parameters[name].annotation)
        return {**self.defaults, **given}


def _check_type(method: str, name: str, value: Any, wanted: Any) -> None:
    from typing import get_args, get_origin

    options = get_args(wanted) if get_origin(wanted) not in (Literal, list, tuple, Sequence) else (wanted,)
    for option in options or (wanted,):
        origin = get_origin(option) or option
        if option is Any or (option is None and value is None) or (option is type(None) and value is None):
            return
        if origin is Literal:
            if value in get_args(option):
                return
        elif origin is float:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return
        elif origin is int:
            if isinstance(value, int) and not isinstance(value, bool):
                return
        elif (
            isinstance(origin, type)
            and isinstance(value, origin)
            and not (isinstance(value, str) and origin is not str)
        ):
            return
    raise ParameterError(f"{method}: {name}={value!r} is not of its type {inspect.formatannotation(wanted)}")


NEEDS: dict[str, Applies] = {
    "labels": lambda model, data: None if data.y is not None else "needs labels, and no y was given",
    "train": lambda model, data: None if data.train is not None else "needs training rows, and no train was given",
    "classification": lambda model, data: None if model.classes else "the model is a regression model",
    "regression": lambda model, data: "the model is a classifier" if model.classes else None,
    "binary": lambda model, data: None if model.binary else "the model does not decide between two classes",
    "probability": lambda model, data: None if model.space == "probability" else "the model gives no probabilities",
    "segments": lambda model, data: None if data.segments or data.protected else "no segment column was declared",
    "protected": lambda model, data: None if data.protected else "no protected attribute was declared",
    "two rows": lambda model, data: None if len(data) > 1 else "there is a single row, so nothing varies",
    "two features": lambda model, data: None if len(data.X.names) > 1 else "the model has a single feature",
}


def positive(**numbers: int | None) -> None:
    """Raise ParameterError for a parameter below one; None passes."""
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ParameterError(f"{name} must be at least 1, got {number}")


def method(
    name: str,
    *,
    kind: str,
    version: int = 1,
    needs: Sequence[str] = (),
    uses: Sequence[str] = (),
    after: Sequence[str] = (),
    applies: Applies | None = None,
    in_snapshot: Mapping[str, Any] | None = None,
    panel: bool | Literal["where given"] = False,
) -> Callable[[Compute], Method]:
    """Make a function a Method. Nothing is registered: `methods.find` walks the folder.

    `in_snapshot`: parameters for a default snapshot where they differ from the signature's, such as its sample size.
    `panel`: whether the method is handed the panel of retrainings: True, it does not apply without (`job.retrained`);
    "where given", it says more with one (`job.panel`). No other method sees it.
    """
    known_kind(kind)

    def decorate(compute: Compute) -> Method:
        handed = (tuple(needs), tuple(uses), tuple(after))
        return Method(name, kind, version, compute, *handed, applies, in_snapshot or {}, panel)

    return decorate


def run(method: Method, job: Job, given: Mapping[str, Any] | None = None) -> Artifact:
    """The method's artifact. Raises NotApplicable, and whatever its compute raises."""
    reason = method.applies(job.model, job.data)
    if reason:
        raise NotApplicable(f"{method.name} does not apply: {reason}")
    params = method.resolve(given or {})
    result = method.compute(job, **params)
    spec = {
        "method": method.name,
        "version": method.version,
        "params": plain(params),
        "seed": job.seed,
        "task": job.model.task,
        "targets": list(job.model.targets),
        **job.space,
        **({} if "rows" in result.spec else job.rows_spec()),
        **plain(result.spec),
    }
    return Artifact(method.name, method.kind, spec, build(method.kind, result.columns), result.blobs)


def plain(value: Any) -> Any:
    """numpy's numbers and tuples as JSON knows them; NaN as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
