#!/usr/bin/env python3
"""Measures what needs no cluster and prints one row of Markdown a figure; 1 if one is missed.

    BENCH_BINARY=target/release/kubectl-progrc bench/figures.py DIR

DIR takes the generated manifests. Times are wall times, the best of some runs, with the start of
the process in them. Peak memory is the maximum resident set that GNU time reports, the largest
of three runs. A megabyte is 1,000,000 bytes.
"""

import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MEGABYTE = 1e6


def wall(command: list[str], runs: int) -> float:
    """The best wall time in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def peak(command: list[str], report: pathlib.Path) -> float:
    """The largest peak memory of three runs, in megabytes."""
    peaks = []
    for _ in range(3):
        timed = ["/usr/bin/time", "-f", "%M", "-o", str(report), *command]
        subprocess.run(timed, check=True, stdout=subprocess.DEVNULL)
        peaks.append(int(report.read_text(encoding="ascii")) * 1024 / MEGABYTE)
    return max(peaks)


def row(command: str, measured: str, target: str, reached: bool, others: str = "") -> bool:
    """Prints a figure and returns whether it reaches its target."""
    mark = "" if reached else " **MISSED**"
    print(f"| {command} | {measured}{mark} | {target} | {others} |", flush=True)
    return reached


def generate(root: pathlib.Path, files: int, objects: int) -> int:
    """Writes manifests and returns the number of objects."""
    subprocess.run([sys.executable, HERE / "generate.py", root, str(files), str(objects)], check=True)
    return files * objects


def main() -> int:
    """Measures everything."""
    scratch = pathlib.Path(sys.argv[1])
    binary = os.environ["BENCH_BINARY"]
    files = int(os.environ.get("BENCH_FILES", "4000"))
    report = scratch / "peak"
    reached = []

    size = os.stat(binary).st_size / MEGABYTE
    reached.append(row("size of the stripped binary", f"{size:.1f} MB", "< 20 MB", size < 20))

    version = [binary, "--version"]
    seconds, memory = wall(version, 10), peak(version, report)
    command = "`kubectl-progrc --version`"
    reached.append(row(command, f"{seconds * 1e3:.1f} ms", "< 10 ms", seconds < 0.010))
    reached.append(row(command, f"{memory:.1f} MB", "< 15 MB", memory < 15))

    roots = {factor: scratch / f"manifests-{factor}" for factor in (1, 4)}
    objects = {factor: generate(root, files, 4 * factor) for factor, root in roots.items()}
    for output in (["-o", "name"], []):
        name = " ".join(["audit -R -f DIR", *output])
        times = {}
        for factor, root in roots.items():
            audit = [binary, "audit", "-R", "-f", str(root), "--fail-on", "never", *output]
            times[factor] = wall(audit, 5)
            command = f"`{name}`, {objects[factor]:,} objects in {files:,} files"
            if factor == 1:
                memory = peak(audit, report)
                reached.append(row(command, f"{times[1]:.2f} s", "< 0.8 s", times[1] < 0.8))
                reached.append(row(command, f"{memory:.0f} MB", "< 250 MB", memory < 250))
        ratio = times[4] / times[1]
        measured = f"{times[4]:.2f} s, {ratio:.2f} × the time"
        reached.append(row(command, measured, "≤ 4.5 × the time of a quarter", ratio <= 4.5))
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
