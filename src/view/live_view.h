// Shows a run at the bottom of the terminal while it lasts.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "view/render.h"
#include "view/view_facts.h"

namespace sparkles {

struct LiveViewOptions {
  ViewStyle style = {};
  bool dumb = false;  // the terminal knows no escape sequences
};

// Starts a thread that shows the view. The destructor removes the view. Shows nothing if the system
// refuses the thread.
class LiveView {
 public:
  // Borrows `sink`, which must be on a terminal. `facts` is called on the view's thread, four times
  // a second.
  LiveView(LogSink& sink, LiveViewOptions options, std::function<ViewFacts()> facts);
  ~LiveView();
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

 private:
  void Refresh();
  void Run(const CancelToken& stop);

  LogSink& sink_;
  const LiveViewOptions options_;
  const std::function<ViewFacts()> facts_;
  size_t id_columns_ = 0;
  Housekeeper thread_;
};

}  // namespace sparkles
