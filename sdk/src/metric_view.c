/* Instruments and views: who is registered, and which streams they feed. Threads: any, under metric_lock; not for hot paths. */
#include <errno.h>
#include <stdlib.h>

#include "sdk/src/context.h"
#include "sdk/src/diag.h"
#include "sdk/src/metric.h"
#include "sdk/src/scope.h"

pthread_mutex_t metric_lock = PTHREAD_MUTEX_INITIALIZER;

static struct instrument *first_instrument, *last_instrument;

static const double default_bounds[] = { 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000 };

struct instrument *metric_first_locked(void)
{
    return first_instrument;
}

struct instrument *metric_next(const struct instrument *instrument)
{
    pthread_mutex_lock(&metric_lock);
    struct instrument *next = instrument != NULL ? instrument->next : first_instrument;
    pthread_mutex_unlock(&metric_lock);
    return next;
}

/* ---- views ---- */

/* '*' stands for any run of characters, '?' for one. */
static bool matches(weir_str pattern, weir_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, back = 0;

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            back = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || (pattern.p[p] | 32) == (text.p[t] | 32))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool view_fits(const struct view *view, const struct instrument *instrument, weir_str scope_name)
{
    return (view->kind == 0 || view->kind == 1 + (uint32_t)instrument->kind) &&
           (view->match_name.n == 0 || matches(view->match_name, weir_z(instrument->name))) &&
           (view->match_unit.n == 0 || text_equal(view->match_unit, weir_z(instrument->unit))) &&
           (view->match_scope.n == 0 || text_equal(view->match_scope, scope_name));
}

static enum aggregation default_aggregation(const struct instrument *instrument, const struct settings *settings)
{
    switch (instrument->kind) {
    case WEIR_GAUGE:
    case WEIR_OBSERVED_GAUGE:
        return AGGREGATION_LAST;
    case WEIR_HISTOGRAM:
        return instrument->advised_exponential || (settings->metrics.exponential && instrument->advised_bounds == NULL)
                   ? AGGREGATION_EXPONENTIAL
                   : AGGREGATION_BUCKETS;
    default:
        return AGGREGATION_SUM;
    }
}

static bool is_delta(const struct instrument *instrument, enum temporality temporality)
{
    if (temporality == TEMPORALITY_CUMULATIVE)
        return false;
    if (instrument->kind == WEIR_UPDOWN || instrument->kind == WEIR_OBSERVED_UPDOWN)
        return false;
    return temporality == TEMPORALITY_DELTA || instrument->kind != WEIR_OBSERVED_COUNTER;
}

static enum aggregation aggregation_of(const struct view *view, const struct instrument *instrument, const struct settings *settings)
{
    switch (view != NULL ? view->aggregation : WEIR_AGGREGATE_DEFAULT) {
    case WEIR_AGGREGATE_SUM:
        return AGGREGATION_SUM;
    case WEIR_AGGREGATE_LAST_VALUE:
        return AGGREGATION_LAST;
    case WEIR_AGGREGATE_BUCKETS:
        return AGGREGATION_BUCKETS;
    case WEIR_AGGREGATE_EXPONENTIAL:
        return AGGREGATION_EXPONENTIAL;
    default:
        return default_aggregation(instrument, settings);
    }
}

static bool ascending(const double *bounds, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (!(bounds[i - 1] < bounds[i]))
            return false;
    }
    return count <= METRIC_BUCKETS_MAX;
}

/* View, instrument, default: the first that gives bounds that make sense. */
static bool choose_bounds(struct stream *stream, const struct view *view)
{
    const struct instrument *instrument = stream->instrument;
    const double *bounds = default_bounds;
    uint32_t count = sizeof(default_bounds) / sizeof(default_bounds[0]);

    if (view != NULL && view->bounds != NULL && ascending(view->bounds, view->bound_count)) {
        bounds = view->bounds;
        count = view->bound_count;
    } else if (instrument->advised_bounds != NULL && ascending(instrument->advised_bounds, instrument->advised_count)) {
        bounds = instrument->advised_bounds;
        count = instrument->advised_count;
    }
    stream->bounds = malloc(count * sizeof(*bounds) + 1);
    if (stream->bounds == NULL)
        return false;
    memcpy(stream->bounds, bounds, count * sizeof(*bounds));
    stream->bound_count = count;
    stream->exemplar_count = count + 1;
    return true;
}

