"""A panel: the same model as other trainings gave it, explained on the snapshot's own rows.

Its members come from one of three sources, which are never mixed: "refits" (clones with another seed on bootstrapped
rows), "folds" (the estimators of a cross-validation) or "nights" (earlier snapshots of the same rows). Members are
trained when a method first asks for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Frame
from showcause.adapters.model import Model, adapt, plain_labels
from showcause.adapters.refit import Refit, bootstrapped, cloned
from showcause.core import canonical
from showcause.core.artifact import Artifact
from showcause.core.errors import ModelError, NotApplicable, ParameterError, ShowcauseError, spoken
from showcause.core.snapshot import Snapshot
from showcause.methods import named
from showcause.methods.method import Decision, Job, run

Source = Literal["refits", "folds", "nights"]
Reached = Callable[
    [Any, Callable[[Any], Any]], Any
]  # (outputs, how a member decides) → (rows,) whether it is as wanted
LEAST = 2  # under two members nothing can be said about their spread
TRAINED = {
    "refits": "with another seed on training rows drawn with replacement, within each class where there are classes",
    "folds": "on the folds of a cross-validation",
    "nights": "for earlier snapshots of the same rows",
}


@dataclass(frozen=True)
class Panel:
    """`identity` is a digest of all that decides the members, "" where that cannot be known.

    facts     what the spec says further of the source
    train     member number (from 1) → a fitted native model
    stored    for nights: the snapshots, in the order given
    announce  is told the cost once the first member is trained
    """

    source: Source
    count: int
    identity: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    train: Callable[[int], Any] | None = None
    stored: Sequence[Snapshot] = ()
    announce: Callable[[str], None] = lambda text: None
    _trained: dict[int, Model | str] = field(default_factory=dict, compare=False)

    def models(self, job: Job) -> dict[int, Model]:
        """number → model of every member that could be trained. Raises NotApplicable for nights."""
        if self.train is None:
            raise NotApplicable("the members of this panel are earlier snapshots, whose models are not at hand")
        for number in range(1, self.count + 1):
            if number not in self._trained:
                began = time.perf_counter()
                self._trained[number] = self._member(number, job)
                if number == 1 and self.source == "refits":
                    self.announce(cost(self.count, time.perf_counter() - began))
            job.tick(0.5 * number / self.count)
        return {number: model for number, model in self._trained.items() if isinstance(model, Model)}

    def _member(self, number: int, job: Job) -> Model | str:
        """The member's model, or why there is none: one that fails is told, and the others stay."""
        assert self.train is not None
        try:
            model = adapt(self.train(number), job.data.X, task=job.model.task, y=list(job.model.labels) or None)
            if (model.classes, model.space) != (job.model.classes, job.model.space):
                raise ModelError(
                    f"it gives {model.space} of {list(model.classes)}, the model explained gives {job.model.space} of "
                    f"{list(job.model.classes)}"
                )
            model.predict(job.data.X.take(np.arange(1)))
        except Exception as error:  # whatever training raises becomes part of the spec
            return spoken(error)
        return model

    def explained(
        self, job: Job, method: str, params: Mapping[str, Any], uses: Mapping[str, Mapping[int, Artifact]] | None = None
    ) -> tuple[dict[int, Artifact], dict[str, Any]]:
        """(number → artifact of `method`, what the spec says of the panel). `uses`: name → number → artifact handed.

        The artifacts are of the same rows, by the same parameters and seed; those of nights have the parameters that
        they were stored with. Raises NotApplicable where fewer than two members have one.
        """
        made, failed = self._stored(job, method) if self.train is None else self._run(job, method, params, uses or {})
        if len(made) < LEAST:
            why = "; ".join(f"{number}: {reason}" for number, reason in sorted(failed.items()))
            raise ModelError(
                f"{len(made)} of {self.count} members of the panel can be explained, two are needed ({why})"
            )
        first = made[min(made)]
        spec = {
            "panel": self._facts(sorted(made), failed),
            "of": {name: first.spec[name] for name in ("method", "version", "params")},
            **{name: first.spec[name] for name in ("rows", "background", "space", "loss") if name in first.spec},
        }
        return made, {**spec, **self._frozen(job)}

    def _frozen(self, job: Job) -> dict[str, Any]:
        """What to note where training anew gave the very model that is explained."""
        trained = [n for n, model in self._trained.items() if isinstance(model, Model)]
        same = [n for n in trained if self._trained[n].digest == job.model.digest]  # type: ignore[union-attr]
        if not same:
            return {}
        return {
            "notes": [f"{len(same)} of {self.count} members are the model itself: nothing in them was trained anew."]
        }

    def _run(
        self, job: Job, method: str, params: Mapping[str, Any], uses: Mapping[str, Mapping[int, Artifact]]
    ) -> tuple[dict[int, Artifact], dict[int, str]]:
        models = self.models(job)
        failed = {number: reason for number, reason in self._trained.items() if isinstance(reason, str)}
        made: dict[int, Artifact] = {}
        for number, model in models.items():
            handed = {name: artifacts[number] for name, artifacts in uses.items() if number in artifacts}
            if len(handed) < len(uses):
                continue
            try:
                made[number] = run(named(method), self._job(job, number, model, handed), params)
            except NotApplicable:
                raise
            except Exception as error:  # as in `_member`
                failed[number] = spoken(error)
            job.tick(0.5 + 0.5 * number / self.count)
        return made, failed

    def votes(self, job: Job, cases: Sequence[tuple[Frame, Reached]]) -> tuple[list[tuple[int, int]], dict[str, Any]]:
        """For each case, a frame of one row and what decides from its outputs: (how many members decide so, how many
        could be asked); and what the spec says of the panel. Raises NotApplicable for nights."""
        models = self.models(job)
        failed = {number: reason for number, reason in self._trained.items() if isinstance(reason, str)}
        agree, asked = [0] * len(cases), [0] * len(cases)
        for number, model in models.items():
            decide = self._decision(job, model).classes
            try:
                said = [bool(reached(model.predict(frame), decide)[0]) for frame, reached in cases]
            except Exception as error:  # as in `_member`
                failed[number] = spoken(error)
                continue
            agree = [votes + yes for votes, yes in zip(agree, said, strict=True)]
            asked = [votes + 1 for votes in asked]
        members = [number for number in sorted(models) if number not in failed]
        return list(zip(agree, asked, strict=True)), {"panel": self._facts(members, failed), **self._frozen(job)}

    def _facts(self, members: Sequence[int], failed: Mapping[int, str]) -> dict[str, Any]:
        return {
            "source": self.source,
            "count": self.count,
            "members": list(members),
            "failed": [{"refit": number, "reason": failed[number]} for number in sorted(failed)],
            "trained": TRAINED[self.source],
            **self.facts,
        }

    def _decision(self, job: Job, model: Model) -> Decision:
        """By the member's own threshold where it has one."""
        if job.decision.source == "read from the model" and model.threshold is not None:
            return replace(job.decision, threshold=model.threshold)
        return job.decision

    def _job(self, job: Job, number: int, model: Model, uses: Mapping[str, Artifact]) -> Job:
        """The same rows, background and seed with another model, which decides by its own threshold if it has one."""
        shared = {key: value for key, value in job.memory.items() if key == "digests" or key.startswith("background")}
        memory: dict[str, Any] = job.once(f"member {number}", dict)  # of these rows
        memory |= {key: value for key, value in shared.items() if key not in memory}
        job = replace(job, model=model, decision=self._decision(job, model))
        return replace(job, uses=uses, memory=memory, panel=None, tick=lambda share: None)

    def _stored(self, job: Job, method: str) -> tuple[dict[int, Artifact], dict[int, str]]:
        """What the snapshots hold, where it is of the same rows, by the same parameters as the last of them."""
        made: dict[int, Artifact] = {}
        failed: dict[int, str] = {}
        for number, snapshot in enumerate(self.stored, 1):
            try:
                made[number] = snapshot[method]
            except ShowcauseError as error:
                failed[number] = str(error)
        facts = {number: [a.spec[k] for k in ("version", "params", "seed", "rows")] for number, a in made.items()}
        for number in [n for n in made if facts[n] != facts[max(facts)]]:
            del made[number]
            failed[number] = f"{method} was made with another version, parameters, seed or rows than in the last one"
        return made, failed


