"""What a GraphQL document would change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def mutations(document: Any) -> Iterator[str]:
    """The fields that the operations of a document begin with, queries apart; through fragments too."""
    fragments = {one.name.value: one for one in document.definitions if one.kind == "fragment_definition"}
    stack = [
        one.selection_set
        for one in document.definitions
        if one.kind == "operation_definition" and one.operation.value != "query"
    ]
    seen: set[str] = set()
    while stack:
        for selection in stack.pop().selections:
            if selection.kind == "field":
                yield selection.name.value
            elif selection.kind == "inline_fragment":
                stack.append(selection.selection_set)
            elif selection.name.value in fragments and selection.name.value not in seen:
                seen.add(selection.name.value)
                stack.append(fragments[selection.name.value].selection_set)
