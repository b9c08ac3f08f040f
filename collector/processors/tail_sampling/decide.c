/*
 * Deciding on held traces, and bringing out those that are sampled.
 *
 * Cost: a view of each span when a policy looks at it, and one copy of what is sampled. Threads: all with the lock of the session's shard held, but
 * tail_work, which takes it, for at most 256 traces and about a megabyte at a time.
 */
#include "collector/base/clock.h"
#include "collector/processors/tail_sampling/processor.h"

enum { TRACES_A_TURN = 256, COMPACTIONS_A_TURN = 4, PREFETCHED = 512 };

uint32_t tail_now_ms(void)
{
    return (uint32_t)(clock_monotonic_nanos() / NANOS_PER_MILLI);
}

/* ---- views ---- */

/* Most spans have not been touched since they came in: what comes next is on its way while this one is looked at. */
static void ask_for(const struct tail_chunks *chunks, uint32_t position)
{
    const uint8_t *at = position != 0 ? (const uint8_t *)tail_chunks_at(chunks, position) : NULL;

    for (size_t line = 0; at != NULL && line < PREFETCHED; line += 64)
        __builtin_prefetch(at + line);
}

static void load(struct tail_trace *trace, bool again)
{
    const struct tail_session *session = trace->source;
    const struct tail_shard *shard = session->shard;
    size_t count = 0;

    if (again) {
        trace->at = trace->from;
        trace->start = 0;
    } else {
        trace->start += trace->count;
    }
    while (count < TAIL_WINDOW && trace->at != 0) {
        const struct tail_record *record = tail_chunks_at(&shard->chunks, trace->at);
        struct tail_span *span = &trace->window[count++];
        ask_for(&shard->chunks, record->next);
        span->body = tail_record_body(record);
        span->head = tail_heads_get(&shard->heads, record->head);
        otlp_span_view(span->body, &span->view);
        trace->at = record->next;
    }
    trace->count = count;
}

void tail_trace_open(const struct tail_session *session, const struct tail_entry *entry, struct tail_trace *trace, uint32_t from)
{
    *trace = (struct tail_trace){
        .spans = entry->spans,
        .bytes = entry->bytes,
        .worker = &session->hand->worker,
        .load = load,
        .source = session,
        .from = from,
        .window = session->hand->worker.window,
    };
    memcpy(trace->id, entry->id, sizeof(trace->id));
}

/* ---- what becomes of a trace ---- */

static uint16_t name_of(const struct tail_session *session, const char *name)
{
    for (size_t i = 1; name != NULL && i < atomic_load_explicit(&session->store->name_count, memory_order_acquire); i++) {
        if (strcmp(session->store->names[i], name) == 0)
            return (uint16_t)i;
    }
    return 0;
}

struct tail_marks tail_marks_of(const struct tail_sampling *self, const struct tail_store *store, const struct tail_entry *entry)
{
    if (!self->settings.record_policy)
        return (struct tail_marks){ NULL, NULL, false };
    return (struct tail_marks){ store->names[entry->policy], store->names[entry->composite], false };
}

/* A trace without spans: remembered as long as there is room. */
static void retire(const struct tail_session *session, uint32_t index)
{
    struct tail_shard *shard = session->shard;
    struct tail_entry *entry = tail_traces_at(&shard->traces, index);
    const struct tail_cache *cache = entry->decision == TAIL_SAMPLED ? &shard->sampled : &shard->not_sampled;

    if (!entry->forget && cache->capacity == 0) {
        tail_traces_move(&shard->traces, index, TAIL_DECIDED, session->now_ms);
        return;
    }
    tail_traces_remove(&shard->traces, index);
    atomic_fetch_sub_explicit(&session->store->traces, 1, memory_order_relaxed);
}

static void release_all(const struct tail_session *session, struct tail_entry *entry, const char *reason)
{
    size_t count = 0;

    for (; entry->first != 0; count++)
        tail_shard_release_first(session->shard, entry, &session->hand->ended);
    entry->fresh = 0;
    atomic_fetch_sub_explicit(&session->store->spans, count, memory_order_relaxed);
    component_count_dropped(&session->self->base, SIGNAL_TRACES, reason, count);
}

