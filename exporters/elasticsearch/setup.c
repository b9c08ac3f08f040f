/* Installing index templates: one question and one or a few requests for each. Blocks its thread. */
#include "exporters/elasticsearch/setup.h"

#include <stdio.h>
#include <stdlib.h>

#include "collector/base/log.h"
#include "collector/commands/elasticsearch.h"
#include "exporters/elasticsearch/response.h"
#include "exporters/otlp_message.h"

static void tell(const struct elastic_setup *setup, const char *name, const char *what)
{
    if (setup->report != NULL)
        buffer_printf(setup->report, "%s: index template %s: %s\n", setup->path, name, what);
    else
        log_info(setup->path, "index template %s: %s", name, what);
}

static bool fail_with_answer(const struct http_answer *answer, const char *name, struct error *err)
{
    struct elastic_error error = elastic_error_of(buffer_slice(&answer->body));
    char excerpt[OTLP_EXCERPT_SIZE];

    otlp_excerpt(error.reason.size > 0 ? error.reason : buffer_slice(&answer->body), excerpt);
    return fail(err, "index template %s: status %d%s", name, answer->status, excerpt);
}

/* One request about one template. */
struct template_call {
    const char *method, *name;
    struct slice body; /* empty: none */
};

static bool call_template(
    struct elastic_connection *connection, const struct template_call *request, struct http_answer *answer, struct error *err)
{
    bool has_body = request->body.size > 0;
    char path[128];

    snprintf(path, sizeof(path), "/_index_template/%s", request->name);
    struct elastic_call call = {
        .method = request->method,
        .path = path,
        .content_type = has_body ? "application/json" : NULL,
        .parts = &request->body,
        .part_count = has_body ? 1 : 0,
    };

    return elastic_connection_call(connection, &call, answer, err) || fail_within(err, "index template %s", request->name);
}

/* Does the server bring it along? */
static bool find_built_in(struct elastic_connection *connection, const struct elastic_template *entry, bool *found, struct error *err)
{
    struct http_answer answer = { 0 };
    bool fine = call_template(connection, &(struct template_call){ "GET", entry->built_in, { NULL, 0 } }, &answer, err);

    *found = fine && answer.status == 200;
    if (fine && answer.status != 200 && answer.status != 404)
        fine = fail_with_answer(&answer, entry->built_in, err);
    http_answer_fini(&answer);
    return fine;
}

/* One connection, and what is known of the server. */
struct installation {
    struct elastic_connection *connection;
    const struct elastic_setup *setup;
    size_t first_variant;
};

/* *taken: the server has it now; else this variant is not for this server, and err says why. */
static bool try_body(struct elastic_connection *connection, const struct template_call *request, bool *taken, struct error *err)
{
    struct http_answer answer = { 0 };
    bool fine = call_template(connection, request, &answer, err);

    *taken = fine && answer.status == 200;
    if (fine && !*taken)
        fine = fail_with_answer(&answer, request->name, err) || answer.status == 400;
    http_answer_fini(&answer);
    return fine;
}

/*
 * A type that only a dynamic template names is not looked for when the template is installed, but when the first document needs it. So a template
 * that needs the rare ones at once is tried, and removed again. The first variant that this server is likely to take.
 */
static bool find_first_variant(struct elastic_connection *connection, size_t *first, struct error *err)
{
    struct http_answer answer = { 0 };
    bool fine =
        call_template(connection, &(struct template_call){ "PUT", elastic_probe.name, slice_of_string(elastic_probe.text) }, &answer, err);
    bool taken = fine && answer.status == 200;

    *first = taken ? 0 : 1;
    http_answer_fini(&answer);
    if (taken)
        fine = call_template(connection, &(struct template_call){ "DELETE", elastic_probe.name, { NULL, 0 } }, &answer, err);
    http_answer_fini(&answer);
    return fine;
}

static bool install(const struct installation *self, const struct elastic_template *entry, struct error *err)
{
    bool there = false;

    if (!find_built_in(self->connection, entry, &there, err))
        return false;
    if (there) {
        tell(self->setup, entry->built_in, "is built in");
        return true;
    }
    for (size_t variant = self->first_variant; variant < ELASTIC_TEMPLATE_VARIANTS && !there; variant++) {
        struct buffer body = { 0 };
        bool fine;

        elastic_template_write(entry, variant, &body);
        fine = body.failed ? fail(err, "out of memory")
                           : try_body(self->connection, &(struct template_call){ "PUT", entry->name, buffer_slice(&body) }, &there, err);
        buffer_fini(&body);
        if (!fine)
            return false;
    }
    if (there)
        tell(self->setup, entry->name, "installed");
    return there;
}

bool elastic_set_up(struct elastic_connection *connection, const struct elastic_setup *setup, struct error *err)
{
    struct installation self = { connection, setup, 0 };

    if (!find_first_variant(connection, &self.first_variant, err))
        return false;
    for (const struct elastic_template *entry = elastic_templates; entry->name != NULL; entry++)
        if (!install(&self, entry, err))
            return false;
    return true;
}

/* ---- for the command ---- */

bool elasticsearch_set_up(struct component *exporter, struct buffer *report, struct error *err)
{
    const struct elastic_settings *settings = &((struct elastic_exporter *)exporter)->settings;
    const char *authenticator = settings->http.auth.authenticator;
    struct elastic_connection connection = { 0 };
    bool fine;

    if (authenticator != NULL && *authenticator != '\0')
        return fail(err, "auth.authenticator can't be used here: set user and password, or api_key, for example with --set");
    fine = elastic_connection_open(&connection, settings, NULL, err) &&
           elastic_set_up(&connection, &(struct elastic_setup){ exporter->path, report }, err);
    elastic_connection_close(&connection);
    return fine;
}
