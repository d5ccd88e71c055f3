"""`showcause init`: a commented showcause.toml from the data, every line of it optional."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from showcause.cli.load import read_table
from showcause.core.errors import ParameterError
from showcause.policy.grammar import SCHEMA_ID
from showcause.policy.policy import schema_text

LABELS = ("label", "target", "y", "outcome", "class", "churn", "default", "approve", "approved", "response")
PROTECTED = re.compile(
    r"(^|[_ .-])(sex|gender|male|female|age|agep|race|rac1p|ethnic\w*|black|white|hispan\w*|latino|asian|married"
    r"|marital\w*|religion|nationality|citizen\w*|disab\w*|pregnan\w*)($|[_ .-])",
    re.IGNORECASE,
)
TIMES = re.compile(r"(date|time|timestamp|_at)$", re.IGNORECASE)
WEIGHTS = re.compile(r"^(weight|sample_weight|wgt|pwgtp)$", re.IGNORECASE)
LEVELS = 12  # a text column with no more than these gets them as value labels

ADVISE_DAYS = 30  # how long a fresh policy advises before it refuses
SCHEMA_FILE = "showcause.schema.json"
HEAD = """\
#:schema ./showcause.schema.json
# showcause.toml: what showcause should know beyond the numbers. All of it is optional: take away the # of a line to
# say it. Every door reads this file: the library (policy="showcause.toml"), the command line, the reports.
"""


def write_policy(out: Path, data: Path | None) -> Path:
    """Write it, and beside it the schema that editors complete it with.

    Raises ParameterError where the file is there already: nobody's words are overwritten.
    """
    from datetime import UTC, datetime

    table = None if data is None else read_table(data)
    text = policy_text(table, (datetime.now(UTC).date() + timedelta(days=ADVISE_DAYS)).isoformat())
    try:
        with out.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ParameterError(f"{out} is there already and stays as it is; give --out with another name") from None
    beside = out.with_name(SCHEMA_FILE)
    if not beside.exists() or SCHEMA_ID in beside.read_text(encoding="utf-8", errors="replace"):
        beside.write_text(schema_text(), encoding="utf-8", newline="\n")
    return out


def policy_text(table: pa.Table | None, until: str) -> str:
    """The file's text: it advises to the end of the day `until` and says nothing else. Roles guessed from names and
    values are suggestions, commented out."""
    lines = [HEAD, *_mode(until), *_model()]
    names = [] if table is None else table.column_names
    label = next((name for want in LABELS for name in names if name.lower() == want), None)
    protected = [name for name in names if PROTECTED.search(name) and name != label]
    ids = [] if table is None else [name for name in names if _is_id(name, table[name]) and name != label]
    lines += _data(names, label, protected, ids)
    lines += _rest()
    lines += _gate(protected)
    if table is not None:
        lines.append("# What each column is called, and means, in figures and sentences.")
        lines += [line for name in names if name not in ids for line in _feature(name, table[name])]
    return "\n".join(lines)


def _mode(until: str) -> list[str]:
    return [
        'mode = "advise"  # check reports everything, refuses nothing, and calls nothing blessed',
        f"until = {until}  # the last day of that: afterwards it refuses what does not hold",
        '# cant_tell = "fail"  # what it means that a check cannot tell: "fail" or "warn"',
        '# baseline = "champion"  # the alias to compare with where check is given none',
        "",
    ]


def _gate(protected: list[str]) -> list[str]:
    """Examples of rules. Two blanks behind their #, for each of them is taken or left as a whole."""
    group = _text(protected[0] if protected else "sex")
    return [
        "# What must hold before a model ships. Take the # away from a whole block; docs/governance.md says more.",
        "#  [limits.disparate_impact]",
        '#  artifact = "segments/fairness"',
        f'#  where = {{ segment = {group}, metric = "disparate_impact" }}',
        "#  min = 0.8",
        '#  side = "value"  # or "worst": the limit must hold for all that its error leaves possible',
        '#  law = "the four-fifths rule, EEOC 1978"',
        "",
        "#  [review.second_look]",
        '#  when = ["first-version", "changed", "waived"]',
        '#  role = "reviewer"',
        "",
        "#  [[requirement]]",
        '#  asked_by = "subject"',
        '#  when = "after a refusal"',
        '#  question = "Why was I refused?"',
        '#  artifacts = ["attribution/tree_shap|attribution/shapley"]',
        "#  features = true",
        "",
    ]


