/*
 * file_log receiver: follows files through every kind of rotation; a place in a file moves on when the records before it are *durable* downstream.
 *
 * Differs from the OpenTelemetry Collector on purpose: every file stays open as long as it is followed; with `storage`, files that are new at a restart
 * are read from their beginning; what the pipeline refuses for now is tried again without end.
 * Threads: one for each receiver ("weir-file-in"), which reads, runs the operators and the processors.
 */
#include "collector/stanza/size.h"
#include "receivers/file_log/file_log.h"

#define FIELD(field) offsetof(struct file_log, field)
#define LINES(field) FIELD(lines.field)

static const struct option multiline_options[] = {
    { "line_start_pattern", OPTION_STRING, LINES(start_pattern), NULL, "nonempty", "pattern that a record begins with" },
    { "line_end_pattern", OPTION_STRING, LINES(end_pattern), NULL, "nonempty", "pattern that a record ends with" },
    { "omit_pattern", OPTION_BOOL, LINES(omit_pattern), "false", NULL, "the end is no part of the record" },
    { 0 },
};
static const struct option header_options[] = {
    { "pattern", OPTION_STRING, FIELD(header_pattern), NULL, "nonempty", "lines at a file's beginning that fit it are its header",
        .flags = OPTION_REQUIRED },
    { "metadata_operators", OPTION_ANY, FIELD(header_operators), NULL, NULL,
        "operators that make attributes of them, for all records of the file", .flags = OPTION_REQUIRED },
    { 0 },
};
#define RULE(field) offsetof(struct file_sort_rule, field)
static const struct option rule_options[] = {
    { "regex_key", OPTION_STRING, RULE(regex_key), NULL, "nonempty", "named group of the pattern" },
    { "sort_type", OPTION_ENUM, RULE(type), "numeric", "numeric|alphabetical|timestamp|mtime", "what it is" },
    { "layout", OPTION_STRING, RULE(layout), NULL, NULL, "of a timestamp, as strptime has it" },
    { "location", OPTION_STRING, RULE(location), "UTC", NULL, "of a timestamp" },
    { "ascending", OPTION_BOOL, RULE(ascending), "false", NULL, "the lowest first" },
    { 0 },
};
static const struct option ordering_options[] = {
    { "regex", OPTION_STRING, FIELD(ordering.regex), NULL, "nonempty", "pattern of paths; others are not followed" },
    { "group_by", OPTION_STRING, FIELD(ordering.group_by), NULL, "nonempty", "pattern whose first group tells groups of files apart" },
    { "top_n", OPTION_INT, FIELD(ordering.top_n), "1", "0..", "how many files of each group are followed; 0: all" },
    { "sort_by", OPTION_LIST, FIELD(ordering.sort_by), NULL, NULL, "in which order", .fields = rule_options,
        .size = sizeof(struct file_sort_rule) },
    { 0 },
};

#define RETRY_HELP "what the pipeline can't take is always tried again, until it does"
static const struct option retry_options[] = {
    { "enabled", OPTION_IGNORED, 0, NULL, NULL, RETRY_HELP },
    { "initial_interval", OPTION_IGNORED, 0, NULL, NULL, RETRY_HELP },
    { "max_interval", OPTION_IGNORED, 0, NULL, NULL, RETRY_HELP },
    { "max_elapsed_time", OPTION_IGNORED, 0, NULL, NULL, RETRY_HELP },
    { 0 },
};

