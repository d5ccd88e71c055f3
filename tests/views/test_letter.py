"""The letter to the person decided about, on real decisions and on rows made to be awkward."""

from __future__ import annotations

import gettext
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

import showcause as sc
from showcause.cli.demo import POLICY, _split, boosting, read_loans, scorecard
from showcause.core.errors import ParameterError
from showcause.policy.policy import Policy
from showcause.views.letter import Letter, letter, text
from showcause.views.messages import translator
from showcause.views.page import html
from tests.views import made
from tests.views.payloads import PAYLOADS

SLOTS = {
    "about": "your application for a mortgage",
    "decided_by": "The loan office of Example Bank",
    "date": "2026-03-03",
    "contact": "loans@example.org, 555 0100",
    "sources": "Your application, and two credit agencies.",
    "correct": "Write to us and say what is wrong. We will check it within 30 days.",
    "contest": "Call us and ask for a person. They will look at your case again.",
}
ASKED = {"artifacts": ["reasons/cutoff", "examples/representative"]}


@cache
def bank(name: str = "boosting") -> sc.Snapshot:
    """A model of real mortgage decisions."""
    train, test = _split(read_loans(), 0)
    model, X, X_train, coded = {"boosting": boosting, "scorecard": scorecard}[name](train, test, 0)
    rules = {**_plain(Policy.of(POLICY)), "letter": SLOTS, "require": ASKED}
    favourable = 1 if coded else "granted"
    return sc.explain(model, X, train=X_train, context=test.context, policy=rules, favourable=favourable)


def _plain(rules: Policy) -> dict[str, Any]:
    return {"model": rules.model, "data": rules.data, "decision": rules.decision, "features": rules.features}


def people(snapshot: sc.Snapshot) -> list[int]:
    return sorted(set(snapshot["reasons/cutoff"].table["example"].to_pylist()))


def letters(snapshot: sc.Snapshot) -> Iterator[Letter]:
    for example in people(snapshot):
        yield letter(snapshot, example=example)


def decided(snapshot: sc.Snapshot, outcome: str) -> int:
    rows = snapshot["reasons/cutoff"].table.to_pylist()
    return next(row["example"] for row in rows if row["decision"] == outcome)


def syllables(word: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", word.lower()))
    silent = word.lower().endswith("e") and not word.lower().endswith(("le", "ee", "ye")) and groups > 1
    return max(1, groups - silent)


def grade(sentences: list[str]) -> float:
    """Kincaid, Fishburne, Rogers & Chissom 1975."""
    words = re.findall(r"[A-Za-z][A-Za-z'’-]*|\d[\d.,]*", " ".join(sentences))
    count = len([s for part in sentences for s in re.split(r"(?<=[.:?!])\s+", part) if s.strip()])
    return 0.39 * len(words) / count + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def test_the_measure_of_grades_is_that_of_the_paper() -> None:
    assert grade(["The cat sat on the mat."]) == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    assert grade(["Considerable organisational complexity characterises institutional decisions."]) > 20


@pytest.mark.parametrize("name", ["boosting", "scorecard"])
def test_real_letters_are_at_grade_eight_in_sentences_under_twenty_words(name: str) -> None:
    worst = 0.0
    for made_letter in letters(bank(name)):
        worst = max(worst, grade(made_letter.sentences))
        for part in made_letter.sentences:
            for sentence in re.split(r"(?<=[.:?!])\s+", part):
                assert len(sentence.split()) < 20, sentence
    assert worst <= 8


NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\w])")


def near(said: str, values: list[float]) -> bool:
    """Whether a number as said rounds one of these, as a number or as a percentage."""
    value = float(said.replace(",", ""))
    digits = len(said.partition(".")[2])
    zeros = len(said) - len(said.rstrip("0")) if digits == 0 else 0
    step = 0.5 * 10.0 ** max(-digits, min(zeros, len(said) - 3))
    return any(abs(value - v) <= step * 1.000001 or abs(value - 100 * v) <= step * 1.000001 for v in values)