/* From here on it is not held any more, but for its way out. */
static void settle(const struct tail_session *session, uint32_t index, const char *reason)
{
    struct tail_shard *shard = session->shard;
    struct tail_entry *entry = tail_traces_at(&shard->traces, index);
    bool sampled = entry->decision == TAIL_SAMPLED;

    atomic_fetch_sub_explicit(&session->store->open, 1, memory_order_relaxed);
    tail_cache_put(sampled ? &shard->sampled : &shard->not_sampled, entry->id, entry->policy);
    metric_add(session->self->accounts.decided[entry->decision], 1);
    if (sampled) {
        tail_traces_move(&shard->traces, index, TAIL_FLUSHING, session->now_ms);
        return;
    }
    release_all(session, entry, reason);
    retire(session, index);
}

static void take_verdict(const struct tail_session *session, struct tail_entry *entry, const struct tail_trace *trace)
{
    const struct tail_verdict *verdict = session->hand->worker.verdict;

    entry->decision = (uint8_t)verdict->decision;
    entry->policy = verdict->policy != TAIL_NOBODY ? session->self->policy_names[verdict->policy] : 0;
    entry->composite = name_of(session, trace->composite);
    tail_accounts_count_verdict(session->self, verdict, entry->spans);
}

void tail_decide(const struct tail_session *session, uint32_t index, enum tail_early early)
{
    struct tail_sampling *self = session->self;
    struct tail_entry *entry = tail_traces_at(&session->shard->traces, index);
    struct tail_trace trace;

    if (early != TAIL_IN_TIME)
        metric_add(self->accounts.early[early], 1);
    if (self->settings.strategy == TAIL_SPAN_INGEST) { /* nothing that came has sampled it */
        entry->decision = TAIL_NOT_SAMPLED;
        entry->policy = 0;
        entry->forget = true;
    } else {
        tail_trace_open(session, entry, &trace, entry->first);
        tail_policies_decide(&self->policies, &trace, session->hand->worker.verdict);
        take_verdict(session, entry, &trace);
    }
    settle(session, index, entry->decision == TAIL_DROPPED ? "drop_policy" : "not_sampled");
}

bool tail_decide_part(const struct tail_session *session, uint32_t index)
{
    struct tail_sampling *self = session->self;
    struct tail_entry *entry = tail_traces_at(&session->shard->traces, index);
    struct tail_trace trace;

    tail_trace_open(session, entry, &trace, entry->fresh);
    entry->fresh = 0;
    tail_policies_decide_part(&self->policies, &trace, session->hand->worker.verdict);
    if (session->hand->worker.verdict->pending) {
        tail_accounts_count_verdict(self, session->hand->worker.verdict, entry->spans);
        return false;
    }
    take_verdict(session, entry, &trace);
    settle(session, index, "drop_policy");
    return true;
}

void tail_drop(const struct tail_session *session, uint32_t index, const char *reason)
{
    struct tail_entry *entry = tail_traces_at(&session->shard->traces, index);

    entry->decision = TAIL_NOT_SAMPLED;
    entry->policy = 0;
    settle(session, index, reason);
}

/* ---- bringing out ---- */

/* Whoever waits for the span waits for the output. */
static void join(struct tail_output *output, struct tail_holder *holder)
{
    if (holder->mark == output->mark || !tail_output_share(output, tail_share_receipt(holder->handle)))
        return; /* memory is out: the source hears sooner than it should */
    holder->mark = output->mark;
}

struct stretch {
    size_t count, size;
};

/* Spans of one head in a row, as far as the output has room; one at least. */
static struct stretch measure(const struct tail_shard *shard, const struct tail_entry *entry, size_t room)
{
    struct stretch stretch = { 0, 0 };
    uint32_t head = tail_chunks_at(&shard->chunks, entry->first)->head;

    for (uint32_t at = entry->first; at != 0 && (stretch.count == 0 || stretch.size < room);) {
        const struct tail_record *record = tail_chunks_at(&shard->chunks, at);
        if (record->head != head)
            break;
        stretch.size += tail_span_size(record->size);
        stretch.count++;
        at = record->next;
    }
    return stretch;
}

