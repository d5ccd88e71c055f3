"""Write the pages that are made from the code: docs/commands.md, docs/methods.md and a page for each method in
docs/methods/, docs/checks.md, docs/evidence.md, the kinds in docs/format.md, the schema of showcause.toml.

python docs/generate.py
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
NOTICE = "<!-- Written by docs/generate.py from the code; change it there. -->\n"


def commands() -> str:
    """Every command, from its own signature and docstring."""
    import typer

    from showcause.cli.app import app

    root = typer.main.get_command(app)
    lines = [NOTICE, "# Commands\n", _prose(root.help), f"{_line(root.epilog)}\n"]
    for name, command in _flat(root):
        words = " ".join(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in _arguments(command))
        lines += [
            f"## showcause {name}\n",
            f"`showcause {name} {words}`".replace(" `", "`") + "\n",
            _prose(command.help),
        ]
        lines += ["| | | default |", "|---|---|---|"]
        lines += [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _flat(group: Any, before: str = "") -> list[tuple[str, Any]]:
    """(words, command) of every command, those of groups too."""
    found = []
    for name, command in group.commands.items():
        words = f"{before}{name}"
        found += _flat(command, f"{words} ") if hasattr(command, "commands") else [(words, command)]
    return found


def _arguments(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "argument"]


def _parameter(parameter: Any) -> str:
    shown = parameter.name.upper() if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
    default = "required" if parameter.required else parameter.default
    if getattr(parameter, "is_flag", False) or default in (None, ()):
        default = ""
    if callable(default):
        default = ""
    default = getattr(default, "value", default)
    variable = f" (or the variable {parameter.envvar})" if getattr(parameter, "envvar", None) else ""
    return f"| `{shown}` | {_line(parameter.help)}{variable} | {default} |"


def _prose(text: str | None) -> str:
    """The docstring; its indented lines are examples."""
    out: list[str] = []
    code: list[str] = []
    for line in [*inspect.cleandoc(text or "").split("\n"), ""]:
        if line.startswith("  ") and line.strip():
            code.append(line.strip())
            continue
        if code and not line.strip():
            out += ["<!-- not run: the tests of the command line run these commands -->", "```sh", *code, "```"]
            code = []
        if line.strip() == "\b" or (line.startswith("Example") and line.endswith(":")):
            continue
        if line.startswith("Example:"):
            code.append(line.removeprefix("Example:").strip())
            continue
        out.append(line.replace("\b", ""))
    if code:
        out += ["<!-- not run: the tests of the command line run these commands -->", "```sh", *code, "```"]
    return "\n".join(out).strip().replace("\n\n\n", "\n\n") + "\n"


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def methods() -> str:
    """The list of all methods, each with its question and its page."""
    from showcause.methods import find

    lines = [NOTICE, "# Methods\n", f"{len(find())} {METHODS}"]
    folder = ""
    for name, method in find().items():
        if name.split("/")[0] != folder:
            folder = name.split("/")[0]
            lines += [f"\n## {folder}\n", "| method | question | kind |", "|---|---|---|"]
        question = _escape(method.summary)
        lines.append(f"| [{name}](methods/{name}.md) | {question} | [{method.kind}](format.md#kinds) |")
    return "\n".join(lines).rstrip() + "\n"


METHODS = """\
methods, by what they answer. Parameters are the same everywhere: `sc.compute(name, model, X, …, parameter=value)`,
`[methods."name"]` in `showcause.toml`. Each has a page: what it computes and where that is from, what it assumes, when
it misleads, what it costs, what its parameters are, and an example that the tests run.
"""


def method_page(name: str) -> str:
    """One method: its question, formula and source, assumptions, when it misleads, cost, parameters, an example."""
    from showcause.methods import find

    method = find()[name]
    doc = inspect.getdoc(method.compute) or ""
    first, _, rest = doc.partition("\n")
    meanings, full, source = parted(rest.strip(), list(method.parameters))
    told = stated(inspect.getmodule(method.compute).__doc__ or "")
    others = [other for other in find() if other != name]
    lines = [NOTICE, f"# {name}\n", f"**{_escape(first)}**\n"]
    for part, heading in PARTS.items():
        lines += [f"## {heading}\n", _linked(told[part], others) + "\n"]
        if part == "Formula":
            lines += ["## Source\n", _linked(source[:1].upper() + source[1:], others) + "\n"]
    lines += ["## In full\n", *([_linked(full, others) + "\n"] if full else [])]
    facts = [f"Kind: [{method.kind}](../../format.md#kinds)."]
    if method.needs:
        facts.append(f"Needs: {', '.join(method.needs)}.")
    if method.uses:
        uses = ", ".join(entry.replace("|", " or ") for entry in method.uses)
        facts.append(f"Uses: {_linked(uses, others)}.")
    lines.append(" ".join(facts) + "\n")
    if method.parameters:
        lines += ["| parameter | type | default | in a snapshot | what it is |", "|---|---|---|---|---|"]
        for key, parameter in method.parameters.items():
            kind = inspect.formatannotation(parameter.annotation).replace("collections.abc.", "").replace("|", "\\|")
            there = method.in_snapshot.get(key, parameter.default)
            shown = "the same" if there == parameter.default else f"`{there!r}`"
            meaning = _linked(meanings[key], others)
            lines.append(f"| `{key}` | {kind} | `{parameter.default!r}` | {shown} | {meaning} |")
        lines.append("")
    lines += ["## An example\n", DATA, "```python", example(name, method), "```", "", "[All methods](../../methods.md)"]
    return "\n".join(lines).rstrip() + "\n"


def stated(text: str) -> dict[str, str]:
    """What a method's module says of it, by the words in PARTS: prose, or a list of lines that begin with "- ". Raises
    ValueError where one is missing."""
    found: dict[str, str] = {}
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        head, _, rest = paragraph.partition(":")
        if head in PARTS:
            found[head] = "\n".join(" ".join(item.split()) for item in re.split(r"\n\s*(?=- )", rest)).strip()
    if missing := [part for part in PARTS if not found.get(part)]:
        raise ValueError(f"{text.splitlines()[0]} does not say {missing}")
    return found


def parted(text: str, parameters: list[str]) -> tuple[dict[str, str], str, str]:
    """A docstring after its first line as (parameter → what it is, the prose, the source). A parameter stands at the
    beginning of a line, alone or with others ("features, limit"), two spaces or more before what it is; the source in
    the last paragraph, from "Source:" on. Raises ValueError where a parameter or the source is missing."""
    meanings: dict[str, str] = {}
    kept: list[str] = []
    names: list[str] = []
    for line in text.split("\n"):
        begun = re.match(r"(\w+(?:, \w+)*) {2,}(\S.*)", line)
        if begun and set(begun[1].split(", ")) <= set(parameters):
            names = begun[1].split(", ")
            meanings |= dict.fromkeys(names, begun[2])
        elif names and line.startswith("  "):
            meanings |= {name: f"{meanings[name]} {line.strip()}" for name in names}
        else:
            names = []
            kept.append(line)
    prose, _, source = "\n".join(kept).strip().partition("Source: ")
    if missing := [name for name in parameters if name not in meanings] + ["Source"] * (not source):
        raise ValueError(f"a docstring does not say {missing}: {text[:80]!r}")
    return meanings, prose.strip(), " ".join(source.split())


PARTS = {
    "Formula": "Formula",
    "Assumes": "What it assumes",
    "Misleads": "When it misleads",
    "Cost": "What it costs",
}
DATA = """\
`model` is a logistic regression of who paid ("yes", "no") on the columns `income` and `debt`, unless the example fits
another one; `X_train`, `y_train` and `X_test`, `y_test` are the rows it was fitted to and held-out ones, `Z_test` says
the `sex` of the latter.
"""
FOREST = (
    "from sklearn.ensemble import RandomForestClassifier\n\n"
    "model = RandomForestClassifier(20, max_depth=4, random_state=0).fit(X_train, y_train)"
)
TREE = (
    "from sklearn.tree import DecisionTreeClassifier\n\n"
    "model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X_train, y_train)"
)
NUMBER = (
    "from sklearn.linear_model import LinearRegression\n\n"
    'model = LinearRegression().fit(X_train[["debt"]], X_train["income"])\n'
    'X_train, y_train, X_test, y_test = X_train[["debt"]], X_train["income"], X_test[["debt"]], X_test["income"]'
)
ALIKE = (
    "from sklearn.linear_model import LogisticRegression\n\n"
    'X_train, X_test = (X.assign(salary=X["income"]) for X in (X_train, X_test))\n'
    "model = LogisticRegression().fit(X_train, y_train)"
)
MODELS = {
    "attribution/tree_shap": FOREST,
    "importance/interaction": FOREST,
    "counterfactual/optimal": FOREST,
    "model/surrogate_tree": FOREST,
    "rules/surrogate": FOREST,
    "importance/correlated_groups": ALIKE,
    "model/tree": TREE,
    "model/residuals": NUMBER,
}
TOGETHER = {"quality/agreement": ("attribution/shapley", "importance/permutation", "importance/shap")}
MORE = {
    "attribution/lime": ", max_rows=3",
    "segments/fairness": ', context=Z_test, protected=["sex"]',
    "segments/calibration": ', context=Z_test, segments=["sex"]',
    "segments/importance": ', context=Z_test, segments=["sex"]',
    "segments/performance": ', context=Z_test, segments=["sex"]',
}


def example(name: str, method: Any) -> str:
    """Code that the tests of the pages run."""
    made = MODELS.get(name, "")
    lines = ["import showcause as sc", *([made] if made else []), ""]
    if made:
        first, _, rest = made.partition("\n\n")
        lines = [first, "", "import showcause as sc", "", rest, ""]
    if method.panel is True or name in TOGETHER:
        refits = ", refits=3" if method.panel is True else ""
        names = str(sorted([name, *TOGETHER.get(name, method.uses)])).replace("'", '"')
        lines += [
            f"artifacts = {names}",
            'asked = {"require": {"artifacts": artifacts}}',
            f"snapshot = sc.explain(model, X_test, y_test, train=(X_train, y_train){refits}, policy=asked)",
            f'found = snapshot["{name}"]',
        ]
    else:
        more = MORE.get(name, "")
        call = f'"{name}", model, X_test, y_test, train=(X_train, y_train){more}'
        lines.append(f"found = sc.compute(\n    {call}\n)" if len(call) > 95 else f"found = sc.compute({call})")
    lines += ["print(found.table.slice(0, 5).to_pandas())", "found.figure()"]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _escape(text: str) -> str:
    """For Markdown, also within a table; code as it is but for the bars that would end a cell."""
    parts = text.split("`")
    for place in range(0, len(parts), 2):
        parts[place] = parts[place].replace("<", "&lt;").replace("|", "\\|").replace("*", "\\*")
    return "`".join(parts)


def _linked(text: str, others: list[str]) -> str:
    """Escaped, with the names of other methods as links to their pages."""
    names = "|".join(sorted(map(re.escape, others), key=len, reverse=True))
    return re.sub(rf"(?<![\w/`])({names})(?![\w/])", r"[\1](../\1.md)", _escape(text))


def kinds() -> str:
    """The table of kinds in the format's page."""
    from showcause.core.kinds import COMMON, KINDS

    def names(columns: dict[str, str], optional: frozenset[str]) -> str:
        said = [f"[{name}: {kind}]" if name in optional else f"{name}: {kind}" for name, kind in columns.items()]
        return ", ".join(said) or "–"

    lines = ["| kind | question | key | further columns |", "|---|---|---|---|"]
    for kind in KINDS.values():
        more = "any columns of the four types" if kind.open else names(kind.columns, kind.optional)
        lines.append(f"| {kind.name} | {kind.question} | {names(kind.key, kind.optional)} | {more} |")
    common = ", ".join(f"{name}: {kind}" for name, kind in COMMON.items())
    return "\n".join([*lines, "", f"Every kind may have besides: {common}."]) + "\n"


