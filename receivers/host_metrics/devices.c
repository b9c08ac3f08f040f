/* Scrapers of devices: disk, filesystem, network. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "receivers/host_metrics/host.h"

enum { SECTOR = 512, DISK_COLUMNS = 11, MAX_MOUNTS = 4096 };

/* ---- disk ---- */

/* The columns of /proc/diskstats behind the device's name. */
enum { READS, READS_MERGED, SECTORS_READ, READ_MS, WRITES, WRITES_MERGED, SECTORS_WRITTEN, WRITE_MS, PENDING, IO_MS, WEIGHTED_MS };

static bool parse_disk(struct slice line, struct slice *name, uint64_t columns[DISK_COLUMNS])
{
    struct slice word;

    host_next_word(&line, &word); /* major, minor: without them there is no name either */
    host_next_word(&line, &word);
    if (!host_next_word(&line, name))
        return false;
    for (size_t i = 0; i < DISK_COLUMNS; i++) {
        if (!host_next_word(&line, &word))
            return false;
        columns[i] = host_number(word);
    }
    return true;
}

static void put_disk(struct host_scrape *scrape, enum host_metric metric, struct slice name, const uint64_t columns[DISK_COLUMNS])
{
    static const struct {
        enum host_metric metric;
        uint8_t read, write; /* equal: has no direction */
        double scale;
    } rows[] = { { DISK_IO, SECTORS_READ, SECTORS_WRITTEN, SECTOR }, { DISK_OPERATIONS, READS, WRITES, 1 },
        { DISK_OPERATION_TIME, READ_MS, WRITE_MS, 0.001 }, { DISK_MERGED, READS_MERGED, WRITES_MERGED, 1 },
        { DISK_IO_TIME, IO_MS, IO_MS, 0.001 }, { DISK_WEIGHTED_IO_TIME, WEIGHTED_MS, WEIGHTED_MS, 0.001 },
        { DISK_PENDING_OPERATIONS, PENDING, PENDING, 1 } };
    size_t i = 0;

    while (rows[i].metric != metric)
        i++;
    for (int j = 0; j < (rows[i].read == rows[i].write ? 1 : 2); j++) {
        uint64_t value = columns[j == 0 ? rows[i].read : rows[i].write];
        struct host_attribute attributes[] = { { "device", name }, { "direction", j == 0 ? SLICE("read") : SLICE("write") },
            { NULL, { NULL, 0 } } };

        if (rows[i].read == rows[i].write)
            attributes[1].key = NULL;
        if (host_metrics[metric].is_double)
            host_put_double(scrape, metric, (double)value * rows[i].scale, attributes);
        else
            host_put_int(scrape, metric, value * (uint64_t)rows[i].scale, attributes);
    }
}

void host_scrape_disk(struct host_scrape *scrape)
{
    const struct slice text = host_read(scrape, "/proc/diskstats");
    uint64_t columns[DISK_COLUMNS];
    struct slice line, name;

    for (enum host_metric metric = DISK_IO; metric <= DISK_MERGED; metric++) {
        struct slice rest = text;

        if (!host_open(scrape, metric))
            continue;
        while (host_next_line(&rest, &line))
            if (parse_disk(line, &name, columns) && host_passes(scrape, FILTER_DISK, name))
                put_disk(scrape, metric, name, columns);
        host_close(scrape);
    }
}

/* ---- filesystem ---- */

struct mount {
    char *device, *point, *type;
    bool read_only;
    struct statvfs space;
};

struct mounts {
    struct mount *items;
    size_t count, capacity;
};

/* mountinfo writes blanks and the like as "\040". */
static char *dup_unescaped(struct slice text)
{
    char *out = malloc(text.size + 1), *to = out;

    for (size_t i = 0; out != NULL && i < text.size; i++) {
        const uint8_t *at = text.data + i;
        bool is_octal = text.size - i >= 4 && at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
                        at[3] >= '0' && at[3] <= '7';

        *to++ = is_octal ? (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + at[3] - '0') : (char)at[0];
        i += is_octal ? 3 : 0;
    }
    if (out != NULL)
        *to = '\0';
    return out;
}

/* "36 35 98:0 /root /point rw,noatime optional... - type device options" */
static bool parse_mount(struct slice line, struct mount *mount)
{
    struct slice words[6], word, type, device;

    for (size_t i = 0; i < 6; i++)
        if (!host_next_word(&line, &words[i]))
            return false;
    do
        if (!host_next_word(&line, &word))
            return false;
    while (!slice_equal(word, SLICE("-")));
    if (!host_next_word(&line, &type) || !host_next_word(&line, &device))
        return false;
    mount->read_only = slice_starts_with(words[5], SLICE("ro")) && (words[5].size == 2 || words[5].data[2] == ',');
    mount->device = dup_unescaped(device);
    mount->point = dup_unescaped(words[4]);
    mount->type = dup_unescaped(type);
    return mount->device != NULL && mount->point != NULL && mount->type != NULL;
}

