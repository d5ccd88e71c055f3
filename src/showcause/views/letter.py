"""The letter to the person decided about: what was decided, why, how sure that is, what could change it, whom to ask.

A pure function of the snapshot, the person's reasons (an artifact as reasons/cutoff makes it) and the slots that the
policy's [letter] asks for. Laws, tested: every number in it stands in these; no value of another person's row is in it;
no advice touches a protected or immutable feature; a slot that is missing is an error, never a blank; every sentence
passes through one translation; English sentences stay under twenty words and at grade eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.errors import NotFound, ParameterError, choices
from showcause.core.snapshot import Snapshot
from showcause.views.messages import N_, Translate
from showcause.views.reasons import Row, Wording, ordered, ties
from showcause.views.recourse import advice
from showcause.views.shown import Shown, shown, sufficed
from showcause.views.words import clean, number, short

SOURCE = "reasons/cutoff"
NEAR = "rows just beyond the cutoff, on the favourable side"
SLOTS = {
    "decided_by": N_("Decided by"),
    "date": N_("Date"),
    "contact": N_("Contact"),
    "sources": N_("Where the data about you came from"),
    "correct": N_("If a fact about you is wrong"),
    "contest": N_("If you do not agree, or want to talk to a person"),
}
HEAD = ("decided_by", "date", "contact")
MOST_DIGITS = 8


@dataclass(frozen=True)
class Table:
    """A few rows under `head`, as the points tell them."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Part:
    """A heading with its paragraphs; `points` are listed, numbered where `numbered`."""

    key: str
    heading: str
    before: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    numbered: bool = False
    shown: Shown | None = None
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Letter:
    """`facts` and `rights` are pairs of a label and what the policy or the record says."""

    title: str
    language: str
    facts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    rights: tuple[tuple[str, str], ...]
    rights_heading: str
    footer: str

    @property
    def sentences(self) -> list[str]:
        """All that showcause itself says, in order; the slots are the policy's own words."""
        said = [text for part in self.parts for text in (*part.before, *part.points, *part.after)]
        said += [text for part in self.parts if part.shown is not None for text in part.shown.sentences]
        return [*said, self.footer]


def letter(
    snapshot: Snapshot,
    *,
    example: int | None = None,
    id: str | None = None,
    slots: Mapping[str, Any] | None = None,
    reasons: Artifact | None = None,
    translate: Translate = str,
    language: str = "en",
) -> Letter:
    """The letter about one row of `reasons` (default: the snapshot's reasons/cutoff), by its position or the user's id.

    `slots` complete or override the policy's [letter]. Raises ParameterError for slots that are missing or unknown and
    for a row that has no reasons stored, NotFound where the snapshot has no reasons.
    """
    given = _slots(snapshot, slots)
    artifact = known(snapshot) if reasons is None else reasons
    rows = _rows(artifact, example, id)
    about = given.get("about") or translate("your case")
    wording = Wording.of(snapshot, artifact.spec, translate)
    case = Case(snapshot, artifact, rows, wording, short(about, 80), translate, reasons is None)
    parts = (_decision(case), _why(case), *_counting(case), _certainty(case), _change(case))
    _ = translate
    return Letter(
        _("About the decision on {about}").format(about=case.about),
        language,
        tuple((_(SLOTS[name]), str(given[name])) for name in HEAD),
        parts,
        tuple((_(SLOTS[name]), str(given[name])) for name in SLOTS if name not in HEAD),
        _("Your rights"),
        _("Please quote this number when you write: {number}.").format(number=f"{snapshot.id[:12]}-{case.key}"),
    )


def _slots(snapshot: Snapshot, given: Mapping[str, Any] | None) -> dict[str, str]:
    for name in given or {}:
        if name not in ("about", *SLOTS):
            raise ParameterError(f"a letter has no such slot: {choices(name, ('about', *SLOTS))}")
    whole = {**snapshot.manifest.data.get("letter", {}), **{k: v for k, v in (given or {}).items() if v is not None}}
    said = {k: v.isoformat() if isinstance(v, date) else str(v).strip() for k, v in whole.items()}
    missing = [name for name in SLOTS if not said.get(name)]
    if missing:
        raise ParameterError(
            f"a letter must say {', '.join(missing)}: give them in the policy's [letter], or with the letter. "
            "A letter that leaves them out is not written"
        )
    return said


