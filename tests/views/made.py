"""Artifacts and snapshots made by hand, one builder a kind, so that each test can see what stands in its table."""

from __future__ import annotations

from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.kinds import build
from showcause.core.snapshot import Manifest, Record, Snapshot, Status
from showcause.store.memory import MemoryStore

CLASSES = ("no", "yes")


def artifact(name: str, kind: str, spec: dict[str, Any] | None = None, /, **columns: Any) -> Artifact:
    return Artifact(name, kind, spec or {}, build(kind, columns))


def importance(
    names: list[str], values: list[float], *, half: float = 0.01, name: str = "importance/permutation", **more: Any
) -> Artifact:
    low, high = [v - half for v in values], [v + half for v in values]
    spec = {"loss": "log-loss", "space": "loss", "rows": {"count": 100, "sampled_from": 1000, "digest": "d"}}
    return artifact(name, "importance", spec, feature=names, value=values, low=low, high=high, noise="rows", **more)


def curve(names: list[str], *, name: str = "dependence/pdp", places: int = 5) -> Artifact:
    """Each rises from 0.1 to 0.5."""
    rows = [(feature, i) for feature in names for i in range(places)]
    values = [0.1 + 0.4 * i / (places - 1) for _, i in rows]
    return artifact(
        name,
        "curve",
        {"space": "probability", "targets": ["yes"], "cap": {"features": len(names), "of": 99}},
        feature=[f for f, _ in rows],
        at=[float(i) for _, i in rows],
        value=values,
        low=[v - 0.01 for v in values],
        high=[v + 0.01 for v in values],
        support=[100, 50, 20, 10, 2][:places] * len(names),
        noise="rows",
    )


def levels(feature: str, names: list[str | None], *, name: str = "dependence/ale") -> Artifact:
    values = [0.1 * i for i in range(len(names))]
    return artifact(
        name,
        "curve",
        {"space": "probability"},
        feature=feature,
        at_level=names,
        value=values,
        low=values,
        high=values,
        support=[50] * len(names),
    )


def individual(feature: str, examples: int = 30) -> Artifact:
    rows = [(e, i) for e in range(examples) for i in range(5)]
    return artifact(
        "dependence/ice",
        "curve",
        {"space": "probability"},
        feature=feature,
        example=[e for e, _ in rows],
        at=[float(i) for _, i in rows],
        value=[e + 0.1 * i for e, i in rows],
    )


def attribution(names: list[str], examples: int = 12, *, level: str | None = None) -> Artifact:
    """Of example e, feature j: (-1)^j (j + 1) e / 10; the base is 0.5."""
    rows = [(e, j) for e in range(examples) for j in range(len(names))]
    values = [(-1) ** j * (j + 1) * e / 10 for e, j in rows]
    totals = [0.5 + sum((-1) ** j * (j + 1) * e / 10 for j in range(len(names))) for e in range(examples)]
    return artifact(
        "attribution/tree_shap",
        "attribution",
        {"space": "log-odds"},
        example=[e for e, _ in rows],
        feature=[names[j] for _, j in rows],
        value=values,
        base=0.5,
        prediction=[totals[e] for e, _ in rows],
        input=[None if level and j == 0 else float(e) for e, j in rows],
        input_level=[level if level and j == 0 else None for _, j in rows],
    )


def performance() -> Artifact:
    values = {
        "accuracy": 0.8,
        "roc_auc": 0.9,
        "log_loss": 0.4,
        "true_positive": 40.0,
        "false_positive": 10.0,
        "true_negative": 40.0,
        "false_negative": 10.0,
    }
    rows = [
        (segment, metric, value + (0.1 if segment == "train" and value < 1 else 0))
        for segment in ("all", "train")
        for metric, value in values.items()
    ]
    return artifact(
        "model/performance",
        "score",
        {"baseline": {"predicts": "the class frequencies"}},
        segment=[s for s, _, _ in rows],
        metric=[m for _, m, _ in rows],
        value=[v for _, _, v in rows],
        low=[v - 0.02 for _, _, v in rows],
        high=[v + 0.02 for _, _, v in rows],
        reference=0.55,
        count=100,
        noise="rows",
    )


