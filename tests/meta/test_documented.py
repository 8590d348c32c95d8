"""Every module says what it is, and every stage has its place in the architecture page."""

import ast

import pytest

from tests.meta.source import ROOT, SRC, modules, place, tree


@pytest.mark.parametrize("path", modules(SRC, ROOT / "tests"), ids=place)
def test_a_module_has_a_docstring(path):
    assert ast.get_docstring(tree(path)), f"{place(path)} does not say what it is"


def test_the_architecture_page_names_every_package():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    packages = [path.parent.name for path in SRC.glob("*/__init__.py")]
    assert [name for name in packages if f"`{name}`" not in page] == []
