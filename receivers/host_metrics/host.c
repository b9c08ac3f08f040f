/*
 * Reading files of /proc and /sys, writing points, filters, and one scrape from end to end.
 * Cost: a system call or three for each file; the largest are read whole, up to MAX_FILE. Threads: one at a time.
 */
#include "receivers/host_metrics/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/ottl/regex.h"

enum { MAX_FILE = 64 << 20, FIRST_READ = 4096, MAX_PROCESSES = 100000, KEEP_FILE = 256 << 10 };

/* ---- state ---- */

static bool compile(const struct host_filter_settings *filter, struct ottl_regex ***out, struct error *err)
{
    if (filter->match_type != MATCH_REGEXP || filter->items.count == 0)
        return true;
    *out = calloc(filter->items.count, sizeof(**out));
    if (*out == NULL)
        abort();
    for (size_t i = 0; i < filter->items.count; i++) {
        (*out)[i] = ottl_regex_create(slice_of_string(filter->items.items[i]), err);
        if ((*out)[i] == NULL)
            return fail_within(err, "\"%s\"", filter->items.items[i]);
    }
    return true;
}

static void destroy_filter(const struct host_filter_settings *filter, struct ottl_regex **regexes)
{
    for (size_t i = 0; regexes != NULL && i < filter->items.count; i++)
        ottl_regex_destroy(regexes[i]);
    free(regexes);
}

bool host_state_init(struct host_state *state, const struct host_settings *settings, struct error *err)
{
    *state = (struct host_state){ .settings = settings, .file = { .limit = MAX_FILE } };
    state->matcher = ottl_matcher_create();
    if (state->matcher == NULL)
        abort();
    for (size_t i = 0; i < HOST_FILTER_COUNT; i++)
        if (!compile(&settings->include[i], &state->include[i], err) || !compile(&settings->exclude[i], &state->exclude[i], err))
            return false;
    return true;
}

void host_state_fini(struct host_state *state)
{
    for (size_t i = 0; state->settings != NULL && i < HOST_FILTER_COUNT; i++) {
        destroy_filter(&state->settings->include[i], state->include[i]);
        destroy_filter(&state->settings->exclude[i], state->exclude[i]);
    }
    ottl_matcher_destroy(state->matcher);
    free(state->cpu_before);
    free(state->processes_before);
    buffer_fini(&state->file);
    buffer_fini(&state->text);
    *state = (struct host_state){ .settings = NULL };
}

static bool matches(struct host_state *state, const struct host_filter_settings *filter, struct ottl_regex **regexes, struct slice text)
{
    for (size_t i = 0; i < filter->items.count; i++) {
        if (regexes != NULL ? ottl_regex_match(regexes[i], state->matcher, text, 0) == OTTL_MATCH
                            : slice_equal_string(text, filter->items.items[i]))
            return true;
    }
    return false;
}

bool host_passes(struct host_scrape *scrape, enum host_filter filter, struct slice text)
{
    const struct host_filter_settings *include = &scrape->state->settings->include[filter],
                                      *exclude = &scrape->state->settings->exclude[filter];

    return (!include->present || matches(scrape->state, include, scrape->state->include[filter], text)) &&
           !(exclude->present && matches(scrape->state, exclude, scrape->state->exclude[filter], text));
}

/* ---- files ---- */

const char *host_path(struct host_scrape *scrape, const char *path)
{
    struct buffer *text = &scrape->state->text;

    buffer_clear(text);
    if (scrape->state->settings->root_path != NULL)
        buffer_append_string(text, scrape->state->settings->root_path);
    buffer_append_string(text, path);
    return buffer_string(text);
}

struct slice host_try(struct host_scrape *scrape, const char *path)
{
    struct buffer *file = &scrape->state->file;
    int fd = open(host_path(scrape, path), O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;

    if (fd < 0)
        return slice_of(NULL, 0);
    buffer_clear(file);
    while (buffer_reserve(file, FIRST_READ)) {
        got = read(fd, file->data + file->size, file->capacity - file->size);
        if (got <= 0)
            break;
        file->size += (size_t)got;
    }
    close(fd);
    return got == 0 && !file->failed ? slice_of(file->data, file->size) : slice_of(NULL, 0);
}

struct slice host_read(struct host_scrape *scrape, const char *path)
{
    struct slice text = host_try(scrape, path);

    scrape->failures += text.data == NULL;
    return text;
}

bool host_next_line(struct slice *text, struct slice *line)
{
    const uint8_t *end = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;

    if (text->size == 0)
        return false;
    *line = slice_of(text->data, end != NULL ? (size_t)(end - text->data) : text->size);
    *text = end != NULL ? slice_of(end + 1, text->size - line->size - 1) : slice_of(NULL, 0);
    return true;
}

bool host_next_word(struct slice *line, struct slice *word)
{
    size_t start = 0, end;

    while (start < line->size && (line->data[start] == ' ' || line->data[start] == '\t'))
        start++;
    for (end = start; end < line->size && line->data[end] != ' ' && line->data[end] != '\t';)
        end++;
    *word = slice_of(line->data + start, end - start);
    *line = slice_of(line->data + end, line->size - end);
    return end > start;
}

uint64_t host_number(struct slice text)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    return value;
}

double host_decimal(struct slice text)
{
    char copy[64];
    size_t size = text.size < sizeof(copy) - 1 ? text.size : sizeof(copy) - 1;

    memcpy(copy, text.data, size);
    copy[size] = '\0';
    return strtod(copy, NULL);
}

