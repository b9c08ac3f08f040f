/*
 * Converters of XML: selecting, changing, and XML as maps. Each call parses its text into a tree of some 20 times its size, and
 * frees it again. Threads: the machine's.
 */
#include <stdlib.h>

#include "collector/ottl/program.h"
#include "collector/ottl/xml.h"

enum { KEY = 1, VALUE = 2, ITEMS = 1 };

/* ---- what the functions share ---- */

static struct slice name_of(const xmlNode *node)
{
    return slice_of_string((const char *)node->name);
}

static struct slice content_of(const xmlNode *node)
{
    return slice_of_string(node->content != NULL ? (const char *)node->content : "");
}

static bool is_text(const xmlNode *node)
{
    return node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
}

/* Parses the first argument. */
static bool parse_target(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_xml *xml)
{
    struct slice text = { NULL, 0 };
    struct error err;

    return ottl_argument_string(call, 0, machine, &text) && (ottl_xml_parse(text, xml, &err) || ottl_fail(machine, "%s", err.message));
}

static bool write_back(struct ottl_machine *machine, struct ottl_xml *xml, struct ottl_value *value)
{
    ottl_xml_write(xml, ottl_work(machine));
    ottl_xml_free(xml);
    return ottl_give_string(machine, value);
}

/* The path argument is a literal (or left out), so that it is checked at start. */
static bool prepare_path(struct ottl_call *call, struct arena *arena, struct error *err)
{
    (void)arena;
    return ottl_xml_load(err) && (call->arguments[1] == NULL || ottl_xml_check_path(call->arguments[1]->value.bytes, err));
}

static bool prepare_plain(struct ottl_call *call, struct arena *arena, struct error *err)
{
    (void)call;
    (void)arena;
    return ottl_xml_load(err);
}

/* Parses the first argument and selects by the second. False with nothing to free. */
static bool open_selection(
    const struct ottl_call *call, struct ottl_machine *machine, const char *otherwise, struct ottl_xml *xml, struct ottl_xml_nodes *found)
{
    const struct ottl_expression *path = call->arguments[1];
    struct error err;

    if (!parse_target(call, machine, xml))
        return false;
    if (ottl_xml_select(xml, path != NULL ? path->value.bytes : slice_of_string(otherwise), found, &err))
        return true;
    ottl_xml_free(xml);
    return ottl_fail(machine, "%s", err.message);
}

/* ---- GetXML, RemoveXML, InsertXML ---- */

static void put_attribute_text(const xmlNode *node, struct buffer *out)
{
    char *text = ottl_xml_attribute_text((const xmlAttr *)(const void *)node);

    buffer_append_string(out, text != NULL ? text : "");
    ottl_xml_free_text(text);
}

static bool run_get(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_xml_nodes found;
    struct ottl_xml xml;

    if (!open_selection(call, machine, "/", &xml, &found))
        return false;
    struct buffer *work = ottl_work(machine);
    for (size_t i = 0; i < found.count; i++) {
        const xmlNode *node = found.nodes[i];
        if (node->type == XML_ATTRIBUTE_NODE)
            put_attribute_text(node, work);
        else if (node->type == XML_CDATA_SECTION_NODE)
            buffer_append_slice(work, content_of(node));
        else if (node->type == XML_DOCUMENT_NODE)
            ottl_xml_write(&xml, work);
        else
            ottl_xml_write_node(node, work);
    }
    free(found.nodes);
    ottl_xml_free(&xml);
    return ottl_give_string(machine, value);
}

static bool is_below(const xmlNode *node, const xmlNode *above)
{
    while (node != NULL && node != above)
        node = node->parent;
    return node != NULL;
}