@pytest.mark.parametrize("name", ["boosting", "scorecard"])
def test_every_number_parses_back_to_the_record_of_that_person(name: str) -> None:
    snapshot = bank(name)
    artifact = snapshot["reasons/cutoff"]
    stored = artifact.table.to_pylist()
    texts = json.dumps(dict(snapshot.manifest.data["features"]))
    for example in people(snapshot):
        made_letter = letter(snapshot, example=example)
        rows = [row for row in stored if row["example"] == example]
        values = [v for row in rows for v in (row["input"], row["reference"], row["score"]) if v is not None]
        levels = " ".join(str(row[name]) for row in rows for name in ("input_level", "reference_level"))
        values += [artifact.spec["background"]["count"], 100, snapshot.manifest.decision["threshold"], 1, 2, 3, 4]
        for sentence in made_letter.sentences[:-1]:
            for said in NUMBER.findall(sentence):
                assert near(said, values) or said in levels or said in texts, (said, sentence)
        assert f"{snapshot.id[:12]}-{example}" in made_letter.footer


def test_it_says_the_decision_who_was_compared_and_at_most_four_reasons() -> None:
    snapshot = bank()
    said = text(letter(snapshot, example=decided(snapshot, "0")))
    assert "The answer on your application for a mortgage is: denied." in said
    assert "We compared your case with 96 others.\nThey just got the answer “granted”" in said
    assert "What spoke against you" in said
    for made_letter in letters(snapshot):
        why = next(part for part in made_letter.parts if part.key == "why")
        assert 1 <= len(why.points) <= 4


def test_a_score_that_missed_by_a_hair_does_not_look_as_if_it_had_not() -> None:
    snapshot = bank()
    for made_letter in letters(snapshot):
        said = " ".join(made_letter.sentences)
        mine, line = re.search(r"score is ([\d.]+) out of 100\. For “granted”, ([\d.]+) or more", said).groups()
        assert (float(mine) >= float(line)) == ("is: granted." in said), said


def test_ties_are_said_as_ties() -> None:
    snapshot = bank()
    ranks: dict[int, list[int]] = {}
    for row in snapshot["reasons/cutoff"].table.to_pylist():
        if row["rank"] is not None:
            ranks.setdefault(row["example"], []).append(row["rank"])
    for example, found in ranks.items():
        said = " ".join(letter(snapshot, example=example).sentences)
        assert ("count about the same." in said) == (len(set(found)) < len(found))


@pytest.mark.parametrize("slot", ["decided_by", "date", "contact", "sources", "correct", "contest"])
def test_a_letter_without_a_required_slot_is_not_written(slot: str, tmp_path: Path) -> None:
    snapshot = bank()
    for empty in ("", "   "):
        with pytest.raises(ParameterError, match=f"a letter must say {slot}"):
            letter(snapshot, example=people(snapshot)[0], slots={slot: empty})
    with pytest.raises(ParameterError):
        snapshot.report(tmp_path / "a.html", audience="subject", example=people(snapshot)[0], slots={slot: ""})
    assert not (tmp_path / "a.html").exists()


def test_every_slot_is_said(tmp_path: Path) -> None:
    snapshot = bank()
    said = text(letter(snapshot, example=people(snapshot)[0]))
    assert [slot for slot in SLOTS.values() if slot not in said] == []


def test_the_same_person_gets_the_same_bytes() -> None:
    snapshot = bank()
    one = people(snapshot)[0]
    assert html(snapshot, audience="subject", example=one) == html(snapshot, audience="subject", example=one)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "about one person: give example=POSITION or id=ID"),
        ({"example": 10_000_000}, "no reasons are stored for row 10000000"),
        ({"id": "x"}, "knows no ids"),
        ({"example": 1, "slots": {"colour": "red"}}, "no such slot: got 'colour'"),
        ({"example": 1, "share": True}, "cannot be shared"),
        ({"example": 1, "language": "xx"}, "no translation into 'xx'"),
        ({"example": 1, "language": "../../etc"}, "no translation"),
    ],
)
def test_what_cannot_be_written_says_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        html(bank(), audience="subject", **options)


