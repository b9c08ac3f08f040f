/* Text for people. Threads: none; print_flush writes to standard output. */
#include "collector/commands/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/wire/json.h"
#include "collector/wire/utf8.h"

enum { LARGE = 64 * 1024 };

/* ---- text ---- */

static size_t character_size(const uint8_t *at)
{
    return at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
}

/* The two-byte forms U+0080 to U+009F are control characters too. */
static bool is_control(const uint8_t *at)
{
    return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

static void put_control(struct buffer *out, const uint8_t *at)
{
    if (at[0] == '\n')
        buffer_append_string(out, "\\n");
    else if (at[0] == '\t')
        buffer_append_string(out, "\\t");
    else if (at[0] == '\r')
        buffer_append_string(out, "\\r");
    else
        buffer_printf(out, "\\x%02x", at[0] == 0xc2 ? at[1] : at[0]);
}

/* The text is valid UTF-8. Returns how many characters were written. */
static size_t put_characters(struct buffer *out, struct slice text, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size && count < max; count++) {
        size_t size = character_size(text.data + i);

        if (is_control(text.data + i))
            put_control(out, text.data + i);
        else
            buffer_append(out, text.data + i, size);
        i += size;
    }
    return count;
}

static size_t count_characters(struct slice text, size_t enough)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size && count < enough; count++)
        i += character_size(text.data + i);
    return count;
}

void print_text(struct buffer *out, struct slice text, size_t max)
{
    struct buffer repaired = { 0 };

    if (max != 0 && text.size > max * 4 + 4)
        text.size = max * 4 + 4; /* more can't be shown; what is cut in two at the end is not shown either */
    if (!utf8_is_valid(text)) {
        utf8_append_repaired(&repaired, text);
        text = buffer_slice(&repaired);
    }
    if (max == 0 || count_characters(text, max + 1) <= max) {
        put_characters(out, text, SIZE_MAX);
    } else {
        put_characters(out, text, max - 1);
        buffer_append_string(out, "…");
    }
    out->failed |= repaired.failed;
    buffer_fini(&repaired);
}

static bool is_kept(uint8_t byte)
{
    return byte == '\n' || byte == '\t';
}

void print_lines(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size;) {
        size_t end = i;

        while (end < text.size && !is_kept(text.data[end]))
            end++;
        print_text(out, slice_of(text.data + i, end - i), 0);
        if (end < text.size)
            buffer_append_byte(out, text.data[end++]);
        i = end;
    }
}

void print_value(struct buffer *out, struct slice any_value, size_t max)
{
    struct otlp_value value = otlp_value_of(any_value);
    struct buffer text = { 0 };

    if (value.kind == OTLP_VALUE_STRING) {
        print_text(out, value.bytes, max);
        return;
    }
    json_write_value(any_value, &text);
    print_text(out, buffer_slice(&text), max);
    buffer_fini(&text);
}

const char *print_severity(uint32_t number, char out[8])
{
    static const char *const names[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };

    out[0] = '\0';
    if (number == 0 || number > 24)
        return out;
    if ((number - 1) % 4 == 0)
        snprintf(out, 8, "%s", names[(number - 1) / 4]);
    else
        snprintf(out, 8, "%s%u", names[(number - 1) / 4], (number - 1) % 4 + 1);
    return out;
}

/* ---- numbers ---- */

static void put_long(struct buffer *out, uint64_t seconds)
{
    if (seconds >= 48 * 3600)
        buffer_printf(out, "%llud%02lluh", (unsigned long long)(seconds / 86400), (unsigned long long)(seconds / 3600 % 24));
    else if (seconds >= 3600)
        buffer_printf(out, "%lluh%02llum", (unsigned long long)(seconds / 3600), (unsigned long long)(seconds / 60 % 60));
    else
        buffer_printf(out, "%llum%02llus", (unsigned long long)(seconds / 60), (unsigned long long)(seconds % 60));
}

void print_duration(struct buffer *out, int64_t nanos)
{
    uint64_t size = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;

    if (nanos < 0)
        buffer_append_byte(out, '-');
    if (size < 1000)
        buffer_printf(out, "%u ns", (unsigned)size);
    else if (size < 1000000)
        buffer_printf(out, "%.1f us", (double)size / 1e3);
    else if (size < 1000000000)
        buffer_printf(out, size < 100000000 ? "%.2f ms" : "%.1f ms", (double)size / 1e6);
    else if (size < UINT64_C(60) * 1000000000)
        buffer_printf(out, "%.3f s", (double)size / 1e9);
    else
        put_long(out, size / (uint64_t)NANOS_PER_SECOND);
}

void print_bytes(struct buffer *out, uint64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        buffer_printf(out, "%u B", (unsigned)bytes);
        return;
    }
    for (; value >= 1024; unit++)
        value /= 1024;
    buffer_printf(out, "%.1f %s", value, units[unit]);
}

void print_count(struct buffer *out, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buffer_append_byte(out, ',');
        buffer_append_byte(out, (uint8_t)digits[i]);
    }
}

void print_counted(struct buffer *out, uint64_t count, const char *thing)
{
    print_count(out, count);
    buffer_printf(out, " %s%s", thing, count == 1 ? "" : "s");
}

void print_seconds(struct buffer *out, uint64_t wall_nanos)
{
    char text[CLOCK_RFC3339_SIZE];

    if (wall_nanos == 0) {
        buffer_append_byte(out, '-');
        return;
    }
    clock_format_rfc3339(wall_nanos, text);
    buffer_printf(out, "%.19sZ", text);
}

/* ---- standard output ---- */

bool print_flush(struct buffer *out)
{
    static bool said;
    bool fine = !out->failed && (out->size == 0 || fwrite(out->data, 1, out->size, stdout) == out->size) && fflush(stdout) == 0;

    if (!fine && !said)
        fprintf(stderr, "weir: could not write to standard output: %s\n", out->failed ? "out of memory" : strerror(errno));
    said |= !fine;
    buffer_clear(out);
    return fine;
}

bool print_flush_large(struct buffer *out)
{
    return out->size < LARGE || print_flush(out);
}

bool print_colours(void)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(STDOUT_FILENO) && (none == NULL || *none == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0;
}
