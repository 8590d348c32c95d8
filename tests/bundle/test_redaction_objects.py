"""What is removed from API objects, and what the network's diagnosis needs stays."""

import json

import pytest

from podpath.bundle import redact

GONE = "<removed by podpath>"
SECRET = "hunter2-S3cr3t"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"


def objects(plural, *items, **fields):
    """Redact a List of items, and check what holds of every redaction."""
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": items, **fields}).encode()
    clean, removed = redact(f"api/{plural}.json", content)
    assert SECRET not in clean.decode()
    assert SECRET not in str(removed)
    assert redact(f"api/{plural}.json", clean) == (clean, [])
    assert bool(removed) == (clean != content)
    return json.loads(clean)["items"], removed


def pod(**container):
    return {"kind": "Pod", "spec": {"containers": [{"name": "c", **container}]}}


def env_of(*variables, kind="containers"):
    items, _ = objects("pods", {"spec": {kind: [{"env": list(variables)}]}})
    return [variable.get("value") for variable in items[0]["spec"][kind][0]["env"]]


@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
def test_the_value_of_a_variable_is_removed_and_its_name_stays(kind):
    assert env_of({"name": "DB_URL", "value": SECRET}, kind=kind) == [GONE]


@pytest.mark.parametrize("path", [("template",), ("jobTemplate", "spec", "template")])
def test_a_template_is_searched_as_a_pod_is(path):
    spec = {"spec": pod(env=[{"name": "A", "value": SECRET}])["spec"]}
    for key in reversed(path):
        spec = {key: spec}
    objects("cronjobs.batch", {"spec": spec})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("KUBERNETES_SERVICE_PORT", "443"), ("FLANNELD_IFACE", "eth0"),
        ("IP_AUTODETECTION_METHOD", "interface=eth.*"), ("CALICO_IPV4POOL_CIDR", "10.0.0.0/8"), ("CLUSTER_CIDR", "10.0.0.0/8"),
        ("FELIX_DEFAULTENDPOINTTOHOSTACTION", "ACCEPT"), ("POD_NAMESPACE", "x"), ("NO_PROXY", ".svc,10.0.0.0/8"),
        ("HTTPS_PROXY", "http://proxy:3128"), ("EMPTY", ""),
    ],
)  # fmt: skip
def test_a_variable_that_the_network_needs_stays(name, value):
    assert env_of({"name": name, "value": value}) == [value]


@pytest.mark.parametrize(
    "name",
    ["FELIX_ETCDPASSWORD", "CALICO_API_TOKEN", "FLANNEL_KEY", "CNI_SECRET", "XKUBERNETES_SERVICE_HOST"],
)
def test_a_variable_named_like_a_secret_goes_whatever_else_its_name_says(name):
    assert env_of({"name": name, "value": SECRET}) == [GONE]


def test_a_proxy_loses_its_credentials_only():
    assert env_of({"name": "HTTP_PROXY", "value": f"http://me:{SECRET}@proxy:3128"}) == [
        f"http://{GONE}@proxy:3128"
    ]


def test_references_stay_by_name():
    item = pod(
        envFrom=[{"secretRef": {"name": "db"}}],
        env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    )
    assert objects("pods", item) == ([item], [])


def test_what_was_removed_is_told_by_path_and_reason():
    _, removed = objects(
        "pods", pod(), pod(env=[{"name": "X", "value": "1"}, {"name": "A", "value": SECRET}])
    )
    assert removed[1] == "items[1].spec.containers[0].env[1].value: value of A"


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (["--token=" + SECRET, "--v=2"], [f"--token={GONE}", "--v=2"]),
        (["--etcd-password", SECRET, "--v", "2"], ["--etcd-password", GONE, "--v", "2"]),
        (["-u", f"me:{SECRET}"], ["-u", GONE]),
        (["DB_PASSWORD=" + SECRET], [f"DB_PASSWORD={GONE}"]),
        (["sh", "-c", f"mysql --password {SECRET} -h db"], ["sh", "-c", f"mysql --password {GONE} -h db"]),
        (["sh", "-c", f"export API_KEY='{SECRET}'; run"], ["sh", "-c", f"export API_KEY='{GONE}'; run"]),
        (["curl", f"https://me:{SECRET}@registry/x"], ["curl", f"https://{GONE}@registry/x"]),
        (["curl", "-H", f"Authorization: Bearer {SECRET}"], ["curl", "-H", f"Authorization: {GONE}"]),
    ],
)  # fmt: skip
def test_an_argument_loses_its_secret_and_keeps_its_flag(words, after):
    for field in ("args", "command"):
        items, _ = objects("pods", pod(**{field: words}))
        assert items[0]["spec"]["containers"][0][field] == after


