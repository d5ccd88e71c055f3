"""Which part of a snapshot speaks to which provision of a law, regulation or standard, as data.

Law: `evidence(snapshot)` says of each entry "evidence present" or "evidence absent", and where it stands. It never says
that a provision is met: whether evidence is enough is for people to judge, and much of what a law asks is not in any
snapshot. Entries with no field say so by themselves.

A field is spelled
    artifact NAME             an artifact of the snapshot that is ok; "a|b": either
    manifest PATH             something said in the manifest, such as model.card.purpose
    record PATH               something said in the record
    attached KIND             a verdict or a signature kept beside the snapshot
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from showcause.core.errors import StoreError
from showcause.core.snapshot import Snapshot

State = Literal["evidence present", "evidence absent"]

# What each source is, and how far its text was read for this table.
SOURCES: dict[str, str] = {
    "EU AI Act": "Regulation (EU) 2024/1689, Articles 11 to 14 and 86, Annex IV; in the table's own words.",
    "GDPR": "Regulation (EU) 2016/679, Articles 15(1)(h) and 22; in the table's own words.",
    "Regulation B": "12 CFR 1002.9(b)(2) (Equal Credit Opportunity Act); in the table's own words.",
    "SR 26-2": (
        "Board of Governors of the Federal Reserve System, OCC and FDIC, Revised Guidance on Model Risk Management, 17 "
        "April 2026, which supersedes SR 11-7. Its cover letter (in a reprint) and summaries by others were read; the "
        "attached guidance itself could not be checked, so entries name its themes, not its sections. Hold them to it."
    ),
    "NIST AI RMF": "NIST AI 100-1 (AI RMF 1.0), subcategories by number; in the table's own words.",
    "ISO/IEC 42001": (
        "ISO/IEC 42001:2023, Annex A, controls by number. The standard is sold, not published: numbers and titles were "
        "taken from what others say of it. Check them against your copy."
    ),
}


@dataclass(frozen=True)
class Entry:
    """`asks` in our own words; `fields` are alternatives, any of which is evidence; none: no snapshot holds any."""

    source: str
    provision: str
    asks: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """An entry held to one snapshot. `where`: the fields that hold evidence, with digests of artifacts."""

    entry: Entry
    state: State
    where: tuple[str, ...]

    @property
    def fields(self) -> dict[str, Any]:
        """As JSON has it."""
        entry = self.entry
        return {
            "source": entry.source,
            "provision": entry.provision,
            "asks": entry.asks,
            "state": self.state,
            "where": list(self.where),
        }


ATTRIBUTION = "artifact attribution/tree_shap|attribution/shapley"
LOCAL = (ATTRIBUTION, "artifact examples/representative")
DRIVERS = ("artifact importance/permutation", "artifact importance/shap")
CURVES = ("artifact dependence/pdp", "artifact dependence/ale")
PURPOSE, LIMITS, OWNER = "manifest model.card.purpose", "manifest model.card.limits", "manifest model.card.owner"
GROUPS = ("artifact segments/performance", "artifact segments/fairness")
TRAINING = "manifest data.train"
VERDICT, SIGNATURE = "attached verdict", "attached signature"


def _of(source: str, *rows: tuple[str, str, tuple[str, ...]]) -> tuple[Entry, ...]:
    return tuple(Entry(source, provision, asks, fields) for provision, asks, fields in rows)


ENTRIES: tuple[Entry, ...] = (
    *_of(
        "EU AI Act",
        ("Article 11(1)", "Technical documentation is drawn up before the system is put to use", ("record made_at",)),
        ("Article 12(1)", "Events are recorded over the system's life", ("record parent", VERDICT)),
        ("Article 12(3)", "Each use of the system is logged", ()),
        ("Article 13(3)(b)(i)", "The intended purpose", (PURPOSE,)),
        ("Article 13(3)(b)(ii)", "Its accuracy and the metrics of it", ("artifact model/performance",)),
        ("Article 13(3)(b)(iii)", "Circumstances in which its use may bring risks", (LIMITS,)),
        ("Article 13(3)(b)(iv)", "What it can tell to explain its output", (ATTRIBUTION, *DRIVERS)),
        ("Article 13(3)(b)(v)", "How it performs for particular groups of persons", GROUPS),
        (
            "Article 13(3)(b)(vi)",
            "The data it was trained, validated and tested on",
            (TRAINING, "manifest data.columns"),
        ),
        ("Article 13(3)(b)(vii)", "What helps to interpret its output", (*CURVES, *LOCAL)),
        ("Article 13(3)(d)", "Measures for human oversight", (SIGNATURE,)),
        ("Article 14(4)(a)", "Overseers understand what it can and cannot do", (LIMITS, *GROUPS)),
        ("Article 14(4)(c)", "Overseers can interpret its output, with tools for it", (ATTRIBUTION, *CURVES)),
        ("Article 14(4)(d)", "Overseers can decide not to use it, or to override it", ()),
        ("Article 86(1)", "Its role in a decision and the main elements of that decision", (ATTRIBUTION,)),
        ("Annex IV 1(a)", "Purpose, provider and version", (PURPOSE, OWNER, "record version")),
        ("Annex IV 2(b)", "Its logic, and what its parameters count for", DRIVERS),
        ("Annex IV 2(d)", "Training data: what they are and where they come from", (TRAINING,)),
        ("Annex IV 2(e)", "Human oversight that its output needs", (SIGNATURE,)),
        (
            "Annex IV 2(g)",
            "Validation and tests, metrics, possible discrimination",
            ("artifact model/performance", *GROUPS),
        ),
        ("Annex IV 2(g)", "Test reports dated and signed by the persons responsible", (SIGNATURE,)),
        ("Annex IV 3", "Limits of its performance, accuracy for particular groups", (LIMITS, *GROUPS)),
        ("Annex IV 4", "Why the metrics are the right ones", ()),
        ("Annex IV 6", "Changes over its life", ("record parent",)),
    ),
    *_of(
        "GDPR",
        ("Article 15(1)(h)", "Meaningful information about the logic involved", (ATTRIBUTION, *DRIVERS)),
        ("Article 15(1)(h)", "What the processing may lead to for the person", ("manifest decision.favourable",)),
        ("Article 22(3)", "Reasons that let a person contest the decision", (ATTRIBUTION,)),
        ("Article 22(3)", "A human to turn to", ("manifest data.letter.contest",)),
        ("Article 22(4)", "No decision rests on special categories of data", ()),
    ),
    *_of(
        "Regulation B",
        ("§ 1002.9(b)(2)", "Specific principal reasons of an adverse action", (ATTRIBUTION,)),
        ("§ 1002.9(b)(2)", "Reasons relate to factors that were really scored", ("artifact quality/additivity",)),
        (
            "§ 1002.9(b)(2)",
            "The wording of reasons that applicants get",
            ("manifest data.reasons", "manifest data.features"),
        ),
    ),
    *_of(
        "SR 26-2",
        ("Theme: development and use", "Purpose, design and data of the model are documented", (PURPOSE, TRAINING)),
        ("Theme: development and use", "What drives it is conceptually sound", (*DRIVERS, *CURVES)),
        ("Theme: development and use", "Limits of its use are known", (LIMITS,)),
        ("Theme: validation", "Outcomes are analysed against what came true", ("artifact model/performance",)),
        ("Theme: validation", "Calibration", ("artifact model/calibration", "artifact model/residuals")),
        ("Theme: validation", "Stability under another training", ("artifact refits/importance",)),
        ("Theme: validation", "Someone else than its developers challenged it", (SIGNATURE,)),
        ("Theme: monitoring", "It is judged again as time passes", (VERDICT,)),
        (
            "Theme: governance",
            "An inventory says which version is in use, and who answers for it",
            (OWNER, "record version"),
        ),
        ("Theme: governance", "Policies say what must hold", (VERDICT,)),
    ),
    *_of(
        "NIST AI RMF",
        ("MAP 1.1", "Purpose, users and setting are understood", (PURPOSE,)),
        ("MAP 2.2", "Limits of its knowledge are documented", (LIMITS,)),
        ("MEASURE 2.3", "Performance is measured and shown", ("artifact model/performance",)),
        (
            "MEASURE 2.5",
            "It is shown to be valid, and limits of that are documented",
            ("artifact model/calibration", LIMITS),
        ),
        ("MEASURE 2.9", "It is explained, validated and documented", (ATTRIBUTION, *DRIVERS)),
        ("MEASURE 2.11", "Fairness and bias are evaluated", ("artifact segments/fairness",)),
        ("MANAGE 1.1", "Somebody decided whether it goes ahead", (VERDICT, SIGNATURE)),
        ("GOVERN 1.6", "An inventory of systems is kept", ("record version",)),
    ),
    *_of(
        "ISO/IEC 42001",
        ("A.6.2.4", "Verification and validation", ("artifact model/performance", VERDICT)),
        ("A.6.2.7", "Technical documentation", ("record made_at",)),
        ("A.6.2.8", "Recording of event logs", ()),
        ("A.7.4", "Quality of data", ("manifest data.columns",)),
        ("A.7.5", "Provenance of data", (TRAINING,)),
        ("A.8.2", "Documentation and information for users", (PURPOSE, *CURVES)),
        ("A.9.4", "Intended use", (PURPOSE,)),
    ),
)


def evidence(snapshot: Snapshot) -> tuple[Found, ...]:
    """Every entry held to this snapshot, in the order of `ENTRIES`."""
    found = []
    for entry in ENTRIES:
        where = tuple(said for field in entry.fields if (said := _held(snapshot, field)))
        found.append(Found(entry, "evidence present" if where else "evidence absent", where))
    return tuple(found)


def _held(snapshot: Snapshot, field: str) -> str:
    """Where the field's evidence stands, "" where there is none."""
    form, _, name = field.partition(" ")
    if form == "artifact":
        here = next((n for n in name.split("|") if n in snapshot.manifest.artifacts), None)
        return "" if here is None else f"artifact {here} {snapshot.manifest.artifacts[here][:12]}"
    if form == "attached":
        try:
            count = len(snapshot.attached(name))
        except StoreError:  # what cannot be read is no evidence
            count = 0
        return f"{count} attached {name}{'s' if count > 1 else ''}" if count else ""
    root: Any = snapshot.manifest if form == "manifest" else snapshot.record
    first, *rest = name.split(".")
    value = getattr(root, first, None)
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    return f"{form} {name}" if value not in (None, "", 0, (), [], {}) else ""
