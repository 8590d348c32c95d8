"""The API server: not reached, not allowed, and what it calls itself."""

import pytest

from podpath.model.finding import Confidence, Severity
from tests.checks.objects import (
    JUST_NOW,
    a_config,
    a_network,
    a_node,
    a_pod,
    a_service,
    a_slice,
    an_endpoint,
    an_event,
    fix_of,
    found,
    meta,
    needs,
    only,
    promised,
    severities,
    waiting,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
API = "198.51.100.2"
HTTPS = ({"name": "https", "port": 443, "targetPort": 6443},)


def the_service():
    return a_service("kubernetes", "default", ip="10.50.0.1", selector={}, ports=HTTPS)


def its_slice(*ips):
    ports = ({"name": "https", "port": 6443, "protocol": "TCP"},)
    endpoints = [an_endpoint(ip, "") for ip in ips]
    return a_slice(*endpoints, service="kubernetes", namespace="default", ports=ports, managed=False)


def log(message, time="11:59:50.0", level="E"):
    return f'{level}0301 {time} 1 reflector.go:1] "Failed to watch" err="{message}"\n'


class TestServiceEndpoints:
    """kubernetes-svc-endpoints-wrong."""

    code = "kubernetes-svc-endpoints-wrong"

    def test_the_service_is_gone(self):
        assert severities(self.code, a_network(a_node(), a_service())) == [ERROR]

    def test_no_api_server_is_announced(self):
        finding = only(self.code, a_network(the_service(), its_slice(), a_pod()))
        assert finding.severity is ERROR
        assert "no API server at all" in finding.message

    @pytest.mark.parametrize("ip", ["127.0.0.1", "10.50.0.1"])
    def test_an_address_that_is_no_api_server(self, ip):
        finding = only(self.code, a_network(the_service(), its_slice(ip)))
        assert finding.severity is ERROR
        assert ip in finding.message
        assert "--advertise-address" in fix_of(finding).steps[0]

    def test_what_follows_from_it_is_counted_as_its_own(self):
        network = a_network(the_service(), its_slice("127.0.0.1"), a_node(), a_pod())
        told = promised(network)
        finding = found(self.code, network, told)[0]
        assert {one.kind for one in finding.breaks} == {"api", "kubelet"}
        assert finding.broken == sum(one.stands_for for one in finding.breaks)

    def test_the_address_of_a_worker_is_a_warning(self):
        control = a_node("c", "192.0.2.9", labels={"node-role.kubernetes.io/control-plane": ""})
        assert severities(self.code, a_network(the_service(), its_slice("192.0.2.1"), a_node(), control)) == [
            WARNING
        ]

    def test_an_address_outside_is_a_managed_control_plane(self):
        assert found(self.code, a_network(the_service(), its_slice(API), a_node())) == []

    def test_the_address_of_the_control_plane_is_silent(self):
        control = a_node("c", "192.0.2.9", labels={"node-role.kubernetes.io/control-plane": ""})
        assert found(self.code, a_network(the_service(), its_slice("192.0.2.9"), control)) == []

    def test_it_needs_slices(self):
        assert needs(self.code) == {"api/services", "api/endpointslices"}


class TestUnreachable:
    """apiserver-down and apiserver-firewalled."""

    def network(self, how, *, times=2, time="11:59:50.0", addr=API, **files):
        line = log(f"Get https://{addr}:6443/api/v1/services: dial tcp {addr}:6443: {how}", time)
        texts = {"a/kube-proxy.log": line * times, **files}
        return a_network(a_node(), the_service(), its_slice(API), files=texts)

    def test_refused_means_that_nobody_listens(self):
        network = self.network("connect: connection refused")
        finding = only("apiserver-down", network)
        assert finding.severity is ERROR
        assert finding.evidence[0].source == "kube-proxy.log"
        assert found("apiserver-firewalled", network) == []

    @pytest.mark.parametrize(
        "how", ["i/o timeout", "connect: no route to host", "connect: connection timed out"]
    )
    def test_no_answer_or_a_reject_means_that_it_ends_on_the_way(self, how):
        network = self.network(how)
        assert severities("apiserver-firewalled", network) == [ERROR]
        assert found("apiserver-down", network) == []

    def test_no_route_to_host_is_called_a_reject(self):
        assert "reject" in only("apiserver-firewalled", self.network("connect: no route to host")).message

    def test_a_timeout_of_the_handshake_counts(self):
        line = log(f"Get https://{API}:6443/api/v1/nodes: net/http: TLS handshake timeout")
        network = a_network(a_node(), the_service(), its_slice(API), files={"a/kube-proxy.log": line * 2})
        assert severities("apiserver-firewalled", network) == [ERROR]

    def test_refused_although_somebody_listens_is_a_reject(self):
        line = log(
            "Get https://192.0.2.9:6443/api/v1/services: dial tcp 192.0.2.9:6443: connect: connection refused"
        )
        addresses = '[{"ifindex":2,"ifname":"eth0","addr_info":[{"family":"inet","local":"192.0.2.9","prefixlen":24,"scope":"global"}]}]'
        files = {
            "a/kube-proxy.log": line * 2,
            "c/ip-addr.json": addresses,
            "c/ss": "tcp LISTEN 0 128 *:6443 *:*\n",
        }
        network = a_network(the_service(), its_slice("192.0.2.9"), files=files, without=("nodes",))
        finding = only("apiserver-firewalled", network)
        assert finding.evidence[-1].source == "ss"

    def test_a_single_line_may_be_a_restart(self):
        assert found("apiserver-down", self.network("connect: connection refused", times=1)) == []

    def test_lines_of_an_hour_ago_are_silent(self):
        assert found("apiserver-down", self.network("connect: connection refused", time="11:00:00.0")) == []

    def test_the_virtual_address_is_a_matter_of_the_trace(self):
        assert found("apiserver-firewalled", self.network("i/o timeout", addr="10.50.0.1")) == []

    def test_without_any_objects_logs_alone_speak(self):
        lines = (
            log(f"Get https://{API}:6443/api/v1/nodes: dial tcp {API}:6443: connect: connection refused") * 3
        )
        every = [
            "pods", "services", "nodes", "namespaces", "configmaps", "events", "serviceaccounts", "endpointslices",
            "networkpolicies", "ingresses", "ingressclasses", "deployments", "daemonsets", "replicasets", "roles",
            "clusterroles", "rolebindings", "clusterrolebindings", "validatingwebhookconfigurations", "apiservices",
            "leases", "servicecidrs", "ippools",
        ]  # fmt: skip
        network = a_network(files={"a/kube-proxy.log": lines}, without=every)
        assert not network.cluster.collected
        assert severities("apiserver-down", network) == [ERROR]

    def test_both_need_logs(self):
        assert needs("apiserver-down") == needs("apiserver-firewalled") == {"node/logs"}


class TestNodeStatusUnknown:
    """node-status-unknown."""

    code = "node-status-unknown"

    def gone(self, since="2026-03-01T11:00:00Z"):
        said = {
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
        }
        return a_node(conditions=[{"type": "Ready", **said, "lastTransitionTime": since}])

    def test_a_machine_of_which_nothing_is_known_may_be_down(self):
        finding = only(self.code, a_network(self.gone()))
        assert finding.severity is WARNING
        assert "may be down" in finding.message

    def test_its_own_log_tells_how_it_fails(self):
        line = log(f"Get https://{API}:6443/api/v1/nodes: dial tcp {API}:6443: i/o timeout")
        files = {"a/kubelet.log": line, "a/ip-addr.json": "[]"}
        finding = only(self.code, a_network(self.gone(), files=files))
        assert "i/o timeout" in finding.message
        assert finding.confidence is Confidence.CERTAIN

    def test_a_kubelet_that_does_not_listen_does_not_run(self):
        files = {"a/ip-addr.json": "[]", "a/ss": "tcp LISTEN 0 1 *:22 *:*\n"}
        assert "kubelet does not listen" in only(self.code, a_network(self.gone(), files=files)).message

    def test_a_node_that_went_this_minute_is_silent(self):
        assert found(self.code, a_network(self.gone(JUST_NOW))) == []

    def test_a_ready_node_and_one_that_says_itself_that_it_is_not_are_silent(self):
        not_ready = a_node("b", "192.0.2.2", conditions=[{"type": "Ready", "status": "False"}])
        assert found(self.code, a_network(a_node(), not_ready)) == []

    def test_it_needs_nodes(self):
        assert needs(self.code) == {"api/nodes"}


FORBIDDEN = (
    'endpointslices.discovery.k8s.io is forbidden: User \\"{user}\\" cannot list resource \\"endpointslices\\"'
    ' in API group \\"discovery.k8s.io\\" at the cluster scope'
)
READER = "system:serviceaccount:demo:reader"


def a_role(kind="ClusterRole", name="reader", namespace="", *rules):
    rules = rules or (
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    )
    return {"kind": kind, "metadata": meta(name, namespace), "rules": list(rules)}


def a_binding(kind="ClusterRoleBinding", role="reader", namespace="", account=("demo", "reader"), group=""):
    subject = {"kind": "ServiceAccount", "namespace": account[0], "name": account[1]}
    if group:
        subject = {"kind": "Group", "name": group}
    return {
        "kind": kind,
        "metadata": meta("binds", namespace),
        "roleRef": {"kind": "ClusterRole" if not namespace else "Role", "name": role},
        "subjects": [subject],
    }


class TestForbidden:
    """rbac-403 and http-proxy-403."""

    code = "rbac-403"

    def network(self, *objects, user=READER, without=()):
        text = log(FORBIDDEN.format(user=user))
        return a_network(a_pod(), *objects, files={"a/pods/demo.web-1/logs": text}, without=without)

    def test_the_role_and_binding_to_apply_are_printed(self):
        finding = only(
            self.code, self.network(a_role(name="other"), a_binding(role="other", account=("x", "y")))
        )
        assert finding.severity is ERROR
        assert str(finding.subject) == "ServiceAccount demo/reader"
        assert "list endpointslices.discovery.k8s.io" in finding.message
        applied = fix_of(finding).steps[0]
        assert all(
            word in applied
            for word in ('"ClusterRole"', '"ClusterRoleBinding"', '"endpointslices"', '"reader"')
        )

    def test_a_request_for_one_namespace_gets_a_role_of_it(self):
        text = FORBIDDEN.format(user=READER).replace("at the cluster scope", 'in the namespace \\"ops\\"')
        network = a_network(a_binding(role="x", account=("x", "y")), files={"a/kubelet.log": log(text)})
        finding = only(self.code, network)
        assert "in namespace ops" in finding.message
        assert '"RoleBinding"' in fix_of(finding).steps[0]
        assert '"namespace": "ops"' in fix_of(finding).steps[0]

    def test_an_event_counts_as_a_log_does(self):
        event = an_event("FailedCreate", FORBIDDEN.format(user=READER).replace("\\", ""))
        assert severities(self.code, a_network(a_binding(account=("x", "y")), event)) == [ERROR]

    def test_what_is_granted_by_now_is_silent(self):
        assert found(self.code, self.network(a_role(), a_binding())) == []

    def test_a_group_of_the_user_grants_too(self):
        assert found(self.code, self.network(a_role(), a_binding(group="system:serviceaccounts:demo"))) == []

    def test_a_rolebinding_grants_in_its_own_namespace_only(self):
        bound = (a_role("Role", "reader", "demo"), a_binding("RoleBinding", "reader", "demo"))
        assert severities(self.code, self.network(*bound)) == [ERROR]

    def test_without_the_lists_of_roles_it_is_only_likely(self):
        finding = only(self.code, self.network(without=("roles",)))
        assert finding.confidence is Confidence.LIKELY

    def test_anonymous_is_a_missing_token_and_no_role(self):
        pod = a_pod(automountServiceAccountToken=False)
        text = log(FORBIDDEN.format(user="system:anonymous"))
        finding = only(self.code, a_network(pod, files={"a/pods/demo.web-1/logs": text}))
        assert "without a token" in finding.message
        assert "mounts no token" in finding.message
        assert not any("Role" in step for step in fix_of(finding).steps)

    def test_kubelets_are_the_node_authorizers_matter(self):
        assert found(self.code, self.network(user="system:node:a")) == []

    def test_a_proxys_403_is_told_apart(self):
        page = log("unexpected response: 403 Forbidden <html><head><title>squid</title>")
        network = a_network(a_pod(), files={"a/pods/demo.web-1/logs": page})
        assert severities("http-proxy-403", network) == [WARNING]
        assert found(self.code, network) == []

    def test_the_api_servers_own_403_is_no_proxys(self):
        assert found("http-proxy-403", self.network()) == []

    def test_a_proxy_is_seen_in_logs_only(self):
        assert needs("http-proxy-403") == {"node/logs"}


class TestComponents:
    """coredns-rbac-denied and flannel-rbac-denied."""

    READS = (
        {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    )
    NODES = (
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    )

    def dns(self, *rules, text=""):
        labels = {"k8s-app": "kube-dns"}
        service = a_service(
            "kube-dns", "kube-system", labels=labels, selector=labels, ports=[{"port": 53, "protocol": "UDP"}]
        )
        pod = a_pod("dns-1", "kube-system", labels=labels, serviceAccountName="coredns")
        config = a_config("coredns", Corefile=".:53 {\n kubernetes cluster.local\n}\n")
        role, binding = (
            a_role("ClusterRole", "dns", "", *rules),
            a_binding(role="dns", account=("kube-system", "coredns")),
        )
        files = {"a/pods/kube-system.dns-1/logs": text} if text else {}
        return a_network(service, pod, config, role, binding, files=files)

    def flannel(self, *rules, text="", ready=True):
        state = None if ready else waiting("CrashLoopBackOff")
        pod = a_pod(
            "fl-1", "net", command=["/opt/bin/flanneld", "--kube-subnet-mgr"], hostNetwork=True, ready=ready, state=state,
            serviceAccountName="flannel",
        )  # fmt: skip
        role, binding = (
            a_role("ClusterRole", "fl", "", *rules),
            a_binding(role="fl", account=("net", "flannel")),
        )
        files = {"a/pods/net.fl-1/logs": text} if text else {}
        return a_network(pod, role, binding, files=files)

    def test_coredns_lacks_a_right_and_nobody_was_refused_yet(self):
        finding = only("coredns-rbac-denied", self.dns(self.READS[0]))
        assert finding.severity is WARNING
        assert "endpointslices" in finding.message
        assert "patch clusterrole dns" in fix_of(finding).steps[0]

    def test_a_refusal_in_its_log_makes_it_an_error_of_one_name(self):
        text = log(FORBIDDEN.format(user="system:serviceaccount:kube-system:coredns"))
        network = self.dns(self.READS[0], text=text)
        assert severities("coredns-rbac-denied", network) == [ERROR]
        assert found("rbac-403", network) == []

    def test_coredns_with_its_rights_is_silent(self):
        assert found("coredns-rbac-denied", self.dns(*self.READS)) == []

    def test_flannel_may_not_patch_its_node(self):
        assert severities("flannel-rbac-denied", self.flannel(self.NODES[0])) == [WARNING]

    def test_flannel_that_crashes_for_it_is_an_error(self):
        text = log(
            "Failed to create SubnetManager: the server does not allow access to the requested resource"
        )
        network = self.flannel(self.NODES[0], text=text, ready=False)
        finding = only("flannel-rbac-denied", network)
        assert finding.severity is ERROR
        assert finding.evidence[0].source == "pods/net.fl-1/logs"

    def test_flannel_with_its_rights_is_silent(self):
        assert found("flannel-rbac-denied", self.flannel(*self.NODES)) == []

    def test_a_cluster_without_either_is_silent(self):
        network = a_network(a_pod(), a_binding())
        assert found("flannel-rbac-denied", network) == found("coredns-rbac-denied", network) == []

    def test_both_need_all_four_lists(self):
        assert {"api/clusterroles", "api/roles", "api/rolebindings"} < needs("coredns-rbac-denied")
        assert {"api/clusterroles", "api/roles", "api/rolebindings"} < needs("flannel-rbac-denied")


class TestWebhook:
    """webhook-unreachable."""

    code = "webhook-unreachable"

    def hook(self, port=80, policy="Fail", created="2026-02-01T00:00:00Z"):
        config = {"service": {"namespace": "demo", "name": "web", "port": port}}
        return {
            "kind": "ValidatingWebhookConfiguration",
            "metadata": meta("guard", creationTimestamp=created),
            "webhooks": [{"name": "guard.x", "clientConfig": config, "failurePolicy": policy}],
        }

    def test_a_service_that_does_not_exist(self):
        finding = only(self.code, a_network(self.hook()))
        assert finding.severity is ERROR
        assert "does not exist" in finding.message
        assert "Ignore" in fix_of(finding).steps[1]

    def test_a_port_that_the_service_lacks(self):
        network = a_network(self.hook(443), a_pod(), a_service(), a_slice(an_endpoint()))
        assert "no port 443" in only(self.code, network).message

    def test_nobody_is_behind_it(self):
        assert "no ready endpoint" in only(self.code, a_network(self.hook(), a_service(), a_slice())).message

    def test_ignore_makes_it_a_warning(self):
        assert severities(self.code, a_network(self.hook(policy="Ignore"))) == [WARNING]

    def test_a_complete_one_is_silent(self):
        network = a_network(self.hook(), a_pod(), a_service(), a_slice(an_endpoint()))
        assert found(self.code, network) == []

    def test_one_of_this_minute_is_silent(self):
        assert found(self.code, a_network(self.hook(created=JUST_NOW))) == []

    def test_it_needs_services(self):
        assert needs(self.code) == {"api/services"}


class TestAggregatedApi:
    """aggregated-api-unavailable."""

    code = "aggregated-api-unavailable"

    def api(self, status, since="2026-03-01T11:00:00Z"):
        said = {
            "type": "Available",
            "status": status,
            "reason": "MissingEndpoints",
            "message": "no endpoints",
        }
        return {
            "kind": "APIService",
            "metadata": meta("v1beta1.metrics.k8s.io"),
            "spec": {
                "service": {"namespace": "kube-system", "name": "metrics-server"},
                "group": "metrics.k8s.io",
            },
            "status": {"conditions": [{**said, "lastTransitionTime": since}]},
        }

    def test_it_is_not_available(self):
        finding = only(self.code, a_network(self.api("False")))
        assert finding.severity is ERROR
        assert "nobody is behind its Service" in finding.message

    def test_an_available_one_is_silent(self):
        assert found(self.code, a_network(self.api("True"))) == []

    def test_one_of_this_minute_is_silent(self):
        assert found(self.code, a_network(self.api("False", JUST_NOW))) == []

    def test_it_needs_their_list(self):
        assert needs(self.code) == {"api/apiservices"}
