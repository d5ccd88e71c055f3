"""An artifact as a chart: one function per kind, found by the kind's name in `views/figures/`.

Law: the same artifact and options give the same specification, byte for byte, and it holds no colour (see theme.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from showcause.core.artifact import Artifact
from showcause.core.errors import ParameterError, choices
from showcause.views.narrative import sentences
from showcause.views.picture import Picture, Spec, chosen, distinct
from showcause.views.theme import config
from showcause.views.words import Words, clean

if TYPE_CHECKING:
    import altair

MAX_CHOICES = 240  # charts behind one figure's controls


def figure(artifact: Artifact, *, width: int = 560, **options: Any) -> altair.Chart:
    """The artifact as an altair chart.

    options    what to show, where the table holds several: `target` (a class), `segment`, `by`, `feature`, `metric`,
               `example` (one row's waterfall; `form` "force" or "path" draws it otherwise). Left out: the first, and
               all features beside each other.

    Raises ParameterError for an option or value that the artifact does not have; it names those it has.
    """
    import altair

    return altair.Chart.from_dict({**spec(artifact, width=width, **options), "config": config(background=True)})


def spec(artifact: Artifact, *, width: int | str = 560, plain: bool = False, **options: Any) -> Spec:
    """The Vega-Lite specification of `figure`, without a colour scheme; `plain`: without jargon on its axes."""
    picture = choose(artifact, options, width=width, plain=plain)
    said = sentences(artifact, audience="officer" if plain else "engineer", choice=picture.choice)
    return {"description": str(clean(" ".join(s.text for s in said) or artifact.name)), **drawn(picture)}


def drawn(picture: Picture) -> Spec:
    """`spec` without its description."""
    return dict(clean(_module(picture.artifact.kind).draw(picture)))


def choose(artifact: Artifact, options: Mapping[str, Any], *, width: int | str = 560, plain: bool = False) -> Picture:
    """The picture of the options, with the first value where one of several must be shown."""
    possible = available(artifact)
    module = _module(artifact.kind)
    known = {**possible, **{name: values(artifact) for name, values in getattr(module, "EXTRA", {}).items()}}
    choice = {}
    for name, value in options.items():
        if name not in known:
            raise ParameterError(f"a figure of {artifact.name} has no option {name!r}: {choices(name, known)}")
        choice[name] = chosen(name, value, known[name])
    for name, values in possible.items():
        if name not in choice and name not in getattr(module, "TOGETHER", ()):
            choice[name] = str(values[0])
    return Picture(artifact, Words.of(artifact.dictionary), choice, width, plain)


def available(artifact: Artifact) -> dict[str, list[Any]]:
    """Option → values, for those options of which the artifact has several values."""
    module = _module(artifact.kind)
    own = getattr(module, "options", None)
    if own is not None:
        return dict(own(artifact))
    found = {name: distinct(artifact.table, name) for name in module.OPTIONS}
    return {name: values for name, values in found.items() if len(values) > 1}


def every_choice(artifact: Artifact) -> tuple[list[dict[str, Any]], int]:
    """(combinations of options that have rows, at most MAX_CHOICES; how many there are before that cap)."""
    possible = available(artifact)
    total = 1
    for values in possible.values():
        total *= len(values)
    combined = product(*possible.values())
    return [dict(zip(possible, values, strict=True)) for values in islice(combined, MAX_CHOICES)], total


def _module(kind: str) -> Any:
    return import_module(f"showcause.views.figures.{kind}")
