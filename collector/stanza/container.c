/*
 * container: lines as Docker (json-file), CRI-O and containerd write them. Partial lines are joined: CRI's by their tag, Docker's by what a
 * piece without a line's end has as its size. Facts of the pod come from the path.
 * Cost: no regular expression; the path is taken apart once for a run of lines of one file.
 */
#include "collector/stanza/recombine.h"

#include "collector/stanza/size.h"

enum container_format { ANY, DOCKER, CRIO, CONTAINERD };
enum { DOCKER_PIECE = 16 << 10, FACTS = 5 };

struct container {
    struct stanza_parser parser;
    int format;
    bool from_path;
    const struct config_node *max_log_node;
    int64_t max_log_size;
    struct stanza_holder holder;
    struct buffer path; /* owned; the last one */
    struct slice facts[FACTS];
    bool is_pod;
};

#define CONTAINER(field) offsetof(struct container, field)
static const struct option options[] = {
    { "format", OPTION_ENUM, CONTAINER(format), "", "|docker|crio|containerd", "how lines are written; without it, each line tells" },
    { "add_metadata_from_filepath", OPTION_BOOL, CONTAINER(from_path), "true", NULL, "the pod's facts, from the attribute log.file.path" },
    { "max_log_size", OPTION_ANY, CONTAINER(max_log_node), NULL, NULL,
        "bytes beyond which a line of pieces is sent on; else, and for 0, 8 MiB" },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_parser_options },
    { 0 },
};

static bool container_init(struct stanza_operator *operator, struct error * err)
{
    struct container *self = (struct container *)operator;

    if (!stanza_read_size("max_log_size", self->max_log_node, 0, &self->max_log_size, err))
        return false;
    self->holder = (struct stanza_holder){ .operator= operator,
        .field = { .root = STANZA_BODY },
        .max_sources = 1000,
        .max_batch = 10000,
        .max_bytes = self->max_log_size,
        .flush_after_ns = 5000000000 };
    return stanza_parser_init(&self->parser, err);
}

static void container_fini(struct stanza_operator *operator)
{
    struct container *self = (struct container *)operator;

    stanza_holder_fini(&self->holder);
    buffer_fini(&self->path);
}

/* ---- the pod, by .../NAMESPACE_POD_UID/CONTAINER/RESTARTS.log ---- */

/* The part before the last separator of *text, and *text without it. */
static struct slice cut_last(struct slice *text, const char *separators)
{
    size_t end = text->size;
    struct slice last;

    while (end > 0 && strchr(separators, text->data[end - 1]) == NULL)
        end--;
    last = slice_of(text->data + end, text->size - end);
    text->size = end > 0 ? end - 1 : 0;
    return last;
}

static bool only_of(struct slice text, const char *letters)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == 0 || strchr(letters, text.data[i]) == NULL)
            return false;
    }
    return text.size > 0;
}

/* "0.log", or "0.log.20250219-233547" when it was rotated */
static bool read_restarts(struct slice name, struct slice *restarts)
{
    static const char digits[] = "0123456789";
    const uint8_t *dot = name.size > 0 ? memchr(name.data, '.', name.size) : NULL;
    struct slice rest;

    if (dot == NULL)
        return false;
    *restarts = slice_of(name.data, (size_t)(dot - name.data));
    rest = slice_of(dot, name.size - restarts->size);
    if (!only_of(*restarts, digits) || !slice_starts_with(rest, SLICE(".log")))
        return false;
    if (rest.size == 4)
        return true;
    return rest.size == 20 && rest.data[4] == '.' && only_of(slice_of(rest.data + 5, 8), digits) && rest.data[13] == '-' &&
           only_of(slice_of(rest.data + 14, 6), digits);
}