def of_refits(count: int, given: Refit | None, of: Job, labels: Any) -> Panel:
    """`count` models trained on bootstrapped rows of of.data.train, by `given` or as clones. labels: those rows' own.

    Rows and seeds follow from the job's seed and the model's digest: two models have panels of their own.
    Raises ParameterError without labelled training rows or for a count that tells nothing, ModelError where the model
    cannot be cloned.
    """
    model, data = of.model, of.data
    if isinstance(count, bool) or not isinstance(count, int) or count < LEAST:
        raise ParameterError(f"refits must be a whole number from {LEAST}, as one has no spread; got {count!r}")
    if data.train is None or data.train_y is None or labels is None:
        raise ParameterError("refits need labelled training rows: give train=(X_train, y_train)")
    refit = cloned(model.native) if given is None else given
    frame, classes, answers = data.train, data.train_y, plain_labels(labels)

    def train(number: int) -> Any:
        rows = bootstrapped(classes, of.rng("refit rows", model.digest, number))
        seed = int(of.rng("refit seed", model.digest, number).integers(2**31 - 1))
        return refit(frame.take(rows).native, answers[rows], seed)

    by = "clones of the estimator" if given is None else "the function given as refit"
    known = given is None and not model.opaque
    return Panel("refits", count, _digest("refits", count, model.digest) if known else "", {"by": by}, train)


