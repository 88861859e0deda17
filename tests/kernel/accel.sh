# shellcheck shell=dash disable=SC2034,SC2086,SC2154
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Part of smoke.sh: the kernel translates and judges, by nftables, and natvi sends its established connections on.

kernel_nat()
{
	echo 1 | at gw tee /proc/sys/net/ipv4/ip_forward >/dev/null
	at gw nft -f - <<-END
	table ip nat {
	  chain post { type nat hook postrouting priority 100; oifname "wan0" masquerade; }
	}
	table inet filter {
	  chain forward {
	    type filter hook forward priority 0; policy drop;
	    ct state invalid counter drop
	    ct state established,related accept
	    iifname "lan0" accept
	  }
	}
	END
}

# $1: xdp of both
configure_accel()
{
	echo "{interfaces: [{name: lan0, xdp: $1}, {name: wan0, xdp: $1}], accelerate: true}" >$WORK/natvi.yaml
}

accelerated()
{
	at gw natvi show stats | awk '$1 == "accelerated" && !n++ { print $3 }'
}

# Of a transfer's packets a good part leave at the hook, and the firewall has nothing against the rest.
sends_on()
{
	local before

	before=$(accelerated)
	transfer out in && transfer in out && [ $(($(accelerated) - before)) -gt 200 ] && at gw nft list ruleset | grep 'counter packets 0 '
}

kernel_goes_on()
{
	local hook

	at gw natvi down || return 1
	soon 30 ended $daemon || { echo "the daemon runs on"; return 1; }
	find /sys/fs/bpf/natvi -mindepth 1 | grep . && return 1
	for hook in ingress egress; do
		at gw tc filter show dev wan0 $hook 2>/dev/null | grep . && return 1
	done
	transfer out in
}

run_accel()
{
	round="accelerate on tc"
	: >$LOG
	check "namespaces" build "" && check "the kernel's NAT" kernel_nat && configure_accel off && check "natvi run" forwards && {
		check "transfers" sends_on
		round="accelerate on XDP"
		configure_accel native
		check "natvi reload" at gw natvi reload && check "XDP at the LAN" xdp_at lan0 && check "transfers" sends_on
		check "natvi down, and the kernel goes on" kernel_goes_on
	}
	destroy
}