/* Nodes come in the order of the document: what is below one that goes follows it at once. */
static bool run_remove(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    const xmlNode *above = NULL;
    struct ottl_xml_nodes found;
    struct ottl_xml xml;
    size_t kept = 0;

    if (!open_selection(call, machine, "/", &xml, &found))
        return false;
    for (size_t i = 0; i < found.count; i++) {
        if (found.nodes[i]->type == XML_DOCUMENT_NODE || (above != NULL && is_below(found.nodes[i], above)))
            continue;
        above = found.nodes[i];
        found.nodes[kept++] = found.nodes[i];
    }
    for (size_t i = 0; i < kept; i++) {
        if (found.nodes[i]->type == XML_ATTRIBUTE_NODE)
            ottl_xml_remove_attribute((xmlAttr *)(void *)found.nodes[i]);
        else
            ottl_xml_remove(found.nodes[i]);
    }
    free(found.nodes);
    return write_back(machine, &xml, value);
}

static bool insert_all(struct ottl_machine *machine, const struct ottl_xml_nodes *found, const struct ottl_xml *part)
{
    for (size_t i = 0; i < found->count; i++) {
        xmlNode *node = found->nodes[i];
        if (node->type != XML_ELEMENT_NODE && node->type != XML_DOCUMENT_NODE)
            return ottl_fail(machine, "InsertXML XPath selected non-element: \"%s\"", is_text(node) ? content_of(node).data : node->name);
        ottl_xml_append_copies(node, part);
    }
    return true;
}

static bool run_insert(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_xml_nodes found;
    struct ottl_xml xml, part;
    struct slice text = { NULL, 0 };
    struct error err;
    bool ok;

    if (!ottl_argument_string(call, 2, machine, &text))
        return false;
    if (!open_selection(call, machine, "/", &xml, &found))
        return false;
    ok = ottl_xml_parse(text, &part, &err) || ottl_fail(machine, "%s", err.message);
    if (ok) {
        ok = insert_all(machine, &found, &part);
        ottl_xml_free(&part);
    }
    free(found.nodes);
    if (ok)
        return write_back(machine, &xml, value);
    ottl_xml_free(&xml);
    return false;
}

/* ---- ConvertAttributesToElementsXML, ConvertTextToElementsXML ---- */

static void move_attribute(xmlAttr *attribute)
{
    char *text = ottl_xml_attribute_text(attribute);

    ottl_xml_append_text_element(attribute->parent, (const char *)attribute->name, text != NULL ? text : "");
    ottl_xml_free_text(text);
    ottl_xml_remove_attribute(attribute);
}

static bool run_attributes_to_elements(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_xml_nodes found;
    struct ottl_xml xml;

    if (!open_selection(call, machine, "//@*", &xml, &found))
        return false;
    for (size_t i = 0; i < found.count; i++) {
        if (found.nodes[i]->type == XML_ATTRIBUTE_NODE)
            move_attribute((xmlAttr *)(void *)found.nodes[i]);
    }
    free(found.nodes);
    return write_back(machine, &xml, value);
}

/* Texts beside elements or other texts become elements of their own, on every level. Depth: libxml2's 256. */
static void wrap_texts(xmlNode *parent, const char *name)
{
    size_t texts = 0, elements = 0;
    xmlNode *next;

    if (parent->type != XML_ELEMENT_NODE && parent->type != XML_DOCUMENT_NODE)
        return;
    for (xmlNode *child = parent->children; child != NULL; child = child->next) {
        texts += child->type == XML_TEXT_NODE;
        elements += child->type == XML_ELEMENT_NODE;
        if (child->type == XML_ELEMENT_NODE)
            wrap_texts(child, name);
    }
    if (texts == 0 || texts + elements <= 1)
        return;
    for (xmlNode *child = parent->children; child != NULL; child = next) {
        next = child->next;
        if (child->type == XML_TEXT_NODE)
            ottl_xml_wrap_text(child, name);
    }
}

static bool run_text_to_elements(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice name = SLICE("value");
    struct ottl_xml_nodes found;
    struct ottl_xml xml;
    char *text;

    if (!ottl_argument_string(call, 2, machine, &name))
        return false;
    text = ottl_alloc(machine, name.size + 1);
    if (text == NULL || !open_selection(call, machine, "/", &xml, &found))
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    for (size_t i = 0; i < found.count; i++)
        wrap_texts(found.nodes[i], text);
    free(found.nodes);
    return write_back(machine, &xml, value);
}