def segments(by: str, names: list[str], *, metric: str = "accuracy") -> Artifact:
    """Values 0.5, 0.6, …; the last level has too few rows."""
    rows = len(names)
    values = [0.5 + 0.1 * i for i in range(rows - 1)] + [None]
    return artifact(
        "segments/performance",
        "score",
        {},
        segment=[f"{by} = {n}" for n in names],
        by=by,
        level=names,
        metric=metric,
        value=values,
        low=[None if v is None else v - 0.01 for v in values],
        high=[None if v is None else v + 0.01 for v in values],
        count=[100] * (rows - 1) + [3],
        reference=0.6,
        noise="rows",
        note=[None] * (rows - 1) + ["insufficient: 3 rows"],
    )


def examples(roles: list[str], **more: Any) -> Artifact:
    size = len(roles)
    return artifact(
        "examples/representative",
        "example",
        {},
        example=list(range(size)),
        role=roles,
        label=[CLASSES[i % 2] for i in range(size)],
        prediction=[0.1 * i for i in range(size)],
        **more,
    )


def neighbours(relations: list[str], *, examples: int = 2, **more: Any) -> Artifact:
    """Of example e: training rows 10 e, 10 e + 1, …, the nearest first; then the two that harm all rows most."""
    size = len(relations)
    rows = [(e, r) for e in range(examples) for r in range(size)]
    own = {
        "example": [*(e for e, _ in rows), None, None],
        "rank": [*(r + 1 for _, r in rows), 1, 2],
        "row": [*(10 * e + r for e, r in rows), 4711, 4712],
        "value": [*(0.9 - 0.1 * r for _, r in rows), 0.02, 0.01],
        "relation": [*(relations[r] for _, r in rows), "harms", "harms"],
        "label": [*(CLASSES[r % 2] for _, r in rows), "no", "no"],
        "prediction": [*(0.1 * r for _, r in rows), 0.9, 0.8],
        "decision": [*(CLASSES[r % 2] for _, r in rows), "yes", "yes"],
    }
    spec = {"value": "share of trees", "relations": dict.fromkeys(relations, "nearest")}
    return artifact("examples/similar", "neighbour", spec, **{"source": "train", **own, **more})


def tree(features: list[str]) -> Artifact:
    """A root, two questions, four leaves."""
    asked = [features[i % len(features)] for i in range(3)]
    return artifact(
        "model/surrogate_tree",
        "tree",
        {"fidelity": {"held out": {"agreement": 0.83, "r2": 0.5, "rows": 200}}},
        tree=0,
        node=list(range(7)),
        parent=[None, 0, 0, 1, 1, 2, 2],
        branch=[None, "yes", "no", "yes", "no", "yes", "no"],
        feature=[*asked, None, None, None, None],
        threshold=[0.5, 1.25, 3.0, None, None, None, None],
        value=[0.5, 0.4, 0.6, 0.3, 0.45, 0.55, 0.7],
        count=[100, 50, 50, 20, 30, 20, 30],
    )


def surface(a: str, b: str) -> Artifact:
    rows = [(i, j) for i in range(4) for j in range(3)]
    return artifact(
        "dependence/pdp_pair",
        "surface",
        {"space": "probability"},
        feature=a,
        feature_b=b,
        at=[float(i) for i, _ in rows],
        at_b=[float(j) for _, j in rows],
        value=[i * j / 10 for i, j in rows],
    )


def checks(*, passed: bool = True) -> Artifact:
    spec = {"of": "attribution/tree_shap", "limit": "at most", "passed": passed, "notes": ["Additivity: it adds up."]}
    note = None if passed else "beyond its limit"
    return artifact(
        "quality/additivity",
        "score",
        spec,
        metric=["additivity_max"],
        value=[0.25 if passed else 4.0],
        reference=[0.5],
        note=[note],
    )


