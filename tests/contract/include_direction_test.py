"""Includes point one way (docs/architecture.md): no layer sees one above it."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Folder of the file: folders that it may include from. The longest folder that fits a file decides.
MAY_SEE = {
    "collector/base": ["collector/base"],
    "collector/wire": ["collector/base", "collector/wire"],
    "collector/config": ["collector/base", "collector/config"],
    "collector/net": ["collector/base", "collector/net"],
    "collector/ottl": ["collector/base", "collector/wire", "collector/ottl"],
    "collector/stanza": ["collector/base", "collector/wire", "collector/config", "collector/ottl", "collector/stanza"],
    "collector": ["collector"],
    "collector/commands/display.c": ["collector", "exporters"],
    "collector/commands/queue_replay.c": ["collector", "exporters"],
    "collector/processors": ["collector"],
    "collector/connectors": ["collector"],
    "collector/extensions": ["collector"],
    "receivers": ["collector", "receivers"],
    "exporters": ["collector", "exporters"],
    "sdk": ["collector/base", "collector/wire", "sdk"],
}
# Components are known to nobody but the registry, which names their descriptors, and two commands, which print and send as exporters do.
COMPONENTS = ["collector/processors", "collector/connectors", "collector/extensions", "receivers", "exporters"]
BORROWERS = ["collector/commands/display.c", "collector/commands/queue_replay.c"]


def within(path, folder):
    return path == folder or path.startswith(folder + "/")


def layer_of(path):
    return max((folder for folder in MAY_SEE if within(path, folder)), key=len)


def includes():
    """(file, line, what it includes)"""
    for top in ("collector", "receivers", "exporters", "sdk"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if found:
                    yield str(path.relative_to(ROOT)), number, found.group(1)


def problem(file, included):
    if not (ROOT / included).is_file() and not within(file, "sdk"):
        return "not named from the root"
    if any(within(included, folder) for folder in COMPONENTS) and not any(within(file, folder) for folder in [*COMPONENTS, *BORROWERS]):
        return "the core includes a component"
    if (ROOT / included).is_file() and not any(within(included, folder) for folder in MAY_SEE[layer_of(file)]):
        return f"{layer_of(file)} does not see that"
    own, theirs = layer_of(file), layer_of(included) if (ROOT / included).is_file() else None
    if own in COMPONENTS and theirs in COMPONENTS and pathlib.PurePath(file).parent != pathlib.PurePath(included).parent and own != theirs:
        return "one kind of component includes another"
    return None


def test_includes_point_one_way():
    wrong = [f'{file}:{number}: "{included}": {problem(file, included)}' for file, number, included in includes() if problem(file, included)]
    assert not wrong, "\n".join(wrong)


def test_there_is_something_to_check():
    assert sum(1 for _ in includes()) > 100


def folders_seen():
    seen = {}
    for file, _, included in includes():
        if (ROOT / included).is_file() and layer_of(file) != layer_of(included):
            seen.setdefault(layer_of(file), set()).add(layer_of(included))
    return seen


def test_no_cycle_between_folders():
    seen = folders_seen()

    def visit(folder, path):
        assert folder not in path, " -> ".join([*path, folder])
        for below in seen.get(folder, ()):
            visit(below, [*path, folder])

    for folder in list(seen):
        visit(folder, [])
