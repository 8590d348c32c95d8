"""What documentation can be printed is printed: the committed pages are what the code says today."""

import importlib.util

import pytest

from tests.meta.source import ROOT

spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
assert spec is not None
assert spec.loader is not None
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


@pytest.mark.parametrize("name", sorted(build.generated()))
def test_a_generated_page_is_up_to_date(name):
    page = ROOT / "docs" / name
    assert page.exists(), "run `python docs/build.py`"
    assert page.read_text("utf-8") == build.generated()[name], "run `python docs/build.py`"


def test_no_page_is_left_of_a_check_that_is_gone():
    wanted = {name.removeprefix("checks/") for name in build.generated() if name.startswith("checks/")}
    assert {path.name for path in (ROOT / "docs" / "checks").glob("*.md")} == wanted


def test_the_readme_shows_runs_as_they_are():
    assert (ROOT / "README.md").read_text("utf-8") == build.readme(), "run `python docs/build.py`"


@pytest.mark.parametrize("code", sorted(build.pages()))
def test_every_check_has_a_page_with_its_sections(code):
    page = build.pages()[code]
    assert page.strip().splitlines()[0].endswith("."), "the first line of a page is a sentence"
    assert "## Why it breaks" in page
    assert "## Fix" in page