/* Moves a stretch of the trace to the output. False: memory is out; later, then. */
static bool flush_stretch(const struct tail_session *session, struct tail_entry *entry)
{
    struct tail_shard *shard = session->shard;
    struct tail_output *output = &session->hand->output;
    const struct tail_marks marks = tail_marks_of(session->self, session->store, entry);
    struct tail_head head = tail_heads_get(&shard->heads, tail_chunks_at(&shard->chunks, entry->first)->head);
    size_t before = output->bytes.size, room = before < TAIL_OUTPUT_SIZE ? TAIL_OUTPUT_SIZE - before : 0;
    struct stretch stretch = measure(shard, entry, room);

    tail_write_head(&session->hand->writer, &output->bytes, &head, &marks, stretch.size);
    if (!buffer_reserve(&output->bytes, stretch.size)) {
        output->bytes.size = before;
        output->bytes.failed = false;
        return false;
    }
    for (size_t i = 0; i < stretch.count; i++) {
        const struct tail_record *record = tail_chunks_at(&shard->chunks, entry->first);
        tail_write_span(&output->bytes, tail_record_body(record));
        if (record->holder != 0)
            join(output, &shard->holders[record->holder]);
        tail_shard_release_first(shard, entry, &session->hand->ended);
    }
    output->records += stretch.count;
    atomic_fetch_sub_explicit(&session->store->spans, stretch.count, memory_order_relaxed);
    return true;
}

static void flush(const struct tail_session *session)
{
    struct tail_traces *traces = &session->shard->traces;
    uint32_t index;

    while ((index = traces->lists[TAIL_FLUSHING].first) != 0 && session->hand->output.bytes.size < TAIL_OUTPUT_SIZE) {
        struct tail_entry *entry = tail_traces_at(traces, index);
        if (entry->first == 0)
            retire(session, index);
        else if (!flush_stretch(session, entry))
            return;
    }
}

/* ---- who is next ---- */

static bool is_due(const struct tail_session *session, enum tail_state state)
{
    const struct tail_settings *settings = &session->self->settings;
    uint32_t index = session->shard->traces.lists[state].first;
    int64_t wait_ms = (state == TAIL_ROOTED ? settings->decision_wait_after_root_ns : settings->decision_wait_ns) / NANOS_PER_MILLI;

    return index != 0 && (int32_t)(session->now_ms - tail_traces_at(&session->shard->traces, index)->since_ms) >= wait_ms;
}

uint32_t tail_oldest_open(const struct tail_session *session)
{
    const struct tail_traces *traces = &session->shard->traces;
    uint32_t waiting = traces->lists[TAIL_WAITING].first, rooted = traces->lists[TAIL_ROOTED].first;

    if (waiting == 0 || rooted == 0)
        return waiting != 0 ? waiting : rooted;
    return (int32_t)(tail_traces_at(traces, waiting)->since_ms - tail_traces_at(traces, rooted)->since_ms) <= 0 ? waiting : rooted;
}

static uint32_t next_of(const struct tail_session *session, enum tail_work work)
{
    const struct tail_traces *traces = &session->shard->traces;

    if (work != TAIL_WORK_DUE)
        return tail_oldest_open(session);
    if (is_due(session, TAIL_ROOTED))
        return traces->lists[TAIL_ROOTED].first;
    return is_due(session, TAIL_WAITING) ? traces->lists[TAIL_WAITING].first : 0;
}

static enum tail_early why(enum tail_work work)
{
    return work == TAIL_WORK_DUE ? TAIL_IN_TIME : work == TAIL_WORK_OLDEST ? TAIL_EARLY_MEMORY : TAIL_EARLY_STOP;
}

bool tail_work(const struct tail_session *session, enum tail_work work)
{
    struct tail_shard *shard = session->shard;
    size_t count = 0;
    uint32_t index;
    bool more;

    pthread_mutex_lock(&shard->lock);
    while (count < TRACES_A_TURN && session->hand->output.bytes.size < TAIL_OUTPUT_SIZE && (index = next_of(session, work)) != 0) {
        if (work == TAIL_WORK_ALL && session->self->settings.drop_pending_traces_on_shutdown)
            tail_drop(session, index, "shutdown");
        else
            tail_decide(session, index, why(work));
        flush(session);
        count++;
    }
    flush(session);
    more = shard->traces.lists[TAIL_FLUSHING].first != 0 || (work != TAIL_WORK_OLDEST && next_of(session, work) != 0);
    for (size_t i = 0; !more && i < COMPACTIONS_A_TURN && tail_shard_compact(shard); i++)
        ;
    pthread_mutex_unlock(&shard->lock);
    if (session->hand->output.bytes.size >= TAIL_OUTPUT_SIZE)
        tail_hand_send(session->self, session->hand);
    return more;
}
