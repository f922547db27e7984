#include "view/render.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/display_width.h"
#include "base/text.h"

namespace sparkles {
namespace {

// A wider block is harder to read.
constexpr size_t kMostColumns = 120;
// From this width on, a slot's line has the files and the rate.
constexpr size_t kRateColumns = 60;
// From this width on, a slot's line has the transferred bytes, too.
constexpr size_t kBytesColumns = 100;
constexpr absl::string_view kGap = "  ";

enum class Colour { kNone, kDim, kRed, kGreen, kYellow };

std::string Paint(Colour colour, absl::string_view text, ViewStyle style) {
  if (!style.colours || colour == Colour::kNone || text.empty()) return std::string(text);
  const absl::string_view code = colour == Colour::kDim     ? "2"
                                 : colour == Colour::kRed   ? "31"
                                 : colour == Colour::kGreen ? "32"
                                                            : "33";
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

// A part of a line, with ASCII text, which can grow to `columns`.
struct Cell {
  std::string text;
  size_t columns;
  Colour colour;
};

// `text` with exactly `columns` columns.
std::string Fit(absl::string_view text, size_t columns) {
  const std::string cut = CutToWidth(text, columns);
  return absl::StrCat(cut, std::string(columns - DisplayWidth(cut), ' '));
}

std::string Right(absl::string_view text, size_t columns) {
  return absl::StrCat(std::string(columns - std::min(columns, text.size()), ' '), text);
}

std::string Repeat(absl::string_view text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i) absl::StrAppend(&repeated, text);
  return repeated;
}

// "0:05", "12:34", "1:02:03".
std::string ClockText(absl::Duration time) {
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(time), 0);
  const int64_t hours = seconds / 3600;
  if (hours == 0) return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", hours, seconds / 60 % 60, seconds % 60);
}

// Rounded, so that the text seldom changes. Empty if unknown.
std::string LeftText(std::optional<absl::Duration> left) {
  if (!left) return "";
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(*left), 0);
  const int64_t minutes = (seconds + 30) / 60;
  if (seconds < 10) return "a few seconds left";
  if (seconds < 55) return absl::StrCat("about ", (seconds + 5) / 10 * 10, " s left");
  if (minutes < 60) return absl::StrCat("about ", minutes, " min left");
  if (minutes < 10 * 60) {
    const int64_t tens = (minutes + 5) / 10;
    const std::string rest = tens % 6 == 0 ? "" : absl::StrCat(tens % 6 * 10, " min ");
    return absl::StrCat("about ", tens / 6, " h ", rest, "left");
  }
  const int64_t hours = (minutes + 30) / 60;
  if (hours < 48) return absl::StrCat("about ", hours, " h left");
  return absl::StrCat("about ", (hours + 12) / 24, " days left");
}

std::string WithoutEndBlanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

size_t Ended(const ViewFacts& facts) { return facts.complete + facts.failed; }

// Puts cells into as few lines of `columns` as possible.
std::vector<std::string> Pack(const std::vector<Cell>& cells, size_t columns, ViewStyle style) {
  constexpr size_t kCellGap = 3;
  std::vector<std::string> lines;
  size_t used = columns;  // of the last line, with the gap before the next cell
  size_t gap = 0;
  for (const Cell& cell : cells) {
    if (used + cell.columns > columns) {
      lines.emplace_back();
      used = gap = 0;
    }
    absl::StrAppend(&lines.back(), std::string(gap, ' '), Paint(cell.colour, cell.text, style));
    used += cell.columns + kCellGap;
    gap = cell.columns + kCellGap - cell.text.size();
  }
  return lines;
}

