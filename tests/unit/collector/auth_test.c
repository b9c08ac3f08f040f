/* basicauth and bearertokenauth, both sides, as instances filled from a configuration; and the htpasswd hashes. */
#include "collector/component.h"
#include "collector/extensions/htpasswd.h"
#include "collector/extensions/secret_file.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "collector/base/clock.h"

extern const struct component_type basicauth_extension;
extern const struct component_type bearertokenauth_extension;

/* ---- instances ---- */

static struct arena configuration;

struct instance_under_test {
    struct component *component;
    struct error err;
};

static struct instance_under_test fill(const struct component_type *type, const char *yaml)
{
    struct config_errors errors = { .arena = &configuration };
    struct config_source source = { arena_printf(&configuration, "yaml:%s", yaml), false };
    struct instance_under_test made = { .component = calloc(1, type->instance_size) };
    const struct option_target target = { made.component, &configuration, &errors };

    assert_true(option_fill(type->options, config_load(&configuration, &source, 1, &errors), "test", &target));
    made.component->type = type;
    made.component->id = made.component->path = type->name;
    return made;
}

static void end(struct instance_under_test *made)
{
    made->component->type->stop(made->component);
    free(made->component);
}

static struct instance_under_test start(const struct component_type *type, const char *yaml)
{
    struct instance_under_test made = fill(type, yaml);

    if (!type->validate(made.component, &made.err) || !type->start(made.component, &made.err))
        print_error("%s\n", made.err.message);
    assert_string_equal(made.err.message, "");
    return made;
}

static void assert_does_not_start(const struct component_type *type, const char *yaml, const char *part)
{
    struct instance_under_test made = fill(type, yaml);

    assert_false(type->validate(made.component, &made.err) && type->start(made.component, &made.err));
    if (strstr(made.err.message, part) == NULL)
        print_error("\"%s\" does not hold \"%s\"\n", made.err.message, part);
    assert_non_null(strstr(made.err.message, part));
    end(&made);
}

/* ---- requests ---- */

struct header {
    const char *name, *value;
};

static struct slice header_of(void *context, const char *name, size_t nth)
{
    const struct header *header = context;
    bool same = nth == 0 && header->value != NULL && strcasecmp(header->name, name) == 0;

    return same ? slice_of_string(header->value) : slice_of(NULL, 0);
}

static bool passes_by(const struct component *component, const char *name, const char *value)
{
    struct header header = { name, value };
    struct auth_request request = { &header, header_of };
    struct error err = { "" };
    bool passed = component->type->authenticator->check((struct component *)component, &request, &err);

    assert_int_equal(passed, err.message[0] == '\0');
    if (value != NULL && strlen(value) > 8)
        assert_null(strstr(err.message, value + 7)); /* secrets are not repeated */
    return passed;
}

static bool passes(const struct instance_under_test *made, const char *value)
{
    return passes_by(made->component, "Authorization", value);
}

static void assert_sends(const struct instance_under_test *made, const char *expected)
{
    struct buffer headers = { 0 };
    struct error err = { "" };

    assert_true(made->component->type->authenticator->headers(made->component, &headers, &err));
    assert_string_equal(buffer_string(&headers), expected);
    buffer_fini(&headers);
}

/* ---- files ---- */

static char folder[] = "/tmp/weir_auth_XXXXXX";

