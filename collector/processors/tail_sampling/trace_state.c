/* The W3C trace state, checked as strictly as the OpenTelemetry SDK for Go does: one bad member, and there is no state. */
#include "collector/processors/tail_sampling/policy.h"

enum { MEMBERS_MAX = 32 };

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_key_rest(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!is_letter_or_digit(s.data[i]) && (s.data[i] == '\0' || strchr("_-*/", s.data[i]) == NULL))
            return false;
    }
    return true;
}

/* One character of its own kind, and up to `most` further ones. */
static bool is_key_part(struct slice s, size_t most, bool digit_first)
{
    if (s.size == 0 || s.size - 1 > most || !is_letter_or_digit(s.data[0]))
        return false;
    return (digit_first || s.data[0] >= 'a') && is_key_rest(slice_of(s.data + 1, s.size - 1));
}

static struct slice up_to(struct slice s, char c, struct slice *rest)
{
    const uint8_t *found = s.size > 0 ? memchr(s.data, c, s.size) : NULL;
    size_t size = found != NULL ? (size_t)(found - s.data) : s.size;

    *rest = found != NULL ? slice_of(found + 1, s.size - size - 1) : slice_of(NULL, 0);
    return slice_of(s.data, size);
}

static bool is_key(struct slice key)
{
    struct slice system, tenant = up_to(key, '@', &system);

    if (system.data == NULL)
        return is_key_part(key, 255, false);
    return is_key_part(tenant, 240, true) && is_key_part(system, 13, false);
}

static bool is_value(struct slice value)
{
    if (value.size == 0 || value.size > 256 || value.data[value.size - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < ' ' || value.data[i] > '~' || value.data[i] == '=')
            return false;
    }
    return true;
}

static bool read_member(struct slice member, struct slice *key, struct slice *value)
{
    *key = up_to(member, '=', value);
    if (value->data == NULL)
        return false;
    while (key->size > 0 && (key->data[0] == ' ' || key->data[0] == '\t'))
        *key = slice_of(key->data + 1, key->size - 1);
    while (value->size > 0 && (value->data[value->size - 1] == ' ' || value->data[value->size - 1] == '\t'))
        value->size--;
    return is_key(*key) && is_value(*value);
}

static bool is_among(const struct slice *keys, size_t count, struct slice key)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(keys[i], key))
            return true;
    }
    return false;
}

bool tail_trace_state_get(struct slice state, struct slice key, struct slice *value)
{
    struct slice keys[MEMBERS_MAX], found;
    size_t count = 0;

    *value = slice_of(NULL, 0);
    while (state.size > 0) {
        struct slice member = up_to(state, ',', &state);
        if (member.size == 0)
            continue;
        if (count == MEMBERS_MAX || !read_member(member, &keys[count], &found) || is_among(keys, count, keys[count]))
            return false;
        if (slice_equal(keys[count], key))
            *value = found;
        count++;
    }
    return true;
}