static void free_mount(struct mount *mount)
{
    free(mount->device);
    free(mount->point);
    free(mount->type);
    *mount = (struct mount){ .device = NULL };
}

/* A type without "nodev" in front of it in /proc/filesystems. */
static bool is_physical(struct slice filesystems, const char *type)
{
    struct slice line, word, second;

    while (host_next_line(&filesystems, &line)) {
        bool has_word = host_next_word(&line, &word), has_two = host_next_word(&line, &second);

        if (has_word && !has_two && slice_equal_string(word, type))
            return true;
        if (has_two && slice_equal_string(second, "zfs") && strcmp(type, "zfs") == 0)
            return true;
    }
    return false;
}

static bool is_known(const struct mounts *mounts, const struct mount *mount)
{
    for (size_t i = 0; i < mounts->count; i++)
        if (strcmp(mounts->items[i].device, mount->device) == 0 && strcmp(mounts->items[i].point, mount->point) == 0)
            return true;
    return false;
}

static bool wanted(struct host_scrape *scrape, const struct mounts *mounts, const struct mount *mount)
{
    return !is_known(mounts, mount) && host_passes(scrape, FILTER_DEVICES, slice_of_string(mount->device)) &&
           host_passes(scrape, FILTER_TYPES, slice_of_string(mount->type)) &&
           host_passes(scrape, FILTER_MOUNTS, slice_of_string(mount->point));
}

/* Reading it is the same as `df` does; a mount point that cannot be looked at is left out and counted. */
static bool look(struct host_scrape *scrape, struct mount *mount)
{
    if (statvfs(host_path(scrape, mount->point), &mount->space) == 0)
        return true;
    scrape->failures++;
    return false;
}

/* Room for one more; false when memory is out. */
static bool make_room(struct mounts *mounts)
{
    size_t capacity = mounts->capacity > 0 ? mounts->capacity * 2 : 16;
    struct mount *items;

    if (mounts->count < mounts->capacity)
        return true;
    items = realloc(mounts->items, capacity * sizeof(*items));
    if (items == NULL)
        return false;
    mounts->items = items;
    mounts->capacity = capacity;
    return true;
}

static struct mounts read_mounts(struct host_scrape *scrape)
{
    struct mounts mounts = { .items = NULL };
    struct slice text = host_try(scrape, "/proc/1/mountinfo"), line;

    if (text.size == 0)
        text = host_read(scrape, "/proc/self/mountinfo");
    while (mounts.count < MAX_MOUNTS && host_next_line(&text, &line) && make_room(&mounts)) {
        struct mount *mount = &mounts.items[mounts.count];

        *mount = (struct mount){ .device = NULL };
        if (parse_mount(line, mount) && wanted(scrape, &mounts, mount))
            mounts.count++;
        else
            free_mount(mount);
    }
    return mounts;
}

static void drop_virtual(struct host_scrape *scrape, struct mounts *mounts)
{
    struct slice text = scrape->state->settings->include_virtual_filesystems ? slice_of(NULL, 0) : host_read(scrape, "/proc/filesystems");
    size_t kept = 0;

    for (size_t i = 0; i < mounts->count; i++) {
        struct mount mount = mounts->items[i];

        if ((scrape->state->settings->include_virtual_filesystems || is_physical(text, mount.type)) && look(scrape, &mount))
            mounts->items[kept++] = mount;
        else
            free_mount(&mount);
    }
    mounts->count = kept;
}

static void put_mount(struct host_scrape *scrape, enum host_metric metric, const struct mount *mount, const char *state, double value)
{
    struct host_attribute attributes[] = { { "device", slice_of_string(mount->device) },
        { "mode", mount->read_only ? SLICE("ro") : SLICE("rw") }, { "mountpoint", slice_of_string(mount->point) },
        { "type", slice_of_string(mount->type) }, { "state", slice_of_string(state) }, { NULL, { NULL, 0 } } };

    if (state == NULL)
        attributes[4].key = NULL;
    if (host_metrics[metric].is_double)
        host_put_double(scrape, metric, value, attributes);
    else
        host_put_int(scrape, metric, (uint64_t)value, attributes);
}

static void put_space(struct host_scrape *scrape, enum host_metric metric, const struct mount *mount)
{
    const struct statvfs *space = &mount->space;
    double unit = (double)space->f_frsize, used = (double)(space->f_blocks - space->f_bfree) * unit;

    if (metric == FILESYSTEM_USAGE) {
        put_mount(scrape, metric, mount, "used", used);
        put_mount(scrape, metric, mount, "free", (double)space->f_bavail * unit);
        put_mount(scrape, metric, mount, "reserved", (double)(space->f_bfree - space->f_bavail) * unit);
    } else if (metric == FILESYSTEM_INODES_USAGE) {
        put_mount(scrape, metric, mount, "used", (double)(space->f_files - space->f_ffree));
        put_mount(scrape, metric, mount, "free", (double)space->f_ffree);
    } else if (space->f_blocks - space->f_bfree + space->f_bavail > 0) {
        put_mount(scrape, metric, mount, NULL, used / (used + (double)space->f_bavail * unit));
    }
}

