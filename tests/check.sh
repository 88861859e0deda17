#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# `make check`: install, build, then every kind of test, all of them also when one fails. $1 is make.
# The conformance tests wait for real clocks most of the time, so they run beside the network tests.
set -uo pipefail

make=${1:-make}
parts=(check-unit check-docs check-cases check-fuzz check-net check-conformance)
started=$SECONDS
failed=()
lines=()
logs=$(mktemp -d) || exit 1
beside=
trap 'rm -rf "$logs"; [ -z "$beside" ] || kill "$beside" 2>/dev/null' EXIT

jobs=-j$(nproc)
[[ ${MAKEFLAGS:-} != *jobserver* ]] || jobs=	# a caller's -j holds for all
# shellcheck disable=SC2086 # none or one word
build() { "$make" --no-print-directory $jobs "$@"; }

"$make" --no-print-directory deps || exit 1
build all || exit 1
for part in "${parts[@]}"; do
	log=$logs/$part
	case $part in
	check-net)	# and the next one
		build check-conformance > "$logs/check-conformance" 2>&1 &
		beside=$!
		;;&
	check-conformance)
		wait "$beside"
		status=$?
		beside=
		cat "$log"
		;;
	*)
		build "$part" 2>&1 | tee "$log"
		status=${PIPESTATUS[0]}
		;;
	esac
	[ "$status" -eq 0 ] || failed+=("$part")
	lines+=("$(grep -E '^check-[a-z]+: ' "$log" | tail -n 1 | grep . || echo "$part: did not come to its end; see above")")
done

echo
printf '%s\n' "${lines[@]}"
elapsed=$((SECONDS - started))
if [ ${#failed[@]} -gt 0 ]; then
	echo "check: FAILED: ${failed[*]} (in $elapsed s)"
	exit 1
fi
echo "check: everything passed that could run (in $elapsed s)"
