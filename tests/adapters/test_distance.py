import numpy as np
import pandas as pd

from showcause.adapters.distance import cost, measures
from showcause.adapters.frame import Frame

FRAME = Frame.of(pd.DataFrame({"defaults": [0.0, 0, 0, 0, 1, 5, np.nan], "job": ["a", "b", None, "a", "a", "a", "b"]}))


def costs(name, before, after):
    place = FRAME.names.index(name)
    unit, middle = (float(of[place]) for of in measures(FRAME))
    return cost(FRAME.column(name), unit, middle, before, np.array(after)).tolist()


def test_a_number_where_none_was_known_costs_one_and_its_distance_from_the_usual_one():
    assert measures(FRAME)[1].tolist() == [0.0, 0.0]  # the median of the rows, not of the distinct values
    unit = measures(FRAME)[0][0]
    assert costs("defaults", np.nan, [0.0, 5.0, np.nan]) == [1.0, 1.0 + 5 / unit, 0.0]
    assert costs("defaults", 5.0, [0.0, 5.0, np.nan]) == [5 / unit, 0.0, 1.0]


def test_another_category_costs_one_whatever_was_known():
    assert costs("job", 0.0, [0.0, 1.0, np.nan]) == [0.0, 1.0, 1.0]
    assert costs("job", np.nan, [0.0, 1.0, np.nan]) == [1.0, 1.0, 0.0]