std::string Bar(const ViewFacts& facts, size_t tasks, size_t columns, ViewStyle style) {
  const auto part = [&](size_t count) {
    const size_t cells = tasks == 0 ? 0 : std::min(count * columns / tasks, columns);
    return count == 0 ? 0 : std::max<size_t>(cells, 1);
  };
  const size_t ended = part(Ended(facts));
  const size_t failed = std::min(part(facts.failed), ended);
  const absl::string_view full = style.utf8 ? "\xE2\x94\x81" : "=";   // a heavy line
  const absl::string_view empty = style.utf8 ? "\xE2\x94\x80" : "-";  // a light line
  return absl::StrCat(Paint(Colour::kGreen, Repeat(full, ended - failed), style),
                      Paint(Colour::kRed, Repeat(full, failed), style),
                      Paint(Colour::kDim, Repeat(empty, columns - ended), style));
}

// The bar, and behind it or below it the times.
std::vector<std::string> ProgressLines(const ViewFacts& facts, size_t columns, ViewStyle style) {
  // The widths of "100 %", "12:34:56" and "about 9 h 50 min left", with gaps.
  constexpr size_t kPercent = 7, kElapsed = 10, kLeft = 23;
  const std::string elapsed = ClockText(facts.elapsed);
  const std::string left = LeftText(facts.left);
  if (!facts.tasks) return {absl::StrCat(elapsed, " elapsed")};
  const size_t tasks = *facts.tasks;
  const size_t percent = tasks == 0 ? 0 : Ended(facts) * 100 / tasks;
  const std::string percent_text = Right(absl::StrCat(percent, " %"), kPercent);
  if (columns < kRateColumns) {
    const std::string bar = Bar(facts, tasks, columns - kPercent, style);
    return {absl::StrCat(bar, percent_text),
            WithoutEndBlanks(absl::StrCat(elapsed, " elapsed", kGap, left))};
  }
  const std::string bar = Bar(facts, tasks, columns - kPercent - kElapsed - kLeft, style);
  return {WithoutEndBlanks(absl::StrCat(bar, percent_text, Right(elapsed, kElapsed), kGap, left))};
}

std::vector<std::string> CountLines(const ViewFacts& facts, size_t columns, ViewStyle style) {
  // The numbers can grow to the number of all tasks without moving the next cell.
  const size_t digits = absl::StrCat(facts.tasks.value_or(9999)).size();
  std::vector<Cell> cells;
  const auto add = [&](size_t number, absl::string_view what, Colour colour) {
    const std::string text = absl::StrCat(number, " ", what);
    const size_t width = std::max(text.size(), digits + 1 + what.size());
    cells.push_back({text, width, number == 0 ? Colour::kDim : colour});
  };
  add(facts.complete, "done", Colour::kNone);
  add(facts.failed, "failed", Colour::kRed);
  add(facts.running, "running", Colour::kNone);
  if (facts.waiting) add(*facts.waiting, "waiting", Colour::kNone);
  if (facts.nonzero > 0) add(facts.nonzero, "nonzero exit", Colour::kYellow);
  return Pack(cells, columns, style);
}

absl::string_view NameOf(TaskPhase phase) {
  switch (phase) {
    case TaskPhase::kPreparing:
      return "preparing";
    case TaskPhase::kFetching:
      return "fetching";
    case TaskPhase::kRunning:
      return "running";
    case TaskPhase::kStoring:
      return "storing";
    case TaskPhase::kIdle:
      break;
  }
  return "idle";
}

// "running", "fetching 3/12 files".
std::string PhaseText(const TaskSnapshot& task) {
  const std::string name(NameOf(task.phase));
  if (task.files == 0) return name;
  return absl::StrCat(name, " ", task.files_done, "/", task.files, " files");
}

std::string RateText(double bytes_per_second) {
  return bytes_per_second < 1 ? "" : absl::StrCat(HumanBytes(bytes_per_second), "/s");
}

