"""The machine's own metrics, against what /proc, free and df say at the same moment."""
import os
import subprocess
import time

from e2e import harness

SCRAPERS = ("cpu", "memory", "load", "disk", "filesystem", "network", "paging", "processes", "process", "system")


def config(folder, scrapers, name="host_metrics", **more):
    return {
        "receivers": {name: {"collection_interval": "300ms", "initial_delay": "0s", "scrapers": scrapers, **more}},
        "exporters": {"file": {"path": str(folder / "out.jsonl"), "flush_interval": "20ms"}},
        "service": {"pipelines": {"metrics": {"receivers": [name], "exporters": ["file"]}}},
    }


def number(point):
    return float(point["asInt"]) if "asInt" in point else point.get("asDouble", 0.0)


def texts(item):
    return {one["key"]: one["value"].get("stringValue", one["value"].get("intValue")) for one in item.get("attributes", [])}


def scrape_of(line):
    """{name: [(attributes, value, resource)]}"""
    out = {}
    for group in line["resourceMetrics"]:
        resource = texts(group.get("resource", {}))
        for metric in (metric for scope in group["scopeMetrics"] for metric in scope["metrics"]):
            for point in metric[next(key for key in ("gauge", "sum") if key in metric)].get("dataPoints", []):
                out.setdefault(metric["name"], []).append((texts(point), number(point), resource))
    return out


def value(scrape, name, **attributes):
    found = [one for labels, one, _ in scrape[name] if all(labels.get(key) == wanted for key, wanted in attributes.items())]
    assert len(found) == 1, (name, attributes, found)
    return found[0]


def run(folder, scrapers, **more):
    """What was scraped last, and /proc/meminfo, /proc/stat and uptime before and after."""
    weir = harness.Weir(config(folder, scrapers, **more), folder)
    harness.wait_until(lambda: len(harness.read_lines(folder / "out.jsonl")) >= 2, "two scrapes")
    weir.stop()
    return scrape_of(harness.read_lines(folder / "out.jsonl")[-1])


def test_values_are_those_of_proc(tmp_path):
    before = time.time()
    uptime = float(open("/proc/uptime").read().split()[0])
    stat = {line.split()[0]: line.split()[1:] for line in open("/proc/stat") if line.split()}
    got = run(tmp_path, {one: None for one in SCRAPERS})
    after, later = time.time(), {line.split()[0]: line.split()[1:] for line in open("/proc/stat") if line.split()}

    assert uptime <= value(got, "system.uptime") <= uptime + (after - before) + 1
    ticks = os.sysconf("SC_CLK_TCK")
    for state, column in (("user", 0), ("nice", 1), ("system", 2), ("steal", 7), ("softirq", 6)):
        assert int(stat["cpu"][column]) / ticks - 0.1 <= value(got, "system.cpu.time", state=state) <= int(later["cpu"][column]) / ticks + 0.1
    assert value(got, "system.cpu.logical.count") == sum(one.startswith("cpu") and one != "cpu" for one in stat)
    assert int(stat["processes"][0]) <= value(got, "system.processes.created") <= int(later["processes"][0])
    assert {labels["device"] for labels, _, _ in got["system.network.io"]} == {
        line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line}
    assert {labels["device"] for labels, _, _ in got["system.disk.io"]} == {line.split()[2] for line in open("/proc/diskstats")}
    processes = sum(one for _, one, _ in got["system.processes.count"])
    assert abs(processes - sum(name.isdigit() for name in os.listdir("/proc"))) < 60
    own = [(resource, one) for labels, one, resource in got["process.memory.usage"] if resource["process.pid"] == str(os.getpid())]
    assert len(own) == 1 and own[0][1] > 1 << 20
    assert own[0][0]["process.executable.path"] == os.path.realpath("/proc/self/exe")
    assert own[0][0]["process.command_line"] == " ".join(open("/proc/self/cmdline").read().rstrip("\0").split("\0"))[:4096]


def test_memory_is_what_free_says(tmp_path):
    got = run(tmp_path, {"memory": {"metrics": {"system.memory.limit": {"enabled": True}}}})
    columns = subprocess.run(["free", "-b", "-w"], capture_output=True, text=True, check=True).stdout.splitlines()
    free = dict(zip(columns[0].split(), map(int, columns[1].split()[1:])))
    near = max(free["total"] * 0.03, 256 << 20)  # others are at work on this machine
    assert value(got, "system.memory.limit") == free["total"]
    assert abs(value(got, "system.memory.usage", state="free") - free["free"]) < near
    assert abs(value(got, "system.memory.usage", state="buffered") - free["buffers"]) < near
    assert abs(value(got, "system.memory.usage", state="cached") - free["cache"]) < near


def test_file_systems_are_what_df_says(tmp_path):
    got = run(tmp_path, {"filesystem": {"include_virtual_filesystems": True}})
    rows = [line.split() for line in subprocess.run(["df", "-B1", "--output=target,used,avail,fstype"], capture_output=True, text=True,
                                                    check=False).stdout.splitlines()[1:]]
    compared = 0
    for target, used, avail, kind in rows:
        mine = [(labels, one) for labels, one, _ in got.get("system.filesystem.usage", []) if labels["mountpoint"] == target and labels["type"] == kind]
        if not mine or not used.isdigit():
            continue
        by_state = {labels["state"]: one for labels, one in mine}
        assert abs(by_state["used"] - int(used)) < max(int(used) * 0.05, 1 << 30)
        assert abs(by_state["free"] - int(avail)) < max(int(avail) * 0.05, 1 << 30)
        compared += 1
    assert compared > 0


def test_the_old_name_and_filters(tmp_path):
    got = run(tmp_path, {"network": {"include": {"interfaces": ["^lo$"], "match_type": "regexp"}, "metrics": {"system.network.connections": {"enabled": False}}},
                         "cpu": {"metrics": {"system.cpu.time": {"attributes": ["cpu", "state"]}}}}, name="hostmetrics")
    assert {labels["device"] for labels, _, _ in got["system.network.io"]} == {"lo"}
    assert "system.network.connections" not in got
    assert value(got, "system.cpu.time", cpu="cpu0", state="idle") > 0


def test_nothing_to_scrape_is_refused(tmp_path):
    (tmp_path / "c.yaml").write_text("receivers: {host_metrics: {}}\nexporters: {nop: }\nservice: {pipelines: {metrics: {receivers: [host_metrics], exporters: [nop]}}}\n")
    done = subprocess.run([harness.BINARY, "validate", "--config", tmp_path / "c.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "scrapers" in done.stderr + done.stdout
