/*
 * Taking spans in: each goes to its trace, in the shard of its id; what comes late goes where its trace went.
 *
 * Spans are looked at 256 at a time: one lock for each shard that has some of them, and the memory that lookups need is asked for ahead.
 * Cost: a look at the ids, one copy of the span, about three misses of the cache. Threads: any number of batches at once.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "collector/processors/tail_sampling/processor.h"

enum { WINDOW = 256, NOTHING = 0xffff, TRACE_ID = 1, SCOPE_GROUPS = 2, SPANS = 2, ROOM_ATTEMPTS = 64 };

struct incoming {
    struct slice body;
    const uint8_t *id;
    uint64_t hash;
    uint32_t entry; /* of its trace, once it is held */
    uint16_t head;  /* index in the window */
    uint16_t next;  /* of the same shard */
    bool root;
};

struct incoming_head {
    size_t offset, size, group_size;
    uint64_t hash;
};

struct tail_window {
    struct incoming spans[WINDOW];
    struct incoming_head heads[WINDOW];
    size_t count, head_count;
    uint16_t first[TAIL_SHARDS_MAX], last[TAIL_SHARDS_MAX];
    struct buffer bytes; /* of the heads */
    struct buffer group; /* the current group's own fields */
};

struct intake {
    struct tail_session session; /* shard: the one whose lock is held */
    struct tail_window *window;
    struct batch *batch;
    bool awaited, parts, roots;
    bool failed; /* memory is out */
    size_t held;
    const uint8_t *group, *scope; /* where the current ones begin */
    bool head_known;              /* heads[head_count - 1] is that of the current scope */
    uint32_t holders[TAIL_SHARDS_MAX];
};

void tail_window_destroy(struct tail_window *window)
{
    if (window == NULL)
        return;
    buffer_fini(&window->bytes);
    buffer_fini(&window->group);
    free(window);
}

/* ---- heads ---- */

static void append_own_fields(struct buffer *out, struct slice body, uint32_t but)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number != but)
            buffer_append_slice(out, field.raw);
    }
}

/* The window's index of the head of the span that the walk is at. */
static uint16_t head_of(struct intake *intake, const struct otlp_walk *walk)
{
    struct tail_window *window = intake->window;
    struct incoming_head *head;

    if (walk->group.raw.data != intake->group) {
        intake->group = walk->group.raw.data;
        buffer_clear(&window->group);
        append_own_fields(&window->group, walk->group.body, SCOPE_GROUPS);
        intake->head_known = false;
    }
    if (intake->head_known && walk->scope_group.raw.data == intake->scope)
        return (uint16_t)(window->head_count - 1);
    intake->scope = walk->scope_group.raw.data;
    intake->head_known = true;
    head = &window->heads[window->head_count];
    head->offset = window->bytes.size;
    buffer_append_slice(&window->bytes, buffer_slice(&window->group));
    head->group_size = window->bytes.size - head->offset;
    append_own_fields(&window->bytes, walk->scope_group.body, SPANS);
    head->size = window->bytes.size - head->offset;
    intake->failed |= window->bytes.failed || window->group.failed;
    head->hash = hash_bytes(slice_of(window->bytes.data + head->offset, head->size));
    return (uint16_t)window->head_count++;
}

static struct tail_head_bytes bytes_of(const struct tail_window *window, uint16_t index)
{
    const struct incoming_head *head = &window->heads[index];

    return (struct tail_head_bytes){ slice_of(window->bytes.data + head->offset, head->size), head->group_size, head->hash };
}

static struct tail_head split_head(const struct tail_head_bytes *head)
{
    return (struct tail_head){ slice_of(head->bytes.data, head->group_size),
        slice_of(head->bytes.data + head->group_size, head->bytes.size - head->group_size) };
}

/* ---- spans that go on at once ---- */

static void pass_on(const struct intake *intake, const struct incoming *span, const struct tail_marks *marks)
{
    struct tail_hand *hand = intake->session.hand;
    struct tail_output *output = &hand->output;
    const struct tail_head_bytes bytes = bytes_of(intake->window, span->head);
    const struct tail_head head = split_head(&bytes);

    tail_write_head(&hand->writer, &output->bytes, &head, marks, tail_span_size(span->body.size));
    tail_write_span(&output->bytes, span->body);
    output->records++;
}

