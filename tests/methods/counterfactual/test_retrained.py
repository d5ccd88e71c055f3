"""How many retrained models agree with a counterfactual."""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import showcause as sc

RNG = np.random.default_rng(5)
X = pd.DataFrame({"income": RNG.normal(50, 15, 400).round(1), "debt": RNG.normal(20, 8, 400).round(1)})
Y = np.where(X["income"] - X["debt"] + RNG.normal(0, 8, 400) > 30, "yes", "no")
POLICY = {
    "decision": {"favourable": "yes"},
    "require": {"artifacts": ["counterfactual/nearest", "counterfactual/optimal", "examples/representative"]},
}


def explained(model, **options):
    return sc.explain(model.fit(X[:300], Y[:300]), X[300:], Y[300:], train=(X[:300], Y[:300]), policy=POLICY, **options)


def changed(row, change):
    given = row.to_frame().T.astype(float).reset_index(drop=True)
    for of in change.itertuples():
        given.loc[0, of.feature] = of.after
    return given


def test_each_refit_scores_each_alternative():
    """Counted again by hand with models trained in the same way."""
    made = []

    def refit(rows, labels, seed):
        made.append(RandomForestClassifier(15, max_depth=4, random_state=seed).fit(rows, labels))
        return made[-1]

    snapshot = explained(RandomForestClassifier(15, max_depth=4, random_state=0), refits=5, refit=refit)
    for name in ("counterfactual/nearest", "counterfactual/optimal"):
        table = snapshot[name].to_pandas().dropna(subset=["feature"])
        assert set(table["refits"]) == {5}
        for (example, _), change in table.groupby(["example", "alternative"]):
            row = changed(X.iloc[300 + example], change)
            wanted = change["decision"].iloc[0]
            assert set(change["agree"]) == {sum(m.predict(row)[0] == wanted for m in made)}
        assert snapshot[name].spec["panel"]["members"] == [1, 2, 3, 4, 5]


def test_without_a_panel_nothing_is_claimed():
    found = explained(LogisticRegression())["counterfactual/nearest"]
    assert "agree" not in found.table.column_names
    assert "not trained again" in found.spec["refits"]


def test_a_member_that_fails_has_no_vote_and_is_named():
    count = []

    def refit(rows, labels, seed):
        count.append(seed)
        if len(count) == 2:
            raise ValueError("no luck")
        return LogisticRegression().fit(rows, labels)

    found = explained(LogisticRegression(), refits=3, refit=refit)
    table = found["counterfactual/nearest"].to_pandas().dropna(subset=["feature"])
    assert set(table["refits"]) == {2}
    assert found["counterfactual/nearest"].spec["panel"]["failed"][0]["refit"] == 2


def test_a_rerun_leaves_the_votes_out_and_finds_the_rest():
    model = RandomForestClassifier(15, max_depth=4, random_state=0)
    snapshot = explained(model, refits=3)
    found = sc.verify(snapshot, model=model, data=(X[300:], Y[300:]), train=(X[:300], Y[:300]), rerun=50)
    assert [f.code for f in found if f.subject.startswith("counterfactual/")] == ["holds", "holds"]