def checks() -> str:
    """Every check, from its decorator and docstring, and the codes that concern a verdict itself."""
    from showcause.core.verdict import CODES
    from showcause.policy.checks import find

    lines = [NOTICE, "# Checks\n", CHECKS]
    lines += ["| code | holds where | otherwise | can be waived |", "|---|---|---|---|"]
    for check in find().values():
        waivable = "yes" if check.waivable else "no"
        lines.append(f"| [{check.code}](#{check.code.lower()}) | {check.title} | {check.severity} | {waivable} |")
    used_again = {code: title for code, title in CODES.items() if code not in find()}
    lines += [
        f"| {code} | {title} (of a verdict that is used again) | fail | no |" for code, title in used_again.items()
    ]
    for check in find().values():
        lines += [f"\n## {check.code}\n", f"**{check.title}.** {_escape(check.documentation)}"]
    return "\n".join(lines) + "\n"


CHECKS = """\
`showcause check REF` asks all of these, and each says at least one thing: *pass*, *fail*, *warn*, *cant-tell* (the
evidence does not decide; the policy says whether that fails or warns), *waived* (somebody accepts it, see
[governance](governance.md)) or *not-applicable*. A code never changes its meaning. A snapshot is *blessed* when nothing
refuses, the policy asks something, and it is enforced. Other packages bring checks of their own under the entry-point
group `showcause.checks`, with other letters before the three digits.
"""


