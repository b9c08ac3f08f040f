"""./dev torture: faults by chance against a weir with a disk queue; weir beside its peer; a destination that is dead for minutes."""
import argparse
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from e2e import harness  # noqa: E402
from torture import outage, peer  # noqa: E402
from torture.rig import Rig  # noqa: E402

DISKS = ["plain", "faulty", "small"]
SESSION_ROUNDS = 40


def parse():
    parser = argparse.ArgumentParser(prog="./dev torture", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=5)
    parser.add_argument("--rounds", type=int, help="so many rounds instead of a time")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--fsync", action="store_true")
    parser.add_argument("--disk", choices=DISKS, help=f"what the queue lies on; else each in turn, {SESSION_ROUNDS} rounds at a time")
    parser.add_argument("--destination", default="otlp", metavar="NAME", help="of tests/torture/NAME_faults.py; default: otlp")
    parser.add_argument("--peer", type=int, nargs="?", const=300, metavar="KILLS", help="so many SIGKILLs (default: 300) of weir and of the OpenTelemetry Collector with file_storage")
    parser.add_argument("--peer-folder", default=str(harness.ROOT / "build/peer"), help="where its otelcol is")
    parser.add_argument("--dead-destination", type=float, metavar="MINUTES", help="a destination that is away for so long, at 20,000 records a second")
    return parser.parse_args()


def session(arguments, disk, seed, going):
    """One weir, as long as going(rounds) says so, and at most SESSION_ROUNDS rounds. The report, or None when it can't run here."""
    with tempfile.TemporaryDirectory() as folder, Rig(folder, seed, arguments.fsync, disk, arguments.destination) as rig:
        if rig.refusal:
            print(f"torture: {disk} is left out: {rig.refusal}", file=sys.stderr)
            return None
        rounds = 0
        while rounds < SESSION_ROUNDS and going(rounds):
            rig.round()
            rounds += 1
        report = {"seed": seed, "disk": disk, "rounds": rounds, **rig.settle()}
    print(json.dumps(report), flush=True)
    return report


def torture(arguments):
    disks, done, reports = [arguments.disk] if arguments.disk else DISKS, 0, []
    end = time.monotonic() + arguments.minutes * 60

    def going(rounds):
        return done + rounds < arguments.rounds if arguments.rounds else time.monotonic() < end

    for number in range(1000000):
        if not going(0) or (number >= len(disks) and not reports):
            break
        report = session(arguments, disks[number % len(disks)], arguments.seed + number, going)
        if report is not None:
            reports.append(report)
            done += report["rounds"]
    fields = ("rounds", "acknowledged", "refused", "missing", "destroyed", "doubled", "wrong")
    total = {field: sum(report[field] for report in reports) for field in fields}
    print(json.dumps({"seed": arguments.seed, **total, "peak_rss_kib": max(report["peak_rss_kib"] for report in reports)}, indent=2))
    return total["missing"] + total["wrong"]


def main():
    arguments = parse()
    if arguments.peer:
        report = peer.compare(arguments.peer, arguments.seed, arguments.fsync, arguments.peer_folder)
        print(json.dumps(report, indent=2))
        return 1 if report["weir"]["missing"] + report["weir"]["wrong"] else 0
    if arguments.dead_destination:
        report = outage.run(arguments.dead_destination)
        print(json.dumps({key: value for key, value in report.items() if key != "samples"}, indent=2))
        return 1 if report["missing"] else 0
    return 1 if torture(arguments) else 0


if __name__ == "__main__":
    sys.exit(main())