static const char *write_file(const char *name, const char *text)
{
    const char *path = arena_printf(&configuration, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    arena_fini(&configuration);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* ---- hashes ---- */

static bool verifies(const char *hash, const char *password)
{
    return htpasswd_verify(slice_of_string(hash), slice_of_string(password));
}

static void hashes_are_verified(void **state)
{
    static const struct {
        const char *hash, *password;
    } known[] = {
        { "plain", "plain" },
        { "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password" },
        { "$apr1$abcdefgh$EfExgQSMBXioDhIVk8IOb1", "myPassword" },
        { "$apr1$r31$VhYBNuSclDwcMVhdpOx.I0", "" },
        { "$apr1$xy$KWmjAYxMqmqTjytotPjDu.", "a much longer password than sixteen bytes" },
        { "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret" },
        { "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret" },
        { "$6$rounds=1000$abc$MqEcPZUYRGGcOeq7PhMpfjfu/F0HrVEI0OlZBijWvO8mSG77iNUDP5MqFceKpJTBc8iITVtNyLiNTRNCxv6oh0", "secret" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_true(verifies(known[i].hash, known[i].password));
        assert_false(verifies(known[i].hash, "wrong"));
        assert_int_equal(verifies(known[i].hash, ""), known[i].password[0] == '\0');
        assert_int_equal(htpasswd_is_slow(slice_of_string(known[i].hash)), known[i].hash[0] == '$');
    }
    assert_false(htpasswd_verify(SLICE("$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"), SLICE("secret\0more")));
}

static void hashes_that_are_cut_never_match(void **state)
{
    static const char *const whole[] = { "$apr1$abcdefgh$EfExgQSMBXioDhIVk8IOb1",
        "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=" };
    static const char *const passwords[] = { "myPassword", "secret", "password" };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t size = 0; size < strlen(whole[i]); size++) {
            char *cut = strndup(whole[i], size);

            assert_false(verifies(cut, passwords[i]));
            free(cut);
        }
}

static void lines_are_found_and_checked(void **state)
{
    struct slice text = SLICE("# comment\n\n ann:one\r\nbob:two:three\nann:last\nnobody\n"), hash;
    struct error err = { "" };

    (void)state;
    assert_true(htpasswd_find(text, SLICE("ann"), &hash));
    assert_true(slice_equal(hash, SLICE("last")));
    assert_true(htpasswd_find(text, SLICE("bob"), &hash));
    assert_true(slice_equal(hash, SLICE("two:three")));
    assert_false(htpasswd_find(text, SLICE("nobody"), &hash));
    assert_false(htpasswd_find(text, SLICE("# comment"), &hash));
    assert_false(htpasswd_find(slice_of(NULL, 0), SLICE("ann"), &hash));
    assert_false(htpasswd_check(text, &err));
    assert_non_null(strstr(err.message, "line 6"));
    assert_false(htpasswd_check(SLICE("ann:$nosuch$x"), &err));
    assert_non_null(strstr(err.message, "\"ann\""));
    assert_true(htpasswd_check(SLICE("ann:$2y$10$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\nbob:x"), &err));
}

/* ---- basicauth ---- */

static void basic_requests_are_checked(void **state)
{
    struct instance_under_test made =
        start(&basicauth_extension, "{htpasswd: {inline: \"ann:secret\\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\"}}");
    static const char *const wrong[] = { NULL, "", "Basic", "Basic ", "Basic !!!!", "Basic YW5u",
        "Bearer YW5uOnNlY3JldA==", "Basic YW5uOnNlY3JldHM=", "Basic YW5uOnNlY3Jl",
        "Basic YW5uOg==", "Basic OnNlY3JldA==", "Basic Y2FybDpzZWNyZXQ=", "Basic YW5uOnNlY3JldA=", "YW5uOnNlY3JldA==" };

    (void)state;
    assert_true(passes(&made, "Basic YW5uOnNlY3JldA=="));   /* ann:secret */
    assert_true(passes(&made, "basic   YW5uOnNlY3JldA==")); /* the scheme in any case */
    assert_true(passes(&made, "Basic Ym9iOnBhc3N3b3Jk"));   /* bob:password */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(passes(&made, wrong[i]));
    end(&made);
}

static void basic_credentials_of_any_length_are_bounded(void **state)
{
    struct instance_under_test made = start(&basicauth_extension, "{htpasswd: {inline: \"ann:secret\"}}");
    char *header = malloc(70000);

    (void)state;
    for (size_t size = 4; size < 65000; size = size < 2000 ? size + 4 : size * 2) {
        memcpy(header, "Basic ", 6);
        memset(header + 6, 'O', size);
        header[6 + size] = '\0';
        assert_false(passes(&made, header));
    }
    free(header);
    end(&made);
}

/* What a slow hash answered is remembered; a wrong password never is taken for a right one, nor the other way round. */
static void slow_hashes_are_remembered(void **state)
{
    struct instance_under_test made =
        start(&basicauth_extension, "{htpasswd: {inline: \"ann:$$2b$$10$$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u\"}}");

    (void)state;
    for (int i = 0; i < 200; i++) /* 20 s, if each were hashed */
        assert_false(passes(&made, "Basic YW5uOndyb25n"));
    end(&made);
    made = start(&basicauth_extension, "{htpasswd: {inline: \"ann:$$2b$$04$$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\"}}");
    for (int i = 0; i < 200; i++) {
        assert_true(passes(&made, "Basic YW5uOnNlY3JldA=="));
        assert_false(passes(&made, "Basic YW5uOndyb25n"));
    }
    end(&made);
}

static void the_htpasswd_file_is_read_again(void **state)
{
    const char *path = write_file("htpasswd", "ann:old\n");
    struct instance_under_test made =
        start(&basicauth_extension, arena_printf(&configuration, "{htpasswd: {file: %s, inline: \"bob:b\"}}", path));

    (void)state;
    assert_true(passes(&made, "Basic YW5uOm9sZA=="));
    assert_true(passes(&made, "Basic Ym9iOmI="));
    write_file("htpasswd", "ann:newer\n");
    for (int i = 0; i < 3000 && !passes(&made, "Basic YW5uOm5ld2Vy"); i++)
        poll(NULL, 0, 1);
    assert_true(passes(&made, "Basic YW5uOm5ld2Vy"));
    assert_false(passes(&made, "Basic YW5uOm9sZA=="));
    end(&made);
}

static void basic_credentials_are_sent(void **state)
{
    struct instance_under_test made = start(&basicauth_extension, "{client_auth: {username: ann, password: secret}}");
    const char *user = write_file("user", "bob\n"), *password = write_file("password", "password\n");
    struct buffer headers = { 0 };
    struct error err = { "" };

    (void)state;
    assert_sends(&made, "Authorization: Basic YW5uOnNlY3JldA==\n");
    assert_false(passes(&made, "Basic YW5uOnNlY3JldA=="));
    end(&made);
    made = start(&basicauth_extension,
        arena_printf(&configuration, "{client_auth: {username: x, username_file: %s, password_file: %s}}", user, password));
    assert_sends(&made, "Authorization: Basic Ym9iOnBhc3N3b3Jk\n");
    end(&made);
    made = start(&basicauth_extension, "{client_auth: {username: \"a:b\", password: secret}}");
    assert_false(made.component->type->authenticator->headers(made.component, &headers, &err));
    assert_non_null(strstr(err.message, "colon"));
    buffer_fini(&headers);
    end(&made);
}

static void basic_settings_are_checked(void **state)
{
    (void)state;
    assert_does_not_start(&basicauth_extension, "{}", "no credentials");
    assert_does_not_start(&basicauth_extension, "{htpasswd: {}}", "file or inline");
    assert_does_not_start(&basicauth_extension, "{htpasswd: {inline: \"a:b\"}, client_auth: {username: a}}", "only one");
    assert_does_not_start(&basicauth_extension, "{htpasswd: {inline: nonsense}}", "line 1");
    assert_does_not_start(&basicauth_extension, "{htpasswd: {file: /nowhere/htpasswd}}", "/nowhere/htpasswd");
    assert_does_not_start(&basicauth_extension, "{htpasswd: {file: /tmp}}", "not a file");
}

/* ---- bearertokenauth ---- */

static void bearer_requests_are_checked(void **state)
{
    struct instance_under_test made = start(&bearertokenauth_extension, "{token: abc}");
    static const char *const wrong[] = { NULL, "", "abc", "Bearer", "Bearer ", "Bearer ab", "Bearer abcd", "Basic abc", "Bearerabc" };

    (void)state;
    assert_true(passes(&made, "Bearer abc"));
    assert_true(passes(&made, "bearer abc"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(passes(&made, wrong[i]));
    assert_sends(&made, "Authorization: Bearer abc\n");
    end(&made);
    made = start(&bearertokenauth_extension, "{tokens: [one, two], scheme: \"\", header: X-Key}");
    assert_true(passes_by(made.component, "x-key", "one"));
    assert_true(passes_by(made.component, "x-key", "two"));
    assert_false(passes_by(made.component, "x-key", "three"));
    assert_false(passes(&made, "one"));
    assert_sends(&made, "X-Key: one\n");
    end(&made);
}

static void the_token_file_is_read_again(void **state)
{
    const char *path = write_file("token", "first\r\n\n second \n");
    struct instance_under_test made =
        start(&bearertokenauth_extension, arena_printf(&configuration, "{filename: %s, token: ignored}", path));

    (void)state;
    assert_true(passes(&made, "Bearer first"));
    assert_true(passes(&made, "Bearer second"));
    assert_false(passes(&made, "Bearer "));
    assert_false(passes(&made, "Bearer ignored"));
    assert_sends(&made, "Authorization: Bearer first\n");
    write_file("token", "third, and longer");
    for (int i = 0; i < 3000 && !passes(&made, "Bearer third, and longer"); i++)
        poll(NULL, 0, 1);
    assert_true(passes(&made, "Bearer third, and longer"));
    assert_false(passes(&made, "Bearer first"));
    unlink(path);
    poll(NULL, 0, 1100);
    assert_true(passes(&made, "Bearer third, and longer")); /* what was there stays */
    end(&made);
}

static void bearer_settings_are_checked(void **state)
{
    (void)state;
    assert_does_not_start(&bearertokenauth_extension, "{}", "no token");
    assert_does_not_start(&bearertokenauth_extension, "{tokens: [a, \"\"]}", "number 2 is empty");
    assert_does_not_start(&bearertokenauth_extension, "{token: \"a\\nX-Other: b\"}", "line breaks");
    assert_does_not_start(&bearertokenauth_extension, "{filename: /nowhere/token}", "/nowhere/token");
}

static void *check_often(void *context)
{
    const struct instance_under_test *made = context;

    for (int i = 0; i < 2000; i++)
        if (!passes_by(made->component, "Authorization", "Basic YW5uOnNlY3JldA=="))
            return context;
    return NULL;
}

static void many_threads_may_check(void **state)
{
    const char *path = write_file("shared", "ann:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n");
    struct instance_under_test made = start(&basicauth_extension, arena_printf(&configuration, "{htpasswd: {file: %s}}", path));
    pthread_t threads[4];
    void *failed;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, &made), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    end(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_verified),
        cmocka_unit_test(hashes_that_are_cut_never_match),
        cmocka_unit_test(lines_are_found_and_checked),
        cmocka_unit_test(basic_requests_are_checked),
        cmocka_unit_test(basic_credentials_of_any_length_are_bounded),
        cmocka_unit_test(slow_hashes_are_remembered),
        cmocka_unit_test(the_htpasswd_file_is_read_again),
        cmocka_unit_test(basic_credentials_are_sent),
        cmocka_unit_test(basic_settings_are_checked),
        cmocka_unit_test(bearer_requests_are_checked),
        cmocka_unit_test(the_token_file_is_read_again),
        cmocka_unit_test(bearer_settings_are_checked),
        cmocka_unit_test(many_threads_may_check),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
