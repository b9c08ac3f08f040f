/*
 * XML fragments as trees, by libxml2, which is loaded when the first statement of a configuration needs it: few do, and the
 * library costs every process megabytes. Internal to collector/ottl.
 *
 * A fragment is what stands between two tags: any number of elements and texts, with an XML declaration in front or not. No
 * network, no external entities, no DTD; libxml2's own limits hold (256 levels, 10 MB a text).
 */
#ifndef WEIR_OTTL_XML_H
#define WEIR_OTTL_XML_H

#include <libxml/tree.h>

#include "collector/base/buffer.h"
#include "collector/base/error.h"

struct ottl_xml {
    xmlDoc *document;         /* the fragment's parts are the children of the document itself */
    struct slice declaration; /* borrowed from the text; empty: there was none */
};

/* Start-up; false when the library is not installed. */
bool ottl_xml_load(struct error *err);
/* Start-up: is it an XPath expression? */
bool ottl_xml_check_path(struct slice path, struct error *err);

/* False when the text is no XML, or memory is out. */
bool ottl_xml_parse(struct slice text, struct ottl_xml *xml, struct error *err);
void ottl_xml_free(struct ottl_xml *xml);
/* Appends the text of the fragment, without shortened empty elements; of one node. */
void ottl_xml_write(const struct ottl_xml *xml, struct buffer *out);
void ottl_xml_write_node(const xmlNode *node, struct buffer *out);

/* The nodes that the path selects, in the order of the document. False with an error; free() the list. */
struct ottl_xml_nodes {
    xmlNode **nodes;
    size_t count;
};
bool ottl_xml_select(const struct ottl_xml *xml, struct slice path, struct ottl_xml_nodes *found, struct error *err);

/* ---- changes; what memory cannot be had for is left out ---- */

void ottl_xml_remove(xmlNode *node);
void ottl_xml_remove_attribute(xmlAttr *attribute);
/* Appends copies of the children of the other fragment. */
void ottl_xml_append_copies(xmlNode *parent, const struct ottl_xml *other);
/* A new last child <name>text</name>. */
void ottl_xml_append_text_element(xmlNode *parent, const char *name, const char *text);
/* The text node becomes <name>text</name>. */
void ottl_xml_wrap_text(xmlNode *text, const char *name);

/* The whole text of an attribute, NUL-terminated; free with ottl_xml_free_text(). NULL when memory is out. */
char *ottl_xml_attribute_text(const xmlAttr *attribute);
void ottl_xml_free_text(char *text);

#endif