std::string SlotLine(const ViewFacts& facts, size_t index, size_t columns, ViewStyle style) {
  constexpr size_t kPhase = 24, kShortPhase = 9, kTime = 8, kBytes = 8, kRate = 9;
  const SlotFacts& slot = facts.slots[index];
  const TaskSnapshot& task = slot.task;
  const bool idle = task.phase == TaskPhase::kIdle;
  const size_t slots = facts.slots.size();
  const std::string number =
      slots < 2 ? ""
                : absl::StrCat(Right(absl::StrCat(index), absl::StrCat(slots - 1).size()), kGap);
  std::string rest = Fit(columns < kRateColumns ? NameOf(task.phase) : PhaseText(task),
                         columns < kRateColumns ? kShortPhase : kPhase);
  absl::StrAppend(&rest, kGap, Right(idle ? "" : ClockText(slot.task_time), kTime));
  if (columns >= kBytesColumns) {
    const std::string bytes =
        task.bytes_done == 0 ? "" : HumanBytes(static_cast<double>(task.bytes_done));
    absl::StrAppend(&rest, kGap, Right(bytes, kBytes));
  }
  if (columns >= kRateColumns) {
    absl::StrAppend(&rest, kGap, Right(RateText(slot.bytes_per_second), kRate));
  }
  const size_t most = columns - number.size() - kGap.size() - rest.size();
  const size_t id_columns = std::clamp<size_t>(facts.id_columns, std::min<size_t>(8, most), most);
  const std::string id = Fit(PrintableText(task.task_id), id_columns);
  const std::string line = WithoutEndBlanks(absl::StrCat(id, kGap, rest));
  return absl::StrCat(Paint(Colour::kDim, number, style),
                      Paint(idle ? Colour::kDim : Colour::kNone, line, style));
}

}  // namespace

std::vector<std::string> RenderBlock(const ViewFacts& facts, TerminalSize size, ViewStyle style) {
  const size_t columns =
      std::min(static_cast<size_t>(std::max(size.columns, kLeastBlockColumns)) - 1, kMostColumns);
  const size_t rows = static_cast<size_t>(std::max(size.rows * 2 / 3, 3)) - 1;
  std::vector<std::string> lines = ProgressLines(facts, columns, style);
  for (std::string& line : CountLines(facts, columns, style)) lines.push_back(std::move(line));
  if (!facts.note.empty()) {
    const std::string note = CutToWidth(PrintableText(facts.note), columns);
    lines.push_back(Paint(Colour::kYellow, note, style));
  }
  const size_t slots = facts.slots.size();
  const size_t room = rows > lines.size() ? rows - lines.size() : 0;
  const size_t shown = slots <= room ? slots : std::max<size_t>(room, 1) - 1;
  for (size_t i = 0; i < shown; ++i) lines.push_back(SlotLine(facts, i, columns, style));
  if (shown < slots && room > 0) {
    const std::string more = absl::StrCat("and ", slots - shown, " more slots");
    lines.push_back(Paint(Colour::kDim, more, style));
  }
  return lines;
}

std::string RenderLine(const ViewFacts& facts, int columns) {
  std::vector<std::string> parts = {
      facts.tasks ? absl::StrCat(facts.complete, " of ", *facts.tasks, " done")
                  : absl::StrCat(facts.complete, " done")};
  if (facts.failed > 0) parts.push_back(absl::StrCat(facts.failed, " failed"));
  if (facts.running > 0) parts.push_back(absl::StrCat(facts.running, " running"));
  parts.push_back(ClockText(facts.elapsed));
  if (facts.left) parts.push_back(LeftText(facts.left));
  if (facts.slots.size() == 1 && facts.slots[0].task.files > 0) {
    const SlotFacts& slot = facts.slots[0];
    parts.push_back(PhaseText(slot.task));
    parts.push_back(HumanBytes(static_cast<double>(slot.task.bytes_done)));
    if (slot.bytes_per_second >= 1) parts.push_back(RateText(slot.bytes_per_second));
  }
  std::string line;
  for (const std::string& part : parts) {
    const std::string longer = line.empty() ? part : absl::StrCat(line, ", ", part);
    if (longer.size() >= static_cast<size_t>(std::max(columns, 2))) break;
    line = longer;
  }
  return line;
}

}  // namespace sparkles
