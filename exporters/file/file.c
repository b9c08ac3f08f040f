/*
 * file exporter: each batch as one JSON line, or one length-prefixed message, at the end of a file; or of one of many files, by a
 * resource's attribute.
 *
 * A batch is accepted when the kernel has it: a crash of weir loses nothing that was accepted, a power failure can. With `fsync: true`
 * it is accepted when the disk has it; several batches are then written beside each other and share a sync. There is no buffer of weir's own, so flush_interval has nothing to flush. A full or failing disk is a retry: nothing
 * is dropped, and the part of a message that was written is cut off again. With group_by a batch that fails for one file is
 * retried for all of its files.
 * Threads: consume runs on a thread of the exporter's per signal (with fsync up to SYNCING_THREADS, so that batches may change places),
 * which the core makes (a hidden queue of which the sources wait for the result).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/log.h"
#include "collector/delivery.h"
#include "collector/wire/otlp.h"
#include "exporters/file/form.h"
#include "exporters/file/grouping.h"
#include "exporters/stretch.h"

enum { SYNCING_THREADS = 32 };

struct file_exporter {
    struct component base;
    const char *path; /* option */
    bool append;      /* option */
    bool fsync;       /* option */
    bool rotation_present;
    struct rotation_settings rotation; /* options */
    int format;                        /* option; 0: json, 1: proto */
    const char *compression;           /* option */
    int64_t flush_interval_ns;         /* option */
    bool create_directory;             /* option */
    const char *directory_permissions; /* option; octal */
    struct {
        bool enabled;
        const char *resource_attribute;
        int64_t max_open_files;
    } group_by;                        /* options */
    struct delivery_settings delivery; /* no options: set by validate */

    struct file_form form;
    struct output_settings output_settings;
    struct file_output *output; /* owned; without group_by */
    struct files *files;        /* owned; with group_by */
    atomic_bool cancelled;
    struct stretch failures;
};

#define FIELD(field) offsetof(struct file_exporter, field)
#define ROTATION(field) offsetof(struct rotation_settings, field)

static const struct option rotation_options[] = {
    { "max_megabytes", OPTION_INT, ROTATION(max_megabytes), "100", "1..1048576", "a file is not made larger than this" },
    { "max_days", OPTION_INT, ROTATION(max_days), "0", "0..1000000", "backups that are older are removed; 0: never" },
    { "max_backups", OPTION_INT, ROTATION(max_backups), "100", "0..", "backups that are kept; 0: all" },
    { "localtime", OPTION_BOOL, ROTATION(localtime), "false", NULL, "local time in the names of backups, instead of UTC" },
    { 0 },
};

static const struct option group_by_options[] = {
    { "enabled", OPTION_BOOL, FIELD(group_by.enabled), "false", NULL, "a file for each value of a resource attribute" },
    { "resource_attribute", OPTION_STRING, FIELD(group_by.resource_attribute), "fileexporter.path_segment", "nonempty",
        "the attribute; a resource without it is dropped and counted" },
    { "max_open_files", OPTION_INT, FIELD(group_by.max_open_files), "100", "1..100000", "files open at the same time" },
    { 0 },
};

