/* Asking conditions about one span. Cost: that of the conditions; nothing is copied. Threads: the machine's. */
#include "collector/ottl/probe.h"

#include "collector/ottl/program.h"

enum { EVENTS = 11 };

static void begin(struct ottl_machine *machine, const struct ottl_span_place *place)
{
    ottl_message_begin(machine, LEVEL_RESOURCE, place->resource, OTLP_ATTRIBUTES_OF_RESOURCE);
    machine->messages[LEVEL_RESOURCE].schema_url = place->resource_schema_url;
    ottl_message_begin(machine, LEVEL_SCOPE, place->scope, OTLP_ATTRIBUTES_OF_SCOPE);
    machine->messages[LEVEL_SCOPE].schema_url = place->scope_schema_url;
    ottl_message_begin(machine, LEVEL_RECORD, place->span, OTLP_ATTRIBUTES_OF_SPAN);
    ottl_message_begin(machine, LEVEL_PART, (struct slice){ NULL, 0 }, OTLP_ATTRIBUTES_OF_SPAN_EVENT);
    machine->metric_kind = OTLP_METRIC_NONE;
    machine->part_index = 0;
}

static bool probe(const struct ottl *program, struct ottl_machine *machine, enum ottl_error_mode mode, bool *holds)
{
    *holds = false;
    ottl_machine_reset(machine);
    return ottl_run_conditions(program, machine, mode, holds);
}

bool ottl_probe_span(
    const struct ottl *program, struct ottl_machine *machine, const struct ottl_span_place *place, enum ottl_error_mode mode, bool *holds)
{
    struct pb_reader reader = pb_reader_of(place->span);
    struct pb_field field;

    begin(machine, place);
    if (ottl_context_of_program(program) != OTTL_SPANEVENT)
        return probe(program, machine, mode, holds);
    *holds = false;
    while (!*holds && pb_next(&reader, &field)) {
        if (field.number != EVENTS || field.type != PB_BYTES)
            continue;
        ottl_message_begin(machine, LEVEL_PART, field.bytes, OTLP_ATTRIBUTES_OF_SPAN_EVENT);
        if (!probe(program, machine, mode, holds))
            return false;
        machine->part_index++;
    }
    return true;
}
