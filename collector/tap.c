/*
 * The tap. Cost while somebody looks: a lock and two string comparisons for each batch at each processor, and the text of what is shown.
 * Memory: TAP_TEXT_MAX at the most, freed when the tap is turned off.
 */
#include "collector/tap.h"

#include <pthread.h>

#include "collector/instance.h"
#include "collector/wire/otlp.h"

atomic_bool tap_on;

struct tap {
    struct tap_place place;
    uint64_t client, rate;
    int form;
    void (*show)(int form, enum signal signal, struct slice request, struct buffer *out);
    struct buffer text;
    uint64_t unseen;             /* records that were not shown since the last question */
    uint64_t tokens;             /* records that may still be shown */
    int64_t filled_ns, asked_ns; /* when tokens were last added; when somebody last asked */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tap tap; /* under the lock */

/* ---- who looks ---- */

static void off_locked(void)
{
    atomic_store(&tap_on, false);
    buffer_fini(&tap.text);
    tap = (struct tap){ .client = 0 };
}

static bool is_same_locked(const struct tap_question *question)
{
    return atomic_load(&tap_on) && tap.client == question->client && strcmp(tap.place.pipeline, question->place.pipeline) == 0 &&
           strcmp(tap.place.processor, question->place.processor) == 0;
}

static void turn_to_locked(const struct tap_question *question)
{
    off_locked();
    tap.client = question->client;
    tap.text.limit = TAP_TEXT_MAX;
    tap.tokens = question->rate;
    tap.filled_ns = clock_monotonic_nanos();
}

static void answer_locked(struct buffer *out)
{
    buffer_append_slice(out, buffer_slice(&tap.text));
    if (tap.unseen > 0)
        buffer_printf(out, "(and %llu records more)\n", (unsigned long long)tap.unseen);
    tap.unseen = 0;
    buffer_clear(&tap.text);
}

bool tap_ask(const struct tap_question *question, struct buffer *out)
{
    int64_t now = clock_monotonic_nanos();
    bool free_now;

    pthread_mutex_lock(&lock);
    free_now = !atomic_load(&tap_on) || tap.client == question->client || now - tap.asked_ns > TAP_PATIENCE_NS;
    if (free_now) {
        if (!is_same_locked(question))
            turn_to_locked(question);
        tap.place = question->place; /* after a reload its ends may be others */
        tap.rate = question->rate;
        tap.form = question->form;
        tap.show = question->show;
        tap.asked_ns = now;
        answer_locked(out);
        atomic_store(&tap_on, true);
    }
    pthread_mutex_unlock(&lock);
    return free_now;
}

void tap_off(void)
{
    pthread_mutex_lock(&lock);
    off_locked();
    pthread_mutex_unlock(&lock);
}

/* ---- what is seen ---- */

static const char *const things[SIGNAL_COUNT] = { "span", "data point", "log record", "sample" };

/* Is somebody still there? Then the tokens of the time that has passed are added. */
static bool awake_locked(void)
{
    int64_t now = clock_monotonic_nanos();
    uint64_t earned;

    if (!atomic_load(&tap_on))
        return false;
    if (now - tap.asked_ns > TAP_PATIENCE_NS) {
        off_locked();
        return false;
    }
    earned = (uint64_t)(now - tap.filled_ns) / 1000 * tap.rate / 1000000;
    if (earned > 0) {
        tap.tokens = tap.tokens + earned < tap.rate ? tap.tokens + earned : tap.rate;
        tap.filled_ns = now;
    }
    return true;
}

/* Does the component stand in the pipeline that is looked at? */
static bool is_in_pipeline_locked(const struct component *component)
{
    return component->type->kind == COMPONENT_PROCESSOR && component->instance != NULL &&
           strcmp(component->instance->pipeline, tap.place.pipeline) == 0;
}

static bool is_watched_locked(const struct component *component, enum tap_side side)
{
    const char *of_pipeline = side == TAP_IN ? tap.place.first : tap.place.last;

    return is_in_pipeline_locked(component) &&
           strcmp(component->id, tap.place.processor[0] != '\0' ? tap.place.processor : of_pipeline) == 0;
}

static void write_head_locked(const char *word, const struct component *component, const char *thing, size_t records)
{

    buffer_printf(&tap.text, "%s %s/%s: %zu %s%s", word, tap.place.pipeline, component->id, records, thing, records == 1 ? "" : "s");
}

/* As many records of the request as there are tokens for. False: none. */
static void show_locked(enum signal signal, struct slice request, size_t records)
{
    struct otlp_split_limits limits = { .max_records = (size_t)tap.tokens };
    struct buffer head = { 0 }, tail = { 0 };

    if (records > tap.tokens) {
        otlp_split(signal, request, limits, &head, &tail);
        request = buffer_slice(&head);
        tap.unseen += records - tap.tokens;
        records = (size_t)tap.tokens;
    }
    tap.tokens -= records;
    tap.show(tap.form, signal, request, &tap.text);
    buffer_fini(&head);
    buffer_fini(&tail);
}

/* A buffer that is full keeps what it has: the rest is only counted. */
static bool has_room_locked(void)
{
    if (tap.text.failed) {
        tap.text.failed = false;
        tap.tokens = 0;
    }
    return tap.tokens > 0 && tap.text.size < TAP_TEXT_MAX / 2;
}

void tap_saw(const struct component *component, enum tap_side side, const struct batch *batch)
{
    pthread_mutex_lock(&lock);
    if (awake_locked() && is_watched_locked(component, side)) {
        if (has_room_locked()) {
            struct buffer scratch = { 0 };
            write_head_locked(side == TAP_IN ? "in  " : "out ", component, things[batch->signal], batch->records);
            buffer_append_byte(&tap.text, '\n');
            show_locked(batch->signal, batch_flatten(batch, &scratch), batch->records);
            buffer_fini(&scratch);
        } else {
            tap.unseen += batch->records;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* A request that holds the one record. */
static void make_request(const struct tap_drop *drop, struct buffer *out)
{
    size_t group = pb_open(out, 1), scope;

    pb_put_bytes(out, 1, drop->resource);
    scope = pb_open(out, 2);
    pb_put_bytes(out, 2, drop->record);
    pb_close(out, scope);
    pb_close(out, group);
}

void tap_dropped(const struct component *component, const struct tap_drop *drop)
{
    struct buffer request = { 0 };

    pthread_mutex_lock(&lock);
    if (awake_locked() && is_in_pipeline_locked(component) &&
        (tap.place.processor[0] == '\0' || strcmp(component->id, tap.place.processor) == 0)) {
        if (!has_room_locked()) {
            tap.unseen += drop->record.size > 0; /* others are counted by reason as well */
        } else {
            write_head_locked("drop", component, drop->what != NULL ? drop->what : things[drop->signal], drop->records);
            buffer_printf(&tap.text, ": %s\n", drop->rule);
            if (drop->record.size > 0) {
                make_request(drop, &request);
                show_locked(drop->signal, buffer_slice(&request), 1);
            }
        }
    }
    pthread_mutex_unlock(&lock);
    buffer_fini(&request);
}