def rules(a: str, b: str, example: int | None = None) -> Artifact:
    """One rule of two conditions, and what is absent for the other class."""
    return artifact(
        "rules/anchor",
        "rule",
        {},
        rule=1,
        condition=[None, 1, 2, 3],
        text=[
            f"{a} from 1 to under 2.5 and {b} is Oslo or missing",
            f"{a} from 1 to under 2.5",
            f"{b} is Oslo",
            f"{a} 9",
        ],
        precision=[0.97, None, None, None],
        low=[0.95, None, None, None],
        high=[0.99, None, None, None],
        coverage=[0.2, None, None, None],
        decision=["yes", None, None, None],
        contrast=["no", None, None, "no"],
        role=[None, "present", "present", "absent"],
        feature=[None, a, b, a],
        at_least=[None, 1.0, None, 9.0],
        below=[None, 2.5, None, None],
        levels=[None, None, '["Oslo"]', None],
        missing=[None, False, True, False],
        **({} if example is None else {"example": [example] * 4}),
    )


def counterfactuals(a: str, b: str) -> Artifact:
    """Example 3 with two alternatives, example 4 with none."""
    return artifact(
        "counterfactual/optimal",
        "counterfactual",
        {"space": "probability"},
        example=[3, 3, 3, 4],
        alternative=[1, 2, 2, None],
        feature=[a, a, b, None],
        before=[1.5, 1.5, None, None],
        after=[2.5, 2.0, None, None],
        before_level=[None, None, "Oslo", None],
        after_level=[None, None, "Rome", None],
        prediction=[0.6, 0.7, 0.7, None],
        decision=["yes", "yes", "yes", None],
        cost=[1.0, 0.5, 1.0, None],
        distance=[1.0, 1.5, 1.5, None],
        agree=[9, 8, 8, None],
        refits=[10, 10, 10, None],
        note=[None, None, None, "no allowed change leads to another outcome"],
    )


def every(features: list[str]) -> list[Artifact]:
    """One of each kind, in a snapshot's names."""
    first = features[0]
    return [
        importance(features, [1 / (i + 1) for i in range(len(features))]),
        attribution(features, level="level"),
        curve(features[:3]),
        levels(first, ["a", "b", None]),
        individual(first),
        performance(),
        segments("sex", ["f", "m", "x"]),
        examples(["right", "wrong", "confident wrong"]),
        neighbours(["like", "like", "unlike"]),
        tree(features),
        surface(first, features[-1]),
        checks(),
        rules(first, features[-1]),
        counterfactuals(first, features[-1]),
        artifact("rows/background", "rows", {}, row=[0, 1], **{first: [1.5, None], "city": ["Boston", None]}),
    ]


def snapshot(
    artifacts: list[Artifact],
    *,
    ref: str = "credit/7",
    statuses: dict[str, Status] | None = None,
    model: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    record: dict[str, Any] | None = None,
) -> Snapshot:
    store = MemoryStore()
    for made in artifacts:
        for stored in made.objects():
            store.put(stored)
    names = {made.name: made.digest for made in artifacts}
    facts = {
        "family": "sklearn.RandomForestClassifier",
        "task": "classification",
        "digest": "0" * 64,
        "card": {"purpose": "To test."},
    }
    manifest = Manifest(
        {**facts, **(model or {})},
        {"rows": {"given": 100, "explained": 100}, "columns": {}, "features": {}, **(data or {})},
        {"threshold": 0.5, "favourable": "yes", "source": "given"},
        tuple(sorted({*names, *(statuses or {})})),
        {**{name: Status("ok") for name in names}, **(statuses or {})},
        names,
    )
    store.put(manifest.document)
    circumstances = {
        "name": "credit",
        "version": 7,
        "parent": None,
        "made_at": "2026-01-02T03:04:05+00:00",
        "by": "Ada",
        "commit": None,
    }
    return Snapshot(manifest, Record(manifest.digest, **{**circumstances, **(record or {})}), store, ref)
