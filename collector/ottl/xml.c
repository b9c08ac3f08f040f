/*
 * The wrapper around libxml2. Its functions are called through a table that is filled when a statement first asks for it, and never
 * changed afterwards. Threads: any; a tree belongs to one.
 */
#include "collector/ottl/xml.h"

#include <dlfcn.h>
#include <libxml/parser.h>
#include <libxml/xmlsave.h>
#include <libxml/xpath.h>
#include <stdlib.h>

enum { STEPS_MAX = 1000000 };

static const char *const file_name = "libxml2.so.2";

#define WRAPPER "weir-fragment"
#define WRAPPER_START "<" WRAPPER ">"
#define WRAPPER_END "</" WRAPPER ">"

static struct {
    bool loaded;
    __typeof__(xmlInitParser) *init;
    __typeof__(xmlReadMemory) *read;
    __typeof__(xmlFreeDoc) *free_document;
    __typeof__(xmlDocGetRootElement) *root;
    __typeof__(xmlUnlinkNode) *unlink;
    __typeof__(xmlFreeNode) *free_node;
    __typeof__(xmlAddChild) *add_child;
    __typeof__(xmlDocCopyNode) *copy_node;
    __typeof__(xmlNewDocNode) *new_node;
    __typeof__(xmlNewTextChild) *new_text_child;
    __typeof__(xmlReplaceNode) *replace;
    __typeof__(xmlRemoveProp) *remove_attribute;
    __typeof__(xmlNodeListGetString) *text_of;
    __typeof__(xmlBufferCreate) *buffer_create;
    __typeof__(xmlBufferFree) *buffer_free;
    __typeof__(xmlBufferContent) *buffer_content;
    __typeof__(xmlBufferLength) *buffer_length;
    __typeof__(xmlSaveToBuffer) *save_to_buffer;
    __typeof__(xmlSaveTree) *save_tree;
    __typeof__(xmlSaveClose) *save_close;
    __typeof__(xmlXPathNewContext) *xpath_context;
    __typeof__(xmlXPathFreeContext) *xpath_context_free;
    __typeof__(xmlXPathCtxtCompile) *xpath_compile;
    __typeof__(xmlXPathFreeCompExpr) *xpath_free;
    __typeof__(xmlXPathCompiledEval) *xpath_evaluate;
    __typeof__(xmlXPathFreeObject) *xpath_object_free;
    void (**free_text)(void *); /* the variable xmlFree */
} library;

static const struct {
    const char *name;
    void *place;
} symbols[] = {
    { "xmlInitParser", &library.init },
    { "xmlReadMemory", &library.read },
    { "xmlFreeDoc", &library.free_document },
    { "xmlDocGetRootElement", &library.root },
    { "xmlUnlinkNode", &library.unlink },
    { "xmlFreeNode", &library.free_node },
    { "xmlAddChild", &library.add_child },
    { "xmlDocCopyNode", &library.copy_node },
    { "xmlNewDocNode", &library.new_node },
    { "xmlNewTextChild", &library.new_text_child },
    { "xmlReplaceNode", &library.replace },
    { "xmlRemoveProp", &library.remove_attribute },
    { "xmlNodeListGetString", &library.text_of },
    { "xmlBufferCreate", &library.buffer_create },
    { "xmlBufferFree", &library.buffer_free },
    { "xmlBufferContent", &library.buffer_content },
    { "xmlBufferLength", &library.buffer_length },
    { "xmlSaveToBuffer", &library.save_to_buffer },
    { "xmlSaveTree", &library.save_tree },
    { "xmlSaveClose", &library.save_close },
    { "xmlXPathNewContext", &library.xpath_context },
    { "xmlXPathFreeContext", &library.xpath_context_free },
    { "xmlXPathCtxtCompile", &library.xpath_compile },
    { "xmlXPathFreeCompExpr", &library.xpath_free },
    { "xmlXPathCompiledEval", &library.xpath_evaluate },
    { "xmlXPathFreeObject", &library.xpath_object_free },
    { "xmlFree", &library.free_text },
};