def test_a_pseudo_locale_proves_that_every_sentence_can_be_translated() -> None:
    """Each message comes back in brackets; whatever then stands outside of all brackets escaped the catalogue."""
    snapshot = bank()
    for example in [decided(snapshot, "0"), decided(snapshot, "1"), *people(snapshot)[:20]]:
        made_letter = letter(snapshot, example=example, translate=lambda message: f"⟦{message}⟧")
        labels = [label for label, _ in (*made_letter.facts, *made_letter.rights)]
        headings = [made_letter.title, made_letter.rights_heading, *(part.heading for part in made_letter.parts)]
        for sentence in [*made_letter.sentences, *labels, *headings]:
            assert _outside(sentence) == "", sentence


def _outside(text_: str) -> str:
    depth, kept = 0, ""
    for character in text_:
        depth += {"⟦": 1, "⟧": -1}.get(character, 0)
        kept += character if depth == 0 and character not in "⟦⟧" else ""
    return kept.strip()


def test_a_translation_is_read_from_a_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "showcause.mo").write_bytes(_mo({"The decision": "Die Entscheidung", "Date": "Datum"}))
    monkeypatch.setenv("SHOWCAUSE_LOCALE", str(tmp_path))
    assert translator("de")("The decision") == "Die Entscheidung"
    page = html(bank(), audience="subject", example=people(bank())[0], language="de")
    assert "Die Entscheidung" in page
    assert '<html lang="de">' in page


def _mo(messages: dict[str, str]) -> bytes:
    """A compiled catalogue, as the GNU gettext manual describes it."""
    import struct

    pairs = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **messages}.items())
    ids, texts, offsets = b"", b"", []
    for key, value in pairs:
        k, v = key.encode(), value.encode()
        offsets.append((len(k), len(ids), len(v), len(texts)))
        ids, texts = ids + k + b"\0", texts + v + b"\0"
    start = 28 + 16 * len(pairs)
    first = b"".join(struct.pack("<II", n, start + at) for n, at, _, _ in offsets)
    second = b"".join(struct.pack("<II", n, start + len(ids) + at) for _, _, n, at in offsets)
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + first + second + ids + texts


def test_the_template_of_translations_holds_every_message() -> None:
    pot = (Path(sc.__file__).parent / "locale" / "showcause.pot").read_text()
    assert 'msgid "A computer model scored your case."' in pot
    seen: list[str] = []
    letter(bank(), example=people(bank())[0], translate=lambda message: seen.append(message) or message)
    assert [m for m in seen if f'msgid "{m}"' not in pot] == []
    assert gettext.NullTranslations().gettext("x") == "x"


def secret_rows() -> tuple[pd.DataFrame, np.ndarray]:
    """400 people; every salary and city is one person's own."""
    rng = np.random.default_rng(1)
    salary = np.round(rng.uniform(20_000, 90_000, 400), 2) + np.arange(400) / 10_000
    frame = pd.DataFrame(
        {
            "salary": salary,
            "debt": np.round(rng.uniform(1_000, 60_000, 400), 3),
            "city": [f"town-{i:04d}-{rng.integers(1e9)}" for i in range(400)],
            "since": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 9_000, 400), "D"),
            "late": rng.random(400) < 0.4,
            "grade": np.where(rng.random(400) < 0.1, None, rng.choice(["low", "middle", "high"], 400)),
        }
    )
    paid = np.where(frame["salary"] - frame["debt"] - 9_000 * frame["late"] > 20_000, "paid", "default")
    return frame, paid


