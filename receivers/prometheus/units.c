/* Two small tables. */
#include "receivers/prometheus/units.h"

static const struct {
    struct slice word, ucum;
} units[] = {
    { SLICE_INIT("days"), SLICE_INIT("d") },
    { SLICE_INIT("hours"), SLICE_INIT("h") },
    { SLICE_INIT("minutes"), SLICE_INIT("min") },
    { SLICE_INIT("seconds"), SLICE_INIT("s") },
    { SLICE_INIT("milliseconds"), SLICE_INIT("ms") },
    { SLICE_INIT("microseconds"), SLICE_INIT("us") },
    { SLICE_INIT("nanoseconds"), SLICE_INIT("ns") },
    { SLICE_INIT("bytes"), SLICE_INIT("By") },
    { SLICE_INIT("kibibytes"), SLICE_INIT("KiBy") },
    { SLICE_INIT("mebibytes"), SLICE_INIT("MiBy") },
    { SLICE_INIT("gibibytes"), SLICE_INIT("GiBy") },
    { SLICE_INIT("tibibytes"), SLICE_INIT("TiBy") },
    { SLICE_INIT("kilobytes"), SLICE_INIT("KBy") },
    { SLICE_INIT("megabytes"), SLICE_INIT("MBy") },
    { SLICE_INIT("gigabytes"), SLICE_INIT("GBy") },
    { SLICE_INIT("terabytes"), SLICE_INIT("TBy") },
    { SLICE_INIT("meters"), SLICE_INIT("m") },
    { SLICE_INIT("volts"), SLICE_INIT("V") },
    { SLICE_INIT("amperes"), SLICE_INIT("A") },
    { SLICE_INIT("joules"), SLICE_INIT("J") },
    { SLICE_INIT("watts"), SLICE_INIT("W") },
    { SLICE_INIT("grams"), SLICE_INIT("g") },
    { SLICE_INIT("celsius"), SLICE_INIT("Cel") },
    { SLICE_INIT("hertz"), SLICE_INIT("Hz") },
    { SLICE_INIT("percent"), SLICE_INIT("%") },
    { SLICE_INIT("ratio"), SLICE_INIT("1") },
    { SLICE_INIT("bytes_per_second"), SLICE_INIT("By/s") },
};

struct slice unit_to_ucum(struct slice unit)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (slice_equal(units[i].word, unit))
            return units[i].ucum;
    return unit;
}

static struct slice without(struct slice name, struct slice suffix)
{
    if (suffix.size == 0 || name.size <= suffix.size + 1 || memcmp(name.data + name.size - suffix.size, suffix.data, suffix.size) != 0 ||
        name.data[name.size - suffix.size - 1] != '_')
        return name;
    return slice_of(name.data, name.size - suffix.size - 1);
}

struct slice unit_trim_suffixes(struct slice name, struct slice unit, bool is_sum)
{
    if (is_sum)
        name = without(name, SLICE("total"));
    return without(name, unit);
}
