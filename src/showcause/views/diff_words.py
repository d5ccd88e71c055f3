"""How a diff is spoken of: what each change is about, its numbers as text, and the sections that readers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from showcause.core.diff import SECTIONS, Change, Diff, Scalar
from showcause.views.words import METRICS, Words, metric, number

VERDICTS = {
    "changed": "changed",
    "unchanged": "unchanged",
    "inconclusive": "can't tell",
    "not-comparable": "not comparable",
}
HEADINGS = {
    "policy": "Policy",
    "statuses": "What became missing, failed or complete",
    "model": "Model",
    "data": "Data",
    "decision": "Decision",
    "performance": "Performance",
    "fairness": "Fairness",
    "segments": "Segments",
    "importance": "Importance",
    "curves": "Curves",
    "flips": "Outcomes that flipped",
    "other": "Further artifacts",
}
FACTS = ("policy", "statuses", "model", "data", "decision", "flips")  # said in sentences; the others stand in tables
NOISES = {"refits": "retraining", "rows": "rows", "monte-carlo": "sampling"}
KINDS = {"coefficients": "coefficient of", "interaction": "interaction of"}


@dataclass(frozen=True)
class Section:
    """Changes of one section that are not flagged, in the diff's order."""

    name: str
    heading: str
    changes: tuple[Change, ...]

    @property
    def facts(self) -> bool:
        return self.name in FACTS


def sections(diff: Diff) -> list[Section]:
    """Every section that has changes beside the flagged ones."""
    rest = [change for change in diff.changes if not change.flag]
    found = [(name, tuple(change for change in rest if change.section == name)) for name in SECTIONS]
    return [Section(name, HEADINGS[name], changes) for name, changes in found if changes]


def title(diff: Diff) -> str:
    """In a few words what came of it."""
    if diff.same:
        return "the same snapshot"
    changed, refused = sum(change.verdict == "changed" for change in diff.flags), len(diff.flags)
    refused -= changed
    if changed:
        return f"{changed} change{'s' if changed > 1 else ''} to look at"
    return f"{refused} not comparable" if refused else "nothing to look at"


def several(changes: Sequence[Change]) -> bool:
    """Whether these speak of more than one class, so that each must be named."""
    return len({change.key["target"] for change in changes if change.key.get("target") is not None}) > 1


def what(artifact: str, key: Mapping[str, str | None], words: Words, *, targets: bool = False) -> str:
    """What a change is about, beginning in lower case but for names: "importance of Income", "ROC AUC, Sex: f"."""
    said = _subject(artifact, key, words)
    if (segment := key.get("segment")) not in (None, "all"):
        said += f", {words.segment(key.get('by'), key.get('level'), segment)}"
    if targets and key.get("target") is not None:
        said += f", {words.target(key['target'])}"
    return said


def _subject(artifact: str, key: Mapping[str, str | None], words: Words) -> str:
    if (name := key.get("metric")) is not None:
        return metric(name) if name in METRICS or not name.startswith("confusion") else name
    if key.get("feature") is None:
        return next((str(v) for v in key.values() if v), artifact)
    parts = [words.label(str(key[part])) for part in ("feature", "feature_b") if key.get(part) is not None]
    said = " × ".join(parts)
    if key.get("term") and key["term"] != key["feature"]:
        said += f", {key['term']}"
    return said


def value(given: Scalar) -> str:
    """A side's number or text."""
    if given is None:
        return "–"
    if isinstance(given, bool):
        return "yes" if given else "no"
    return number(given) if isinstance(given, int | float) else given


def moved(change: Change) -> str:
    """The difference with its sign and, where it is known, its error and of what."""
    if change.delta is None:
        return ""
    sign = "" if change.section == "curves" or change.delta < 0 else "+"
    error = "" if change.error is None else f" ± {number(change.error)}"
    return f"{sign}{number(change.delta)}{error}"


def noise(change: Change) -> str:
    return NOISES.get(change.noise or "", "")


def places(change: Change) -> str:
    """ "1", "3 → 1": the places before and after."""
    before, after = change.facts.get("rank_before"), change.facts.get("rank_after")
    if before is None and after is None:
        return ""
    return value(after) if before == after else f"{value(before)} → {value(after)}"


def legend(diff: Diff) -> str:
    """One sentence on what stands behind the verdicts."""
    if diff.same:
        return ""
    if diff.panels.get("compared"):
        counts = [diff.panels.get(f"{side}_count") for side in ("before", "after")]
        said = " and ".join(number(count) if isinstance(count, int) else "some" for count in counts)
        return f"Verdicts rest on panels of {said} retrainings ({diff.panels.get('source')}). ± is one standard error."
    return (
        "Without retrainings on both sides, change cannot be told from retraining noise: numbers are shown, not "
        "judged. ± is one standard error over rows, which says nothing of another training."
    )
