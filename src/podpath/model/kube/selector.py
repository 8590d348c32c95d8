"""LabelSelector (apimachinery meta/v1 types.go, LabelSelectorAsSelector in helpers.go)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """One of ``matchExpressions``."""

    key: str
    operator: str
    """In, NotIn, Exists, DoesNotExist."""
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """NotIn and DoesNotExist also match objects that lack the key; an unknown operator matches nothing."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        return False

    def __str__(self) -> str:
        """As ``kubectl -l`` writes it."""
        match self.operator:
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
        return f"{self.key} {self.operator.lower()} ({', '.join(self.values)})"


class LabelSelector(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """All labels AND all expressions. An empty selector matches everything, an absent one is the caller's matter."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )

    @property
    def keys(self) -> frozenset[str]:
        """The label keys that decide."""
        return frozenset(self.match_labels) | {one.key for one in self.match_expressions}

    def __str__(self) -> str:
        """``app=api, tier in (a, b)``; ``everything`` when empty."""
        parts = [f"{key}={value}" for key, value in self.match_labels.items()]
        parts += [str(one) for one in self.match_expressions]
        return ", ".join(parts) or "everything"
