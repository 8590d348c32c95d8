"""The bundle that comes with podpath."""

from podpath.bundle import open_bundle
from podpath.demo import demo_bundle_path


def test_the_demo_opens_and_is_the_one_of_the_corpus(corpus):
    with demo_bundle_path() as path:
        assert path.read_bytes() == corpus["host-firewall-drops-vxlan"].read_bytes()
        assert len(open_bundle(path).nodes()) == 3
