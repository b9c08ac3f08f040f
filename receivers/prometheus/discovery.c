/* Static, file and HTTP discovery. JSON is read as YAML, which it is too. Limits: those of collector/config/tree.h, DISCOVERED_MAX targets. */
#include "receivers/prometheus/discovery.h"

#include <errno.h>
#include <glob.h>
#include <sys/stat.h>

#include "collector/base/hash.h"
#include "collector/config/reader.h"

void discovered_fini(struct discovered *found)
{
    arena_fini(&found->arena);
    *found = (struct discovered){ .targets = NULL };
}

/* A place more in an array of the arena. */
static void *grown(struct arena *arena, const void *items, size_t *capacity, size_t size)
{
    size_t wanted = *capacity > 0 ? *capacity * 2 : 8;
    void *bigger = arena_alloc(arena, wanted * size);

    if (*capacity > 0)
        memcpy(bigger, items, *capacity * size);
    *capacity = wanted;
    return bigger;
}

void discovered_label(struct discovered *found, struct discovered_target *target, struct slice name, struct slice value)
{
    if (target->count == target->capacity)
        target->labels = grown(&found->arena, target->labels, &target->capacity, sizeof(*target->labels));
    target->labels[target->count++] =
        (struct label){ slice_of(arena_string(&found->arena, name), name.size), slice_of(arena_string(&found->arena, value), value.size) };
}

struct discovered_target *discovered_add(struct discovered *found, struct slice address)
{
    struct discovered_target *target;

    if (found->count == DISCOVERED_MAX)
        return NULL;
    if (found->count == found->capacity)
        found->targets = grown(&found->arena, found->targets, &found->capacity, sizeof(struct discovered_target *));
    target = arena_alloc(&found->arena, sizeof(*target));
    found->targets[found->count++] = target;
    discovered_label(found, target, SLICE("__address__"), address);
    return target;
}

void discover_static(const struct option_list *settings, struct discovered *found)
{
    const struct static_settings *groups = settings->items;

    for (size_t i = 0; i < settings->count; i++)
        for (size_t j = 0; j < groups[i].targets.count; j++) {
            struct discovered_target *target = discovered_add(found, slice_of_string(groups[i].targets.items[j]));

            for (size_t k = 0; target != NULL && k < groups[i].labels.count; k++)
                discovered_label(
                    found, target, slice_of_string(groups[i].labels.items[k].key), slice_of_string(groups[i].labels.items[k].value));
        }
}

/* ---- groups ---- */

static bool read_target(const struct group_list *list, const struct config_node *address, const struct config_node *labels,
    struct discovered *found, struct error *err)
{
    struct discovered_target *target;

    if (address->kind != CONFIG_SCALAR)
        return fail(err, "%s:%d: a target is a string, host:port", list->file, address->line);
    target = discovered_add(found, slice_of_string(address->text));
    if (target == NULL)
        return fail(err, "%s: more than %d targets", list->file, DISCOVERED_MAX);
    discovered_label(found, target, list->source_name, list->source);
    for (const struct config_node *label = labels != NULL ? labels->children : NULL; label != NULL; label = label->next) {
        if (label->kind != CONFIG_SCALAR && label->kind != CONFIG_NULL)
            return fail(err, "%s:%d: the label \"%s\" is not a string", list->file, label->line, label->key);
        discovered_label(found, target, slice_of_string(label->key), slice_of_string(label->text));
    }
    return true;
}

static bool read_group(const struct group_list *list, const struct config_node *group, struct discovered *found, struct error *err)
{
    const struct config_node *targets, *labels;

    if (group->kind != CONFIG_MAP)
        return fail(err, "%s:%d: expected {targets: [...], labels: {...}}", list->file, group->line);
    targets = config_get(group, "targets");
    labels = config_get(group, "labels");
    if (targets != NULL && targets->kind == CONFIG_NULL)
        return true;
    if (targets == NULL || targets->kind != CONFIG_LIST || (labels != NULL && labels->kind != CONFIG_MAP && labels->kind != CONFIG_NULL))
        return fail(err, "%s:%d: expected {targets: [...], labels: {...}}", list->file, group->line);
    for (const struct config_node *target = targets->children; target != NULL; target = target->next)
        if (!read_target(list, target, labels, found, err))
            return false;
    return true;
}