def evidence() -> str:
    """Which field of a snapshot is evidence for what, from the table in the code."""
    from showcause.policy.evidence import ENTRIES, SOURCES

    lines = [NOTICE, "# Evidence, and for what\n", EVIDENCE]
    for source, said in SOURCES.items():
        lines += [
            f"## {source}\n",
            f"{said}\n",
            "| provision | what it asks, in our words | evidence |",
            "|---|---|---|",
        ]
        for entry in ENTRIES:
            if entry.source == source:
                fields = ", ".join(f"`{_line(field)}`" for field in entry.fields)
                lines.append(f"| {entry.provision} | {entry.asks} | {fields or 'none: no snapshot holds any'} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


EVIDENCE = """\
A snapshot holds numbers, texts and signatures that speak to what laws, regulations and standards ask. This page says
which speaks to what. Of each entry and snapshot one of two things can be told: *evidence present* or *evidence absent*.
Whether it is enough, and whether a system does what a law asks, no software can say: people must judge that, and most
of what these texts ask is not in any snapshot. This is no legal advice.

Any one of the fields of a row is evidence for it. `artifact a|b`: either of the two, where its status is ok;
`manifest` and `record`: something is said there; `attached`: kept beside the snapshot since.

```python
import showcause as sc
from showcause.policy.evidence import evidence

snapshot = sc.explain(model, X_test, y_test, context=Z_test, protected=["sex"])
found = {(item.entry.provision, item.entry.asks): item for item in evidence(snapshot)}
reasons = found["§ 1002.9(b)(2)", "Specific principal reasons of an adverse action"]
assert reasons.state == "evidence present"
purpose = found["Article 13(3)(b)(i)", "The intended purpose"]
assert purpose.state == "evidence absent"  # no policy said what the model is for
```
"""


def policy_schema() -> str:
    """The JSON Schema that editors complete showcause.toml with."""
    from showcause.policy.policy import schema_text

    return schema_text()


def catalogue() -> str:
    """Every message of the letters, as gettext's template: marked `_("…")` or `N_("…")` in the source."""
    import ast

    found: dict[str, list[str]] = {}
    root = DOCS.parent / "src" / "showcause"
    for path in sorted((root / "views").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "N_")
            given = node.args[0] if named and node.args else None  # type: ignore[attr-defined]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                found.setdefault(given.value, []).append(path.relative_to(root).as_posix())
    head = ["Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit"]
    lines = ['msgid ""', 'msgstr ""', *(f'"{line}\\n"' for line in head), ""]
    for message in sorted(found):
        lines += [f"#: {' '.join(dict.fromkeys(found[message]))}", f"msgid {_po(message)}", 'msgstr ""', ""]
    return "\n".join(lines)


def _po(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def pages() -> dict[Path, str]:
    """Path → text of everything that is generated."""
    from showcause.methods import find

    page = (DOCS / "format.md").read_text(encoding="utf-8")
    begin, end = "<!-- kinds: begin (written by docs/generate.py) -->\n", "<!-- kinds: end -->"
    head, _, rest = page.partition(begin)
    tail = rest.partition(end)[2]
    return {
        DOCS / "checks.md": checks(),
        DOCS / "commands.md": commands(),
        DOCS / "evidence.md": evidence(),
        DOCS / "methods.md": methods(),
        **{DOCS / "methods" / f"{name}.md": method_page(name) for name in find()},
        DOCS / "showcause.schema.json": policy_schema(),
        DOCS.parent / "src" / "showcause" / "locale" / "showcause.pot": catalogue(),
        DOCS / "format.md": f"{head}{begin}{kinds()}{end}{tail}",
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path)
