"""The pages of the scrape benches: like node_exporter's, like cAdvisor's, and 100,000 series."""
import random

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def node_like(random_source=random.Random(1)):
    lines = []
    for name in range(120):
        kind = "counter" if name % 3 else "gauge"
        full = f"node_subsystem_{name}_{'total' if kind == 'counter' else 'bytes'}"
        lines += [f"# HELP {full} What the kernel says about part {name} of the subsystem.", f"# TYPE {full} {kind}"]
        for device in range(1 if name % 4 else 12):
            value = random_source.choice([str(random_source.randrange(10 ** 9)), f"{random_source.random() * 1e12:.6e}", f"{random_source.random():.4f}"])
            lines.append(f'{full}{{device="nvme{device}n1",cpu="{device}"}} {value}')
    return "\n".join(lines) + "\n"


def cadvisor_like(containers=200, random_source=random.Random(2)):
    lines = []
    metrics = [("container_cpu_usage_seconds_total", "counter"), ("container_memory_working_set_bytes", "gauge"), ("container_fs_writes_total", "counter"),
               ("container_network_receive_bytes_total", "counter"), ("container_last_seen", "gauge"), ("container_threads", "gauge")]
    for name, kind in metrics:
        lines += [f"# HELP {name} As the container's cgroup says.", f"# TYPE {name} {kind}"]
        for number in range(containers):
            ident = f"{random_source.getrandbits(256):064x}"
            lines.append(f'{name}{{container="app-{number % 7}",id="/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{ident[:32]}.slice/cri-containerd-{ident}.scope",'
                         f'image="registry.example.com/team/app@sha256:{ident}",name="{ident}",namespace="namespace-{number % 11}",pod="app-{number % 7}-{ident[:10]}-{ident[:5]}"}} '
                         f"{random_source.random() * 1e9:.3f} {1700000000000 + number}")
    return "\n".join(lines) + "\n"


def many_series(count=100000, random_source=random.Random(3)):
    lines = []
    for family in range(count // 1000):
        lines += [f"# HELP http_requests_{family}_total Requests by route.", f"# TYPE http_requests_{family}_total counter"]
        for number in range(1000):
            lines.append(f'http_requests_{family}_total{{method="GET",route="/api/v1/things/{number}",status="{200 + number % 5}",zone="eu-{number % 3}"}} {random_source.randrange(10 ** 7)}')
    return "\n".join(lines) + "\n"


PAGES = {"node_exporter-like": node_like, "cAdvisor-like": cadvisor_like, "100,000 series": many_series}
