"""One self-contained HTML file from a snapshot alone: offline, under a strict content security policy.

Laws, tested in a browser: nothing that a user typed is markup or script; nothing is requested; no error is logged.
With `share`, no single row is in the file: no example, no attribution, no individual curve, no level of under 5 rows.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.errors import ParameterError, choices
from showcause.core.snapshot import Snapshot, Status
from showcause.views import share as sharing
from showcause.views import theme
from showcause.views.bundle import bundle
from showcause.views.figure import available, choose, drawn, every_choice
from showcause.views.figures.attribution import FORMS
from showcause.views.narrative import NOISE, caps, sentences
from showcause.views.panel import is_panel, spread, steadiness
from showcause.views.picture import Picture
from showcause.views.words import STATES, Words, cell, clean, metric, number, title

AUDIENCES = ("engineer", "officer", "subject")
TEMPLATES = Path(__file__).parent / "templates"
TABLE_ROWS = 40  # rows of a table in the page; the snapshot holds them all
CHART_BYTES = 320_000  # of all choices of one chart
EXAMPLES = 12

DEPENDENCE = ("dependence/pdp", "dependence/ale", "refits/dependence", "dependence/shap", "dependence/ice")
PERFORMANCE = ("model/performance", "refits/performance", "model/roc", "model/precision_recall", "model/gain")
RANKED = ("importance/shap", "importance/permutation")
SECTIONS = (
    ("performance", "Performance", PERFORMANCE, "model"),
    ("importance", "What drives it", ("importance/shap", "importance/permutation", "refits/importance"), "importance"),
    ("dependence", "How the output depends on each feature", DEPENDENCE, "dependence"),
    ("segments", "For whom", ("segments/performance", "segments/fairness"), "segments"),
    ("cases", "Single cases", (), "attribution reasons examples counterfactual rules"),
    ("inside", "The model itself", ("model/coefficients", "model/tree", "model/surrogate_tree"), ""),
    ("checks", "Checks of the explanations", (), "quality"),
)
INSIDE = SECTIONS[5][2]


def report(
    snapshot: Snapshot,
    path: str | PathLike[str],
    *,
    audience: str = "engineer",
    share: bool = False,
    **letter: Any,
) -> Path:
    """Write the page for `audience` ("engineer", "officer" or "subject") to `path` and return it.

    `letter`: for the subject, whom it is about and what else it says; see `html`. Raises ParameterError.
    """
    target, made = Path(path), html(snapshot, audience=audience, share=share, **letter)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(made, encoding="utf-8", newline="\n")
    return target


def html(snapshot: Snapshot, *, audience: str = "engineer", share: bool = False, **letter: Any) -> str:
    """The page as text; the same snapshot gives the same text.

    `letter`, for the subject alone: example (a row's position) or id, slots (over the policy's [letter]), language.
    """
    if audience not in AUDIENCES:
        raise ParameterError(f"audience: {choices(audience, AUDIENCES)}")
    if audience == "subject":
        if share:
            raise ParameterError("a letter is about one person: it cannot be shared as totals")
        return letter_html(snapshot, **letter)
    if given := [name for name, value in letter.items() if value is not None]:
        raise ParameterError(f"{', '.join(given)}: only for audience='subject'")
    page = Page(snapshot, audience, share)
    from showcause.views import engineer, officer

    content = (engineer if audience == "engineer" else officer).content(page)
    return rendered(f"{audience}.html", page.charts, page=page, **content)


def rendered(template: str, charts: Mapping[str, Any], **content: Any) -> str:
    """A template with its charts as one self-contained page: style, scripts, data and the policy that allows them."""
    style, script = _style(), _asset("report.js")
    data = json_for_html({"charts": charts, "themes": {"light": theme.config(), "dark": theme.config(theme.DARK)}})
    policy = _policy(style, bundle(), script)
    given = {"policy": policy, "style": style, "bundle": bundle(), "script": script, "data": data}
    return str(_environment().get_template(template).render(**given, **content))


def letter_html(snapshot: Snapshot, *, language: str | None = None, **about: Any) -> str:
    """The letter to a person decided about as one HTML file, without any script. `about` as in `letter.letter`."""
    from showcause.views.letter import letter
    from showcause.views.messages import translator

    made = letter(snapshot, translate=translator(language), language=language or "en", **about)
    style = _style() + _asset("letter.css")
    template = _environment().get_template("subject.html")
    return str(template.render(letter=made, style=style, policy=_policy(style)))


@dataclass
class Card:
    """One artifact on the page: heading, sentences, chart with its controls, table."""

    id: str
    name: str
    title: str
    say: list[str]
    controls: list[dict[str, Any]] = field(default_factory=list)
    table: dict[str, Any] | None = None
    remark: str = ""
    wide: bool = False
    chart: bool = True
    tables: list[dict[str, Any]] = field(default_factory=list)  # open ones, as views/cases.py makes them
    rules: list[dict[str, Any]] = field(default_factory=list)
    path: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Page:
    """What is being put together; `charts` is what the browser draws, by the card's id."""

    snapshot: Snapshot
    audience: str
    share: bool
    charts: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def words(self) -> Words:
        return Words.of(self.snapshot.dictionary)

    def artifact(self, name: str) -> Artifact | None:
        """The artifact as this page may show it; None where there is none or it is about single rows."""
        if name not in self.snapshot:
            return None
        found = self.snapshot[name]
        found = spread(found) if is_panel(found) else found
        if not self.share:
            return found
        shared = sharing.shared(found)
        if shared is None and name not in self.left_out:
            self.left_out.append(name)
        return shared

    def card(self, artifact: Artifact, *, heading: str = "", only: Mapping[str, Sequence[str]] | None = None) -> Card:
        """A card with every choice of the artifact's figure behind controls."""
        key = artifact.name.replace("/", "-")
        plain = self.audience != "engineer"
        possible = available(artifact)
        combined, total = every_choice(artifact)
        for name, kept in (only or {}).items():
            if name in possible:
                possible[name] = [v for v in possible[name] if str(v) in kept] or possible[name][:1]
                combined = [choice for choice in combined if choice[name] in possible[name]]
                total = len(combined)
        each: dict[str, Any] = {}
        used = 0
        for choice in combined:
            index = ",".join(str(possible[name].index(value)) for name, value in choice.items())
            picture = self.picture(artifact, choice)
            made = drawn(picture)
            each[index] = {"spec": made, "say": self.say(artifact, choice, picture)}
            used += len(json.dumps(made))
            if used > CHART_BYTES:
                break
        self.charts[key] = {"options": list(possible), "specs": each}
        first: Any = next(iter(each.values()))
        card = Card(
            key, artifact.name, heading or title(artifact.name), first["say"], self._controls(artifact, possible)
        )
        card.table = None if plain else self.table(artifact)
        card.wide = artifact.kind == "tree"
        if len(each) < total:
            card.remark = f"{len(each):,} of {total:,} choices are drawn here; the snapshot holds them all."
        return card

    def _controls(self, artifact: Artifact, possible: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
        names = {"target": "Class", "feature": "Feature", "feature_b": "Second feature", "segment": "Segment"}
        names |= {"metric": "Measure", "by": "Grouped by", "refit": "Training", "tree": "Tree", "example": "Case"}
        return [
            {"name": name, "label": names.get(name, name), "values": [self._option(artifact, name, v) for v in values]}
            for name, values in possible.items()
            if len(values) > 1
        ]

    def _option(self, artifact: Artifact, name: str, value: Any) -> str:
        if name in ("feature", "feature_b", "by"):
            return self.words.label(str(value))
        if name == "target":
            return self.words.target(value)
        if name == "metric":
            return metric(str(value), plain=self.audience != "engineer")
        if name == "segment" and "by" in artifact.table.column_names:
            row = next(row for row in artifact.table.to_pylist() if row["segment"] == value)
            return self.words.segment(row["by"], row["level"], value)
        return "all rows" if name == "segment" and value == "all" else str(value)

    def one(self, artifact: Artifact, key: str, heading: str, **choice: Any) -> Card:
        """A card with one fixed choice and no controls."""
        picture = self.picture(artifact, choice)
        made, said = drawn(picture), self.say(artifact, choice, picture)
        self.charts[key] = {"options": [], "specs": {"": {"spec": made, "say": said}}}
        return Card(key, artifact.name, heading, said)

    def forms(self, artifact: Artifact, key: str, heading: str, **choice: Any) -> Card:
        """A case's card with its waterfall, force plot and path behind one control."""
        card = self.one(artifact, key, heading, **choice)
        made = [drawn(self.picture(artifact, {**choice, "form": form})) for form in FORMS]
        self.charts[key] = {
            "options": ["form"],
            "specs": {str(i): {"spec": one, "say": card.say} for i, one in enumerate(made)},
        }
        values = ["waterfall", "force plot", "path"]
        card.controls = [{"name": "form", "label": "Drawn as", "values": values}]
        return card

    def picture(self, artifact: Artifact, choice: Mapping[str, Any]) -> Picture:
        return choose(artifact, choice, width="container", plain=self.audience != "engineer")

    def say(self, artifact: Artifact, choice: Mapping[str, Any], picture: Picture | None = None) -> list[str]:
        """The artifact's sentences; only why there are none where its own check failed."""
        if artifact.name in self.doubts:
            return [self.doubts[artifact.name]]
        said = sentences(artifact, audience=self.audience, choice={n: str(v) for n, v in choice.items()}, drawn=picture)
        texts = [s.text for s in said if s.text != NOISE["rows"]]  # said once, at the top of the page
        return texts + self.steady if self.audience == "engineer" and artifact.name == self.steady_of else texts

    @cached_property
    def steady_of(self) -> str | None:
        """The importance that the panel repeats, else the first that there is."""
        if "refits/importance" in self.snapshot:
            of = self.snapshot.head("refits/importance")["spec"]["of"]["method"]
            return str(of) if of in self.snapshot else "refits/importance"
        return next((name for name in RANKED if name in self.snapshot), None)

    @cached_property
    def steady(self) -> list[str]:
        """What other trainings say of the ranking, or that nobody can tell."""
        return [sentence.text for sentence in steadiness(self.snapshot)]

    @cached_property
    def doubts(self) -> dict[str, str]:
        """Explanations whose own check failed, and those made from them → why nothing is said about them."""
        found: dict[str, str] = {}
        for name in self.snapshot:
            spec = self.snapshot.head(name)["spec"] if name.startswith("quality/") else {}
            if spec.get("passed") is False and spec.get("of"):
                why = f"{title(name)} failed its check; nothing is said about these numbers."
                found |= dict.fromkeys((str(spec["of"]), "importance/shap", "dependence/shap"), why)
        return found

    def table(self, artifact: Artifact) -> dict[str, Any]:
        """Head, first rows in words, and how many there are. Columns without a value are left out."""
        whole = artifact.table
        names = [n for n in whole.column_names if whole[n].null_count < max(1, len(whole))]
        rows = whole.select(names).slice(0, TABLE_ROWS).to_pylist()
        body = [[self._cell(name, row[name]) for name in names] for row in rows]
        numeric = [whole.schema.field(name).type in ("double", "int64") for name in names]
        return {"head": names, "rows": body, "numeric": numeric, "total": len(whole), "shown": len(body)}

    def _cell(self, name: str, value: Any) -> str:
        if name in ("feature", "feature_b", "by") and isinstance(value, str):
            return self.words.label(value)
        return (
            self.words.target(value) if name in ("target", "label", "decision") and value is not None else cell(value)
        )

    def provenance(self) -> list[tuple[str, str]]:
        """What was explained and how, as pairs for a list."""
        manifest, record = self.snapshot.manifest, self.snapshot.record
        rows = manifest.data.get("rows", {})
        explained, given = rows.get("explained"), rows.get("given")
        sampled = (
            f"{number(explained)} of {number(given)}, {rows['sampled']}" if "sampled" in rows else number(explained)
        )
        train = manifest.data.get("train") or {}
        pairs = [
            ("Snapshot", self.snapshot.id),
            ("Model", f"{manifest.model.get('family', '')} · {manifest.model.get('task', '')}"),
            ("Model digest", str(manifest.model.get("digest", ""))),
            ("Rows explained", sampled),
            ("Training rows", number(train["rows"]) if "rows" in train else "not given"),
            ("Decision", decision(manifest.decision, self.words)),
            ("Labels digest", str(manifest.data.get("labels") or "no labels given")),
            ("Seed", str(record.configuration.get("seed", "not stated"))),
            ("Made", f"{record.made_at} by {record.by}"),
            ("Code commit", record.commit or "not under version control"),
            ("Policy", str(record.configuration.get("policy") or "default")),
            ("Libraries", ", ".join(f"{name} {version}" for name, version in sorted(record.environment.items()))),
        ]
        consents = record.configuration.get("consents")
        return pairs + ([("Allowed", ", ".join(map(str, consents)))] if consents else [])


def findings(snapshot: Snapshot) -> list[dict[str, str]]:
    """Every check that the snapshot holds of its own explanations, those beyond their limit first."""
    found = []
    for name in snapshot:
        head = snapshot.head(name) if name.startswith("quality/") else None
        if head is None or head["kind"] != "score":
            continue
        for row in snapshot[name].table.to_pylist():
            limit = f"{head['spec'].get('limit') or 'held to'} {number(row.get('reference'))}"
            text = f"{metric(row['metric'])}: {number(row['value'])}, {limit}"
            bad = row.get("note") is not None
            state = "not-given" if bad else "ok"
            found.append({"name": name, "text": text, "note": row.get("note") or "", "state": state})
    return sorted(found, key=lambda item: item["state"] == "ok")


def decision(given: Mapping[str, Any], words: Words) -> str:
    """The decision rule in words."""
    if given.get("threshold") is not None:
        source = given.get("source") or "source not stated"
        return f"threshold {number(given['threshold'])} ({source}); favourable: {words.target(given.get('favourable'))}"
    return str(given.get("source") or "none")


def limits(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Everything that was sampled or capped, from the specs of all artifacts."""
    found = []
    for name in snapshot:
        head = snapshot.head(name)["spec"]
        rows, cap, parts = head.get("rows", {}), head.get("cap"), []
        if isinstance(rows, Mapping) and rows.get("sampled_from"):
            parts.append(f"{number(rows['count'])} of {number(rows['sampled_from'])} rows")
        if isinstance(cap, Mapping):
            parts += [f"{number(taken)} of {number(of)} {what}" for what, taken, of in caps(cap)]
        if parts:
            found.append((title(name), ", ".join(dict.fromkeys(parts))))  # a cap of rows says both
    return found


def statuses(snapshot: Snapshot) -> list[dict[str, str]]:
    """Every status, the worst first."""
    order = ("failed", "not-given", "not-applicable", "ok")
    items: list[tuple[str, Status]] = sorted(
        snapshot.statuses.items(), key=lambda item: (order.index(item[1].state), item[0])
    )
    return [
        {"name": name, "state": s.state, "word": STATES[s.state], "reason": s.reason, "code": s.code}
        for name, s in items
    ]


def json_for_html(value: Any) -> str:
    """JSON that may stand in a script element: no character in it can end the element or the line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _style() -> str:
    """The style sheet with both palettes as variables."""

    def variables(colours: theme.Palette) -> str:
        names = ("ink", "quiet", "line", "paper", "accent", "rise", "fall", "pale")
        return "".join(f"--{name}:{getattr(colours, name)};" for name in names)

    light, dark = variables(theme.LIGHT), variables(theme.DARK)
    head = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    return head + _asset("report.css")


def _policy(style: str, *scripts: str) -> str:
    """A content security policy that allows these texts and nothing else."""

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    allowed = " ".join(source(script) for script in scripts) or "'none'"
    rest = "img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {allowed}; style-src {source(style)}; {rest}"


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=lambda value: clean(value) if type(value) is str else value,  # not Markup, which is ours
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