bool ottl_xml_load(struct error *err)
{
    void *handle;

    if (library.loaded)
        return true;
    handle = dlopen(file_name, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return fail(err, "the functions of XML need %s, which is not installed; install libxml2", file_name);
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (found == NULL)
            return fail(err, "%s has no %s", file_name, symbols[i].name);
        memcpy(symbols[i].place, &found, sizeof(found));
    }
    library.init();
    library.loaded = true;
    return true;
}

/* ---- parsing ---- */

static void ignore(void *context, xmlError *error)
{
    (void)context;
    (void)error;
}

/* "<?xml ... ?>" in front. */
static struct slice take_declaration(struct slice *text)
{
    struct slice rest = *text, declaration;
    const uint8_t *end;

    if (!slice_starts_with(rest, SLICE("<?xml ")))
        return (struct slice){ NULL, 0 };
    end = memmem(rest.data, rest.size, "?>", 2);
    if (end == NULL)
        return (struct slice){ NULL, 0 };
    declaration = slice_of(rest.data, (size_t)(end + 2 - rest.data));
    *text = slice_of(end + 2, rest.size - declaration.size);
    return declaration;
}

/* The wrapper's children become those of the document. */
static void unwrap(xmlDoc *document)
{
    xmlNode *wrapper = library.root(document), *next;

    library.unlink(wrapper);
    for (xmlNode *child = wrapper->children; child != NULL; child = next) {
        next = child->next;
        library.unlink(child);
        library.add_child((xmlNode *)document, child);
    }
    library.free_node(wrapper);
}

bool ottl_xml_parse(struct slice text, struct ottl_xml *xml, struct error *err)
{
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_COMPACT;
    struct buffer wrapped = { .data = NULL };

    xml->document = NULL;
    xml->declaration = take_declaration(&text);
    buffer_append_string(&wrapped, WRAPPER_START);
    buffer_append_slice(&wrapped, text);
    buffer_append_string(&wrapped, WRAPPER_END);
    if (!wrapped.failed && wrapped.size <= INT32_MAX)
        xml->document = library.read((const char *)wrapped.data, (int)wrapped.size, NULL, "UTF-8", options);
    buffer_fini(&wrapped);
    if (xml->document == NULL || library.root(xml->document) == NULL) {
        ottl_xml_free(xml);
        return fail(err, "parse xml: \"%.*s%s\" is not well-formed", (int)(text.size < 60 ? text.size : 60), (const char *)text.data,
            text.size < 60 ? "" : "...");
    }
    unwrap(xml->document);
    return true;
}

void ottl_xml_free(struct ottl_xml *xml)
{
    if (xml->document != NULL)
        library.free_document(xml->document);
    xml->document = NULL;
}

/* ---- writing ---- */

void ottl_xml_write_node(const xmlNode *node, struct buffer *out)
{
    xmlBuffer *text = library.buffer_create();
    xmlSaveCtxt *save = text != NULL ? library.save_to_buffer(text, "UTF-8", XML_SAVE_NO_EMPTY | XML_SAVE_NO_DECL | XML_SAVE_AS_XML) : NULL;

    if (save != NULL) {
        library.save_tree(save, (xmlNode *)(uintptr_t)node);
        library.save_close(save);
        buffer_append(out, library.buffer_content(text), (size_t)library.buffer_length(text));
    } else {
        out->failed = true;
    }
    if (text != NULL)
        library.buffer_free(text);
}

void ottl_xml_write(const struct ottl_xml *xml, struct buffer *out)
{
    buffer_append_slice(out, xml->declaration);
    for (const xmlNode *node = xml->document->children; node != NULL; node = node->next)
        ottl_xml_write_node(node, out);
}

