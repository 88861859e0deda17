#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Manual pages that mandoc finds nothing wrong with, examples that `natvi check` accepts, scripts that parse, and a
# command line that manual, completion and `natvi help` agree on. NATVI: the binary.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

natvi=${NATVI:-build/natvi}
passed=0 failed=0

# check WHAT COMMAND...
check()
{
	local what=$1 output; shift
	if output=$("$@" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAIL  %s\n%s\n' "$what" "$output"
	fi
}

commands() { "$natvi" help | sed -n 's/^  \([a-z]*\) .*/\1/p'; }

# Every command is named in the text of a file.
names_all_commands()
{
	local name missing=0
	for name in $(commands); do
		grep -qw -- "$name" "$1" || { echo "$1 does not name the command $name"; missing=1; }
	done
	return $missing
}

[ -n "$(commands)" ] || { echo "FAIL  natvi help lists no command"; failed=1; }
for page in man/*.[1-8]; do
	check "$page" mandoc -T lint -W warning "$page"
done
for example in examples/*.yaml; do
	check "$example" "$natvi" check "$example"
done
for script in packaging/*.sh packaging/demo/natvi-demo packaging/natvi.bash-completion tests/*.sh .ci/run; do
	check "$script" bash -n "$script"
done
check "commands in natvi(8)" names_all_commands man/natvi.8
check "commands in the completion" names_all_commands packaging/natvi.bash-completion
echo "check-docs: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
