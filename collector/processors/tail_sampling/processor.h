/* The tail_sampling processor from the inside: what its parts share. */
#ifndef WEIR_TAIL_SAMPLING_PROCESSOR_H
#define WEIR_TAIL_SAMPLING_PROCESSOR_H

#include "collector/component.h"
#include "collector/net/loop.h"
#include "collector/processors/tail_sampling/policy.h"
#include "collector/processors/tail_sampling/sender.h"
#include "collector/processors/tail_sampling/settings.h"
#include "collector/processors/tail_sampling/store.h"
#include "collector/processors/tail_sampling/write.h"
#include "collector/telemetry.h"

/* ---- counting ---- */

/* Why a trace was decided before its time. */
enum tail_early {
    TAIL_EARLY_NUM_TRACES,
    TAIL_EARLY_MEMORY,
    TAIL_EARLY_TRACE_SIZE,
    TAIL_EARLY_STOP,
    TAIL_EARLY_COUNT,
    TAIL_IN_TIME = TAIL_EARLY_COUNT
};

struct tail_accounts {
    struct tail_policy_account {
        struct metric *traces[3], *spans[3]; /* by what the policy said: enum tail_decision but TAIL_FAILED */
        struct metric *asked;
    } * policies; /* owned */
    size_t policy_count;
    struct metric *decided[3]; /* by enum tail_decision */
    struct metric *cached[2];  /* not sampled, sampled */
    struct metric *late[2];
    struct metric *new_traces, *errors, *too_large, *without_id;
    struct metric *early[TAIL_EARLY_COUNT];
    struct metric *open, *remembered, *spans, *bytes; /* observed */
};

/* ---- a thread's tools ---- */

/* What has been gathered to be sent on; each with the receipts of those who wait for it. */
struct tail_output {
    struct buffer bytes;
    size_t records;
    struct batch *shares; /* owned */
    size_t share_count;
    uint64_t mark; /* tells this output from others */
};

struct tail_hand {
    struct tail_worker worker;
    struct tail_writer writer;
    struct tail_output output;
    struct batch *ended;        /* handles to be settled without a lock */
    struct tail_window *window; /* owned; NULL until spans come in */
    struct tail_hand *next;
};

/* ---- the processor ---- */

struct tail_lane {
    struct tail_sampling *self;
    struct loop_timer *timer;
    size_t number;
};

struct tail_sampling {
    struct component base;
    struct tail_settings settings;
    struct tail_policies policies;
    uint16_t *policy_names;             /* owned; in the store */
    _Atomic(struct tail_store *) store; /* owned */
    struct tail_sender *sender;         /* owned */
    struct tail_lane *lanes;            /* owned */
    size_t lane_count;
    pthread_mutex_t lock;   /* of the hands, and of a change of the store */
    struct tail_hand *idle; /* owned */
    atomic_size_t turn;     /* which shard gives way next */
    atomic_uint_fast64_t marks;
    struct tail_accounts accounts;
};

/* accounts.c; abort when memory is out. */
void tail_accounts_create(struct tail_sampling *self);
void tail_accounts_destroy(struct tail_accounts *accounts);
void tail_accounts_count_verdict(struct tail_sampling *self, const struct tail_verdict *verdict, uint64_t spans);

/* hands.c. NULL: memory is out. */
struct tail_hand *tail_hand_take(struct tail_sampling *self);
void tail_hand_give_back(struct tail_sampling *self, struct tail_hand *hand);
void tail_hand_destroy(struct tail_hand *hand);
/* Sends what is in the output, settles what has ended. Without any lock. */
void tail_hand_send(struct tail_sampling *self, struct tail_hand *hand);
/* The batch (taken) with the output's bytes in the place of its own; NULL when memory is out, it is settled then. */
struct batch *tail_hand_replace(struct tail_sampling *self, struct tail_hand *hand, struct batch *batch);
/* A handle of no bytes with the same receipt. NULL: memory is out. */
struct batch *tail_share_receipt(struct batch *batch);
/* Whoever holds the share (taken) waits for the output. NULL: false. */
bool tail_output_share(struct tail_output *output, struct batch *share);

/* A shard in one's hands, locked. */
struct tail_session {
    struct tail_sampling *self;
    struct tail_store *store;
    struct tail_shard *shard;
    struct tail_hand *hand;
    uint32_t now_ms;
};

uint32_t tail_now_ms(void);

/* decide.c */
enum { TAIL_OUTPUT_SIZE = 1 << 20 };
void tail_trace_open(const struct tail_session *session, const struct tail_entry *entry, struct tail_trace *trace, uint32_t from);
/* Decides on a trace that is held. */
void tail_decide(const struct tail_session *session, uint32_t index, enum tail_early early);
/* The same on what is new of it (span-ingest): true when it is decided for good. */
bool tail_decide_part(const struct tail_session *session, uint32_t index);
/* Drops a trace that is held. */
void tail_drop(const struct tail_session *session, uint32_t index, const char *reason);
/* The oldest trace that is held; 0: there is none. */
uint32_t tail_oldest_open(const struct tail_session *session);

/* What is due now, or `count` of the oldest, or all. */
enum tail_work { TAIL_WORK_DUE, TAIL_WORK_OLDEST, TAIL_WORK_ALL };
/* One shard's share: decides, sends what has become large; the rest the caller sends. Takes the shard's lock. Returns whether there is more to do. */
bool tail_work(const struct tail_session *session, enum tail_work work);
struct tail_marks tail_marks_of(const struct tail_sampling *self, const struct tail_store *store, const struct tail_entry *entry);

/* hold.c: takes the batch. */
void tail_hold(struct tail_sampling *self, struct batch *batch);
void tail_window_destroy(struct tail_window *window);

#endif
