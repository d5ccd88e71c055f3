"""A job by hand, for methods that are handed another's artifact."""

from showcause.adapters.dataset import dataset
from showcause.adapters.frame import Frame
from showcause.adapters.model import adapt
from showcause.methods.method import Job


def job_of(model, X, uses=None, y=None, task="regression", seed=0):
    frame = Frame.of(X)
    adapted = adapt(model, frame, task=task, version="1", y=y)
    return Job(adapted, dataset(adapted, frame, y), seed=seed, uses=uses or {})
