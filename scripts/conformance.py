#!/usr/bin/env python3
"""Replay PostgREST's cases and compare the failures with the list of known gaps.

usage: conformance.py DIR DB_URI SERVER [options of DIR/run.py]

DIR has run.py and cases.json, SERVER is the program to start. Exits 1 when a case fails that is not in
testdata/conformance-gaps.txt, and when one passes that is: then the list is to be shortened. Exits 2 when the cases could not be
replayed.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

GAPS = pathlib.Path(__file__).parent.parent / "testdata" / "conformance-gaps.txt"


def known_gaps():
    """The ids of the list: one at the beginning of each line that is neither empty nor a comment."""
    lines = GAPS.read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def main():
    if len(sys.argv) < 4:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    folder, db_uri, server, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "results.json"
        command = [sys.executable, f"{folder}/run.py", f"{folder}/cases.json", "--start-cmd", f"{server} serve",
                   "--db-uri", db_uri, "--json", str(out), *options]
        if subprocess.run(command, check=False).returncode != 0 or not out.exists():
            return 2
        cases = json.loads(out.read_text(encoding="utf-8"))["cases"]
    if not cases:
        print("conformance: no case was replayed", file=sys.stderr)
        return 2
    gaps = known_gaps()
    failed = [c for c in cases if not c["ok"] and c["id"] not in gaps]
    mended = [c for c in cases if c["ok"] and c["id"] in gaps]
    for c in failed:
        print(f"conformance: {c['id']} fails, and is not in {GAPS.name}: {c['file']}:{c['line']}: {c['why']}", file=sys.stderr)
    for c in mended:
        print(f"conformance: {c['id']} passes: take it out of {GAPS.name} ({c['file']}:{c['line']})", file=sys.stderr)
    return 1 if failed or mended else 0


if __name__ == "__main__":
    sys.exit(main())