def test_arguments_without_secrets_stay():
    words = [
        "--token-auth-file=/x",
        "--secret-name",
        "n",
        "sort",
        "-u",
        "file",
        "--kubeconfig=/etc/k",
        "--client-ca-file=/ca.crt",
    ]
    item = pod(args=words, command=["sh", "-c", "nc -lk -s 127.0.0.1 -p 5432 -e cat || sleep 3600"])
    assert objects("pods", item) == ([item], [])


def test_headers_of_a_probe_are_blanked():
    objects(
        "pods",
        pod(livenessProbe={"httpGet": {"port": 80, "httpHeaders": [{"name": "X-Key", "value": SECRET}]}}),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kubectl.kubernetes.io/last-applied-configuration", "{}"),
        ("example.com/notes", "long " * 300),
        ("example.com/api-token", SECRET),
        ("example.com/note", f"password={SECRET}"),
        ("example.com/note", JWT),
        ("example.com/note", "AKIAIOSFODNN7EXAMPLE"),
        ("example.com/note", "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIO\n-----END EC PRIVATE KEY-----\n"),
        ("example.com/encryption-key-v1", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZkFCQ0Q="),
        ("example.com/node-token-hash", "0123456789abcdef0123456789abcdef"),
    ],
)  # fmt: skip
def test_an_annotation_that_holds_a_secret_is_removed(name, value):
    items, _ = objects("services", {"metadata": {"annotations": {name: value}}})
    assert GONE in items[0]["metadata"]["annotations"][name]
    assert value not in json.dumps(items)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flannel.alpha.coreos.com/backend-data", '{"VNI":1,"VtepMAC":"1a:b2:e5:58:dc:2c"}'),
        ("flannel.alpha.coreos.com/backend-data", '{"PublicKey":"Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZkFCQ0Q="}'),
        ("network.cilium.io/wg-pub-key", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZkFCQ0Q="),
        ("projectcalico.org/IPv4Address", "192.0.2.1/24"),
        ("k8s.v1.cni.cncf.io/network-status", '[{"name":"x","ips":["192.0.2.1"]}]' * 40),
        ("service.beta.kubernetes.io/aws-load-balancer-type", "nlb"),
    ],
)  # fmt: skip
def test_an_annotation_that_the_network_needs_stays(name, value):
    item = {"metadata": {"annotations": {name: value}}}
    assert objects("nodes", item) == ([item], [])


def test_managed_fields_are_dropped():
    items, removed = objects("pods", {"metadata": {"name": "a", "managedFields": [{"manager": "kubectl"}]}})
    assert items == [{"metadata": {"name": "a"}}]
    assert removed == ["items[0].metadata.managedFields: who changed which field, dropped"]


def config_map(name, data, **fields):
    items, _ = objects("configmaps", {"metadata": {"name": name}, "data": data, **fields})
    return items[0]["data"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("coredns", "Corefile"), ("kube-proxy", "config.conf"), ("kube-flannel-cfg", "net-conf.json"),
        ("kube-flannel-cfg", "cni-conf.json"), ("calico-config", "cni_network_config"), ("calico-config", "veth_mtu"),
        ("ip-masq-agent", "config"), ("cluster-info", "kubeconfig"), ("kubeadm-config", "ClusterConfiguration"),
    ],
)  # fmt: skip
def test_a_config_map_of_the_network_stays(name, key):
    assert config_map(name, {key: "a: b\n"}) == {key: "a: b\n"}


def test_every_other_config_map_keeps_its_keys_only():
    assert config_map("app", {"app.ini": SECRET, "empty": ""}, binaryData={"x": "aHVudGVyMg=="}) == {
        "app.ini": GONE,
        "empty": "",
    }


KUBECONFIG = f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJU
    server: https://192.0.2.1:6443
users:
- name: u
  user:
    client-certificate-data: {SECRET}
    client-key-data: {SECRET}
    password: {SECRET}
    token: >-
      {SECRET}
    tokenFile: /var/run/secrets/token