/* Texts of views end where they end, without a NUL. */
static char *text_or(weir_str text, const char *otherwise)
{
    char *copy = text.n != 0 ? malloc(text.n + 1) : strdup(otherwise);

    if (copy != NULL && text.n != 0) {
        memcpy(copy, text.p, text.n);
        copy[text.n] = '\0';
    }
    return copy;
}

static bool add_stream(struct instrument *instrument, const struct view *view, const struct settings *settings)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return false;
    stream->instrument = instrument;
    stream->aggregation = aggregation_of(view, instrument, settings);
    stream->delta = is_delta(instrument, settings->metrics.temporality);
    stream->name = text_or(view != NULL ? view->name : weir_sn(NULL, 0), instrument->name);
    stream->description = text_or(view != NULL ? view->description : weir_sn(NULL, 0), instrument->description);
    stream->cardinality = view != NULL && view->cardinality > 1 ? view->cardinality : METRIC_CARDINALITY;
    stream->exemplar_count = 1;
    if (view != NULL) {
        stream->filter = view->filter;
        stream->keep = view->keep;
        stream->keep_count = view->keep_count;
    }
    struct stream **end = &instrument->streams;
    while (*end != NULL)
        end = &(*end)->next;
    *end = stream;
    instrument->stream_count++;
    return stream->name != NULL && stream->description != NULL &&
           (stream->aggregation != AGGREGATION_BUCKETS || choose_bounds(stream, view));
}

bool metric_make_streams(struct instrument *instrument, const struct settings *settings)
{
    bool matched = false;

    for (size_t i = 0; i < settings->view_count; i++) {
        const struct view *view = &settings->views[i];
        if (!view_fits(view, instrument, instrument->scope_name))
            continue;
        matched = true;
        if (view->aggregation != WEIR_AGGREGATE_DROP && !add_stream(instrument, view, settings))
            return false;
    }
    return matched || add_stream(instrument, NULL, settings);
}

/* ---- registration ---- */

static bool same_text(const char *text, weir_str other)
{
    return text_equal_ignoring_case(weir_z(text), other);
}

/* The one that is there already; warns about one of the same name that differs (specification: duplicate instrument registration). */
static struct instrument *find_locked(const weir_instr *instr, const struct scope *scope)
{
    bool conflict = false;

    for (struct instrument *instrument = first_instrument; instrument != NULL; instrument = instrument->next) {
        if (instrument->scope != scope || !same_text(instrument->name, instr->name))
            continue;
        if ((uint32_t)instrument->kind == instr->kind && instrument->floating == instr->floating &&
            text_equal(weir_z(instrument->unit), instr->unit))
            return instrument;
        conflict = true;
    }
    if (conflict)
        diag(WEIR_LEVEL_WARN, "instrument \"%.*s\" is registered twice with different kinds or units", (int)instr->name.n, instr->name.p);
    return NULL;
}

static bool name_is_fit(weir_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || (c != '\0' && strchr("_.-/", c) != NULL))))
            return false;
    }
    return name.n > 0 && name.n <= 255;
}

static char *dup_text(weir_str text)
{
    struct text_plan plan = text_plan(text, TEXT_UNLIMITED);
    char *copy = malloc(plan.written + 1);

    if (copy != NULL)
        *text_copy((uint8_t *)copy, text, plan) = '\0';
    return copy;
}

/* What remains of one that could not be made is kept unlisted: it is small, and memory has run out anyway. */
static struct instrument *create_locked(const weir_instr *instr, const struct scope *scope)
{
    struct instrument *instrument = calloc(1, sizeof(*instrument));