static bool read_path(struct container *self)
{
    struct slice rest = buffer_slice(&self->path), *facts = self->facts;

    if (!read_restarts(cut_last(&rest, "/\\"), &facts[4]))
        return false;
    facts[0] = cut_last(&rest, "/\\");
    struct slice pod = cut_last(&rest, "/\\");
    facts[3] = cut_last(&pod, "_");
    facts[2] = cut_last(&pod, "_");
    facts[1] = pod;
    return facts[1].data != self->path.data && facts[0].size > 0 && memchr(facts[0].data, '_', facts[0].size) == NULL &&
           memchr(facts[0].data, '.', facts[0].size) == NULL && only_of(facts[3], "0123456789abcdef-") && facts[2].size > 0 &&
           facts[1].size > 0 && memchr(facts[1].data, '_', facts[1].size) == NULL;
}

static enum stanza_step add_facts(struct container *self, struct stanza_record *record)
{
    static const struct slice names[FACTS] = { SLICE_INIT("k8s.container.name"), SLICE_INIT("k8s.namespace.name"),
        SLICE_INIT("k8s.pod.name"), SLICE_INIT("k8s.pod.uid"), SLICE_INIT("k8s.container.restart_count") };
    const struct stanza_value *path = self->from_path ? stanza_map_get(&record->attributes, SLICE("log.file.path")) : NULL;

    if (!self->from_path)
        return STANZA_NEXT;
    if (path == NULL || path->kind != STANZA_STRING)
        return stanza_fail(
            &self->parser.base, "there is no attribute log.file.path; set include_file_path, or add_metadata_from_filepath: false");
    if (!slice_equal(path->bytes, buffer_slice(&self->path)) || self->path.data == NULL) {
        buffer_clear(&self->path);
        buffer_append_slice(&self->path, path->bytes);
        self->is_pod = !self->path.failed && read_path(self);
    }
    if (!self->is_pod)
        return stanza_fail(&self->parser.base, "the path is not that of a pod's log (NAMESPACE_POD_UID/CONTAINER/RESTARTS.log)");
    for (size_t i = 0; i < FACTS; i++) {
        if (!stanza_map_set(record->memory, &record->resource, names[i], stanza_string(self->facts[i])))
            return stanza_fail(&self->parser.base, "the record is too large");
    }
    return STANZA_NEXT;
}

/* ---- lines ---- */

static struct slice source_of(const struct stanza_record *record)
{
    const struct stanza_value *path = stanza_map_get(&record->attributes, SLICE("log.file.path"));

    return path != NULL && path->kind == STANZA_STRING ? path->bytes : SLICE("");
}

/* What a parsed line goes on as, or is held as. */
static enum stanza_step settle(struct container *self, struct stanza_record *record, bool partial)
{
    struct slice source = partial || self->holder.count > 0 ? source_of(record) : SLICE("");
    enum stanza_step step = add_facts(self, record);

    if (step == STANZA_FAILED)
        return step;
    if (!partial && !stanza_holder_has(&self->holder, source))
        return STANZA_NEXT;
    stanza_holder_add(&self->holder, source, record, !partial);
    if (!partial)
        stanza_holder_send(&self->holder, source);
    return STANZA_TAKEN;
}

static bool set_attribute(struct stanza_record *record, struct slice key, struct slice value)
{
    return stanza_map_set(record->memory, &record->attributes, key, stanza_string(value));
}

static bool take_word(struct slice *text, struct slice *word)
{
    const uint8_t *space = text->size > 0 ? memchr(text->data, ' ', text->size) : NULL;

    if (space == NULL)
        return false;
    *word = slice_of(text->data, (size_t)(space - text->data));
    *text = slice_of(space + 1, text->size - word->size - 1);
    return true;
}

static enum stanza_step process_cri(struct container *self, struct stanza_record *record, struct slice line)
{
    struct stanza_operator *operator= & self->parser.base;
    struct slice time, stream, tag = line;
    const uint8_t *zulu;

