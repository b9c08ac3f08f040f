"""./dev bench queue: the disk queue's journal beside plain write + fdatasync and read of the same bytes, in turn on the same disk."""
import json
import pathlib
import statistics
import subprocess
import tempfile

GIBIBYTES, BACKLOG_GIBIBYTES = 1, 5


def measure(program, folder, gibibytes):
    with tempfile.TemporaryDirectory(dir=folder) as name:
        return json.loads(subprocess.run([str(program), name, str(gibibytes)], capture_output=True, text=True, check=True).stdout)


def lines(build, rounds):
    """Lines for the report: medians of so many rounds, and the memory with a backlog of 5 GiB."""
    program, folder = pathlib.Path(build) / "tests/bench/queue_bench", pathlib.Path(build)
    results = [measure(program, folder, GIBIBYTES) for _ in range(rounds)]
    large = measure(program, folder, BACKLOG_GIBIBYTES)
    middle = {key: statistics.median(result[key] for result in results) for key in results[0]}
    return [
        f"Disk queue (`queue`): {GIBIBYTES} GiB in requests of 40 KiB, a sync for each 64 of them; MB of payload per second, beside plain `write` + "
        "`fdatasync`, and plain `read`, of the same bytes in the same run:", "",
        "| | journal | plain |", "| --- | ---: | ---: |",
        f"| append, synced | {middle['append_mb_s']:,.0f} | {middle['plain_write_mb_s']:,.0f} |",
        f"| drain, checked and settled | {middle['drain_mb_s']:,.0f} | {middle['plain_read_mb_s']:,.0f} |", "",
        f"With a backlog of {BACKLOG_GIBIBYTES} GiB: resident {large['rss_before_kib'] / 1024:.1f} MiB before, {large['rss_backlog_kib'] / 1024:.1f} MiB "
        f"after opening it (in {large['open_ms']:.0f} ms), {large['rss_end_kib'] / 1024:.1f} MiB when it is drained; append {large['append_mb_s']:,.0f} MB/s, "
        f"plain {large['plain_write_mb_s']:,.0f}; drain {large['drain_mb_s']:,.0f}, plain {large['plain_read_mb_s']:,.0f}.",
    ]