def _rows(artifact: Artifact, example: int | None, id: str | None) -> list[Row]:
    table = artifact.table
    stored = sorted(set(table["example"].to_pylist()))
    if (example is None) == (id is None):
        raise ParameterError(
            "a letter is about one person: give example=POSITION or id=ID. "
            f"Reasons are stored for {len(stored)} rows: {_some(stored)}"
        )
    if id is not None:
        if "id" not in table.column_names:
            raise ParameterError("the snapshot knows no ids; give the row's position as example")
        rows = [row for row in table.to_pylist() if row["id"] == str(id)]
        if len({row["example"] for row in rows}) > 1:
            raise ParameterError(f"several rows have the id {id!r}; give the row's position as example")
    else:
        rows = [row for row in table.to_pylist() if row["example"] == example]
    if not rows:
        wanted = f"id {id!r}" if id is not None else f"row {example}"
        raise ParameterError(
            f"no reasons are stored for {wanted}, but for {len(stored)} rows: {_some(stored)}. "
            "snapshot.why(row, model) gives the reasons of any row"
        )
    return list(rows)


def _some(stored: Sequence[int]) -> str:
    return ", ".join(str(position) for position in stored[:12]) + (" …" if len(stored) > 12 else "")


@dataclass(frozen=True)
class Case:
    """One person's rows of the artifact, and the words to speak with."""

    snapshot: Snapshot
    artifact: Artifact
    rows: Sequence[Row]
    wording: Wording
    about: str
    translate: Translate
    stored: bool  # the row is one of the snapshot's own, so that its other artifacts may speak of it

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def key(self) -> str:
        return str(self.first["example"])

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.artifact.spec

    @property
    def decision(self) -> str | None:
        return self.first.get("decision")

    @property
    def favourable(self) -> str | None:
        return self.spec.get("favourable")

    @property
    def good(self) -> bool:
        return self.decision is not None and self.decision == self.favourable

    @property
    def reasons(self) -> list[Row]:
        return ordered(self.rows)

    def outcome(self, name: str | None) -> str:
        return short(self.wording.words.target(name), 60)


def _decision(case: Case) -> Part:
    _ = case.translate
    said: list[str] = []
    if case.decision is None:
        predicted = case.wording.words.predicted
        kind = {"label": case.about, "value": number(case.first["score"])}
        if predicted:
            kind["value"] = case.wording.value(predicted, case.first["score"], None)
        said.append(_("The result on {label} is {value}.").format(**kind))
    else:
        said.append(
            _("The answer on {about} is: {answer}.").format(about=case.about, answer=case.outcome(case.decision))
        )
        said += _scores(case)
    return Part("decision", _("The decision"), tuple(said))


def _scores(case: Case) -> Iterator[str]:
    """The score and what would have been needed, in as many digits as it takes to tell them apart."""
    _ = case.translate
    score, rule = case.first["score"], case.spec["decision"]
    yield _("A computer model scored your case.")
    threshold = rule.get("threshold")
    classes = case.snapshot.manifest.model.get("classes", [])
    if threshold is not None and case.favourable is not None:
        second = len(classes) == 2 and case.favourable == classes[1]
        needed = threshold if second else 1 - threshold
        mine, line = _apart(100 * score, 100 * needed)
        yield _("Your score is {mine} out of 100.").format(mine=mine)
        at_least = (rule.get("source") in ("given", "read from the model")) == second
        template = (
            _("For “{answer}”, {line} or more is needed.")
            if at_least
            else _("For “{answer}”, more than {line} is needed.")
        )
        yield template.format(answer=case.outcome(case.favourable), line=line)
    elif case.snapshot.manifest.model.get("space") == "probability":
        yield _("The answer with the highest score is given.")
        wanted = case.favourable or case.decision
        parts = {"answer": case.outcome(wanted), "mine": number(float(f"{100 * score:.3g}"))}
        yield _("Your score for “{answer}” is {mine} out of 100.").format(**parts)


