"""SC005: see `stale`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts
from showcause.policy.identity import TOLERANCE, belongs_elsewhere, scale


@check("SC005", "The model is still the one that was explained", waivable=False)
def stale(facts: Facts) -> Iterator[Said]:
    """The model that was given has the identity in the manifest, and (given the data) still predicts the same.

    Identity is the model's semantic fingerprint, not the hash of a file: the same model saved again is the same. Where
    it rests on behaviour alone (a callable) the data decide; a declared version is a claim, which they check. A model
    that was trained on, retrained or edited after the snapshot needs a snapshot of its own.
    """
    snapshot, model = facts.snapshot, facts.model
    if snapshot is None or model is None:
        if snapshot is not None:
            yield Said("not-applicable", snapshot.ref, "no model was given (--model): nobody looked at it")
        return
    if belongs_elsewhere(snapshot, model):
        return
    known = snapshot.manifest.model
    if model.behaviour is not None and model.behaviour > TOLERANCE * scale(snapshot):
        gap = f"it predicts up to {model.behaviour:.3g} off what the snapshot recorded"
        yield Said("not-met", snapshot.ref, f"the model was changed after the snapshot: {gap}")
    elif model.digest == known.get("digest") and not model.opaque:
        tried = "" if model.behaviour is None else " and behaviour"
        yield Said("met", snapshot.ref, f"identity{tried} as explained ({model.digest[:12]})")
    elif model.behaviour is not None and (model.opaque or known.get("opaque")):
        yield Said("met", snapshot.ref, "its identity rests on behaviour, which is as recorded")
    elif model.opaque or known.get("opaque"):
        yield Said("cant-tell", snapshot.ref, f"its identity rests on behaviour alone: {model.untried}")
    else:
        saved = snapshot.record.configuration.get("model_file") or {}
        file = " and so are its bytes" if model.file and saved.get("sha256") not in (None, model.file) else ""
        said = f"its identity is {model.digest[:12]}, the snapshot explains {str(known.get('digest'))[:12]}{file}"
        yield Said("not-met", snapshot.ref, f"the model was changed after the snapshot: {said}")