def _model() -> list[str]:
    return [
        "[model]",
        '# purpose = "What the model decides or predicts, and for whom"',
        '# owner = "Who answers for it"',
        '# limits = "Where it must not be used"',
        "",
    ]


def _data(names: list[str], label: str | None, protected: list[str], ids: list[str]) -> list[str]:
    times = [name for name in names if TIMES.search(name)]
    weights = [name for name in names if WEIGHTS.search(name)]
    return [
        "[data]",
        f"# label = {_text(label or 'outcome')}  # the column of true outcomes" + _guessed(label is not None),
        f"# id = {_text(ids[0] if ids else 'id')}  # your own row ids" + _guessed(bool(ids)),
        f"# time = {_text(times[0] if times else 'date')}  # when a row happened; the model never sees it"
        + _guessed(bool(times)),
        f"# weight = {_text(weights[0] if weights else 'weight')}  # the model never sees it" + _guessed(bool(weights)),
        f"# protected = {_list(protected)}  # attributes whose groups must be treated fairly"
        + _guessed(bool(protected)),
        f"# context = {_list(protected)}  # columns that the model never sees, but segments may name",
        "# segments = []  # columns whose levels are reported apart; numbers are cut into four bands",
        "",
    ]


def _rest() -> list[str]:
    return [
        "[decision]",
        "# threshold = 0.5  # on the probability of the second class",
        '# favourable = "approved"  # the class that a person hopes for',
        "",
        "[require]",
        '# inputs = ["y", "train"]  # a snapshot without these is incomplete',
        '# artifacts = ["model/performance", "importance/shap"]  # default: every method there is',
        '# check = ["model", "data"]  # what check must be given beside the snapshot',
        "",
        "[refits]",
        "# count = 8  # train so many times again, to tell a change from what training gives by chance",
        "",
        "[privacy]",
        '# rows = "omit"  # no raw value of any row in any byte of the snapshot; default: "keep"',
        "",
    ]


def _guessed(yes: bool) -> str:
    return "; guessed from the data" if yes else ""


def _feature(name: str, column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    lines = [f"[features.{_text(name)}]  # {_about(column)}", f"# label = {_text(_words(name))}"]
    if _is_text(column.type):
        levels = sorted({level for level in pc.unique(column).to_pylist() if level is not None})
        if 0 < len(levels) <= LEVELS:
            pairs = ", ".join(f"{_text(level)} = {_text(_words(level))}" for level in levels)
            lines.append(f"# values = {{ {pairs} }}")
    elif not pa.types.is_boolean(column.type):
        lines.append('# unit = ""')
    return [*lines, '# description = ""', '# source = ""', ""]


def _about(column: pa.ChunkedArray) -> str:
    """Kind, range or levels, and missing values: safe to stand behind a #."""
    kind = column.type
    missing = f", {column.null_count} missing" if column.null_count else ""
    if _is_text(kind) or pa.types.is_boolean(kind):
        return f"category, {len(pc.unique(column.drop_null()))} levels{missing}"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        found = pc.min_max(pc.cast(column, pa.float64(), safe=False))
        if found["min"].as_py() is None:
            return f"number, all missing{missing}"
        return f"number, {found['min'].as_py():g} to {found['max'].as_py():g}{missing}"
    if pa.types.is_temporal(kind):
        return f"time{missing}"
    return f"{kind}{missing}"


def _is_id(name: str, column: pa.ChunkedArray) -> bool:
    named = re.search(r"(^|[_ .-])(id|uuid|key)$|ID$", name) is not None
    whole = _is_text(column.type) or pa.types.is_integer(column.type)
    if not whole or not len(column) or column.null_count:
        return False
    return named and len(pc.unique(column)) == len(column)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _words(name: str) -> str:
    spaced = re.sub(r"[_.\s]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).strip()
    return spaced[:1].upper() + spaced[1:] if spaced else name


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL and lone surrogates."""
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f") if _plain(value) else _astral(value)


def _plain(value: str) -> bool:
    return all(ord(letter) < 0x10000 for letter in value)


def _astral(value: str) -> str:
    """Beyond the basic plane JSON writes surrogate pairs, which TOML refuses: \\U with eight digits instead."""
    parts = [f"\\U{ord(c):08x}" if ord(c) > 0xFFFF else json.dumps(c, ensure_ascii=True)[1:-1] for c in value]
    return '"' + "".join(parts).replace("\x7f", "\\u007f") + '"'


def _list(names: list[str]) -> str:
    return "[" + ", ".join(_text(name) for name in names) + "]"
