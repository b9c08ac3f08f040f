/*
 * The registry of scopes: equal ones are one, so that a name used in several files makes one group in each export.
 * Bounded at 4,096 scopes; those beyond share the empty one. Threads: any, one lock on first use.
 */
#include "sdk/src/scope.h"

#include <pthread.h>
#include <stdlib.h>

#include "collector/wire/protobuf.h"
#include "sdk/src/encode.h"

enum { SCOPE_NAME = 1, SCOPE_VERSION = 2, SCOPE_ATTRIBUTES = 3, SCOPES_MAX = 4096 };

static struct scope empty_scope;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct scope *scopes;
static unsigned scope_count;

static void put_text(struct buffer *out, uint32_t field, weir_str text)
{
    struct text_plan plan = text_plan(text, TEXT_UNLIMITED);

    if (plan.written == 0)
        return;
    if (field != 0) {
        pb_put_tag(out, field, PB_BYTES);
        pb_put_raw_varint(out, plan.written);
    }
    if (buffer_reserve(out, plan.written))
        out->size = (size_t)(text_copy(out->data + out->size, text, plan) - out->data);
}

static void put_attribute(struct buffer *out, uint32_t field, const weir_attr *attr)
{
    struct encoding encoding = { TEXT_UNLIMITED, 0 };
    size_t content = encode_attribute_size(&encoding, attr);

    if (content == 0)
        return;
    pb_put_tag(out, field, PB_BYTES);
    pb_put_raw_varint(out, content);
    if (buffer_reserve(out, content))
        out->size = (size_t)(encode_attribute(out->data + out->size, &encoding, attr) - out->data);
}

static const struct scope *find_locked(struct slice encoded, struct slice schema_url)
{
    for (const struct scope *scope = scopes; scope != NULL; scope = scope->next) {
        if (slice_equal(scope->encoded, encoded) && slice_equal(scope->schema_url, schema_url))
            return scope;
    }
    return NULL;
}

/* Takes the buffers' memory on success. */
static const struct scope *add_locked(struct buffer *encoded, struct buffer *schema_url)
{
    struct scope *scope = scope_count < SCOPES_MAX ? calloc(1, sizeof(*scope)) : NULL;

    if (scope == NULL)
        return &empty_scope;
    scope->encoded = buffer_slice(encoded);
    scope->schema_url = buffer_slice(schema_url);
    memset(encoded, 0, sizeof(*encoded));
    memset(schema_url, 0, sizeof(*schema_url));
    scope->next = scopes;
    scopes = scope;
    scope_count++;
    return scope;
}

const struct scope *scope_bind(weir_scope *scope)
{
    struct buffer encoded = { 0 };
    struct buffer schema_url = { 0 };

    if (scope == NULL)
        return &empty_scope;
    put_text(&encoded, SCOPE_NAME, scope->name);
    put_text(&encoded, SCOPE_VERSION, scope->version);
    for (size_t i = 0; scope->attrs.data != NULL && i < scope->attrs.count; i++)
        put_attribute(&encoded, SCOPE_ATTRIBUTES, &scope->attrs.data[i]);
    put_text(&schema_url, 0, scope->schema_url);
    pthread_mutex_lock(&lock);
    const struct scope *bound = &empty_scope;
    if (!encoded.failed && !schema_url.failed && encoded.size + schema_url.size != 0) {
        bound = find_locked(buffer_slice(&encoded), buffer_slice(&schema_url));
        if (bound == NULL)
            bound = add_locked(&encoded, &schema_url);
    }
    pthread_mutex_unlock(&lock);
    buffer_fini(&encoded);
    buffer_fini(&schema_url);
    __atomic_store_n(&scope->bound_, (void *)(uintptr_t)bound, __ATOMIC_RELEASE);
    return bound;
}

void scope_lock_all(void)
{
    pthread_mutex_lock(&lock);
}

void scope_unlock_all(void)
{
    pthread_mutex_unlock(&lock);
}

void scope_after_fork_child(void)
{
    pthread_mutex_init(&lock, NULL);
}
