"""`showcause init`: a file that says nothing until somebody takes a # away, and then says just that."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcause.cli.init import policy_text
from showcause.policy.policy import Policy, schema
from tests.cli.conftest import Call

UNTIL = "2026-12-31"
TABLE = pa.table(
    {
        "customer_id": [1, 2, 3],
        "income": [10.5, None, 30.0],
        "sex": ["f", "m", "f"],
        "paidDate": pa.array([1, 2, 3], pa.timestamp("s")),
        "target": ["no", "yes", "no"],
    }
)


def test_as_written_it_says_nothing() -> None:
    policy = Policy.of(tomllib.loads(policy_text(TABLE, UNTIL)))
    assert (policy.model, policy.data, policy.decision, policy.features) == ({}, {}, {}, {})
    assert not policy.asks


def test_it_advises_until_a_day_and_names_its_schema(call: Call, work: Path) -> None:
    call("init")
    text = (work / "showcause.toml").read_text()
    policy = Policy.of("showcause.toml")
    ahead = date.fromisoformat(policy.until) - datetime.now(UTC).date()
    assert (policy.mode, ahead.days) == ("advise", 30)
    assert text.startswith("#:schema ./showcause.schema.json\n")
    assert json.loads((work / "showcause.schema.json").read_text()) == schema()


def test_every_block_of_rules_is_one_when_its_comments_are_taken_away() -> None:
    policy = Policy.of(tomllib.loads(re.sub("^#  ", "", policy_text(TABLE, UNTIL), flags=re.MULTILINE)))
    assert list(policy.limits) == ["disparate_impact"]
    assert policy.limits["disparate_impact"]["where"]["segment"] == "sex"
    assert list(policy.review) == ["second_look"]
    assert len(policy.requirement) == 1


def test_with_every_comment_taken_away_it_is_a_policy() -> None:
    text = re.sub(r"^# (?=\w+ = )", "", policy_text(TABLE, UNTIL), flags=re.MULTILINE)
    policy = Policy.of(tomllib.loads(text))
    assert {key: policy.data[key] for key in ("label", "id", "time", "protected", "context")} == {
        "label": "target", "id": "customer_id", "time": "paidDate", "protected": ["sex"], "context": ["sex"],
    }  # fmt: skip
    assert list(policy.features) == ["income", "sex", "paidDate", "target"]
    assert policy.features["paidDate"]["label"] == "Paid Date"
    assert policy.features["sex"]["values"] == {"f": "F", "m": "M"}
    assert policy.omits_rows


def test_it_says_of_each_column_what_it_is() -> None:
    text = policy_text(TABLE, UNTIL)
    assert '[features."income"]  # number, 10.5 to 30, 1 missing\n' in text
    assert '[features."sex"]  # category, 2 levels\n' in text
    assert '# label = "target"  # the column of true outcomes; guessed from the data\n' in text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3, unique=True), st.text())
def test_no_name_and_no_level_breaks_the_file(names: list[str], level: str) -> None:
    try:
        table = pa.table({name: [level] for name in names})
    except UnicodeEncodeError:  # a lone surrogate is no text that Arrow holds
        return
    text = re.sub(r"^# (?=\w+ = )", "", policy_text(table, UNTIL), flags=re.MULTILINE)
    found = tomllib.loads(text)
    assert set(found["features"]) <= set(names)
    assert Policy.of(found).data["label"]


def test_it_never_overwrites(call: Call, work: Path) -> None:
    assert call("init", "--data", "test.csv")[0] == 0
    before = (work / "showcause.toml").read_bytes()
    code, _, err = call("init", "--data", "train.csv")
    assert code == 2
    assert "is there already and stays as it is" in err
    assert (work / "showcause.toml").read_bytes() == before


def test_what_it_writes_is_read_by_the_next_explain(call: Call, work: Path) -> None:
    call("init", "--data", "test.csv")
    words = ("explain", "train:model", "--data", "test.csv", "--label", "paid", "--context", "sex", "--json")
    assert call(*words)[0] == 0


def test_without_data_it_is_a_template(call: Call, work: Path) -> None:
    assert call("init")[0] == 0
    assert Policy.of("showcause.toml").features == {}
    assert (work / ".showcause" / "showcause-store").is_file()


@pytest.mark.parametrize("name", ["race", "Sex", "applicant_age", "RAC1P", "marital status"])
def test_protected_attributes_are_suggested(name: str) -> None:
    table = pa.Table.from_pandas(pd.DataFrame({name: ["a"], "average": [1.0], "usage": [2.0]}))
    assert f'# protected = ["{name}"]' in policy_text(table, UNTIL)
