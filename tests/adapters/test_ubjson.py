"""XGBoost's binary document beside its JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xgboost

from showcause.adapters.forests import ubjson
from showcause.kernels.trees.forest import NotAForest


def as_lists(value: Any) -> Any:
    """Numbers of float32 as JSON spells them: the shortest that is told apart."""
    if isinstance(value, np.ndarray):
        return [
            float(str(v)) if value.dtype == np.float32 else v
            for v in (value if value.dtype.kind == "f" else value.tolist())
        ]
    if isinstance(value, dict):
        return {key: as_lists(inner) for key, inner in value.items()}
    return [as_lists(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("booster", ["gbtree", "dart"])
def test_the_binary_document_says_what_the_json_says(booster: str) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), rng.integers(3, size=300)
    model = xgboost.XGBClassifier(n_estimators=4, booster=booster).fit(X, y).get_booster()
    read = ubjson.loads(bytes(model.save_raw("ubj")))
    assert as_lists(read) == json.loads(model.save_raw("json"))


def test_every_type_of_the_format_is_read() -> None:
    data = b"[TFZi\xffU\xffI\x00\x02l\x00\x00\x00\x03Si\x02\xc3\xa4d?\x80\x00\x00D?\xf0" + bytes(6)
    data = data + b"[#i\x01Z{i\x01aT}]"
    assert ubjson.loads(data) == [True, False, None, -1, 255, 2, 3, "ä", 1.0, 1.0, [None], {"a": True}]


@pytest.mark.parametrize("data", [b"", b"[", b"X", b"Si\x05ab", b"{i\x01", b"TT", b"[$l#i\x09\x00", b"Si\x01\xff"])
def test_a_broken_document_is_an_error_that_says_so(data: bytes) -> None:
    with pytest.raises(NotAForest, match="document"):
        ubjson.loads(data)
