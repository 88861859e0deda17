#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Fetch what `make check-kernels` needs: the packages of deps-kernels.txt are installed, and Debian's newest cloud kernels
# of each series below are unpacked under BUILD/kernel/SERIES, not installed. Does nothing where all is there; a newer
# kernel is fetched when the folder is gone.
set -euo pipefail

here=$(dirname "$0")
place=${BUILD:-build}/kernel
series=(6.1 6.12)

absent=()
for s in "${series[@]}"; do
	compgen -G "$place/$s/boot/vmlinuz-*" >/dev/null || absent+=("$s")
done

"$here/deps.sh" "$here/deps-kernels.txt"
if [ ${#absent[@]} -eq 0 ]; then
	echo "deps-kernels: kernels ${series[*]} are in $place"
	exit 0
fi
[ "$(id -u)" -ne 0 ] || apt-get -q update

# $1: series. Names of its packages, the newest first; signed or not is the same to QEMU.
candidates()
{
	apt-cache pkgnames "linux-image-$1." | grep -E -- '-cloud-amd64(-unsigned)?$' | sort -rV
}

# $1: series. An index can name what the mirror has no more.
fetch()
{
	local package
	mkdir -p "$place"
	work=$(mktemp -d "$place/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	while read -r package; do
		echo "deps-kernels: $package"
		if (cd "$work" && apt-get -q download "$package"); then
			dpkg -x "$work"/*.deb "$work/tree"
			rm -rf "${place:?}/$1"
			mv "$work/tree" "$place/$1"
			rm -rf "$work"
			return 0
		fi
	done < <(candidates "$1" | head -n 3)
	echo "deps-kernels: no cloud kernel $1 can be fetched (is this Debian 12, with bookworm-security and bookworm-updates?)" >&2
	return 1
}

for s in "${absent[@]}"; do
	fetch "$s"
done