static const struct option options[] = {
    { "path", OPTION_STRING, FIELD(path), NULL, "nonempty", "file to write to; with group_by `*` stands for the attribute's value",
        .flags = OPTION_REQUIRED },
    { "append", OPTION_BOOL, FIELD(append), "false", NULL, "write behind what is there; else the file is emptied at start" },
    { "fsync", OPTION_BOOL, FIELD(fsync), "false", NULL,
        "answer the sources when the disk has their data, many with one sync; false: when the kernel has them, which survives the end of "
        "weir, not of the machine",
        .flags = OPTION_WEIR },
    { "rotation", OPTION_BLOCK, FIELD(rotation), NULL, NULL, "begin a new file when one is full; not with group_by", rotation_options,
        .present = FIELD(rotation_present) },
    { "format", OPTION_ENUM, FIELD(format), "json", "json|proto",
        "OTLP/JSON, a line per batch, or OTLP protobuf, each message behind its length (4 bytes, big-endian)" },
    { "encoding", OPTION_UNSUPPORTED, 0, NULL, NULL, "encoding extension that makes the messages" },
    { "compression", OPTION_STRING, FIELD(compression), NULL, "|none|zstd",
        "of each message, which then stands behind its length in both formats" },
    { "flush_interval", OPTION_DURATION, FIELD(flush_interval_ns), "1s", "1ns..", "accepted; every batch is written at once" },
    { "create_directory", OPTION_BOOL, FIELD(create_directory), "false", NULL, "make the folders of the path" },
    { "directory_permissions", OPTION_STRING, FIELD(directory_permissions), NULL, NULL, "of folders that are made, octal; none: 0755" },
    { "group_by", OPTION_BLOCK, 0, NULL, NULL, "one file per value of an attribute", group_by_options },
    { 0 },
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- start and stop ---- */

static bool check_group_by(const struct file_exporter *self, struct error *err)
{
    const char *star = strchr(self->path, '*');

    if (!self->group_by.enabled)
        return true;
    if (star == NULL || strchr(star + 1, '*') != NULL)
        return fail(err, "path \"%s\" must have exactly one * when group_by is enabled", self->path);
    if (star == self->path)
        return fail(err, "path \"%s\" must not begin with * when group_by is enabled", self->path);
    return true;
}

static bool read_permissions(struct file_exporter *self, struct error *err)
{
    const char *text = self->directory_permissions;
    char *end;
    unsigned long mode;

    self->output_settings.directory_mode = 0755;
    if (!is_set(text))
        return true;
    mode = strtoul(text, &end, 8);
    if (*end != '\0' || *text == '-' || mode > 0777)
        return fail(err, "directory_permissions \"%s\" is not an octal number such as \"0755\"", text);
    self->output_settings.directory_mode = (mode_t)mode;
    return true;
}

static bool file_validate(struct component *component, struct error *err)
{
    struct file_exporter *self = (struct file_exporter *)component;
    bool zstd = is_set(self->compression) && strcmp(self->compression, "zstd") == 0;

    if (self->append && self->rotation_present)
        return fail(err, "append and rotation do not go together: a rotated file is always appended to");
    if (self->append && zstd)
        return fail(err, "append and compression do not go together");
    if (is_set(self->directory_permissions) && !self->create_directory && !self->group_by.enabled)
        return fail(err, "directory_permissions needs create_directory: true");
    self->form = (struct file_form){ self->format == 1, zstd };
    self->delivery.queue.num_consumers = self->fsync ? SYNCING_THREADS : 1;
    return check_group_by(self, err) && read_permissions(self, err);
}

static bool file_start(struct component *component, struct error *err)
{
    struct file_exporter *self = (struct file_exporter *)component;
    bool rotates = self->rotation_present && !self->group_by.enabled;

    signal(SIGXFSZ, SIG_IGN); /* a file at the limit of its size is an error of write, not the end of the process */
    atomic_store(&self->cancelled, false);
    self->output_settings.owner = component->path;
    self->output_settings.append = self->append || rotates;
    self->output_settings.framed = file_form_is_framed(&self->form);
    self->output_settings.sync = self->fsync;
    self->output_settings.make_directory = self->create_directory || self->group_by.enabled;
    self->output_settings.rotation = rotates ? &self->rotation : NULL;
    self->output_settings.cancelled = &self->cancelled;
    if (self->group_by.enabled) {
        if (self->rotation_present)
            log_warn(component->path, "rotation does nothing with group_by");
        self->files = files_create((size_t)self->group_by.max_open_files, &self->output_settings);
        return true;
    }
    self->output = file_output_create(self->path, &self->output_settings);
    return file_output_open(self->output, err);
}

static void file_cancel(struct component *component)
{
    atomic_store(&((struct file_exporter *)component)->cancelled, true);
}

static void file_stop(struct component *component)
{
    struct file_exporter *self = (struct file_exporter *)component;

    file_output_destroy(self->output);
    files_destroy(self->files);
    self->output = NULL;
    self->files = NULL;
}

/* ---- batches ---- */

static struct outcome outcome_of_error(int error)
{
    switch (error) {
    case 0:
        return OUTCOME_ACCEPTED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return outcome_retry("disk_full", 0);
    case ETIMEDOUT:
    case ECANCELED:
        return outcome_retry("blocked", 0);
    default:
        return outcome_retry("io_error", 0);
    }
}

static struct outcome write_request(struct file_exporter *self, struct file_output *output, const struct file_request *request)
{
    struct file_message message = { 0 };
    struct outcome outcome = outcome_retry("no_memory", 0);
    struct stretch_past past;
    struct error err = { "" };

    if (file_message_build(&message, request, &self->form)) {
        outcome = outcome_of_error(file_output_write(output, message.parts, message.part_count, &err));
        if (outcome.verdict == VERDICT_ACCEPTED && stretch_worked(&self->failures, &past))
            log_info(
                self->base.path, "writes again, after %llu failed attempts in %.1f s", (unsigned long long)past.attempts, past.seconds);
        else if (outcome.verdict != VERDICT_ACCEPTED && stretch_failed(&self->failures, outcome.reason))
            log_error(self->base.path, "%s; sources are told to try again until it works", err.message);
    }
    file_message_fini(&message);
    return outcome;
}

static struct outcome write_whole(struct file_exporter *self, const struct batch *batch)
{
    struct slice inline_pieces[32], *pieces = inline_pieces;
    struct outcome outcome = outcome_retry("no_memory", 0);

    if (batch->run_count > sizeof(inline_pieces) / sizeof(inline_pieces[0]))
        pieces = calloc(batch->run_count, sizeof(*pieces));
    if (pieces != NULL) {
        for (size_t i = 0; i < batch->run_count; i++)
            pieces[i] = batch->runs[i].bytes;
        outcome = write_request(self, self->output, &(struct file_request){ batch->signal, pieces, batch->run_count });
    }
    if (pieces != inline_pieces)
        free(pieces);
    return outcome;
}

static struct outcome write_group(struct file_exporter *self, const struct batch *batch, const struct path_group *group)
{
    struct file_request request = { batch->signal, group->pieces, group->count };
    struct file_output *output;
    struct outcome outcome;
    char path[GROUP_PATH_SIZE];

    if (!group_path(self->path, group->segment, path)) {
        size_t records = 0;

        for (size_t i = 0; i < group->count; i++)
            records += otlp_count(batch->signal, group->pieces[i]);
        log_warn(self->base.path, "%zu records are dropped: no file can be named after the value of %s", records,
            self->group_by.resource_attribute);
        component_count_dropped(&self->base, batch->signal, "bad_path", records);
        return OUTCOME_ACCEPTED;
    }
    output = files_take(self->files, path);
    outcome = write_request(self, output, &request);
    files_release(self->files, output);
    return outcome;
}

static struct outcome write_groups(struct file_exporter *self, const struct batch *batch)
{
    struct grouping grouping = { 0 };
    struct outcome worst = outcome_retry("no_memory", 0);

    if (grouping_of(batch, slice_of_string(self->group_by.resource_attribute), &grouping)) {
        worst = OUTCOME_ACCEPTED;
        for (size_t i = 0; i < grouping.count; i++) {
            struct outcome outcome = write_group(self, batch, &grouping.groups[i]);

            if (outcome.verdict > worst.verdict)
                worst = outcome;
        }
        if (grouping.dropped_records > 0 && worst.verdict == VERDICT_ACCEPTED)
            component_count_dropped(&self->base, batch->signal, "no_path_attribute", grouping.dropped_records);
    }
    grouping_fini(&grouping);
    return worst;
}

static void file_consume(struct component *component, struct batch *batch)
{
    struct file_exporter *self = (struct file_exporter *)component;

    batch_settle(batch, self->files != NULL ? write_groups(self, batch) : write_whole(self, batch));
}

const struct component_type file_exporter = {
    .name = "file",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_STABLE,
    .summary = "Writes telemetry to files, as JSON lines or length-prefixed protobuf.",
    .options = options,
    .instance_size = sizeof(struct file_exporter),
    .validate = file_validate,
    .start = file_start,
    .cancel = file_cancel,
    .stop = file_stop,
    .consume = file_consume,
    .delivery_offset = offsetof(struct file_exporter, delivery),
};
