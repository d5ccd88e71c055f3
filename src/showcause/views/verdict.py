"""Verdicts as text, JSON, JUnit XML and Markdown: what is refused first, in every form the same outcomes.

Nothing that a user typed is markup in any of them. In advise mode nothing fails in JUnit either: it says so instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from showcause.core.errors import StoreError
from showcause.core.finding import RESULTS, Outcome
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import NO_BASELINE, Verdict
from showcause.views.diff_markdown import escape
from showcause.views.words import clean


def newest(snapshot: Snapshot) -> Verdict | None:
    """The verdict that was kept beside the snapshot last; one that cannot be read is none."""
    try:
        documents = snapshot.attached("verdict")
        return Verdict.read(documents[-1]) if documents else None
    except StoreError:
        return None


def state(verdict: Verdict) -> str:
    """In capitals what does not ship."""
    if verdict.blessed:
        return "blessed"
    return "REFUSED" if verdict.refused else "advice only, not blessed"


def sorted_worst(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Refused first, then what is advised about, then blessed; each by its ref."""
    return sorted(verdicts, key=lambda verdict: (verdict.blessed, not verdict.refused, verdict.ref))


def outcomes(verdict: Verdict) -> list[Outcome]:
    """The worst first, then by code."""
    return sorted(verdict.outcomes, key=lambda one: (not one.refuses, RESULTS.index(one.outcome), one.code))


def facts(verdict: Verdict) -> str:
    """Under which policy, when, against what."""
    base = NO_BASELINE if verdict.baseline is None else f"against {verdict.baseline.ref}"
    policy = f"policy {verdict.policy[:12]}" if verdict.policy else "no policy"
    return f"{policy}, {verdict.mode}, {verdict.date}, {base}, verdict {verdict.digest[:12]}"


def text(verdicts: Sequence[Verdict]) -> str:
    """For a terminal. What does not apply is named by its codes alone."""
    blocks = []
    for verdict in sorted_worst(verdicts):
        lines = [f"{verdict.ref}  {state(verdict)}", f"  {facts(verdict)}"]
        shown = [one for one in outcomes(verdict) if one.outcome != "not-applicable"]
        width = max((len(one.outcome) for one in shown), default=0)
        lines += [f"  {one.outcome:<{width}}  {one.code}  {one.subject}: {one.message}" for one in shown]
        if rest := sorted({one.code for one in outcomes(verdict) if one.outcome == "not-applicable"}):
            lines.append(f"  not applicable: {', '.join(rest)}")
        blocks.append("\n".join(lines))
    return "\n\n".join([*_summary(verdicts), *blocks])


def _summary(verdicts: Sequence[Verdict]) -> list[str]:
    if len(verdicts) < 2:
        return []
    counts = [sum(verdict.refused for verdict in verdicts), sum(verdict.blessed for verdict in verdicts)]
    return [f"{len(verdicts)} snapshots: {counts[0]} refused, {counts[1]} blessed"]


def as_json(verdicts: Sequence[Verdict], *, many: bool) -> bytes:
    """The verdict's own document; of many a list of them, the worst first."""
    documents = [verdict.document for verdict in sorted_worst(verdicts)]
    return (b"[" + b",\n".join(documents) + b"]\n") if many else documents[0] + b"\n"


def junit(verdicts: Sequence[Verdict]) -> bytes:
    """JUnit XML: a suite for each snapshot, a case for each outcome; what refuses fails, what does not apply, warns or
    is waived is skipped with its message."""
    root = ElementTree.Element("testsuites", name="showcause")
    for verdict in sorted_worst(verdicts):
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(verdict.ref), tests=str(len(verdict.outcomes)))
        failures = 0
        for one in outcomes(verdict):
            case = ElementTree.SubElement(suite, "testcase", classname=one.code, name=_xml(one.subject))
            if one.refuses and verdict.refused:
                failures += 1
                made = ElementTree.SubElement(case, "failure", type=one.outcome, message=_xml(one.message))
                made.text = _xml(str(one))
            elif one.outcome != "pass":
                ElementTree.SubElement(case, "skipped", message=_xml(f"{one.outcome}: {one.message}"))
        if verdict.refused and not failures:
            failures = 1
            case = ElementTree.SubElement(suite, "testcase", classname="verdict", name="blessed")
            ElementTree.SubElement(case, "failure", type="fail", message=_xml("; ".join(verdict.reasons)))
            suite.set("tests", str(len(verdict.outcomes) + 1))
        suite.set("failures", str(failures))
        properties = {"blessed": str(verdict.blessed).lower(), "policy": verdict.policy, "verdict": verdict.digest}
        listed = ElementTree.Element("properties")
        for name, value in properties.items():
            ElementTree.SubElement(listed, "property", name=name, value=value)
        suite.insert(0, listed)
    ElementTree.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _xml(value: str) -> str:
    return str(clean(value))


def markdown(verdicts: Sequence[Verdict]) -> str:
    """For a pull request or a step summary."""
    lines = [f"**{part}**\n" for part in _summary(verdicts)]
    for verdict in sorted_worst(verdicts):
        lines += [f"## {escape(verdict.ref)}: {state(verdict)}", "", f"{escape(facts(verdict))}", ""]
        shown = [one for one in outcomes(verdict) if one.outcome not in ("pass", "not-applicable")]
        if shown:
            lines += ["| outcome | code | about | |", "|---|---|---|---|"]
            lines += [
                f"| {one.outcome} | {one.code} | {escape(one.subject)} | {escape(one.message)} |" for one in shown
            ]
            lines.append("")
        passed = sum(one.outcome == "pass" for one in verdict.outcomes)
        lines += [f"{passed} passed, {len(verdict.outcomes) - passed - len(shown)} do not apply.", ""]
    return "\n".join(lines)
