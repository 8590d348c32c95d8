"""Rules that the usual components of a cluster write, as ``iptables-save`` prints them, leave nothing unknown."""

import tarfile

import pytest

from podpath.model.addr import parse_addr, parse_prefix
from podpath.model.linux.netfilter import Accept, Dnat, Drop, Goto, Jump, Masquerade, Reject, SetMark, Tproxy
from podpath.model.linux.xtables import (
    AddressMatch,
    AlwaysMatch,
    CtState,
    CtStateMatch,
    InterfaceMatch,
    MarkMatch,
    OwnerMatch,
    PortMatch,
    ProtocolMatch,
    RecentMatch,
    SocketMatch,
    StatisticMatch,
)
from podpath.model.origin import Unrecognized
from podpath.parse.ipset_save import parse_ipset_save
from podpath.parse.iptables_rule import compile_rule
from podpath.parse.iptables_save import count_unrecognized, parse_iptables_save, scan_unknown

DUMPS = {
    "kube-proxy": """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "ns/a has no local endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30081 -j DROP
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-NODEPORTS -p tcp -m comment --comment "ns/a health check node port" -m tcp --dport 31000 -j ACCEPT
-A KUBE-PROXY-FIREWALL -d 192.0.2.10/32 -p tcp -m comment --comment "ns/a traffic not accepted by KUBE-FW-X" -m tcp --dport 80 -j DROP
-A KUBE-SERVICES -d 10.96.7.7/32 -p tcp -m comment --comment "ns/none has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-EXT-A - [0:0]
:KUBE-FW-A - [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SVL-A - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-EXT-A -s 10.1.0.0/16 -m comment --comment "pod traffic for ns/a external destinations" -j KUBE-SVC-A
-A KUBE-EXT-A -m comment --comment "masquerade LOCAL traffic for ns/a external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
-A KUBE-EXT-A -j KUBE-SVL-A
-A KUBE-FW-A -s 198.51.100.0/24 -m comment --comment "ns/a loadbalancer IP" -j KUBE-EXT-A
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m comment --comment "ns/a" -m tcp --dport 30080 -m nfacct --nfacct-name  localhost_nps_accepted_pkts -j KUBE-EXT-A
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SEP-A -s 10.1.1.2/32 -m comment --comment "ns/a" -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m comment --comment "ns/a" -m recent --set --name KUBE-SEP-A --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.1.1.2:8000
-A KUBE-SEP-B -p tcp -m comment --comment "ns/a" -m tcp -j DNAT --to-destination 10.1.1.3:8000
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-A
-A KUBE-SERVICES ! -d 127.0.0.0/8 -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-A ! -s 10.1.0.0/16 -d 10.96.0.10/32 -p tcp -m comment --comment "ns/a cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-A -m comment --comment "ns/a -> 10.1.1.2:8000" -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource -j KUBE-SEP-A
-A KUBE-SVC-A -m comment --comment "ns/a -> 10.1.1.2:8000" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A
-A KUBE-SVC-A -m comment --comment "ns/a -> 10.1.1.3:8000" -j KUBE-SEP-B
COMMIT
""",
    "flannel": """\
*filter
:FORWARD ACCEPT [0:0]
:FLANNEL-FWD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.1.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.1.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.1.0.0/24 -d 10.1.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.1.0.0/16 -d 10.1.0.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.1.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
""",
    "calico": """\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:cali-PREROUTING - [0:0]
:cali-rpf-skip - [0:0]
-A PREROUTING -m comment --comment "cali:6gwbT8clXdHdC1b1" -j cali-PREROUTING
-A cali-PREROUTING -m comment --comment "cali:0jN3ZhKJhBuUsEcI" -j MARK --set-xmark 0x0/0xf0000
-A cali-PREROUTING -p udp -m comment --comment "cali:vxlan" -m udp --dport 4789 -j NOTRACK
-A cali-PREROUTING -i cali+ -m comment --comment "cali:aksRVQGZ" -j MARK --set-xmark 0x40000/0x40000
-A cali-PREROUTING -m comment --comment "cali:x" -m mark --mark 0x40000/0x40000 -j cali-rpf-skip
-A cali-PREROUTING -m comment --comment "cali:y" -m mark --mark 0x40000/0x40000 -m rpfilter --validmark --invert -j DROP
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:cali-nat-outgoing - [0:0]
-A POSTROUTING -o tunl0 -m comment --comment "cali:SXWvdsbh4Mw7wOln" -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE --random-fully
-A cali-nat-outgoing -m comment --comment "cali:flqWnvo8yq4ULQLa" -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j MASQUERADE --random-fully
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:cali-INPUT - [0:0]
:cali-from-wl-dispatch - [0:0]
:cali-fw-cali12345678901 - [0:0]
:cali-pi-_x - [0:0]
:cali-pri-kns.default - [0:0]
:cali-wl-to-host - [0:0]
-A FORWARD -i cali+ -m comment --comment "cali:1" -j cali-from-wl-dispatch
-A FORWARD -m comment --comment "cali:2" -m comment --comment "Policy explicitly accepted packet." -m mark --mark 0x10000/0x10000 -j ACCEPT
-A FORWARD -m comment --comment "cali:3" -j MARK --set-xmark 0x10000/0x10000
-A cali-INPUT -p ipencap -m comment --comment "cali:4" -m comment --comment "Allow IPIP packets from Calico hosts" -m set --match-set cali40all-hosts-net src -m addrtype --dst-type LOCAL -j ACCEPT
-A cali-INPUT -i cali+ -m comment --comment "cali:5" -g cali-wl-to-host
-A cali-from-wl-dispatch -i cali12345678901 -m comment --comment "cali:6" -g cali-fw-cali12345678901
-A cali-from-wl-dispatch -m comment --comment "cali:7" -m comment --comment "Unknown interface" -j DROP
-A cali-fw-cali12345678901 -p udp -m comment --comment "cali:8" -m comment --comment "Drop VXLAN encapped packets originating in workloads" -m multiport --dports 4789 -j DROP
-A cali-fw-cali12345678901 -m comment --comment "cali:9" -m mark --mark 0x0/0x20000 -j cali-pi-_x
-A cali-pi-_x -p tcp -m comment --comment "cali:10" -m set --match-set cali40s:abc_DEF-1 src -m multiport --dports 80,443:445 -j MARK --set-xmark 0x10000/0x10000
-A cali-pi-_x -p icmp -m comment --comment "cali:11" -m icmp --icmp-type 8/0 -j MARK --set-xmark 0x10000/0x10000
-A cali-pi-_x ! -p tcp -m comment --comment "cali:12" -m mark --mark 0x10000/0x10000 -j RETURN
-A cali-pri-kns.default -m comment --comment "cali:13" -m limit --limit 1/sec -j LOG --log-prefix "calico-packet: " --log-level 5
-A cali-wl-to-host -m comment --comment "cali:14" -m conntrack --ctstate INVALID -j DROP
COMMIT
""",
    "kube-router": """\
*filter
:INPUT ACCEPT [0:0]
:KUBE-NWPLCY-A - [0:0]
:KUBE-POD-FW-A - [0:0]
:KUBE-ROUTER-INPUT - [0:0]
-A INPUT -m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT
-A KUBE-NWPLCY-A -p tcp -m comment --comment "rule to ACCEPT traffic from source pods to dest pods selected by policy name x namespace y" -m set --match-set KUBE-SRC-A src -m set --match-set KUBE-DST-B dst -m tcp --dport 80 -j MARK --set-xmark 0x10000/0x10000
-A KUBE-NWPLCY-A -m set --match-set KUBE-SRC-A src -m mark --mark 0x10000/0x10000 -j RETURN
-A KUBE-POD-FW-A -d 10.1.0.4/32 -m comment --comment "rule to permit the traffic traffic to pods when source is the pod\\'s local node" -m addrtype --src-type LOCAL -j ACCEPT
-A KUBE-POD-FW-A -m comment --comment "rule to log dropped traffic POD name:a namespace: b" -m mark ! --mark 0x10000/0x10000 -m limit --limit 10/min --limit-burst 10 -j NFLOG --nflog-group 100
-A KUBE-POD-FW-A -m comment --comment "rule to REJECT traffic destined for POD name:a namespace: b" -m mark ! --mark 0x10000/0x10000 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-POD-FW-A -j MARK --set-xmark 0x0/0x10000
-A KUBE-ROUTER-INPUT -p tcp -m comment --comment "allow LOCAL TCP traffic to node ports" -m addrtype --dst-type LOCAL -m multiport --dports 30000:32767 -j RETURN
-A KUBE-ROUTER-INPUT -d 10.1.0.4/32 -m physdev --physdev-is-bridged -m comment --comment "run through nw policy" -j KUBE-POD-FW-A
COMMIT
""",
    "weave": """\
*filter
:FORWARD ACCEPT [0:0]
:WEAVE-NPC - [0:0]
:WEAVE-NPC-DEFAULT - [0:0]
:WEAVE-NPC-EGRESS - [0:0]
-A FORWARD -o weave -m comment --comment "NOTE: this must go before '-j KUBE-FORWARD'" -j WEAVE-NPC
-A WEAVE-NPC -m state --state RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-NPC -d 224.0.0.0/4 -j ACCEPT
-A WEAVE-NPC -m physdev --physdev-out vethwe-bridge --physdev-is-bridged -j ACCEPT
-A WEAVE-NPC -m state --state NEW -j WEAVE-NPC-DEFAULT
-A WEAVE-NPC-DEFAULT -m set --match-set weave-P.B|!ZhkAr5q=XZ?3}tMBA+0 dst -m comment --comment "DefaultAllow ingress isolation for namespace: default" -j ACCEPT
-A WEAVE-NPC-EGRESS -m set --match-set weave-;rGqyMIl1HN^cfDki~Z$3]6!N src -j MARK --set-xmark 0x40000/0x40000
-A WEAVE-NPC-EGRESS -m mark ! --mark 0x40000/0x40000 -j NFLOG --nflog-group 86
COMMIT
""",
    "portmap": """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNI-0123456789abcdef01234567 - [0:0]
:CNI-DN-0123456789abcdef01234 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -s 10.1.0.5/32 -m comment --comment "name: \\"bridge\\" id: \\"8cb5e0\\"" -j CNI-0123456789abcdef01234567
-A CNI-0123456789abcdef01234567 -d 10.1.0.0/24 -m comment --comment "name: \\"bridge\\" id: \\"8cb5e0\\"" -j ACCEPT
-A CNI-0123456789abcdef01234567 ! -d 224.0.0.0/4 -m comment --comment "name: \\"bridge\\" id: \\"8cb5e0\\"" -j MASQUERADE
-A CNI-DN-0123456789abcdef01234 -s 10.1.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-0123456789abcdef01234 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.5:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"bridge\\" id: \\"8cb5e0\\"" -m multiport --dports 8080,8443 -j CNI-DN-0123456789abcdef01234
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000
COMMIT
""",
    "docker": """\
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-CT -m set --match-set docker-ext-bridges-v4 dst -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
""",
    "ufw": """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:ufw-before-input - [0:0]
:ufw-logging-deny - [0:0]
:ufw-not-local - [0:0]
:ufw-skip-to-policy-input - [0:0]
:ufw-user-limit - [0:0]
:ufw-user-limit-accept - [0:0]
:ufw-user-input - [0:0]
-A INPUT -j ufw-before-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -p icmp -m icmp --icmp-type 12 -j ACCEPT
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -d 239.255.255.250/32 -p udp -m udp --dport 1900 -j ACCEPT
-A ufw-logging-deny -m conntrack --ctstate INVALID -m limit --limit 3/min --limit-burst 10 -j RETURN
-A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-skip-to-policy-input -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --set --name DEFAULT --mask 255.255.255.255 --rsource
-A ufw-user-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 --name DEFAULT --mask 255.255.255.255 --rsource -j ufw-user-limit
-A ufw-user-input -p tcp -m multiport --dports 80,443 -m comment --comment "\\'dapp_Nginx%20Full\\'" -j ACCEPT
-A ufw-user-limit -j REJECT --reject-with icmp-port-unreachable
-A ufw-user-limit-accept -j ACCEPT
COMMIT
""",
    "firewalld-direct": """\
*filter
:INPUT ACCEPT [0:0]
:INPUT_direct - [0:0]
:IN_public - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -j INPUT_direct
-A INPUT -i eth0 -g IN_public
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A INPUT_direct -p vrrp -j ACCEPT
-A IN_public -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT
COMMIT
""",
    "istio": """\
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:ISTIO_INBOUND - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A OUTPUT -p tcp -j ISTIO_OUTPUT
-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m multiport ! --dports 53,15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:ISTIO_DIVERT - [0:0]
:ISTIO_TPROXY - [0:0]
-A PREROUTING -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT
-A PREROUTING -p tcp -m connmark --mark 0x539 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
-A ISTIO_DIVERT -j MARK --set-xmark 0x539/0xffffffff
-A ISTIO_TPROXY ! -d 127.0.0.1/32 -p tcp -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x539/0xffffffff
COMMIT
""",
    "aws-vpc-cni": """\
*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80
-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:AWS-CONNMARK-CHAIN-0 - [0:0]
:AWS-SNAT-CHAIN-0 - [0:0]
-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
-A AWS-CONNMARK-CHAIN-0 ! -d 192.168.0.0/16 -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j CONNMARK --set-xmark 0x80/0x80
-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 192.168.7.7 --random-fully
COMMIT
""",
    "cilium": """\
*raw
:OUTPUT ACCEPT [0:0]
:CILIUM_OUTPUT_raw - [0:0]
-A OUTPUT -m comment --comment "cilium-feeder: CILIUM_OUTPUT_raw" -j CILIUM_OUTPUT_raw
-A CILIUM_OUTPUT_raw -o lxc+ -m mark --mark 0xa00/0xfffffeff -m comment --comment "cilium: NOTRACK for proxy return traffic" -j CT --notrack
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:CILIUM_PRE_mangle - [0:0]
-A PREROUTING -m comment --comment "cilium-feeder: CILIUM_PRE_mangle" -j CILIUM_PRE_mangle
-A CILIUM_PRE_mangle ! -o lo -m socket --transparent -m mark ! --mark 0xe00/0xf00 -m mark ! --mark 0x800/0xf00 -m comment --comment "cilium: any->pod redirect proxied traffic to host proxy" -j MARK --set-xmark 0x200/0xffffffff
-A CILIUM_PRE_mangle -p tcp -m mark --mark 0x3d920200 -m comment --comment "cilium: TPROXY to host cilium-dns-egress proxy" -j TPROXY --on-port 37437 --on-ip 127.0.0.1 --tproxy-mark 0x200/0xffffffff
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:CILIUM_POST_nat - [0:0]
-A CILIUM_POST_nat -s 10.0.1.0/24 -m set --match-set cilium_node_set_v4 dst -m comment --comment "exclude traffic to cluster nodes from masquerade" -j ACCEPT
-A CILIUM_POST_nat -s 10.0.1.0/24 ! -d 10.0.0.0/8 ! -o cilium_+ -m comment --comment "cilium masquerade non-cluster" -j MASQUERADE
-A CILIUM_POST_nat -m mark --mark 0xa00/0xe00 -m comment --comment "exclude proxy return traffic from masquerade" -j ACCEPT
-A CILIUM_POST_nat -s 127.0.0.1/32 -o cilium_host -m comment --comment "cilium host->cluster from 127.0.0.1 masquerade" -j SNAT --to-source 10.0.1.9
-A CILIUM_POST_nat -o cilium_host -m mark --mark 0xf00/0xf00 -m conntrack --ctstate DNAT -m comment --comment "hairpin traffic that originated from a local pod" -j SNAT --to-source 10.0.1.9
COMMIT
""",
    "others": """\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -m comment --comment "NodeLocal DNS Cache: skip conntrack" -j NOTRACK
COMMIT
*security
:OUTPUT ACCEPT [0:0]
-A OUTPUT -d 168.63.129.16/32 -p tcp -m tcp --dport 53 -j ACCEPT
-A OUTPUT -d 168.63.129.16/32 -p tcp -m owner --uid-owner 0 -j ACCEPT
-A OUTPUT -d 168.63.129.16/32 -p tcp -m conntrack --ctstate INVALID,NEW -j DROP
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:IP-MASQ - [0:0]
:KIND-MASQ-AGENT - [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-MARK-MASQ - [0:0]
:ts-postrouting - [0:0]
-A POSTROUTING -m addrtype ! --dst-type LOCAL -m comment --comment "kind-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom KIND-MASQ-AGENT chain" -j KIND-MASQ-AGENT
-A IP-MASQ -d 10.0.0.0/8 -m comment --comment "ip-masq-agent: local traffic is not subject to MASQUERADE" -j RETURN
-A IP-MASQ -m comment --comment "ip-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)" -j MASQUERADE
-A KUBE-LOAD-BALANCER -m comment --comment "Kubernetes service load balancer ip + port for masquerade purpose" -m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A ts-postrouting -m mark --mark 0x40000/0xff0000 -j MASQUERADE
COMMIT
*mangle
:FORWARD ACCEPT [0:0]
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A FORWARD -d 10.0.0.0/8 -p tcp -m tcp --tcp-flags SYN,RST SYN -m comment --comment "SUBMARINER" -j TCPMSS --set-mss 1300
COMMIT
""",
}


