/* Records out of bytes: the first byte chooses the settings. Every byte is dealt with once, and text is UTF-8 or said to be bytes. */
#include <assert.h>

#include "collector/wire/utf8.h"
#include "receivers/file_log/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const encodings[] = { "utf-8", "utf-8-raw", "nop", "utf-16le", "utf-16be", "big5", "iso-8859-1" };
    struct lines_settings settings = { .max_size = 40 };
    struct lines_cut cut = { .skipping = false };
    struct lines_reader reader;
    struct error err;
    size_t at = 1;

    if (size == 0)
        return 0;
    settings.encoding = encodings[data[0] % 7];
    settings.truncate = data[0] & 0x80;
    settings.keep_leading = settings.keep_trailing = data[0] & 0x40;
    if ((data[0] & 0x30) == 0x10)
        settings.start_pattern = "^#|x";
    if ((data[0] & 0x30) == 0x20)
        settings.end_pattern = ";|$";
    settings.omit_pattern = data[0] & 0x08;
    if (!lines_init(&reader, &settings, &err)) {
        lines_fini(&reader);
        return 0;
    }
    while (at < size) {
        bool bytes, repaired;
        lines_next(&reader, slice_of(data + at, size - at), true, &cut);
        assert(cut.used > 0 && cut.used <= size - at);
        if (!cut.none) {
            struct slice text = lines_text(&reader, cut.record, false, &bytes, &repaired);
            assert(bytes || utf8_is_valid(text));
        }
        at += cut.used;
    }
    lines_fini(&reader);
    return 0;
}