static void load_alone(struct tail_trace *trace, bool again)
{
    trace->count = again ? 1 : 0;
}

/* A span that says no trace is one by itself. */
static void decide_alone(struct intake *intake, const struct incoming *span)
{
    struct tail_sampling *self = intake->session.self;
    struct tail_worker *worker = &intake->session.hand->worker;
    const struct tail_head_bytes head = bytes_of(intake->window, span->head);
    struct tail_trace trace = { .spans = 1,
        .bytes = tail_span_size(span->body.size) + head.bytes.size,
        .worker = worker,
        .load = load_alone,
        .window = worker->window };

    worker->window[0] = (struct tail_span){ .body = span->body, .head = split_head(&head) };
    otlp_span_view(span->body, &worker->window[0].view);
    tail_policies_decide(&self->policies, &trace, worker->verdict);
    tail_accounts_count_verdict(self, worker->verdict, 1);
    metric_add(self->accounts.without_id, 1);
    if (worker->verdict->decision != TAIL_SAMPLED) {
        component_count_dropped(&self->base, SIGNAL_TRACES, worker->verdict->decision == TAIL_DROPPED ? "drop_policy" : "not_sampled", 1);
        return;
    }
    struct tail_marks marks = { NULL, NULL, false };
    if (self->settings.record_policy)
        marks = (struct tail_marks){ self->policies.items[worker->verdict->policy].name, trace.composite, false };
    pass_on(intake, span, &marks);
}

/* Of a trace whose decision is known, with the shard's lock held. */
static void follow(struct intake *intake, const struct incoming *span, bool sampled, const struct tail_marks *marks)
{
    const struct tail_session *session = &intake->session;

    if (!sampled) {
        component_count_dropped(&session->self->base, SIGNAL_TRACES, "late", 1);
        return;
    }
    pass_on(intake, span, marks);
}

static bool follow_cached(struct intake *intake, const struct incoming *span)
{
    struct tail_sampling *self = intake->session.self;
    struct tail_shard *shard = intake->session.shard;
    struct tail_marks marks = { NULL, NULL, true };
    uint16_t policy;
    bool sampled = shard->sampled.capacity > 0 && tail_cache_get(&shard->sampled, span->id, &policy);

    if (!sampled && (shard->not_sampled.capacity == 0 || !tail_cache_get(&shard->not_sampled, span->id, &policy)))
        return false;
    marks.policy = intake->session.store->names[policy];
    if (!self->settings.record_policy)
        marks = (struct tail_marks){ NULL, NULL, false };
    metric_add(self->accounts.cached[sampled], 1);
    follow(intake, span, sampled, &marks);
    return true;
}

/* ---- spans that are held ---- */

static bool is_full(const struct tail_session *session)
{
    return atomic_load_explicit(&session->store->traces, memory_order_relaxed) >= (size_t)session->self->settings.num_traces;
}

static void make_room_for_trace(const struct tail_session *session)
{
    struct tail_traces *traces = &session->shard->traces;
    uint32_t index = 0;

    /* two for one, so that a lower num_traces is reached after a reload */
    for (int i = 0; i < 2 && is_full(session) && (index = traces->lists[TAIL_DECIDED].first) != 0; i++) {
        tail_traces_remove(traces, index);
        atomic_fetch_sub_explicit(&session->store->traces, 1, memory_order_relaxed);
    }
    if (index != 0 || !is_full(session) || session->self->settings.block_on_overflow)
        return;
    index = tail_oldest_open(session);
    if (index == 0)
        return;
    tail_traces_at(traces, index)->forget = true;
    tail_decide(session, index, TAIL_EARLY_NUM_TRACES);
}

static uint32_t add_trace(const struct tail_session *session, const struct incoming *span)
{
    uint32_t index;

    make_room_for_trace(session);
    index = tail_traces_add(&session->shard->traces, span->id, span->hash);
    if (index == 0)
        return 0;
    tail_traces_at(&session->shard->traces, index)->since_ms = session->now_ms;
    atomic_fetch_add_explicit(&session->store->traces, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&session->store->open, 1, memory_order_relaxed);
    metric_add(session->self->accounts.new_traces, 1);
    return index;
}

