/* Small readings of header values that both versions of HTTP need. */
#include "collector/net/http_head.h"

void http_head_set_target(struct http_head *head, struct slice target)
{
    const uint8_t *mark = target.size > 0 ? memchr(target.data, '?', target.size) : NULL;
    size_t length = mark != NULL ? (size_t)(mark - target.data) : target.size;

    head->path = slice_of(target.data, length);
    head->query = mark != NULL ? slice_of(mark + 1, target.size - length - 1) : (struct slice){ NULL, 0 };
}

bool http_list_has(struct slice list, const char *token)
{
    while (list.size > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        size_t length = comma != NULL ? (size_t)(comma - list.data) : list.size;

        if (slice_equal_ignoring_case(slice_trim(slice_of(list.data, length)), slice_of_string(token)))
            return true;
        length += comma != NULL;
        list = slice_of(list.data + length, list.size - length);
    }
    return false;
}

bool http_parse_length(struct slice text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 18)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = value;
    return true;
}

struct slice http_header_find(const struct http_header *headers, size_t count, const char *name, size_t nth)
{
    struct slice wanted = slice_of_string(name);

    for (size_t i = 0; i < count; i++)
        if (headers[i].name.size == wanted.size && slice_equal_ignoring_case(headers[i].name, wanted) && nth-- == 0)
            return headers[i].value;
    return (struct slice){ NULL, 0 };
}
