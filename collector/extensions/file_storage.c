/*
 * file_storage extension: folders for those who keep data across restarts, below one directory. The keys are the OpenTelemetry
 * Collector's, the file format is weir's own (collector/storage/journal.h). `fsync: false`, the default there and here, means that
 * what is acknowledged survives the end of the process, but not of the machine.
 * Threads: control thread only; the clients own what they open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "collector/storage_access.h"

struct file_storage {
    struct component base;
    const char *directory, *directory_permissions;
    int64_t max_size;
    bool fsync, create_directory;
};

#define COMPACTION "weir's segments are removed as they are settled; nothing has to be compacted"

static const struct option compaction_options[] = {
    { "on_start", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { "on_rebound", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { "directory", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { "max_transaction_size", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { "rebound_needed_threshold_mib", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { "rebound_trigger_threshold_mib", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { "check_interval", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { "cleanup_on_start", OPTION_IGNORED, 0, NULL, NULL, COMPACTION },
    { 0 },
};

static const struct option options[] = {
    { "directory", OPTION_STRING, offsetof(struct file_storage, directory), "/var/lib/otelcol/file_storage", "nonempty",
        "folder that holds one folder for each client; it must be there, unless create_directory is set" },
    { "max_size", OPTION_INT, offsetof(struct file_storage, max_size), "0", "0..", "most bytes that each client may keep; beyond it senders are told to come again; 0: as much as the disk holds" },
    { "fsync", OPTION_BOOL, offsetof(struct file_storage, fsync), "false", NULL, "sync before acknowledging, many requests with one call; false: what is acknowledged survives the end of the process, not of the machine" },
    { "create_directory", OPTION_BOOL, offsetof(struct file_storage, create_directory), "false", NULL, "make the folder (and those above it) when it is not there" },
    { "directory_permissions", OPTION_STRING, offsetof(struct file_storage, directory_permissions), "0750", NULL, "of folders that are made, octal" },
    { "timeout", OPTION_IGNORED, 0, NULL, NULL, "a folder that another process holds is an error at once" },
    { "recreate", OPTION_IGNORED, 0, NULL, NULL, "damage never keeps weir from starting: what does not check is put into quarantine" },
    { "compaction", OPTION_BLOCK, 0, NULL, NULL, COMPACTION, .fields = compaction_options },
    { 0 },
};

static bool parse_mode(const char *text, mode_t *mode, struct error *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 8);

    if (*text == '\0' || *end != '\0' || value > 0777)
        return fail(err, "directory_permissions: expected an octal number up to 0777, not \"%s\"", text);
    *mode = (mode_t)value;
    return true;
}

static bool make_folder(const char *path, mode_t mode, struct error *err)
{
    struct stat status;

    if (mkdir(path, mode) == 0 || (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)))
        return true;
    return fail(err, "could not make the folder \"%s\": %s", path, strerror(errno));
}

static bool make_folders(const char *path, mode_t mode, struct error *err)
{
    char *copy = slice_dup_string(slice_of_string(path));
    bool made = true;

    for (char *slash = strchr(copy + 1, '/'); made && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = make_folder(copy, mode, err);
        *slash = '/';
    }
    made = made && make_folder(copy, mode, err);
    free(copy);
    return made;
}

static bool file_storage_validate(struct component *component, struct error *err)
{
    mode_t mode = 0;

    return parse_mode(((const struct file_storage *)component)->directory_permissions, &mode, err);
}

static bool file_storage_start(struct component *component, struct error *err)
{
    const struct file_storage *self = (struct file_storage *)component;
    struct stat status;
    mode_t mode = 0;

    if (!parse_mode(self->directory_permissions, &mode, err))
        return false;
    if (self->create_directory && !make_folders(self->directory, mode, err))
        return false;
    if (stat(self->directory, &status) != 0)
        return fail(err, "directory: could not find \"%s\": %s; make it, or set create_directory: true", self->directory, strerror(errno));
    return S_ISDIR(status.st_mode) || fail(err, "directory: \"%s\" is not a folder", self->directory);
}

static bool file_storage_locate(struct component *component, const char *client, struct storage_place *place, struct error *err)
{
    const struct file_storage *self = (struct file_storage *)component;
    mode_t mode = 0;

    if (!parse_mode(self->directory_permissions, &mode, err))
        return false;
    *place = (struct storage_place){ .journal = { .max_bytes = (uint64_t)self->max_size, .sync = self->fsync } };
    buffer_printf(&place->path, "%s/%s", self->directory, client);
    return make_folder(buffer_string(&place->path), mode, err);
}

static const struct storage_access storage = { .locate = file_storage_locate };

const struct component_type file_storage_extension = {
    .name = "file_storage",
    .kind = COMPONENT_EXTENSION,
    .signals = 0,
    .stability = STABILITY_BETA,
    .summary = "Keeps sending queues on disk: what is acknowledged survives a restart and a crash.",
    .options = options,
    .instance_size = sizeof(struct file_storage),
    .validate = file_storage_validate,
    .start = file_storage_start,
    .storage = &storage,
};
