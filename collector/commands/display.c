/*
 * The layouts are the debug exporter's. What they leave as it came is made harmless for a terminal here.
 * Cost: the text of one request in memory, twice.
 */
#include "collector/commands/display.h"

#include "collector/commands/arguments.h"
#include "collector/commands/print.h"
#include "collector/wire/json.h"
#include "exporters/debug/text.h"

int display_of_word(const char *option, const char *text)
{
    static const char *const words[] = { "basic", "normal", "detailed", NULL };

    return command_word(option, text, words);
}

static void summarize(enum signal signal, struct slice request, struct buffer *out)
{
    struct text_counts counts = { 0 };

    text_count(signal, request, &counts);
    buffer_printf(out, "%s ", text_title(signal));
    text_summary(signal, &counts, out);
}

void display_request(enum display display, enum signal signal, struct slice request, struct buffer *out)
{
    struct buffer text = { 0 };

    if (display == DISPLAY_JSON) {
        json_write_request(signal, request, out);
        buffer_append_byte(out, '\n');
        return;
    }
    if (display == DISPLAY_BASIC)
        summarize(signal, request, &text);
    else if (display == DISPLAY_NORMAL)
        text_normal(signal, request, &text);
    else
        text_detailed(signal, request, &text);
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    print_lines(out, buffer_slice(&text));
    buffer_append_byte(out, '\n');
    out->failed |= text.failed;
    buffer_fini(&text);
}
