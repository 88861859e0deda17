# shellcheck shell=dash disable=SC2034,SC2086,SC2154
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Part of smoke.sh: a wire between two hosts, of which one believes the other to be its router. What is for the far hosts is
# captured, and comes back through a tun device.
#
#   in  192.0.2.2/24, 2001:db8::2/64, VLAN 7: 198.51.100.2/24 -- lan0 [192.0.2.10 tun0] wan0 -- out, the same with .3
#                                                                           |
#   far 203.0.113.9, .19, .33, 2001:db8:9::9                         tun0 --+
#
# 203.0.113.9 is asked for by the untagged network, .19 by VLAN 7. 203.0.113.33 is behind `in` to whom `out` asks, and no rule has it:
# answers to it are captured because it has spoken. 203.0.113.77 is out's own, and behind no rule either.

MAC_IN=02:00:00:00:00:0a
MAC_OUT=02:00:00:00:00:0b
FAR="203.0.113.9 203.0.113.19 203.0.113.33"

# $1: namespace, $2: port at the box, $3: MAC, $4: last part of its addresses
wire_host()
{
	ip link add $2 netns gw type veth peer name eth0 address $3 netns $1 && at gw ip link set $2 up || return 1
	# As on a wire: tags in the frame, checksums made, none larger than the MTU
	at $1 ethtool -K eth0 tx off tso off gso off txvlan off gro on >/dev/null && at $1 ip link set eth0 up &&
	at $1 ip link add link eth0 name eth0.7 type vlan id 7 && at $1 ip link set eth0.7 up &&
	at $1 ip address add 192.0.2.$4/24 dev eth0 && at $1 ip address add 198.51.100.$4/24 dev eth0.7 &&
	at $1 ip -6 address add 2001:db8::$4/64 dev eth0 nodad
}

# The other end of the tunnel
far_host()
{
	local address

	tun-pair gw far >$WORK/tunnel 2>&1 &
	tunnel=$!
	soon 10 grep -q ready $WORK/tunnel || { cat $WORK/tunnel; return 1; }
	at gw ip link set tun0 mtu 1300 up && at far ip link set tun0 mtu 1300 up || return 1
	for address in $FAR; do
		at far ip address add $address/32 dev lo || return 1
	done
	at far ip route add 192.0.2.0/24 dev tun0 src 203.0.113.9 && at far ip route add 198.51.100.0/24 dev tun0 src 203.0.113.19 &&
	at far ip -6 address add 2001:db8:9::9/128 dev lo nodad && at far ip -6 route add 2001:db8::/64 dev tun0 src 2001:db8:9::9
}

# Answers come from the MAC address that was asked, or are lost; nothing that is captured crosses.
watch_wire()
{
	at in nft -f - <<-END &&
	table inet seen {
	  chain in { type filter hook prerouting priority -300
	    iif != lo ip saddr { 203.0.113.9, 203.0.113.19 } ether saddr != $MAC_OUT counter drop
	  }
	}
	END
	at out nft -f - <<-END
	table inet seen {
	  counter crossed { }
	  chain in { type filter hook prerouting priority -300
	    ip daddr { 203.0.113.9, 203.0.113.19, 203.0.113.33 } counter name crossed
	    ip6 daddr 2001:db8:9::9 counter name crossed
	  }
	}
	END
}

build_wire()
{
	local ns

	for ns in in gw out far; do
		ip netns add $ns && at $ns ip link set lo up || return 1
	done
	wire_host in lan0 $MAC_IN 2 && wire_host out wan0 $MAC_OUT 3 && far_host && watch_wire &&
	at in ip route add 203.0.113.0/28 via 192.0.2.3 && at in ip route add 203.0.113.16/28 via 198.51.100.3 &&
	at in ip -6 route add 2001:db8:9::/64 via 2001:db8::3 &&
	at out ip route add 203.0.113.32/28 via 192.0.2.2 &&
	at out ip address add 203.0.113.77/32 dev lo && at in ip route add 203.0.113.64/28 via 192.0.2.3
}

# $1: xdp; $2: fail
configure_wire()
{
	cat >$WORK/natvi.yaml <<-END
	wires:
	  - name: w0
	    ports: [lan0, wan0]
	    xdp: $1
	    host: {address: 192.0.2.10/24}
	    fail: $2
	    capture:
	      - {match: {port: lan0, destination: [203.0.113.9/32]}, to: tun0}
	      - {match: {vlan: 7, destination: [203.0.113.19/32]}, to: tun0}
	      - {match: {destination: [2001:db8:9::/64]}, to: tun0}
	END
}

# $1: who asks; $2: who is to answer; $3: by what address. Twice 256 KiB, as each end sends
fetches_by_wire()
{
	port=$((port + 10))
	fetches $1 $2 $3
}