bool discovery_read_groups(const struct group_list *list, struct discovered *found, struct error *err)
{
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct config_reading reading = { &arena, &errors, CONFIG_NODES_MAX, 0 };
    const struct config_node *root = config_read_yaml(&reading, &(struct config_text){ .bytes = list->text, .file = list->file });
    bool fine = root != NULL;

    if (!fine)
        fail(err, "%s", errors.first != NULL ? errors.first->text : "not YAML");
    else if (root->kind != CONFIG_LIST && root->kind != CONFIG_NULL)
        fine = fail(err, "%s: expected a list of {targets: [...], labels: {...}}", list->file);
    for (const struct config_node *group = fine ? root->children : NULL; group != NULL && fine; group = group->next)
        fine = read_group(list, group, found, err);
    arena_fini(&arena);
    return fine;
}

/* ---- files ---- */

static uint64_t fingerprint_of(const glob_t *paths, uint64_t fingerprint)
{
    for (size_t i = 0; i < paths->gl_pathc; i++) {
        struct stat status = { .st_size = -1 };
        struct {
            int64_t size, seconds, nanoseconds;
            uint64_t inode;
        } seen = { -1, 0, 0, 0 };

        if (stat(paths->gl_pathv[i], &status) == 0) {
            seen.size = status.st_size;
            seen.seconds = status.st_mtim.tv_sec;
            seen.nanoseconds = status.st_mtim.tv_nsec;
            seen.inode = status.st_ino;
        }
        fingerprint = hash_combine(
            fingerprint, hash_combine(hash_bytes(slice_of_string(paths->gl_pathv[i])), hash_bytes(slice_of(&seen, sizeof(seen)))));
    }
    return fingerprint;
}

static bool read_files(const glob_t *paths, struct discovered *found, struct error *err)
{
    for (size_t i = 0; i < paths->gl_pathc; i++) {
        const char *path = paths->gl_pathv[i];
        struct group_list list = { .file = path, .source_name = SLICE("__meta_filepath"), .source = slice_of_string(path) };
        struct arena arena = { 0 };
        bool fine = config_read_file(&arena, path, &list.text, err) && discovery_read_groups(&list, found, err);

        arena_fini(&arena);
        if (!fine)
            return false;
    }
    return true;
}

bool discover_files(const struct file_sd_settings *settings, struct file_look *look, struct discovered *found, struct error *err)
{
    uint64_t fingerprint = 1;
    glob_t paths = { 0 };
    bool fine;

    for (size_t i = 0; i < settings->files.count; i++)
        glob(settings->files.items[i], GLOB_NOSORT | (i > 0 ? GLOB_APPEND : 0), NULL, &paths);
    fingerprint = fingerprint_of(&paths, fingerprint);
    look->same = fingerprint == look->fingerprint;
    look->fingerprint = fingerprint;
    fine = look->same || read_files(&paths, found, err);
    globfree(&paths);
    return fine;
}

/* ---- HTTP ---- */

bool discover_http(const struct http_sd_settings *settings, struct fetcher *fetcher, struct discovered *found, struct error *err)
{
    static const char *const headers[] = { "Accept: application/json", "Accept-Encoding: gzip", "User-Agent: weir/" WEIR_VERSION, NULL };
    struct fetch fetch = { .url = settings->url, .headers = headers, .body_limit = CONFIG_SOURCE_MAX };
    struct group_list list = { .file = settings->url, .source_name = SLICE("__meta_url"), .source = slice_of_string(settings->url) };
    struct slice type;
    bool fine = fetcher_get(fetcher, &fetch, err);

    if (fine) {
        type = http_answer_header(&fetch.answer, "content-type");
        fine = (type.size >= 16 && slice_equal_ignoring_case(slice_of(type.data, 16), SLICE("application/json"))) ||
               fail(err, "expected application/json, found \"%.*s\"", SLICE_PRINT(type));
    }
    list.text = fetch.body;
    fine = fine && discovery_read_groups(&list, found, err);
    fetch_fini(&fetch);
    return fine || fail_within(err, "%s", settings->url);
}