class Bank:
    """Reads text, dates, booleans and gaps, as a model behind a Pipeline would."""

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        raw = rows["salary"] - rows["debt"] - 9_000 * rows["late"].astype(float) - 4_000 * rows["grade"].isna()
        days = (rows["since"] - pd.Timestamp("1990-01-01")).dt.days
        even = rows["city"].astype(str).str[-1].isin(list("02468"))
        p = 1 / (1 + np.exp(-(raw - 20_000 + days / 3 + 1_000 * even) / 12_000))
        return np.column_stack([1 - p, p])


@cache
def secret(rows: str = "keep") -> sc.Snapshot:
    frame, paid = secret_rows()
    policy = {"letter": SLOTS, "require": ASKED, "privacy": {"rows": rows}}
    return sc.explain(
        lambda X: Bank().predict_proba(X)[:, 1], frame, paid, task="classification", version="1", policy=policy
    )  # fmt: skip


def forms(frame: pd.DataFrame, row: int) -> set[str]:
    """How a row's own cells may be written."""
    cells = frame.iloc[row]
    salary, debt = float(cells["salary"]), float(cells["debt"])
    found = {cells["city"], cells["since"].date().isoformat()}
    return found | {f"{v:{f}}" for v in (salary, debt) for f in (",.0f", ".0f", ".1f", ",.1f", ".2f", ",.2f", "")}


def test_no_letter_holds_a_value_that_another_person_alone_has() -> None:
    frame, _ = secret_rows()
    own = [forms(frame, row) for row in range(len(frame))]
    for example in people(secret()):
        said = html(secret(), audience="subject", example=example)
        mine = own[example]
        words = set(re.findall(r"[\w.,-]*\d", said))
        for row, theirs in enumerate(own):
            if row != example:
                assert not (theirs - mine) & words, (example, row, (theirs - mine) & words)


def test_dates_booleans_gaps_and_text_are_said_in_words() -> None:
    said = " ".join(" ".join(found.sentences) for found in letters(secret()))
    assert re.search(r"since: yours is \d{4}-\d\d-\d\d. Theirs is about \d{4}-\d\d\.", said)
    assert "late: yours is yes. Most often, theirs is no." in said
    assert "grade: yours is not known." in said
    assert re.search(r"city: yours is “town-\d{4}-\d+”. Theirs vary\.", said)


def test_where_no_rows_are_kept_a_letter_holds_no_raw_value() -> None:
    frame, _ = secret_rows()
    snapshot = secret("omit")
    every = set().union(*(forms(frame, row) for row in range(len(frame))))
    for example in people(snapshot):
        said = html(snapshot, audience="subject", example=example)
        assert not every & set(re.findall(r"[\w.,-]*\d", said))
    assert "yours is higher than theirs" in " ".join(" ".join(found.sentences) for found in letters(snapshot))


def test_more_classes_and_regressions_have_letters_too() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    grades = np.select([X["a"] > 0.6, X["a"] > -0.5], ["gold", "silver"], "bronze")
    policy = {"letter": SLOTS, "require": ASKED}
    three = sc.explain(RandomForestClassifier(5, random_state=0).fit(X, grades), X, policy=policy, favourable="gold")
    said = text(letter(three, example=decided(three, "bronze")))
    assert "is: bronze." in said
    assert "They just got the answer “gold”" in said
    free = sc.explain(RandomForestClassifier(5, random_state=0).fit(X, grades), X, policy=policy)
    assert "picked by chance" in text(letter(free, example=people(free)[0]))
    number = sc.explain(RandomForestRegressor(5, random_state=0).fit(X, X["a"] * 3), X, policy=policy)
    said = text(letter(number, example=people(number)[0]))
    assert re.search(r"The result on your application for a mortgage is -?[\d.]+\.", said)
    assert re.search(r"It (raised|lowered) the result\.", said)


