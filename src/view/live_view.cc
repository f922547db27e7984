#include "view/live_view.h"

#include <algorithm>
#include <utility>

#include "base/display_width.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr absl::Duration kRefresh = absl::Milliseconds(250);

}  // namespace

LiveView::LiveView(LogSink& sink, LiveViewOptions options, std::function<ViewFacts()> facts)
    : sink_(sink),
      options_(options),
      facts_(std::move(facts)),
      thread_("view", [this](const CancelToken& stop) { Run(stop); }) {}

LiveView::~LiveView() {
  thread_.Stop();
  sink_.RemoveBlock();
}

void LiveView::Run(const CancelToken& stop) {
  SystemClock clock;
  while (clock.Sleep(kRefresh, stop)) Refresh();
}

void LiveView::Refresh() {
  ViewFacts facts = facts_();
  for (const SlotFacts& slot : facts.slots) {
    id_columns_ = std::max(id_columns_, DisplayWidth(PrintableText(slot.task.task_id)));
  }
  facts.id_columns = id_columns_;
  const TerminalSize size = sink_.Size();
  if (options_.dumb) {
    sink_.ShowLine(RenderLine(facts, size.columns));
  } else if (size.columns < kLeastBlockColumns) {
    sink_.ShowBlock({RenderLine(facts, size.columns)}, size);
  } else {
    sink_.ShowBlock(RenderBlock(facts, size, options_.style), size);
  }
}

}  // namespace sparkles