bool host_find(struct slice text, const char *name, uint64_t *value)
{
    size_t size = strlen(name);
    struct slice line, word;

    while (host_next_line(&text, &line)) {
        if (line.size <= size || memcmp(line.data, name, size) != 0 || (line.data[size] != ':' && line.data[size] != ' '))
            continue;
        line = slice_of(line.data + size + 1, line.size - size - 1);
        if (!host_next_word(&line, &word))
            return false;
        *value = host_number(word);
        return true;
    }
    return false;
}

static int64_t pid_of(const char *name)
{
    int64_t pid = 0;

    for (; *name >= '0' && *name <= '9' && pid < INT32_MAX; name++)
        pid = pid * 10 + (*name - '0');
    return *name == '\0' ? pid : 0;
}

void host_each_process(struct host_scrape *scrape, void (*visit)(struct host_scrape *scrape, int64_t pid, void *context), void *context)
{
    DIR *folder = opendir(host_path(scrape, "/proc"));
    const struct dirent *entry;

    if (folder == NULL) {
        scrape->failures++;
        return;
    }
    for (int i = 0; i < MAX_PROCESSES && (entry = readdir(folder)) != NULL;) {
        int64_t pid = pid_of(entry->d_name);

        i += pid > 0;
        if (pid > 0)
            visit(scrape, pid, context);
    }
    closedir(folder);
}

/* ---- points ---- */

bool host_open(struct host_scrape *scrape, enum host_metric metric)
{
    const struct host_metric_info *info = &host_metrics[metric];
    struct metric_head head = { .name = slice_of_string(info->name),
        .description = slice_of_string(info->description),
        .unit = slice_of_string(info->unit),
        .kind = info->is_sum ? OTLP_SUM : OTLP_GAUGE,
        .temporality = METRIC_CUMULATIVE,
        .monotonic = info->monotonic };

    if (!scrape->state->settings->enabled[metric])
        return false;
    metric_write_open(scrape->writer, &head);
    return true;
}

void host_close(struct host_scrape *scrape)
{
    metric_write_close(scrape->writer);
}

static size_t begin(struct host_scrape *scrape, enum host_metric metric, const struct host_attribute *attributes)
{
    struct buffer *out = scrape->writer->out;
    size_t mark = metric_write_point(scrape->writer);

    metric_write_times(out, host_metrics[metric].is_sum ? scrape->boot_ns : 0, scrape->now_ns);
    for (; attributes != NULL && attributes->key != NULL; attributes++)
        metric_write_attribute(out, OTLP_ATTRIBUTES_OF_NUMBER_POINT, slice_of_string(attributes->key), attributes->value);
    return mark;
}

void host_put_int(struct host_scrape *scrape, enum host_metric metric, uint64_t value, const struct host_attribute *attributes)
{
    size_t mark = begin(scrape, metric, attributes);

    metric_write_int(scrape->writer->out, (int64_t)value);
    metric_write_end_point(scrape->writer, mark);
}

void host_put_double(struct host_scrape *scrape, enum host_metric metric, double value, const struct host_attribute *attributes)
{
    size_t mark = begin(scrape, metric, attributes);

    metric_write_double(scrape->writer->out, value);
    metric_write_end_point(scrape->writer, mark);
}

/* ---- one scrape ---- */

static void (*const scrapers[HOST_SCRAPER_COUNT])(struct host_scrape *scrape) = {
    [HOST_CPU] = host_scrape_cpu,
    [HOST_MEMORY] = host_scrape_memory,
    [HOST_LOAD] = host_scrape_load,
    [HOST_DISK] = host_scrape_disk,
    [HOST_FILESYSTEM] = host_scrape_filesystem,
    [HOST_NETWORK] = host_scrape_network,
    [HOST_PAGING] = host_scrape_paging,
    [HOST_PROCESSES] = host_scrape_processes,
    [HOST_PROCESS] = host_scrape_process,
    [HOST_SYSTEM] = host_scrape_system,
};

static uint64_t boot_time(struct host_scrape *scrape)
{
    uint64_t seconds = 0;

    host_find(host_read(scrape, "/proc/stat"), "btime", &seconds);
    return seconds * (uint64_t)NANOS_PER_SECOND;
}

size_t host_scrape_all(struct host_state *state, struct buffer *out, size_t *failures)
{
    struct metric_writer writer = metric_writer_of(out);
    struct host_scrape scrape = { state, &writer, clock_wall_nanos(), 0, clock_monotonic_nanos(), 0 };

    scrape.boot_ns = boot_time(&scrape);
    metric_write_group(&writer);
    metric_write_scope(&writer, SLICE("weir/host_metrics"), SLICE(WEIR_VERSION));
    for (size_t i = 0; i < HOST_SCRAPER_COUNT; i++)
        if (state->settings->scrapers[i] && i != HOST_PROCESS)
            scrapers[i](&scrape);
    metric_write_end_group(&writer);
    if (state->settings->scrapers[HOST_PROCESS])
        scrapers[HOST_PROCESS](&scrape);
    state->scraped_ns = scrape.monotonic_ns;
    if (state->file.capacity > KEEP_FILE) {
        buffer_fini(&state->file);
        state->file.limit = MAX_FILE;
    }
    *failures = scrape.failures;
    return writer.points;
}
