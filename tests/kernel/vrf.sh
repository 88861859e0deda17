# shellcheck shell=dash disable=SC2034,SC2086,SC2154
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Part of smoke.sh: two customers with the same addresses, a VRF each, one of them behind a VLAN device.
#
#   in   198.18.0.10 -- red0    [VRF red, 198.18.0.1]  gateway  wan0 203.0.113.1 -- 203.0.113.9 out
#   blue 198.18.0.10 -- blue0.7 [VRF blue, 198.18.0.1]
#
# To red, blue is 198.51.100.0/24; to blue, red is 192.0.2.0/24; to the outside, blue's server is 203.0.113.1. Outside has a
# host 198.51.100.10 and a host 192.0.2.10, too. Each namespace serves a file of its own, so that what arrives says who has answered.

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
	at gw ip link set wan0 up && at gw ip address add $EXTERNAL/24 dev wan0 && at out ip address add $SERVER/24 dev eth0 &&
	at out ip address add 198.51.100.10/32 dev lo && at out ip address add 192.0.2.10/32 dev lo || return 1
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
	  - {from: {zone: global}, to: {destination: $EXTERNAL, port: 80}, proto: tcp, action: {dnat: $INSIDE, zone: blue}}
	  - {from: {zone: global}, action: drop}
	END
}

# Each of the namespaces a file of its own
serve_files()
{
	local ns

	for ns in "$@"; do
		dd if=/dev/urandom of=$WORK/file-$ns bs=64k count=4 2>/dev/null
		at $ns nc -ll -p 80 -e cat $WORK/file-$ns <$WORK/open >/dev/null 2>&1 &
		servers="$servers $!"
	done
}

# $1: who asks, $2: who is to answer, $3: by what address
fetches()
{
	at $1 timeout 60 nc -p $port $3 80 <$WORK/open >$WORK/got-$1
	cmp $WORK/got-$1 $WORK/file-$2
}

# Both from one address and port
fetch_at_once()
{
	local other

	fetches in out $SERVER & other=$!
	fetches blue out $SERVER && wait $other
}

# The box itself, in a VRF. $1: VRF, $2: who is to answer
fetches_in_vrf()
{
	at gw ip vrf exec $1 timeout 60 nc $INSIDE 80 <$WORK/open >$WORK/got-gw
	cmp $WORK/got-gw $WORK/file-$2
}

# What one zone's hosts are called by is somebody else's address in another zone.
translated_apart()
{
	port=$((port + 10))
	fetches in out 192.0.2.10 && fetches blue out 198.51.100.10
}

shows_zones()
{
	at gw natvi show zones
	at gw natvi show zones | grep -w red | grep -qw 100 && at gw natvi show zones | grep -w blue | grep -qw 200
}

# $1: a verdict. Has any packet had it?
counted()
{
	at gw natvi show stats >$WORK/stats
	grep "^ *$1 " $WORK/stats && awk -v name=$1 '$1 == name && $3 > 0 { found = 1 } END { exit !found }' $WORK/stats
}

traces_route()
{
	at in traceroute -n -q 1 -w 10 -m 3 198.51.100.10 | tee $WORK/hops
	[ "$(awk '/ms$/ { print $1, $2 }' $WORK/hops)" = "1 $GATEWAY
2 198.51.100.10" ]
}

# Fragments that are too big for the way out, which is in another VRF than the way in
cuts()
{
	local status

	at gw ip link set blue0.7 mtu 1400 && at in ping -c 2 -W 10 -s 4000 198.51.100.10 && counted slow-too-big &&
	port=$((port + 10)) && fetches in blue 198.51.100.10
	status=$?
	at gw ip link set blue0.7 mtu 1500
	return $status
}

hits()
{
	xdp_at red0 && xdp_at wan0 && at gw natvi show stats | grep '[1-9][0-9]* of the forwarded left at XDP'
}

# With an IPsec policy, whatever it is for, all packets are the kernel's when they are translated.
goes_slowly()
{
	local status

	at gw ip xfrm policy add src 198.51.100.200 dst 198.51.100.201 dir out action block && soon 10 sees_policy && slow_traffic
	status=$?
	at gw ip xfrm policy flush
	return $status
}

slow_traffic()
{
	port=$((port + 10))
	fetches in blue 198.51.100.10 && fetches blue in 192.0.2.10 && fetch_at_once && fetches out blue $EXTERNAL &&
	at in ping -c 2 -W 10 -s 4000 198.51.100.10 && counted slow-policy
}

# Nothing of natvi's in any table or at any device
nothing_left_vrf()
{
	local dev

	nothing_left || return 1
	at gw ip rule | grep 'proto 208' && return 1
	at gw ip route show table all proto 208 | grep . && return 1
	for dev in $(at gw ip -br link | sed 's/[@ ].*//'); do
		at gw tc filter show dev $dev ingress | grep . && return 1
		at gw tc filter show dev $dev egress | grep . && return 1
	done
	at gw tc qdisc show | grep clsact && return 1
	return 0
}

# $1: name
vrf_traffic()
{
	round=$1
	port=$((port + 100))
	check "red to blue" fetches in blue 198.51.100.10
	check "blue to red" fetches blue in 192.0.2.10
	check "both to the uplink at once" fetch_at_once
	check "the uplink to blue" fetches out blue $EXTERNAL
	check "translated addresses are a zone's" translated_apart
	check "fragments from red to blue" at in ping -c 2 -W 10 -s 4000 198.51.100.10
	check "fragments too big for blue" cuts
	check "traceroute from red to blue" traces_route
	check "red's gateway" at in ping -c 1 -W 10 -s 4000 $GATEWAY
	check "blue's gateway" at blue ping -c 1 -W 10 -s 4000 $GATEWAY
	check "the box into VRF red" fetches_in_vrf red in
	check "the box into VRF blue" fetches_in_vrf blue blue
	check "all by the kernel" goes_slowly
}

run_vrf()
{
	round="VRF on tc"
	servers=
	port=4000
	: >$LOG
	check "namespaces" build_vrf && configure_vrf off && serve_files in blue out && check "natvi run" forwards && {
		check "show zones" shows_zones
		check "first packet from red to blue" at in ping -c 1 -W 10 198.51.100.10
		check "first packet from blue to the uplink" at blue ping -c 1 -W 10 $SERVER
		check "the kernel finds neighbours" counted slow-neighbour
		vrf_traffic "VRF on tc"
		configure_vrf native
		check "natvi reload" at gw natvi reload && {
			vrf_traffic "VRF on XDP"
			check "XDP" hits
		}
		check "natvi down" nothing_left_vrf
	}
	[ -z "$servers" ] || kill $servers 2>/dev/null
	destroy
}