static const struct option options[] = {
    { "include", OPTION_STRINGS, FIELD(include), NULL, NULL, "patterns of paths; ** stands for any folders", .flags = OPTION_REQUIRED },
    { "exclude", OPTION_STRINGS, FIELD(exclude), NULL, NULL, "patterns of paths that are left out" },
    { "exclude_older_than", OPTION_DURATION, FIELD(exclude_older_than_ns), "0", "0..876000h",
        "files that were not written to for so long are left out; 0: none" },
    { "start_at", OPTION_ENUM, FIELD(start_at), "end", "end|beginning",
        "where files that are there at the first start are read from; later ones always from the beginning" },
    { "poll_interval", OPTION_DURATION, FIELD(poll_interval_ns), "200ms", "1ms..1h", "between rounds, while nothing comes or goes" },
    { "encoding", OPTION_STRING, LINES(encoding), "utf-8", "nonempty",
        "utf-8 (bad bytes become U+FFFD), utf-8-raw (a record with bad bytes becomes bytes), nop (bytes), ascii, utf-16le, utf-16be, or "
        "one of iconv's" },
    { "fingerprint_size", OPTION_ANY, FIELD(fingerprint_node), NULL, NULL,
        "bytes at its beginning that a file is told by, from 16 to 64KiB; 1000 without it" },
    { "max_log_size", OPTION_ANY, FIELD(max_log_node), NULL, NULL,
        "longest record, in bytes or as 64KiB, from 64 to 64MiB; 1MiB without it" },
    { "max_log_size_behavior", OPTION_ENUM, FIELD(behavior), "split", "split|truncate", "what becomes of longer ones" },
    { "force_flush_period", OPTION_DURATION, FIELD(force_flush_ns), "500ms", "0..1h",
        "a line without an end is a record when nothing was written for so long; 0: never" },
    { "preserve_leading_whitespaces", OPTION_BOOL, LINES(keep_leading), "false", NULL, "keep white space before a record" },
    { "preserve_trailing_whitespaces", OPTION_BOOL, LINES(keep_trailing), "false", NULL, "keep white space behind a record" },
    { "multiline", OPTION_BLOCK, 0, NULL, NULL, "records of several lines", multiline_options, 0, FIELD(multiline_present) },
    { "compression", OPTION_ENUM, FIELD(compression), "", "|gzip|auto", "gzip: all files; auto: those whose names end in .gz" },
    { "include_file_name", OPTION_BOOL, FIELD(with.name), "true", NULL, "attribute log.file.name" },
    { "include_file_path", OPTION_BOOL, FIELD(with.path), "false", NULL, "attribute log.file.path" },
    { "include_file_name_resolved", OPTION_BOOL, FIELD(with.name_resolved), "false", NULL,
        "attribute log.file.name_resolved, behind symbolic links" },
    { "include_file_path_resolved", OPTION_BOOL, FIELD(with.path_resolved), "false", NULL, "attribute log.file.path_resolved" },
    { "include_file_owner_name", OPTION_BOOL, FIELD(with.owner_name), "false", NULL, "attribute log.file.owner.name" },
    { "include_file_owner_group_name", OPTION_BOOL, FIELD(with.owner_group_name), "false", NULL, "attribute log.file.owner.group.name" },
    { "include_file_permissions", OPTION_BOOL, FIELD(with.permissions), "false", NULL, "attribute log.file.permissions" },
    { "include_file_record_number", OPTION_BOOL, FIELD(with.record_number), "false", NULL, "attribute log.file.record_number, from 1" },
    { "include_file_record_offset", OPTION_BOOL, FIELD(with.record_offset), "false", NULL,
        "attribute log.file.record_offset, where it begins in the file" },
    { "attributes", OPTION_PAIRS, FIELD(attributes), NULL, NULL, "added to every record" },
    { "resource", OPTION_PAIRS, FIELD(resource), NULL, NULL, "added to every resource" },
    { "operators", OPTION_ANY, FIELD(operators), NULL, NULL, "what is made of records; see docs/operators.md" },
    { "storage", OPTION_ID, FIELD(storage), NULL, NULL, "extension that keeps places over restarts (file_storage)" },
    { "on_truncate", OPTION_ENUM, FIELD(on_truncate), "ignore", "ignore|read_whole_file|read_new",
        "a file that lost its end but not its beginning: wait until it is as long as before, read it from the beginning, or from its end" },
    { "delete_after_read", OPTION_BOOL, FIELD(delete_after_read), "false", NULL, "remove files once all of it is durable" },
    { "file_cache_advise", OPTION_BOOL, FIELD(file_cache_advise), "false", NULL, "what was read need not stay in the system's cache" },
    { "header", OPTION_BLOCK, 0, NULL, NULL, "facts at the beginning of files; needs start_at: beginning", header_options, 0,
        FIELD(header_present) },
    { "ordering_criteria", OPTION_BLOCK, 0, NULL, NULL, "which files, and in which order", ordering_options, 0, FIELD(ordering_present) },
    { "max_concurrent_files", OPTION_IGNORED, 0, NULL, NULL, "files are read in turn, and all of them stay open" },
    { "max_batches", OPTION_IGNORED, 0, NULL, NULL, "files are read in turn, and all of them stay open" },
    { "initial_buffer_size", OPTION_IGNORED, 0, NULL, NULL, "one buffer serves all files" },
    { "polls_to_archive", OPTION_IGNORED, 0, NULL, NULL, "places of 4096 files that are gone are kept" },
    { "retry_on_failure", OPTION_BLOCK, 0, NULL, NULL, RETRY_HELP, retry_options },
    { "acquire_fs_lock", OPTION_UNSUPPORTED, 0, "false", NULL, "files are never locked" },
    { 0 },
};

static bool read_sizes(struct file_log *self, struct error *err)
{
    if (!stanza_read_size("max_log_size", self->max_log_node, 1 << 20, &self->max_log_size, err) ||
        !stanza_read_size("fingerprint_size", self->fingerprint_node, 1000, &self->fingerprint_size, err))
        return false;
    if (self->max_log_size < 64 || self->max_log_size > 64 << 20)
        return fail(err, "max_log_size: expected 64 bytes to 64 MiB, not %lld", (long long)self->max_log_size);
    if (self->fingerprint_size < 16 || self->fingerprint_size > 64 << 10)
        return fail(err, "fingerprint_size: expected 16 bytes to 64 KiB, not %lld", (long long)self->fingerprint_size);
    return true;
}

static bool file_log_validate(struct component *component, struct error *err)
{
    struct file_log *self = (struct file_log *)component;
    struct file_reader *reader;

    if (self->include.count == 0)
        return fail(err, "include: expected at least one pattern");
    if (self->header_present && self->start_at == FILE_FROM_END)
        return fail(err, "header: set start_at: beginning");
    if (self->delete_after_read && self->start_at == FILE_FROM_END)
        return fail(err, "delete_after_read: set start_at: beginning");
    reader = read_sizes(self, err) ? file_reader_create(self, err) : NULL;
    file_reader_destroy(reader);
    return reader != NULL;
}

static bool file_log_start(struct component *component, struct error *err)
{
    struct file_log *self = (struct file_log *)component;

    self->reader = read_sizes(self, err) ? file_reader_create(self, err) : NULL;
    return self->reader != NULL && file_reader_start(self->reader, err);
}

static void file_log_stop(struct component *component)
{
    struct file_log *self = (struct file_log *)component;

    file_reader_destroy(self->reader);
    self->reader = NULL;
}

static const char *const aliases[] = { "filelog", NULL };

const struct component_type file_log_receiver = {
    .name = "file_log",
    .aliases = aliases,
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_LOGS,
    .stability = STABILITY_ALPHA,
    .summary = "Follows log files through rotations, and parses what is in them.",
    .options = options,
    .instance_size = sizeof(struct file_log),
    .validate = file_log_validate,
    .start = file_log_start,
    .stop = file_log_stop,
};