def test_a_protected_reason_is_said_and_no_advice_touches_it() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"sex": rng.integers(0, 2, 300), "income": rng.normal(size=300)})
    model = LogisticRegression().fit(X, np.where(X["sex"] + X["income"] > 0.7, "yes", "no"))
    snapshot = sc.explain(model, X, protected=["sex"], policy={"letter": SLOTS, "require": ASKED})
    said = text(
        letter(snapshot, example=next(i for i in people(snapshot) if X["sex"][i] == 0 and X["income"][i] < 0.4))
    )
    assert "sex: yours is 0." in said
    assert "sex is a protected trait. You can ask us why it counted." in said


CHANGE = {"alternative": 1, "feature": "term"}
CHANGES = {"before": 1.0, "after": 2.0, "prediction": 0.9, "decision": "1"}


def with_changes(rows: list[dict[str, Any]], roles: dict[str, Any]) -> sc.Snapshot:
    """The bank's reasons, with counterfactuals made by hand for one person who was denied."""
    from dataclasses import replace

    snapshot = bank()
    example = decided(snapshot, "0")
    whole = [{**CHANGES, "example": example, **row} for row in rows]
    found = made.artifact(
        "counterfactual/optimal", "counterfactual", {}, **{k: [r[k] for r in whole] for k in whole[0]}
    )
    both = made.snapshot([snapshot["reasons/cutoff"], found], data=dict(snapshot.manifest.data) | roles)
    manifest = replace(both.manifest, model=snapshot.manifest.model, decision=snapshot.manifest.decision)
    return replace(both, manifest=manifest)


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        ({}, ["Together: Debts to income: 2 % instead of 1 %. Net worth: 2 (in $1,000) instead of 1", "Term"]),
        ({"protected": ["obrat"]}, ["Term of the loan: 2 months instead of 1 months."]),
        ({"roles": {"immutable": ["netw"], "label": "decision"}}, ["Term of the loan: 2 months instead of 1 months."]),
        ({"roles": {"actionable": ["obrat", "netw"], "label": "decision"}}, ["Together: Debts to income: 2 %"]),
        ({"roles": {"actionable": ["liq"], "label": "decision"}}, []),
    ],
)
def test_recourse_never_advises_on_what_is_protected_or_out_of_reach(roles: dict[str, Any], told: list[str]) -> None:
    rows = [
        {"alternative": 1, "feature": "obrat"},
        {"alternative": 1, "feature": "netw"},
        {"alternative": 2, "feature": "term"},
        {"alternative": 3, "feature": "liq", "decision": "0"},
    ]
    snapshot = with_changes(rows, roles)
    part = letter(snapshot, example=decided(snapshot, "0")).parts[-1]
    points = [line.replace("\u00a0", " ") for line in part.points]
    assert [any(line.startswith(start) for line in points) for start in told] == [True] * len(told)
    assert len(part.points) == len(told)
    if not told:
        assert part.before == ("We found no change within your reach that would be enough.",)


def test_where_retrained_models_disagree_about_an_advice_it_is_said_to_be_unsure() -> None:
    votes = [{"alternative": 1, "feature": "obrat", "agree": 6}, {"alternative": 2, "feature": "term", "agree": 8}]
    snapshot = with_changes([{**row, "refits": 8} for row in votes], {})
    unsure, sure = letter(snapshot, example=decided(snapshot, "0")).parts[-1].points
    assert unsure.endswith("But only 6 of 8 models trained again agree, so it is not certain.")
    assert sure.endswith("All 8 models trained again agree.")
    assert "agree" not in letter(with_changes([CHANGE], {}), example=decided(snapshot, "0")).parts[-1].points[0]


def test_an_alternative_that_changes_too_much_at_once_is_not_told() -> None:
    columns = ["obrat", "netw", "term", "liq", "apr"]
    snapshot = with_changes([{"alternative": 1, "feature": name} for name in columns], {})
    part = letter(snapshot, example=decided(snapshot, "0")).parts[-1]
    assert part.before == ("We found changes that would be enough, but of too many facts at once.",)
    assert part.points == ()


