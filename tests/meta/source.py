"""The project's own source, as the house rules look at it."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "podpath"


def modules(*folders: Path) -> list[Path]:
    """The Python files under the folders; under the whole package when none is named."""
    return sorted(path for folder in folders or (SRC,) for path in folder.rglob("*.py"))


def place(path: Path) -> str:
    """A file as messages name it: relative to the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file, parsed once."""
    return ast.parse(path.read_text("utf-8"), filename=place(path))


def module_name(path: Path) -> str:
    """The dotted name under which a file of the package is imported."""
    parts = path.relative_to(SRC.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a file imports; ``from a import b`` counts as ``a.b``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def code_tokens(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each token that is neither a comment nor a docstring."""
    bare_strings = {
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        documents = token.type == tokenize.STRING and token.start[0] in bare_strings
        if token.type != tokenize.COMMENT and not documents:
            yield token.start[0], token.string
