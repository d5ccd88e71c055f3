#!/bin/sh
# Both versions through the gate, each in a folder of its own: sh show.sh [FOLDER]. The second must be refused.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-review}
rm -rf "$work/version-1" "$work/version-2"
mkdir -p "$work/version-1" "$work/version-2"
unset SHOWCAUSE_STORE GITHUB_STEP_SUMMARY
(cd "$work/version-1" && sh "$here/gate.sh" 1) || exit 1
echo
echo "Version 1 is blessed. Version 2 uses a column that nobody has at the time of an application:"
echo
(cd "$work/version-2" && sh "$here/gate.sh" 2 ../version-1/snapshot.zip)
[ $? -eq 1 ] || { echo "the gate let the leak through"; exit 1; }
echo
sed -n 1,9p "$work/version-2/diff.md"
echo
echo "Refused. Both folders are in $work: diff.md, verdict.md, report.html, snapshot.zip"
