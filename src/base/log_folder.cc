#include "base/log_folder.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "base/limits.h"

namespace dotward {

bool LogFolder::Admit(LogLevel level, std::string_view line, SteadyTime now, std::vector<Summary>& due) {
  TakeDue(now, due);
  const size_t hash = std::hash<std::string_view>()(line);
  if (Entry* const known = Find(hash, level, line); known != nullptr) {
    ++known->repeats;
    return false;
  }
  if (entries_.size() >= Limits::kLogFoldedLinesMax) MakeRoom(due);
  entries_.push_back({hash, level, std::string(line), 0, now + Limits::kLogFoldFirst});
  return true;
}

void LogFolder::TakeDue(SteadyTime now, std::vector<Summary>& due) {
  for (Entry& entry : entries_) {
    if (entry.due > now || entry.repeats == 0) continue;
    due.push_back({entry.level, entry.line, std::exchange(entry.repeats, 0)});
    entry.due = now + Limits::kLogFoldNext;
  }
  std::erase_if(entries_, [now](const Entry& entry) { return entry.due <= now; });
}

void LogFolder::TakeAll(std::vector<Summary>& due) {
  for (Entry& entry : entries_) {
    if (entry.repeats != 0) due.push_back({entry.level, std::move(entry.line), entry.repeats});
  }
  entries_.clear();
}

std::optional<SteadyTime> LogFolder::NextDue() const {
  std::optional<SteadyTime> next;
  for (const Entry& entry : entries_) {
    if (entry.repeats != 0 && (!next || entry.due < *next)) next = entry.due;
  }
  return next;
}

LogFolder::Entry* LogFolder::Find(size_t hash, LogLevel level, std::string_view line) {
  for (Entry& entry : entries_) {
    if (entry.hash == hash && entry.level == level && entry.line == line) return &entry;
  }
  return nullptr;
}

// One of which nothing is owed, if there is such a one; of several, the one that is forgotten soonest anyway.
void LogFolder::MakeRoom(std::vector<Summary>& due) {
  const auto least = std::min_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(a.repeats != 0, a.due) < std::tuple(b.repeats != 0, b.due);
  });
  if (least->repeats != 0) due.push_back({least->level, std::move(least->line), least->repeats});
  entries_.erase(least);
}

}  // namespace dotward
