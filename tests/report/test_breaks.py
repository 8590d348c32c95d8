"""Broken promises in a user's words."""

from itertools import permutations

import pytest

from podpath.model.refs import ObjectRef
from podpath.report.breaks import shortened, summarize
from podpath.report.names import Names
from tests.builders import a_network, a_node, a_pod
from tests.report.made import a_promise, three_nodes

WEB = ObjectRef("Service", "shop", "web")


def node(name):
    return ObjectRef("Node", "", name)


def pod(number):
    return ObjectRef("Pod", "shop", f"api-{number}")


def told(*promises, share=None):
    return summarize(promises, Names(three_nodes()), share)


def between(*pairs):
    return [a_promise(f"shop/api-{here}", pod(there), "pod") for here, there in pairs]


@pytest.mark.parametrize(
    ("pairs", "phrase"),
    [
        ([(1, 2), (2, 1), (2, 3), (3, 2)], "Pods on n2 <-> other nodes"),
        ([(2, 1), (2, 3)], "Pods on n2 -> other nodes"),
        ([(1, 2), (3, 2)], "Pods of other nodes -> Pods on n2"),
        ([(1, 3), (3, 1)], "Pods on n1 <-> n3"),
        ([(1, 3)], "Pods on n1 -> n3"),
        ([(1, 1)], "Pods on n1 among themselves"),
        (list(permutations((1, 2, 3), 2)), "Pods of every node <-> Pods of other nodes"),
    ],
)
def test_pods_are_told_by_the_nodes_they_have_in_common(pairs, phrase):
    assert told(*between(*pairs)) == [phrase]


def test_a_hub_and_a_pair_are_two_phrases():
    names = Names(
        a_network(
            *(a_node(f"n{n}") for n in range(5)),
            *(a_pod(f"api-{n}", node=f"n{n}", ip=f"10.0.{n}.5") for n in range(5)),
        )
    )
    pairs = [pair for other in (1, 2, 3, 4) for pair in ((0, other), (other, 0))] + [(3, 4)]
    assert summarize(between(*pairs), names) == ["Pods on n0 <-> other nodes", "Pods on n3 -> n4"]


@pytest.mark.parametrize(
    ("clients", "origin"),
    [
        (["shop/api-1", "shop/api-2", "shop/api-3", node("n1"), node("n2"), node("n3")], "from everywhere"),
        (["shop/api-1", "shop/api-2", "shop/api-3"], "from all Pods"),
        (["shop/api-1", node("n1")], "from n1"),
        (["shop/api-1"], "from Pods on n1"),
        ([node("n1")], "from n1 itself"),
        (["shop/api-1", "shop/api-2", node("n3")], "from Pods on n1 and n2 and from n3 itself"),
        (["shop/api-1", ObjectRef("Outside", "", "172.30.0.1")], "from Pods on n1 and from outside"),
    ],
)
def test_clients_are_told_by_their_nodes(clients, origin):
    assert told(*(a_promise(client) for client in clients)) == [f"Service shop/api {origin}"]


def test_services_that_break_alike_are_told_together():
    assert told(a_promise(), a_promise(subject=WEB)) == ["Services shop/api and shop/web from Pods on n1"]


def test_other_ways_in_are_named():
    assert told(a_promise(subject=WEB), a_promise(subject=WEB, kind="node-port")) == [
        "Service shop/web (NodePort too) from Pods on n1"
    ]
    assert told(a_promise(subject=WEB, kind="load-balancer")) == [
        "Service shop/web (by load balancer address) from Pods on n1"
    ]


def test_a_hairpin_is_a_pod_asking_its_own_service():
    assert told(a_promise("shop/api-1", kind="self")) == ["Service shop/api from its own Pods on n1"]


def test_the_share_of_backends_is_told():
    promises = [a_promise("shop/api-1"), a_promise("shop/api-2")]
    assert told(*promises, share=lambda _: (1, 3)) == [
        "Service shop/api (1 of 3 backends) from Pods on n1 and n2"
    ]
    by_client = {"api-1": (1, 3), "api-2": (2, 3)}
    assert told(*promises, share=lambda promise: by_client[promise.client.name]) == [
        "Service shop/api (1 or 2 of 3 backends) from Pods on n1 and n2"
    ]
    assert told(*promises, share=lambda _: (3, 3)) == ["Service shop/api from Pods on n1 and n2"]


def test_dns_takes_its_service_with_it():
    dns = ObjectRef("Service", "kube-system", "kube-dns")
    assert told(a_promise(subject=dns, kind="dns"), a_promise(subject=dns)) == ["DNS from Pods on n1"]


@pytest.mark.parametrize(
    ("promise", "phrase"),
    [
        (
            a_promise(subject=ObjectRef("Service", "default", "kubernetes"), kind="api"),
            "the API server from Pods on n1",
        ),
        (
            a_promise(ObjectRef("Outside", "", "172.30.0.2"), node("n3"), "kubelet"),
            "the API server -> kubelets of n3",
        ),
        (a_promise(node("n2"), pod(2), "node"), "probes of the kubelet on n2"),
        (a_promise(kind="outside"), "the outside from Pods on n1"),
        (a_promise(kind="bgp", subject=node("n2")), "bgp: n2 from Pods on n1"),
    ],
)
def test_other_promises_have_words_of_their_own(promise, phrase):
    assert told(promise) == [phrase]


def test_what_stands_for_most_comes_first():
    assert told(a_promise(), a_promise(kind="outside", stands_for=40))[0] == "the outside from Pods on n1"


def test_many_phrases_are_cut():
    phrases = [f"phrase {number}" for number in range(20)]
    assert shortened(phrases) == [*phrases[:5], "and 15 more (-v)"]
    assert shortened(phrases, verbose=True) == phrases
    assert shortened(phrases[:6]) == phrases[:6]


def test_without_objects_pods_are_just_pods():
    assert summarize([a_promise()], Names()) == ["Service shop/api from Pods"]
