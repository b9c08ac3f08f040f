"""./dev torture [MINUTES] [--seed N] [--fsync] [--rounds N]: faults by chance against a weir with a disk queue, for so long."""
import argparse
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from torture.rig import Rig  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", nargs="?", type=float, default=5)
    parser.add_argument("--rounds", type=int, help="so many faults instead of a time")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--fsync", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(folder, arguments.seed, arguments.fsync)
        end, rounds = time.monotonic() + arguments.minutes * 60, 0
        while rounds < arguments.rounds if arguments.rounds else time.monotonic() < end:
            rig.round()
            rounds += 1
        report = {"seed": arguments.seed, "rounds": rounds, **rig.settle()}
        rig.close()
    print(json.dumps(report, indent=2))
    return 0 if report["missing"] == 0 and report["wrong"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