@pytest.mark.parametrize(
    ("after", "before", "said"),
    [(7919.13, 9000.0, 7900.0), (7919.13, 100.0, 8000.0), (36.0, 45.0, 36.0), (-0.123, 1.0, -0.13), (0.0, 2.0, 0.0)],
)
def test_a_change_is_said_in_two_digits_on_the_far_side(after: float, before: float, said: float) -> None:
    from showcause.views.recourse import outward

    assert outward(after, before) == said


def test_without_counterfactuals_their_absence_is_said() -> None:
    snapshot = bank()
    part = letter(snapshot, example=decided(snapshot, "0")).parts[-1]
    assert part.before == ("We did not work out what would change it.",)


def test_trainings_that_disagree_are_said() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(150, 3)), columns=["a", "b", "c"])
    y = np.where(X["a"] + rng.normal(size=150) > 0, "yes", "no")
    policy = {"letter": SLOTS, "require": {"artifacts": ["reasons/cutoff", "refits/reasons"]}}
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    snapshot = sc.explain(model, X, y, train=(X, y), policy=policy, refits=4)
    table = snapshot["refits/reasons"].to_pandas()
    mine = snapshot["reasons/cutoff"].to_pandas().groupby("example")["decision"].first()
    for example in people(snapshot)[:60]:
        same = (table[table.example == example].groupby("refit")["decision"].first() == mine[example]).sum()
        said = text(letter(snapshot, example=example))
        assert "We trained the model again 4 times." in said
        wanted = {4: "the same each time", 0: "another one each time"}.get(
            same, f"the same in {same} of them, so it is"
        )
        assert wanted in said


def test_what_people_type_is_never_markup() -> None:
    columns = [f"c{n}" for n in range(4)]
    rng = np.random.default_rng(0)
    for start in range(0, len(PAYLOADS), 10):
        typed = PAYLOADS[start : start + 10]
        X = pd.DataFrame({c: rng.choice(typed[2 * n : 2 * n + 2], 60) for n, c in enumerate(columns)})
        X["n"] = rng.normal(size=60)
        names = {c: {"label": typed[n], "unit": typed[9 - n]} for n, c in enumerate([*columns, "n"])}
        slots = {slot: typed[n % 10] for n, slot in enumerate(SLOTS)} | {"date": "2026-03-03"}
        policy = {"letter": slots, "require": ASKED, "features": names}
        snapshot = sc.explain(_typed(typed), X, task="classification", version="1", policy=policy)
        for example in people(snapshot)[:3]:
            page = html(snapshot, audience="subject", example=example)
            body = page[page.index("<body") :]
            assert set(re.findall(r"<(\w+)", body)) <= {
                *("body", "main", "header", "h1", "h2", "dl", "div", "dt", "dd", "section", "p", "ol", "li", "ul"),
                *("footer", "svg", "rect", "line", "title", "table", "thead", "tbody", "tr", "th", "td"),
                *("details", "summary"),
            }
            assert "default-src &#39;none&#39;; script-src &#39;none&#39;" in page


def _typed(typed: list[str]) -> Any:
    def predict(rows: pd.DataFrame) -> np.ndarray:
        score = rows["n"] + sum((rows[f"c{n}"] == typed[2 * n]).astype(float) for n in range(4))
        return np.asarray(1 / (1 + np.exp(-score)))

    return predict


def test_the_engineers_page_says_the_reasons_of_each_case() -> None:
    from showcause.views.narrative import sentences

    artifact = bank()["reasons/cutoff"]
    example = decided(bank(), "0")
    rows = {row["feature"]: row for row in artifact.table.to_pylist() if row["example"] == example}
    said = sentences(artifact, choice={"example": str(example)})
    values = [v for row in rows.values() for v in (row["value"], row["base"], row["prediction"], row["input"])]
    for sentence in said:
        for _, value in sentence.numbers:
            assert value in values or value == 96
    assert "96 rows beyond the cutoff" in " ".join(sentence.text for sentence in said)
