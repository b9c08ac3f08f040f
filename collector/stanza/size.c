/* Sizes with units, decimal (kb, MB) and binary (KiB, MiB), in any case. */
#include "collector/stanza/size.h"

#include <string.h>
#include <strings.h>

#include "collector/config/scalar.h"

bool stanza_read_size(const char *key, const struct config_node *node, int64_t otherwise, int64_t *bytes, struct error *err)
{
    const char *text = node != NULL && node->kind == CONFIG_SCALAR ? node->text : "";
    static const struct {
        const char *name;
        double factor;
    } units[] = { { "", 1 }, { "b", 1 }, { "kb", 1e3 }, { "mb", 1e6 }, { "gb", 1e9 }, { "kib", 1024 }, { "mib", 1 << 20 },
        { "gib", 1 << 30 } };
    size_t digits = strspn(text, "0123456789._");
    char number[32];
    double value;

    *bytes = otherwise;
    if (node == NULL || node->kind == CONFIG_NULL)
        return true;
    if (digits > 0 && digits < sizeof(number)) {
        memcpy(number, text, digits);
        number[digits] = '\0';
        text += digits + strspn(text + digits, " ");
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (strcasecmp(text, units[i].name) != 0 || !scalar_parse_float(number, &value) || value * units[i].factor > 1e15)
                continue;
            *bytes = (int64_t)(value * units[i].factor);
            return true;
        }
        text -= digits;
    }
    return fail(err, "%s: expected a size such as 65536, 64KiB or 1MiB, not \"%s\"", key, text);
}
