"""What can happen to a healthy program is a value; everything is caught at named places only."""

import ast
from collections import Counter

from tests.meta.source import modules, place, tree

MAY_CATCH_EVERYTHING = {
    "src/podpath/cli/main.py": "the top of the program: our bug becomes exit code 4",
    "src/podpath/diagnosis/guard.py": "around one check: the others still run",
    "src/podpath/collect/run.py": "around one collection command: the bundle says that it failed",
}

BROAD = {"Exception", "BaseException"}


def catches_everything(node: ast.AST) -> bool:
    match node:
        case ast.ExceptHandler(type=None):
            return True
        case ast.ExceptHandler(type=caught):
            names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=names):
            pass
        case _:
            return False
    return any(isinstance(name, ast.Name) and name.id in BROAD for name in names)


def test_everything_is_caught_once_at_each_named_place_and_nowhere_else():
    found = Counter(
        place(path) for path in modules() for node in ast.walk(tree(path)) if catches_everything(node)
    )
    too_many = {name: count for name, count in found.items() if count > (name in MAY_CATCH_EVERYTHING)}
    assert too_many == {}
