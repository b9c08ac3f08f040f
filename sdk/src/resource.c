/* Resource detection: at start and in the first export of a forked child. Start-up only; any thread. */
#include "sdk/src/resource.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "collector/wire/protobuf.h"
#include "sdk/src/diag.h"
#include "sdk/src/encode.h"
#include "sdk/src/random.h"

static bool has(const struct buffer *out, weir_str key)
{
    struct pb_reader reader = pb_reader_of(buffer_slice(out));
    struct pb_field field, inner;

    while (pb_next(&reader, &field)) {
        struct pb_reader attribute = pb_reader_of(field.bytes);
        if (pb_next(&attribute, &inner) && slice_equal(inner.bytes, slice_of(key.p, key.n)))
            return true;
    }
    return false;
}

static void put(struct buffer *out, const weir_attr *attr)
{
    struct encoding encoding = { TEXT_UNLIMITED, 0 };
    size_t content = encode_attribute_size(&encoding, attr);

    if (content == 0 || has(out, attr->key))
        return;
    pb_put_tag(out, 1, PB_BYTES);
    pb_put_raw_varint(out, content);
    if (buffer_reserve(out, content))
        out->size = (size_t)(encode_attribute(out->data + out->size, &encoding, attr) - out->data);
}

static void put_text(struct buffer *out, const char *key, weir_str value)
{
    weir_attr attr = weir_kv_str(weir_z(key), value);

    if (value.n != 0)
        put(out, &attr);
}

/* ---- OTEL_RESOURCE_ATTRIBUTES ---- */

static bool escapes_are_fine(weir_str text)
{
    uint8_t byte;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' && (text.n - i < 3 || !text_unhex(&byte, text.p + i + 1, 1, true)))
            return false;
    }
    return true;
}

static bool put_pair(struct buffer *out, weir_str pair)
{
    weir_str raw;
    weir_str key = text_trim(text_cut(pair, '=', &raw));

    if (pair.n == 0)
        return true;
    if (raw.p == NULL || key.n == 0 || !escapes_are_fine(key) || !escapes_are_fine(raw))
        return false;
    raw = text_trim(raw);
    char *text = malloc(key.n + raw.n + 1);
    if (text == NULL)
        return false;
    size_t key_size = text_percent_decode(key, text, key.n);
    size_t value_size = text_percent_decode(raw, text + key_size, raw.n);
    weir_attr attr = weir_kv_str(weir_sn(text, key_size), weir_sn(text + key_size, value_size));
    put(out, &attr);
    free(text);
    return true;
}

bool resource_write_list(const char *list, struct buffer *out)
{
    size_t before = out->size;
    weir_str rest = weir_z(list);

    while (rest.p != NULL) {
        if (!put_pair(out, text_trim(text_cut(rest, ',', &rest)))) {
            out->size = before;
            return false;
        }
    }
    return true;
}

/* ---- detection ---- */

/* The beginning of a file; empty when it cannot be read. */
static weir_str read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;

    if (fd < 0)
        return weir_sn(NULL, 0);
    while (n < size) {
        ssize_t got = read(fd, out + n, size - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    return weir_sn(out, n);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* A run of exactly 64 hexadecimal digits. */
weir_str resource_container_id(weir_str text)
{
    size_t run = 0;

    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && is_hex(text.p[i])) {
            run++;
            continue;
        }
        if (run == 64)
            return weir_sn(text.p + i - 64, 64);
        run = 0;
    }
    return weir_sn(NULL, 0);
}

/* cgroup v1 names the container in the cgroup's path; with v2 the mounts of /etc/hostname and the like do. */
static void detect_container(struct buffer *out)
{
    char *text = malloc(64 << 10);
    weir_str id = { NULL, 0 };

    if (text == NULL)
        return;
    id = resource_container_id(read_file("/proc/self/cgroup", text, 64 << 10));
    weir_str rest = id.n == 0 ? read_file("/proc/self/mountinfo", text, 64 << 10) : weir_sn(NULL, 0);
    while (rest.p != NULL && id.n == 0) {
        weir_str line = text_cut(rest, '\n', &rest);
        if (memmem(line.p, line.n, "/containers/", 12) != NULL && memmem(line.p, line.n, "hostname", 8) != NULL)
            id = resource_container_id(line);
    }
    put_text(out, "container.id", id);
    free(text);
}

