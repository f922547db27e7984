// The fields of one task in JSON and CSV, and JSON objects made of fields.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "summary/task_row.h"

namespace sparkles {

struct Field {
  const char* name;
  std::string text;      // a text as it is, or a JSON value
  bool is_text = false;  // a text
};

// Unknown values are the JSON value null, and so is an empty text.
class Fields {
 public:
  Fields& Text(const char* name, const std::string& text);
  Fields& Number(const char* name, std::optional<double> number);   // at most six decimal places
  Fields& Integer(const char* name, std::optional<double> number);  // rounded
  Fields& Json(const char* name, std::string json);

  const std::vector<Field>& all() const { return fields_; }
  // A JSON object on one line.
  std::string ToJson() const;

 private:
  std::vector<Field> fields_;
};

inline constexpr absl::string_view kNull = "null";

// The same names, in the same order, for each row.
Fields FieldsOf(const TaskRow& row);

}  // namespace sparkles