void host_scrape_filesystem(struct host_scrape *scrape)
{
    struct mounts mounts = read_mounts(scrape);

    drop_virtual(scrape, &mounts);
    for (enum host_metric metric = FILESYSTEM_USAGE; metric <= FILESYSTEM_UTILIZATION; metric++) {
        if (!host_open(scrape, metric))
            continue;
        for (size_t i = 0; i < mounts.count; i++)
            if (mounts.items[i].space.f_blocks > 0)
                put_space(scrape, metric, &mounts.items[i]);
        host_close(scrape);
    }
    for (size_t i = 0; i < mounts.count; i++)
        free_mount(&mounts.items[i]);
    free(mounts.items);
}

/* ---- network ---- */

enum { NET_COLUMNS = 16, RECEIVE_BYTES = 0, TRANSMIT_BYTES = 8 };

/* "  eth0: 1 2 3 ..." */
static bool parse_interface(struct slice line, struct slice *name, uint64_t columns[NET_COLUMNS])
{
    const uint8_t *colon = line.size > 0 ? memchr(line.data, ':', line.size) : NULL;
    struct slice word;

    if (colon == NULL)
        return false;
    *name = slice_trim(slice_of(line.data, (size_t)(colon - line.data)));
    line = slice_of(colon + 1, (size_t)(line.data + line.size - colon - 1));
    for (size_t i = 0; i < NET_COLUMNS; i++) {
        if (!host_next_word(&line, &word))
            return false;
        columns[i] = host_number(word);
    }
    return true;
}

static void put_interfaces(struct host_scrape *scrape, enum host_metric metric, struct slice text, size_t column)
{
    uint64_t columns[NET_COLUMNS];
    struct slice line, name;

    if (!host_open(scrape, metric))
        return;
    while (host_next_line(&text, &line)) {
        if (!parse_interface(line, &name, columns) || !host_passes(scrape, FILTER_NETWORK, name))
            continue;
        host_put_int(
            scrape, metric, columns[TRANSMIT_BYTES + column], HOST_ATTRIBUTES({ "device", name }, { "direction", SLICE("transmit") }));
        host_put_int(
            scrape, metric, columns[RECEIVE_BYTES + column], HOST_ATTRIBUTES({ "device", name }, { "direction", SLICE("receive") }));
    }
    host_close(scrape);
}

enum { TCP_STATES = 12 };

/* "  0: 0100007F:1F90 00000000:0000 0A ...": the state is the fourth word, in hexadecimal. */
static void count_connections(struct slice text, uint64_t counts[TCP_STATES])
{
    struct slice line, word;

    while (host_next_line(&text, &line)) {
        unsigned state = 0;

        for (int i = 0; i < 4; i++)
            host_next_word(&line, &word);
        if (word.size == 2 && word.data[0] == '0')
            state = word.data[1] <= '9' ? (unsigned)word.data[1] - '0' : (unsigned)word.data[1] - 'A' + 10;
        if (state > 0 && state < TCP_STATES)
            counts[state]++;
    }
}

static void put_connections(struct host_scrape *scrape)
{
    static const char *const states[TCP_STATES] = { NULL, "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
        "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING" };
    uint64_t counts[TCP_STATES] = { 0 };

    if (!host_open(scrape, NETWORK_CONNECTIONS))
        return;
    count_connections(host_read(scrape, "/proc/net/tcp"), counts);
    count_connections(host_try(scrape, "/proc/net/tcp6"), counts);
    for (size_t i = 1; i < TCP_STATES; i++)
        host_put_int(
            scrape, NETWORK_CONNECTIONS, counts[i], HOST_ATTRIBUTES({ "protocol", SLICE("tcp") }, { "state", slice_of_string(states[i]) }));
    host_close(scrape);
}

static void put_file(struct host_scrape *scrape, enum host_metric metric, const char *path)
{
    struct slice text;

    if (!host_open(scrape, metric))
        return;
    text = host_try(scrape, path);
    if (text.data != NULL)
        host_put_int(scrape, metric, host_number(text), NULL);
    host_close(scrape);
}

void host_scrape_network(struct host_scrape *scrape)
{
    struct slice text = host_read(scrape, "/proc/net/dev");

    put_interfaces(scrape, NETWORK_IO, text, 0);
    put_interfaces(scrape, NETWORK_PACKETS, text, 1);
    put_interfaces(scrape, NETWORK_ERRORS, text, 2);
    put_interfaces(scrape, NETWORK_DROPPED, text, 3);
    put_connections(scrape);
    put_file(scrape, NETWORK_CONNTRACK_COUNT, "/proc/sys/net/netfilter/nf_conntrack_count");
    put_file(scrape, NETWORK_CONNTRACK_MAX, "/proc/sys/net/netfilter/nf_conntrack_max");
}
