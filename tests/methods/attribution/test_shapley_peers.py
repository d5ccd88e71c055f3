"""At equal numbers of evaluations, counted by a wrapper, the error is at most half that of shap's explainers."""

import numpy as np
import pytest

import showcause as sc
from benchmarks import shapley as bench


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")  # of the models' training and of the peers
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_error_is_at_most_half_of_kernel_and_permutation(place):
    name, function, X, native = list(bench.models())[place]
    order = np.random.default_rng(0).permutation(len(X))
    rows, background = X[order[:5]], X[order[5:55]]
    exact = bench.truth(function, native, rows, background)
    counted = bench.Counted(function)
    options = {"evaluations": 1000 * 50 * 5, "half_width": 0.0, "task": "regression"}
    ours = bench.values(sc.compute("attribution/shapley", counted, rows, background=background, **options), 5)
    each = -(-counted.rows // 250)
    peers = [
        bench.kernel(bench.Counted(function), rows, background, each, False, 0),
        bench.permutation(bench.Counted(function), rows, background, each, 0),
    ]
    found, *theirs = (float(np.sqrt(((v - exact) ** 2).mean())) for v in (ours, *peers))
    assert found <= min(theirs) / 2, name
