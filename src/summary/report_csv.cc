// Writes the summary as CSV (RFC 4180).
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "summary/report_fields.h"
#include "summary/summary_report.h"

namespace sparkles {
namespace {

std::string CellOf(const Field& field) {
  if (!field.is_text) return field.text == kNull ? "" : field.text;
  if (field.text.find_first_of(",\"\r\n") == std::string::npos) return field.text;
  return absl::StrCat("\"", absl::StrReplaceAll(field.text, {{"\"", "\"\""}}), "\"");
}

void AppendLine(const TaskRow& row, bool only_names, std::string& text) {
  const Fields fields = FieldsOf(row);
  const char* separator = "";
  for (const Field& field : fields.all()) {
    absl::StrAppend(&text, separator, only_names ? field.name : CellOf(field));
    separator = ",";
  }
  text += "\r\n";
}

}  // namespace

std::string FormatCsv(const Report& report) {
  std::string text;
  AppendLine({}, /*only_names=*/true, text);
  for (const size_t index : report.shown) {
    AppendLine(report.rows[index], /*only_names=*/false, text);
  }
  return text;
}

}  // namespace sparkles