/* ---- ParseXML: tag, attributes, content, children ---- */

static void put_string(struct buffer *out, const char *key, struct slice text)
{
    struct ottl_value value = ottl_string(text);

    ottl_put_entry(out, slice_of_string(key), &value);
}

static void put_attributes(const xmlNode *node, struct buffer *out)
{
    size_t entry = pb_open(out, ITEMS);

    pb_put_bytes(out, KEY, SLICE("attributes"));
    size_t value = pb_open(out, VALUE), map = pb_open(out, OTTL_MAP);
    for (const xmlAttr *attribute = node->properties; attribute != NULL; attribute = attribute->next) {
        char *text = ottl_xml_attribute_text(attribute);
        put_string(out, (const char *)attribute->name, slice_of_string(text != NULL ? text : ""));
        ottl_xml_free_text(text);
    }
    pb_close(out, map);
    pb_close(out, value);
    pb_close(out, entry);
}

/* The texts of an element without the blanks around each. */
static void put_content(const xmlNode *node, struct buffer *out)
{
    struct buffer text = { .data = NULL };

    for (const xmlNode *child = node->children; child != NULL; child = child->next) {
        if (is_text(child))
            buffer_append_slice(&text, slice_trim(content_of(child)));
    }
    if (text.size > 0)
        put_string(out, "content", buffer_slice(&text));
    out->failed |= text.failed;
    buffer_fini(&text);
}

static bool has_elements(const xmlNode *node)
{
    const xmlNode *child = node->children;

    while (child != NULL && child->type != XML_ELEMENT_NODE)
        child = child->next;
    return child != NULL;
}

/* The entries of the map that an element becomes. */
static void put_element(const xmlNode *node, struct buffer *out)
{
    put_string(out, "tag", name_of(node));
    if (node->properties != NULL)
        put_attributes(node, out);
    put_content(node, out);
    if (!has_elements(node))
        return;
    size_t entry = pb_open(out, ITEMS);
    pb_put_bytes(out, KEY, SLICE("children"));
    size_t value = pb_open(out, VALUE), list = pb_open(out, OTTL_LIST);
    for (const xmlNode *child = node->children; child != NULL; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        size_t item = pb_open(out, ITEMS), map = pb_open(out, OTTL_MAP);
        put_element(child, out);
        pb_close(out, map);
        pb_close(out, item);
    }
    pb_close(out, list);
    pb_close(out, value);
    pb_close(out, entry);
}

/* The one element of the fragment; NULL when there is none, or more. */
static const xmlNode *only_element(const struct ottl_xml *xml)
{
    const xmlNode *only = NULL;

    for (const xmlNode *node = xml->document->children; node != NULL; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && only != NULL)
            return NULL;
        if (node->type == XML_ELEMENT_NODE)
            only = node;
        else if (is_text(node) && slice_trim(content_of(node)).size > 0)
            return NULL;
    }
    return only;
}

static bool keep_map(struct ottl_machine *machine, struct ottl_xml *xml, struct ottl_value *value)
{
    ottl_xml_free(xml);
    return ottl_give_map(machine, value);
}

static bool run_parse(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    const xmlNode *root;
    struct ottl_xml xml;

    if (!parse_target(call, machine, &xml))
        return false;
    root = only_element(&xml);
    if (root == NULL) {
        ottl_xml_free(&xml);
        return ottl_fail(machine, "trailing bytes after parsing xml: expected one element");
    }
    put_element(root, ottl_work(machine));
    return keep_map(machine, &xml, value);
}

/* ---- ParseSimplifiedXML: elements as entries, repeated ones as lists; attributes and stray texts are left out ---- */

enum { COMPARISONS_MAX = 10000000 };

