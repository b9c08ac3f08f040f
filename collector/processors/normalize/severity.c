/* Severity words. No state; cost: a comparison a word of the table, only for records that lack one of the two. */
#include "collector/processors/normalize/severity.h"

struct word {
    const char *text;
    uint32_t number;
};

/* OpenTelemetry's own names, then those of syslog, Java, .NET, Python, Go's loggers and glog, as the specification of logs maps them. */
static const struct word words[] = {
    { "trace", 1 },
    { "trace2", 2 },
    { "trace3", 3 },
    { "trace4", 4 },
    { "debug", 5 },
    { "debug2", 6 },
    { "debug3", 7 },
    { "debug4", 8 },
    { "info", 9 },
    { "info2", 10 },
    { "info3", 11 },
    { "info4", 12 },
    { "warn", 13 },
    { "warn2", 14 },
    { "warn3", 15 },
    { "warn4", 16 },
    { "error", 17 },
    { "error2", 18 },
    { "error3", 19 },
    { "error4", 20 },
    { "fatal", 21 },
    { "fatal2", 22 },
    { "fatal3", 23 },
    { "fatal4", 24 },
    { "finest", 1 },
    { "verbose", 1 },
    { "silly", 1 },
    { "finer", 5 },
    { "dbg", 5 },
    { "fine", 6 },
    { "config", 7 },
    { "information", 9 },
    { "informational", 9 },
    { "inf", 9 },
    { "log", 9 },
    { "notice", 10 },
    { "warning", 13 },
    { "wrn", 13 },
    { "err", 17 },
    { "severe", 17 },
    { "eror", 17 },
    { "crit", 18 },
    { "dpanic", 18 },
    { "alert", 19 },
    { "panic", 21 },
    { "critical", 21 },
    { "emerg", 21 },
    { "emergency", 21 },
    { "t", 1 },
    { "d", 5 },
    { "i", 9 },
    { "w", 13 },
    { "e", 17 },
    { "f", 21 },
};

static bool is_word_character(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? true : c >= '0' && c <= '9';
}

uint32_t severity_number_of(struct slice text)
{
    while (text.size > 0 && !is_word_character(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && !is_word_character(text.data[text.size - 1]))
        text.size--;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (slice_equal_ignoring_case(text, slice_of_string(words[i].text)))
            return words[i].number;
    }
    return 0;
}

const char *severity_text_of(uint32_t number)
{
    static const char *const texts[] = { "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO", "INFO2",
        "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4" };

    return number >= 1 && number <= 24 ? texts[number - 1] : NULL;
}
