"""What every test may ask for: the packed bundles of real clusters."""

from pathlib import Path

import hypothesis
import pytest

CORPUS = Path(__file__).parent / "corpus"
SUFFIX = ".tar.xz"

# A slow machine is no failure; the examples tried are the same on every run of CI (hypothesis' own "ci" profile).
hypothesis.settings.register_profile("podpath", hypothesis.settings.get_profile("default"), deadline=None)
hypothesis.settings.load_profile("podpath")


def packed_bundles() -> dict[str, Path]:
    """The bundles of ``tests/corpus`` by name."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(CORPUS.glob(f"*{SUFFIX}"))}


@pytest.fixture(scope="session")
def corpus() -> dict[str, Path]:
    """The packed bundles by name: ``corpus["ip-forward-off"]``."""
    return packed_bundles()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``packed_bundle`` runs once for each bundle of the corpus."""
    if "packed_bundle" in metafunc.fixturenames:
        bundles = packed_bundles()
        metafunc.parametrize("packed_bundle", bundles.values(), ids=bundles.keys(), scope="session")