struct simplifying {
    struct buffer *out;
    size_t comparisons; /* of names: siblings are looked up among each other */
};

static bool put_simplified(struct simplifying *self, const xmlNode *parent);

/* What an element is worth: its text, or a map of its elements. False, and nothing written: neither. */
static bool put_simplified_value(struct simplifying *self, const xmlNode *node)
{
    const xmlNode *text = node->children;
    size_t start = self->out->size, map;

    while (text != NULL && !is_text(text))
        text = text->next;
    if (!has_elements(node)) {
        if (text == NULL || content_of(text).size == 0)
            return false;
        pb_put_bytes(self->out, OTTL_STRING, content_of(text));
        return true;
    }
    map = pb_open(self->out, OTTL_MAP);
    if (!put_simplified(self, node)) {
        self->out->size = start;
        return false;
    }
    pb_close(self->out, map);
    return true;
}

static const xmlNode *next_of_name(struct simplifying *self, const xmlNode *node, const xmlChar *name)
{
    while (node != NULL && (node->type != XML_ELEMENT_NODE || strcmp((const char *)node->name, (const char *)name) != 0)) {
        node = node->next;
        self->comparisons++;
    }
    return node;
}

static bool put_simplified_list(struct simplifying *self, const xmlNode *first)
{
    size_t list = pb_open(self->out, OTTL_LIST);

    for (const xmlNode *node = first; node != NULL; node = next_of_name(self, node->next, first->name)) {
        size_t start = self->out->size, item = pb_open(self->out, ITEMS);
        if (put_simplified_value(self, node))
            pb_close(self->out, item);
        else
            self->out->size = start;
    }
    pb_close(self->out, list);
    return true;
}

static void put_simplified_entry(struct simplifying *self, const xmlNode *node)
{
    bool repeated = next_of_name(self, node->next, node->name) != NULL;
    size_t start = self->out->size, entry = pb_open(self->out, ITEMS);

    pb_put_bytes(self->out, KEY, name_of(node));
    size_t value = pb_open(self->out, VALUE);
    if (!(repeated ? put_simplified_list(self, node) : put_simplified_value(self, node))) {
        self->out->size = start;
        return;
    }
    pb_close(self->out, value);
    pb_close(self->out, entry);
}

/* Each name once, at the place of its first element. True when anything was written. */
static bool put_simplified(struct simplifying *self, const xmlNode *parent)
{
    size_t before = self->out->size;

    for (const xmlNode *node = parent->children; node != NULL && self->comparisons < COMPARISONS_MAX; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && node->children != NULL && next_of_name(self, parent->children, node->name) == node)
            put_simplified_entry(self, node);
    }
    return self->out->size > before;
}

static bool run_parse_simplified(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct simplifying self = { .comparisons = 0 };
    struct ottl_xml xml;

    if (!parse_target(call, machine, &xml))
        return false;
    self.out = ottl_work(machine);
    put_simplified(&self, (const xmlNode *)(const void *)xml.document);
    if (!keep_map(machine, &xml, value))
        return false;
    return self.comparisons < COMPARISONS_MAX || ottl_fail(machine, "too many different elements beside each other");
}

const struct ottl_function ottl_xml_functions[] = {
    { "GetXML", "target:value,xpath:literal", run_get, prepare_path, false, false, 0 },
    { "RemoveXML", "target:value,xpath:literal", run_remove, prepare_path, false, false, 0 },
    { "InsertXML", "target:value,xpath:literal,subDocument:value", run_insert, prepare_path, false, false, 0 },
    { "ConvertAttributesToElementsXML", "target:value,?xpath:literal", run_attributes_to_elements, prepare_path, false, false, 0 },
    { "ConvertTextToElementsXML", "target:value,?xpath:literal,?elementName:value", run_text_to_elements, prepare_path, false, false, 0 },
    { "ParseXML", "target:value", run_parse, prepare_plain, false, false, 0 },
    { "ParseSimplifiedXML", "target:value", run_parse_simplified, prepare_plain, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
