# shellcheck shell=dash disable=SC2154
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Part of smoke.sh: two customers with the same addresses, a VRF each, one of them behind a VLAN device.
#
#   in   198.18.0.10 -- red0    [VRF red, 198.18.0.1]  gateway  wan0 203.0.113.1 -- 203.0.113.9 out
#   blue 198.18.0.10 -- blue0.7 [VRF blue, 198.18.0.1]
#
# To red, blue is 198.51.100.0/24; to blue, red is 192.0.2.0/24. Each host serves a file of its own, so that what arrives
# says who has answered.

build_vrf()
{
	local ns

	for ns in in blue gw out; do
		ip netns add $ns && at $ns ip link set lo up || return 1
	done
	ip link add red0 netns gw type veth peer name eth0 netns in && ip link add blue0 netns gw type veth peer name eth0 netns blue &&
	ip link add wan0 netns gw type veth peer name eth0 netns out || return 1
	for ns in in blue out; do
		at $ns ethtool -K eth0 tx off tso off gso off gro on >/dev/null && at $ns ip link set eth0 up || return 1
	done
	at blue ip link add link eth0 name eth0.7 type vlan id 7 && at blue ip link set eth0.7 up &&
	at gw ip link set blue0 up && at gw ip link add link blue0 name blue0.7 type vlan id 7 || return 1
	at gw ip link set wan0 up && at gw ip address add $EXTERNAL/24 dev wan0 && at out ip address add $SERVER/24 dev eth0 || return 1
	join_vrf red 100 red0 && join_vrf blue 200 blue0.7 &&
	host_vrf in eth0 && host_vrf blue eth0.7
}

# $1: VRF, $2: table, $3: port
join_vrf()
{
	at gw ip link add $1 type vrf table $2 && at gw ip link set $1 up && at gw ip link set $3 master $1 &&
	at gw ip link set $3 up && at gw ip address add $GATEWAY/24 dev $3 &&
	at gw ip route add default via $SERVER dev wan0 table $2
}

host_vrf()
{
	at $1 ip address add $INSIDE/24 dev $2 && at $1 ip route add default via $GATEWAY
}

configure_vrf()
{
	cat >$WORK/natvi.yaml <<-END
	zones: [{name: red, vrf: red}, {name: blue, vrf: blue}]
	interfaces:
	  - {name: red0, zone: red, xdp: $1}
	  - {name: blue0.7, zone: blue}
	  - {name: wan0, xdp: $1}
	rules:
	  - {from: {zone: red, source: 198.18.0.0/24}, to: {destination: 198.51.100.0/24},
	     action: {netmap: 192.0.2.0/24, dnat: 198.18.0.0/24, zone: blue}}
	  - {from: {zone: [red, blue]}, to: {zone: global}, action: masquerade}
	  - {from: {zone: global}, action: drop}
	END
}

serve_files()
{
	local ns

	for ns in in blue out; do
		dd if=/dev/urandom of=$WORK/file-$ns bs=64k count=4 2>/dev/null
		at $ns nc -ll -p 80 -e cat $WORK/file-$ns <$WORK/open >/dev/null 2>&1 &
		servers="$servers $!"
	done
}

# $1: who asks, $2: whom, $3: by what address
fetches()
{
	at $1 timeout 60 nc -p 4000 $3 80 <$WORK/open >$WORK/got-$1
	cmp $WORK/got-$1 $WORK/file-$2
}

# Both from one address and port
fetch_at_once()
{
	local other

	fetches in out $SERVER & other=$!
	fetches blue out $SERVER && wait $other
}

run_vrf()
{
	round=$1
	servers=
	: >$LOG
	check "namespaces" build_vrf && configure_vrf "$2" && serve_files && check "natvi run" forwards && {
		check "first packet from red to blue" at in ping -c 1 -W 10 198.51.100.10
		check "first packet from blue to the uplink" at blue ping -c 1 -W 10 $SERVER
		check "red to blue" fetches in blue 198.51.100.10
		check "blue to red" fetches blue in 192.0.2.10
		check "both to the uplink at once" fetch_at_once
		check "fragments from red to blue" at in ping -c 2 -W 10 -s 4000 198.51.100.10
		check "red's gateway" at in ping -c 1 -W 10 $GATEWAY
		check "blue's gateway" at blue ping -c 1 -W 10 $GATEWAY
		check "the box into VRF blue" at gw ping -c 1 -W 10 -I blue $INSIDE
		check "natvi down" nothing_left
	}
	[ -z "$servers" ] || kill $servers 2>/dev/null
	destroy
}