@pytest.mark.parametrize("name", DUMPS)
def test_nothing_that_a_component_writes_is_unknown(name):
    tables, lost = parse_iptables_save(DUMPS[name], name, backend="nft", family="ip")
    assert lost == ()
    assert [entry for table in tables for entry in count_unrecognized(table)] == []
    assert scan_unknown(DUMPS[name]) == ()


@pytest.mark.parametrize("name", DUMPS)
def test_both_ways_of_compiling_agree(name):
    for table in parse_iptables_save(DUMPS[name], name, backend="nft", family="ip")[0]:
        for chain in table.chains.values():
            for rule in chain.rules:
                assert rule == compile_rule(rule.text, rule.line, table.chains.keys())


COMMENT = AlwaysMatch("comment")
TCP = ProtocolMatch(6)

MEANINGS = [
    (
        '-A S ! -s 10.1.0.0/16 -d 10.96.0.10/32 -p tcp -m comment --comment "ns/a cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ',
        AddressMatch("src", parse_prefix("10.1.0.0/16"), negate=True),
        AddressMatch("dst", parse_prefix("10.96.0.10")),
        TCP,
        COMMENT,
        PortMatch("dst", ((80, 80),)),
        Jump("KUBE-MARK-MASQ"),
    ),
    (
        '-A S -m comment --comment "x" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A',
        COMMENT,
        StatisticMatch(0.5),
        Jump("KUBE-SEP-A"),
    ),
    (
        '-A S -p tcp -m comment --comment "x" -m recent --set --name KUBE-SEP-A --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.1.1.2:8000',
        TCP,
        COMMENT,
        RecentMatch("set", "KUBE-SEP-A"),
        AlwaysMatch("tcp"),
        Dnat((parse_addr("10.1.1.2"), parse_addr("10.1.1.2")), (8000, 8000)),
    ),
    (
        '-A F ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "x" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
        AddressMatch("src", parse_prefix("127.0.0.0/8"), negate=True),
        AddressMatch("dst", parse_prefix("127.0.0.0/8")),
        COMMENT,
        CtStateMatch(CtState.RELATED | CtState.ESTABLISHED | CtState.DNAT, negate=True),
        Drop(),
    ),
    (
        "-A F -i cali12345678901 -m comment --comment cali -g cali-fw-cali12345678901",
        InterfaceMatch("in", "cali12345678901"),
        COMMENT,
        Goto("cali-fw-cali12345678901"),
    ),
    (
        "-A O ! -d 127.0.0.1/32 -o lo -p tcp -m owner --uid-owner 1337 -j ACCEPT",
        AddressMatch("dst", parse_prefix("127.0.0.1"), negate=True),
        InterfaceMatch("out", "lo"),
        TCP,
        OwnerMatch("uid", (1337, 1337)),
        Accept(),
    ),
    (
        "-A P ! -o lo -m socket --transparent -m mark ! --mark 0xe00/0xf00 -j MARK --set-xmark 0x200/0xffffffff",
        InterfaceMatch("out", "lo", negate=True),
        SocketMatch(transparent=True),
        MarkMatch(0xE00, 0xF00, negate=True),
        SetMark(0x200),
    ),
    (
        "-A P -p tcp -m mark --mark 0x3d920200 -j TPROXY --on-port 37437 --on-ip 127.0.0.1 --tproxy-mark 0x200/0xffffffff",
        TCP,
        MarkMatch(0x3D920200),
        Tproxy(37437, parse_addr("127.0.0.1"), 0x200, 0xFFFFFFFF),
    ),
    (
        "-A N -s 10.0.1.0/24 ! -d 10.0.0.0/8 ! -o cilium_+ -j MASQUERADE",
        AddressMatch("src", parse_prefix("10.0.1.0/24")),
        AddressMatch("dst", parse_prefix("10.0.0.0/8"), negate=True),
        InterfaceMatch("out", "cilium_", wildcard=True, negate=True),
        Masquerade(),
    ),
    ("-A R -j REJECT --reject-with icmp-host-prohibited", Reject("icmp-host-prohibited")),
]
CHAINS = {"KUBE-MARK-MASQ", "KUBE-SEP-A", "cali-fw-cali12345678901"}


@pytest.mark.parametrize(("line", "items"), [(line, items) for line, *items in MEANINGS])
def test_a_rule_means_what_its_component_meant(line, items):
    assert list(compile_rule(line, 1, CHAINS).items) == items


def test_nothing_in_a_bundle_of_a_real_cluster_is_unknown(packed_bundle):
    unknown: list[Unrecognized] = []
    with tarfile.open(packed_bundle) as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            source = archive.extractfile(member)
            if source is None:
                continue
            if name == "ipset-save":
                unknown += parse_ipset_save(source.read().decode(), member.name)[1]
            elif name.startswith(("iptables", "ip6tables")) and name.endswith("-save"):
                family = "ip6" if name.startswith("ip6") else "ip"
                tables, lost = parse_iptables_save(
                    source.read().decode(), member.name, backend="nft", family=family
                )
                unknown += lost
                unknown += [entry for table in tables for entry in count_unrecognized(table)]
    assert unknown == []