/* ---- selecting ---- */

static xmlXPathContext *open_context(xmlDoc *document)
{
    xmlXPathContext *context = library.xpath_context(document);

    if (context == NULL)
        return NULL;
    context->error = ignore;
    context->opLimit = STEPS_MAX;
    return context;
}

static xmlXPathCompExpr *compile(xmlXPathContext *context, struct slice path)
{
    char copy[1024];

    if (path.size >= sizeof(copy) || memchr(path.data, '\0', path.size) != NULL)
        return NULL;
    memcpy(copy, path.data, path.size);
    copy[path.size] = '\0';
    return library.xpath_compile(context, (const xmlChar *)copy);
}

bool ottl_xml_check_path(struct slice path, struct error *err)
{
    xmlXPathContext *context = open_context(NULL);
    xmlXPathCompExpr *compiled = context != NULL ? compile(context, path) : NULL;
    bool ok = compiled != NULL;

    if (compiled != NULL)
        library.xpath_free(compiled);
    if (context != NULL)
        library.xpath_context_free(context);
    return ok || fail(err, "invalid xpath \"%.*s\"", SLICE_PRINT(path));
}

static bool copy_nodes(const xmlNodeSet *set, struct ottl_xml_nodes *found)
{
    if (set == NULL || set->nodeNr <= 0)
        return true;
    found->count = (size_t)set->nodeNr;
    found->nodes = malloc(found->count * sizeof(*found->nodes));
    if (found->nodes == NULL)
        return false;
    memcpy(found->nodes, set->nodeTab, found->count * sizeof(*found->nodes));
    return true;
}

bool ottl_xml_select(const struct ottl_xml *xml, struct slice path, struct ottl_xml_nodes *found, struct error *err)
{
    xmlXPathContext *context = open_context(xml->document);
    xmlXPathCompExpr *compiled = context != NULL ? compile(context, path) : NULL;
    xmlXPathObject *object = compiled != NULL ? library.xpath_evaluate(compiled, context) : NULL;
    bool ok = object != NULL && object->type == XPATH_NODESET;

    *found = (struct ottl_xml_nodes){ NULL, 0 };
    ok = ok && copy_nodes(object->nodesetval, found);
    if (object != NULL)
        library.xpath_object_free(object);
    if (compiled != NULL)
        library.xpath_free(compiled);
    if (context != NULL)
        library.xpath_context_free(context);
    return ok || fail(err, "xpath \"%.*s\" selects no nodes, or takes too many steps", SLICE_PRINT(path));
}

/* ---- changing ---- */

void ottl_xml_remove(xmlNode *node)
{
    library.unlink(node);
    library.free_node(node);
}

void ottl_xml_remove_attribute(xmlAttr *attribute)
{
    library.remove_attribute(attribute);
}

void ottl_xml_append_copies(xmlNode *parent, const struct ottl_xml *other)
{
    xmlDoc *document = parent->doc;

    for (xmlNode *child = other->document->children; child != NULL; child = child->next) {
        xmlNode *copy = library.copy_node(child, document, 1);
        if (copy != NULL && library.add_child(parent, copy) == NULL)
            library.free_node(copy);
    }
}

void ottl_xml_append_text_element(xmlNode *parent, const char *name, const char *text)
{
    library.new_text_child(parent, NULL, (const xmlChar *)name, (const xmlChar *)text);
}

void ottl_xml_wrap_text(xmlNode *text, const char *name)
{
    xmlNode *element = library.new_node(text->doc, NULL, (const xmlChar *)name, NULL);

    if (element == NULL)
        return;
    library.replace(text, element);
    library.add_child(element, text);
}

char *ottl_xml_attribute_text(const xmlAttr *attribute)
{
    return (char *)library.text_of(attribute->doc, attribute->children, 1);
}

void ottl_xml_free_text(char *text)
{
    if (text != NULL)
        (*library.free_text)(text);
}