def _apart(score: float, line: float) -> tuple[str, str]:
    """Both with the fewest digits (one at most where they differ by that) that do not make them look alike."""
    for digits in range(MOST_DIGITS):
        mine, at = f"{score:.{digits}f}", f"{line:.{digits}f}"
        if abs(float(at) - line) < 1e-9 and (mine != at or score == line):
            return mine, _trimmed(at)
    return f"{score:.{MOST_DIGITS}f}", _trimmed(f"{line:.{MOST_DIGITS}f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _why(case: Case) -> Part:
    _ = case.translate
    reasons = case.reasons
    near = case.spec["population"]["rule"] == NEAR
    parts = {"count": number(case.spec["background"]["count"]), "answer": case.outcome(case.favourable)}
    before = []
    if near:
        before += [
            _("We compared your case with {count} others.").format(**parts),
            _("They just got the answer “{answer}”: their scores are the closest to the line.").format(**parts),
        ]
    else:
        before.append(_("We compared your case with {count} others, picked by chance.").format(**parts))
    if case.spec["background"].get("source") == "train":
        before.append(_("The model learned from them."))
    before.append(_("Below, “theirs” means what is usual among them."))
    heading = _heading(case)
    if not reasons:
        return Part("why", heading, (*before, _("No single fact sets your case apart from them.")))
    before.append(_counted(case, reasons))
    points = tuple(_point(case, row) for row in reasons)
    more = any(row.get("note") for row in reasons)
    after = [*ties([row["rank"] for row in reasons], more, _), *_protected(case)]
    return Part("why", heading, tuple(before), points, tuple(after), numbered=True)


def _counting(case: Case) -> Iterator[Part]:
    """How every fact counted, and which of them alone were enough."""
    _ = case.translate
    toward = None if case.decision is None else case.outcome(case.favourable or case.decision)
    made = shown(case.rows, case.wording, toward)
    if made is not None:
        yield Part("counting", made.heading, shown=made)
    enough = sufficed(case.snapshot, case.wording, case.rows) if case.stored and case.decision is not None else None
    if enough is not None:
        yield Part("enough", _("What alone was enough"), (enough[0],), enough[1])


def _heading(case: Case) -> str:
    _ = case.translate
    if case.decision is None:
        return _("What moved the result most")
    if case.good or case.favourable is None:
        return _("What spoke for this answer")
    return _("What spoke against you")


def _counted(case: Case, reasons: Sequence[Row]) -> str:
    _ = case.translate
    against = case.decision is not None and not case.good and case.favourable is not None
    if len(reasons) == 1:
        return _("This counted against you most:") if against else _("This counted most:")
    if reasons[0]["rank"] == reasons[1]["rank"]:
        return _("These facts counted against you most:") if against else _("These facts counted most:")
    return (
        _("These facts counted against you most, the first one most of all:")
        if against
        else _("These facts counted most, the first one most of all:")
    )


def _point(case: Case, row: Row) -> str:
    _ = case.translate
    said = case.wording.sentence(row)
    if case.decision is not None:
        return said
    return f"{said} " + (_("It raised the result.") if row["value"] > 0 else _("It lowered the result."))


def _protected(case: Case) -> list[str]:
    """What is true stays said, also where a protected feature is among the reasons; nobody is told to change it."""
    _ = case.translate
    protected = set(case.spec.get("protected", ()))
    told = []
    for row in case.reasons:
        if row["feature"] in protected:
            label = case.wording.label(row["feature"])
            told.append(_("{label} is a protected trait. You can ask us why it counted.").format(label=label))
    return told


def _certainty(case: Case) -> Part:
    _ = case.translate
    said = []
    if case.reasons and all(_unsure(row) for row in case.reasons):
        said.append(_("No fact stands out clearly, so take these reasons with care."))
    said += _retrained(case)
    said.append(_("The reasons say how the model counted. They do not say what causes what."))
    return Part("certainty", _("How sure this is"), tuple(said))


def _unsure(row: Row) -> bool:
    return row.get("error") is not None and abs(row["value"]) <= 2 * row["error"]


def _retrained(case: Case) -> Iterator[str]:
    """What other trainings of the model decide about this case."""
    _ = case.translate
    name = "refits/reasons"
    artifact = case.snapshot[name] if case.stored and name in case.snapshot else None
    kept = [] if artifact is None else [r for r in artifact.table.to_pylist() if r["example"] == case.first["example"]]
    members = {row["refit"]: row for row in kept}
    rows = list(members.values())
    if not rows:
        yield _("We did not check whether a model trained again would say the same.")
        return
    yield _("We trained the model again {count} times.").format(count=number(len(rows)))
    if case.decision is None:
        predicted = case.wording.words.predicted
        ends = [min(r["score"] for r in rows), max(r["score"] for r in rows)]
        told = [case.wording.value(predicted, end, None) if predicted else number(end) for end in ends]
        yield _("The results for you were between {low} and {high}.").format(low=told[0], high=told[1])
        return
    same = sum(row["decision"] == case.decision for row in rows)
    if same == len(rows):
        yield _("The answer for you was the same each time.")
    elif same:
        yield _("The answer for you was the same in {same} of them, so it is not certain.").format(same=number(same))
    else:
        yield _("The answer for you was another one each time, so it is not certain.")
    agreeing = {which for which, row in members.items() if row["decision"] == case.decision}
    for place, reason in enumerate(case.reasons, 1):
        again = {
            row["refit"] for row in kept if row["feature"] == reason["feature"] and row["value"] * reason["value"] > 0
        }
        if agreeing and len(again & agreeing) * 2 < len(agreeing):
            yield _("Reason {place} was among the reasons in only {again} of them.").format(
                place=number(place), again=number(len(again & agreeing))
            )


def _change(case: Case) -> Part:
    _ = case.translate
    heading = _("What could change the answer")
    if case.decision is None or case.favourable is None:
        return Part("change", _("What could change the result"), (_("We did not work out what would change it."),))
    if case.good:
        return Part("change", heading, (_("You got the answer “{answer}”, so nothing needs to change.").format(
            answer=case.outcome(case.decision)),))  # fmt: skip
    row = int(case.first["example"])
    known_of = advice(case.snapshot, case.wording, row, case.favourable) if case.stored else None
    if known_of is None:
        return Part("change", heading, (_("We did not work out what would change it."),))
    found = [*map(_agreed(case), known_of.told, known_of.votes)]
    if not found and known_of.long:
        return Part("change", heading, (_("We found changes that would be enough, but of too many facts at once."),))
    if not found:
        return Part("change", heading, (_("We found no change within your reach that would be enough."),))
    before = (_("With one of these changes, the model would have said “{answer}”:").format(
        answer=case.outcome(case.favourable)),)  # fmt: skip
    if len(found) == 1:
        before = (_("With this change, the model would have said “{answer}”:").format(
            answer=case.outcome(case.favourable)),)  # fmt: skip
    head = (_("Fact"), _("Yours"), _("Would be enough"))
    tables = tuple(Table(head, tuple(rows)) for rows in known_of.tables[: len(found)])
    after = (_("This is no promise: other things may change too."),)
    return Part("change", heading, before, tuple(found), after, tables=tables)


def _agreed(case: Case) -> Callable[[str, tuple[int, int] | None], str]:
    """What retrained models say of an alternative, behind it: nothing where none were asked."""
    _ = case.translate

    def said(told: str, votes: tuple[int, int] | None) -> str:
        if votes is None:
            return told
        agree, count = votes
        if agree == count:
            return told + " " + _("All {count} models trained again agree.").format(count=number(count))
        numbers = {"agree": number(agree), "count": number(count)}
        return told + " " + _(
            "But only {agree} of {count} models trained again agree, so it is not certain."
        ).format(**numbers)  # fmt: skip

    return said


def text(made: Letter) -> str:
    """The letter as plain text, one line a sentence group."""
    lines = [made.title, "", *(f"{label}: {value}" for label, value in made.facts)]
    for part in made.parts:
        marks = [f"{n}. " if part.numbered else "- " for n in range(1, len(part.points) + 1)]
        points = [f"{mark}{point}" for mark, point in zip(marks, part.points, strict=True)]
        lines += ["", part.heading, *part.before, *points, *part.after]
    lines += ["", made.rights_heading, *(f"{label}: {value}" for label, value in made.rights), "", made.footer]
    return str(clean("\n".join(lines))) + "\n"


def known(snapshot: Snapshot) -> Artifact:
    """The snapshot's reasons. Raises NotFound."""
    if SOURCE not in snapshot:
        raise NotFound(f"{snapshot.ref} has no {SOURCE}: {snapshot.statuses.get(SOURCE, 'it was not asked for')}")
    return snapshot[SOURCE]