"""


def test_a_kubeconfig_keeps_its_servers_and_lines_and_loses_its_credentials():
    text = config_map("kube-proxy", {"kubeconfig.conf": KUBECONFIG})["kubeconfig.conf"]
    assert text.splitlines() == [
        line if SECRET not in line else line.replace(SECRET, GONE) for line in KUBECONFIG.splitlines()
    ]


def test_the_signatures_of_cluster_info_go():
    assert config_map("cluster-info", {"jws-kubeconfig-abcdef": SECRET}) == {"jws-kubeconfig-abcdef": GONE}


def test_a_corefile_keeps_its_lines_and_loses_what_plugins_log_in_with():
    text = config_map(
        "coredns",
        {
            "Corefile": f".:53 {{\n    route53 x {{\n       aws_access_key A {SECRET}\n    }}\n    cache 30\n}}\n"
        },
    )
    assert text["Corefile"].splitlines() == [
        ".:53 {",
        "    route53 x {",
        f"       aws_access_key {GONE}",
        "    }",
        "    cache 30",
        "}",
    ]


@pytest.mark.parametrize("fields", [{"kind": "ConfigMapList"}, {"kind": "List"}, {}])
def test_a_list_need_not_tell_the_kind_of_its_items(fields):
    content = json.dumps({**fields, "items": [{"metadata": {"name": "app"}, "data": {"a": SECRET}}]}).encode()
    assert SECRET.encode() not in redact("api/configmaps.json", content)[0]


def test_a_secret_that_got_in_has_no_data():
    items, _ = objects("everything", {"kind": "Secret", "data": {"a": SECRET}, "stringData": {"b": SECRET}})
    assert items[0]["data"] == {"a": GONE}
    objects("secrets", {"data": {"a": SECRET}})


def test_fields_of_custom_objects_are_searched_by_name():
    objects(
        "bgppeers.crd.projectcalico.org",
        {"spec": {"peerIP": "192.0.2.1", "password": SECRET, "deep": [{"clientSecret": SECRET}]}},
    )


def test_labels_are_no_secrets():
    item = {
        "metadata": {"labels": {"vault-token": "a"}},
        "spec": {"selector": {"app-secret": "b", "matchLabels": {"x-key": "c"}}},
    }
    assert objects("deployments.apps", item) == ([item], [])


def test_messages_of_events_are_searched_by_shape():
    items, removed = objects(
        "events",
        {"message": f'Get "https://u:{SECRET}@x/": Authorization: Bearer {SECRET} {JWT}', "count": 1},
    )
    assert items[0]["message"].startswith(f'Get "https://{GONE}@x/": Authorization: {GONE}')
    assert {entry.partition(":")[0] for entry in removed} == {"items[0]"}


def test_indentation_stays():
    content = (
        json.dumps({"items": [{"metadata": {"managedFields": [], "name": "a"}}]}, indent=4).encode() + b"\n"
    )
    clean = json.dumps({"items": [{"metadata": {"name": "a"}}]}, indent=4).encode() + b"\n"
    assert redact("api/pods.json", content)[0] == clean


def test_a_list_without_secrets_stays_byte_for_byte():
    content = b'{ "items" : [ {"a": 1.0, "b":"\\u003c" , "c": 123456789012345678901234567890}] }\n'
    assert redact("api/pods.json", content) == (content, [])


@pytest.mark.parametrize(
    "content",
    [b"[]", b'{"items":null}', b'{"items":{}}', b'{"kind":7,"items":[]}', b'{"kind":"Status","code":403}'],
)
def test_objects_of_other_shapes_are_no_trouble(content):
    assert redact("api/pods.json", content)[0] in {content, redact("api/pods.json", content)[0]}


POD_LIST = json.dumps(
    {"items": [pod(env=[{"name": "A", "value": SECRET}, {"name": "B", "value": 'x\\"' + SECRET}])]}, indent=1
).encode()


@pytest.mark.parametrize(
    "content",
    [
        *(POD_LIST[:end] for end in range(120, len(POD_LIST), 7)),
        *(POD_LIST[:at] + POD_LIST[at + 1 :] for at in (0, 3, 9, 10, 12)),
        POD_LIST.replace(b'"env', b"env", 1),
        b"\xef\xbb\xbf" + POD_LIST,
        POD_LIST.decode().encode("utf-16"),
        POD_LIST.replace(b"hunter2", b"\xff hunter2", 1),
        b"[" * 5000 + POD_LIST,
        f"apiVersion: v1\nkind: Pod\nspec:\n  env:\n  - name: A\n    value: {SECRET}\n".encode(),
        f"{{'env': '{SECRET}'}}".encode(),
    ],
)  # fmt: skip
def test_what_is_not_json_loses_its_values_and_keeps_its_lines(content):
    clean, removed = redact("api/pods.json", content)
    assert SECRET.encode() not in clean.replace(b"\0", b"")
    assert SECRET not in str(removed)
    assert clean.count(b"\n") == content.count(b"\n")
    assert redact("api/pods.json", clean) == (clean, [])


def test_an_error_message_in_the_place_of_objects_stays():
    message = b'Error from server (Forbidden): pods is forbidden: User "x" cannot list resource "pods"\n'
    assert redact("api/pods.json", message) == (message, [])