    if (instrument == NULL)
        return NULL;
    if (!name_is_fit(instr->name))
        diag(WEIR_LEVEL_WARN, "instrument name \"%.*s\" is not one that the specification allows",
            instr->name.n < 80 ? (int)instr->name.n : 80, instr->name.p != NULL ? instr->name.p : "");
    instrument->scope = scope;
    instrument->scope_name = instr->scope != NULL ? instr->scope->name : weir_sn(NULL, 0);
    instrument->kind = (weir_instr_kind)instr->kind;
    instrument->floating = instr->floating || instr->kind == WEIR_HISTOGRAM;
    instrument->name = dup_text(instr->name);
    instrument->unit = dup_text(instr->unit);
    instrument->description = dup_text(instr->description);
    instrument->advised_exponential = instr->exponential;
    instrument->advised_bounds = instr->bounds;
    instrument->advised_count = instr->bound_count;
    if (instrument->name == NULL || instrument->unit == NULL || instrument->description == NULL ||
        !metric_make_streams(instrument, settings_now()))
        return NULL;
    if (last_instrument != NULL)
        last_instrument->next = instrument;
    else
        first_instrument = instrument;
    last_instrument = instrument;
    return instrument;
}

static struct instrument *bind_instrument(weir_instr *instr)
{
    const struct scope *scope = scope_of(instr->scope);

    if (!context_recording() || settings_now()->exporters[WEIR_SIGNAL_METRICS].kind == EXPORTER_NONE || instr->kind > WEIR_OBSERVED_GAUGE)
        return NULL;
    pthread_mutex_lock(&metric_lock);
    struct instrument *instrument = find_locked(instr, scope);
    if (instrument == NULL)
        instrument = create_locked(instr, scope);
    pthread_mutex_unlock(&metric_lock);
    if (instrument != NULL)
        __atomic_store_n(&instr->bound_, instrument, __ATOMIC_RELEASE);
    return instrument;
}

struct instrument *metric_instrument_of(weir_instr *instr)
{
    if (instr == NULL)
        return NULL;
    struct instrument *bound = __atomic_load_n(&instr->bound_, __ATOMIC_ACQUIRE);
    return __builtin_expect(bound != NULL, 1) ? bound : bind_instrument(instr);
}

/* ---- series ---- */

static weir_series ignoring = { .index = METRIC_NO_INDEX }; /* count 0 */

static bool same_points(const weir_series *series, struct point *const *points, uint32_t count)
{
    return series->count == count && memcmp(series->points, points, count * sizeof(points[0])) == 0;
}

/* Lets weir_add reach the cell without asking what kind of point it is. */
static uint32_t index_of(struct point *const *points, uint32_t count)
{
    const struct stream *stream = points[0]->stream;

    return count == 1 && stream->aggregation == AGGREGATION_SUM && !stream->instrument->floating ? points[0]->index : METRIC_NO_INDEX;
}

/* The series of these points: made once, found again among those that begin with the same point. */
static weir_series *series_of(struct point *const *points, uint32_t count)
{
    struct point *head = points[0];

    pthread_mutex_lock(&metric_lock);
    weir_series *series = atomic_load_explicit(&head->series, memory_order_relaxed);
    while (series != NULL && !same_points(series, points, count))
        series = series->next;
    if (series == NULL) {
        series = calloc(1, sizeof(*series) + count * sizeof(series->points[0]));
        if (series != NULL) {
            series->next = atomic_load_explicit(&head->series, memory_order_relaxed);
            series->count = count;
            series->index = index_of(points, count);
            memcpy(series->points, points, count * sizeof(points[0]));
            atomic_store_explicit(&head->series, series, memory_order_release);
        }
    }
    pthread_mutex_unlock(&metric_lock);
    return series != NULL ? series : &ignoring;
}

weir_series *weir_bind(weir_instr *instr, weir_attrs attrs)
{
    struct instrument *instrument = metric_instrument_of(instr);
    struct point *points[16];
    uint32_t count = 0;

    if (instrument == NULL || metric_is_observed(instrument->kind))
        return &ignoring;
    for (struct stream *stream = instrument->streams; stream != NULL && count < 16; stream = stream->next) {
        points[count] = metric_point_of(stream, attrs);
        count += points[count] != NULL;
    }
    return count != 0 ? series_of(points, count) : &ignoring;
}

void metric_lock_all(void)
{
    pthread_mutex_lock(&metric_lock);
}

void metric_unlock_all(void)
{
    pthread_mutex_unlock(&metric_lock);
}

void metric_after_fork_child(void)
{
    pthread_mutex_init(&metric_lock, NULL);
}
