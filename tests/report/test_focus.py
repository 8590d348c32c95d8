"""One namespace of a diagnosis."""

from podpath.model.diagnosis import Undecided
from podpath.model.refs import ObjectRef
from podpath.report.focus import in_namespace
from tests.report.made import a_diagnosis, a_finding, a_promise

SHOP = a_promise(subject=ObjectRef("Service", "shop", "api"), stands_for=3)
DNS = a_promise("kube-system/x", ObjectRef("Service", "kube-system", "kube-dns"))


def test_only_what_concerns_the_namespace_stays_and_counts():
    diagnosis = a_diagnosis(a_finding(breaks=(SHOP, DNS), broken=4), a_finding("other", breaks=(DNS,)))
    (finding,) = in_namespace(diagnosis, "shop").findings
    assert (finding.breaks, finding.broken) == ((SHOP,), 3)


def test_a_client_of_the_namespace_counts_too():
    assert len(in_namespace(a_diagnosis(a_finding(breaks=(SHOP,))), "ops").findings) == 1


def test_a_finding_about_an_object_of_the_namespace_stays():
    finding = a_finding(subject=ObjectRef("Service", "shop", "api"), breaks=())
    assert in_namespace(a_diagnosis(finding), "shop").findings == (finding,)
    assert in_namespace(a_diagnosis(finding), "ops").findings == ()


def test_open_promises_of_others_are_left_out():
    diagnosis = a_diagnosis(undecided=(Undecided(SHOP, ()), Undecided(DNS, ())))
    assert [one.promise for one in in_namespace(diagnosis, "shop").undecided] == [SHOP]