def of_folds(estimators: Sequence[Any], model: Model, data: Dataset) -> Panel:
    """The fitted estimators of `cross_validate(…, return_estimator=True)`. Raises ModelError where one is unfitted."""
    members = [adapt(native, data.X, task=model.task, y=list(model.labels) or None) for native in estimators]
    opaque = any(member.opaque for member in members)
    digests = [member.digest for member in members]
    identity = "" if opaque else _digest("folds", *digests)
    return Panel("folds", len(members), identity, {"models": digests}, lambda number: members[number - 1])


def of_nights(snapshots: Sequence[Snapshot], facts: Mapping[str, Any]) -> Panel:
    """Earlier snapshots of the same rows as `facts` (a manifest's data). Raises ParameterError for other rows."""
    for snapshot in snapshots:
        theirs, what = snapshot.manifest.data, f"panel: {snapshot.ref} does not explain the same rows"
        if theirs.get("rows") != facts["rows"] or theirs.get("labels") != facts["labels"]:
            raise ParameterError(f"{what}: their number or their labels differ")
        shared = [name for name in facts["columns"] if name in theirs.get("columns", {})]
        other = [name for name in shared if theirs["columns"][name]["digest"] != facts["columns"][name]["digest"]]
        if other or not shared:
            raise ParameterError(f"{what}: {f'columns {other[:8]} differ' if other else 'no column is shared'}")
    ids = [snapshot.id for snapshot in snapshots]
    return Panel("nights", len(ids), _digest("nights", *ids), {"snapshots": ids}, stored=snapshots)


def _digest(*facts: Any) -> str:
    return canonical.digest(canonical.dumps(list(facts)))


def cost(count: int, seconds: float) -> str:
    """What is told beforehand."""
    return (
        f"{count} retrainings: {_clock(seconds)} each, {_clock(count * seconds)} in all; explaining them comes on top"
    )


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.2g} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
