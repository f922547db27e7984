#include "summary/report_fields.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "summary/failure_groups.h"

namespace sparkles {

Fields& Fields::Text(const char* name, const std::string& text) {
  if (text.empty()) return Json(name, std::string(kNull));
  fields_.push_back({name, text, true});
  return *this;
}

// More decimal places would show the noise of the arithmetic.
Fields& Fields::Number(const char* name, std::optional<double> number) {
  if (!number) return Json(name, std::string(kNull));
  return Json(name, DumpJson(sparkles::Json(std::round(*number * 1e6) / 1e6)));
}

Fields& Fields::Integer(const char* name, std::optional<double> number) {
  return Json(name, number ? absl::StrCat(std::llround(*number)) : std::string(kNull));
}

Fields& Fields::Json(const char* name, std::string json) {
  fields_.push_back({name, std::move(json), false});
  return *this;
}

std::string Fields::ToJson() const {
  std::string json;
  for (const Field& field : fields_) {
    absl::StrAppend(&json, json.empty() ? "{" : ",", "\"", field.name,
                    "\":", field.is_text ? DumpJson(sparkles::Json(field.text)) : field.text);
  }
  return json + "}";
}

Fields FieldsOf(const TaskRow& row) {
  const TaskUse& use = row.use;
  Fields fields;
  fields.Text("task_id", row.id).Text("status", row.status);
  fields.Json("failed", IsFailure(row) ? "true" : "false");
  int64_t exit_code = 0;
  if (absl::SimpleAtoi(row.exit_code, &exit_code)) {
    fields.Json("exit_code", absl::StrCat(exit_code));
  } else {
    fields.Text("exit_code", row.exit_code);
  }
  fields.Number("wall_seconds", use.wall_seconds)
      .Number("cpu_seconds", use.cpu_seconds)
      .Number("cpus_used", CpusUsed(use))
      .Integer("peak_memory_bytes", use.peak_memory_bytes)
      .Integer("outputs", use.outputs)
      .Text("machine_type", use.machine.type)
      .Integer("machine_cpus", use.machine.cpus)
      .Integer("machine_memory_bytes", use.machine.memory_bytes)
      .Text("cause", CauseOf(row))
      .Text("reason", ReasonOf(row));
  return fields;
}

}  // namespace sparkles