static void see_root(const struct tail_session *session, uint32_t index)
{
    const struct tail_settings *settings = &session->self->settings;
    const struct tail_entry *entry = tail_traces_at(&session->shard->traces, index);
    int64_t left_ms = settings->decision_wait_ns / NANOS_PER_MILLI - (int32_t)(session->now_ms - entry->since_ms);

    if (entry->state == TAIL_WAITING && settings->decision_wait_after_root_ns / NANOS_PER_MILLI < left_ms)
        tail_traces_move(&session->shard->traces, index, TAIL_ROOTED, session->now_ms);
}

/* A trace that has become too large is dropped when that is wanted, and decided on when it takes a quarter of all memory. */
static void look_at_size(const struct tail_session *session, uint32_t index)
{
    struct tail_sampling *self = session->self;
    uint64_t bytes = tail_traces_at(&session->shard->traces, index)->bytes, most = (uint64_t)self->settings.maximum_trace_size_bytes;

    if (most > 0 && bytes > most) {
        metric_add(self->accounts.too_large, 1);
        tail_drop(session, index, "trace_too_large");
    } else if (bytes > (uint64_t)self->settings.max_memory_mib << 18) {
        tail_decide(session, index, TAIL_EARLY_TRACE_SIZE);
    }
}

/* With the shard's lock held. */
static void hold_span(struct intake *intake, struct incoming *span, uint32_t head)
{
    const struct tail_session *session = &intake->session;
    struct tail_shard *shard = session->shard;
    struct tail_addition addition = { span->body, head, intake->holders[session->shard - session->store->shards] };
    uint32_t index = tail_traces_find(&shard->traces, span->id, span->hash);

    if (index == 0)
        index = add_trace(session, span);
    if (index == 0) {
        intake->failed = true;
        return;
    }
    const struct tail_entry *entry = tail_traces_at(&shard->traces, index);
    if (entry->state == TAIL_FLUSHING || entry->state == TAIL_DECIDED) {
        const struct tail_marks marks = tail_marks_of(session->self, session->store, entry);
        metric_add(session->self->accounts.late[entry->decision == TAIL_SAMPLED], 1);
        follow(intake, span, entry->decision == TAIL_SAMPLED, &marks);
        return;
    }
    if (!tail_shard_append(shard, index, &addition)) {
        intake->failed = true;
        return;
    }
    intake->held++;
    atomic_fetch_add_explicit(&session->store->spans, 1, memory_order_relaxed);
    span->entry = index;
    if (span->root)
        see_root(session, index);
    look_at_size(session, index);
}

/* What has come of a trace is asked about at once (span-ingest). */
static void decide_parts(struct intake *intake, uint16_t from)
{
    const struct tail_traces *traces = &intake->session.shard->traces;

    for (uint16_t i = from; i != NOTHING; i = intake->window->spans[i].next) {
        uint32_t index = intake->window->spans[i].entry;
        if (index == 0)
            continue;
        const struct tail_entry *entry = tail_traces_at(traces, index);
        bool waits = entry->state == TAIL_WAITING || entry->state == TAIL_ROOTED;
        if (waits && entry->fresh != 0 && memcmp(entry->id, intake->window->spans[i].id, sizeof(entry->id)) == 0)
            tail_decide_part(&intake->session, index);
    }
}

/* The batch's place among those who wait, in this shard; it stays until the batch has been taken in. */
static void join_holders(struct intake *intake, size_t number)
{
    struct tail_shard *shard = intake->session.shard;
    struct batch *share;

    if (!intake->awaited || intake->holders[number] != 0)
        return;
    share = tail_share_receipt(intake->batch);
    if (share != NULL)
        intake->holders[number] = tail_shard_add_holder(shard, share);
    if (intake->holders[number] != 0) {
        shard->holders[intake->holders[number]].spans = 1;
        return;
    }
    intake->failed = true;
    if (share != NULL) {
        share->next = intake->session.hand->ended;
        intake->session.hand->ended = share;
    }
}

