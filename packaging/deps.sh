#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Install what natvi needs to build, to test itself, to be shown and to be measured: the packages
# of deps.txt, or of the list that is named. Does nothing where all are there. Servers among them
# (sshd, nginx, bird) are only wanted as programs: those that this installs are neither started nor enabled.
set -euo pipefail

list=${1:-$(dirname "$0")/deps.txt}
policy=/usr/sbin/policy-rc.d
units=(nginx.service ssh.service iperf3.service coturn.service bird.service firewalld.service openvpn.service fastd.service)

# What the list names and dpkg does not call installed.
missing()
{
	local wanted have
	wanted=$(sed 's/#.*//' "$list" | tr -s ' \t' '\n' | grep . | sort -u)
	# shellcheck disable=SC2086 # one word a package
	have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
		awk '$2 == "installed" { print $1 }' | sort -u) || true
	comm -23 <(echo "$wanted") <(echo "$have")
}

hold_services()
{
	[ -e "$policy" ] && return
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' > "$policy"
	chmod 755 "$policy"
}

# Units that were not there before ("$@" are those that were) stay off at the next boot, too.
disable_new_units()
{
	command -v systemctl >/dev/null || return 0
	local unit
	for unit in "${units[@]}"; do
		[[ " $* " == *" $unit "* ]] || systemctl disable --quiet "$unit" 2>/dev/null || true
	done
}

present_units()
{
	local unit
	for unit in "${units[@]}"; do
		[ -e "/lib/systemd/system/$unit" ] && echo "$unit"
	done
	return 0
}

command -v dpkg-query >/dev/null || {
	echo "deps: this is not a Debian system; install what $list names by your own means" >&2
	exit 1
}
mapfile -t packages < <(missing)
if [ ${#packages[@]} -eq 0 ]; then
	echo "deps: everything is installed"
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: not installed: ${packages[*]}" >&2
	echo "deps: run 'sudo make deps', or 'sudo apt-get install ${packages[*]}'" >&2
	exit 1
fi

mapfile -t before < <(present_units)
hold_services
export DEBIAN_FRONTEND=noninteractive
echo "deps: installing ${packages[*]}"
apt-get -q update
apt-get -q install -y --no-install-recommends "${packages[@]}"
disable_new_units "${before[@]}"

mapfile -t packages < <(missing)
if [ ${#packages[@]} -ne 0 ]; then
	echo "deps: still not installed: ${packages[*]}" >&2
	exit 1
fi