# Also to an address that is beyond the box's network, by who has been heard from there.
box_reaches()
{
	at out ping -c 1 -W 10 -I 203.0.113.77 192.0.2.2 && at gw ping -c 1 -W 10 -s 4000 192.0.2.2 && at gw ping -c 1 -W 10 192.0.2.3 &&
	at gw ping -c 2 -i 0.2 -W 10 203.0.113.77
}

none_crossed()
{
	at out nft list counter inet seen crossed
	at out nft list counter inet seen crossed | grep -q 'packets 0 '
}

right_mac()
{
	at in nft list ruleset
	at in nft list ruleset | grep -q 'counter packets 0 '
}

# $1: open or closed. Without its target, what is captured ends here, or crosses to `out`, which has no such address.
loses_target()
{
	local status

	at gw ip link set tun0 down && soon 10 target_gone $1
	status=$?
	at gw ip link set tun0 up && soon 20 at in ping -c 1 -W 2 203.0.113.9 && return $status
	echo "it is not captured again"
	return 1
}

target_gone()
{
	at in ping -c 1 -W 1 203.0.113.9
	case $1 in
	open)	! none_crossed;;
	closed)	counted wire-no-target && none_crossed;;
	esac
}

wire_hits()
{
	xdp_at lan0 && xdp_at wan0 && at gw natvi show stats | grep '[1-9][0-9]* of the forwarded left at XDP'
}

# $1: name
wire_traffic()
{
	round=$1
	check "ping across" at in ping -c 2 -i 0.2 -W 10 192.0.2.3
	check "ping across, in fragments" at in ping -c 2 -i 0.2 -W 10 -s 4000 192.0.2.3
	check "ping across in a VLAN" at in ping -c 2 -i 0.2 -W 10 198.51.100.3
	check "ping across, IPv6" at in ping -c 2 -i 0.2 -W 10 2001:db8::3
	check "TCP across" fetches_by_wire in out 192.0.2.3
	check "TCP across in a VLAN, the other way" fetches_by_wire out in 198.51.100.2
	check "it is natvi that has them cross" counted wire-crossed
	check "captured ping" at in ping -c 2 -i 0.2 -W 10 203.0.113.9
	check "captured ping, too big for the tunnel" at in ping -c 4 -i 0.2 -W 10 -s 1400 203.0.113.9
	check "captured ping, in fragments" at in ping -c 2 -i 0.2 -W 10 -s 4000 203.0.113.9
	check "captured ping from a VLAN" at in ping -c 2 -i 0.2 -W 10 203.0.113.19
	check "captured ping, IPv6" at in ping -c 2 -i 0.2 -W 10 2001:db8:9::9
	check "captured TCP" fetches_by_wire in far 203.0.113.9
	check "captured TCP from a VLAN" fetches_by_wire in far 203.0.113.19
	check "TCP out of the tunnel" fetches_by_wire far in 192.0.2.2
	check "TCP out of the tunnel into a VLAN" fetches_by_wire far in 198.51.100.2
	check "TCP out of the tunnel, that no rule has" fetches_as 203.0.113.33 far out 192.0.2.3
	check "answers bear the MAC address that was asked" right_mac
	check "nothing captured crosses" none_crossed
	check "the box to hosts" box_reaches
	check "a host to the box" at in ping -c 2 -i 0.2 -W 10 192.0.2.10
}

# $1: the address that who asks has, for this time; the rest as of fetches
fetches_as()
{
	local status

	at $2 ip route change 192.0.2.0/24 dev tun0 src $1 || return 1
	shift
	fetches_by_wire "$@"
	status=$?
	at $1 ip route change 192.0.2.0/24 dev tun0 src 203.0.113.9
	return $status
}

# A bridge of the kernel's carries on.
cable_left()
{
	at gw natvi down || return 1
	soon 30 ended $daemon || { echo "the daemon runs on"; return 1; }
	find /sys/fs/bpf/natvi -mindepth 1 | grep . && return 1
	at gw ip link show | grep 'prog/xdp' && return 1
	at in ping -c 2 -i 0.2 -W 10 192.0.2.3 && at in ping -c 2 -i 0.2 -W 10 198.51.100.3 && at in ping -c 2 -i 0.2 -W 10 2001:db8::3
}

run_wire()
{
	round="wire on tc"
	servers=
	tunnel=
	port=6000
	: >$LOG
	check "namespaces" build_wire && serve_files in out far && configure_wire off closed && check "natvi run" forwards && {
		lacks
		wire_traffic "wire on tc"
		check "the target is gone, fail: closed" loses_target closed
		configure_wire native open
		check "natvi reload" at gw natvi reload && {
			wire_traffic "wire on XDP"
			check "XDP" wire_hits
			check "the target is gone, fail: open" loses_target open
		}
		check "natvi down, fail: open" cable_left
	}
	[ -z "$servers$tunnel" ] || kill $servers $tunnel 2>/dev/null
	destroy
}