static void hold_shard(struct intake *intake, size_t number)
{
    struct tail_window *window = intake->window;
    struct tail_shard *shard = &intake->session.store->shards[number];
    uint32_t head = 0;
    uint16_t known = NOTHING;

    intake->session.shard = shard;
    pthread_mutex_lock(&shard->lock);
    join_holders(intake, number);
    for (uint16_t i = window->first[number]; i != NOTHING; i = window->spans[i].next)
        tail_traces_prefetch(&shard->traces, window->spans[i].hash);
    for (uint16_t i = window->first[number]; i != NOTHING; i = window->spans[i].next)
        tail_traces_prefetch_entry(&shard->traces, window->spans[i].hash);
    for (uint16_t i = window->first[number]; i != NOTHING && !intake->failed; i = window->spans[i].next) {
        struct incoming *span = &window->spans[i];
        if (follow_cached(intake, span))
            continue;
        if (span->head != known) {
            const struct tail_head_bytes bytes = bytes_of(window, span->head);
            if (head != 0)
                tail_heads_unref(&shard->heads, head);
            head = tail_heads_find(&shard->heads, &bytes);
            intake->failed |= head == 0;
            if (head == 0)
                break;
            tail_heads_ref(&shard->heads, head);
            known = span->head;
        }
        hold_span(intake, span, head);
    }
    if (head != 0)
        tail_heads_unref(&shard->heads, head);
    if (intake->parts)
        decide_parts(intake, window->first[number]);
    pthread_mutex_unlock(&shard->lock);
}

/* ---- windows ---- */

static void clear_window(struct intake *intake)
{
    struct tail_window *window = intake->window;

    window->count = window->head_count = 0;
    intake->head_known = false;
    buffer_clear(&window->bytes);
    memset(window->first, 0xff, sizeof(window->first));
}

static void hold_window(struct intake *intake)
{
    for (size_t i = 0; i < intake->session.store->shard_count && !intake->failed; i++) {
        if (intake->window->first[i] != NOTHING)
            hold_shard(intake, i);
    }
    clear_window(intake);
}

static bool is_zero(struct slice id)
{
    static const uint8_t zero[16];

    return id.size != sizeof(zero) || memcmp(id.data, zero, sizeof(zero)) == 0;
}

/* The trace id; the first field of a span as good as ever. */
static struct slice trace_id_of(struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == TRACE_ID && field.type == PB_BYTES)
            return field.bytes;
    }
    return slice_of(NULL, 0);
}

static bool is_root(struct slice body)
{
    struct otlp_span view;
    uint64_t parent = 0;

    otlp_span_view(body, &view);
    if (view.parent_span_id.size == sizeof(parent))
        memcpy(&parent, view.parent_span_id.data, sizeof(parent));
    return parent == 0;
}

static void add_span(struct intake *intake, const struct otlp_walk *walk)
{
    struct tail_window *window = intake->window;
    uint16_t number = (uint16_t)window->count;
    struct incoming *span = &window->spans[number];
    struct slice id = trace_id_of(walk->record.body);
    size_t shard;

    *span = (struct incoming){ .body = walk->record.body, .next = NOTHING };
    span->head = head_of(intake, walk);
    if (intake->failed)
        return;
    if (is_zero(id)) {
        decide_alone(intake, span);
        if (window->head_count == WINDOW)
            hold_window(intake);
        return;
    }
    span->id = id.data;
    span->hash = tail_traces_hash(id.data);
    span->root = intake->roots && is_root(span->body);
    shard = (size_t)(tail_store_shard(intake->session.store, span->hash) - intake->session.store->shards);
    if (window->first[shard] == NOTHING)
        window->first[shard] = number;
    else
        window->spans[window->last[shard]].next = number;
    window->last[shard] = number;
    if (++window->count == WINDOW || window->head_count == WINDOW)
        hold_window(intake);
}

static void hold_run(struct intake *intake, struct slice bytes)
{
    struct otlp_walk walk = otlp_walk(bytes);
    const uint8_t *group = NULL;

    intake->group = intake->scope = NULL;
    intake->head_known = false;
    while (!intake->failed && otlp_walk_next(&walk)) {
        if (intake->parts && walk.group.raw.data != group && intake->window->count > 0)
            hold_window(intake); /* a part is what one group has of a trace */
        group = walk.group.raw.data;
        add_span(intake, &walk);
    }
}

/* ---- room ---- */

static bool has_room(const struct tail_sampling *self, const struct tail_store *store, size_t bytes)
{
    size_t held = atomic_load_explicit(&store->bytes, memory_order_relaxed) + tail_sender_bytes(self->sender);
    size_t most = (size_t)self->settings.max_memory_mib << 20, need = bytes + bytes / 8;

    /* what would never fit comes in when nothing else is there */
    return held <= most && (need <= most - held || atomic_load_explicit(&store->spans, memory_order_relaxed) == 0);
}

