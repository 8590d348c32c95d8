"""Checks do not know one another: each can be read, changed and removed alone."""

from tests.meta.source import SRC, imports, modules, place

CHECKS = SRC / "checks"

SHARED = ("podpath.checks.registry", "podpath.checks.steps")


def stands_alone(imported: str) -> bool:
    """Whether an import is none of another check."""
    return not imported.startswith("podpath.checks") or imported.startswith(SHARED)


def test_a_check_imports_no_other_check():
    found = [
        f"{place(path)}:{line}: {imported}"
        for path in modules(*(area for area in CHECKS.iterdir() if area.is_dir()))
        if path.stem != "__init__"
        for line, imported in imports(path)
        if not stands_alone(imported)
    ]
    assert found == []
