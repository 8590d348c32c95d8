"""Checks do not know one another: each can be read, changed and removed alone."""

import ast

from tests.meta.source import SRC, imports, modules, place, tree

CHECKS = SRC / "checks"

DECORATORS = {"explanation", "state_check"}


def registers(path) -> bool:
    """Whether a module holds a check: it uses a decorator of the registry."""
    return any(
        isinstance(node, ast.FunctionDef)
        and any(
            isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id in DECORATORS
            for d in node.decorator_list
        )
        for node in ast.walk(tree(path))
    )


def test_a_check_imports_no_other_check():
    paths = [path for path in modules(CHECKS) if path.stem != "__init__"]
    holders = {
        "podpath." + ".".join(path.relative_to(SRC).with_suffix("").parts)
        for path in paths
        if registers(path)
    }
    found = [
        f"{place(path)}:{line}: {imported}"
        for path in paths
        if registers(path)
        for line, imported in imports(path)
        if any(imported == holder or imported.startswith(f"{holder}.") for holder in holders)
    ]
    assert found == []
    assert len(holders) > 20