/* Decides the oldest traces of one shard after the other until there is room. */
static bool make_room(const struct tail_session *wanted, size_t bytes)
{
    struct tail_session session = *wanted;
    struct tail_sampling *self = session.self;

    if (has_room(self, session.store, bytes))
        return true;
    if (tail_sender_bytes(self->sender) > (size_t)self->settings.max_memory_mib << 19)
        return false; /* nobody takes what is sampled: deciding frees nothing */
    for (size_t i = 0; i < ROOM_ATTEMPTS && !self->settings.block_on_overflow; i++) {
        size_t turn = atomic_fetch_add(&self->turn, 1);
        session.shard = &session.store->shards[turn & (session.store->shard_count - 1)];
        tail_work(&session, TAIL_WORK_OLDEST);
        tail_hand_send(self, session.hand);
        if (has_room(self, session.store, bytes))
            return true;
    }
    return false;
}

static const char *refusal(const struct intake *intake)
{
    const struct tail_session *session = &intake->session;
    const struct tail_settings *settings = &session->self->settings;

    if (settings->block_on_overflow && atomic_load(&session->store->open) >= (size_t)settings->num_traces)
        return "num_traces";
    return make_room(session, intake->batch->bytes) ? NULL : "tail_sampling_memory";
}

/* ---- batches ---- */

static void leave_holders(struct intake *intake)
{
    struct tail_store *store = intake->session.store;

    for (size_t i = 0; intake->awaited && i < store->shard_count; i++) {
        if (intake->holders[i] == 0)
            continue;
        pthread_mutex_lock(&store->shards[i].lock);
        tail_shard_leave_holder(&store->shards[i], intake->holders[i], &intake->session.hand->ended);
        pthread_mutex_unlock(&store->shards[i].lock);
    }
}

static void refuse(struct tail_sampling *self, struct batch *batch, const char *reason)
{
    component_count_dropped(&self->base, SIGNAL_TRACES, reason, batch->records);
    batch_settle(batch, outcome_retry(reason, NANOS_PER_SECOND));
}

/* Tells the source, and sends what goes on at once. When nothing is held, the source hears what the next stage says. */
static void finish(struct intake *intake)
{
    struct tail_sampling *self = intake->session.self;
    struct tail_hand *hand = intake->session.hand;
    struct batch *batch = intake->batch, *instead = NULL;
    bool failed = intake->failed || hand->output.bytes.failed, passes = hand->output.bytes.size > 0;

    leave_holders(intake);
    if (!failed && passes && intake->held > 0 && intake->awaited)
        failed = !tail_output_share(&hand->output, tail_share_receipt(batch));
    if (failed)
        buffer_clear(&hand->output.bytes);
    else if (passes && intake->held == 0)
        instead = tail_hand_replace(self, hand, batch);
    tail_hand_send(self, hand);
    if (failed)
        refuse(self, batch, "no_memory");
    else if (passes && intake->held == 0)
        component_emit(&self->base, instead);
    else
        batch_settle(batch, OUTCOME_ACCEPTED);
}

static bool get_window(struct tail_hand *hand)
{
    if (hand->window == NULL)
        hand->window = calloc(1, sizeof(*hand->window));
    return hand->window != NULL;
}

void tail_hold(struct tail_sampling *self, struct batch *batch)
{
    struct tail_hand *hand = tail_hand_take(self);
    struct intake intake = { .batch = batch, .awaited = batch_is_awaited(batch), .parts = self->settings.strategy == TAIL_SPAN_INGEST };
    const char *reason;

    if (hand == NULL || !get_window(hand)) {
        tail_hand_destroy(hand);
        refuse(self, batch, "no_memory");
        return;
    }
    intake.session = (struct tail_session){ self, atomic_load(&self->store), NULL, hand, tail_now_ms() };
    intake.window = hand->window;
    intake.roots = self->settings.decision_wait_after_root_ns > 0;
    reason = refusal(&intake);
    if (reason != NULL) {
        refuse(self, batch, reason);
    } else {
        if (intake.awaited)
            batch_accept(batch); /* those who wait for more than that hear of it when the spans are decided and delivered */
        clear_window(&intake);
        for (size_t i = 0; i < batch->run_count && !intake.failed; i++) {
            hold_run(&intake, batch->runs[i].bytes);
            hold_window(&intake);
        }
        finish(&intake);
    }
    tail_hand_give_back(self, hand);
}
