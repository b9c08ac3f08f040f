/*
 * The log. One line is built on the stack and written with one write(2), so lines of several threads never mix.
 * Thinning: per format string and tick, the first `sampling_initial` lines pass, then every n-th; a small
 * table remembers the counts, without a lock (a race costs a line more or less).
 */
#include "collector/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collector/base/buffer.h"
#include "collector/base/clock.h"
#include "collector/base/hash.h"

enum { LINE_SIZE = 4096, SLOT_COUNT = 256 };

static const struct log_settings defaults = { LOG_INFO, false, true, 10, 100, 10 * NANOS_PER_SECOND, STDERR_FILENO };

/* Settings change only at start and reload; two copies in turn, so that a line under way reads a whole one. */
static struct log_settings copies[2];
static _Atomic(const struct log_settings *) current = &defaults;

static struct slot {
    atomic_int_fast64_t tick;
    atomic_uint count;
} slots[SLOT_COUNT];

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_configure(const struct log_settings *new_settings)
{
    struct log_settings *copy = atomic_load(&current) == &copies[0] ? &copies[1] : &copies[0];

    *copy = *new_settings;
    atomic_store(&current, copy);
}

bool log_enabled(enum log_level level)
{
    return level >= atomic_load(&current)->level;
}

/* Whether this line passes; `count` is how many of its kind there have been in this tick. */
static bool passes(const struct log_settings *settings, const char *component, const char *format, unsigned *count)
{
    uint64_t hash = hash_combine((uint64_t)(uintptr_t)format, component != NULL ? hash_bytes(slice_of_string(component)) : 0);
    struct slot *slot = &slots[hash % SLOT_COUNT];
    int64_t tick = settings->sampling_tick_ns > 0 ? clock_monotonic_nanos() / settings->sampling_tick_ns : 0;

    if (atomic_exchange_explicit(&slot->tick, tick, memory_order_relaxed) != tick)
        atomic_store_explicit(&slot->count, 0, memory_order_relaxed);
    *count = atomic_fetch_add_explicit(&slot->count, 1, memory_order_relaxed) + 1;
    if (!settings->sampling || *count <= (unsigned)settings->sampling_initial)
        return true;
    return settings->sampling_thereafter > 0 && (*count - (unsigned)settings->sampling_initial) % (unsigned)settings->sampling_thereafter == 0;
}

struct line {
    char text[LINE_SIZE];
    size_t used;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->used += (size_t)length;
    if (line->used > sizeof(line->text) - 2)
        line->used = sizeof(line->text) - 2;
}

/* As a JSON string's content; control bytes escaped, so that no text can forge a line. */
static void add_escaped(struct line *line, const char *text, bool json)
{
    for (; *text != '\0' && line->used < sizeof(line->text) - 16; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '\n')
            add(line, "\\n");
        else if (byte < 0x20 || byte == 0x7f)
            add(line, json ? "\\u%04x" : "\\x%02x", byte);
        else if (json && (byte == '"' || byte == '\\'))
            add(line, "\\%c", byte);
        else
            line->text[line->used++] = (char)byte;
    }
}

static void write_line(enum log_level level, const char *component, const char *message, unsigned repeated)
{
    const struct log_settings *settings = atomic_load(&current);
    struct line line = { .used = 0 };
    char time[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_wall_nanos(), time);
    time[23] = '\0'; /* milliseconds are enough for a person */
    if (settings->json) {
        add(&line, "{\"level\":\"%s\",\"ts\":\"%sZ\"", level_names[level], time);
        if (component != NULL)
            add(&line, ",\"component\":\"%s\"", component);
        add(&line, ",\"msg\":\"");
    } else {
        add(&line, "%sZ\t%s\t%s%s", time, level_names[level], component != NULL ? component : "", component != NULL ? ": " : "");
    }
    add_escaped(&line, message, settings->json);
    if (repeated > 0)
        add(&line, " (line %u of its kind in this interval; others are left out)", repeated);
    if (settings->json)
        add(&line, "\"}");
    line.text[line.used++] = '\n';
    if (write(settings->fd, line.text, line.used) < 0)
        return; /* nowhere to complain */
}

static void log_line(enum log_level level, const char *component, const char *format, va_list arguments)
{
    const struct log_settings *settings = atomic_load(&current);
    char message[LINE_SIZE / 2];
    unsigned count = 0;

    if (level < settings->level || !passes(settings, component, format, &count))
        return;
    vsnprintf(message, sizeof(message), format, arguments);
    write_line(level, component, message, settings->sampling && count > (unsigned)settings->sampling_initial ? count : 0);
}

void log_debug(const char *component, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_DEBUG, component, format, arguments);
    va_end(arguments);
}

void log_info(const char *component, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_INFO, component, format, arguments);
    va_end(arguments);
}

void log_warn(const char *component, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_WARN, component, format, arguments);
    va_end(arguments);
}

void log_error(const char *component, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_ERROR, component, format, arguments);
    va_end(arguments);
}

static void append_escaped(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];

        if (byte == '\n')
            buffer_append_string(out, "\\n");
        else if (byte < 0x20 || byte == 0x7f)
            buffer_printf(out, "\\u%04x", byte);
        else if (byte == '"' || byte == '\\')
            buffer_printf(out, "\\%c", byte);
        else
            buffer_append_byte(out, byte);
    }
}

void log_text(enum log_level level, const char *component, struct slice text)
{
    const struct log_settings *settings = atomic_load(&current);
    struct buffer entry = { 0 };
    char time[CLOCK_RFC3339_SIZE];

    if (level < settings->level || text.size == 0)
        return;
    clock_format_rfc3339(clock_wall_nanos(), time);
    time[23] = '\0';
    if (settings->json) {
        buffer_printf(&entry, "{\"level\":\"%s\",\"ts\":\"%sZ\",\"component\":\"%s\",\"msg\":\"", level_names[level], time, component != NULL ? component : "");
        append_escaped(&entry, text);
        buffer_append_string(&entry, "\"}\n");
    } else {
        buffer_printf(&entry, "%sZ\t%s\t%s:\n", time, level_names[level], component != NULL ? component : "");
        buffer_append_slice(&entry, text);
        if (text.data[text.size - 1] != '\n')
            buffer_append_byte(&entry, '\n');
    }
    for (size_t written = 0; !entry.failed && written < entry.size;) {
        ssize_t size = write(settings->fd, entry.data + written, entry.size - written);

        if (size <= 0)
            break; /* nowhere to complain */
        written += (size_t)size;
    }
    buffer_fini(&entry);
}
