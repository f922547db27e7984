// Draws a live view as text.
#pragma once

#include <string>
#include <vector>

#include "base/status_block.h"
#include "view/view_facts.h"

namespace sparkles {

struct ViewStyle {
  bool colours = false;
  bool utf8 = false;  // the terminal shows UTF-8
};

// Terminals with fewer columns get one line without sequences (RenderLine).
inline constexpr int kLeastBlockColumns = 40;

// The lines of a status block for a terminal of `size`, each narrower than the terminal: how many
// tasks have ended, the times, and one line for each slot. At most two thirds of the rows. If there
// is no room for all slots, the last line gives the number of the other ones.
std::vector<std::string> RenderBlock(const ViewFacts& facts, TerminalSize size, ViewStyle style);

// The same in one line without escape sequences.
std::string RenderLine(const ViewFacts& facts, int columns);

}  // namespace sparkles
