#ifndef DOTWARD_CONFIG_JSON_SCHEMA_H_
#define DOTWARD_CONFIG_JSON_SCHEMA_H_

#include <string>

namespace dotward {

// docs/dotward.schema.json, made from the schema: what an editor or a pipeline can check without dotward (JSON Schema,
// draft 2020-12). It accepts every file that the loader accepts; what one value cannot show, and the range of durations
// and sizes, is left to `dotward check`. A test compares the file with this and can write it anew.
std::string RenderJsonSchema();

}  // namespace dotward

#endif  // DOTWARD_CONFIG_JSON_SCHEMA_H_