static void detect_process(struct buffer *out)
{
    weir_attr pid = weir_kv_int(WEIR_S("process.pid"), getpid());
    weir_attr parent = weir_kv_int(WEIR_S("process.parent_pid"), getppid());
    char path[1024];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path));

    put(out, &pid);
    put(out, &parent);
    if (size > 0) {
        const char *slash = memrchr(path, '/', (size_t)size);
        size_t from = slash != NULL ? (size_t)(slash - path) + 1 : 0;
        put_text(out, "process.executable.path", weir_sn(path, (size_t)size));
        put_text(out, "process.executable.name", weir_sn(path + from, (size_t)size - from));
    }
}

/* The value of PRETTY_NAME="..." */
static weir_str pretty_name(weir_str text)
{
    while (text.p != NULL) {
        weir_str line = text_cut(text, '\n', &text);
        if (line.n > 12 && memcmp(line.p, "PRETTY_NAME=", 12) == 0) {
            line = weir_sn(line.p + 12, line.n - 12);
            if (line.n >= 2 && line.p[0] == '"' && line.p[line.n - 1] == '"')
                line = weir_sn(line.p + 1, line.n - 2);
            return line;
        }
    }
    return weir_sn(NULL, 0);
}

static const char *arch_name(const char *machine)
{
    static const char *const names[][2] = { { "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "x86" }, { "i386", "x86" },
        { "armv7l", "arm32" }, { "ppc64le", "ppc64" }, { "s390x", "s390x" } };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(machine, names[i][0]) == 0)
            return names[i][1];
    }
    return machine;
}

static void detect_host(struct buffer *out)
{
    struct utsname name;
    char text[4096];

    put_text(out, "os.type", WEIR_S("linux"));
    if (uname(&name) == 0) {
        put_text(out, "host.name", weir_z(name.nodename));
        put_text(out, "host.arch", weir_z(arch_name(name.machine)));
        put_text(out, "os.version", weir_z(name.release));
    }
    put_text(out, "os.description", pretty_name(read_file("/etc/os-release", text, sizeof(text))));
    weir_str rest;
    put_text(out, "host.id", text_trim(text_cut(read_file("/etc/machine-id", text, sizeof(text)), '\n', &rest)));
}

/* A random UUID (version 4): tells a process from its forks, and from those on other hosts. */
static void put_instance(struct buffer *out)
{
    struct random random;
    uint8_t bytes[16];
    char hex[33] = "", text[37];

    random_seed(&random);
    memcpy(bytes, random.s, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    text_hex(hex, bytes, 16);
    snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    put_text(out, "service.instance.id", weir_z(text));
}

static void put_unknown_service(struct buffer *out)
{
    char name[80];

    snprintf(name, sizeof(name), "unknown_service:%s", program_invocation_short_name);
    put_text(out, "service.name", weir_z(name));
}

void resource_write(const struct settings *settings, struct buffer *out)
{
    buffer_append_slice(out, settings->resource);
    put_text(out, "service.name", weir_z(settings->service_name));
    if (settings->resource_attributes != NULL && !resource_write_list(settings->resource_attributes, out))
        diag(WEIR_LEVEL_ERROR, "OTEL_RESOURCE_ATTRIBUTES is ignored: it is not a list of key=value pairs, percent-encoded");
    put_unknown_service(out);
    put_instance(out);
    put_text(out, "telemetry.sdk.name", WEIR_S("weir"));
    put_text(out, "telemetry.sdk.language", WEIR_S("c"));
    put_text(out, "telemetry.sdk.version", WEIR_S(WEIR_VERSION));
    detect_process(out);
    detect_host(out);
    detect_container(out);
}