    if (!take_word(&line, &time) || !take_word(&line, &stream) || time.size == 0 ||
        !(slice_equal(stream, SLICE("stdout")) || slice_equal(stream, SLICE("stderr"))))
        return stanza_fail(operator, "not a line of a container (expected TIME stdout|stderr TAG TEXT)");
    if (!take_word(&line, &tag)) {
        tag = line;
        line.data += line.size;
        line.size = 0;
    }
    zulu = memchr(time.data, 'Z', time.size);
    if ((self->format == CRIO && zulu != NULL) || (self->format == CONTAINERD && zulu == NULL))
        return stanza_fail(operator, "not a line of %s", self->format == CRIO ? "CRI-O" : "containerd");
    if (!stanza_read_rfc3339(time, &record->time_ns))
        return stanza_fail(operator, "\"%.*s\" is not a time", (int)(time.size < 60 ? time.size : 60), (const char *)time.data);
    record->body = stanza_string(line);
    if (!set_attribute(record, SLICE("log.iostream"), stream) || !set_attribute(record, SLICE("logtag"), tag))
        return stanza_fail(operator, "the record is too large");
    return settle(self, record, !slice_equal(tag, SLICE("F")));
}

/* Everything that is not log, stream or time stays an attribute. */
static bool keep_others(struct stanza_record *record, const struct stanza_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        struct slice key = map->members[i].key;
        if (slice_equal(key, SLICE("log")) || slice_equal(key, SLICE("stream")) || slice_equal(key, SLICE("time")))
            continue;
        if (!stanza_map_set(record->memory, &record->attributes, key, map->members[i].value))
            return false;
    }
    return true;
}

static enum stanza_step process_docker(struct container *self, struct stanza_record *record, struct slice line)
{
    struct stanza_operator *operator= & self->parser.base;
    const struct stanza_value *log, *stream, *time;
    struct stanza_value value;
    const char *problem;
    struct slice text;

    if (!stanza_read_json(record->memory, line, false, &value, &problem))
        return stanza_fail(operator, "not a line of Docker: %s", problem);
    if (value.kind != STANZA_MAP)
        return stanza_fail(operator, "not a line of Docker: expected a JSON object");
    log = stanza_map_get(value.map, SLICE("log"));
    stream = stanza_map_get(value.map, SLICE("stream"));
    time = stanza_map_get(value.map, SLICE("time"));
    if (log == NULL || log->kind != STANZA_STRING || stream == NULL || stream->kind != STANZA_STRING || time == NULL ||
        time->kind != STANZA_STRING)
        return stanza_fail(operator, "not a line of Docker: expected log, stream and time as strings");
    if (!stanza_read_rfc3339(time->bytes, &record->time_ns))
        return stanza_fail(operator, "\"%.*s\" is not a time", (int)(time->bytes.size < 60 ? time->bytes.size : 60),
            (const char *)time->bytes.data);
    text = log->bytes;
    bool ended = text.size > 0 && text.data[text.size - 1] == '\n';
    text.size -= ended;
    record->body = stanza_string(text);
    if (!set_attribute(record, SLICE("log.iostream"), stream->bytes) || !keep_others(record, value.map))
        return stanza_fail(operator, "the record is too large");
    return settle(self, record, !ended && text.size >= DOCKER_PIECE);
}

static enum stanza_step container_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct container *self = (struct container *)operator;
    struct slice line;

    if (!stanza_parser_text(&self->parser, record, &line))
        return STANZA_FAILED;
    if (self->format == DOCKER || (self->format == ANY && line.size > 0 && line.data[0] == '{'))
        return process_docker(self, record, line);
    return process_cri(self, record, line);
}

static void container_flush(struct stanza_operator *operator, int64_t now_ns, bool all)
{
    stanza_holder_flush(&((struct container *)operator)->holder, now_ns, all);
}

static uint64_t container_held(const struct stanza_operator *operator, const void * source)
{
    return stanza_holder_lowest(&((const struct container *)operator)->holder, source);
}

const struct stanza_operator_type stanza_container = {
    .name = "container",
    .options = options,
    .size = sizeof(struct container),
    .init = container_init,
    .fini = container_fini,
    .process = container_process,
    .flush = container_flush,
    .held = container_held,
};
